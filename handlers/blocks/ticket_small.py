"""What a notification says of a ticket, and the small print of its card, by its state. Pure."""

from __future__ import annotations

from advisor.core.removal import TicketState
from handlers.blocks import kit, words
from handlers.blocks import ticket_hold as hold
from handlers.blocks import ticket_state as status
from handlers.blocks import ticket_steps as steps
from handlers.blocks import ticket_words as told
from handlers.blocks.ticket_view import TicketView

S = TicketState


_NOTE = {
    S.APPLYING: "If a step cannot be confirmed, the bot stops here and says so. A restart of the bot loses nothing.",
    S.ROLLING_BACK: "Only what still equals the change is undone. If a step cannot be confirmed, the bot stops here and says so.",
    S.ROLLED_BACK: "The next audit judges these services afresh. “Keep, because…” on a new ticket protects what is needed.",
    S.DRIFTED: "The bot does not know who changed it; CloudTrail does. “Plan again” makes a new ticket that needs new approvals.",
}


def note(view: TicketView, *, brief: bool = False) -> str:
    """What this rests on, what it cannot do, what comes next."""
    report = f"Rests on the report of {kit.minute(view.report_at)}"
    match view.ticket.state:
        case S.OPEN if view.ticket.advice:
            rest = f"Closes by itself {kit.minute(view.ticket.expires_at)}."
            return f"{report}. The thread has the new documents to copy into your own tooling. {rest}"
        case S.OPEN | S.APPROVED:
            rest = "Before writing, the bot reads everything again; if anything moved or was used, it writes nothing."
            return f"{report}{_proof(view)}" + ("" if brief else f" {rest}")
        case S.HELD:
            return hold.note(view)
        case S.DRIFTED if hold.ended(view):
            return "Nothing is denied any more. “Plan again” makes a new ticket that needs new approvals."
        case S.APPLIED:
            return _note_applied(view)
        case S.NEEDS_HUMAN:
            either = "" if status.is_back(view) else " for either"
            return f"One approver is enough{either}. Nothing happens by itself."
        case S.SUPERSEDED if view.ticket.other_id:
            return (
                f"Nothing was changed. Approvals given here do not count for ticket {view.ticket.other_id}."
            )
        case state:
            return _NOTE.get(state, "Nothing was changed. This ticket can no longer be approved.")


def _note_applied(view: TicketView) -> str:
    if status.by_hand(view):
        return "The bot wrote nothing, so it has nothing to roll back."
    if view.ticket.given:
        return "Roll back gives back the rest, or more of it."
    if view.plan.quarantine:
        return "Roll back detaches AWSDenyAll: one step, nothing else was changed."
    return "Roll back gives back the very text that was there, as long as nobody else has changed these policies."


def _proof(view: TicketView) -> str:
    asked = any(c.asks for c in view.plan.asked)
    if view.plan.quarantine or asked or not (view.plan.services or view.plan.actions):
        return ". A yearly job would look just like this." if view.plan.quarantine else "."
    count = len(view.plan.services) + len(view.plan.actions)
    return f": no attempt at these {count:,} in up to 400 days."


def text(view: TicketView) -> str:
    """The whole result in a sentence or three: no reason, tag or path."""
    ticket, here = view.ticket, f"{view.name} {view.where}"
    match ticket.state:
        case S.OPEN:
            said = _text_open(view)
        case S.APPROVED if ticket.failure and status.not_begun(view):
            why = steps.failed(ticket.failure)
            said = f"is approved but not begun: {why}. Nothing was written to {here}. Retry is offered."
        case S.APPROVED:
            what = f"{told.asks(view)} {view.where}"
            said = f"is approved, {status.count(view)}, and starts now: {what}. Nothing is written yet."
        case S.APPLYING:
            said = f"is being applied, {status.step_of(view)}: {here}."
        case S.HELD:
            said = hold.text(view)
        case S.APPLIED:
            said = _text_applied(view)
        case S.ROLLING_BACK:
            said = f"is being rolled back, {status.step_of(view)}: {status.what_back(view)} to {here}."
        case S.NEEDS_HUMAN:
            said = _text_stuck(view)
        case _:
            said = _text_ended(view, here)
    return f"Ticket {ticket.id} {said}"


def _text_open(view: TicketView) -> str:
    what = f"{told.asks(view)} {view.where}"
    if view.ticket.advice:
        return f"is advice: it would {what}. This installation never writes to AWS, so nobody can approve it."
    reach = told.reach(view, 0)
    more = f" {reach[0]}." if reach else ""
    until = f"Expires {kit.minute(view.ticket.expires_at)}."
    return f"waits for approval, {status.count(view)}: {what}, by {told.how(view, 'ing')}.{more} {until}"


_MOVED = {"used": "was used after the plan was made", "called": "was called, as CloudTrail has it"}


def _text_ended(view: TicketView, here: str) -> str:
    ticket, other = view.ticket, view.ticket.other_id
    match ticket.state:
        case S.ROLLED_BACK:
            return (
                f"is rolled back: {here} has {status.its(view)} back, every document equal to the saved one."
            )
        case S.DRIFTED:
            first = kit.clip(ticket.moved[0].name, 60) if ticket.moved else "something"
            more = f" and {len(ticket.moved) - 1} more" if len(ticket.moved) > 1 else ""
            what = _MOVED.get(ticket.moved[0].what if ticket.moved else "", "moved after the plan was made")
            end = "Nothing was written. Plan again is offered."
            lifted = hold.ended(view)
            if lifted:
                return f"stopped: {first}{more} of {here} {what}; {lifted}. Nothing else was written."
            return f"stopped before writing: {first}{more} of {here} {what}. {end}"
        case S.SUPERSEDED if other:
            rest = f"approvals of ticket {ticket.id} do not count for {other}"
            return f"is replaced by ticket {other}: {here} is unchanged, and {rest}."
        case S.EXPIRED:
            rest = "" if ticket.advice else f" with {status.count(view)} approvals"
            return f"expired{rest}: {here} is unchanged."
        case state:
            return f"was {'closed' if state is S.SUPERSEDED else state.value}: {here} is unchanged."


def _text_applied(view: TicketView) -> str:
    if status.by_hand(view):
        return f"is applied by hand: {told.did(view, view.where)}, as an audit found. The bot wrote nothing."
    if view.ticket.given:
        left = words.some(len(told.lost(view)), "service")
        back = f"{told.names(view.ticket.given, 50)} given back to {view.name} {view.where}"
        return f"is partly back: {back}; the other {left} stay removed. Roll back stays available."
    if view.plan.quarantine:
        rest = "It is denied everything; its policies are untouched. Roll back stays available."
        return f"is applied: {view.name} {view.where} is quarantined. {rest}"
    done = f"{told.did(view, view.where)}, read back and equal to the plan"
    return f"is applied: {done}. Roll back stays available."


def _text_stuck(view: TicketView) -> str:
    back = status.is_back(view)
    verb = "rolling back stopped" if back else "it stopped"
    at = f" at {status.step_of(view)}" if view.run else ""
    now = steps.right_now(view, back=back)
    ways = "Retry" if back else "Retry or roll back"
    return f"needs a person: {verb}{at} for {view.name} {view.where}. Right now {now} {ways}."
