"""Digests at the wire: scheduled, due, collected, posted, acted on."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from advisor import digest_words
from advisor.core.estate import SweepState
from advisor.core.model import Account
from advisor.core.risk import HIGH
from tests.drawn import nodes
from tests.sandbox import world as story
from tests.scenarios.digesting import (
    LISTING,
    NINE,
    digests,
    entity,
    flat,
    go,
    hold,
    look,
    postings,
    read,
    silent,
    swept,
    visible,
    weekly,
)
from tests.scenarios.pressing import last_told, said_in_log
from tests.scenarios.stage import Stage


@pytest.fixture
def friday(stage: Stage) -> Stage:
    """The Friday before, at noon."""
    stage.now = NINE - timedelta(days=2, hours=20)
    return stage


def due(stage: Stage) -> list[Any]:
    return stage.rows("SELECT * FROM schedule WHERE ended_at IS NULL ORDER BY id")


# -- scheduling ----------------------------------------------------------------------------------------------------


def test_a_digest_is_scheduled_in_the_zone_of_its_maker(friday: Stage) -> None:
    """The zone is stored by its IANA name and shown back; the time is nine in Stockholm, eight in UTC."""
    weekly(friday)
    (row,) = due(friday)
    assert (row["zone"], row["due_at"]) == ("Europe/Stockholm", "2026-11-30T08:00:00.000000Z")
    told = last_told(friday, story.ALICE)
    assert "The digest is scheduled: Mondays 09:00 (Europe/Stockholm)" in told
    assert "30 Nov 2026 08:00 UTC" in told
    assert "digest.make" in said_in_log(friday)


@pytest.mark.parametrize(
    ("zone", "stored"),
    [("Asia/Kathmandu", "Asia/Kathmandu"), ("", "UTC"), ("Mars/Olympus", "UTC"), ("../etc/passwd", "UTC")],
)
def test_a_zone_that_is_none_is_utc(friday: Stage, zone: str, stored: str) -> None:
    """What Slack says is checked before it is kept."""
    friday.slack.state.users[story.ALICE]["tz"] = zone
    weekly(friday)
    assert due(friday)[0]["zone"] == stored


@pytest.mark.parametrize(
    ("channel", "words_", "told"),
    [
        (story.PARTNERS, "weekly mon", "shared with another company"),
        (story.OLD, "weekly mon", "This channel is archived"),
        (story.RANDOM, "weekly mon", "IAM Audit is not in this channel"),
        (story.SECURITY, "weekly mon account=nowhere", "There is no account “nowhere”"),
    ],
)
def test_where_no_digest_can_be(friday: Stage, channel: str, words_: str, told: str) -> None:
    """Nothing is scheduled, and the person hears why."""
    assert friday.say(f"digest {words_}", channel=channel).ok
    assert told in last_told(friday, story.ALICE)
    assert not due(friday)


@pytest.mark.parametrize(
    ("user", "told"),
    [(story.GUEST, "Guests may not"), (story.GONE, "deactivated"), (story.BOB, "not a member")],
)
def test_who_may_schedule(friday: Stage, user: str, told: str) -> None:
    """Auditors who are members of the channel."""
    friday.slack.state.channels[story.SECURITY]["members"].remove(story.BOB)
    assert friday.say("digest daily", user=user).ok
    assert told in last_told(friday, user)
    assert not due(friday)


def test_slack_does_not_say_who_is_a_member(friday: Stage) -> None:
    """Nobody is let in because Slack is silent; it is asked again, then the person hears of it."""
    friday.slack.fail("conversations.members", error="internal_error", times=99)
    assert friday.say("digest daily").ok
    assert "could not be checked" in last_told(friday, story.ALICE)
    assert not due(friday)


def test_one_for_oneself(friday: Stage) -> None:
    """In a direct message it is for that person."""
    friday.say("digest daily 08:00", channel=friday.slack.dm_of(story.ALICE))
    assert due(friday)[0]["channel"] == story.ALICE
    swept(friday)
    read(friday, entity(friday, "etl"), {"s3": 3, "kms": None})
    go(friday, NINE.replace(day=28))
    assert "could go" in flat(friday.slack.dms(story.ALICE)[-1])


# -- what it says --------------------------------------------------------------------------------------------------


def test_what_a_digest_says(friday: Stage) -> None:
    """What changed since the last one by name, the clean-ups by risk, what cannot be told, the log's last hash."""
    stage = friday
    weekly(stage)
    etl, ci, quiet = entity(stage, "etl-nightly"), entity(stage, "ci-deploy"), entity(stage, "idle")
    before = stage.now - timedelta(days=5)
    read(stage, etl, {"s3": 3, "sqs": 140, "kms": None}, at=before, risk=50)
    read(stage, ci, {"s3": 89, "iam": None, "ec2": None}, at=before, risk=9)
    stage.now = NINE - timedelta(hours=3)
    swept(stage)
    read(stage, etl, {"s3": 3, "sqs": 1, "kms": None, "sns": None}, risk=50)
    read(stage, ci, {"s3": 92.5, "iam": None, "ec2": None}, risk=90)
    read(stage, quiet, {"s3": None}, young=True, could_go=0, untracked=4)
    with stage.store.transaction():
        stage.store._db.run("UPDATE schedule SET last_at = ?", ("2026-11-26T08:00:00.000000Z",))
    go(stage, NINE)
    (card,) = digests(stage)
    said = flat(card)
    assert "IAM this week: 4 services could go, 1 more" in said
    assert "Grew: etl-nightly got sns" in said
    assert "Used again: sqs by etl-nightly, after" in said
    assert "Not used any more: s3 by ci-deploy" in said
    assert said.index("ci-deploy (role in prod)") < said.index("etl-nightly (role in prod)")
    assert "1 entity too young to judge · 4 services that AWS does not track" in said
    assert "Next digest" in said and "7 Dec 2026 08:00 UTC" in said
    assert visible(card["blocks"]) < 2000
    assert len(card["blocks"]) <= 14
    assert postings(stage) == [("2026-11-30T08:00", "posted")]
    thread = stage.slack.thread(story.SECURITY, card["ts"])
    assert {f["name"] for f in stage.slack.state.files.values()} == {
        "iam-audit-digest-1.csv",
        "iam-audit-digest-1.png",
    }
    at_posting = stage.rows("SELECT hash FROM log WHERE verb = 'digest.make'")[0]["hash"]
    assert at_posting[:16] in said
    assert at_posting in flat(thread[0])


def test_nothing_to_say_is_one_line(friday: Stage) -> None:
    """And nothing at all where that was asked for."""
    stage = friday
    weekly(stage)
    read(stage, entity(stage, "etl"), {"s3": 3, "kms": None}, at=stage.now - timedelta(days=40))
    stage.now = NINE - timedelta(hours=1)
    swept(stage)
    go(stage, NINE)
    (card,) = digests(stage)
    assert "IAM this week: nothing changed" in flat(card)
    assert "1 service could go, as before. Everything was read." in flat(card)
    assert len(card["blocks"]) == 3
    assert not stage.slack.thread(story.SECURITY, card["ts"])
    with stage.store.transaction():
        stage.store._db.run("UPDATE schedule SET quiet = 1")
    stage.now = NINE + timedelta(days=7) - timedelta(hours=1)
    swept(stage)
    go(stage, NINE + timedelta(days=7))
    assert len(digests(stage)) == 1
    assert postings(stage)[-1] == ("2026-12-07T08:00", "posted")


def test_only_what_bears_the_tag_and_the_risk(friday: Stage) -> None:
    """Of entities without the tag, and of light ones, nothing is proposed."""
    stage = friday
    weekly(stage, "weekly mon tag:team=pay")
    with stage.store.transaction():
        stage.store._db.run("UPDATE schedule SET severity = 'high'")
    swept(stage)
    read(stage, entity(stage, "ours"), {"kms": None}, risk=HIGH, tags=(("team", "pay"),))
    read(stage, entity(stage, "light"), {"kms": None}, risk=HIGH - 1, tags=(("team", "pay"),))
    read(stage, entity(stage, "theirs"), {"kms": None}, risk=HIGH, tags=(("team", "web"),))
    stage.now = NINE - timedelta(hours=1)
    swept(stage)
    go(stage, NINE)
    said = flat(digests(stage)[0])
    assert "ours (role in prod)" in said
    assert "light" not in said and "theirs" not in said
    assert "2 services could go" in said
    assert "only tag team=pay, high risk and up" in said


# -- reading first -------------------------------------------------------------------------------------------------


def test_without_a_fresh_sweep_it_reads_first(friday: Stage) -> None:
    """A silent sweep; the card says how far it is and becomes the digest; nothing of another account is read again."""
    stage = friday
    stage.restart(accounts=story.ACCOUNTS)
    weekly(stage)
    stage.now = NINE - timedelta(hours=2)
    swept(stage, story.DEV)
    before = hold(stage)
    stage.aws.fail(LISTING, account=story.DATA, error="AccessDenied", times=None)
    look(stage, NINE)
    assert postings(stage) == [("2026-11-30T08:00", "collecting")]
    assert "Collecting · reading begins" in flat(digests(stage)[0])
    row = stage.rows("SELECT * FROM sweep ORDER BY id DESC")[0]
    assert (row["asked"], row["silent"], row["schedule_id"]) == (f"{story.PROD},{story.DATA}", 1, 1)
    stage.store.sweeps.end(before, SweepState.CANCELLED, stage.now)
    stage.settle()
    (card,) = digests(stage)
    assert card["metadata"]["event_payload"]["state"] == "posted"
    assert "Account data (333333333333): never read, access denied" in flat(card)
    assert len(stage.cards()) == 1
    assert not [c for c in stage.aws.calls if c.operation == LISTING and c.account == story.DEV]


def test_no_account_could_be_read(friday: Stage) -> None:
    """No digest, and it says that this does not mean that nothing changed."""
    stage = friday
    weekly(stage)
    stage.aws.fail(LISTING, error="AccessDenied", times=None)
    go(stage, NINE)
    (card,) = digests(stage)
    assert card["metadata"]["event_payload"]["state"] == "failed"
    assert "No IAM digest this week" in flat(card)
    assert "no account could be read: access denied" in flat(card)
    assert "This does not mean that nothing changed" in flat(card)
    assert not stage.rows("SELECT 1 FROM schedule WHERE last_at IS NOT NULL")


def test_a_sweep_that_never_ends_is_not_waited_for(friday: Stage) -> None:
    """After half a day it tells what is known."""
    stage = friday
    stage.restart(accounts=story.ACCOUNTS)
    weekly(stage)
    stage.now = NINE - timedelta(hours=2)
    swept(stage, story.DEV)
    stuck = stage.store.sweeps.add(story.ALICE, story.SECURITY, f"{story.PROD},{story.DATA}", stage.now)
    stage.store.sweeps.admit(stuck, [Account(story.PROD)], stage.now)
    stage.store.sweeps.part_later(stuck, story.PROD, NINE + timedelta(days=9))
    look(stage, NINE)
    look(stage, NINE + timedelta(hours=11))
    assert postings(stage)[0][1] == "collecting"
    assert stage.rows("SELECT sweep_id FROM posting")[0]["sweep_id"] == stuck
    look(stage, NINE + timedelta(hours=13))
    assert postings(stage)[0][1] == "posted"
    assert "Account prod (111111111111): never read" in flat(digests(stage)[0])


def test_now_reads_what_is_older_than_a_served_report(friday: Stage) -> None:
    """Out of turn: younger than four hours is fresh, older is read again; without a digest it comes once."""
    stage = friday
    swept(stage)
    stage.now += timedelta(hours=3)
    stage.say("digest now")
    assert [s for _, s in postings(stage)] == ["posted"]
    assert "Asked for by <@U0ALICE0001>" in flat(digests(stage)[0])
    assert "digest.off" not in str(digests(stage)[0])
    assert silent(stage) == 0
    stage.now += timedelta(hours=3)
    stage.say("digest now", user=story.BOB)
    assert [s for _, s in postings(stage)] == ["posted", "posted"]
    assert silent(stage) == 1
    assert not due(stage)


# -- time ----------------------------------------------------------------------------------------------------------


def test_a_bot_that_was_down_at_nine_posts_at_its_return_once(friday: Stage) -> None:
    """Of three missed Mondays the newest counts."""
    stage = friday
    weekly(stage)
    stage.end()
    stage.now = NINE + timedelta(days=15)
    stage.begin()
    swept(stage)
    stage.settle()
    assert postings(stage) == [("2026-12-14T08:00", "posted")]
    assert due(stage)[0]["due_at"].startswith("2026-12-21T08:00")
    go(stage, stage.now + timedelta(hours=5))
    assert len(digests(stage)) == 1


def test_a_clock_that_goes_back_posts_nothing_twice(friday: Stage) -> None:
    """Nor does one that jumps ahead and is put right."""
    stage = friday
    weekly(stage, "daily 09:00")
    stage.now = NINE - timedelta(hours=1)
    swept(stage)
    go(stage, NINE)
    first = postings(stage)
    for back in (timedelta(minutes=1), timedelta(hours=3), timedelta(days=2)):
        go(stage, NINE - back)
        stage.restart()
        go(stage, NINE)
    assert postings(stage) == first
    assert len(digests(stage)) == 1


@pytest.mark.parametrize(
    ("zone", "at", "start", "days"),
    [
        ("Europe/Stockholm", "02:30", "2026-10-23T12:00Z", 4),
        ("Europe/Stockholm", "02:30", "2027-03-26T12:00Z", 4),
        ("Africa/Cairo", "00:30", "2026-04-22T12:00Z", 4),
        ("Australia/Lord_Howe", "01:45", "2027-04-02T12:00Z", 4),
    ],
)
def test_each_day_has_one_when_clocks_change(stage: Stage, zone: str, at: str, start: str, days: int) -> None:
    """One posting a day, an hour's look at a time."""
    stage.now = datetime.fromisoformat(start)
    stage.slack.state.users[story.ALICE]["tz"] = zone
    weekly(stage, f"daily {at}")
    hold(stage)
    for _ in range(24 * days):
        stage.now += timedelta(hours=1)
        stage.bot.intake.beat()  # type: ignore[union-attr]
    rows = stage.rows("SELECT due_at FROM posting ORDER BY id")
    assert len(rows) == days
    assert len({r["due_at"] for r in rows}) == days


def test_forty_at_nine(friday: Stage) -> None:
    """All are posted within Slack's rate, in order, none twice; a redelivered command makes no second one."""
    stage = friday
    channels = [f"C0TEAM{n:05}" for n in range(40)]
    for n, channel in enumerate(channels):
        stage.slack.add_channel(channel, f"team-{n}", members=[story.ALICE])
        reply = stage.slack.command(story.ALICE, channel, "digest weekly mon 09:00")
        stage.slack.redeliver(reply)
    stage.settle()
    assert len(due(stage)) == 40
    stage.now = NINE - timedelta(hours=1)
    swept(stage)
    read(stage, entity(stage, "etl"), {"s3": 3, "kms": None})
    posted: list[float] = []

    def limited(method: str, _channel: str) -> Any:
        """One a second, as Slack has it for a workspace's burst."""
        if method != "chat.postMessage":
            return None
        moment = stage.now.timestamp()
        if posted and moment - posted[-1] < 1:
            return refusal
        posted.append(moment)
        return None

    refusal = stage.slack.fail("nothing", status=429, retry_after=1, times=10_000)
    stage.slack.hook = limited
    go(stage, NINE)
    cards = [digests(stage, c) for c in channels]
    assert [len(c) for c in cards] == [1] * 40
    order = [float(c[0]["ts"]) for c in cards]
    assert order == sorted(order)
    assert all(b - a >= 1 for a, b in pairwise(posted))
    assert {s for _, s in postings(stage)} == {"posted"}
    assert len(postings(stage)) == 40


def test_those_that_are_due_together_share_one_sweep(friday: Stage) -> None:
    """The same accounts are read once for all of them."""
    stage = friday
    for channel in (story.SECURITY, story.PLATFORM):
        weekly(stage, channel=channel)
    weekly(stage, channel=stage.slack.dm_of(story.BOB), user=story.BOB)
    go(stage, NINE)
    assert silent(stage) == 1
    assert [s for _, s in postings(stage)] == ["posted"] * 3
    assert "services could go" in flat(digests(stage, story.PLATFORM)[0])


def test_what_was_typed_outlives_a_kill(friday: Stage) -> None:
    """It is committed before it is acknowledged; what is delivered twice is made once."""
    reply = friday.slack.command(story.ALICE, story.SECURITY, "digest daily 09:00")
    assert reply.ok
    friday.restart()
    friday.slack.redeliver(reply)
    friday.settle()
    assert len(due(friday)) == 1
    assert said_in_log(friday).count("digest.make") == 1


def test_it_was_turned_off_while_it_collected(friday: Stage) -> None:
    """Then it is not posted any more."""
    stage = friday
    weekly(stage)
    before = hold(stage)
    look(stage, NINE)
    assert stage.slack.command(story.ALICE, story.SECURITY, "digest off").ok
    look(stage, NINE + timedelta(seconds=10))
    stage.store.sweeps.end(before, SweepState.CANCELLED, stage.now)
    stage.settle()
    assert postings(stage) == [("2026-11-30T08:00", "failed")]
    assert "could go" not in flat(digests(stage)[0])


@pytest.mark.parametrize("allowed", [True, False])
def test_every_clean_up_is_in_the_file(friday: Stage, allowed: bool) -> None:
    """More than five: the rest is a CSV in the thread; where Slack takes none, the thread says so."""
    stage = friday
    stage.slack.state.files_allowed = allowed
    weekly(stage)
    stage.now = NINE - timedelta(hours=1)
    swept(stage)
    for n in range(8):
        read(stage, entity(stage, f"=role{n}"), {"s3": 3, "kms": None}, risk=n)
    go(stage, NINE)
    (card,) = digests(stage)
    assert "by risk, 5 of 8" in flat(card)
    thread = stage.slack.thread(story.SECURITY, card["ts"])
    if allowed:
        (file,) = stage.slack.state.files.values()
        lines = file["content"].decode("utf-8-sig").splitlines()
        assert len(lines) == 9
        assert lines[1].endswith(",1,2,1,7,kms")
    else:
        assert any("The list of every clean-up is not here" in flat(m) for m in thread)


def test_a_zone_that_the_machine_forgot(friday: Stage) -> None:
    """It goes on by UTC, and stops nothing else."""
    stage = friday
    weekly(stage)
    with stage.store.transaction():
        stage.store._db.run("UPDATE schedule SET zone = 'Gone/Away'")
    swept(stage)
    go(stage, NINE)
    assert due(stage)[0]["due_at"].startswith("2026-12-07T09:00")
    assert len(postings(stage)) == 1


@pytest.mark.parametrize("name", ["<!channel>*EVIL*", "EVIL\u202e`x`", "EVIL" * 20])
def test_hostile_names(friday: Stage, name: str) -> None:
    """Strangers' words reach Slack only where it reads no markup."""
    stage = friday
    weekly(stage, "weekly mon tag:team=<!here>")
    stage.now = NINE - timedelta(hours=1)
    swept(stage)
    read(stage, entity(stage, name, unique="AROAX"), {"s3": 3, name: None}, tags=(("team", "<!here>"),))
    go(stage, NINE)
    for call in stage.slack.state.calls:
        for node in nodes(call.args.get("blocks") or []):
            if node.get("type") == "mrkdwn":
                assert "EVIL" not in node["text"] and "<!here>" not in node["text"]
        assert "<!" not in str(call.args.get("text") or "")
    assert "EVIL" in flat(digests(stage)[0])


def test_two_digests_over_the_same_account_in_one_channel(friday: Stage) -> None:
    """Asked for in other words, due at the same time: both are posted, and nobody is told of a joined sweep."""
    stage = friday
    stage.restart(accounts=f"prod={story.PROD}")
    weekly(stage)
    weekly(stage, "weekly mon 09:00 account=prod")
    heard = len(stage.slack.ephemerals(story.ALICE))
    go(stage, NINE)
    assert [s for _, s in postings(stage)] == ["posted", "posted"]
    assert len(stage.slack.ephemerals(story.ALICE)) == heard


def test_a_fault_of_ours_does_not_spin(friday: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried some times, with pauses, and then the digest says that it failed."""
    stage, tries = friday, []

    def fault(*_: object) -> None:
        tries.append(1)
        raise KeyError("fault")

    monkeypatch.setattr(digest_words, "gather", fault)
    weekly(stage)
    swept(stage, story.PROD, story.DEV, story.DATA)
    go(stage, NINE)
    assert [s for _, s in postings(stage)] == ["failed"]
    assert 1 < len(tries) < 10
