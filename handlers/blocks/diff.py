"""The reply that shows what a ticket writes (or wrote): every document, statement by statement. Pure.

A reply has room for so much. What does not fit is counted and named, in whole statements, and is in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from advisor.core.model import Kind
from advisor.core.removal import MANAGED_SIZE, Edit, Operation, Treatment
from advisor.core.rewrite import size
from handlers.blocks import diff_words as say
from handlers.blocks import kit, statements, words
from handlers.blocks import ticket_hold as hold
from handlers.blocks import ticket_words as ticket
from handlers.blocks.kit import Message
from handlers.blocks.statements import Tally
from handlers.blocks.ticket_view import TicketView

LIMIT = 8_700
"""Characters of all blocks together; the design's limit of a reply is 9,000."""

BLOCKS = 45
"""Changes that get a block of their own; Slack takes 50 blocks, and the first and last lines need theirs."""

_TEXTS = {Treatment.EDIT, Treatment.DELETE, Treatment.VERSION, Treatment.COPY, Treatment.REPLACE}
"""Treatments that change a text; the others attach or detach a policy whole."""

_WORDS = {
    Operation.CREATE_POLICY: "+ create",
    Operation.ATTACH: "+ attach",
    Operation.DETACH: "- detach",
    Operation.DELETE_POLICY: "- delete",
    Operation.DELETE_VERSION: "- delete version",
    Operation.SET_DEFAULT: "  make the default",
}


@dataclass(frozen=True, slots=True)
class _Part:
    """One change, or several detachments together, before it is known how much of it has room."""

    edits: tuple[Edit, ...]
    head: str  # bold
    what: str  # the rest of the line
    drawn: tuple[str, ...] = ()  # every statement
    tight: tuple[str, ...] = ()  # those that change, in few lines
    outlines: tuple[str, ...] = ()  # the same in two lines each
    steps: str = ""  # what is attached, detached, made
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A part as it is drawn: with how many of its changed statements, in how many characters."""

    block: Any
    statements: int
    size: int


def diff(view: TicketView) -> Message:
    """What the ticket writes, in order, below 9,000 characters."""
    parts = _parts(view)
    closing = _closing(view)
    first = _held(view)
    room = LIMIT - 700 - sum(map(len, closing)) - sum(map(len, first))  # the first and the last lines
    whole = [_whole(p) for p in parts]
    cut = len(parts) > BLOCKS or sum(s.size for s in whole) > room
    shown = _cut(parts, room, past=say.wrote(view)) if cut else whole
    changed = sum(len(e.changes) for e in view.plan.edits)
    told = sum(s.statements for s in shown)
    hidden = sum(len(p.edits) for p in parts[len(shown) :])
    blocks: list[Any] = [kit.rich(kit.section(*say.lead(view, cut=cut)))]
    blocks += (
        [kit.rich(kit.labelled(hold.LEAD, first[0]), *map(kit.preformatted, first[1:]))] if first else []
    )
    blocks += [s.block for s in shown]
    if cut and (hidden or told < changed):
        blocks.append(kit.rich(kit.section(*say.warning(view, told, changed, hidden))))
    if closing:
        label = "Closed: " if say.wrote(view) else "Closes: "
        blocks.append(kit.rich(*(kit.labelled(label, line) for line in closing)))
    blocks.append(kit.small(say.foot(view, cut=cut)))
    return Message(say.spoken(view, told, changed, cut=cut), blocks)


def _held(view: TicketView) -> tuple[str, ...]:
    """What is laid before anything changes, and its text; nothing where there is no hold."""
    line, document = hold.line(view, LIMIT), hold.document(view)
    return tuple(x for x in (line, kit.clip(document, 1_500)) if x)


def _closing(view: TicketView) -> list[str]:
    """Every known escalation that ends with the plan, unless it was rolled back, or was not wholly written."""
    told = say.stage(view) in {"ahead", "wrote", "hand"}
    return ticket.closes(view.plan, LIMIT) if told else []


# -- the changes -----------------------------------------------------------------------------------------------------


def _parts(view: TicketView) -> list[_Part]:
    edits = view.plan.edits
    found: list[_Part] = []
    place = 0
    while place < len(edits):
        edit, last = edits[place], place + 1
        while edit.treatment is Treatment.DETACH and last < len(edits) and _alike(edit, edits[last]):
            last += 1
        found.append(_part(view, edits[place:last], place))
        place = last
    return found


def _alike(one: Edit, other: Edit) -> bool:
    return (other.treatment, other.aws) == (one.treatment, one.aws)


def _part(view: TicketView, edits: tuple[Edit, ...], place: int) -> _Part:
    edit, total = edits[0], len(view.plan.edits)
    which = f"{place + 1}"
    if len(edits) > 1:
        which += f"{' and' if len(edits) == 2 else ' to'} {place + len(edits)}"
    head = f"{which} of {total}"
    if len(edits) == 1:
        head += f" · {kit.clip(edit.policy, kit.NAME)}"
    steps = "\n".join(line for e in edits for line in _steps(e))
    what = f", {_kind(view, edit)}: {_what(view, edit)}{_state(view, edits)}"
    if edit.treatment not in _TEXTS:
        return _Part(edits, head, what, steps=steps)
    drawn = tuple(text for text, _ in statements.lines(edit))
    tight = tuple(text for text, changes in statements.lines(edit, tight=True) if changes)
    outlines = tuple(statements.outline(edit, c) for c in edit.changes)
    return _Part(edits, head, what, drawn, tight, outlines, steps, _note(edit))


def _kind(view: TicketView, edit: Edit) -> str:
    """Inline policy; AWS managed; managed, on this role only; managed, on 3 entities."""
    if edit.treatment in {Treatment.EDIT, Treatment.DELETE}:
        return "inline policy"
    if edit.aws:
        return "AWS managed"
    if edit.treatment is not Treatment.VERSION:
        return "managed"
    if view.entity.kind is Kind.POLICY:
        return f"managed, on {words.some(len(edit.holders), 'entity', 'entities')}"
    return f"managed, on this {view.entity.kind.value} only"


def _what(view: TicketView, edit: Edit) -> str:
    match edit.treatment:
        case Treatment.QUARANTINE:
            return "attached, so that everything is denied"
        case Treatment.DETACH:
            return "detached whole"
        case Treatment.SWAP:
            return f"replaced by {kit.clip(edit.instead, kit.NAME)}, which is narrower"
        case Treatment.DELETE:
            return f"deleted whole, {_counts(view, edit)}"
        case Treatment.COPY:
            return f"replaced by a copy of what stays, {_counts(view, edit)}"
        case Treatment.REPLACE:
            return f"replaced by a policy of what stays, {_counts(view, edit)}"
        case _:
            return _counts(view, edit)


def _counts(view: TicketView, edit: Edit) -> str:
    """1 of 2 statements changes, 10 actions go; afterwards: 10 actions went, none came."""
    tally = Tally.of(edit.changes)
    if say.wrote(view):
        came = (
            f"{words.some(tally.narrower, 'narrower one')} in place of a wildcard"
            if tally.narrower
            else "none"
        )
        return f"{words.some(tally.out + tally.narrowed, 'action')} went, {came} came"
    count, total = len(edit.changes), len(edit.changes) + len(edit.untouched)
    found = f"{count:,} of {words.some(total, 'statement')} {'changes' if count == 1 else 'change'}"
    if tally.out:
        found += f", {words.some(tally.out, 'action')} {'goes' if tally.out == 1 else 'go'}"
    if tally.narrowed:
        found += (
            f", {words.some(tally.narrowed, 'wildcard')} {'gets' if tally.narrowed == 1 else 'get'} narrower"
        )
    return found


def _steps(edit: Edit) -> list[str]:
    """What is attached, detached, made: one ARN a line. A detachment alone needs no word."""
    if edit.treatment is Treatment.DETACH:
        return [f"- {kit.clip(edit.arn, 800)}"]
    found = []
    for step in edit.steps:
        if step.operation in _WORDS:
            version = f" {kit.clip(step.version, 20)} of" if step.version else ""
            found.append(f"{_WORDS[step.operation]}{version} {kit.clip(step.arn or step.name, 800)}")
    return found


def _note(edit: Edit) -> str:
    """Sizes, where a managed policy's text is written; who keeps what, where it is replaced."""
    if edit.after is None or edit.before is None:
        return ""
    sizes = f"{size(edit.before):,} characters before, {size(edit.after):,} after, without white space"
    if edit.treatment is Treatment.VERSION:
        return f"A new version of the policy, made the default: {sizes}, of {MANAGED_SIZE:,}."
    if edit.treatment in {Treatment.COPY, Treatment.REPLACE}:
        return f"The policy itself is not touched, nor anybody else who has it. The new one: {sizes}."
    return ""


def _state(view: TicketView, edits: Sequence[Edit]) -> str:
    """Whether a change was written, where only a part of the ticket was."""
    if say.stage(view) != "part":
        return ""
    done = [s in say.done(view) for e in edits for s in e.steps]
    return " · written" if all(done) else " · written in part" if any(done) else " · not written"


# -- what has room ---------------------------------------------------------------------------------------------------


def _drawn(part: _Part, found: Sequence[str], what: str, note: str, count: int) -> _Shown:
    body = "\n".join([*found, *([part.steps] if part.steps else [])])
    elements: list[Any] = [kit.section(kit.text(part.head, bold=True), kit.text(what))]
    elements += [kit.preformatted(body)] if body else []
    elements += [kit.section(kit.text(note))] if note else []
    used = len(part.head) + len(what) + len(body) + len(note)
    return _Shown(kit.rich(*elements), count, used)


def _whole(part: _Part) -> _Shown:
    return _drawn(part, part.drawn, part.what, part.note, len(part.tight))


def _cut(parts: Sequence[_Part], room: int, *, past: bool) -> list[_Shown]:
    """Each change with its first changed statement, as far as there is room; the headings of the others go before it."""
    shown: list[_Shown] = []
    for place, part in enumerate(parts[:BLOCKS]):
        rest = len(parts) - place - 1
        free = room - sum(s.size for s in shown)
        made = [m for m in _ways(part, past=past) if m.size <= free - min(rest * 300, free // 2)]
        made = made or [m for m in _ways(part, past=past)[-1:] if m.size <= free]
        if not made:
            break
        shown.append(made[0])
    return shown


def _ways(part: _Part, *, past: bool) -> list[_Shown]:
    """A change in less and less room: its first changed statement, that statement in two lines, its heading alone."""
    if not part.tight:
        return [_whole(part)]
    more = len(part.tight) - 1
    first = part.what if past or not more else f"{part.what}, the first is"
    left = f"{more:,} more changed statement{'s are' if more > 1 else ' is'} in the file." if more else ""
    every = len(part.tight)
    none = (
        f"{'The whole statement is' if every == 1 else f'All {every:,} changed statements are'} in the file."
    )
    return [
        _drawn(part, part.tight[:1], first, " ".join(n for n in (left, part.note) if n), 1),
        _drawn(part, part.outlines[:1], first, " ".join(n for n in (none, part.note) if n), 0),
        _drawn(part, (), part.what, none, 0),
    ]
