"""What people do with a digest: its buttons, menus and forms, who may, and what holds when something dies or moves."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.digesting import NINE, digests, entity, flat, go, postings, read, silent, swept, weekly
from tests.scenarios.pressing import heard, last_told, said_in_log, state, told
from tests.scenarios.stage import Died, Json, Points, Stage, worlds

FRANK = "U0FRANK0001"


@pytest.fixture
def monday(stage: Stage) -> Stage:
    """A weekly digest of alice's is posted: three clean-ups."""
    stage.now = NINE - timedelta(days=2)
    stage.restart(iam_audit_approvers=f"{story.APPROVERS},{story.BOB}", iam_audit_admins=story.ERIN)
    return posted(stage)


def posted(stage: Stage) -> Stage:
    weekly(stage)
    stage.now = NINE - timedelta(hours=1)
    swept(stage)
    for n, name in enumerate(("etl", "ci", "web")):
        read(stage, entity(stage, name), {"s3": 3, "kms": None, "sns": None}, risk=90 - n)
    go(stage, NINE)
    return stage


def row(stage: Stage, name: str) -> int:
    return int(stage.rows(f"SELECT id FROM entity WHERE name = '{name}'")[0]["id"])


def press(stage: Stage, action: str, user: str = story.ALICE, option: Any = None, block: str = "") -> None:
    ts = digests(stage)[-1]["ts"]
    reply = stage.slack.click(user, story.SECURITY, action, ts=ts, option=option, block_id=block)
    assert reply.ok
    stage.settle()


def option(stage: Stage, action: str, name: str) -> Json:
    """An option of a menu of the card."""
    for block in digests(stage)[-1]["blocks"]:
        for element in block.get("elements", []):
            if element.get("action_id") == action:
                return next(o for o in element["options"] if o["text"]["text"] == name)
    raise AssertionError(action)


def standing(stage: Stage) -> int:
    return len(stage.rows("SELECT 1 FROM schedule WHERE ended_at IS NULL"))


# -- the schedule --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "may"), [(story.ALICE, True), (story.ERIN, True), (story.BOB, False), (story.GUEST, False)]
)
def test_who_may_turn_it_off(monday: Stage, user: str, may: bool) -> None:
    """Its maker and admins; the others hear who may, and it is in the log."""
    press(monday, "digest.off", user)
    assert standing(monday) == (0 if may else 1)
    if may:
        assert "is off" in last_told(monday, user)
        assert "digest.off" not in str(digests(monday)[-1])
        go(monday, NINE + timedelta(days=8))
        assert len(postings(monday)) == 1
        press_old(monday, "digest.off", 1, user)
        assert "turned off before" in last_told(monday, user)
    else:
        assert "digest.off.refused" in said_in_log(monday)


def press_old(stage: Stage, action: str, value: int | str, user: str, block: str = "b") -> None:
    """A button of a card that is drawn anew since."""
    slack = stage.slack
    payload = {
        "type": "block_actions", "user": slack._person(user), "team": {"id": slack.team_id, "domain": "x"},
        "api_app_id": "A0SANDBOX", "token": "t", "trigger_id": slack.trigger(user),
        "container": {"type": "message", "message_ts": "1.0", "channel_id": story.SECURITY},
        "channel": {"id": story.SECURITY, "name": "x"}, "message": {"ts": "1.0", "blocks": []},
        "actions": [{"action_id": action, "block_id": block, "type": "button", "action_ts": slack.next_ts(), "value": str(value)}],
    }  # fmt: skip
    assert slack.deliver("interactive", payload).ok
    stage.settle()


@pytest.mark.parametrize("value", ["", "0", "999", "²", "9" * 30, "x"])
@pytest.mark.parametrize(
    "action",
    ["audit", "ticket", "tickets", "keep", "approve", "edit", "off"],
)
def test_a_button_that_names_nothing(monday: Stage, action: str, value: str) -> None:
    """It is answered, and does nothing."""
    before = heard(monday, story.ALICE)
    press_old(monday, f"digest.{action}", value, story.ALICE, block=f"digest:{value}:{value}")
    assert heard(monday, story.ALICE) == before + 1
    assert standing(monday) == 1


def test_off_by_words(monday: Stage) -> None:
    """The only one of yours in the channel; of several it is asked which."""
    monday.say("digest off", user=story.BOB)
    assert "no digest of yours" in last_told(monday, story.BOB)
    weekly(monday, "daily 07:00")
    monday.say("digest off")
    assert "Which digest?" in last_told(monday, story.ALICE)
    monday.slack.click(story.ALICE, story.SECURITY, "digest.off")
    monday.settle()
    assert standing(monday) == 1
    monday.say("digest off")
    assert standing(monday) == 0


def test_the_list(monday: Stage) -> None:
    """Those of the channel, and one's own of others."""
    weekly(monday, "monthly last 07:30", channel=story.PLATFORM)
    monday.say("digest list")
    heard_ = last_told(monday, story.ALICE)
    assert "2 digests are scheduled" in heard_
    assert "the last day of each month 07:30 (Europe/Stockholm)" in heard_
    monday.say("digest list", user=story.BOB)
    assert "1 digest is scheduled" in last_told(monday, story.BOB)
    monday.say("digest list", user=story.GUEST)
    assert "Guests may not" in last_told(monday, story.GUEST)


def send(stage: Stage, user: str = story.ALICE, **values: Json) -> Json | None:
    reply = stage.slack.submit(user, values)
    assert reply.ok
    stage.settle()
    return reply.body


def test_the_form(stage: Stage) -> None:
    """Everything that can be said in it is kept; what is wrong is said in it."""
    stage.now = NINE - timedelta(days=2)
    stage.restart(accounts=story.ACCOUNTS)
    stage.say("digest")
    view = stage.slack.view(story.ALICE)
    assert view and "In your time zone, Europe/Stockholm." in str(view)
    body = send(
        stage,
        channel={"selected_conversation": story.SECURITY},
        tag={"value": "team"},
    )
    assert body and body["errors"] == {"tag": "A key and a value, such as team=payments."}
    send(
        stage,
        channel={"selected_conversation": story.SECURITY},
        every={"selected_option": {"value": "monthly:last"}},
        time={"selected_time": "07:30"},
        accounts={"selected_options": [{"value": story.DEV}]},
        tag={"value": "team=pay"},
        severity={"selected_option": {"value": "high"}},
        mention={"selected_users": [story.BOB, "EVIL<!channel>"]},
        quiet={"selected_options": [{"value": "quiet"}]},
    )
    (found,) = stage.store.schedules.standing("digest")
    assert (found.channel, found.rhythm.day, found.rhythm.at) == (story.SECURITY, "last", "07:30")
    assert (found.accounts, found.tag, found.severity) == ((story.DEV,), "team=pay", "high")
    assert (found.mention, found.quiet, found.rhythm.zone) == ((story.BOB,), True, "Europe/Stockholm")
    stage.say("digest edit")
    view = stage.slack.view(story.ALICE)
    assert view and view["private_metadata"] == str(found.id)
    send(stage, tag={"value": ""}, every={"selected_option": {"value": "daily"}})
    (again,) = stage.store.schedules.standing("digest")
    assert (again.tag, again.rhythm.cadence, again.mention) == ("", "daily", (story.BOB,))
    assert "The digest is changed" in last_told(stage, story.ALICE)


def test_who_may_change_it(monday: Stage) -> None:
    """The form says who may; an old form that is sent by somebody else changes nothing."""
    press(monday, "digest.edit", story.BOB)
    view = monday.slack.view(story.BOB)
    assert view and "submit" not in view and "set up by somebody else" in str(view)
    press(monday, "digest.edit", story.ERIN)
    view = monday.slack.view(story.ERIN)
    assert view and view["submit"]
    monday.slack.state.open_views[story.BOB] = monday.slack.state.open_views[story.ERIN]
    send(monday, story.BOB, time={"selected_time": "11:00"})
    assert monday.store.schedules.standing("digest")[0].rhythm.at == "09:00"
    weekly(monday, "daily 07:00")
    monday.say("digest edit")
    view = monday.slack.view(story.ALICE)
    assert view and str(view).count("'digest.edit'") == 2
    monday.slack.click(story.ALICE, view["id"], "digest.edit")
    monday.settle()
    view = monday.slack.view(story.ALICE)
    assert view and view["private_metadata"] == "1" and view["submit"]


# -- clean-ups -----------------------------------------------------------------------------------------------------


def test_the_audit_of_one(monday: Stage) -> None:
    """A picked entity is audited as if its name had been typed."""
    press(monday, "digest.audit", option=option(monday, "digest.audit", "ci"))
    request = monday.rows("SELECT * FROM request")[0]
    assert (request["name"], request["account"], request["user"]) == ("ci", story.PROD, story.ALICE)


def test_a_ticket_from_a_digest(writing: Stage, aws: Aws) -> None:
    """The form of a ticket, a card of its own, an approval by another, and AWS has what the card said."""
    stage = writing
    real(stage)
    press(stage, "digest.ticket")
    view = stage.slack.view(story.ALICE)
    assert view and view["callback_id"] == "ticket.new" and view["submit"], view
    assert stage.send_form(reason={"value": "clean-up"}).ok
    assert state(stage) == "open"
    stage.press("ticket.approve", user=story.CAROL)
    assert state(stage) == "applied"


def real(stage: Stage, *names: str) -> Stage:
    """A digest over entities of the story that were really audited."""
    for name in names or ("DBAdminRole",):
        stage.say(f"role {name}")
    rows = stage.rows(
        "SELECT r.id, r.entity_id, e.account, r.created_at FROM report r JOIN entity e ON e.id = r.entity_id"
    )
    from advisor.core.estate import Score
    from advisor.edges.store.rows import moment

    scores = [
        (r["account"], Score(r["id"], r["entity_id"], moment(r["created_at"]), 25, 2, 3, 0, 20, risk=50))
        for r in rows
    ]
    stage.store.scores.save(scores)
    swept(stage)
    stage.say("digest daily 09:00")
    stage.say("digest now")
    return stage


def test_several_at_once(writing: Stage) -> None:
    """Each is its own ticket with its own card; one card lists them."""
    stage = real(writing, "DBAdminRole", "TestRole-DeleteLater")
    press(stage, "digest.tickets")
    body = send(stage, reason={"value": ""})
    assert body and "reason" in body["errors"]
    assert not send(stage, reason={"value": "spring"})
    found = stage.rows("SELECT * FROM ticket ORDER BY id")
    assert len(found) == 2
    listed = flat(stage.cards()[-1])
    opened = [t["id"] for t in found if t["state"] == "open"]
    assert opened
    assert f"{len(opened)} ticket" in listed and "opened together" in listed
    for number in opened:
        assert f"Ticket {number}: takes" in listed
    kinds = [(c.get("metadata") or {}).get("event_type") for c in stage.cards()]
    assert kinds.count("iam_audit.ticket") == len(opened)
    assert all(t["reason"] == "spring" and t["requesters"] == f'["{story.ALICE}"]' for t in found)


def test_several_are_judged_before_anything_is_written(writing: Stage) -> None:
    """No other writer waits for ten reports to be judged, or for AWS: a fresh start has to ask who it is."""
    stage = real(writing, "DBAdminRole", "TestRole-DeleteLater")
    press(stage, "digest.tickets")
    assert stage.slack.submit(story.ALICE, {"reason": {"value": "spring"}}).ok
    stage.restart()
    connection, asked = stage.store._db, []

    def watched_(operation: str, phase: str) -> None:
        asked.append((operation, bool(connection._owner)))

    stage.aws.hook = watched_  # type: ignore[assignment]
    stage.settle()
    stage.aws.hook = None
    assert stage.rows("SELECT count(*) AS n FROM ticket")[0]["n"] == 2
    assert "GetCallerIdentity" in {operation for operation, _ in asked}
    assert not [operation for operation, inside in asked if inside]


@pytest.mark.parametrize("user", [story.GUEST, story.GONE])
def test_who_may_not_open_several(monday: Stage, user: str) -> None:
    """The form becomes the refusal, and an old one that is sent opens nothing."""
    press(monday, "digest.tickets", story.ALICE)
    monday.slack.state.open_views[user] = monday.slack.state.open_views[story.ALICE]
    send(monday, user, reason={"value": "x"})
    assert not monday.rows("SELECT 1 FROM ticket")
    press(monday, "digest.tickets", user)
    view = monday.slack.view(user)
    assert view and "submit" not in view


@pytest.mark.parametrize(("user", "may"), [(story.CAROL, True), (story.BOB, True), (story.ALICE, False)])
def test_a_keep_from_a_digest(monday: Stage, user: str, may: bool) -> None:
    """Owners and approvers; afterwards no digest proposes what is kept whole."""
    press(monday, "digest.keep", user, option=option(monday, "digest.keep", "etl"))
    view = monday.slack.view(user)
    assert view
    if not may:
        assert "submit" not in view and "Its owner and approvers may" in str(view)
        return
    body = send(monday, user, reason={"value": ""})
    assert body and "reason" in body["errors"]
    body = send(monday, user, reason={"value": "x"}, until={"selected_date": "2020-01-01"})
    assert body and "until" in body["errors"]
    assert not send(monday, user, reason={"value": "<!channel> needed in spring"})
    (keep,) = monday.store.keeps.standing(monday.now)
    assert (keep.entity_id, keep.service, keep.user) == (row(monday, "etl"), "", user)
    assert "Kept: everything" in last_told(monday, user)
    monday.now += timedelta(seconds=1)
    monday.say("digest now")
    assert "etl (role" not in flat(digests(monday)[-1])


def test_a_keep_closes_the_ticket_that_would_take_it(writing: Stage) -> None:
    """As on the ticket's own card: superseded, and a new one without."""
    stage = real(writing)
    stage.ticket()
    stage.now += timedelta(seconds=1)
    stage.say("digest now")
    entity_id = row(stage, "DBAdminRole")
    press_old(stage, "digest.keep", entity_id, story.BOB)
    send(stage, story.BOB, reason={"value": "needed"}, services={"selected_options": [{"value": "s:kms"}]})
    states = [r["state"] for r in stage.rows("SELECT state FROM ticket ORDER BY id")]
    assert states == ["superseded", "open"], told(stage, story.BOB)
    assert stage.store.keeps.standing(stage.now)[0].service == "kms"


# -- approve -------------------------------------------------------------------------------------------------------


def small(stage: Stage) -> tuple[int, Json]:
    """A ticket of one document and two services, on a digest."""
    stage.restart(iam_audit_min_age_days=0)
    iam = stage.aws.client("iam", story.PROD)
    trust = {"Version": "2012-10-17", "Statement": []}
    arn = iam.create_role(RoleName="tiny", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    text = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:*", "sqs:*", "sns:*"], "Resource": "*"}],
    }
    iam.put_role_policy(RoleName="tiny", PolicyName="mail", PolicyDocument=json.dumps(text))
    stage.aws.use(story.PROD, arn, "s3", stage.now - timedelta(days=2))
    stage.say("role tiny")
    stage.open_form()
    assert stage.send_form(reason={"value": "small"}).ok
    ticket = int(stage.rows("SELECT max(id) AS id FROM ticket")[0]["id"])
    swept(stage)
    stage.say("digest daily 09:00")
    stage.say("digest now")
    return ticket, digests(stage)[-1]


def approve_old(stage: Stage, card: Json, user: str) -> None:
    """Press Approve in a window that has not seen the card redrawn."""
    message = next(m for m in stage.slack.state.messages[story.SECURITY] if m["ts"] == card["ts"])
    message["blocks"] = card["blocks"]
    press(stage, "digest.approve", user)


def test_a_plan_that_is_shown_whole_is_approved_there(writing: Stage, aws: Aws) -> None:
    """By an approver who is not its requester; the dialog says that it is the last approval."""
    stage, before = writing, aws.state(story.PROD)
    ticket, card = small(stage)
    button = next(
        b["accessory"] for b in card["blocks"] if b.get("accessory", {}).get("action_id") == "digest.approve"
    )
    assert button["value"] == str(ticket)
    assert "the change starts at once" in button["confirm"]["text"]["text"]
    shown = flat(card)
    for service in stage.store.tickets.get(ticket).plan.services:  # type: ignore[union-attr]
        assert service in shown
    press(stage, "digest.approve", story.ALICE)
    assert state(stage) == "open" and "You may not approve ticket 1" in last_told(stage, story.ALICE)
    press(stage, "digest.approve", story.GUEST)
    assert state(stage) == "open"
    press(stage, "digest.approve", story.CAROL)
    assert state(stage) == "applied"
    assert aws.state(story.PROD) != before
    assert "digest.approve" not in str(digests(stage)[-1])
    approve_old(stage, card, story.BOB)
    assert "ticket" in last_told(stage, story.BOB).lower()


def test_what_is_not_as_it_was_shown_is_not_approved(writing: Stage) -> None:
    """Another approval since, or a plan of another fingerprint: nothing is counted."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    ticket, card = small(stage)
    stage.press("ticket.approve", user=story.BOB, ts=_card(stage, ticket))
    approve_old(stage, card, story.CAROL)
    assert "not as it was when the digest was posted" in last_told(stage, story.CAROL)
    assert len(stage.store.tickets.approvals(ticket)) == 1
    with stage.store.transaction():
        stage.store._db.run("DELETE FROM approval")
        stage.store._db.run(
            'UPDATE posting SET said = replace(said, \'"fingerprint":"\', \'"fingerprint":"0\')'
        )
    approve_old(stage, card, story.CAROL)
    assert not stage.store.tickets.approvals(ticket)


def test_a_ticket_decided_elsewhere_is_told_on_the_newest_digest(writing: Stage) -> None:
    """Its button goes and its line says how it stands; an older digest stays what it was, and so do those without it."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    ticket, old = small(stage)
    stage.now += timedelta(minutes=2)
    stage.say("digest now")
    assert "digest.approve" in str(digests(stage)[-1])
    stage.press("ticket.approve", user=story.BOB, ts=_card(stage, ticket))
    first, newest = digests(stage)[-2:]
    assert "digest.approve" not in str(newest)
    assert f"Ticket {ticket} , 2 services from tiny: 1 approval, until" in flat(newest)
    assert (first["ts"], first["blocks"]) == (old["ts"], old["blocks"])
    before = newest.get("updates", 0)
    stage.press("ticket.approve", user=story.CAROL, ts=_card(stage, ticket))
    assert state(stage) == "applied"
    newest = digests(stage)[-1]
    assert f"Ticket {ticket} , 2 services from tiny: applied since this digest" in flat(newest)
    assert newest["updates"] - before <= 3, "not once for each write"
    stage.restart(iam_audit_approvals=1)
    stage.say("role DBAdminRole")
    stage.open_form()
    assert stage.send_form(reason={"value": "another"}).ok
    updates = digests(stage)[-1]["updates"]
    other = int(stage.rows("SELECT max(id) AS id FROM ticket")[0]["id"])
    stage.press("ticket.cancel", ts=_card(stage, other))
    assert digests(stage)[-1]["updates"] == updates


def _card(stage: Stage, ticket: int) -> str:
    return str(
        stage.rows(f"SELECT n.ts FROM ticket t JOIN notice n ON n.id = t.card_id WHERE t.id = {ticket}")[0][
            "ts"
        ]
    )


def test_a_big_plan_is_linked_only(writing: Stage) -> None:
    """Several documents, or whom else it reaches, do not fit on a digest."""
    stage = real(writing)
    stage.ticket()
    stage.now += timedelta(seconds=1)
    stage.say("digest now")
    card = digests(stage)[-1]
    assert "digest.approve" not in str(card)
    assert "Ticket 1 , " in flat(card) or "Ticket 1, " in flat(card)


# -- places and people that change ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told_"),
    [
        ({"is_archived": True}, "The channel of your digest is archived"),
        ({"is_ext_shared": True}, "shared with another company now"),
        ({"members": [story.ALICE]}, "not in the channel of your digest any more"),
    ],
)
def test_the_channel_is_not_what_it_was(monday: Stage, change: Json, told_: str) -> None:
    """The digest goes to its maker, who hears why; the schedule stands, and the channel is tried again."""
    channel = monday.slack.state.channels[story.SECURITY]
    before = dict(channel)
    channel.update(change)
    monday.now = NINE + timedelta(days=7) - timedelta(hours=1)
    swept(monday)
    go(monday, NINE + timedelta(days=7))
    assert told_ in told(monday, story.ALICE)
    dm = [m for m in monday.slack.dms(story.ALICE) if m.get("metadata")]
    assert dm[-1]["metadata"]["event_type"] == "iam_audit.digest"
    assert len(digests(monday)) == 1 and standing(monday) == 1
    channel.clear()
    channel.update(before)
    monday.now = NINE + timedelta(days=14) - timedelta(hours=1)
    swept(monday)
    go(monday, NINE + timedelta(days=14))
    assert len(digests(monday)) == 2


def test_its_maker_is_gone(monday: Stage) -> None:
    """It goes on and says so; an admin may change it. With its channel gone too, it ends."""
    monday.slack.state.users[story.ALICE]["deleted"] = True
    monday.now = NINE + timedelta(days=7) - timedelta(hours=1)
    swept(monday)
    go(monday, NINE + timedelta(days=7))
    assert "Whoever set this digest up is deactivated" in flat(digests(monday)[-1])
    press(monday, "digest.edit", story.ERIN)
    view = monday.slack.view(story.ERIN)
    assert view and view["submit"]
    monday.slack.state.channels[story.SECURITY]["is_archived"] = True
    monday.now = NINE + timedelta(days=14) - timedelta(hours=1)
    swept(monday)
    go(monday, NINE + timedelta(days=14))
    assert standing(monday) == 0
    assert postings(monday)[-1][1] == "failed"


# -- dying ---------------------------------------------------------------------------------------------------------


def due_day(stage: Stage) -> None:
    """From due over collecting to posted."""
    stage.now = NINE
    stage.settle()


@pytest.mark.parametrize("runs", [8, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_kill_at_any_moment_posts_one_digest(stage: Stage, runs: int) -> None:
    """Before and after each commit and each call: one sweep, one posting, one card, one thread."""
    stage.restart(accounts=f"dev={story.DEV}")
    stage.now = NINE - timedelta(days=2)
    weekly(stage)
    stage.end()
    first = stage.path.read_bytes()
    reached = count(stage, first)
    assert reached > 20
    for at in range(1, reached + 1, max(1, reached // runs)):
        clean(stage, first)
        try:
            with worlds(Points(at)):
                stage.begin()
                due_day(stage)
        except Died:
            stage.restart()
            due_day(stage)
        assert postings(stage) == [("2026-11-30T08:00", "posted")], at
        assert silent(stage) == 1, at
        (card,) = digests(stage)
        assert "could go" in flat(card), at
        assert len(stage.slack.thread(story.SECURITY, card["ts"])) in {1, 2}, at


def count(stage: Stage, first: bytes) -> int:
    clean(stage, first)
    points = Points(None)
    with worlds(points):
        stage.begin()
        due_day(stage)
    return points.count


def clean(stage: Stage, first: bytes) -> None:
    """As it was on the Saturday."""
    stage.end()
    stage.path = stage.path.with_name(f"{uuid.uuid4().hex}.db")
    stage.path.write_bytes(first)
    stage.slack.state.messages.clear()
    stage.slack.state.ephemerals.clear()
    stage.now = NINE - timedelta(hours=1)


# -- keeps that end ------------------------------------------------------------------------------------------------


def test_a_keep_that_ends_is_told_once(monday: Stage) -> None:
    """To the person whose word it is, a week before, also over restarts; not where it was ended meanwhile."""
    monday.say("role DBAdminRole")
    who = monday.store.entities.get(row(monday, "DBAdminRole"))
    assert who
    monday.store.keeps.add(
        who.id, "kms", story.BOB, monday.now + timedelta(days=30), "<!channel> yearly", monday.now
    )
    ended = monday.store.keeps.add(who.id, "sns", story.BOB, monday.now + timedelta(days=30), "x", monday.now)
    for days in (1, 22, 24, 24.1, 25, 29):
        monday.now = NINE + timedelta(days=days)
        monday.restart()
        if days == 22:
            monday.store.keeps.end(ended, story.BOB, monday.now)
        monday.bot.housekeeping()  # type: ignore[union-attr]
        monday.settle()
    mine = [m for m in monday.slack.dms(story.BOB) if "Your keep of" in m["text"]]
    assert len(mine) == 1
    assert "kms for DBAdminRole in prod ends on 30 Dec 2026, in 6 days" in mine[0]["text"]
    assert "<!channel>" not in mine[0]["text"]
    monday.slack.click(story.BOB, monday.slack.dm_of(story.BOB), "digest.keep", ts=mine[0]["ts"])
    monday.settle()
    view = monday.slack.view(story.BOB)
    assert view and view["callback_id"] == "digest.keep" and view["submit"]
