"""What a notification says of a ticket, and the small print of its card, by its state. Pure."""

from __future__ import annotations

from advisor.core.removal import TicketState
from handlers.blocks import kit, words
from handlers.blocks import ticket_state as status
from handlers.blocks import ticket_steps as steps
from handlers.blocks import ticket_words as told
from handlers.blocks.ticket_view import TicketView

S = TicketState


def note(view: TicketView) -> str:
    """What this rests on, what it cannot do, what comes next."""
    report = f"Rests on the report of {kit.minute(view.report_at)}"
    match view.ticket.state:
        case S.OPEN if view.ticket.advice:
            rest = f"The thread has the new documents to copy into your own tooling. Closes by itself {kit.minute(view.ticket.expires_at)}."
            return f"{report}. {rest}"
        case S.OPEN | S.APPROVED:
            return f"{report}{_proof(view)} Before writing, the bot reads everything again; if anything moved or was used, it writes nothing."
        case S.APPLYING:
            return "If a step cannot be confirmed, the bot stops here and says so. A restart of the bot loses nothing."
        case S.APPLIED if status.by_hand(view):
            return f"{report}. The bot wrote nothing, so it has nothing to roll back."
        case S.APPLIED if view.ticket.given:
            return "Roll back gives back the rest, or more of it."
        case S.APPLIED if view.plan.quarantine:
            return "Roll back detaches AWSDenyAll: one step, nothing else was changed."
        case S.APPLIED:
            return "Roll back gives back the very text that was there, as long as nobody else has changed these policies."
        case S.ROLLING_BACK:
            return "Only what still equals the change is undone. If a step cannot be confirmed, the bot stops here and says so."
        case S.ROLLED_BACK:
            return "The next audit judges these services afresh. “Keep, because…” on a new ticket protects what is needed."
        case S.DRIFTED:
            return "The bot does not know who changed it; CloudTrail does. “Plan again” makes a new ticket that needs new approvals."
        case S.NEEDS_HUMAN:
            either = "" if status.is_back(view) else " for either"
            return f"One approver is enough{either}. Nothing happens by itself."
        case S.SUPERSEDED if view.ticket.other_id:
            return (
                f"Nothing was changed. Approvals given here do not count for ticket {view.ticket.other_id}."
            )
        case _:
            return "Nothing was changed. This ticket can no longer be approved."


def _proof(view: TicketView) -> str:
    asked = any(c.asks for c in view.plan.asked)
    if view.plan.quarantine or asked:
        return ". A yearly job would look just like this." if view.plan.quarantine else "."
    count = len(view.plan.services) + len(view.plan.actions)
    return f": no attempt at these {count:,} in up to 400 days."


def text(view: TicketView) -> str:
    """The whole result in a sentence or three: no reason, tag or path."""
    ticket, number = view.ticket, f"Ticket {view.ticket.id}"
    here = f"{view.name} {view.where}"
    what = f"{told.asks(view)} {view.where}"
    match ticket.state:
        case S.OPEN if ticket.advice:
            return f"{number} is advice: it would {what}. This installation never writes to AWS, so nobody can approve it."
        case S.OPEN:
            reach = told.reach(view, 0)
            more = f" {reach[0]}." if reach else ""
            return f"{number} waits for approval, {status.count(view)}: {what}, by {told.how(view, 'ing')}.{more} Expires {kit.minute(ticket.expires_at)}."
        case S.APPROVED if ticket.failure and status.not_begun(view):
            return f"{number} is approved but not begun: {steps.failed(ticket.failure)}. Nothing was written to {here}. Retry is offered."
        case S.APPROVED:
            return (
                f"{number} is approved, {status.count(view)}, and starts now: {what}. Nothing is written yet."
            )
        case S.APPLYING:
            return f"{number} is being applied, {status.step_of(view)}: {here}."
        case S.APPLIED:
            return _text_applied(view)
        case S.ROLLING_BACK:
            return (
                f"{number} is being rolled back, {status.step_of(view)}: {status.what_back(view)} to {here}."
            )
        case S.ROLLED_BACK:
            return f"{number} is rolled back: {here} has {status.its(view)} back, every document equal to the saved one."
        case S.DRIFTED:
            moved = words.some(max(1, len(ticket.moved)), "thing")
            return f"{number} stopped before writing: {moved} of {here} moved after the plan was made. Nothing was written. Plan again is offered."
        case S.NEEDS_HUMAN:
            return _text_stuck(view)
        case S.SUPERSEDED if ticket.other_id:
            return f"{number} is replaced by ticket {ticket.other_id}: {here} is unchanged, and approvals of ticket {ticket.id} do not count for {ticket.other_id}."
        case S.EXPIRED:
            return f"{number} expired with {status.count(view)} approvals: {here} is unchanged."
        case _:
            return f"{number} was {'closed' if ticket.state is S.SUPERSEDED else ticket.state.value}: {here} is unchanged."


def _text_applied(view: TicketView) -> str:
    number = f"Ticket {view.ticket.id}"
    if status.by_hand(view):
        return f"{number} is applied by hand: {told.did(view)} {view.where}, as an audit found. The bot wrote nothing."
    if view.ticket.given:
        left = len(told.lost(view))
        return f"{number}: {len(view.ticket.given)} given back to {view.name} {view.where}; the other {words.some(left, 'service')} stay removed."
    if view.plan.quarantine:
        return f"{number} is applied: {view.name} {view.where} is quarantined. It is denied everything; its policies are untouched. Roll back stays available."
    return f"{number} is applied: {told.did(view)} {view.where}, read back and equal to the plan. Roll back stays available."


def _text_stuck(view: TicketView) -> str:
    back = status.is_back(view)
    verb = "rolling back stopped" if back else "it stopped"
    at = f" at {status.step_of(view)}" if view.run else ""
    ways = "Retry" if back else "Retry or roll back"
    return f"Ticket {view.ticket.id} needs a person: {verb}{at}, {view.name} {view.where}. Right now {steps.right_now(view, back=back)} {ways}."
