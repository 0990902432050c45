"""What becomes of a hold while its quiet days pass: its end, what stops it, and that its card counts the days."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from advisor import replays, tickets
from advisor.core.errors import Unreachable
from advisor.core.hold import held_since, held_until
from advisor.core.lifecycle import Event
from advisor.core.model import Report
from advisor.core.removal import Entry, Moved, Plan, Ticket, TicketState
from advisor.desk import Desk

log = logging.getLogger(__name__)

_READING = timedelta(days=1)
"""How long event history is read again where it gave no whole answer, before a person is told so and decides."""

AGAIN = timedelta(hours=1)
"""How long a hold waits where its last look failed: nothing is hurt by another hour."""


def rests(desk: Desk, ticket: Ticket, plan: Plan, entries: Sequence[Entry], event: Event) -> bool:
    """It stands, as read back: its quiet days begin, or go on with less that is denied."""
    store, now = desk.store, desk.clock()
    until = held_until(plan, entries) or now
    store.tickets.set_job(ticket.id, None)
    at = max(now, until)
    return store.tickets.move(ticket.id, ticket.state, event, now, words=ticket.words, next_at=at) is not None


def attempts(
    desk: Desk, ticket: Ticket, plan: Plan, report: Report, entries: Sequence[Entry]
) -> tuple[Moved, ...]:
    """What CloudTrail says was tried since the hold stands, of what it denies; and that it could not say, where it could not.

    Raises Unreachable where it did not answer in time: the next look reads the rest, for a day.
    """
    since, until = held_since(plan, entries), held_until(plan, entries)
    if since is None or until is None:
        return ()
    found = replays.attempts(desk, ticket, plan, report, since)
    unheard_ = [Moved("unheard", f"{found.not_asked} is not allowed")] if found.not_asked else []
    if found.gaps and desk.clock() < until + _READING:
        raise Unreachable("cloudtrail:LookupEvents", "not read to the end", account=plan.basis.entity.account)
    unheard_ += [Moved("unheard", f"CloudTrail gave no whole answer in {g.region}") for g in found.gaps]
    return (*found.tried, *unheard_)


def unheard(ticket: Ticket, tried: Sequence[Moved]) -> tuple[Moved, ...]:
    """The attempts that no person was asked about yet; whoever goes on all the same has seen the others."""
    known = {(m.what, m.name): m.at for m in ticket.moved}
    return tuple(m for m in tried if _newer(m, known))


def _newer(one: Moved, known: dict[tuple[str, str], datetime | None]) -> bool:
    was = known.get((one.what, one.name))
    return (one.what, one.name) not in known or (one.at is not None and was is not None and one.at > was)


def ask(desk: Desk, ticket: Ticket, tried: Sequence[Moved]) -> None:
    """Somebody tried what is held: nothing is rewritten before a person has looked at it."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        known = [m for m in ticket.moved if (m.what, m.name) not in {(t.what, t.name) for t in tried}]
        told = (*known, *tried)
        if store.tickets.move(ticket.id, ticket.state, Event.ATTEMPTED, now, moved=told) is None:
            return
        store.log.add(
            "bot",
            "ticket.attempted",
            f"ticket {ticket.id}",
            now,
            moved="; ".join(f"{m.what} {m.name} {m.detail}".strip() for m in tried)[:1000],
        )
        tickets.reply(desk, ticket, "ticket.event", ticket.id, what=Event.ATTEMPTED.value)
        tickets.redraw(desk, ticket)
    log.info("ticket.attempted ticket=%d things=%d", ticket.id, len(tried))


def day(since: datetime, now: datetime) -> int:
    """Which day of a hold it is, from 1."""
    return max(0, (now - since).days) + 1


def count_days(desk: Desk) -> None:
    """Draw the cards of holds again whose day is another one than it says there."""
    now = desk.clock()
    for ticket in desk.store.tickets.in_state(TicketState.HELD):
        since = held_since(ticket.plan, desk.store.steps.of(ticket.id)) if ticket.plan else None
        drawn = desk.store.outbox.drawn_at(ticket.card_id)
        if since and drawn and day(since, drawn) != day(since, now):
            tickets.redraw(desk, ticket)
