"""Sweeps through the real dispatcher, the real batch function and SQLite: every entity ends as read or as named."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from advisor.core.estate import SweepState
from advisor.core.model import Account, Entity, Granularity, Kind
from advisor.edges.store.rows import moment
from tests.sandbox import world as story
from tests.scenarios.stage import Died, Points, Stage, words, worlds

A, S = story.ALICE, story.SECURITY
ALL = f"prod={story.PROD},dev={story.DEV},data={story.DATA}"
GENERATE = "GenerateServiceLastAccessedDetails"


def generated(stage: Stage, since: int = 0) -> Counter[str]:
    """How often a report of each entity was begun."""
    return Counter(
        c.params["Arn"] for c in stage.aws.calls[since:] if c.operation == GENERATE and c.status == 200
    )


def entities(stage: Stage, *accounts: str) -> set[str]:
    """Everything that a sweep is to read, by what AWS itself has."""
    found = set()
    for account in accounts:
        backend = stage.aws.backend(account)
        found |= {r.arn for r in backend.roles.values()} | {u.arn for u in backend.users.values()}
        found |= {g.arn for g in backend.groups.values()}
        found |= {p.arn for p in backend.managed_policies.values() if ":aws:policy/" not in p.arn}
    return found


def swept(stage: Stage) -> Counter[str]:
    """What the newest sweep has settled, by state."""
    rows = stage.rows(
        "SELECT w.state, count(*) AS n FROM sweep_entity w WHERE w.sweep_id = (SELECT max(id) FROM sweep) GROUP BY 1"
    )
    return Counter({r["state"]: r["n"] for r in rows})


def state_of(card: dict[str, Any]) -> str:
    return str(card["metadata"]["event_payload"]["state"])


def test_all_accounts_are_read_to_the_last_entity(stage: Stage) -> None:
    """One card; every role, user, group and customer managed policy has a stored report; two calls an entity."""
    stage.restart(accounts=f"prod={story.PROD},dev={story.DEV}")
    before = len(stage.aws.calls)
    stage.say("sweep account=all")
    card = stage.card()
    wanted = entities(stage, story.PROD, story.DEV)
    assert state_of(card) == "done", words(card)
    assert swept(stage) == {"done": len(wanted)}
    assert set(generated(stage, before)) == wanted
    assert set(generated(stage, before).values()) == {1}
    assert f"of {len(wanted)} entities have services that could go" in words(card)
    assert "2 accounts: prod, dev" in words(card)
    assert len([m for m in stage.cards() if m["metadata"]["event_type"] == "iam_audit.sweep"]) == 1
    calls = Counter(c.operation for c in stage.aws.calls[before:])
    assert "ListPoliciesGrantingServiceAccess" not in calls
    assert "GetRole" not in calls


def test_what_it_stores_is_what_an_audit_stores(stage: Stage) -> None:
    """The same services, uses, grants and verdicts, role by role."""
    stage.say("sweep")
    store = stage.store
    for name in ("DBAdminRole", "TestRole-DeleteLater", "OrgAdmin", "report-writer"):
        entity = next(e for e in store.entities.search(name, [story.PROD]) if e.name == name)
        swept_report = store.reports.newest(entity.id, Granularity.SERVICE)
        assert swept_report
        shot = store.entities.newest_snapshot(entity.id)
        stage.say(f"role {name} account=prod fresh")
        audited = store.reports.newest(entity.id, Granularity.SERVICE)
        assert audited and audited.id != swept_report.id

        def told(report: Any) -> list[Any]:
            return [
                (s.namespace, s.last_at, s.last_by, s.region, s.entities, s.grants) for s in report.services
            ]

        assert told(audited) == told(swept_report), name
        now = store.entities.newest_snapshot(entity.id)
        assert shot and now
        assert (now.policies, now.tags, now.groups, now.description) == (
            shot.policies,
            shot.tags,
            shot.groups,
            shot.description,
        )
        swept_score, audited_score = (
            store.scores.of_report(swept_report.id),
            store.scores.of_report(audited.id),
        )
        assert swept_score and audited_score
        assert (swept_score.could_go, swept_score.risk) == (audited_score.could_go, audited_score.risk)


def test_an_account_that_shuts_the_bot_out_is_named(stage: Stage) -> None:
    """The others are read; of that one nothing is known, and the card says so."""
    stage.restart(accounts=ALL)
    stage.say("sweep account=all")
    card = stage.card()
    assert state_of(card) == "partial"
    assert "data (333333333333), nobody is listed:  AWS refused to let the bot in" in words(card)
    assert swept(stage) == {"done": len(entities(stage, story.PROD, story.DEV))}


def test_no_account_at_all_is_a_failure(stage: Stage) -> None:
    stage.restart(accounts=f"data={story.DATA}")
    stage.say("sweep account=data")
    card = stage.card()
    assert state_of(card) == "failed"
    assert "Nothing is known either way, and nothing was changed." in words(card)
    assert "/iam-audit sweep account=data" in words(card)


@pytest.mark.parametrize(("times", "state"), [(2, "done"), (None, "partial")], ids=["at first", "for good"])
def test_reports_that_aws_ends_as_failed(stage: Stage, times: int | None, state: str) -> None:
    """They are begun again; what never ends well is named, with why."""
    arn = stage.world.arn("role", "DBAdminRole")
    stage.aws.knobs.failing[arn] = times if times is not None else 99
    stage.say("sweep")
    assert state_of(stage.card()) == state
    if state == "partial":
        assert swept(stage)["failed"] == 1
        assert "1 entity:  DBAdminRole (AWS ended the report as failed)" in words(stage.card())


def test_an_entity_that_is_deleted_meanwhile(stage: Stage) -> None:
    """It is gone, which is no failure; nobody else is lost."""
    arn = stage.world.arn("role", "TestRole-DeleteLater")
    stage.aws.fail(GENERATE, error="NoSuchEntity", arn=arn, times=None)
    stage.say("sweep")
    assert state_of(stage.card()) == "done"
    assert swept(stage)["gone"] == 1
    assert "1 entity was deleted meanwhile" in words(stage.card())


def test_the_rate_is_limited_for_a_while(stage: Stage) -> None:
    """Refused calls are made again, and nothing is lost."""
    stage.aws.fail(GENERATE, error="Throttling", skip=30, times=2)
    stage.aws.fail("GetServiceLastAccessedDetails", error="Throttling", skip=35, times=1)
    stage.aws.fail("GetAccountAuthorizationDetails", error="Throttling", times=1)
    stage.say("sweep")
    assert state_of(stage.card()) == "done"
    assert swept(stage) == {"done": len(entities(stage, story.PROD))}


def test_credentials_that_end_in_the_middle(stage: Stage) -> None:
    """The rest is read by the next session."""
    stage.restart(accounts=f"dev={story.DEV}")
    seen = {"n": 0}

    def hook(operation: str, phase: str) -> None:
        if operation == "GetServiceLastAccessedDetails" and phase == "before":
            seen["n"] += 1
            if seen["n"] == 2:
                stage.aws.expire_sessions()

    stage.aws.hook = hook
    stage.say("sweep account=dev")
    stage.aws.hook = None
    assert state_of(stage.card()) == "done", words(stage.card())
    assert swept(stage) == {"done": len(entities(stage, story.DEV))}


def test_young_reports_come_from_the_store(stage: Stage) -> None:
    """What an audit has just told is not asked for again; nor is anything by a second sweep."""
    stage.say("role DBAdminRole account=prod")
    since = len(stage.aws.calls)
    stage.say("sweep")
    assert stage.world.arn("role", "DBAdminRole") not in generated(stage, since)
    since = len(stage.aws.calls)
    stage.say("sweep")
    assert not generated(stage, since)
    assert state_of(stage.card()) == "done"
    stage.now += timedelta(hours=5)
    stage.say("sweep")
    assert len(generated(stage, since)) == len(entities(stage, story.PROD))


def test_two_sweeps_at_once_are_one(stage: Stage) -> None:
    """Asked twice before the first has moved: the second is told so, privately, and AWS is asked once."""
    since = len(stage.aws.calls)
    assert stage.slack.command(A, S, "sweep").ok
    assert stage.slack.command(story.BOB, S, "sweep").ok
    stage.settle()
    assert set(generated(stage, since).values()) == {1}
    assert len([m for m in stage.cards() if m["metadata"]["event_type"] == "iam_audit.sweep"]) == 1
    (told,) = stage.slack.ephemerals(story.BOB)
    assert "is under way in this channel already" in words(told)


def test_a_person_who_may_not_audit_starts_nothing(stage: Stage) -> None:
    since = len(stage.aws.calls)
    stage.say("sweep", user=story.GUEST)
    assert not generated(stage, since)
    assert len(stage.slack.ephemerals(story.GUEST)) == 1
    assert not stage.cards()


def test_stop(stage: Stage) -> None:
    """What was read stays; what was not is counted as not known. A guest's press stops nothing."""
    stage.restart(accounts=ALL)
    assert stage.slack.command(A, S, "sweep account=all").ok
    for _ in range(3):
        stage.beat()
    ts = stage.card()["ts"]
    assert stage.slack.click(story.GUEST, S, "sweep.cancel", ts=ts).ok
    stage.bot and stage.bot.intake.beat()
    assert stage.rows("SELECT stop_by FROM sweep")[0]["stop_by"] == ""
    running = stage.rows("SELECT state FROM sweep")[0]["state"]
    if running in {"queued", "running"}:
        assert stage.slack.click(story.BOB, S, "sweep.cancel", ts=ts).ok
        stage.settle()
        card = stage.card()
        assert state_of(card) == "cancelled"
        assert "nothing is known" in words(card) or "nobody was listed" in words(card)


def test_a_stop_too_late_says_so(stage: Stage) -> None:
    """The card still shows Stop, because it was not redrawn yet."""
    assert stage.slack.command(A, S, "sweep").ok
    stage.beat()
    stage.beat()
    ts = stage.card()["ts"]
    assert stage.bot
    while not stage.rows("SELECT 1 FROM sweep WHERE state = 'done'"):
        stage.bot.intake.beat()
    assert stage.slack.click(A, S, "sweep.cancel", ts=ts).ok
    stage.settle()
    assert "has ended already" in words(stage.slack.ephemerals(A)[-1])
    assert state_of(stage.card()) == "done"


def test_export_has_every_row(stage: Stage) -> None:
    """CSV and JSON say the same; every entity is in them, and each unread one as not read."""
    stage.restart(accounts=ALL)
    stage.say("sweep account=all")
    stage.press("sweep.export")
    files = [f for m in stage.thread() for f in m.get("files") or []]
    contents = {f["name"].rpartition(".")[2]: stage.slack.state.files[f["id"]]["content"] for f in files}
    table = list(csv.DictReader(io.StringIO(contents["csv"].decode("utf-8-sig"))))
    assert table == json.loads(contents["json"])
    arns = {r["entity_arn"] for r in table if r["entity_arn"]}
    granted = {
        r["arn"]
        for r in stage.rows(
            "SELECT e.arn FROM score s JOIN entity e ON e.id = s.entity_id WHERE s.granted > 0"
        )
    }
    assert granted <= arns
    (unread,) = [r for r in table if r["usage"] == "not_read"]
    assert unread["account"] == story.DATA and "refused to let the bot in" in unread["reason"]
    assert any("rows of" in words(m) for m in stage.thread())


def test_an_audit_and_a_ticket_from_its_selects(stage: Stage) -> None:
    """The picked entity is audited in a card of its own, from the store; a ticket is opened without one."""
    stage.say("sweep")
    card = stage.card()
    block = next(b for b in card["blocks"] if b["type"] == "actions")
    found = stage.slack.suggest(
        A, S, "sweep.audit", "DBAdmin", ts=card["ts"], block_id=block["block_id"]
    ).body
    option = found["options"][0]
    assert option["text"]["text"] == "DBAdminRole" and "could go" in option["description"]["text"]
    since = len(stage.aws.calls)
    stage.press("sweep.audit", ts=card["ts"], option=option)
    assert "DBAdminRole: 2 of 25 services used in 90 days" in words(stage.card())
    assert not generated(stage, since)
    view = stage.press("sweep.ticket", ts=card["ts"], option=option) and stage.slack.view(A)
    assert view and view["callback_id"] == "ticket.new" and view.get("submit")
    stage.send_form(reason={"value": "clean-up"})
    assert stage.card()["metadata"]["event_type"] == "iam_audit.ticket"


def test_after_any_death_a_sweep_goes_on_where_it_was(stage: Stage) -> None:
    """Dead at the n-th moment, n = 1, 2, 3 …: every entity is read, and none that was stored is asked for again."""
    at, wanted = 1, entities(stage, story.DEV)
    while True:
        stage.restart(accounts=f"dev={story.DEV}", iam_audit_cache_hours=0)
        since, points = len(stage.aws.calls), Points(at)
        stored: set[str] = set()
        try:
            with worlds(points):
                stage.restart()
                stage.say("sweep account=dev")
        except Died:
            stage.end()
            stage.begin()
            sql = "SELECT e.arn FROM sweep_entity w JOIN entity e ON e.id = w.entity_id WHERE w.state = 'done' AND w.sweep_id = (SELECT max(id) FROM sweep)"
            stored = {r["arn"] for r in stage.rows(sql)}
            again = len(stage.aws.calls)
            asked = stage.rows("SELECT count(*) AS n FROM sweep")[0]["n"]
            stage.settle()
            assert not stored & set(generated(stage, again)), points.trace[-1]
            if not asked:
                at += 1
                continue
        state = stage.rows("SELECT state FROM sweep ORDER BY id DESC LIMIT 1")[0]["state"]
        assert state == "done", (points.trace[-1], state)
        assert set(swept(stage)) == {"done"} and swept(stage)["done"] == len(wanted), points.trace[-1]
        assert len(stage.rows("SELECT 1 FROM score WHERE newest = 1")) == len(wanted)
        if points.count < at:
            return
        at += 7  # every seventh moment here; `make sweep` has them all
        assert since <= len(stage.aws.calls)


# -- scheduled ---------------------------------------------------------------------------------------------------------


def test_a_weekly_sweep_comes_in_its_makers_zone(stage: Stage) -> None:
    """Answered privately with the zone; due once, with a card that says who scheduled it; down at that time: once, late."""
    stage.say("sweep weekly sun 02:00")
    told = words(stage.slack.ephemerals(A)[-1])
    assert "The sweep is scheduled : Sundays 02:00 (Europe/Stockholm), the bot’s own account" in told
    assert not stage.cards()
    (due,) = [r["due_at"] for r in stage.rows("SELECT due_at FROM schedule WHERE what = 'sweep'")]
    stage.now = moment(due) + timedelta(seconds=1)
    stage.settle()
    assert "Scheduled by" in words(stage.card()) and state_of(stage.card()) == "done"
    stage.end()
    stage.now += timedelta(days=22)
    stage.begin()
    stage.settle()
    assert len(stage.rows("SELECT 1 FROM sweep")) == 2
    stage.now -= timedelta(days=10)
    stage.settle()
    assert len(stage.rows("SELECT 1 FROM sweep")) == 2


def test_who_may_schedule_and_end_a_sweep(stage: Stage) -> None:
    """Members of the channel who may audit; its maker and admins end it; of several it is asked which."""
    stage.restart(iam_audit_admins=(story.ERIN,))
    stage.say("sweep weekly sun 02:00", user=story.GUEST)
    assert not stage.rows("SELECT 1 FROM schedule")
    stage.say("sweep weekly sun 02:00 account=nowhere")
    assert "There is no account “nowhere”" in words(stage.slack.ephemerals(A)[-1])
    stage.say("sweep weekly sun 02:00 account=prod")
    stage.say("sweep off", user=story.BOB)
    assert "no scheduled sweep of yours" in words(stage.slack.ephemerals(story.BOB)[-1])
    stage.say("sweep off")
    assert "has ended" in words(stage.slack.ephemerals(A)[-1])
    assert not stage.rows("SELECT 1 FROM schedule WHERE ended_at IS NULL")
    stage.say("sweep weekly sun 02:00")
    stage.say("sweep weekly mon 03:00 account=all")
    stage.say("sweep off")
    asked = stage.slack.ephemerals(A)[-1]
    assert "Which sweep is to end?" in words(asked)
    block = [b for b in asked["blocks"] if b["type"] == "actions"][-1]
    stage.press("sweep.off", ts=asked["ts"])
    (left,) = stage.rows("SELECT day FROM schedule WHERE ended_at IS NULL")
    assert left["day"] in {"sun", "mon"} and block
    stage.say("sweep off", user=story.ERIN)
    assert not stage.rows("SELECT 1 FROM schedule WHERE ended_at IS NULL")


# -- what must end, and what must not be lost ---------------------------------------------------------------------------


def test_an_account_that_fails_for_good_after_its_listing(stage: Stage) -> None:
    """It is tried some times and then named; the sweep ends."""
    stage.restart(accounts=f"dev={story.DEV}")
    stage.aws.fail("AssumeRole", error="InternalFailure", skip=1, times=None)
    stage.say("sweep account=dev")
    assert state_of(stage.card()) == "failed", words(stage.card())
    assert "AWS gave no answer to sts:AssumeRole" in words(stage.card())


def test_two_listings_at_once_take_nobody_away(stage: Stage) -> None:
    """One that began earlier ends later: what both saw is there; only who neither saw is gone."""
    store, base = stage.store, stage.now
    made = [
        Entity(story.PROD, Kind.ROLE, f"r{n}", f"arn:aws:iam::{story.PROD}:role/r{n}", f"AROA{n}")
        for n in range(3)
    ]
    store.entities.listed(story.PROD, made, base)
    store.entities.listed(story.PROD, made[:2], base + timedelta(seconds=9))
    store.entities.listed(story.PROD, made[:2], base + timedelta(seconds=5))
    there = {
        r["name"] for r in stage.rows("SELECT name FROM entity WHERE gone_at IS NULL AND name LIKE 'r_'")
    }
    assert there == {"r0", "r1"}


def test_old_sweeps_lose_their_rows(stage: Stage) -> None:
    """All of them, a few at a time."""
    stage.say("sweep")
    store = stage.store
    (row,) = stage.rows("SELECT entity_id, snapshot_id FROM sweep_entity LIMIT 1")
    for _ in range(12):
        sweep_id = store.sweeps.add(A, S, "", stage.now)
        store.sweeps.admit(sweep_id, [Account(story.PROD)], stage.now)
        store.sweeps.expect(sweep_id, story.PROD, [(row["entity_id"], row["snapshot_id"])])
        store.sweeps.end(sweep_id, SweepState.DONE, stage.now)
    for _ in range(3):
        store.sweeps.forget(stage.now + timedelta(days=1))
    assert not stage.rows("SELECT 1 FROM sweep_entity")


def test_a_keep_between_two_sweeps_counts(stage: Stage) -> None:
    """The second sweep asks again for what somebody keeps since."""
    stage.say("sweep")
    entity = next(
        e for e in stage.store.entities.search("DBAdminRole", [story.PROD]) if e.name == "DBAdminRole"
    )
    stage.now += timedelta(minutes=5)
    stage.store.keeps.add(entity.id, "", A, stage.now + timedelta(days=30), "because", stage.now)
    stage.now += timedelta(minutes=5)
    since = len(stage.aws.calls)
    stage.say("sweep")
    assert set(generated(stage, since)) == {entity.arn}
    report = stage.store.reports.newest(entity.id, Granularity.SERVICE)
    score = report and stage.store.scores.of_report(report.id)
    assert score and score.could_go == 0
