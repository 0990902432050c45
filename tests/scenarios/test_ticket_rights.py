"""Who may: every verb by every kind of person in every state of a ticket, at the moment of the press."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.changes import Rehearsal, approve, roll_back
from tests.scenarios.pressing import button, form, heard, last_told, state, until
from tests.scenarios.stage import Stage, words

FRANK, OSCAR, ROBOT, STRANGER = "U0FRANK0001", "U0OSCAR0001", "U0ROBOT0001", "U0STRANGER1"
AUDITORS = ",".join((story.ALICE, story.CAROL, story.DAVE, story.ERIN, FRANK))

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
        t: [tuple(r) for r in stage.rows(f"SELECT * FROM {t}")] for t in ("ticket", "approval", "keep", "step")
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
        assert new in ([(user, f"ticket.{verb}.refused")], [] if user == story.OTHER else None), (case, new)
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
    assert heard(stage, user) == told + (user == story.DAVE and leads in {"applied", "rolled_back"}), case
