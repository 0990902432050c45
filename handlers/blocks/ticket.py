"""The card of a ticket by its state: what it takes from whom, who decided, what AWS has now, what can be done. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from advisor.core.model import Kind
from advisor.core.policy import trusted
from advisor.core.removal import Entry, StepState, TicketState
from handlers.blocks import kit, words
from handlers.blocks import ticket_buttons as buttons
from handlers.blocks import ticket_hold as hold
from handlers.blocks import ticket_proof as proof
from handlers.blocks import ticket_replay as replay
from handlers.blocks import ticket_small as small
from handlers.blocks import ticket_state as status
from handlers.blocks import ticket_steps as steps
from handlers.blocks import ticket_watch as watch
from handlers.blocks import ticket_words as told
from handlers.blocks.kit import Message
from handlers.blocks.ticket_view import TicketView

S = TicketState


@dataclass(frozen=True, slots=True)
class Room:
    """How many characters the parts of a card may have: one screen holds them all."""

    reason: int = kit.REASON
    edits: int = 420
    names: int = 400
    stays: int = 360
    more: int = 300
    reach: int = 300
    name: int = kit.NAME  # of a policy
    own: int = kit.NAME  # a tag or path
    note: bool = True  # the last line in full


_ROOMS = (
    Room(),
    Room(400, 320, 260, 240, 200, 220, 40),
    Room(240, 220, 160, 140, 140, 180, 40),
    Room(120, 160, 100, 90, 100, 120, 32, 40),
    Room(80, 100, 60, 60, 60, 90, 32, 32, note=False),
    Room(40, 90, 30, 0, 0, 30, 16, 12, note=False),
)
"""From roomy to narrow; the first that fits is drawn."""

SCREEN = 1580
"""Characters of one screen, those of the dialogs included."""


def card(view: TicketView) -> Message:
    """The card of a ticket, by its state."""
    for room in _ROOMS:
        message = Message(small.text(view), _blocks(view, room))
        if _weight(message.payload()["blocks"]) < SCREEN:
            break
    return message


def minimal(view: TicketView) -> Message:
    """The card in plain words with its buttons, for a Slack that refuses the full one."""
    note = "Slack refused the full card, so this is the short one. “Show the diff” has everything."
    return Message(
        small.text(view),
        [kit.rich(kit.section(kit.text(small.text(view)))), kit.actions(*buttons.row(view)), kit.small(note)],
    )


def _weight(node: Any) -> int:
    if isinstance(node, dict):
        own = node.get("text")
        return (len(own) if isinstance(own, str) else 0) + sum(map(_weight, node.values()))
    return sum(map(_weight, node)) if isinstance(node, list) else 0


def _blocks(view: TicketView, room: Room) -> list[Any]:
    match view.ticket.state:
        case S.OPEN | S.APPROVED:
            middle = [*_warned(view, room), _whose(view, room), *_reason(view, room), _plan(view, room)]
        case S.APPLYING | S.ROLLING_BACK:
            middle = [_steps(view), *_words(view, room), _whose(view, room)]
        case S.HELD:
            middle = [_whose(view, room), _held(view, room)]
        case S.APPLIED:
            middle = [_whose(view, room), _changed(view, room)]
        case S.ROLLED_BACK:
            middle = [*_words(view, room), _whose(view, room), _given_back(view)]
        case S.DRIFTED:
            middle = [_moved(view, room), _whose(view, room)]
        case S.NEEDS_HUMAN:
            middle = [_steps(view), _now(view, room), _whose(view, room)]
        case _:
            middle = [*_words(view, room), _whose(view, room), kit.rich(kit.section(kit.text(_would(view))))]
    head = [kit.header(kit.clip(status.headline(view), 150)), *status.state(view, room.more)]
    return [
        *head,
        *middle,
        *([kit.small(watched)] if (watched := watch.line(view, room.more)) else []),
        kit.actions(*buttons.row(view, brief=not room.note)),
        kit.small(small.note(view, brief=not room.note)),
    ]


# -- what it is about ----------------------------------------------------------------------------------------------


def _whose(view: TicketView, room: Room) -> Any:
    """Kind and account with its number, requester, owner."""
    line = f"{words.kind_of(view.entity)} in {words.account_name(view.account)}"
    if view.entity.path not in {"", "/"}:
        line += f", path {kit.clip(view.entity.path, room.own)}"
    ticket = view.ticket
    who = " and ".join(f"<@{u}>" for u in ticket.requesters[:3])
    parts: list[Any] = [
        kit.plain(line, 200),
        kit.fixed(f"Requested by {who}, {kit.token(ticket.created_at)}"),
    ]
    if ticket.owner:
        parts.append(kit.fixed(f"Owner <@{ticket.owner}>"))
    elif view.owner_tag:
        tag = kit.clip(view.owner_tag, room.own)
        parts.append(kit.plain(f"Owner tag, as written: “{tag}” (no such person in Slack)"))
    elif view.entity.kind in {Kind.ROLE, Kind.USER}:
        parts.append(kit.plain(f"Owner unknown: no tag “{view.owner_key}”", 200))
    return kit.context(*parts)


def _reason(view: TicketView, room: Room) -> list[Any]:
    """Why it was asked for, in the requester's words."""
    return [_quoted(view.ticket.reason, room)] if view.ticket.reason else []


def _words(view: TicketView, room: Room) -> list[Any]:
    """Why it was rejected or rolled back, in that person's words."""
    return [_quoted(view.ticket.words, room)] if view.ticket.words else []


def _quoted(value: str, room: Room) -> Any:
    said = kit.quote(value, room.reason)
    said.elements.insert(0, kit.text("Reason: ", bold=True))
    return kit.rich(said)


def _warned(view: TicketView, room: Room) -> list[Any]:
    """What has to be read before approving: who else is reached, and that code manages it."""
    lines = []
    reach = told.reach(view, room.reach)
    if reach:
        lines.append(status.line("warning", reach[0], kit.text(reach[1])))
    if view.managed_by:
        rest = f" (tag {kit.clip(view.managed_by, room.own)}): the next deployment may put it back; change it there too"
        lines.append(status.line("warning", "Managed by code", kit.text(rest)))
    return [kit.rich(*lines)] if lines else []


def _plan(view: TicketView, room: Room) -> Any:
    """What goes, what stays, and what a person decided."""
    plan, noun = view.plan, view.entity.kind.value
    alone = view.entity.kind in {Kind.ROLE, Kind.USER} and not told.reach(view, room.reach)
    lead = f"What changes, one {noun}, nobody else" if alone else "What changes"
    lines = [_verb(line) for line in _edits(view, room)]
    lines += [_verb(line) for line in told.pruned(view, room.name)[:2]]
    if plan.quarantine:
        rest = "every permission it has is denied. Its policies, trust policy and tags stay as they are"
        lines.append(kit.labelled("Go: ", rest))
    elif plan.services:
        lines.append(kit.labelled("Go: ", told.names(plan.services, room.names)))
    if plan.actions:
        lines.append(kit.labelled("Go, single actions: ", told.names(plan.actions, room.more)))
    lines += [kit.labelled("Closes: ", line) for line in told.closes(plan, room.more)]
    held = hold.line(view, room.more)
    lines += [kit.labelled(hold.LEAD, held)] if held else []
    if not plan.quarantine:
        lines += _remains(view, room)
    lines += _asked(view, room)
    proved = proof.line(view, brief=not room.more)
    lines += [kit.labelled(proof.LEAD, proved)] if proved else []
    seen = replay.line(view, room.more)
    lines += [kit.labelled(replay.LEAD, seen)] if seen else []
    body: list[Any] = [kit.section(kit.text(lead, bold=True)), kit.bullets(lines)]
    if plan.quarantine and view.entity.kind is Kind.ROLE:
        rest = "stop anybody from assuming the role: whoever can still can, and is then denied everything."
        body.append(kit.labelled("Cannot do: ", rest))
        lets_in = trusted(plan.basis.trust)
        if lets_in:
            body.append(kit.labelled("Its trust policy lets in: ", told.names(lets_in, room.names)))
    return kit.rich(*body)


def _verb(line: str) -> Any:
    """A line whose first word says what is done."""
    first, _, rest = line.partition(" ")
    return kit.labelled(f"{first} ", rest)


def _remains(view: TicketView, room: Room) -> list[Any]:
    plan = view.plan
    lines = []
    if plan.stays:
        lines.append(kit.labelled("Stay: ", told.stays(plan.stays, room.stays)))
    elif not plan.actions and plan.services and len(plan.services) == plan.granted:
        noun = view.entity.kind.value
        lines.append(kit.labelled("Stay: ", f"nothing. Afterwards the {noun} can do nothing"))
    if plan.left:
        lines.append(kit.labelled("Chosen, but stays: ", told.left(plan.left, room.more)))
    return lines


def _asked(view: TicketView, room: Room) -> list[Any]:
    """What the report alone would not take: said loudly, because a person decided it."""
    found = [told.asked(c) for c in view.plan.asked]
    if not found:
        return []
    shown = told.fitting(found, room.more)
    more = f" · and {len(found) - len(shown)} more {told.IN_THE_DIFF}" if len(found) > len(shown) else ""
    rest = kit.text(" · ".join(shown) + more)
    return [status.line("warning", "A person decided, not the report: ", rest)]


def _edits(view: TicketView, room: Room, *, done: bool = False) -> list[str]:
    """A line per policy, as many as fit."""
    given = view.ticket.given if done else ()
    found = [line for e in view.plan.edits if (line := told.edit(view, e, given, room.name, done=done))]
    shown = told.fitting(found, room.edits)
    more = len(found) - len(shown)
    return (
        [*shown, f"and {words.some(more, 'more policy', 'more policies')}, {told.IN_THE_DIFF}"]
        if more
        else shown
    )


def _would(view: TicketView) -> str:
    what = told.asks(view)
    verb, _, rest = what.partition(" ")
    past = {"remove": "removed", "quarantine": "quarantined", "change": "changed"}[verb]
    return f"It would have {past} {rest}: {told.how(view, 'plain')}."


# -- at work and after ---------------------------------------------------------------------------------------------


def _held(view: TicketView, room: Room) -> Any:
    """What AWS has now, what was tried, and what is still to come."""
    body: list[Any] = [kit.section(kit.text("Now: ", bold=True), kit.text(hold.now(view)))]
    if view.ticket.moved:
        body += [kit.section(kit.text("What was tried", bold=True)), _moves(view, room)]
    caution = hold.cautions(view)
    if caution and room.note:
        body.append(kit.section(kit.text(f"{caution}.")))
    if not view.plan.quarantine:
        stay = hold.stay_whole(view)
        found = [e for e in view.plan.edits if e.policy not in stay]
        said = [line for e in found if (line := told.edit(view, e, view.ticket.given, room.name))]
        lines = [_verb(line) for line in told.fitting(said, room.edits)]
        if len(said) > len(lines):
            lines.append(kit.section(kit.text(f"and {len(said) - len(lines)} more, {told.IN_THE_DIFF}")))
        lines += [kit.labelled("Go: ", told.names(told.lost(view), room.names))] if told.lost(view) else []
        if stay:
            lines.append(kit.labelled("Stays whole, as a part was given back: ", told.names(stay, room.more)))
        if view.plan.actions:
            lines.append(kit.labelled("Go, single actions: ", told.names(view.plan.actions, room.more)))
        body += [kit.section(kit.text("What changes then", bold=True)), kit.bullets(lines)]
    return kit.rich(*body)


def _changed(view: TicketView, room: Room) -> Any:
    if view.plan.quarantine:
        rest = "AWSDenyAll is attached, so it is denied everything. Its policies, trust policy and tags are as they were."
        return kit.rich(kit.section(kit.text("Now, read back: ", bold=True), kit.text(rest)))
    lead = "What changed, read back and equal to the plan"
    if status.by_hand(view):
        lead = "What is changed, as an audit found it"
    elif view.ticket.given:
        lead = "What is changed now, read back"
    lines = [_verb(line) for line in _edits(view, room, done=True)]
    stay = sorted({f.service for f in view.plan.stays} | set(view.plan.services) - set(told.lost(view)))
    if stay:
        lines.append(kit.labelled("Left: ", told.names(stay, room.stays)))
    lines += _asked(view, room)
    return kit.rich(
        kit.section(kit.text(lead, bold=True)), kit.bullets(lines or [kit.section(kit.text("nothing"))])
    )


def _given_back(view: TicketView) -> Any:
    done = [e for e in view.run if e.state is StepState.DONE]
    lines = [kit.section(kit.text(steps.stepped(e))) for e in done[:6]]
    if len(done) > 6:
        lines.append(kit.section(kit.text(f"and {len(done) - 6} more steps, each read back")))
    return kit.rich(kit.bullets(lines or [kit.section(kit.text("nothing was left to give back"))]))


def _steps(view: TicketView) -> Any:
    """Done, now, next; or done, not done, not started."""
    stuck = view.ticket.state is S.NEEDS_HUMAN
    done = [e for e in view.run if e.state is StepState.DONE]
    rest = [e for e in view.run if e.state is not StepState.DONE]
    lines = []
    if len(done) > 2:
        lines.append(
            status.line(
                "white_check_mark", "Done: ", kit.text(f"{len(done) - 2} steps before, each read back")
            )
        )
    lines += [
        status.line("white_check_mark", "Done: ", kit.text(f"{steps.stepped(e)}, read back and equal"))
        for e in done[-2:]
    ]
    if rest:
        lines.append(_stuck(view, rest[0]) if stuck else _under_way(rest[0]))
    label = "Not started: " if stuck else "Next: "
    lines += [kit.labelled(label, steps.step(e)) for e in rest[1:3]]
    if len(rest) > 3:
        lines.append(kit.labelled(label, f"{len(rest) - 3} more steps"))
    if not stuck:
        lines.append(kit.labelled("Next: " if rest else "Now: ", "read everything once more"))
    elif not lines:
        lines.append(kit.section(kit.text("No step of it was begun")))
    return kit.rich(kit.bullets(lines))


def _under_way(entry: Entry) -> Any:
    begun = entry.state is StepState.BEGUN
    rest = "; written, reading back (AWS may take a minute)" if begun else "; reading first what stands"
    return status.line("hourglass_flowing_sand", "Now: ", kit.text(steps.step(entry) + rest))


def _stuck(view: TicketView, entry: Entry) -> Any:
    """The step that stopped it, and why, as far as known."""
    failure = entry.failure or view.ticket.failure
    why = f". {steps.failed(failure)}" if failure else ""
    word = "Not known: " if failure and failure.code == "unseen" else "Not done: "
    return status.line("warning", word, kit.text(steps.step(entry) + why))


def _moved(view: TicketView, room: Room) -> Any:
    return kit.rich(kit.section(kit.text("What moved", bold=True)), _moves(view, room))


def _moves(view: TicketView, room: Room) -> Any:
    found = view.ticket.moved
    limit = 8 if room.edits > 200 else 3
    lines = [kit.section(*steps.moved(view, one)) for one in found[:limit]]
    if len(found) > limit:
        lines.append(kit.section(kit.text(f"and {len(found) - limit} more")))
    return kit.bullets(lines or [kit.section(kit.text("what AWS has is not what the plan rests on"))])


def _now(view: TicketView, room: Room) -> Any:
    """What the entity has at this moment, and the ways out."""
    failure = view.ticket.failure
    out: list[Any] = [
        kit.section(
            kit.text("Right now ", bold=True), kit.text(steps.right_now(view, back=status.is_back(view)))
        )
    ]
    if view.ticket.moved:
        out += [kit.section(kit.text("What moved", bold=True)), _moves(view, room)]
    if failure and failure.message:
        out += [kit.section(kit.text("AWS’s own words:")), kit.quote(failure.message, room.more)]
    return kit.rich(*out, kit.section(kit.text("Ways out", bold=True)), kit.bullets(_ways_out(view)))


_RETRY = {
    "": "Retry once it is as planned again",
    "refused": "Retry once AWS allows it",
    "unseen": "Retry looks again first, and writes only what is not there",
    "aws": "Retry reads everything again first",
}


def _ways_out(view: TicketView) -> list[Any]:
    here = steps.at_step(view.run)
    step = steps.step(view.run[here - 1]) if view.run else "it"
    if status.is_back(view):
        found = [
            "Show the diff has the saved texts, to put back by hand",
            "Retry once the policy is again what this ticket left; it never overwrites other people’s work",
        ]
    else:
        found = [
            _RETRY.get(view.ticket.failure.code if view.ticket.failure else "", _RETRY["aws"]),
            "Roll back gives back what is written so far",
            f"Or do it by hand in AWS ({step}), then Retry: the bot sees that it is done",
        ]
    return [kit.section(kit.text(line)) for line in found]
