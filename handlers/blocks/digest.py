"""The card of a digest by its state: what changed, what waits, what to clean up next, what cannot be told. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from advisor.core.digest import Digest, Next
from advisor.core.estate import Cadence, PostingState
from handlers.blocks import digest_said as said
from handlers.blocks import kit, ticket_buttons, words
from handlers.blocks.digest_said import named, title
from handlers.blocks.digest_view import DigestView
from handlers.blocks.kit import Json, Message, Part
from handlers.blocks.modal import option
from handlers.blocks.ticket_view import TicketView

SCREEN = 1990
"""Characters that can be read on a card before anything is opened."""

_LINES = 3
"""Lines of what waits for a person; the rest is in the thread."""


@dataclass(frozen=True, slots=True)
class Room:
    """How long the parts of a card may be."""

    names: int = 3  # entities a kind of change
    name: int = 40
    services: int = 4
    best: bool = True
    note: bool = True
    unread: int = 2  # accounts by name
    width: int = 30  # of a service's or account's name


_ROOMS = (
    Room(),
    Room(2, 40, 3),
    Room(1, 36, 2, best=False, unread=1, width=24),
    Room(1, 24, 1, best=False, note=False, unread=1, width=16),
    Room(1, 16, 1, best=False, note=False, unread=0, width=10),
)
"""From roomy to narrow; the first that fits is drawn."""


def card(view: DigestView) -> Message:
    """The card of a posting, by its state."""
    match view.posting.state:
        case PostingState.POSTED if view.digest:
            return _quiet(view, view.digest) if view.digest.quiet else _posted(view, view.digest)
        case PostingState.FAILED:
            return _failed(view)
        case _:
            return _collecting(view)


def minimal(view: DigestView) -> Message:
    """The card in plain words with its buttons, for a Slack that refuses the full one."""
    full = card(view)
    buttons = _own_buttons(view)
    more: list[Any] = [kit.actions(*buttons)] if buttons else []
    note = "Slack refused the full card, so this is the short one. The thread has the rest."
    return Message(full.text, [kit.rich(kit.section(kit.text(full.text))), *more, kit.small(note)])


def whole(view: TicketView) -> str:
    """A plan in one sentence that leaves nothing out; empty where that takes more than a card has room for."""
    plan, edit = view.plan, view.plan.edits[0]
    what = said.joined([*plan.services, *plan.actions])
    kind = "its inline policy" if not edit.arn else "the policy"
    text = f"takes {what} by changing {kind} “{kit.clip(edit.policy, kit.NAME)}”, nothing else, nobody else"
    return text if len(text) <= _WHOLE and kit.clean(text) == text else ""


_WHOLE = 320


# -- states --------------------------------------------------------------------------------------------------------


def _maker(view: DigestView) -> Any:
    by = view.posting.by
    return kit.fixed(f"Asked for by <@{by}>" if by else f"Set up by <@{view.schedule.user}>")


def _collecting(view: DigestView) -> Message:
    how = (
        f"{view.done:,} of {words.some(view.total, 'entity', 'entities')} read"
        if view.total
        else "reading begins"
    )
    line = kit.section(
        kit.emoji("hourglass_flowing_sand"),
        kit.text(" Collecting", bold=True),
        kit.text(f" · {how}. This card becomes the digest."),
    )
    return Message(
        f"{said.kind(view.schedule)} for {view.named}: collecting, {how}.",
        [
            kit.header(title(view.schedule)),
            kit.rich(line),
            kit.context(kit.plain(view.named, 200), _maker(view)),
        ],
    )


def _failed(view: DigestView) -> Message:
    why = said.why(view.posting.failure.code if view.posting.failure else "")
    when = {Cadence.DAILY: "today", Cadence.WEEKLY: "this week", Cadence.MONTHLY: "this month"}
    span = when[view.schedule.rhythm.cadence]
    parts: list[Part] = [
        kit.emoji("warning"),
        kit.text(" Failed", bold=True),
        kit.text(f" · no account could be read: {why}\nThis does not mean that nothing changed."),
    ]
    if view.read_at:
        parts += [kit.text(" Last full reading: "), kit.date(view.read_at, time=True), kit.text(".")]
    again = (
        f"Next try {kit.token(view.schedule.due_at)}."
        if view.standing
        else "/iam-audit digest now tries again."
    )
    buttons = _own_buttons(view)
    return Message(
        f"{said.kind(view.schedule)} for {view.named}: no digest {span}, because no account could be read. "
        "This does not mean that nothing changed.",
        [
            kit.header(f"No IAM digest {span}"),
            kit.rich(kit.section(*parts)),
            *([kit.actions(*buttons)] if buttons else []),
            kit.context(kit.fixed(again), _maker(view)),
        ],
    )


def _quiet(view: DigestView, told: Digest) -> Message:
    lead = kit.section(
        kit.emoji("white_check_mark"),
        kit.text(f" {title(view.schedule)}: nothing changed ", bold=True),
        kit.text(f"in {view.named} since "),
        kit.date(told.since),
        kit.text(
            f". {words.some(told.totals.could_go, 'service')} could go, as before. Everything was read."
        ),
    )
    buttons = _own_buttons(view)
    return Message(
        f"{said.kind(view.schedule)} for {view.named}: nothing changed since {kit.day(told.since)}. "
        f"{words.some(told.totals.could_go, 'service')} could still go. Everything was read.",
        [
            kit.rich(lead),
            *([kit.actions(*buttons)] if buttons else []),
            kit.context(kit.fixed(" ".join(_last(view, told, note=False)))),
        ],
    )


def _posted(view: DigestView, told: Digest) -> Message:
    for room in _ROOMS:
        blocks = _blocks(view, told, room)
        if _seen([b if isinstance(b, dict) else b.to_dict() for b in blocks]) < SCREEN:
            break
    return Message(_spoken(view, told), blocks)


def _seen(node: Any) -> int:
    """Characters that are read without opening anything: what stands in menus and dialogs comes later."""
    if isinstance(node, dict):
        own = node.get("text")
        return (len(own) if isinstance(own, str) else 0) + sum(
            _seen(v) for k, v in node.items() if k not in {"options", "confirm"}
        )
    return sum(map(_seen, node)) if isinstance(node, list) else 0


def _blocks(view: DigestView, told: Digest, room: Room) -> list[Any]:
    since = kit.fixed(f"since {kit.token(told.since)}")
    buttons = [*_selects(told), *_own_buttons(view)]
    return [
        kit.header(f"{title(view.schedule)}: {said.headline(told)}"),
        kit.context(kit.plain(view.named, 200 if room.unread else 120), since, _maker(view)),
        *_changed(told, room),
        *_waiting(view, told, room),
        *_approvable(view, told),
        *_next(view, told, room),
        *_untold(told, room),
        *(
            [kit.actions(*buttons, block_id=f"digest:{view.posting.id}:{view.posting.revision}")]
            if buttons
            else []
        ),
        kit.context(kit.fixed(" ".join(_last(view, told, note=room.note)))),
    ]


def _spoken(view: DigestView, told: Digest) -> str:
    """The whole in a few sentences."""
    parts = [
        f"{said.kind(view.schedule)} for {view.named}, since {kit.day(told.since)}: {said.headline(told)}."
    ]
    if told.grew:
        parts.append(f"Grew: {words.some(len(told.grew), 'entity', 'entities')}.")
    if told.waiting:
        parts.append(f"Waiting: {said.joined([f'ticket {w.ticket_id}' for w in told.waiting[:3]])}.")
    if told.next:
        parts.append(
            f"Next: {', '.join(f'{kit.clip(n.thing.name, 40)} {n.could_go}' for n in told.next[:3])}."
        )
    if told.unread:
        parts.append(f"{words.some(len(told.unread), 'account')} could not be read.")
    return " ".join(parts)


# -- parts ---------------------------------------------------------------------------------------------------------


def _head(text: str, rest: str = "") -> Any:
    return kit.section(kit.text(text, bold=True), *([kit.text(rest)] if rest else []))


def _line(icon: str, label: str, rest: str) -> Any:
    return kit.section(kit.emoji(icon), kit.text(f" {label}: ", bold=True), kit.text(rest))


def _changed(told: Digest, room: Room) -> list[Any]:
    lines = []
    for icon, label, found in (
        ("white_check_mark", "Removed", [said.ended(e, room.name, "from") for e in told.removed]),
        ("leftwards_arrow_with_hook", "Given back", [said.ended(e, room.name, "to") for e in told.back]),
        ("warning", "Grew", [said.grew(c, room.name, room.services, room.width) for c in told.grew]),
        (
            "large_green_circle",
            "Used again",
            [said.again(c, room.name, room.services, room.width) for c in told.again],
        ),
        (
            "large_yellow_circle",
            "Not used any more",
            [said.unused(c, room.name, room.services, room.width) for c in told.unused],
        ),
        ("heavy_minus_sign", "Expired undecided", [said.ticket(e, room.name) for e in told.expired]),
    ):
        if found:
            more = len(found) - room.names
            tail = f"; and {more:,} more in the thread" if more > 0 else ""
            lines.append(_line(icon, label, "; ".join(found[: room.names]) + tail))
    if told.born:
        lines.append(_line("eyes", "New", words.some(told.born, "entity", "entities")))
    if told.numbers:
        lines.append(kit.labelled("In permissions: ", words.numbers(told.numbers)))
    if not lines:
        return []
    return [kit.rich(_head("What changed"), kit.bullets(lines))]


def _waiting(view: DigestView, told: Digest, room: Room) -> list[Any]:
    lines = [said.loose(one, room.name) for one in told.loose[:2]]
    if len(told.loose) > 2:
        lines.append(kit.section(kit.text(f"and {len(told.loose) - 2:,} more holds without a ticket")))
    for one in [w for w in told.waiting if w.ticket_id not in _shown(view, told)]:
        icon, stands = said.stands(one, view.stands.get(one.ticket_id), room.name)
        link = view.links.get(one.ticket_id)
        name = f"Ticket {one.ticket_id}"
        parts: list[Any] = [kit.emoji(icon), kit.text(" "), kit.link(link, name) if link else kit.text(name)]
        lines.append(kit.section(*parts, kit.text(f", {stands}")))
    for end in told.ending:
        text = (
            f" The keep of {end.service or 'everything'} for {kit.clip(end.thing.name, room.name)} ends on "
        )
        lines.append(kit.section(kit.emoji("lock"), kit.text(text), kit.date(end.until)))
    if not lines:
        return []
    more = len(lines) - _LINES
    if more > 0:
        lines = [*lines[:_LINES], kit.section(kit.text(f"and {more:,} more in the thread"))]
    return [kit.rich(_head("Waiting for a person"), kit.bullets(lines))]


def _shown(view: DigestView, told: Digest) -> tuple[int, ...]:
    """The ticket that stands on the card with its whole plan: the oldest."""
    found = [w.ticket_id for w in told.waiting if w.fingerprint and w.ticket_id in view.tickets]
    return tuple(found[:1])


def _approvable(view: DigestView, told: Digest) -> list[Json]:
    blocks = []
    for one in [w for w in told.waiting if w.ticket_id in _shown(view, told)]:
        ticket = view.tickets[one.ticket_id]
        text = (
            f"Ticket {one.ticket_id}, {named(one.thing)}: {whole(ticket)}. {said.count(one, ticket.needed)}"
        )
        button = ticket_buttons.approve(ticket, "digest.approve")
        block_id = f"digest:{view.posting.id}:{one.ticket_id}"
        blocks.append(
            {
                "type": "section",
                "block_id": block_id,
                "text": kit.plain(text).to_dict(),
                "accessory": button.to_dict(),
            }
        )
    return blocks


def _next(view: DigestView, told: Digest, room: Room) -> list[Any]:
    if not told.next:
        return []
    rest = " · by risk" + (f", {len(told.next)} of {len(told.next) + told.more:,}" if told.more else "")
    share = round(100 * sum(n.risk for n in told.next) / told.totals.risk) if told.totals.risk else 0
    if told.more and share:
        rest += f": they are {share} % of the risk that could go"
    lines: list[Any] = [kit.rich(_head("Clean up next", rest))]
    for one in told.next:
        best = f"; first {', '.join(kit.clip(s, 24) for s in one.best[:2])}" if room.best and one.best else ""
        text = (
            f"{named(one.thing, room.name, room.width)}: {one.could_go:,} of {one.granted:,} could go{best}; "
            f"{one.used:,} used in {view.window_days} days"
        )
        button = kit.button("Open a ticket…", "digest.ticket", one.thing.id)
        lines.append({"type": "section", "text": kit.plain(text).to_dict(), "accessory": button.to_dict()})
    return lines


def _untold(told: Digest, room: Room) -> list[Any]:
    counts = []
    if told.totals.young:
        counts.append(f"{words.some(told.totals.young, 'entity', 'entities')} too young to judge")
    if told.totals.untracked:
        counts.append(f"{words.some(told.totals.untracked, 'service')} that AWS does not track")
    if told.failed:
        counts.append(f"{words.some(told.failed, 'entity', 'entities')} that could not be read")
    lines = [kit.section(kit.text(" · ".join(counts)))] if counts else []
    lines += [
        kit.section(kit.emoji("warning"), kit.text(f" {said.unread(u)}")) for u in told.unread[: room.unread]
    ]
    left = len(told.unread) - room.unread
    if left > 0:
        more = words.some(left, "more account" if room.unread else "account")
        lines.append(kit.section(kit.text(f"{more} not read: see the thread")))
    if told.maker:
        lines.append(kit.section(kit.emoji("warning"), kit.text(f" {said.maker(told.maker)}")))
    return [kit.rich(_head("Could not be told"), kit.bullets(lines))] if lines else []


# -- buttons -------------------------------------------------------------------------------------------------------


def _selects(told: Digest) -> list[Json]:
    if not told.next:
        return []
    options = [_option(n) for n in told.next]
    made: list[Json] = [
        {
            "type": "static_select",
            "action_id": action,
            "placeholder": kit.plain(text).to_dict(),
            "options": options,
        }
        for action, text in (("digest.audit", "Show the audit of…"), ("digest.keep", "Keep for…"))
    ]
    if len(told.next) > 1:
        made.append(kit.button("Tickets for several…", "digest.tickets", told.next[0].thing.id).to_dict())
    return made


def _option(one: Next) -> Json:
    place = one.thing.alias or one.thing.account
    return option(
        kit.clip(one.thing.name, 75),
        str(one.thing.id),
        f"{one.thing.kind} in {kit.clip(place, 30)}, {one.could_go} could go",
    )


def _own_buttons(view: DigestView) -> list[Any]:
    """Change and turn off; one out of turn without a schedule has neither."""
    if not view.standing:
        return []
    return [kit.button("Change…", "digest.edit", view.schedule.id), off_button(view.schedule.id)]


def off_button(schedule_id: int, label: str = "Turn off") -> Any:
    """Asks in Slack's dialog."""
    text = "Its maker or an admin may. Nothing else changes; it can be scheduled again."
    dialog = ticket_buttons.dialog("Turn this digest off?", text, "Turn off", "Keep it")
    return kit.button(label, "digest.off", schedule_id, confirm=dialog)


def _last(view: DigestView, told: Digest, *, note: bool) -> list[str]:
    parts = [f"Next digest {kit.token(view.schedule.due_at)}."] if view.standing else []
    if note:
        parts.append("“Could go” means no attempt seen in up to 400 days; denied calls count as use.")
    if told.log_hash:
        parts.append(f"Log: row {told.log_rows:,}, hash {told.log_hash[:16]}.")
    return parts or ["It comes once."]
