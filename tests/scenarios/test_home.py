"""App Home at the wire: opened, changed by what others do, its buttons, and what Slack and a kill do to it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from advisor import homes
from advisor.edges.store.rows import moment, stamp
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.slack import Reply, limits, views
from tests.scenarios.stage import Died, Json, Points, Stage, watched, words

MANY = [f"U0MANY{n:05}" for n in range(500)]


def look(stage: Stage, user: str) -> str:
    """Open the app's Home and wait until it is drawn."""
    assert views.open_home(stage.slack, user).ok
    stage.settle()
    return shown(stage, user)


def home(stage: Stage, user: str) -> Json:
    found = views.home(stage.slack, user)
    assert found
    assert limits.check_view(found) == []
    return found


def shown(stage: Stage, user: str) -> str:
    return " ".join(words(home(stage, user)).split())


def attempts(stage: Stage, user: str = "") -> list[Json]:
    """Every home that Slack was asked to take, with its answer."""
    calls = [c for c in stage.slack.state.calls if c.method == "views.publish"]
    return [{**c.args, "ok": c.answer.get("ok")} for c in calls if not user or c.args["user_id"] == user]


def published(stage: Stage, user: str = "") -> int:
    """How many homes Slack took."""
    return sum(bool(a["ok"]) for a in attempts(stage, user))


def press(stage: Stage, user: str, action_id: str) -> Reply:
    reply = stage.slack.click(user, str(home(stage, user)["id"]), action_id)
    stage.settle()
    return reply


def ids(view: Json) -> list[str]:
    """Action ids of a home, in order."""
    found = []
    for block in view["blocks"]:
        parts = [*block.get("elements", []), *([block["accessory"]] if "accessory" in block else [])]
        found += [p["action_id"] for p in parts if "action_id" in p]
    return found


def keep(stage: Stage, user: str, role: str = "DBAdminRole") -> int:
    """A keep that stands on an audited role."""
    (row,) = stage.rows(f"SELECT id FROM entity WHERE name = '{role}' AND gone_at IS NULL")
    until = stage.now + timedelta(days=60)
    return stage.store.keeps.add(row["id"], "kms", user, until, "yearly rotation", stage.now)


def schedule(stage: Stage, what: str, user: str, channel: str, cadence: str, day: str) -> None:
    with stage.store.transaction():
        stage.store._db.run(
            "INSERT INTO schedule (what, user, channel, cadence, day, at, zone, due_at, created_at, accounts) "
            "VALUES (?, ?, ?, ?, ?, '09:00', 'Europe/Stockholm', ?, ?, '[\"prod\", \"dev\"]')",
            (what, user, channel, cadence, day, stamp(stage.now + timedelta(days=6)), stamp(stage.now)),
        )


def test_the_first_look(stage: Stage) -> None:
    """Nothing is there yet: what the app is for, what one may do, and the button that begins."""
    told = look(stage, story.ALICE)
    assert "Nothing waits for you IAM Audit shows" in told
    assert "Somebody else approves it" in told
    assert "You may audit. You may not approve" in told
    assert ids(home(stage, story.ALICE)) == ["home.new", "home.digest_new", "home.refresh"]
    press(stage, story.ALICE, "home.new")
    view = stage.slack.view(story.ALICE)
    assert view
    assert view["callback_id"] == "audit.new"


def test_the_tab_of_messages_draws_nothing(stage: Stage) -> None:
    """Slack says the same event for both tabs."""
    payload = views.open_home(stage.slack, story.ALICE).sent[1]
    look(stage, story.ALICE)
    payload["event"] |= {"tab": "messages", "user": story.BOB}
    payload["event_id"] = "Ev2"
    assert stage.slack.deliver("events_api", payload).ok
    stage.settle()
    assert {a["user_id"] for a in attempts(stage)} == {story.ALICE}


def test_two_people_each_see_their_own(writing: Stage) -> None:
    """Who asked sees their ticket wait; who may approve is asked; after the approval both homes say that it is done."""
    stage = writing
    look(stage, story.ALICE)
    look(stage, story.CAROL)
    stage.ticket()
    mine, hers = shown(stage, story.ALICE), shown(stage, story.CAROL)
    assert "Nothing waits for you" in mine
    assert ":raised_hand: Waiting ticket 1 : DBAdminRole, 20 services, 0 of 1 approval" in mine
    assert ":white_check_mark: Done DBAdminRole , prod: 2 of 25 used, 20 could go" in mine
    assert "Waiting for you: 1 Waiting for approval, 0 of 1: ticket 1, remove 20 of 25 services from" in hers
    assert "from DBAdminRole (role in prod). Until" in hers
    (button,) = [b["accessory"] for b in home(stage, story.CAROL)["blocks"] if "accessory" in b]
    ts = stage.card()["ts"].replace(".", "")
    assert button["url"] == f"https://sandbox.slack.com/archives/{story.SECURITY}/p{ts}"
    stage.press("ticket.approve", user=story.CAROL)
    assert "Nothing waits for you" in shown(stage, story.CAROL)
    assert "Applied ticket 1" in shown(stage, story.ALICE)


def test_own_and_approved_tickets_do_not_wait(writing: Stage) -> None:
    """Bob asks and may approve, but not his own; carol has approved already and waits for a second one."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    stage.say("role DBAdminRole", user=story.BOB)
    stage.open_form(user=story.BOB)
    stage.send_form(user=story.BOB, reason={"value": "clean-up"})
    assert "Nothing waits for you" in look(stage, story.BOB)
    assert "Not your own tickets: they need 2 other approvers" in shown(stage, story.BOB)
    assert "Waiting for you: 1" in look(stage, story.CAROL)
    stage.press("ticket.approve", user=story.CAROL)
    assert "Nothing waits for you" in shown(stage, story.CAROL)
    assert "1 of 2 approvals" in shown(stage, story.BOB)
    stage.restart(iam_audit_self_approval=True)
    stage.now += timedelta(minutes=6)
    assert "Waiting for you: 1 Waiting for approval, 1 of 2" in look(stage, story.BOB)


@pytest.mark.parametrize("user", [story.GUEST, story.OTHER, story.GONE])
def test_who_may_not_sees_why(writing: Stage, user: str) -> None:
    """And nothing else: no list, no name, no way to begin."""
    writing.ticket()
    told = look(writing, user)
    assert any(w in told for w in ("Guests may not", "not for people of another company", "deactivated"))
    assert "DBAdminRole" not in json.dumps(home(writing, user))
    assert ids(home(writing, user)) == ["home.refresh"]


def test_an_approver_who_does_not_audit(writing: Stage) -> None:
    """Sees what waits; somebody who may neither sees only that."""
    writing.restart(iam_audit_auditors=story.ALICE)
    writing.ticket()
    assert "Waiting for you: 1" in look(writing, story.CAROL)
    assert "home.new" not in ids(home(writing, story.CAROL))
    assert "You may not audit here" in look(writing, story.ERIN)
    assert "DBAdminRole" not in json.dumps(home(writing, story.ERIN))


def test_what_somebody_owns(writing: Stage, aws: Aws) -> None:
    """By the owner tag: what is planned about it, or that nothing is; Audit brings a result by direct message."""
    stage = writing
    iam = aws.client("iam", story.PROD)
    iam.tag_role(RoleName="etl-nightly", Tags=[{"Key": "owner", "Value": "Dave@Example.com"}])
    stage.slack.state.scopes.add("users:read.email")
    stage.slack.state.users[story.DAVE]["profile"] = {"email": "dave@example.com"}
    stage.say("role etl-nightly")
    look(stage, story.DAVE)
    told = shown(stage, story.DAVE)
    assert (
        "Entities that name me as owner etl-nightly (role in prod): 0 of 3 used, 1 could go. Nothing is planned"
        in told
    )
    iam.tag_role(RoleName="DBAdminRole", Tags=[{"Key": "owner", "Value": story.DAVE}])
    stage.ticket()
    told = shown(stage, story.DAVE)
    assert "20 could go. Waiting for approval, ticket 1: 20 services would go etl-nightly" in told
    (entity,) = [i for i in ids(home(stage, story.DAVE)) if i.startswith("home.audit.")]
    press(stage, story.DAVE, entity)
    assert "etl-nightly: " in words(stage.slack.dms(story.DAVE)[-1])
    assert "My audits :white_check_mark: Done etl-nightly" in shown(stage, story.DAVE)


def test_a_keep_is_ended_from_home(writing: Stage, aws: Aws) -> None:
    """By the owner, asked afresh; the answer comes privately and the home shows it no more."""
    stage = writing
    aws.client("iam", story.PROD).tag_role(
        RoleName="DBAdminRole", Tags=[{"Key": "owner", "Value": story.DAVE}]
    )
    stage.say("role DBAdminRole")
    number = keep(stage, story.DAVE)
    assert "Keeps kms for DBAdminRole (role in prod), until" in look(stage, story.DAVE)
    assert "“yearly rotation”" in shown(stage, story.DAVE)
    press(stage, story.DAVE, f"home.keep_end.{number}")
    assert stage.rows("SELECT ended_by FROM keep")[0]["ended_by"] == story.DAVE
    assert f"Keep {number} is ended" in words(stage.slack.dms(story.DAVE)[-1])
    assert "Keeps" not in shown(stage, story.DAVE)


def test_a_keep_is_not_ended_by_who_may_not(writing: Stage) -> None:
    """Alice made it once, and is neither owner nor approver now."""
    stage = writing
    stage.say("role DBAdminRole")
    number = keep(stage, story.ALICE)
    look(stage, story.ALICE)
    press(stage, story.ALICE, f"home.keep_end.{number}")
    assert stage.rows("SELECT ended_at FROM keep")[0]["ended_at"] is None
    assert f"You may not end keep {number}" in words(stage.slack.dms(story.ALICE)[-1])


def test_the_button_of_a_ticket(writing: Stage) -> None:
    """Where Slack gives no address of its card, the ticket is told privately; where it does, Slack goes there."""
    stage = writing
    stage.ticket()
    stage.slack.fail("chat.getPermalink", error="message_not_found", times=9)
    look(stage, story.CAROL)
    press(stage, story.CAROL, "home.ticket.1")
    assert "remove 20 of 25 services from DBAdminRole" in words(stage.slack.dms(story.CAROL)[-1])
    stage.slack.faults.clear()
    stage.now += timedelta(hours=2)
    look(stage, story.CAROL)
    press(stage, story.CAROL, "home.ticket.1")
    assert len(stage.slack.dms(story.CAROL)) == 1


def test_what_comes_again_is_shown_to_its_channel(stage: Stage) -> None:
    """Whoever is in the channel, and whoever made it; a channel of which Slack does not tell is nobody's."""
    schedule(stage, "digest", story.ALICE, story.SECURITY, "weekly", "mon")
    schedule(stage, "sweep", story.ALICE, story.SECRET, "monthly", "last")
    hers, his = look(stage, story.ALICE), look(stage, story.BOB)
    assert "Digest of prod and dev in #security: Mondays 09:00 (Europe/Stockholm), next" in hers
    assert any(i.startswith("home.digest.") for i in ids(home(stage, story.ALICE)))
    assert "Sweep of prod and dev: last day of the month 09:00" in hers
    assert "#security" in his
    assert "Sweep" not in his


def test_a_channel_of_thousands(stage: Stage) -> None:
    """Its members come in pages; where Slack tells no name, the schedule goes without."""
    for user in (many := [f"U0CROWD{n:04}" for n in range(1500)]):
        stage.slack.add_user(user, user.lower())
    stage.slack.state.channels[story.SECURITY]["members"] += many
    schedule(stage, "digest", story.ALICE, story.SECURITY, "daily", "")
    stage.slack.fail("conversations.info", error="fatal_error", times=9)
    assert "Digest of prod and dev: every day 09:00" in look(stage, many[-1])


def test_accounts_at_their_last_sweep(stage: Stage) -> None:
    """Those with a fault first; an account that could not be listed; how many entities were not read."""
    stage.say("role DBAdminRole")
    with stage.store.transaction():
        now, run = stamp(stage.now), stage.store._db.run
        for sweep in (1, 2):
            run(
                "INSERT INTO sweep (id, user, channel, asked, state, created_at, next_at) VALUES (?, ?, ?, 'all', 'partial', ?, ?)",
                (sweep, story.ALICE, story.SECURITY, now, now),
            )
        for sweep, account, state in (
            (1, story.PROD, "failed"),
            (2, story.PROD, "done"),
            (2, story.DEV, "failed"),
        ):
            run(
                "INSERT INTO sweep_account (sweep_id, account, alias, state, total, ended_at, failure) VALUES (?, ?, '', ?, 503, ?, ?)",
                (sweep, account, state, now, '{"code": "refused", "call": "sts:AssumeRole"}' if state == "failed" else None),
            )  # fmt: skip
        run(
            "INSERT INTO sweep_entity (sweep_id, account, entity_id, state) VALUES (2, ?, 1, 'failed')",
            (story.PROD,),
        )
    stage.store.entities.unlisted(story.DATA, "refused", stage.now)
    told = look(stage, story.ALICE)
    assert "The bot and its accounts The bot audits 1 account. It never writes to AWS." in told
    assert f"Partial prod ({story.PROD}): 502 of 503 entities read" in told
    assert f"Failed account {story.DEV}: the last sweep: the bot may not enter {story.DEV}" in told
    assert (
        f"Not swept account {story.DATA}: its entities cannot be listed: the bot may not read in {story.DATA}"
        in told
    )


# -- publishing ----------------------------------------------------------------------------------------------------


def test_the_same_is_not_published_twice(stage: Stage) -> None:
    """Opened again, or the event delivered again: nothing is sent until something differs, or an hour has gone by."""
    reply = views.open_home(stage.slack, story.ALICE)
    stage.settle()
    assert stage.slack.redeliver(reply).ok
    stage.settle()
    assert len(stage.rows("SELECT * FROM delivery WHERE key LIKE 'event:%'")) == 1
    look(stage, story.ALICE)
    press(stage, story.ALICE, "home.refresh")
    assert published(stage) == 1
    stage.now += timedelta(hours=2)
    look(stage, story.ALICE)
    assert published(stage) == 2
    stage.say("role DBAdminRole")
    assert published(stage) > 2
    assert len(stage.rows("SELECT * FROM notice WHERE kind = 'home'")) == 1


def test_a_person_s_home_is_published_seconds_apart(stage: Stage) -> None:
    """Several changes in a moment are one drawing."""
    look(stage, story.ALICE)
    for role in ("DBAdminRole", "etl-nightly", "db-backup"):
        stage.slack.command(story.ALICE, story.SECURITY, f"role {role}")
    stage.beat()
    at = moment(stage.rows("SELECT not_before FROM notice WHERE kind = 'home'")[0]["not_before"])
    last = moment(stage.rows("SELECT published_at FROM home")[0]["published_at"])
    assert at - last == timedelta(seconds=5)
    before = published(stage)
    stage.settle()
    assert published(stage) - before <= 2
    assert all(r in shown(stage, story.ALICE) for r in ("DBAdminRole", "etl-nightly", "db-backup"))


def test_slack_s_limit_is_kept(stage: Stage) -> None:
    """After one refusal no other home is tried until Slack's seconds have gone by, and cards go on meanwhile."""
    stage.slack.fail("views.publish", status=429, retry_after=30)
    for user in (story.ALICE, story.BOB, story.ERIN):
        assert views.open_home(stage.slack, user).ok
    stage.slack.command(story.ALICE, story.SECURITY, "role DBAdminRole")
    for _ in range(40):
        stage.beat()
        stage.now += timedelta(seconds=0.5)
    assert len(attempts(stage)) == 1
    assert "2 of 25 services used" in words(stage.card())
    stage.settle()
    assert published(stage) == 3
    assert len(attempts(stage)) == 4


def test_another_view_than_ours_is_replaced(stage: Stage) -> None:
    """Slack took a home whose answer was lost: the hash that we know is old, so the next one goes without."""
    look(stage, story.ALICE)
    stage.slack.fail("views.publish", drop="after")
    stage.say("role DBAdminRole")
    assert "DBAdminRole" in shown(stage, story.ALICE)
    stage.slack.state.views[str(home(stage, story.ALICE)["id"])]["hash"] = "other"
    stage.say("role etl-nightly")
    assert "etl-nightly" in shown(stage, story.ALICE)
    assert any(not a["ok"] for a in attempts(stage))


def test_a_home_that_is_switched_off(stage: Stage) -> None:
    """The operator has not switched the tab on: given up, and tried again when something happens."""
    stage.slack.fail("views.publish", error="not_enabled")
    assert views.open_home(stage.slack, story.ALICE).ok
    stage.settle()
    assert stage.rows("SELECT state FROM notice WHERE kind = 'home'")[0]["state"] == "failed"
    assert "Nothing waits for you" in look(stage, story.ALICE)


def test_a_slack_that_refuses_the_blocks(writing: Stage) -> None:
    """What waits is published in its plainest form."""
    writing.ticket()
    writing.slack.state.refuse_blocks = {"rich_text"}
    look(writing, story.CAROL)
    assert "Waiting for you: 1 Waiting for approval" in shown(writing, story.CAROL)
    assert "My audits" not in shown(writing, story.CAROL)


def test_slack_does_not_say_who_somebody_is(stage: Stage) -> None:
    """Nothing is drawn before it does."""
    stage.slack.fail("users.info", error="fatal_error", times=6)
    assert views.open_home(stage.slack, story.ALICE).ok
    stage.beat()
    assert not attempts(stage)
    stage.slack.faults.clear()
    stage.settle()
    assert published(stage) == 1


def test_killed_anywhere_the_home_is_drawn(stage: Stage) -> None:
    """At every commit and call between the event and the view; an event that was not acknowledged comes again."""
    points = Points(None)
    with watched(points):
        stage.restart()
        look(stage, story.ALICE)
    assert points.count > 10
    for at in range(1, points.count + 1):
        stage.slack.state.homes.clear()
        stage.end()
        for suffix in ("", "-wal", "-shm"):
            stage.path.with_name(stage.path.name + suffix).unlink(missing_ok=True)
        payload: Json = {}
        try:
            with watched(Points(at)):
                stage.begin()
                reply = views.open_home(stage.slack, story.ALICE)
                payload = reply.sent[1]
                stage.settle()
        except Died:
            stage.restart()
            if not payload:  # no answer was given
                assert views.open_home(stage.slack, story.ALICE).ok
            stage.settle()
        assert "Nothing waits for you" in shown(stage, story.ALICE), at
        assert len(stage.rows("SELECT * FROM notice WHERE kind = 'home'")) == 1


def test_of_500_people_those_concerned(writing: Stage) -> None:
    """A ticket's change is published for who asked and who decides; a sweep's for all, within Slack's rate."""
    stage, store = writing, writing.store
    for user in MANY:
        stage.slack.add_user(user, user.lower())
    stage.ticket()
    with store.transaction():
        for user in (*MANY, story.CAROL, story.ALICE):
            store.homes.opened(user, stage.now)
            store._db.run("UPDATE notice SET state = 'sending' WHERE user = ? AND kind = 'home'", (user,))
            store.homes.published(user, stage.now, drawn="x", view_hash="", approver=user == story.CAROL)
        long_ago = stamp(stage.now - timedelta(days=40))
        store._db.run("UPDATE home SET opened_at = ? WHERE user = ?", (long_ago, MANY[0]))
    stage.press("ticket.reject", user=story.CAROL)
    stage.send_form(user=story.CAROL, reason={"value": "still needed"})
    assert {a["user_id"] for a in attempts(stage)} == {story.ALICE, story.CAROL}
    assert "Rejected ticket 1" in shown(stage, story.ALICE)

    homes.accounts_changed(stage.bot.desk)  # type: ignore[union-attr]
    due = [
        moment(r["not_before"])
        for r in stage.rows("SELECT * FROM notice WHERE kind = 'home' AND state = 'due' ORDER BY not_before")
    ]
    assert len(due) == len(MANY) - 1 + 2
    assert due[5] == stage.now
    for n, at in enumerate(due):
        assert sum(at <= other < at + timedelta(minutes=1) for other in due[n : n + 120]) <= 100

    last = stage.rows("SELECT user FROM notice WHERE kind = 'home' ORDER BY not_before DESC, id LIMIT 1")[0][
        "user"
    ]
    look_at = stage.now
    assert views.open_home(stage.slack, last).ok  # who looks does not wait for the others
    (row,) = stage.rows(f"SELECT not_before FROM notice WHERE kind = 'home' AND user = '{last}'")
    assert moment(row["not_before"]) <= look_at + timedelta(seconds=5)


@pytest.mark.parametrize(("limit", "refused"), [(100, 0), pytest.param(40, None, marks=pytest.mark.long)])
def test_500_approvers_see_a_ticket_change(writing: Stage, limit: int, refused: int | None) -> None:
    """Each home is published once, within Slack's rate; after a 429 none is tried before its time; the card is first."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    store = stage.store
    for user in MANY:
        stage.slack.add_user(user, user.lower())
    stage.slack.state.groups[story.APPROVERS]["users"] += MANY
    stage.ticket()
    stage.now += timedelta(minutes=6)  # the members of the group are asked afresh
    with store.transaction():
        for user in MANY:
            store.homes.opened(user, stage.now)
            store._db.run("UPDATE notice SET state = 'sending' WHERE user = ? AND kind = 'home'", (user,))
            store.homes.published(user, stage.now, drawn="x", view_hash="", approver=True)
    stage.now += timedelta(seconds=10)
    taken: list[datetime] = []
    turned_away: list[datetime] = []

    def too_many(_args: Json) -> bool:
        assert not turned_away or stage.now >= turned_away[-1] + timedelta(seconds=20), (
            "tried before its time"
        )
        much = sum(stage.now - at < timedelta(minutes=1) for at in taken) >= limit
        (turned_away if much else taken).append(stage.now)
        return much

    stage.slack.fail("views.publish", status=429, retry_after=20, when=too_many, times=10_000)
    assert stage.slack.click(story.CAROL, story.SECURITY, "ticket.approve", ts=stage.card()["ts"]).ok
    stage.beat()
    stage.beat()
    assert "Waiting for approval, 1 of 2" in words(stage.card()), "the card does not wait for homes"
    assert len(taken) < 30
    for _ in range(200):
        if not stage.pending():
            break
        stage.now += timedelta(seconds=7)
        stage.beat()
    assert sorted(a["user_id"] for a in attempts(stage) if a["ok"]) == sorted(MANY)
    assert refused is None or len(turned_away) == refused
    assert "1 of 2" in shown(stage, MANY[-1])


def test_a_digest_is_made_and_changed_from_home(stage: Stage) -> None:
    """The form opens over the home, not in its place; what it makes is a line of the home at once."""
    look(stage, story.ALICE)
    press(stage, story.ALICE, "home.digest_new")
    view = stage.slack.view(story.ALICE)
    assert view and view["callback_id"] == "digest.new" and view.get("submit")
    assert not stage.slack.submit(story.ALICE, {"channel": {"selected_conversation": story.SECURITY}}).body
    stage.settle()
    assert "Digest of all accounts in #security: Mondays 09:00 (Europe/Stockholm)" in shown(
        stage, story.ALICE
    )
    (change,) = [i for i in ids(home(stage, story.ALICE)) if i.startswith("home.digest.")]
    press(stage, story.ALICE, change)
    view = stage.slack.view(story.ALICE)
    assert view and view["callback_id"] == "digest.new" and view["private_metadata"] == "1"
