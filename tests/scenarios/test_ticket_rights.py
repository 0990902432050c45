"""Who may: every verb by every kind of person in every state of a ticket, at the moment of the press."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.slack import views
from tests.scenarios.changes import Rehearsal, approve, roll_back
from tests.scenarios.pressing import button, form, heard, last_told, state
from tests.scenarios.stage import Stage, words

FRANK, OSCAR, ROBOT, STRANGER = "U0FRANK0001", "U0OSCAR0001", "U0ROBOT0001", "U0STRANGER1"
AUDITORS = f"{story.ALICE},{story.CAROL},{story.DAVE},{story.ERIN},{FRANK}"

PEOPLE = {
    "requester": story.ALICE,
    "approver": story.CAROL,  # through a user group
    "approver who may not audit": story.BOB,
    "owner": story.DAVE,
    "auditor": FRANK,
    "admin": story.ERIN,
    "outsider": OSCAR,
    "guest": story.GUEST,
    "foreign": story.OTHER,
    "stranger": STRANGER,  # another company's, and only Slack can tell
    "deactivated": story.GONE,
    "bot": ROBOT,
}
OUTSIDE = {
    "guest": "Guests may not use IAM Audit",
    "foreign": "IAM Audit is not for people of another company",
    "stranger": "IAM Audit is not for people of another company",
    "deactivated": "This account is deactivated",
    "bot": "Bots may not use IAM Audit",
}
APPROVERS = {"approver", "approver who may not audit"}
MAY = {
    "approve": APPROVERS,
    "reject": APPROVERS,
    "cancel": {"requester", "admin"},
    "keep": {"owner", *APPROVERS},
    "retry": APPROVERS,
    "rollback": APPROVERS,
}
DOING = {
    "approve": "approve ticket 1",
    "reject": "reject ticket 1",
    "cancel": "cancel ticket 1",
    "keep": "keep anything of this entity",
    "retry": "retry ticket 1",
    "rollback": "roll ticket 1 back",
}
FORMS = ("reject", "keep", "rollback")


# -- a ticket in every state ---------------------------------------------------------------------------------------


def opened(stage: Stage) -> None:
    stage.ticket()


def parked(stage: Stage) -> None:
    """Approved, and the first write was refused: nothing is written."""
    stage.ticket()
    stage.aws.fail("PutRolePolicy", error="AccessDenied")
    approve(stage)


def applied(stage: Stage) -> None:
    stage.ticket()
    approve(stage)


def stuck(stage: Stage) -> None:
    """The second write was refused: one is written."""
    stage.ticket()
    stage.aws.fail("DetachRolePolicy", error="AccessDenied")
    approve(stage)


def drifted(stage: Stage) -> None:
    stage.ticket()
    stage.aws.meddle(story.PROD, "DBAdminRole")
    approve(stage)


def rejected(stage: Stage) -> None:
    stage.ticket()
    stage.open_form("ticket.reject", user=story.CAROL)
    stage.send_form(user=story.CAROL, reason={"value": "not now"})


def cancelled(stage: Stage) -> None:
    stage.ticket()
    stage.press("ticket.cancel")


def expired(stage: Stage) -> None:
    stage.ticket()
    stage.now += timedelta(days=8)
    stage.settle()


def superseded(stage: Stage) -> None:
    """Everything that it would take is kept now."""
    stage.ticket()
    form(stage, "ticket.keep", 1, story.DAVE)


def rolled_back(stage: Stage) -> None:
    applied(stage)
    roll_back(stage)


STATES: dict[str, Callable[[Stage], None]] = {
    "open": opened,
    "approved": parked,
    "applied": applied,
    "needs_human": stuck,
    "drifted": drifted,
    "rejected": rejected,
    "cancelled": cancelled,
    "expired": expired,
    "superseded": superseded,
    "rolled_back": rolled_back,
}
LEADS = {
    ("approve", "open"): "applied",
    ("reject", "open"): "rejected",
    ("cancel", "open"): "cancelled",
    ("keep", "open"): "superseded",
    ("cancel", "approved"): "cancelled",
    ("retry", "approved"): "applied",
    ("retry", "needs_human"): "applied",
    ("rollback", "applied"): "rolled_back",
    ("rollback", "needs_human"): "rolled_back",
}
"""Where a verb leads by whoever may; a keep can be made in any other state too, and moves nothing."""


def seed_people(stage: Stage) -> None:
    slack = stage.slack
    slack.add_user(FRANK, "frank")
    slack.add_user(OSCAR, "oscar")
    slack.add_user(ROBOT, "robot", bot=True)
    slack.add_user(STRANGER, "stig-stranger")
    slack.state.users[STRANGER]["is_stranger"] = True
    slack.state.channels[story.SECURITY]["members"] += [FRANK, OSCAR]
    stage.restart(iam_audit_auditors=AUDITORS)


def world(stage: Stage) -> dict[str, Any]:
    """Everything that a refused press must leave as it was."""
    tables = {
        t: [tuple(r) for r in stage.rows(f"SELECT * FROM {t}")]
        for t in ("ticket", "approval", "keep", "step")
    }
    shown = [(m["ts"], m["text"], m["updates"]) for m in stage.slack.state.messages[story.SECURITY]]
    return {**tables, "iam": stage.aws.state(story.PROD), "shown": shown}


def logged(stage: Stage) -> list[tuple[str, str]]:
    return [(r["actor"], r["verb"]) for r in stage.rows("SELECT actor, verb FROM log ORDER BY id")]


def shown_form(stage: Stage, user: str) -> tuple[str, bool]:
    """What the open form says, and whether it can be sent; it is closed then."""
    view = stage.slack.view(user)
    stage.slack.close_view(user)
    if not view:
        return "", False
    alerts = " ".join(b["text"]["text"] for b in view["blocks"] if b["type"] == "alert")
    return words(view) + alerts, "submit" in view


def expected_refusal(who: str, verb: str, at: str) -> str:
    """The words of a refusal; empty where it must be done."""
    if who in OUTSIDE:
        return OUTSIDE[who]
    if who not in MAY[verb]:
        return f"You may not {DOING[verb]}. Nothing was changed."
    if verb == "keep" or (verb, at) in LEADS:
        return ""
    return "Too late: ticket 1"


@pytest.mark.parametrize("at", STATES)
def test_every_verb_by_everybody(writing: Stage, aws: Aws, tmp_path: Path, at: str) -> None:
    """Refused: nothing but a line in the log and private words that say why. Allowed: the table's outcome."""
    seed_people(writing)
    rehearsal = Rehearsal(writing, aws, tmp_path, STATES[at])
    stage, done = writing, []
    rehearsal.again()
    stage.begin()
    assert rehearsal.state == at, rehearsal.said()
    for who, user in PEOPLE.items():
        for verb in MAY:
            refusal = expected_refusal(who, verb, at)
            if not refusal:
                done.append((who, user, verb))
                continue
            _is_refused(stage, f"{who} {verb} {at}", user, verb, refusal)
    for who, user, verb in done:
        rehearsal.again()
        stage.begin()
        _is_done(stage, f"{who} {verb} {at}", user, verb, LEADS.get((verb, at), at))


def _is_refused(stage: Stage, case: str, user: str, verb: str, refusal: str) -> None:
    before, log = world(stage), logged(stage)
    ways = [lambda: button(stage, f"ticket.{verb}", 1, user)]
    if verb in FORMS:
        ways.append(lambda: form(stage, f"ticket.{verb}", 1, user))
    for n, way in enumerate(ways):
        told = heard(stage, user)
        assert way().ok, case
        assert world(stage) == before, case
        new, log = logged(stage)[len(log) :], logged(stage)
        word = "refused" if user == story.OTHER else f"ticket.{verb}.refused"  # turned away at the door
        assert new == [(user, word)], (case, new)
        if user == story.OTHER and n:  # nothing to answer to: their form was never opened
            continue
        if verb in FORMS and n == 0 and user != story.OTHER:
            said, sendable = shown_form(stage, user)
            assert not sendable, case
        elif user == ROBOT:  # nobody can be told, and Slack takes no message to it
            continue
        else:
            assert heard(stage, user) == told + 1, case
            said = last_told(stage, user)
        assert refusal in said, (case, said)


def _is_done(stage: Stage, case: str, user: str, verb: str, leads: str) -> None:
    before, keeps = stage.aws.state(story.PROD), len(stage.rows("SELECT id FROM keep"))
    was, told = state(stage, 1), heard(stage, user)
    if verb in FORMS:
        assert button(stage, f"ticket.{verb}", 1, user).ok
        assert shown_form(stage, user)[1], case
        assert form(stage, f"ticket.{verb}", 1, user).ok
    else:
        assert button(stage, f"ticket.{verb}", 1, user).ok
    assert state(stage, 1) == leads, (case, words(stage.card()))
    assert (user, f"ticket.{verb}") in logged(stage), case
    assert len(stage.rows("SELECT id FROM keep")) == keeps + (verb == "keep"), case
    if was == leads or leads in {"cancelled", "rejected", "superseded"}:
        assert stage.aws.state(story.PROD) == before, case
    else:
        assert stage.aws.state(story.PROD) != before, case
    assert heard(stage, user) == told, case


# -- looking, opening, and what has no ticket ----------------------------------------------------------------------

READERS = {"requester", "approver", "owner", "auditor", "admin"}


@pytest.mark.parametrize("at", ["open", "needs_human", "expired", "rolled_back"])
def test_the_diff_and_a_new_ticket(writing: Stage, aws: Aws, tmp_path: Path, at: str) -> None:
    """Auditors open tickets and look at diffs, approvers at diffs; an old card of any state offers both to nobody else."""
    seed_people(writing)
    rehearsal = Rehearsal(writing, aws, tmp_path, STATES[at])
    rehearsal.again()
    stage = writing
    stage.begin()
    request = stage.rows("SELECT request_id FROM ticket")[0]["request_id"]
    for who, user in PEOPLE.items():
        before = world(stage)
        for action, row in (("ticket.replan", 1), ("audit.ticket", request)):
            assert button(stage, action, row, user).ok
            said, sendable = shown_form(stage, user)
            assert sendable == (who in READERS), (who, action, said)
            if who == "foreign":
                said = last_told(stage, user)
            if who not in READERS:
                assert OUTSIDE.get(who, "You may not audit here") in said, (who, action, said)
        told = heard(stage, user)
        assert world(stage) == before
        assert button(stage, "ticket.diff", 1, user).ok
        if who in READERS | {"approver who may not audit"}:
            assert len(stage.thread()) >= 1
            assert "may not" not in (last_told(stage, user) if heard(stage, user) > told else "")
            continue
        assert world(stage) == before, who
        if user != ROBOT:
            assert heard(stage, user) == told + 1
            assert OUTSIDE.get(who, "You may not audit here") in last_told(stage, user)


def test_a_form_sent_by_whoever_may_not_open_a_ticket(writing: Stage) -> None:
    """A form that was filled before the settings changed comes to nothing, and says why; no ticket, no card."""
    stage = writing
    seed_people(stage)
    stage.say("role DBAdminRole")
    stage.open_form()
    stage.restart(iam_audit_auditors=story.BOB)
    before = world(stage)["iam"]
    assert stage.send_form(reason={"value": "clean-up"}).ok
    assert state(stage) == "void"
    assert len(stage.cards()) == 1
    assert "You may not audit here" in last_told(stage, story.ALICE)
    assert stage.aws.state(story.PROD) == before
    assert logged(stage)[-1] == (story.ALICE, "ticket.open.refused")


def test_who_may_end_a_keep(writing: Stage, aws: Aws, tmp_path: Path) -> None:
    """Its entity's owner and approvers; everybody else hears that they may not."""

    def kept(stage: Stage) -> None:
        stage.ticket()
        form(stage, "ticket.keep", 1, story.CAROL, services=("athena",))

    seed_people(writing)
    stage, rehearsal = writing, Rehearsal(writing, aws, tmp_path, kept)
    rehearsal.again()
    stage.begin()
    may = {"owner", *APPROVERS}
    for who, user in PEOPLE.items():
        if who in may or user == ROBOT:
            continue
        before, told = world(stage), heard(stage, user)
        stage.slack.command(user, story.SECURITY, "keep end 1")
        stage.settle()
        assert world(stage) == before, who
        assert heard(stage, user) == told + 1, who
        assert OUTSIDE.get(who, "You may not end keep 1. Nothing was changed.") in last_told(stage, user), who
    for who in sorted(may):
        rehearsal.again()
        stage.begin()
        user = PEOPLE[who]
        stage.slack.command(user, story.SECURITY, "keep end 1")
        stage.settle()
        assert "Keep 1 is ended: athena for DBAdminRole in prod." in last_told(stage, user), who
        assert stage.rows("SELECT ended_by FROM keep")[0]["ended_by"] == user
        assert (user, "keep.end") in logged(stage)


def test_whoever_made_a_keep_ends_it_only_while_they_may(writing: Stage) -> None:
    """Carol kept something as an approver; she is none any more."""
    stage = writing
    stage.ticket()
    form(stage, "ticket.keep", 1, story.CAROL, services=("athena",))
    stage.slack.state.groups[story.APPROVERS]["users"].remove(story.CAROL)
    stage.slack.command(story.CAROL, story.SECURITY, "keep end 1")
    stage.settle()
    assert "You may not end keep 1. Nothing was changed." in last_told(stage, story.CAROL)
    assert stage.rows("SELECT ended_at FROM keep")[0]["ended_at"] is None


def test_an_ended_keep_is_committed_before_it_is_acknowledged(writing: Stage) -> None:
    """By the command and by the button of App Home: killed at once, it is ended after the start; delivered again, once."""
    stage = writing
    stage.ticket()
    form(stage, "ticket.keep", 1, story.CAROL, services=("athena",))
    form(stage, "ticket.keep", 1, story.CAROL, services=("redshift",))
    views.open_home(stage.slack, story.CAROL)
    stage.settle()
    home = views.home(stage.slack, story.CAROL)
    assert home
    told = heard(stage, story.CAROL)
    replies = [
        stage.slack.command(story.CAROL, story.SECURITY, "keep end 1"),
        stage.slack.click(story.CAROL, str(home["id"]), "home.keep_end.2"),
    ]
    assert all(r.ok for r in replies)
    assert not stage.rows("SELECT id FROM keep WHERE ended_at IS NOT NULL"), "no listener asks Slack who may"
    stage.restart()
    assert all(stage.slack.redeliver(r).ok for r in replies)
    stage.settle()
    assert [r["ended_by"] for r in stage.rows("SELECT ended_by FROM keep ORDER BY id")] == [story.CAROL] * 2
    assert heard(stage, story.CAROL) == told + 2
    assert "is ended" in last_told(stage, story.CAROL)


@pytest.mark.parametrize("silent", [2, 99])
def test_a_keep_is_ended_when_slack_answers(writing: Stage, silent: int) -> None:
    """Nobody may end one while Slack does not say who they are; after some tries they are told so."""
    stage = writing
    stage.ticket()
    form(stage, "ticket.keep", 1, story.CAROL, services=("athena",))
    stage.now += timedelta(minutes=10)
    stage.slack.fail("users.info", error="fatal_error", times=silent)
    stage.slack.command(story.CAROL, story.SECURITY, "keep end 1")
    stage.settle()
    ended = stage.rows("SELECT ended_at FROM keep")[0]["ended_at"]
    assert (ended is not None) == (silent == 2)
    if silent == 99:
        assert "Nothing was changed" in last_told(stage, story.CAROL) or "did not" in last_told(
            stage, story.CAROL
        )


def test_who_may_export_the_log(writing: Stage) -> None:
    """Admins, by direct message; nobody else, and every try is in the log."""
    stage = writing
    seed_people(stage)
    for who, user in PEOPLE.items():
        if who == "admin" or user == ROBOT:
            continue
        told = heard(stage, user)
        stage.slack.command(user, story.SECURITY, "log export")
        stage.settle()
        assert heard(stage, user) == told + 1, who
        assert OUTSIDE.get(who, "Only admins may export the log") in last_told(stage, user), who
        assert not stage.slack.state.files, who
        assert logged(stage)[-1] == (user, "refused" if who == "foreign" else "log.export.refused")
    stage.slack.command(story.ERIN, story.SECURITY, "log export")
    stage.settle()
    [made] = stage.slack.state.files.values()
    assert made["channel"] == stage.slack.dm_of(story.ERIN)
    assert b"log.export.refused" in made["content"]
    assert not stage.cards()


def test_an_export_of_the_log_outlives_a_kill(writing: Stage) -> None:
    """It is committed before it is acknowledged; delivered again, it is one file."""
    reply = writing.slack.command(story.ERIN, story.SECURITY, "log export")
    assert reply.ok and not writing.slack.state.files
    writing.restart()
    assert writing.slack.redeliver(reply).ok
    writing.settle()
    assert len(writing.slack.state.files) == 1
    assert logged(writing)[-1] == (story.ERIN, "log.export")


# -- settings and groups of the moment -----------------------------------------------------------------------------


def test_nobody_is_asked_from_memory(writing: Stage) -> None:
    """A user group that changed a second ago counts, both ways."""
    stage = writing
    stage.ticket()
    group = stage.slack.state.groups[story.APPROVERS]["users"]
    button(stage, "ticket.approve", 1, story.DAVE)
    assert "You may not approve ticket 1" in last_told(stage, story.DAVE)
    group[:] = [story.DAVE]
    button(stage, "ticket.approve", 1, story.CAROL)
    assert "You may not approve ticket 1" in last_told(stage, story.CAROL)
    assert state(stage) == "open"
    button(stage, "ticket.approve", 1, story.DAVE)
    assert state(stage) == "applied"


def test_an_approver_who_left_a_second_ago(writing: Stage) -> None:
    """Deactivated in Slack, still in the user group."""
    stage = writing
    stage.ticket()
    button(stage, "ticket.reject", 1, story.CAROL)
    stage.slack.state.users[story.CAROL]["deleted"] = True
    before = stage.aws.state(story.PROD)
    form(stage, "ticket.reject", 1, story.CAROL)
    button(stage, "ticket.approve", 1, story.CAROL)
    assert state(stage) == "open"
    assert stage.aws.state(story.PROD) == before
    assert "This account is deactivated" in last_told(stage, story.CAROL)


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            {"status": 500}, id="500", marks=pytest.mark.long
        ),  # the SDK's own patience is real time
        pytest.param({"retry_after": 1}, id="limited", marks=pytest.mark.long),
        pytest.param({"error": "internal_error"}, id="error"),
        pytest.param({"body": b"<html>"}, id="a page"),
        pytest.param({"drop": "before"}, id="dropped"),
    ],
)
def test_slack_is_silent_at_the_moment_of_the_press(
    writing: Stage, method: str, fault: dict[str, Any]
) -> None:
    """Nobody may while Slack does not say who they are; they are told, and a press afterwards counts."""
    stage = writing
    stage.ticket()
    before = stage.aws.state(story.PROD)
    made = stage.slack.fail(method, times=10_000, **fault)
    assert button(stage, "ticket.approve", 1, story.CAROL).ok
    assert state(stage) == "open"
    assert not stage.rows("SELECT * FROM approval")
    assert stage.aws.state(story.PROD) == before
    said = last_told(stage, story.CAROL)
    assert "It could not be checked who you are" in said
    assert "Nothing was changed." in said
    assert stage.rows("SELECT outcome FROM press")[0]["outcome"] == "unknown"
    button(stage, "ticket.rollback", 1, story.CAROL)
    said, sendable = shown_form(stage, story.CAROL)
    assert "It could not be checked who you are" in said
    assert not sendable
    stage.slack.faults.remove(made)
    button(stage, "ticket.approve", 1, story.CAROL)
    assert state(stage) == "applied"


def test_slack_is_silent_for_a_few_seconds(writing: Stage) -> None:
    """The press waits for the answer; it is not lost, and not counted before."""
    stage = writing
    stage.ticket()
    stage.slack.fail("users.info", error="internal_error", times=2)
    button(stage, "ticket.approve", 1, story.CAROL, settle=False)
    stage.beat()
    assert state(stage) == "open"
    stage.restart()
    stage.settle()
    assert state(stage) == "applied"


def test_a_group_that_cannot_be_read_has_nobody(writing: Stage) -> None:
    """Without the scope usergroups:read, or for a group that is gone, only people named one by one may."""
    stage = writing
    stage.ticket()
    stage.slack.state.scopes.discard("usergroups:read")
    button(stage, "ticket.approve", 1, story.CAROL)
    assert "You may not approve ticket 1" in last_told(stage, story.CAROL)
    assert state(stage) == "open"
    button(stage, "ticket.approve", 1, story.BOB)
    assert state(stage) == "applied"


@pytest.mark.parametrize("self_approval", [False, True])
def test_the_approver_is_the_requester(writing: Stage, *, self_approval: bool) -> None:
    """Nobody approves or rejects their own ticket, unless the operator allows it; cancelling is theirs."""
    stage = writing
    stage.restart(
        iam_audit_approvers=f"{story.APPROVERS},{story.ALICE}", iam_audit_self_approval=self_approval
    )
    stage.ticket()
    before = world(stage)
    button(stage, "ticket.approve", 1, story.ALICE)
    if self_approval:
        assert state(stage) == "applied"
        assert stage.aws.state(story.PROD) != before["iam"]
        return
    assert world(stage) == before
    said = last_told(stage, story.ALICE)
    assert "You may not approve your own ticket. Nothing was changed." in said
    assert "so 1 other person of" in said
    button(stage, "ticket.reject", 1, story.ALICE)
    said, sendable = shown_form(stage, story.ALICE)
    assert "You may not reject your own ticket. Nothing was changed." in said
    assert not sendable
    form(stage, "ticket.reject", 1, story.ALICE)
    assert world(stage) == before
    button(stage, "ticket.approve", 1, story.CAROL)
    assert state(stage) == "applied"
    button(stage, "ticket.approve", 1, story.ALICE)
    assert "Too late: ticket 1 is applied" in last_told(stage, story.ALICE)
    button(stage, "ticket.rollback", 1, story.ALICE)  # rolling back is any approver's, also the requester's
    assert shown_form(stage, story.ALICE)[1]
    form(stage, "ticket.rollback", 1, story.ALICE)
    assert state(stage) == "rolled_back"
    assert stage.aws.state(story.PROD) == before["iam"]


def test_two_approvals(writing: Stage) -> None:
    """One of two is shown and nothing is written; the same person twice is one; two people are two."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    stage.ticket()
    before = stage.aws.state(story.PROD)
    stage.press("ticket.approve", user=story.CAROL)
    assert "Waiting for approval, 1 of 2" in words(stage.card())
    assert "Approved, 1 of 2" in words(stage.thread()[-1])
    assert "Nothing is written before approval 2." in words(stage.thread()[-1])
    said_so_far = len(stage.thread())
    stage.restart()
    stage.press("ticket.approve", user=story.CAROL)
    said = last_told(stage, story.CAROL)
    assert "You have approved ticket 1 already." in said
    assert "It stands at 1 of 2." in said
    assert state(stage) == "open"
    assert len(stage.thread()) == said_so_far
    assert stage.aws.state(story.PROD) == before
    stage.press("ticket.approve", user=story.BOB)
    assert state(stage) == "applied"
    shown = words(stage.card())
    assert f"<@{story.CAROL}>" in shown
    assert f"<@{story.BOB}>" in shown


def test_a_rejection_ends_it_whatever_was_approved(writing: Stage) -> None:
    """One of two said yes, then another no."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    stage.ticket()
    before = stage.aws.state(story.PROD)
    stage.press("ticket.approve", user=story.CAROL)
    form(stage, "ticket.reject", 1, story.CAROL, reason="on second thoughts")
    assert state(stage) == "rejected"
    button(stage, "ticket.approve", 1, story.BOB)
    assert f"<@{story.CAROL}> rejected it" in last_told(stage, story.BOB)
    assert stage.aws.state(story.PROD) == before


def test_an_approval_counts_only_while_its_giver_is_an_approver(writing: Stage) -> None:
    """Carol approved as one of two and is no approver any more: Bob's alone is not enough."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    stage.ticket()
    before = stage.aws.state(story.PROD)
    stage.press("ticket.approve", user=story.CAROL)
    stage.slack.state.groups[story.APPROVERS]["users"][:] = [story.DAVE]
    stage.press("ticket.approve", user=story.BOB)
    assert state(stage) == "open", words(stage.card())
    assert stage.aws.state(story.PROD) == before
    assert "1 of 2" in words(stage.card())
    stage.press("ticket.approve", user=story.DAVE)
    assert state(stage) == "applied"


@pytest.mark.parametrize(
    ("settings", "user", "ends"),
    [
        ({"iam_audit_approvers": story.DAVE}, story.CAROL, "open"),
        ({"iam_audit_approvers": story.DAVE}, story.DAVE, "applied"),
        ({"iam_audit_approvers": ""}, story.CAROL, "open"),
        ({"iam_audit_approvals": 2}, story.CAROL, "open"),
        ({"iam_audit_self_approval": True, "iam_audit_approvers": story.ALICE}, story.ALICE, "applied"),
        ({"iam_audit_write_role": ""}, story.CAROL, "open"),
    ],
)
def test_the_settings_of_now_count(writing: Stage, settings: dict[str, Any], user: str, ends: str) -> None:
    """A ticket was opened, then the bot was restarted with other settings."""
    stage = writing
    stage.ticket()
    before = stage.aws.state(story.PROD)
    stage.restart(**settings)
    stage.press("ticket.approve", user=user)
    if "iam_audit_write_role" in settings:
        assert state(stage) in {"open", "approved"}
        assert stage.aws.state(story.PROD) == before
        return
    assert state(stage) == ends, last_told(stage, user)
    assert (stage.aws.state(story.PROD) == before) == (ends == "open")


def test_fewer_approvals_are_needed_now(writing: Stage) -> None:
    """Two were needed, one was given, then one is enough: somebody else's press carries it out."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    stage.ticket()
    stage.press("ticket.approve", user=story.CAROL)
    stage.restart(iam_audit_approvals=1)
    assert state(stage) == "open"
    stage.press("ticket.approve", user=story.BOB)
    assert state(stage) == "applied"


@pytest.mark.parametrize("at", STATES)
def test_an_approver_and_their_own_ticket(writing: Stage, aws: Aws, tmp_path: Path, at: str) -> None:
    """Their own is not theirs to decide while it is open, and too late like for everybody else afterwards."""
    rehearsal = Rehearsal(writing, aws, tmp_path, STATES[at])
    stage = writing
    stage.settings["iam_audit_approvers"] = f"{story.APPROVERS},{story.ALICE}"
    rehearsal.again()
    stage.begin()
    for verb in ("approve", "reject"):
        own = f"You may not {verb} your own ticket. Nothing was changed."
        _is_refused(
            stage, f"own {verb} {at}", story.ALICE, verb, own if at == "open" else "Too late: ticket 1"
        )
    for verb in ("retry", "rollback", "keep"):
        leads = LEADS.get((verb, at))
        if verb != "keep" and not leads:
            _is_refused(stage, f"own {verb} {at}", story.ALICE, verb, "Too late: ticket 1")
            continue
        rehearsal.again()
        stage.begin()
        _is_done(stage, f"own {verb} {at}", story.ALICE, verb, leads or at)
        rehearsal.again()
        stage.begin()


def test_the_write_role_is_taken_from_the_settings(writing: Stage, aws: Aws) -> None:
    """A ticket that could be written when it was opened, and the bot may not write any more: nothing is, and it is said."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    stage.restart(iam_audit_write_role="")
    button(stage, "ticket.approve", 1, story.CAROL)
    assert aws.state(story.PROD) == before
    assert state(stage) == "approved"
    shown = words(stage.card())
    assert "Approved, not begun" in shown
    assert "Nothing was written" in shown
    stage.restart(iam_audit_write_role=story.WRITE_ROLE)
    button(stage, "ticket.retry", 1, story.BOB)
    assert state(stage) == "applied"
