"""Reminders at the wire: who gets which direct message when, what stops one, and what a kill, Slack and clocks do to them."""

from __future__ import annotations

import copy
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from advisor.edges.store.reminders import SPREAD
from advisor.edges.store.rows import stamp
from tests.sandbox import world as story
from tests.scenarios.stage import Died, Points, Stage, words, worlds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TUESDAY = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)  # 10:00 in Stockholm, where everybody of the story lives
MANY = [f"U0MANY{n:05}" for n in range(130)]


@pytest.fixture
def tuesday(writing: Stage) -> Stage:
    """Alice's ticket on DBAdminRole was opened on a Tuesday morning; carol and bob may approve."""
    writing.now = TUESDAY
    writing.ticket()
    writing.slack.state.calls.clear()
    return writing


def until(stage: Stage, at: datetime, step: timedelta = HOUR) -> None:
    """Let time pass, an hour at a time, with as many beats as it takes each time."""
    while stage.now < at:
        stage.now = min(at, stage.now + step)
        beats(stage)


def beats(stage: Stage) -> None:
    """Everything that is due now, though it is spread over some seconds."""
    begun = stage.now
    for _ in range(60):
        stage.beat()
        soon = stamp(stage.now + timedelta(seconds=1))
        if not stage.rows(
            f"SELECT 1 FROM reminder_look WHERE next_at <= '{soon}' UNION ALL "
            f"SELECT 1 FROM press WHERE state = 'queued' UNION ALL "
            f"SELECT 1 FROM notice WHERE state IN ('due', 'sending') AND not_before <= '{soon}'"
        ):
            break
        stage.now += timedelta(seconds=1)
    stage.now = begun


def told(stage: Stage, user: str) -> list[str]:
    """The reminders that a person got, as flat text; Slack took each."""
    found = [
        m for m in stage.slack.dms(user) if m.get("metadata", {}).get("event_type") == "iam_audit.reminder"
    ]
    return [" ".join(words(m).split()) for m in found]


def days(stage: Stage, user: str) -> list[str]:
    """When they got them, as clocks in Stockholm (an hour ahead, in winter) show it."""
    found = [
        m for m in stage.slack.dms(user) if m.get("metadata", {}).get("event_type") == "iam_audit.reminder"
    ]
    return [f"{datetime.fromtimestamp(float(m['ts']), UTC) + HOUR:%a %H}" for m in found]


def test_approvers_are_asked_each_working_day(tuesday: Stage) -> None:
    """Both of them, with a button to the card, from a day after it was opened until it expires; alice once before."""
    until(tuesday, TUESDAY + 23 * HOUR)
    assert not told(tuesday, story.CAROL)
    until(tuesday, TUESDAY + 8 * DAY)
    for user in (story.CAROL, story.BOB):
        assert days(tuesday, user) == ["Wed 10", "Thu 10", "Fri 10", "Mon 08", "Tue 08"]
        assert told(tuesday, user)[0].startswith(
            "Waiting for you: 1 Waiting for approval, 0 of 1: ticket 1, remove 20 of 25 services from DBAdminRole (role in prod)."
        )
    assert days(tuesday, story.ALICE) == ["Mon 10"]
    assert (
        "Yours, about to expire: 1 Expires 1 Dec 2026 09:00 UTC, with 0 of 1 approval: ticket 1, remove 20"
        in told(tuesday, story.ALICE)[0]
    )
    assert not told(tuesday, story.DAVE)
    assert tuesday.rows("SELECT state FROM ticket")[0]["state"] == "expired"


def test_the_button_leads_to_the_card(tuesday: Stage) -> None:
    """By Slack's own address; where there is none, the ticket is told privately."""
    until(tuesday, TUESDAY + DAY)
    (message,) = tuesday.slack.dms(story.CAROL)
    (button,) = [b["accessory"] for b in message["blocks"] if "accessory" in b]
    assert button["url"].startswith(f"https://sandbox.slack.com/archives/{story.SECURITY}/p")
    tuesday.slack.click(story.CAROL, tuesday.slack.dm_of(story.CAROL), button["action_id"], ts=message["ts"])
    tuesday.settle()
    assert len(tuesday.slack.dms(story.CAROL)) == 1
    tuesday.restart()
    tuesday.slack.fail("chat.getPermalink", error="message_not_found", times=9)
    until(tuesday, TUESDAY + 2 * DAY)
    message = tuesday.slack.dms(story.CAROL)[-1]
    tuesday.slack.click(story.CAROL, tuesday.slack.dm_of(story.CAROL), "home.ticket.1", ts=message["ts"])
    tuesday.settle()
    assert "remove 20 of 25 services from DBAdminRole" in words(tuesday.slack.dms(story.CAROL)[-1])


def test_several_tickets_are_one_message(tuesday: Stage) -> None:
    """Also one that is younger than a day; a third one that comes later the same day waits for the next."""
    until(tuesday, TUESDAY + 20 * HOUR)
    tuesday.ticket("role TestRole-DeleteLater")
    until(tuesday, TUESDAY + 26 * HOUR)
    (one,) = told(tuesday, story.CAROL)
    assert "Waiting for you: 2" in one
    assert tuesday.slack.dms(story.CAROL)[0]["text"] == "Waiting for you: tickets 1, 2."
    tuesday.ticket("role etl-nightly")
    until(tuesday, TUESDAY + 2 * DAY)
    assert "Waiting for you: 3" in told(tuesday, story.CAROL)[1]


@pytest.mark.parametrize("who", ["decided", "approved by carol", "not an approver any more", "deactivated"])
def test_what_holds_no_more_is_not_sent(tuesday: Stage, who: str) -> None:
    """A message that is decided on and not sent yet says nothing that is settled meanwhile."""
    if who == "approved by carol":
        tuesday.restart(iam_audit_approvals=2)
    tuesday.slack.fail("chat.postMessage", error="ratelimited", status=429, retry_after=600, times=99)
    until(tuesday, TUESDAY + DAY)
    assert [r["state"] for r in tuesday.rows("SELECT state FROM notice WHERE surface = 'reminder'")] == [
        "due"
    ] * 2
    tuesday.slack.faults.clear()
    if who == "decided":
        tuesday.slack.click(story.BOB, story.SECURITY, "ticket.approve", ts=tuesday.card()["ts"])
    elif who == "approved by carol":
        tuesday.slack.click(story.CAROL, story.SECURITY, "ticket.approve", ts=tuesday.card()["ts"])
    elif who == "deactivated":
        tuesday.slack.state.users[story.CAROL]["deleted"] = True
    else:
        tuesday.slack.state.groups[story.APPROVERS]["users"] = []
    until(tuesday, TUESDAY + DAY + HOUR)
    assert not told(tuesday, story.CAROL)
    assert len(told(tuesday, story.BOB)) == (who != "decided")


def test_a_night_falls_before_it_is_sent(tuesday: Stage) -> None:
    """Slack takes nothing all day: what is left over in the evening is said in the morning, once."""
    tuesday.slack.fail("chat.postMessage", error="ratelimited", status=429, retry_after=3000, times=999)
    until(tuesday, TUESDAY + 33 * HOUR)
    tuesday.slack.faults.clear()
    until(tuesday, TUESDAY + 52 * HOUR)
    assert days(tuesday, story.CAROL) == ["Thu 08"]


def test_the_next_in_line(tuesday: Stage) -> None:
    """Dave's group after three days, which are over on Friday; he is told that he may not decide."""
    tuesday.slack.add_usergroup("S0SECOND", "second", [story.DAVE, story.ALICE])
    tuesday.restart(iam_audit_escalate="S0SECOND")
    until(tuesday, TUESDAY + 7 * DAY - HOUR)
    assert days(tuesday, story.DAVE) == ["Fri 10", "Mon 08", "Tue 08"]
    assert "Nobody has decided: 1 Waiting for approval, 0 of 1: ticket 1" in told(tuesday, story.DAVE)[0]
    assert "It was opened 24 Nov 2026 09:00 UTC" in told(tuesday, story.DAVE)[0]
    assert "may not decide yourself" in told(tuesday, story.DAVE)[0]
    assert days(tuesday, story.ALICE) == ["Mon 10"]


def test_who_cannot_be_reached_is_left_out(tuesday: Stage) -> None:
    """Alice hears of them once, all in one line; the others are asked as ever; who comes back is asked."""
    tuesday.restart(
        iam_audit_approvers=f"{story.APPROVERS},{story.GONE},{story.GUEST},{story.OTHER},U0NOBODY001",
        iam_audit_escalate="U0LEFT00001",
    )
    until(tuesday, TUESDAY + 29 * HOUR)
    assert days(tuesday, story.ALICE) == ["Wed 10"] or days(tuesday, story.ALICE) == ["Wed 11"]
    (said,) = told(tuesday, story.ALICE)
    assert "Not everybody could be asked" in said
    for user, why in (
        (story.GONE, "deactivated"),
        (story.GUEST, "a guest"),
        (story.OTHER, "of another company"),
        ("U0NOBODY001", "not known to Slack"),
    ):
        assert f"<@{user}> is {why}" in said
    assert "U0LEFT00001" not in said, "it is not their turn yet"
    assert len(told(tuesday, story.CAROL)) == 1
    tuesday.slack.state.users[story.GONE]["deleted"] = False
    until(tuesday, TUESDAY + 55 * HOUR)
    assert len(told(tuesday, story.ALICE)) == 1
    assert len(told(tuesday, story.GONE)) == 1
    assert not told(tuesday, story.GUEST)


def test_what_stopped_half_way_asks_every_day(tuesday: Stage) -> None:
    """Whatever the interval is, and also the approver who asked for it."""
    with tuesday.store.transaction():
        tuesday.store._db.run(
            "UPDATE ticket SET state = 'needs_human', requesters = ?", (f'["{story.BOB}"]',)
        )
    tuesday.restart(iam_audit_remind_hours=48)
    until(tuesday, TUESDAY + 4 * DAY)
    assert days(tuesday, story.BOB) == ["Thu 10", "Fri 10"]
    assert "Needs a person: ticket 1, stopped half way" in told(tuesday, story.CAROL)[0]


def test_advice_asks_only_its_requester(stage: Stage) -> None:
    """Nobody can approve it."""
    stage.restart(iam_audit_approvers=story.CAROL)
    stage.now = TUESDAY
    stage.ticket()
    until(stage, TUESDAY + 7 * DAY - HOUR)
    assert not told(stage, story.CAROL)
    (said,) = told(stage, story.ALICE)
    assert "It is advice, and nobody was seen to follow it" in said


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"iam_audit_remind_hours": 0}, []),
        ({"iam_audit_remind_hours": 72}, ["Fri 10"]),
        ({"iam_audit_quiet": "off"}, ["Wed 10", "Thu 10", "Fri 10", "Sat 10"]),
        ({"iam_audit_quiet": "09:00-12:00,thu"}, ["Wed 12", "Fri 00", "Sat 00"]),
    ],
)
def test_the_settings(tuesday: Stage, settings: dict[str, Any], expected: list[str]) -> None:
    """Never, seldom, at any hour, and around lunch."""
    tuesday.restart(**settings)
    until(tuesday, TUESDAY + 4 * DAY + 6 * HOUR)
    assert days(tuesday, story.CAROL) == expected


def test_each_by_their_own_clock(tuesday: Stage) -> None:
    """Carol is in Auckland and bob in San Francisco; each hears it in the morning after a day."""
    tuesday.slack.state.users[story.CAROL]["tz"] = "Pacific/Auckland"
    tuesday.slack.state.users[story.BOB]["tz"] = "America/Los_Angeles"
    until(tuesday, TUESDAY + 34 * HOUR)
    at = {
        u: [datetime.fromtimestamp(float(m["ts"]), UTC) for m in tuesday.slack.dms(u)]
        for u in (story.CAROL, story.BOB)
    }
    assert [f"{t:%a %H:%M}" for t in at[story.CAROL]] == ["Wed 19:00"]  # Thursday 08:00 there
    assert [f"{t:%a %H:%M}" for t in at[story.BOB]] == ["Wed 16:00"]  # Wednesday 08:00 there


def test_slack_does_not_say_who_they_are(tuesday: Stage) -> None:
    """It is asked again, and nobody is written to before it has said."""
    tuesday.slack.fail("users.info", error="internal_error", times=40)
    tuesday.slack.fail("usergroups.users.list", error="internal_error", times=10)
    until(tuesday, TUESDAY + DAY + HOUR, timedelta(minutes=30))
    tuesday.slack.faults.clear()
    until(tuesday, TUESDAY + DAY + 3 * HOUR, timedelta(minutes=30))
    assert len(told(tuesday, story.CAROL)) == len(told(tuesday, story.BOB)) == 1


@pytest.mark.parametrize("back", [timedelta(minutes=40), 3 * HOUR, DAY])
def test_the_server_s_clock_is_moved_back(tuesday: Stage, back: timedelta) -> None:
    """What was said is not said again; the next day all goes on."""
    until(tuesday, TUESDAY + DAY + HOUR)
    tuesday.now -= back
    tuesday.restart()
    until(tuesday, TUESDAY + 2 * DAY - HOUR)
    assert days(tuesday, story.CAROL) == ["Wed 10"]
    until(tuesday, TUESDAY + 2 * DAY + 2 * HOUR)
    assert days(tuesday, story.CAROL) == ["Wed 10", "Thu 10"]


def test_a_clock_that_ran_ahead_for_a_moment(tuesday: Stage) -> None:
    """Everything that was put off by it is found to be due again."""
    tuesday.now += 400 * DAY
    with tuesday.store.transaction():  # what it did to the ticket itself is another story
        tuesday.store.reminders.round(tuesday.now, tuesday.now + HOUR, {story.CAROL: tuesday.now + DAY})
    tuesday.now = TUESDAY + HOUR
    until(tuesday, TUESDAY + DAY)
    assert days(tuesday, story.CAROL) == ["Wed 10"]


def test_a_kill_at_any_moment_says_it_once(tuesday: Stage) -> None:
    """Nothing is lost and nothing said twice; the day after it goes on."""
    until(tuesday, TUESDAY + DAY - HOUR)
    snapshot = _Snapshot(tuesday)
    n, total = 1, 0
    while not total:
        snapshot.again(n)
        tuesday.now = TUESDAY + DAY
        points = Points(n)
        try:
            with worlds(points):
                tuesday.begin()
                beats(tuesday)
        except Died:
            tuesday.restart()
        else:
            total, points.at = points.count, None
        until(tuesday, TUESDAY + DAY + 4 * HOUR, 2 * HOUR)
        for user in (story.CAROL, story.BOB):
            assert len(told(tuesday, user)) == 1, (n, points.trace[-1])
        n += 1
    assert total > 10


class _Snapshot:
    """The database and Slack's messages as they are now, to begin from again and again."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._messages = copy.deepcopy(stage.slack.state.messages)
        stage.end()
        self._kept = stage.path.with_name("kept.db")
        shutil.copy(stage.path, self._kept)
        stage.begin()

    def again(self, n: int) -> None:
        """Put everything back; the bot is not begun."""
        stage = self._stage
        stage.end()
        stage.path = stage.path.with_name(f"again{n}.db")
        shutil.copy(self._kept, stage.path)
        stage.slack.state.messages.clear()
        stage.slack.state.messages.update(copy.deepcopy(self._messages))


def test_many_approvers_within_slack_s_limits(writing: Stage) -> None:
    """Each hears it once; no minute has more than 100 questions about people, and groups are asked a few times."""
    stage = writing
    for user in MANY:
        stage.slack.add_user(user, user.lower())
    stage.slack.state.groups[story.APPROVERS]["users"] = MANY
    stage.now = TUESDAY
    stage.ticket()
    stage.now = TUESDAY + DAY
    stage.slack.state.calls.clear()
    asked: list[datetime] = []
    assert stage.bot
    for n in range(len(MANY) + 10):
        stage.bot.intake.beat()
        asked += [stage.now] * (stage.slack.methods().count("users.info") - len(asked))
        stage.now += SPREAD
        if n % 20 == 0:
            stage.bot.deliver.beat()
    stage.bot.deliver.beat()
    assert {len(stage.slack.dms(user)) for user in MANY} == {1}
    for n, at in enumerate(asked):
        assert sum(at <= other < at + timedelta(minutes=1) for other in asked[n : n + 120]) <= 100
    assert stage.slack.methods().count("usergroups.users.list") <= 3
    assert stage.slack.methods().count("chat.getPermalink") == 1
