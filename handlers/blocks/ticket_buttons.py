"""The buttons of a ticket’s card and their dialogs, by its state. Pure."""

from __future__ import annotations

from typing import Any

from slack_sdk.models.blocks.basic_components import ConfirmObject

from advisor.core.removal import TicketState
from handlers.blocks import kit, words
from handlers.blocks import ticket_hold as hold
from handlers.blocks import ticket_state as status
from handlers.blocks import ticket_steps as steps
from handlers.blocks import ticket_words as told
from handlers.blocks.ticket_view import TicketView

S = TicketState


def row(view: TicketView, *, brief: bool = False) -> list[Any]:
    """The decision first, then looking closer; an ended ticket has none that could change it."""
    evidence = kit.button("Evidence", "ticket.evidence", view.ticket.id)
    return [*_of_state(view, brief=brief), evidence]


def _of_state(view: TicketView, *, brief: bool) -> list[Any]:
    ticket = view.ticket
    diff = kit.button("Show the diff", "ticket.diff", ticket.id)
    back = kit.button("Roll back…", "ticket.rollback", ticket.id, style="danger")
    match ticket.state:
        case S.OPEN if ticket.advice:
            looked = kit.button("Show the diff", "ticket.diff", ticket.id, style="primary")
            return [looked, _keep(view), _cancel(view, brief=brief)]
        case S.OPEN:
            reject = kit.button("Reject…", "ticket.reject", ticket.id)
            return [approve(view), reject, diff, _keep(view), _cancel(view, brief=brief)]
        case S.APPROVED if status.not_begun(view):
            return [_retry(view), diff, _cancel(view, brief=brief)]
        case S.HELD:
            return [_finish(view), back, diff]
        case S.APPLIED:
            return [diff] if status.by_hand(view) else [diff, back]
        case S.NEEDS_HUMAN:
            return [_retry(view), *([] if status.is_back(view) else [back]), diff]
        case S.REJECTED | S.CANCELLED | S.ROLLED_BACK:
            return [diff, _again(view)]
        case S.EXPIRED:
            return [diff, _again(view, "primary")]
        case S.DRIFTED:
            return [_again(view, "primary"), diff]
        case _:
            return [diff]


def _keep(view: TicketView) -> Any:
    return kit.button("Keep, because…", "ticket.keep", view.ticket.id)


def _again(view: TicketView, style: str | None = None) -> Any:
    return kit.button("Plan again…", "ticket.replan", view.ticket.id, style=style)


def dialog(title: str, text: str, yes: str, no: str, *, writes: bool = False) -> ConfirmObject:
    """Slack's own question before a click acts."""
    return ConfirmObject(
        title=kit.plain(title, 100),
        text=kit.plain(text, 300),
        confirm=kit.plain(yes, 30),
        deny=kit.plain(no, 30),
        style="danger" if writes else None,
    )


def approve(view: TicketView, action_id: str = "ticket.approve") -> Any:
    """Asks in a dialog that says whether this approval is the last one."""
    ticket = view.ticket
    nth = len(view.approvals) + 1
    last = nth >= view.needed
    if last:
        which = "only" if view.needed == 1 else "last"
        starts = f"the hold of {hold.days(view.plan.hold)}" if view.plan.hold else "the change"
        end = f"Yours is the {which} approval needed: {starts} starts at once. All is read again first; if anything moved, nothing is written."
    else:
        more = "approval 2" if view.needed == 2 else f"approval {view.needed}"
        end = f"Yours is approval {nth} of {view.needed}: nothing is written before {more}."
    text = f"{_takes(view, 299 - len(end))} {end}"
    asks = dialog(
        f"Approve ticket {ticket.id}?",
        text,
        ("Approve and hold" if view.plan.hold else "Approve and change") if last else "Approve",
        "Not yet",
        writes=last,
    )
    return kit.button("Approve", action_id, ticket.id, style="primary", confirm=asks)


def _takes(view: TicketView, limit: int) -> str:
    """What goes, from whom, as a sentence or two that fits in a dialog."""
    where = f"{view.name} in {kit.clip(words.account_word(view.account), 24)}"
    if view.plan.quarantine:
        return kit.clip(f"Denies everything to {where}; its policies stay.", limit)
    reach = told.reach(view, 0)
    first = f"Takes {told.whose(view)} from {where}"
    if not (view.plan.services or view.plan.actions):
        first = f"Changes {words.some(len(view.plan.edits), 'policy', 'policies')} of {where}"
    tails = [f". {reach[0]}."] if reach else [f": {told.how(view, 's')}.", "."]
    full = next((first + t for t in tails if len(first + t) <= limit), f"{first}.")
    return kit.clip(full, limit)


def _cancel(view: TicketView, *, brief: bool) -> Any:
    number = view.ticket.id
    text = "Its requester or an admin may. Nothing was changed and nothing will be."
    text += "" if brief else " A new ticket can be opened at any time."
    asks = dialog(f"Cancel ticket {number}?", text, "Cancel the ticket", "Leave it open")
    return kit.button("Cancel", "ticket.cancel", number, confirm=asks)


def _finish(view: TicketView) -> Any:
    """Ends a hold early, or goes on although somebody tried what is held."""
    title, text = hold.asks_finish(view)
    label = "Finish all the same" if view.ticket.asks else "Finish now"
    asks = dialog(title, text, "Finish and change", "Not yet", writes=True)
    return kit.button(label, "ticket.finish", view.ticket.id, style="danger", confirm=asks)


def _retry(view: TicketView) -> Any:
    """Asks and names the step."""
    number, here = view.ticket.id, steps.at_step(view.run)
    where = f"{view.name} in {kit.clip(words.account_word(view.account), 24)}"
    if view.ticket.state is S.APPROVED:
        title, label = f"Retry ticket {number}?", "Retry"
        does = (
            f"Denies everything to {where}"
            if view.plan.quarantine
            else f"Takes {told.whose(view)} from {where}"
        )
        text = f"{does}. All is read again first; if anything moved, nothing is written."
    elif status.is_back(view):
        title, label = (
            f"Retry step {here} of the roll back?" if view.run else "Retry the roll back?",
            f"Retry step {here}" if view.run else "Retry",
        )
        step = (
            steps.sentence(steps.step(view.run[here - 1]))
            if view.run
            else f"Gives back what ticket {number} took"
        )
        text = f"{step}, of {where}, but only if it is again what ticket {number} left."
    else:
        title, label = f"Retry step {here} of ticket {number}?", f"Retry step {here}"
        text = f"{steps.sentence(steps.step(view.run[here - 1]))}, of {where}, then goes on. All is read again first; if anything moved, nothing is written."
    asks = dialog(title, text, "Retry and change", "Not yet", writes=True)
    return kit.button(label, "ticket.retry", number, style="danger", confirm=asks)
