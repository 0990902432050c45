"""handlers.blocks.ticket_answers and ticket_private: the thread, the owner, lists, and why a press did nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from advisor.core.model import Account, Failure
from advisor.core.removal import Keep, Kept, Press, TicketState, Verb
from handlers.blocks import ticket_answers, ticket_private
from handlers.blocks.kit import Message
from handlers.blocks.ticket_view import TicketView
from tests.drawn import nodes, strings
from tests.ticket_views import CARDS, PLANS, approved, checked, opened
from tests.views import ALIAS, HOSTILE, LONG, PROD
from tests.worlds import ACCOUNT, NOW, entity

S = TicketState
EVENTS = ("expired", "not_begun", "moved", "nothing_written", "stuck", "finished", "back", "given")
WORDS = (
    "not_approver own twice not_requester not_owner late begun advice running until blocked:14 unknown "
    "guest foreign deactivated bot auditor and_what_nobody_knows blocked:EVIL"
).split()
OPEN = opened(view={"approvals": approved(1)})


def of(plan: str) -> list[TicketView]:
    """One plan in every state."""
    return [view for name, view in CARDS.items() if name.startswith(f"{plan}:")]


def press(verb: Verb = Verb.APPROVE, **more: Any) -> Press:
    """Bob's click."""
    return Press(5, 12, verb, "U0BOB000001", "C1", NOW, **more)


def lines(message: Message) -> str:
    """Everything that can be read on it."""
    out = []
    for leaf in nodes(checked(message)["blocks"]):
        out.append(str(leaf.get("user_id") or leaf.get("usergroup_id") or leaf.get("fallback") or ""))
        out.append(leaf["text"] if isinstance(leaf.get("text"), str) else "")
    return "".join(out)


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("plan", PLANS)
def test_every_decision_has_its_line(plan: str, verb: Verb) -> None:
    """One line, the person in it; the reason as a quote and never in `text`."""
    for view in of(plan):
        _decision(view, verb)


def _decision(view: TicketView, verb: Verb) -> None:
    made = press(verb, words=HOSTILE, services=("s3", "EVIL" * 40), until=NOW + timedelta(days=60))
    payload = checked(ticket_answers.said(view, made))
    assert "U0BOB000001" in strings(payload)
    assert not [n for n in nodes(payload) if n.get("type") == "button"]
    assert "~EVIL~" not in payload["text"]


@pytest.mark.parametrize("what", EVENTS)
@pytest.mark.parametrize("plan", PLANS)
def test_every_event_has_its_line(plan: str, what: str) -> None:
    """In the thread, and (some) to the owner."""
    for view in of(plan):
        _event(view, what)


def _event(view: TicketView, what: str) -> None:
    payload = checked(ticket_answers.event(view, what))
    groups = {n["usergroup_id"] for n in nodes(payload) if n.get("type") == "usergroup"}
    assert groups == ({"S0APPROVERS"} if what in {"stuck", "not_begun", "nothing_written"} else set())
    if what == "finished":
        assert "U0ALICE0001" in strings(payload)
    checked(ticket_answers.owner(view, what))


@pytest.mark.parametrize("plan", PLANS)
def test_an_owner_can_keep(plan: str) -> None:
    """What is planned about the entity that names them, and the way to say no."""
    payload = checked(ticket_answers.owner(CARDS[f"{plan}:open_0"], "opened"))
    ids = [n["action_id"] for n in nodes(payload) if n.get("type") == "button"]
    assert ids == ["ticket.keep", "ticket.diff"]
    assert "names you as its owner" in payload["text"]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("verb", Verb)
def test_every_outcome_has_its_answer(verb: Verb, word: str) -> None:
    """Of every card that is small, shared or hostile; it has no button, and is for one person alone."""
    for view in (*of("small"), *of("shared"), *of("hostile")):
        message = ticket_private.answer(view, press(verb, outcome=word))
        payload = checked(message)
        assert not [n for n in nodes(payload) if n.get("type") == "button"]
        assert "Only you see this." in " ".join(strings(payload))
        assert "EVIL" not in payload["text"] or view.name.startswith("EVIL")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            press(),
            ":white_check_mark: Approved, 1 of 2, by U0CAROL0001. Nothing is written before approval 2.",
        ),
        (
            press(Verb.REJECT, words="Year-end close."),
            "U0BOB000001 rejected ticket 12. DBAdminRole in prod is unchanged.Reason: Year-end close.",
        ),
        (press(Verb.CANCEL), "U0BOB000001 cancelled ticket 12. DBAdminRole in prod is unchanged."),
        (
            press(Verb.ROLLBACK, services=("redshift",)),
            "asked for a roll back: redshift, to DBAdminRole in prod.",
        ),
        (press(Verb.RETRY), "asked for a retry. Everything is read again first"),
    ],
)
def test_a_thread_line_word_for_word(made: Press, said: str) -> None:
    """As in the design."""
    made = replace(made, user="U0CAROL0001") if made.verb is Verb.APPROVE else made
    assert said.removeprefix(":white_check_mark: ") in lines(ticket_answers.said(OPEN, made))


@pytest.mark.parametrize(
    ("state", "more", "said"),
    [
        (S.SUPERSEDED, {"other_id": 14}, "Ticket 14 asks for the rest, and needs new approvals."),
        (S.SUPERSEDED, {}, "Nothing is left of ticket 12, so it is closed."),
        (S.SUPERSEDED, {"other_id": 14, "by": "U0EVE000001"}, "It changes nothing in this ticket."),
        (S.APPROVED, {}, "The last look finds this, and nothing is written."),
        (S.APPLIED, {}, "What is removed already stays removed: Roll back gives it back."),
        (S.REJECTED, {}, "It changes nothing in this ticket."),
    ],
)
def test_a_keep_says_what_it_does_to_the_ticket(state: TicketState, more: dict[str, Any], said: str) -> None:
    """Services, day, reason, consequence."""
    made = press(Verb.KEEP, services=("redshift",), until=NOW + timedelta(days=60), words="Yearly close")
    text = lines(ticket_answers.said(opened(state=state, **more), made))
    assert "Kept: redshift for DBAdminRole, by U0BOB000001, until 23 Jan 2027. " + said in text
    assert "Reason: Yearly close" in text


@pytest.mark.parametrize(
    ("word", "verb", "said"),
    [
        (
            "not_approver",
            Verb.APPROVE,
            "You may not approve ticket 12: you are not an approver. Nothing was changed.",
        ),
        (
            "own",
            Verb.APPROVE,
            "You opened ticket 12, so 1 other person of the approvers must approve it. You may cancel it.",
        ),
        ("twice", Verb.APPROVE, "You have approved ticket 12 already. It stands at 1 of 2."),
        (
            "late",
            Verb.APPROVE,
            "Too late: ticket 12 was rejected at 24 Nov 2026 10:32 UTC. Your click was not counted and changed nothing.",
        ),
        ("blocked:14", Verb.ROLLBACK, "Roll ticket 14 back first, then this one."),
        ("guest", Verb.APPROVE, "Guests may not use IAM Audit."),
    ],
)
def test_an_answer_word_for_word(word: str, verb: Verb, said: str) -> None:
    """What a notification says."""
    view = opened(state=S.REJECTED, by="U0EVE000001") if word == "late" else OPEN
    assert said in ticket_private.answer(view, press(verb, outcome=word)).text
    if word == "late":
        assert "U0EVE000001 rejected it, 24 Nov 2026 10:32 UTC." in lines(
            ticket_private.answer(view, press(verb, outcome=word))
        )


@pytest.mark.parametrize(
    "code",
    "nothing refuted disputed gone recreated thinned refused throttled unreachable busy invalid expired report_failed what".split(),
)
@pytest.mark.parametrize("text", ["", HOSTILE, LONG])
def test_no_ticket_says_why(code: str, text: str) -> None:
    """And what would help; nothing was changed."""
    failure = Failure(code, "iam:GetRole", text, ACCOUNT, text, "req", 3)
    message = ticket_private.void(text or "DBAdminRole", Account(ACCOUNT, ALIAS if text else "prod"), failure)
    assert "Nothing was changed." in checked(message)["text"]
    checked(ticket_private.void(text or "R", None, replace(failure, call="")))


def test_no_ticket_names_what_stays_and_why() -> None:
    """A line per reason; a stranger's name is only a name; broken words are no error."""
    message = json.dumps(
        [
            ["lambda", "DBTools", "shared"],
            ["sqs", "DBTools", "shared"],
            ["s3", HOSTILE, "size"],
            ["*", "AWSDenyAll", "attachments"],
        ]
    )
    text = lines(ticket_private.void("DBAdminRole", PROD, Failure("nothing", message=message)))
    assert "lambda, sqs (also granted by the shared policy DBTools)" in text
    assert "everything (no room for one more policy, beside AWSDenyAll)" in text
    for kept in Kept:
        lines(
            ticket_private.void("R", PROD, Failure("nothing", message=json.dumps([["s3", "P", kept.value]])))
        )
    for broken in ("[[1]]", "{", '[["a", "b", "c"]]', "7", "[]"):
        assert "can be taken away as AWS stands now" in lines(
            ticket_private.void("R", PROD, Failure("nothing", message=broken))
        )


def test_tickets_are_a_table() -> None:
    """A row each; hostile names in cells only; many are counted."""
    rows = [
        CARDS["small:stuck"],
        CARDS["small:open_1"],
        CARDS["shared:open_0"],
        CARDS["hostile:open_0"],
        CARDS["small:advice"],
        CARDS["small:not_begun"],
    ]
    payload = checked(ticket_answers.tickets(rows))
    table = next(b for b in payload["blocks"] if b["type"] == "table")
    assert [c["text"] for c in table["rows"][1]] == [
        "12",
        "Needs a person",
        "DBAdminRole, prod",
        "19 services",
        "2 of 2",
        "–",
    ]
    assert [c["text"] for c in table["rows"][2]] == [
        "12",
        "Waiting",
        "DBAdminRole, prod",
        "19 services",
        "1 of 2",
        "2026-12-01 09:20",
    ]
    assert payload["text"].startswith("6 tickets are not finished: 12 needs a person, 12 waiting")
    many = checked(ticket_answers.tickets([CARDS["long:open_0"]] * 300, f"of {HOSTILE}"))
    assert "more are not shown" in " ".join(strings(many))
    assert ticket_answers.tickets([]).text == "There is no ticket that is not finished."


def test_keeps_are_a_table() -> None:
    """Whose word, until when, why; a reason only in its cell."""
    keep = Keep(5, 1, "kms", "U0DAVE00001", NOW + timedelta(days=68), "yearly key rotation", NOW)
    payload = checked(ticket_answers.keeps([(keep, entity(), PROD)]))
    assert payload["text"] == "1 keep stands: kms for DBAdminRole until 31 Jan 2027."
    table = next(b for b in payload["blocks"] if b["type"] == "table")
    assert [c.get("text") for c in table["rows"][1]] == [
        "5",
        "kms",
        "DBAdminRole, prod",
        None,
        "2027-01-31",
        "yearly key rotation",
    ]
    evil = replace(keep, service="", reason=LONG)
    many = checked(ticket_answers.keeps([(evil, entity(name=HOSTILE), Account(ACCOUNT, ALIAS))] * 300))
    assert "more are not shown" in " ".join(strings(many))
    assert checked(ticket_answers.keeps([]))["text"] == "No keep stands."
    for message in (
        ticket_private.keep_ended(evil, entity(name=HOSTILE), PROD),
        ticket_private.keep_refused(5),
        ticket_private.no_such("keep", 7),
        ticket_private.no_such("ticket", 7),
        ticket_private.old_button(12, 14),
    ):
        checked(message)
    assert "ticket 14 has replaced ticket 12" in ticket_private.old_button(12, 14).text


def test_every_plan_can_be_listed() -> None:
    """Whatever a plan takes."""
    for plan in PLANS.values():
        checked(ticket_answers.tickets([opened(plan)]))
