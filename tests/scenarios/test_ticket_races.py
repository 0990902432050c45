"""Two people, or one person twice, at the same moment: one outcome, and everybody is told the truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.changes import quarantine
from tests.scenarios.pressing import button, form, heard, last_told, state, until
from tests.scenarios.stage import Stage, words

WRITES = ("Put", "Delete", "Attach", "Detach", "Create", "Set")


def written(aws: Aws) -> list[str]:
    """The writes that AWS took, in order."""
    return [c.operation for c in aws.calls if c.operation.startswith(WRITES) and c.status == 200]


def card_of(stage: Stage, ticket: int) -> dict[str, Any]:
    """A ticket's card, wherever it stands in the channel."""
    return next(
        m
        for m in stage.cards()
        if m["metadata"]["event_type"] == "iam_audit.ticket"
        and m["metadata"]["event_payload"]["id"] == ticket
    )


def flat(message: dict[str, Any]) -> str:
    """Its words with single spaces."""
    return " ".join(words(message).split())


def thread_of(stage: Stage, ticket: int) -> str:
    card = card_of(stage, ticket)
    return "\n".join(f"{words(m)} {m['text']}" for m in stage.slack.thread(story.SECURITY, card["ts"]))


def again(stage: Stage, command: str = "role DBAdminRole", **values: Any) -> None:
    """Another ticket from the newest result."""
    assert stage.ticket(command, **values)


Then = Callable[[Stage], None]


def nothing(_stage: Stage) -> None:
    """No restart between the presses and their effect."""


def restart(stage: Stage) -> None:
    """The process dies after both were acknowledged."""
    stage.restart()


BETWEEN = pytest.mark.parametrize("between", [nothing, restart])


# -- deciding ------------------------------------------------------------------------------------------------------


@BETWEEN
def test_two_approvers_at_once(writing: Stage, aws: Aws, between: Then) -> None:
    """The first starts the change; the second changes nothing and hears who was faster."""
    stage = writing
    stage.ticket()
    aws.calls.clear()
    for who in (story.CAROL, story.BOB):
        assert button(stage, "ticket.approve", 1, who, settle=False).ok
    between(stage)
    stage.settle()
    assert state(stage) == "applied"
    assert len(written(aws)) == len(set(written(aws))) == 2
    assert [r["user"] for r in stage.rows("SELECT user FROM approval")] == [story.CAROL]
    said = last_told(stage, story.BOB)
    assert "Too late: ticket 1" in said
    assert "Your click was not counted and changed nothing." in said
    assert not heard(stage, story.CAROL)


@BETWEEN
@pytest.mark.parametrize("first", ["approve", "reject"])
def test_approve_and_reject_at_once(writing: Stage, aws: Aws, first: str, between: Then) -> None:
    """Whichever was committed first is what happened; the other is told by name."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    presses = [
        lambda: button(stage, "ticket.approve", 1, story.CAROL, settle=False),
        lambda: form(stage, "ticket.reject", 1, story.BOB, reason="no", settle=False),
    ]
    for press in presses if first == "approve" else reversed(presses):
        assert press().ok
    between(stage)
    stage.settle()
    if first == "approve":
        assert state(stage) == "applied"
        assert "Too late: ticket 1" in last_told(stage, story.BOB)
        assert "rejected" not in thread_of(stage, 1)
        return
    assert state(stage) == "rejected"
    assert aws.state(story.PROD) == before
    said = last_told(stage, story.CAROL)
    assert "Too late: ticket 1 was rejected" in said
    assert f"<@{story.BOB}> rejected it" in said
    assert "Rejected" in words(card_of(stage, 1))


@BETWEEN
def test_cancel_and_approve_at_once(writing: Stage, aws: Aws, between: Then) -> None:
    """Its requester takes it back a moment before."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    button(stage, "ticket.cancel", 1, story.ALICE, settle=False)
    button(stage, "ticket.approve", 1, story.CAROL, settle=False)
    between(stage)
    stage.settle()
    assert state(stage) == "cancelled"
    assert aws.state(story.PROD) == before
    assert f"<@{story.ALICE}> cancelled it" in last_told(stage, story.CAROL)


@BETWEEN
def test_approved_and_cancelled_before_the_first_write(writing: Stage, aws: Aws, between: Then) -> None:
    """Approved, and while everything is read again its requester cancels: nothing is written."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    aws.knobs.job_polls = 5
    button(stage, "ticket.approve", 1, story.CAROL, settle=False)
    stage.beat()
    assert state(stage) == "approved"
    button(stage, "ticket.cancel", 1, story.ALICE, settle=False)
    between(stage)
    stage.settle()
    assert state(stage) == "cancelled"
    assert aws.state(story.PROD) == before
    assert "is unchanged." in thread_of(stage, 1)


def test_cancelling_while_it_is_written(writing: Stage, aws: Aws) -> None:
    """Too late: it is carried out to its end, and the requester hears that it is being applied."""
    stage = writing
    stage.ticket()
    pressed: list[str] = []

    def meanwhile(operation: str, phase: str) -> None:
        if operation == "DetachRolePolicy" and phase == "before" and not pressed:
            pressed.append(operation)
            button(stage, "ticket.cancel", 1, story.ALICE, settle=False)

    aws.hook = meanwhile
    stage.press("ticket.approve", user=story.CAROL)
    assert pressed
    assert state(stage) == "applied"
    assert "Too late: ticket 1 is" in last_told(stage, story.ALICE)


@BETWEEN
def test_approve_at_its_last_moment(writing: Stage, aws: Aws, between: Then) -> None:
    """Pressed a second before its day is over and decided a second after: expired, and said so."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    stage.now = stage.store.tickets.get(1).expires_at - timedelta(seconds=1)  # type: ignore[union-attr]
    stage.settle()
    assert state(stage) == "open"
    button(stage, "ticket.approve", 1, story.CAROL, settle=False)
    stage.now += timedelta(seconds=2)
    between(stage)
    stage.settle()
    assert state(stage) == "expired"
    assert aws.state(story.PROD) == before
    assert "Too late: ticket 1 has expired" in last_told(stage, story.CAROL)
    assert thread_of(stage, 1).count("Expired") == 1
    assert "Expired" in words(card_of(stage, 1))


def test_the_day_of_expiry(writing: Stage) -> None:
    """Seven days are seven days; the card and the thread say so once, also after a restart."""
    stage = writing
    stage.ticket()
    opened = stage.now
    stage.now = opened + timedelta(days=7) - timedelta(seconds=30)
    stage.settle()
    assert state(stage) == "open"
    stage.now += timedelta(seconds=60)
    stage.beat()
    stage.restart()
    stage.settle()
    assert state(stage) == "expired"
    assert "Expired" in words(card_of(stage, 1))
    assert "after 7 days with 0 of 1 approvals" in words(card_of(stage, 1))
    assert thread_of(stage, 1).count(":heavy_minus_sign:") == 1
    assert f"<@{story.ALICE}>" in thread_of(stage, 1)


def test_approving_on_time_is_on_time(writing: Stage, aws: Aws) -> None:
    """A ticket that was approved in time does not expire while it is checked."""
    stage = writing
    stage.ticket()
    aws.knobs.job_polls = 4
    stage.now = stage.store.tickets.get(1).expires_at - timedelta(seconds=1)  # type: ignore[union-attr]
    button(stage, "ticket.approve", 1, story.CAROL, settle=False)
    stage.beat()
    stage.now += timedelta(minutes=1)
    stage.settle()
    assert state(stage) == "applied"


# -- one press, twice ----------------------------------------------------------------------------------------------


@BETWEEN
@pytest.mark.parametrize("verb", ["approve", "cancel", "reject", "keep"])
def test_the_same_envelope_twice(writing: Stage, verb: str, between: Then) -> None:
    """Slack delivers again what was not acknowledged in time: one press, one line, no complaint."""
    stage = writing
    stage.ticket()
    if verb in {"reject", "keep"}:
        reply = form(stage, f"ticket.{verb}", 1, story.CAROL, settle=False)
    else:
        who = story.CAROL if verb == "approve" else story.ALICE
        reply = button(stage, f"ticket.{verb}", 1, who, settle=False)
    between(stage)
    assert stage.slack.redeliver(reply).ok
    stage.settle()
    assert stage.slack.redeliver(reply).ok
    stage.settle()
    assert len(stage.rows("SELECT id FROM press")) == 1
    assert [r["outcome"] for r in stage.rows("SELECT outcome FROM press")] == ["done"]
    assert len(stage.rows("SELECT id FROM keep")) == (verb == "keep")
    assert not stage.slack.ephemerals(story.CAROL)
    assert not stage.slack.ephemerals(story.ALICE)


@BETWEEN
def test_a_double_click(writing: Stage, aws: Aws, between: Then) -> None:
    """Two clicks of one hand: carried out once."""
    stage = writing
    stage.ticket()
    aws.calls.clear()
    for _ in range(2):
        button(stage, "ticket.approve", 1, story.CAROL, settle=False)
    between(stage)
    stage.settle()
    assert state(stage) == "applied"
    assert len(written(aws)) == 2
    assert len(stage.rows("SELECT * FROM approval")) == 1
    assert "Too late: ticket 1" in last_told(stage, story.CAROL)


@BETWEEN
def test_a_new_ticket_sent_twice(writing: Stage, between: Then) -> None:
    """The form is delivered again: one ticket."""
    stage = writing
    stage.say("role DBAdminRole")
    stage.open_form()
    reply = stage.send_form(reason={"value": "clean-up"})
    between(stage)
    assert stage.slack.redeliver(reply).ok
    stage.settle()
    assert len(stage.rows("SELECT id FROM ticket")) == 1


@BETWEEN
def test_roll_back_twice(writing: Stage, aws: Aws, between: Then) -> None:
    """Two approvers, both with the form open: it goes back once, and the second is told."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    stage.press("ticket.approve", user=story.CAROL)
    for who in (story.CAROL, story.BOB):
        form(stage, "ticket.rollback", 1, who, reason="it broke", settle=False)
    between(stage)
    stage.settle()
    assert state(stage) == "rolled_back"
    assert aws.state(story.PROD) == before
    assert "Too late: ticket 1" in last_told(stage, story.BOB)
    assert thread_of(stage, 1).count("asked for a roll back: 20 services") == 2  # its blocks and its text
    button(stage, "ticket.rollback", 1, story.BOB)
    view = stage.slack.view(story.BOB)
    assert view
    assert "submit" not in view
    assert "Too late: ticket 1 was rolled back" in words(view)


@BETWEEN
def test_retry_twice(writing: Stage, aws: Aws, between: Then) -> None:
    """The second write was refused once; two people press Retry: made once, and the second is told."""
    stage = writing
    stage.ticket()
    aws.fail("DetachRolePolicy", error="AccessDenied")
    aws.calls.clear()
    stage.press("ticket.approve", user=story.CAROL)
    assert state(stage) == "needs_human"
    for who in (story.CAROL, story.BOB):
        button(stage, "ticket.retry", 1, who, settle=False)
    between(stage)
    stage.settle()
    assert state(stage) == "applied"
    assert sorted(written(aws)) == ["DetachRolePolicy", "PutRolePolicy"]
    assert "Too late: ticket 1 is" in last_told(stage, story.BOB)


@BETWEEN
def test_retry_of_one_that_was_not_begun_twice(writing: Stage, aws: Aws, between: Then) -> None:
    """Approved, the first write refused; pressed by two: one change, the second hears that it runs."""
    stage = writing
    stage.ticket()
    aws.fail("PutRolePolicy", error="AccessDenied")
    stage.press("ticket.approve", user=story.CAROL)
    assert state(stage) == "approved"
    assert "Nothing was written" in words(card_of(stage, 1))
    aws.calls.clear()
    for who in (story.CAROL, story.BOB):
        button(stage, "ticket.retry", 1, who, settle=False)
    between(stage)
    stage.settle()
    assert state(stage) == "applied"
    assert len(written(aws)) == 2
    said = last_told(stage, story.BOB)
    assert "Ticket 1 is at work already." in said or "Too late: ticket 1" in said


# -- old cards -----------------------------------------------------------------------------------------------------


def test_a_card_of_two_years_ago(writing: Stage, aws: Aws) -> None:
    """Every button of it says what became of the ticket, and changes nothing."""
    stage = writing
    stage.ticket()
    stage.press("ticket.cancel")
    stage.now += timedelta(days=750)
    stage.restart()
    stage.settle()
    before = aws.state(story.PROD)
    for verb in ("approve", "retry"):
        button(stage, f"ticket.{verb}", 1, story.CAROL)
        assert "Too late: ticket 1 was cancelled" in last_told(stage, story.CAROL), verb
    for verb in ("reject", "rollback"):
        button(stage, f"ticket.{verb}", 1, story.CAROL)
        view = stage.slack.view(story.CAROL)
        assert view
        assert "Too late: ticket 1 was cancelled" in words(view)
        assert "submit" not in view
    button(stage, "ticket.diff", 1, story.CAROL)
    assert "Ticket 1" in thread_of(stage, 1) or "diff" in thread_of(stage, 1).casefold()
    assert state(stage) == "cancelled"
    assert aws.state(story.PROD) == before


@pytest.mark.parametrize("row", ["77", "0", "", "x", "-1", "1 OR 1=1", "9" * 40, "١"])
def test_a_card_of_another_database(writing: Stage, row: str) -> None:
    """A number that no ticket has: said, whichever button; nothing breaks."""
    stage = writing
    stage.ticket()
    for n, verb in enumerate(
        ("approve", "cancel", "retry", "reject", "keep", "rollback", "diff", "replan"), 1
    ):
        assert button(stage, f"ticket.{verb}", row, story.CAROL).ok
        assert heard(stage, story.CAROL) == n, verb
        assert "This card is older than the bot’s memory" in last_told(stage, story.CAROL), verb
    for verb in ("reject", "keep", "rollback"):
        reply = form(stage, f"ticket.{verb}", row, story.CAROL)
        assert reply.body
        assert reply.body["errors"] == {"reason": "This ticket is not known here."}
    assert not stage.rows("SELECT id FROM press")
    assert state(stage) == "open"


# -- two tickets ---------------------------------------------------------------------------------------------------


@BETWEEN
def test_two_tickets_for_one_role_at_once(writing: Stage, aws: Aws, between: Then) -> None:
    """Two people had the form open: the later one supersedes the earlier, whose approver hears it."""
    stage = writing
    stage.say("role DBAdminRole")
    stage.open_form(user=story.ALICE)
    stage.open_form(user=story.DAVE)
    for who in (story.ALICE, story.DAVE):
        stage.slack.submit(who, {"reason": {"value": "clean-up"}})
    between(stage)
    stage.settle()
    assert state(stage, 1) == "superseded"
    assert state(stage, 2) == "open"
    assert "Superseded by ticket 2" in flat(card_of(stage, 1))
    before = aws.state(story.PROD)
    button(stage, "ticket.approve", 1, story.CAROL)
    said = last_told(stage, story.CAROL)
    assert "Too late: ticket 1 was replaced" in said
    assert f"<@{story.DAVE}> replaced it" in said
    assert aws.state(story.PROD) == before
    button(stage, "ticket.approve", 2, story.CAROL)
    assert state(stage, 2) == "applied"


def test_the_form_warns_of_an_open_ticket(writing: Stage) -> None:
    """Opening another closes it, and its approvals do not carry over: said before."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    stage.ticket()
    stage.press("ticket.approve", user=story.CAROL)
    stage.say("role DBAdminRole")
    view = stage.open_form()
    alert = next(b for b in view["blocks"] if b["type"] == "alert")["text"]["text"]
    assert "Ticket 1 for DBAdminRole is open with 1 of 2 approvals." in alert
    stage.send_form(reason={"value": "again"})
    assert state(stage, 1) == "superseded"
    assert "Waiting for approval, 0 of 2" in words(card_of(stage, 2))


@BETWEEN
def test_two_changes_in_one_account_go_one_after_the_other(writing: Stage, aws: Aws, between: Then) -> None:
    """Both approved in the same second: the writes of one never stand between those of the other."""
    stage = writing
    stage.ticket()
    stage.ticket("role TestRole-DeleteLater")
    aws.calls.clear()
    for number in (1, 2):
        button(stage, "ticket.approve", number, story.CAROL, settle=False)
    between(stage)
    stage.settle()
    assert state(stage, 1) == "applied"
    assert state(stage, 2) == "applied"
    order = [
        r["ticket_id"] for r in stage.rows("SELECT ticket_id FROM step WHERE begun_at IS NOT NULL ORDER BY begun_at, id")
    ]  # fmt: skip
    assert order == sorted(order) or order == sorted(order, reverse=True)


def test_an_older_change_goes_back_after_the_newer(writing: Stage, aws: Aws) -> None:
    """Ticket 2 changed the same policy later: ticket 1's form and a form sent anyway say which goes first."""
    stage = writing
    before = aws.state(story.PROD)
    stage.say("role DBAdminRole")
    view = stage.open_form()
    some = {}
    for block in view["blocks"]:
        if block.get("block_id") in {"edit", "detach"}:
            options = block["element"]["options"]
            picked = options[:2] if block["block_id"] == "edit" else []
            some[block["block_id"]] = {"selected_options": picked}
    stage.send_form(reason={"value": "two of them"}, **some)
    button(stage, "ticket.approve", 1, story.CAROL)
    again(stage)
    button(stage, "ticket.approve", 2, story.CAROL)
    assert state(stage, 1) == state(stage, 2) == "applied", words(stage.card())
    standing = aws.state(story.PROD)
    button(stage, "ticket.rollback", 1, story.CAROL)
    view = stage.slack.view(story.CAROL)
    assert view
    assert "submit" not in view
    form(stage, "ticket.rollback", 1, story.CAROL)
    assert "Roll ticket 2 back first, then this one." in last_told(stage, story.CAROL)
    assert aws.state(story.PROD) == standing
    form(stage, "ticket.rollback", 2, story.CAROL)
    form(stage, "ticket.rollback", 1, story.CAROL)
    assert state(stage, 1) == state(stage, 2) == "rolled_back"
    assert aws.state(story.PROD) == before


# -- keeps ---------------------------------------------------------------------------------------------------------


@BETWEEN
def test_keep_on_an_open_ticket(writing: Stage, aws: Aws, between: Then) -> None:
    """Superseded by one without the service, asked for by the keeper, with no approvals; the keeper cannot approve it."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    stage.ticket()
    stage.press("ticket.approve", user=story.CAROL)
    form(stage, "ticket.keep", 1, story.BOB, services=("athena",), reason="yearly job", settle=False)
    between(stage)
    stage.settle()
    assert state(stage, 1) == "superseded"
    assert state(stage, 2) == "open"
    assert "Superseded by ticket 2" in flat(card_of(stage, 1))
    assert "Ticket 2 asks for the rest, and needs new approvals." in thread_of(stage, 1)
    assert "yearly job" in thread_of(stage, 1)
    shown = flat(card_of(stage, 2))
    assert "remove 19 of 25 services" in shown
    assert "Waiting for approval, 0 of 2" in shown
    assert f"Requested by <@{story.BOB}>" in shown
    button(stage, "ticket.approve", 2, story.BOB)
    assert "You may not approve your own ticket." in last_told(stage, story.BOB)
    stage.restart(iam_audit_approvals=1)
    button(stage, "ticket.approve", 2, story.CAROL)
    assert state(stage, 2) == "applied"
    inline = str(aws.state(story.PROD)["role/DBAdminRole"])
    assert "athena:*" in inline
    assert "redshift:*" not in inline
    stage.say("role DBAdminRole")
    assert "kept" in words(stage.card()).casefold()


def test_keep_of_a_service_that_the_ticket_does_not_take(writing: Stage) -> None:
    """The ticket stays open, with its approvals."""
    stage = writing
    stage.restart(iam_audit_approvals=2)
    stage.ticket()
    stage.press("ticket.approve", user=story.CAROL)
    form(stage, "ticket.keep", 1, story.DAVE, services=("dynamodb",))
    assert state(stage) == "open"
    assert len(stage.rows("SELECT id FROM ticket")) == 1
    assert "It changes nothing in this ticket." in thread_of(stage, 1)
    stage.press("ticket.approve", user=story.BOB)
    assert state(stage) == "applied"


def test_keep_everything(writing: Stage, aws: Aws) -> None:
    """Nothing is left to take: the ticket is just closed, and no other opens."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    form(stage, "ticket.keep", 1, story.DAVE)
    assert state(stage) == "superseded"
    assert len(stage.rows("SELECT id FROM ticket")) == 1
    assert "everything it would take is kept now" in words(card_of(stage, 1))
    assert "Nothing is left of ticket 1, so it is closed." in thread_of(stage, 1)
    stage.say("role DBAdminRole")
    view = stage.open_form(ts=stage.card()["ts"])
    alert = next(b for b in view["blocks"] if b["type"] == "alert")["text"]["text"]
    assert "Nothing can go safely from DBAdminRole" in alert
    assert f"kept by <@{story.DAVE}>" in flat(view)
    assert aws.state(story.PROD) == before


def test_keep_by_an_owner_who_may_not_audit(writing: Stage) -> None:
    """The owner is no auditor: what they keep is kept, and the ticket for the rest opens all the same."""
    stage = writing
    stage.restart(iam_audit_auditors=story.ALICE)
    stage.ticket()
    form(stage, "ticket.keep", 1, story.DAVE, services=("athena",))
    assert state(stage, 1) == "superseded"
    assert state(stage, 2) == "open", last_told(stage, story.DAVE)
    assert "You may not audit here" not in last_told(stage, story.DAVE)


@BETWEEN
def test_keep_on_an_approved_ticket_before_its_first_write(writing: Stage, aws: Aws, between: Then) -> None:
    """The last look finds the keep: stopped, nothing written."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    aws.knobs.job_polls = 5
    button(stage, "ticket.approve", 1, story.CAROL, settle=False)
    stage.beat()
    assert state(stage) == "approved"
    form(stage, "ticket.keep", 1, story.DAVE, services=("athena",), settle=False)
    stage.beat()
    between(stage)
    stage.settle()
    assert state(stage) == "drifted"
    assert aws.state(story.PROD) == before
    assert "The last look finds this, and nothing is written." in thread_of(stage, 1)
    assert "athena" in words(card_of(stage, 1))


def test_keep_on_an_applied_ticket(writing: Stage, aws: Aws) -> None:
    """It stays removed, and that is said."""
    stage = writing
    stage.ticket()
    stage.press("ticket.approve", user=story.CAROL)
    after = aws.state(story.PROD)
    form(stage, "ticket.keep", 1, story.DAVE, services=("athena",))
    assert state(stage) == "applied"
    assert aws.state(story.PROD) == after
    assert "What is removed already stays removed: Roll back gives it back." in thread_of(stage, 1)


def test_keep_on_a_quarantine(writing: Stage, aws: Aws) -> None:
    """A quarantine takes everything, so what is kept stops it, and the words are true."""
    stage = writing
    quarantine(stage)
    before = aws.state(story.PROD)
    stage.slack.state.groups[story.APPROVERS]["users"] = [story.CAROL]
    form(stage, "ticket.keep", 1, story.CAROL, services=("s3",))
    assert state(stage, 1) == "superseded", words(card_of(stage, 1))
    assert "It changes nothing in this ticket." not in thread_of(stage, 1)
    assert aws.state(story.PROD) == before


@pytest.mark.parametrize(
    ("days", "fine"), [(-1, False), (0, True), (1, True), (365, True), (367, False), (5000, False)]
)
def test_until_when(writing: Stage, days: int, fine: bool) -> None:
    """A keep ends on a day of the coming year."""
    stage = writing
    stage.ticket()
    reply = form(stage, "ticket.keep", 1, story.DAVE, day=until(stage, days), services=("athena",))
    assert bool(stage.rows("SELECT id FROM keep")) == fine
    if not fine:
        assert reply.body
        assert reply.body["errors"] == {"until": "A day from tomorrow to one year from now."}
    empty = form(stage, "ticket.keep", 1, story.DAVE, reason="   ", services=("redshift",))
    assert empty.body
    assert empty.body["errors"] == {"reason": "Say why, in a few words."}


def test_a_keep_shows_and_ends(writing: Stage) -> None:
    """In the list, on the next card and form; ended by its number, once; and it ends by itself."""
    stage = writing
    stage.ticket()
    form(stage, "ticket.keep", 1, story.DAVE, services=("athena",), reason="yearly job")
    stage.say("keeps")
    shown = last_told(stage, story.ALICE)
    assert "1 keep stands" in shown
    stage.say("role DBAdminRole")
    view = stage.open_form(ts=stage.card()["ts"])
    assert "“yearly job”" in words(view)
    stage.slack.close_view(story.ALICE)
    stage.slack.command(story.DAVE, story.SECURITY, "keep end 1")
    stage.settle()
    assert "Keep 1 is ended" in last_told(stage, story.DAVE)
    stage.slack.command(story.DAVE, story.SECURITY, "keep end 1")
    stage.settle()
    assert "There is no keep 1. Nothing was changed." in last_told(stage, story.DAVE)
    stage.say("keeps")
    assert "No keep stands." in last_told(stage, story.ALICE)
    stage.say("role DBAdminRole")
    assert "“yearly job”" not in words(stage.open_form(ts=stage.card()["ts"]))


def test_a_keep_ends_by_itself(writing: Stage) -> None:
    """After its day nothing stays because of it."""
    stage = writing
    stage.ticket()
    form(stage, "ticket.keep", 1, story.DAVE, services=("athena",), day=until(stage, 2))
    stage.now += timedelta(days=4)
    stage.settle()
    stage.say("keeps")
    assert "No keep stands." in last_told(stage, story.ALICE)
    stage.slack.command(story.DAVE, story.SECURITY, "keep end 1")
    stage.settle()
    assert "There is no keep 1." in last_told(stage, story.DAVE)


# -- advice --------------------------------------------------------------------------------------------------------


def test_advice(writing: Stage, aws: Aws) -> None:
    """Without a write role: no Approve, the diff is there by itself, and nothing is ever written."""
    stage = writing
    stage.restart(iam_audit_write_role="")
    card = stage.ticket()
    before = aws.state(story.PROD)
    actions = [e["action_id"] for b in card["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert "ticket.approve" not in actions
    assert "ticket.diff" in actions
    assert "this installation never writes to AWS" in words(card)
    assert stage.thread()
    aws.calls.clear()
    button(stage, "ticket.approve", 1, story.CAROL)
    assert "Ticket 1 is advice: nothing was written." in last_told(stage, story.CAROL)
    assert state(stage) == "open"
    assert aws.state(story.PROD) == before
    assert not written(aws)
    assert "AssumeRole" not in aws.operations()


def test_advice_carried_out_by_hand(writing: Stage, aws: Aws) -> None:
    """Somebody does what it says; the next audit sees it, also after a restart; half of it is not it."""
    stage = writing
    stage.restart(iam_audit_write_role="")
    stage.ticket()
    made = stage.store.tickets.get(1)
    assert made
    assert made.plan
    iam = aws.client("iam", story.PROD)
    edits = {e.policy: e for e in made.plan.edits}
    iam.put_role_policy(
        RoleName="DBAdminRole",
        PolicyName="db-admin-inline",
        PolicyDocument=edits["db-admin-inline"].after,
    )
    stage.say("role DBAdminRole fresh")
    assert state(stage) == "open"
    iam.detach_role_policy(RoleName="DBAdminRole", PolicyArn="arn:aws:iam::aws:policy/AmazonRDSFullAccess")
    stage.restart()
    stage.say("role DBAdminRole fresh")
    assert state(stage) == "applied"
    shown = card_of(stage, 1)
    assert "by hand: an audit found the policies as this ticket proposed" in words(shown)
    actions = [e["action_id"] for b in shown["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert actions == ["ticket.diff", "ticket.evidence"]
    button(stage, "ticket.rollback", 1, story.CAROL)
    stage.slack.close_view(story.CAROL)
    form(stage, "ticket.rollback", 1, story.CAROL)
    assert "Ticket 1 is advice: nothing was written." in last_told(stage, story.CAROL)
    assert state(stage) == "applied"


def test_advice_expires_too(writing: Stage) -> None:
    """Nobody did it in its days."""
    stage = writing
    stage.restart(iam_audit_write_role="")
    stage.ticket()
    stage.now += timedelta(days=8)
    stage.settle()
    assert state(stage) == "expired"
    assert "approvals" not in thread_of(stage, 1)


# -- a keep whose rest comes to nothing ----------------------------------------------------------------------------


def test_the_rest_beside_a_keep_comes_to_nothing(writing: Stage, aws: Aws) -> None:
    """What is left cannot be planned any more: no card names a ticket that is not there."""
    stage = writing
    stage.ticket()
    form(stage, "ticket.keep", 1, story.CAROL, services=("athena",), settle=False)
    assert stage.bot
    stage.bot.intake.decide(stage.store.presses.due(stage.now)[0])
    aws.fail("GetRole", error="AccessDenied", times=None)
    stage.settle()
    assert state(stage, 1) == "superseded"
    assert state(stage, 2) == "void"
    assert "No ticket was opened for DBAdminRole" in last_told(stage, story.CAROL)
    assert "by ticket 2" not in flat(card_of(stage, 1))
    assert "Ticket 2 asks for the rest" not in thread_of(stage, 1)
    assert "everything it would take is kept now" not in flat(card_of(stage, 1))


@pytest.mark.parametrize("verb", ["retry", "rollback"])
def test_retry_and_roll_back_at_once(writing: Stage, aws: Aws, verb: str) -> None:
    """It stopped half way; one goes on and another goes back in the same second: the first one pressed is done."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    aws.fail("DetachRolePolicy", error="AccessDenied")
    stage.press("ticket.approve", user=story.CAROL)
    presses = [
        lambda: button(stage, "ticket.retry", 1, story.CAROL, settle=False),
        lambda: form(stage, "ticket.rollback", 1, story.BOB, settle=False),
    ]
    for press in presses if verb == "retry" else reversed(presses):
        press()
    stage.restart()
    stage.settle()
    late = story.BOB if verb == "retry" else story.CAROL
    assert "Too late: ticket 1" in last_told(stage, late)
    assert state(stage) == ("applied" if verb == "retry" else "rolled_back")
    assert (aws.state(story.PROD) == before) == (verb == "rollback")


def test_roll_back_while_an_audit_runs(writing: Stage, aws: Aws) -> None:
    """An audit that was under way when the change went back tells what is there after it, once it is asked anew."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    stage.press("ticket.approve", user=story.CAROL)
    aws.knobs.job_polls = 3
    stage.slack.command(story.ALICE, story.SECURITY, "role DBAdminRole")
    form(stage, "ticket.rollback", 1, story.BOB)
    assert state(stage) == "rolled_back"
    assert aws.state(story.PROD) == before
    stage.say("role DBAdminRole")
    assert "2 of 25 services used" in words(stage.card())


def test_the_role_is_made_anew_while_a_ticket_waits(writing: Stage, aws: Aws) -> None:
    """Of the same name and yet another: nothing is written to it."""
    stage = writing
    stage.ticket("role TestRole-DeleteLater")
    iam = aws.client("iam", story.PROD)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
    iam.delete_role_policy(RoleName="TestRole-DeleteLater", PolicyName="test")
    iam.delete_role(RoleName="TestRole-DeleteLater")
    iam.create_role(RoleName="TestRole-DeleteLater", AssumeRolePolicyDocument=json.dumps(trust))
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*", "sns:*", "sqs:*"], "Resource": "*"}]}  # fmt: skip
    iam.put_role_policy(RoleName="TestRole-DeleteLater", PolicyName="test", PolicyDocument=json.dumps(allow))
    before = aws.state(story.PROD)
    button(stage, "ticket.approve", 1, story.CAROL)
    assert state(stage) == "drifted", words(card_of(stage, 1))
    assert aws.state(story.PROD) == before


def test_twenty_presses_in_threads(writing: Stage, aws: Aws) -> None:
    """Real threads at the door: every press is committed once, one of them counts, all others are told."""
    stage = writing
    stage.ticket()
    aws.calls.clear()
    people = [story.CAROL, story.BOB] * 10
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda who: button(stage, "ticket.approve", 1, who, settle=False), people))
    assert all(r.ok for r in replies)
    stage.settle()
    assert state(stage) == "applied"
    assert len(written(aws)) == 2
    assert len(stage.rows("SELECT user FROM approval")) == 1
    outcomes = [r["outcome"] for r in stage.rows("SELECT outcome FROM press ORDER BY id")]
    assert len(outcomes) == 20
    assert outcomes.count("done") == 1
    assert set(outcomes) == {"done", "late"}
    assert heard(stage, story.CAROL) + heard(stage, story.BOB) == 19


def test_presses_and_workers_in_threads(writing: Stage, aws: Aws) -> None:
    """The product with its own threads: approve, reject and cancel race; one outcome, and IAM agrees with it."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    stage.restart(lanes=True)
    ways = [
        lambda: button(stage, "ticket.approve", 1, story.CAROL, settle=False),
        lambda: form(stage, "ticket.reject", 1, story.BOB, settle=False),
        lambda: button(stage, "ticket.cancel", 1, story.ALICE, settle=False),
    ]
    with ThreadPoolExecutor(3) as pool:
        assert all(f.result().ok for f in [pool.submit(w) for w in ways])
    until = time.monotonic() + 20
    while stage.pending() and time.monotonic() < until:
        stage.beat()
        stage.now += timedelta(seconds=0.5)
        time.sleep(0.05)
    assert not stage.pending()
    ends = state(stage)
    assert ends in {"applied", "rejected", "cancelled"}
    assert (aws.state(story.PROD) == before) == (ends != "applied")
    outcomes = [r["outcome"] for r in stage.rows("SELECT outcome FROM press")]
    assert min(outcomes) == "done"
    if ends != "cancelled":
        assert outcomes.count("done") == 1
    stage.restart(lanes=False)
