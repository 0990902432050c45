"""What becomes of a hold while its quiet days pass: its end, what stops it, and that its card counts the days."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from advisor import replays, tickets, watches
from advisor.core.errors import Refused, Unreachable
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
    """What was tried since the hold stands, of what it denies, and what nobody could say of that.

    What the watch has heard counts, be it from a queue; not what a person said is not needed. Raises Unreachable where
    event history did not answer in time: the next look reads the rest, for a day.
    """
    since, until = held_since(plan, entries), held_until(plan, entries)
    if since is None or until is None:
        return ()
    seconds = desk.config.iam_audit_replay_seconds or (watches.BOX if desk.config.iam_audit_watch_days else 0)
    watched = desk.store.watches.get(ticket.id) is not None
    found = replays.attempts(desk, ticket, plan, report, since, seconds, denied=not watched)
    watches.weigh(desk, plan.basis.entity.account)
    hits = desk.store.watches.hits(ticket.id)
    waved = {" and ".join(h.actions): h.last for h in hits if h.closed_at is not None}
    heard = [
        Moved("called", " and ".join(h.actions), h.sessions[0] if h.sessions else "", h.last)
        for h in hits
        if h.closed_at is None
    ]
    told = {m.name for m in heard}
    tried = [
        m
        for m in found.tried
        if m.name not in told and not (m.at and m.name in waved and m.at <= waved[m.name])
    ]
    return (*heard, *tried, *_not_told(desk, plan, found, until))


def _not_told(desk: Desk, plan: Plan, found: replays.Attempts, until: datetime) -> tuple[Moved, ...]:
    """What event history could not say."""
    if found.not_asked or any(g.why == Refused.code for g in found.gaps):
        return (Moved("unheard", "cloudtrail:LookupEvents is not allowed"),)
    if found.gaps and desk.clock() < until + _READING:
        raise Unreachable("cloudtrail:LookupEvents", "not read to the end", account=plan.basis.entity.account)
    return tuple(Moved("unheard", f"CloudTrail gave no whole answer in {g.region}") for g in found.gaps)


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
