"""The first lines of a ticket’s card: the answer as a sentence, what it waits for, who decided and when. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from advisor.core.removal import TicketState
from handlers.blocks import kit, words
from handlers.blocks import ticket_hold as hold
from handlers.blocks import ticket_steps as steps
from handlers.blocks import ticket_words as told
from handlers.blocks.kit import Part
from handlers.blocks.ticket_view import TicketView, approver_parts

S = TicketState

_ICON = {
    S.REJECTED: "no_entry",
    S.CANCELLED: "no_entry",
    S.EXPIRED: "heavy_minus_sign",
    S.SUPERSEDED: "heavy_minus_sign",
}


def headline(view: TicketView) -> str:
    """The answer as a sentence."""
    number, name = f"Ticket {view.ticket.id}", view.name
    match view.ticket.state:
        case S.OPEN | S.APPROVED | S.APPLYING:
            advice = " (advice)" if view.ticket.advice else ""
            return f"{number}{advice}: {told.asks(view)}"
        case S.HELD:
            return f"{number}: {hold.headline(view)}"
        case S.APPLIED:
            return f"{number}: {told.did(view)}"
        case S.ROLLING_BACK:
            return f"{number}: giving {what_back(view)} back to {name}"
        case S.ROLLED_BACK:
            return f"{number}: {name} has {its(view)} back"
        case S.DRIFTED:
            lifted = hold.ended(view)
            return f"{number}: stopped{f', {lifted}' if lifted else ' before writing anything'}"
        case S.NEEDS_HUMAN if is_back(view):
            return f"{number}: roll back stopped, {name} is part restored"
        case S.NEEDS_HUMAN:
            return f"{number}: stopped half way, {name} is part changed"
        case _:
            return f"{number} removed nothing from {name}"


def what_back(view: TicketView) -> str:
    """What a way back gives: 19 services, or what a person chose of it."""
    if view.ticket.wanted:
        return words.some(len(view.ticket.wanted), "thing")
    return told.whose(view)


def its(view: TicketView) -> str:
    """its 19 services"""
    what = told.whose(view)
    return what if view.plan.quarantine or not what[0].isdigit() else f"its {what}"


def is_back(view: TicketView) -> bool:
    """Whether the run that stopped was the way back; a run without a step is one whose look failed."""
    return any(e.back for e in view.run) or not view.run


def state(view: TicketView, limit: int) -> list[Any]:
    """What it waits for, until when; who decided. `limit` is for AWS’s own words."""
    first, *more = _lines(view, limit)
    return [kit.rich(first), *([kit.rich(*more)] if more else [])]


def _lines(view: TicketView, limit: int) -> list[Any]:
    """What it waits for, until when; who decided."""
    match view.ticket.state:
        case S.OPEN:
            return _waiting(view)
        case S.APPROVED:
            return _approved(view, limit)
        case S.APPLYING:
            verb = "Laying the hold" if hold.laying(view) else "Applying"
            return [line("hourglass_flowing_sand", f"{verb}, {step_of(view)}", kit.text(" · "), *_by(view))]
        case S.HELD:
            return hold.state(view)
        case S.APPLIED:
            return _applied(view)
        case S.ROLLING_BACK:
            tail = [kit.text(" · "), *_decided(view)]
            if view.ticket.moved:
                return [line("warning", f"Moved: lifting the hold, {step_of(view)}")]
            return [line("hourglass_flowing_sand", f"Rolling back, {step_of(view)}", *tail)]
        case S.ROLLED_BACK:
            back = [kit.text(" "), kit.date(view.ticket.changed_at, time=True), *_person(view)]
            end = kit.text(" · every document equals the saved one")
            return [line("leftwards_arrow_with_hook", "Rolled back", *back, end)]
        case S.DRIFTED:
            lifted = hold.ended(view)
            lifted = f"nothing was rewritten, {lifted}" if lifted else "nothing was written"
            ended: list[Part] = [
                kit.text(f" · {lifted} · "),
                kit.date(view.ticket.changed_at, time=True),
            ]
            return [line("warning", "Moved since the plan was made", *ended)]
        case S.NEEDS_HUMAN:
            return [_needs_person(view)]
        case _:
            return [_closed(view)]


def line(icon: str, word: str, *more: Part) -> Any:
    """An emoji, the word that says the same, and the rest."""
    return kit.section(kit.emoji(icon), kit.text(f" {word}", bold=True), *more)


def _waiting(view: TicketView) -> list[Any]:
    if view.ticket.advice:
        rest = kit.text(" · this installation never writes to AWS, so there is no Approve button")
        return [line("raised_hand", "For a person to carry out", rest)]
    more: list[Part] = [kit.text(" · ")]
    for one in view.approvals[:3]:
        more += [kit.person(one.user), kit.text(" approved "), kit.date(one.at, time=True), kit.text(" · ")]
    if view.approvals:
        left = view.needed - len(view.approvals)
        more.append(kit.text(f"{'one' if left == 1 else left} more of "))
    more += approver_parts(view)
    for n, who in enumerate(view.ticket.requesters[:2]):
        more += [kit.text(" or " if n else ", not "), kit.person(who)]
    more += [kit.text(" · until "), kit.date(view.ticket.expires_at, time=True)]
    return [line("raised_hand", f"Waiting for approval, {count(view)}", *more)]


def count(view: TicketView) -> str:
    """1 of 2"""
    return f"{len(view.approvals)} of {view.needed}"


def not_begun(view: TicketView) -> bool:
    """Whether an approved ticket waits for a person to try again."""
    return view.ticket.state is S.APPROVED and view.ticket.failure is not None and view.ticket.next_at is None


def _approved(view: TicketView, limit: int) -> list[Any]:
    failure = view.ticket.failure
    if failure and not_begun(view):
        lines = [
            line(
                "warning", "Approved, not begun", kit.text(f" · {steps.failed(failure)}. Nothing was written")
            ),
            kit.section(kit.text("What helps: ", bold=True), kit.text(steps.helped(failure))),
        ]
        if failure.message and limit:
            lines += [kit.section(kit.text("AWS’s own words:")), kit.quote(failure.message, limit)]
        return lines
    more: list[Part] = [kit.text(" · ")]
    for n, one in enumerate(view.approvals[:3]):
        more += [kit.text(" and ")] if n else []
        more += [kit.person(one.user), kit.text(" "), kit.date(one.at, time=True)]
    rest = " · reading policies and use again. Nothing is written yet"
    if failure:
        rest = f" · {steps.failed(failure)}; the bot tries again. Nothing is written yet"
    return [
        line("white_check_mark", f"Approved, {count(view)}", *more),
        line("hourglass_flowing_sand", "Checking first", kit.text(rest)),
    ]


def step_of(view: TicketView) -> str:
    """step 2 of 3"""
    return f"step {steps.at_step(view.run)} of {len(view.run)}" if view.run else "reading what stands first"


def _by(view: TicketView) -> list[Part]:
    """Approved by carol and bob."""
    out: list[Part] = [kit.text("approved by ")] if view.approvals else []
    for n, one in enumerate(view.approvals[:4]):
        out += [*([kit.text(" and ")] if n else []), kit.person(one.user)]
    return out


def _person(view: TicketView) -> list[Part]:
    return [kit.text(" by "), kit.person(view.ticket.by)] if view.ticket.by else []


def _decided(view: TicketView) -> list[Part]:
    """Carol 26 Nov 2026 08:15"""
    who: list[Part] = [kit.person(view.ticket.by), kit.text(" ")] if view.ticket.by else []
    return [*who, kit.date(view.ticket.changed_at, time=True)]


def by_hand(view: TicketView) -> bool:
    """Whether an applied ticket was advice that somebody carried out."""
    return view.ticket.advice and not view.entries


def _applied(view: TicketView) -> list[Any]:
    when: list[Part] = [kit.text(" "), kit.date(_applied_at(view), time=True), kit.text(" · ")]
    if by_hand(view):
        found = kit.text("by hand: an audit found the policies as this ticket proposed")
        return [line("white_check_mark", "Applied", *when, found)]
    lines = [line("white_check_mark", "Applied", *when, *_by(view))]
    if view.ticket.given:
        given, left = view.ticket.given, len(told.lost(view))
        # what goes back whole is named by its policy, and counted by its services
        back = len(view.plan.services) - left or len(given)
        rest: list[Part] = [
            kit.text(f": {told.names(given, 120)}, {'by ' if view.ticket.by else ''}"),
            *_decided(view),
            kit.text(f" · {left:,} stay removed"),
        ]
        lines.append(line("leftwards_arrow_with_hook", f"{back:,} given back", *rest))
    return lines


def _applied_at(view: TicketView) -> datetime:
    ahead = [e.settled_at for e in view.entries if not e.back and e.settled_at]
    return max(ahead) if ahead and view.ticket.given else view.ticket.changed_at


def _needs_person(view: TicketView) -> Any:
    back = "roll back stopped" if is_back(view) else "stopped"
    at = f" at {step_of(view)}" if view.run else " before its first step"
    more: list[Part] = [
        kit.text(f" · {back}{at}, "),
        kit.date(view.ticket.changed_at, time=True),
        kit.text(" · "),
    ]
    return line("rotating_light", "Needs a person", *more, *approver_parts(view))


def _closed(view: TicketView) -> Any:
    ticket = view.ticket
    at = kit.date(ticket.changed_at, time=True)
    match ticket.state:
        case S.EXPIRED:
            days = words.some(max(1, (ticket.expires_at - ticket.created_at).days), "day")
            rest = "" if ticket.advice else f" with {count(view)} approvals"
            more: list[Part] = [kit.text(" "), at, kit.text(f" after {days}{rest}")]
        case S.SUPERSEDED if ticket.other_id:
            more = [kit.text(f" by ticket {ticket.other_id} · "), *_decided(view)]
        case S.SUPERSEDED if ticket.failure:
            more = [kit.text(" · a ticket for the rest could not be opened · "), *_decided(view)]
        case S.SUPERSEDED:
            more = [kit.text(" · everything it would take is kept now · "), *_decided(view)]
        case _:
            more = [*_person(view), kit.text(" "), at]
    return line(_ICON.get(ticket.state, "heavy_minus_sign"), ticket.state.value.capitalize(), *more)
