"""The reminder that one person gets: every ticket that waits on them, in one message. Pure.

A message takes 50 blocks (docs.slack.dev, Block Kit reference, messages): MOST lines of each of three lists, and the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from advisor.core.home import TicketLine
from advisor.core.reminders import About, Unreached
from advisor.core.removal import TicketState
from handlers.blocks import home_lines as lines
from handlers.blocks import kit, words
from handlers.blocks.home import beside, go
from handlers.blocks.home_lines import Page
from handlers.blocks.kit import Message

MOST = 12
"""Tickets of each list; the others are counted."""

_PEOPLE = 10
"""People of one line who are named."""

_WHY = {
    "deactivated": "is deactivated",
    "bot": "is a bot",
    "foreign": "is of another company",
    "guest": "is a guest",
}


@dataclass(frozen=True, slots=True)
class ReminderView:
    """What a reminder is drawn from: numbers of tickets by why they stand there, and the first MOST of each in full."""

    page: Page
    tickets: Mapping[int, TicketLine]
    about: Mapping[About, tuple[int, ...]]
    unreached: Mapping[int, tuple[Unreached, ...]] = field(default_factory=dict)


def reminder(view: ReminderView) -> Message:
    """One message, with what is urgent first."""
    blocks: list[Any] = []
    spoken: list[str] = []
    for about, title, told, note in _PARTS:
        ids = view.about.get(about, ())
        if not ids:
            continue
        shown = [view.tickets[i] for i in ids[:MOST] if i in view.tickets]
        blocks += [kit.header(f"{title}: {len(ids):,}")]
        blocks += [beside(told(view.page, t), go(view.page, t)) for t in shown]
        if len(ids) > len(shown):
            blocks.append(kit.small(f"{len(ids) - len(shown):,} more: /iam-audit tickets lists all."))
        if note:
            blocks.append(kit.small(note))
        spoken.append(f"{title}: {_numbers(ids)}")
    lost = view.about.get(About.UNREACHED, ())
    if lost:
        blocks += [kit.header("Not everybody could be asked"), _unreached(view, lost)]
        spoken.append(f"not everybody could be asked about {_numbers(lost)}")
    blocks.append(kit.small("You get at most one such message a day. The answer is on the ticket’s card."))
    return Message(f"{'; '.join(spoken)}.", blocks)


def _numbers(ids: tuple[int, ...]) -> str:
    """tickets 3, 4 and 12 more"""
    shown = ", ".join(str(i) for i in ids[:MOST])
    more = f" and {len(ids) - MOST:,} more" if len(ids) > MOST else ""
    return f"{'ticket' if len(ids) == 1 else 'tickets'} {shown}{more}"


def _expires(page: Page, line: TicketLine) -> str:
    """Expires 29 Nov 2026 09:12 UTC, with 0 of 1 approval: ticket 3, remove 6 of 11 services from …"""
    what = f"ticket {line.id}, {lines.asks(page, line)}"
    if line.advice:
        return (
            f"Expires {kit.minute(line.expires_at)}: {what}. It is advice, and nobody was seen to follow it"
        )
    count = f"{line.approvals} of {words.some(page.view.needed, 'approval')}"
    return f"Expires {kit.minute(line.expires_at)}, with {count}: {what}"


def _undecided(page: Page, line: TicketLine) -> str:
    """Waiting for approval …, and since when."""
    since = "opened" if line.state is TicketState.OPEN else "stopped"
    return f"{lines.waits(page, line)}. It was {since} {kit.minute(line.changed_at)}"


_PARTS: tuple[tuple[About, str, Callable[[Page, TicketLine], str], str], ...] = (
    (About.ASK, "Waiting for you", lines.waits, ""),
    (
        About.ESCALATED,
        "Nobody has decided",
        _undecided,
        "You are asked next, and may not decide yourself: ask somebody who may (IAM_AUDIT_APPROVERS).",
    ),
    (
        About.EXPIRES,
        "Yours, about to expire",
        _expires,
        "When its time is over a ticket ends, and nothing is changed. Ask somebody who may decide.",
    ),
)


def _unreached(view: ReminderView, ids: tuple[int, ...]) -> Any:
    made = []
    for number in ids[:MOST]:
        parts: list[Any] = [kit.text(f"Ticket {number}: ")]
        people = view.unreached.get(number, ())
        for place, one in enumerate(people[:_PEOPLE]):
            parts += [kit.text(", ")] if place else []
            parts += [kit.person(one.user), kit.text(f" {_WHY.get(one.why, 'is not known to Slack')}")]
        if len(people) > _PEOPLE:
            parts.append(kit.text(f", and {len(people) - _PEOPLE:,} more"))
        made.append(kit.section(*parts))
    if len(ids) > MOST:
        made.append(kit.section(kit.text(f"{len(ids) - MOST:,} more tickets")))
    tail = "They were left out. The operator’s settings name them: IAM_AUDIT_APPROVERS, IAM_AUDIT_ESCALATE."
    return kit.rich(kit.bullets(made), kit.section(kit.text(tail)))
