"""What a ticket says of its hold: how it is planned, which day it is, what stopped it, how it ends. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from advisor.core.hold import also_stops, held_since, held_until, standing_hold, still_denied
from advisor.core.model import Kind
from advisor.core.removal import TOGETHER, Hold, StepState, TicketState
from advisor.core.standing import remaining
from handlers.blocks import kit, words
from handlers.blocks import ticket_words as told
from handlers.blocks.kit import Part
from handlers.blocks.ticket_view import TicketView

S = TicketState

LEAD = "Held first: "

_HIDDEN = 3
"""Things that no event tells of that are named in the small print."""


def days(hold: Hold) -> str:
    """7 quiet days"""
    return words.some(hold.days, "quiet day")


def is_held(view: TicketView) -> bool:
    """Whether the journal says that the hold stands in AWS now."""
    return standing_hold(view.plan, remaining(view.plan, view.entries)) is not None


def laying(view: TicketView) -> bool:
    """Whether the run under way is the one that lays the hold."""
    return view.plan.hold is not None and view.ticket.state is S.APPLYING and view.ticket.run == 1


def lifting(view: TicketView) -> bool:
    """Whether all that goes back is a hold: nothing was rewritten."""
    hold = view.plan.hold
    if hold is None or view.plan.quarantine:
        return False
    mine = {(s.operation, s.name) for s in view.plan.steps}
    return not any((e.step.operation, e.step.name) in mine for e in view.entries if not e.back and e.run > 1)


def line(view: TicketView, limit: int) -> str:
    """What the hold is, before it is laid; empty where there is none. `limit` is what the caution may take."""
    hold = view.plan.hold
    if hold is None:
        return ""
    if view.plan.quarantine:
        return f"{days(hold)} of watching before it counts as done; any attempt stops that and asks"
    if not limit:
        return f"denied for {days(hold)} before it changes"
    kind = "managed policy" if hold.arn else "inline policy"
    said = f"{hold.name}, one {kind}, denies just what goes for {days(hold)}; then the policies change and it is lifted"
    caution = cautions(view)
    return f"{said}. {caution}" if caution and len(caution) <= limit else said


def cautions(view: TicketView) -> str:
    """What a hold stops that the removal itself would not; empty where nothing of the kind is held."""
    hold = view.plan.hold
    if hold is None or view.plan.quarantine:
        return ""
    found = also_stops(hold.denied)
    parts = [f"grants by resources’ own policies ({told.names(found, 80)})"] if found else []
    if view.entity.kind is Kind.GROUP:
        parts.append("what members have from elsewhere")
    return f"Meanwhile it also stops {' and '.join(parts)}" if parts else ""


def ended(view: TicketView) -> str:
    """What became of the hold of a ticket that drifted; empty where none was laid."""
    if view.plan.hold is None or not any(e.state is StepState.DONE for e in view.entries):
        return ""
    return "its hold is gone with it" if is_held(view) else "its hold is lifted"


def headline(view: TicketView) -> str:
    """19 of 25 services of DBAdminRole are held"""
    if view.plan.quarantine:
        return f"{view.name} is quarantined, and watched"
    denied = still_denied(view.plan, view.ticket.given)
    services = sum(d.endswith(":*") for d in denied)
    parts = [f"{services:,} of {words.some(view.plan.granted, 'service')}"] if services else []
    parts += [words.some(len(denied) - services, "action")] if len(denied) > services else []
    return f"{' and '.join(parts)} of {view.name} {'is' if len(denied) == 1 else 'are'} held"


def nth(view: TicketView) -> tuple[int, int]:
    """Which day of how many; the last one where it waits for a person beyond them."""
    hold, since = view.plan.hold, held_since(view.plan, view.entries)
    if hold is None or since is None:
        return 0, 0
    return min(hold.days, max(0, (view.now - since).days) + 1), hold.days


def until(view: TicketView) -> datetime:
    """When its quiet days are over."""
    return held_until(view.plan, view.entries) or view.now


def state(view: TicketView) -> list[Any]:
    """Which day it is and what comes next; what was given back since."""
    day, of = nth(view)
    ticket = view.ticket
    failure = ticket.failure
    if view.ticket.asks:
        rest: list[Part] = [
            kit.text(" · somebody tried what is held. Nothing changes before a person says so")
        ]
        lines = [_line("raised_hand", f"Held, day {day} of {of}, stopped", *rest)]
    elif ticket.by and ticket.next_at and ticket.next_at <= view.now:
        rest = [kit.text(" by "), kit.person(ticket.by), kit.text(" · reading policies and use again first")]
        lines = [_line("hourglass_flowing_sand", f"Held, day {day} of {of}, ending now", *rest)]
    elif failure and ticket.next_at:
        rest = [
            kit.text(" · the last look failed; the bot tries again "),
            kit.date(ticket.next_at, time=True),
        ]
        lines = [_line("hourglass_flowing_sand", f"Held, day {day} of {of}", *rest)]
    else:
        verb = "counts as done" if view.plan.quarantine else "the policies change"
        rest = [kit.text(f" · {verb} "), kit.date(until(view), time=True), kit.text(" if nobody tries it")]
        lines = [_line("hourglass_flowing_sand", f"Held, day {day} of {of}", *rest)]
    if ticket.given:
        lines.append(_given(view))
    return lines


def _given(view: TicketView) -> Any:
    hold = view.plan.hold
    back = (len(hold.denied) if hold else 0) - len(still_denied(view.plan, view.ticket.given))
    left = len(still_denied(view.plan, view.ticket.given))
    rest = kit.text(f": {told.names(view.ticket.given, 120)} · {left:,} still held")
    return _line("leftwards_arrow_with_hook", f"{back:,} given back", rest)


def _line(icon: str, word: str, *more: Part) -> Any:
    return kit.section(kit.emoji(icon), kit.text(f" {word}", bold=True), *more)


def now(view: TicketView) -> str:
    """What AWS has at this moment."""
    hold = view.plan.hold
    if hold is None:
        return ""
    if view.plan.quarantine:
        return "AWSDenyAll is attached, so it is denied everything. Its policies are as they were."
    denied = still_denied(view.plan, view.ticket.given)
    noun = "service" if all(d.endswith(":*") for d in denied) else "entry"
    count = words.some(len(denied), noun, "entries" if noun == "entry" else "")
    return f"{hold.name} denies {count}, read back. No other policy was changed."


def stay_whole(view: TicketView) -> tuple[str, ...]:
    """The policies that go only whole, and stay because something of theirs was given back."""
    given = set(view.ticket.given)
    return tuple(e.policy for e in view.plan.edits if e.treatment in TOGETHER and given & {*e.out, e.policy})


def note(view: TicketView) -> str:
    """The small print."""
    if view.ticket.asks:
        return "One approver decides: finish all the same, or roll back, which lifts the hold by one call."
    return f"Roll back lifts the hold by one call. {_watching(view)}"


def _watching(view: TicketView) -> str:
    """How attempts are heard of, and which are not: Access Advisor does not list what a Deny takes away."""
    looks = [x for x in (view.watch.seen if view.watch else None, view.replay) if x is not None]
    if not looks:
        return "Nobody looks for attempts: IAM_AUDIT_WATCH_DAYS and IAM_AUDIT_REPLAY_SECONDS are 0."
    not_asked = next((x.not_asked for x in looks if x.not_asked), "")
    if not_asked:
        return f"Attempts are not seen: not asked, {kit.clip(not_asked, kit.NAME)} is not allowed."
    said = "An attempt that CloudTrail logs stops the change and asks a person."
    hidden = next((x.unseen for x in looks if x.unseen), ())
    more = f" and {len(hidden) - _HIDDEN:,} more" if len(hidden) > _HIDDEN else ""
    shown = ", ".join(kit.clip(h, kit.NAME) for h in hidden[:_HIDDEN])
    return f"{said} Not visible: {shown}{more}." if hidden else said


def text(view: TicketView) -> str:
    """The state in a sentence or two."""
    day, of = nth(view)
    what = f"day {day} of {of}: {headline(view)} {view.where}"
    if view.ticket.asks:
        first = kit.clip(view.ticket.moved[0].name, 60) if view.ticket.moved else "something"
        return f"is held and waits for a person, {what}. {first} was tried. Finish and Roll back are offered."
    then = "It counts as done" if view.plan.quarantine else "The policies change"
    return f"is held, {what}. {then} {kit.minute(until(view))} if nobody tries it."


def asks_finish(view: TicketView) -> tuple[str, str]:
    """Title and text of the dialog before a hold ends."""
    title = f"Finish the hold of ticket {view.ticket.id}?"
    where = f"{view.name} in {kit.clip(words.account_word(view.account), 24)}"
    day, of = nth(view)
    left = f"Day {day} of {of}. " if not view.ticket.asks else "What was tried stays denied. "
    does = (
        "It counts as done"
        if view.plan.quarantine
        else f"The policies of {where} change now, the hold goes last"
    )
    return (
        title,
        f"{left}{does}. All is read again first; if anything moved, nothing is rewritten and the hold is lifted.",
    )


EVENTS = {
    "held": ("hourglass_flowing_sand", "Held"),
    "attempted": ("raised_hand", "Held, stopped"),
    "loosened": ("warning", "Moved"),
    "lifted": ("leftwards_arrow_with_hook", "Hold lifted"),
    "narrowed": ("leftwards_arrow_with_hook", "Partly back"),
}
"""What happens to a hold that no person pressed: the emoji and the word of its line."""


def event(view: TicketView, what: str) -> tuple[str, str, str]:
    """One line of the thread: emoji, word, and the sentence."""
    here = f"{view.name} {view.where}"
    quiet = days(view.plan.hold) if view.plan.hold else ""
    given = told.names(view.ticket.given, 200) or "a part"
    said = {
        "held": f"{headline(view)} {view.where}, for {quiet}. {now(view)}",
        "attempted": f"somebody tried what is held of {here}. Nothing is rewritten before an approver says so.",
        "loosened": f"{here} is not as it was when the plan was made. The hold is being lifted; nothing is rewritten.",
        "lifted": f"{here} has everything that was held. Nothing else was written.",
        "narrowed": f"{here} has back: {given}. The rest is held on.",
    }
    return (*EVENTS[what], said[what])


def document(view: TicketView) -> str:
    """The text of the hold; empty where there is none of its own."""
    hold = view.plan.hold
    return (hold.lay[0].after or "") if hold else ""
