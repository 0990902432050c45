"""What stands in a digest's thread and file, the card of tickets opened together, and the reminder of a keep. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from advisor.core.digest import Next
from advisor.core.model import Account, Entity
from advisor.core.removal import Keep, Ticket, TicketState
from handlers.blocks import digest_said as said
from handlers.blocks import kit, words
from handlers.blocks.digest_view import DigestView
from handlers.blocks.kit import Message
from handlers.files import File, neutral

_ROWS = 15
"""Lines of a kind in the thread."""

_LONG = 8_000
"""Characters of a reply; a message holds 12,000."""

COLUMNS = ("account", "entity_arn", "could_go", "granted", "used", "risk", "first")


def details(view: DigestView) -> Message | None:
    """Who is mentioned, every change by name, and the last hash of the log."""
    told = view.digest
    if told is None:
        return None
    blocks: list[Any] = []
    if view.schedule.mention:
        people = [p for who in view.schedule.mention for p in (_mention(who), kit.text(" "))]
        blocks.append(kit.rich(kit.section(*people, kit.text("the digest above is for you."))))
    size = 0
    for label, lines in (
        ("Removed", [said.ended(e, kit.NAME, "from") for e in told.removed]),
        ("Given back", [said.ended(e, kit.NAME, "to") for e in told.back]),
        ("Expired undecided", [said.ticket(e, kit.NAME) for e in told.expired]),
        ("Grew", [said.grew(c, kit.NAME, 12) for c in told.grew]),
        ("Used again", [said.again(c, kit.NAME, 12) for c in told.again]),
        ("Not used any more", [said.unused(c, kit.NAME, 12) for c in told.unused]),
        ("Waiting", [f"ticket {w.ticket_id}, {said.waits(w, kit.NAME)}" for w in told.waiting]),
        (
            "Keeps that end",
            [
                f"{e.service or 'everything'} for {kit.clip(e.thing.name, kit.NAME)} on {kit.day(e.until)}"
                for e in told.ending
            ],
        ),
        ("Not read", [said.unread(u) for u in told.unread]),
    ):
        shown = lines[:_ROWS] if size < _LONG else []
        size += sum(map(len, shown))
        if lines:
            more = len(lines) - len(shown)
            bullets = [kit.section(kit.text(line)) for line in shown]
            bullets += [kit.section(kit.text(f"and {more:,} more"))] if more else []
            blocks.append(kit.rich(kit.section(kit.text(label, bold=True)), kit.bullets(bullets)))
    if told.log_hash:
        line = f"The log of decisions has {words.some(told.log_rows, 'row')}; the last hash is "
        blocks.append(kit.rich(kit.section(kit.text(line), kit.code(told.log_hash), kit.text("."))))
    text = f"Details of the digest: {said.headline(told)}."
    return Message(text, blocks) if blocks else None


def _mention(who: str) -> Any:
    return kit.group(who) if who.startswith("S") else kit.person(who)


def export(posting_id: int, found: Iterable[Next]) -> File:
    """Every clean-up of the digest's scope as CSV."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in found:
        thing = one.thing
        row = (thing.account, thing.arn, one.could_go, one.granted, one.used, one.risk, " ".join(one.best))
        writer.writerow([neutral(str(cell)) for cell in row])
    name = f"iam-audit-digest-{posting_id}.csv"
    return File(name, f"IAM Audit digest {posting_id} (CSV)", out.getvalue().encode("utf-8-sig"))


def no_file(why: str) -> Message:
    """Slack took no file."""
    text = (
        f"The list of every clean-up is not here: {kit.clip(why, 200)}. /iam-audit digest now makes it again."
    )
    return Message(text, [kit.rich(kit.section(kit.emoji("warning"), kit.text(f" {text}")))])


def elsewhere(reason: str) -> Message:
    """Why a digest did not go where it belongs, to whoever set it up."""
    title, line = _ELSEWHERE.get(reason, _ELSEWHERE["not_joined"])
    rest = "The digest came to you instead and goes on: change its channel or turn it off with its buttons."
    lead = kit.section(kit.emoji("warning"), kit.text(f" {title}", bold=True))
    return Message(
        f"{title}. {line} {rest}", [kit.rich(lead), kit.rich(kit.section(kit.text(f"{line} {rest}")))]
    )


_ELSEWHERE = {
    "shared": (
        "The channel of your digest is shared with another company now",
        "Nothing about IAM is posted there.",
    ),
    "archived": ("The channel of your digest is archived", "Nothing can be posted there."),
    "not_joined": (
        "IAM Audit is not in the channel of your digest any more",
        "Somebody there can type /invite @iam-audit.",
    ),
}


def opened(user: str, rows: Sequence[tuple[Ticket, Entity, Account]]) -> Message:
    """One card for tickets that were opened together; each has a card and approvals of its own."""
    good = [r for r in rows if r[0].state is not TicketState.VOID]
    title = f"{words.some(len(good), 'ticket')} opened together"
    lines = []
    for ticket, entity, account in rows:
        who = f"{kit.clip(entity.name, kit.NAME)} ({entity.kind} in {words.account_word(account)[:40]})"
        count = words.some(len(ticket.plan.services), "service") if ticket.plan else "nothing"
        told = (
            f" Ticket {ticket.id}: takes {count} from {who}"
            if ticket.state is not TicketState.VOID
            else f" No ticket for {who}: {_VOID.get(ticket.failure.code if ticket.failure else '', 'it could not be planned')}"
        )
        icon = "raised_hand" if ticket.state is not TicketState.VOID else "no_entry"
        lines.append(kit.section(kit.emoji(icon), kit.text(told)))
    note = "Each is approved by itself, on its own card. Nothing is changed before that."
    return Message(
        f"{title}: {', '.join(f'ticket {r[0].id}' for r in good) or 'none'}. {note}",
        [
            kit.header(title),
            kit.rich(kit.bullets(lines)),
            kit.context(kit.fixed(f"Opened by <@{user}>"), kit.plain(note)),
        ],
    )


_VOID = {
    "nothing": "nothing of it can go now",
    "gone": "it does not exist any more",
    "recreated": "it was deleted and created again",
    "forbidden": "you may not open tickets",
    "thinned": "its result is not kept any more",
}


def keep_ends(keep: Keep, entity: Entity, account: Account, now: datetime) -> Message:
    """A keep ends soon: to the person whose word it is."""
    what = keep.service or "everything"
    days = max(1, -((now - keep.until).days + 1) if keep.until < now else (keep.until - now).days or 1)
    name, place = kit.clip(entity.name, kit.NAME), kit.clip(words.account_word(account), 40)
    soon = f"in {words.some(days, 'day')}"
    parts: list[Any] = [
        kit.emoji("lock"),
        kit.text(f" Your keep ends {soon}", bold=True),
        kit.text(f": {what} for {name} ({entity.kind} in {place}), until "),
        kit.date(keep.until),
        kit.text(". Your words:"),
    ]
    rest = f"If nobody keeps it again, plans may take {what} away, after an approval. Nothing is removed by itself."
    return Message(
        f"Your keep of {what} for {name} in {place} ends on {kit.day(keep.until)}, {soon}. {rest}",
        [
            kit.rich(kit.section(*parts), kit.quote(keep.reason)),
            kit.rich(kit.section(kit.text(rest))),
            kit.actions(kit.button("Keep, because…", "digest.keep", entity.id, style="primary")),
            kit.small("You get this because you made the keep."),
        ],
    )
