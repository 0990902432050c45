"""What a digest says: read from stored scores, reports, tickets and keeps when it is collected."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from advisor.core import digest as core
from advisor.core.digest import Change, Digest, Ended, Ending, Thing, Unread, Waiting
from advisor.core.estate import Posting, Schedule
from advisor.core.model import Account
from advisor.core.removal import Ticket, TicketState
from advisor.desk import Desk
from advisor.edges.store.digest_queries import Scope

_PAIRS = 100
"""Entities that are compared at a time; between them the thread lets others go first."""

_MOST = 200
"""Changes of a kind that are kept, the heaviest first; a digest that lists more is not read."""


def gather(
    desk: Desk, posting: Posting, schedule: Schedule, accounts: Sequence[Account], unread: Sequence[Account]
) -> Digest:
    """Everything that one digest says, as known now. `unread` are the accounts that were not read for it."""
    store, now, since = desk.store, desk.clock(), posting.since_at
    scope = scope_of(schedule, accounts)
    everything = replace(scope, least=0)
    named = {a.id: a.alias for a in accounts}
    grew, again, unused = _changes(desk, scope, since, named)
    found, count = store.digests.next(scope, now, core.SHOWN)
    rows, last = store.log.last()
    told = Digest(
        since=since,
        until=now,
        accounts=tuple((a.id, a.alias) for a in accounts),
        totals=store.digests.totals(everything),
        before=store.digests.before(everything, since),
        grew=grew,
        unused=unused,
        again=again,
        born=store.digests.born(everything, since),
        ending=_ending(desk, schedule, now, named),
        next=tuple(replace(n, thing=_named(n.thing, named)) for n in found),
        more=count - len(found),
        unread=tuple(_unread(desk, a) for a in unread),
        failed=sum(store.digests.unread(a.id)[1] for a in accounts if a not in unread),
        numbers=store.counted.numbers(since, scope.accounts, scope.tag),
        loose=tuple(x for x in store.counted.loose() if x.account in named),
        log_rows=rows,
        log_hash=last,
    )
    return _with_tickets(desk, told, schedule, named)


def scope_of(schedule: Schedule, accounts: Sequence[Account]) -> Scope:
    """What a schedule is about."""
    return Scope(tuple(a.id for a in accounts), schedule.tag, core.LEAST.get(schedule.severity, 0))


def _named(thing: Thing, named: dict[str, str]) -> Thing:
    return replace(thing, alias=named.get(thing.account, ""))


Changes = tuple[Change, ...]


def _changes(
    desk: Desk, scope: Scope, since: datetime, named: dict[str, str]
) -> tuple[Changes, Changes, Changes]:
    """What grew, what is used again and what is not used any more, the heaviest entities first."""
    found: tuple[list[Change], list[Change], list[Change]] = ([], [], [])
    window = desk.config.iam_audit_window_days
    digests = desk.store.digests
    read = digests.read_since(scope, since)
    for first in range(0, len(read), _PAIRS):
        some = digests.pairs(read[first : first + _PAIRS], since)
        reads = dict(digests.reads([i for p in some for i in (p.before_id, p.after_id)]))
        for pair in some:
            if pair.before_id not in reads or pair.after_id not in reads:
                continue
            before, after = reads[pair.before_id], reads[pair.after_id]
            for kind, change in zip(
                found, core.compare(_named(pair.thing, named), before, after, window, pair.risk), strict=True
            ):
                if change:
                    kind.append(change)
        time.sleep(0.001)  # an acknowledgement goes first
    return _heaviest(found[0]), _heaviest(found[1]), _heaviest(found[2])


def _heaviest(changes: Iterable[Change]) -> Changes:
    return tuple(sorted(changes, key=lambda c: (-c.risk, -len(c.services), c.thing.name))[:_MOST])


def _ending(desk: Desk, schedule: Schedule, now: datetime, named: dict[str, str]) -> tuple[Ending, ...]:
    return tuple(
        Ending(keep.id, _named(thing, named), keep.service, keep.until)
        for keep, thing in desk.store.digests.ending(now, now + core.SOON)
        if thing.account in named and _tagged(desk, schedule, thing)
    )


def _tagged(desk: Desk, schedule: Schedule, thing: Thing) -> bool:
    """Whether an entity bears the tag of a schedule, as it was read last."""
    if not schedule.tag:
        return True
    key, _, value = schedule.tag.partition("=")
    snapshot = desk.store.entities.newest_snapshot(thing.id)
    return bool(snapshot) and (key, value) in (snapshot.tags if snapshot else ())


def _unread(desk: Desk, account: Account) -> Unread:
    failure, _ = desk.store.digests.unread(account.id)
    since = desk.store.sweeps.last_done(account.id)
    return Unread(account.id, account.alias, since, failure.code if failure else "")


def _with_tickets(desk: Desk, told: Digest, schedule: Schedule, named: dict[str, str]) -> Digest:
    """The same with its tickets: carried out, taken back, run out of time, waiting."""
    ended: dict[TicketState, list[Ended]] = {
        TicketState.APPLIED: [],
        TicketState.ROLLED_BACK: [],
        TicketState.EXPIRED: [],
    }
    waiting: list[Waiting] = []
    for ticket, plain in desk.store.digests.tickets(list(named), told.since):
        if ticket.plan is None or not _tagged(desk, schedule, plain):
            continue
        thing = _named(plain, named)
        if ticket.state in ended:
            ended[ticket.state].append(Ended(ticket.id, thing, _lost(ticket)))
        else:
            waiting.append(_waiting(desk, ticket, thing))
    return replace(
        told,
        removed=tuple(ended[TicketState.APPLIED]),
        back=tuple(ended[TicketState.ROLLED_BACK]),
        expired=tuple(ended[TicketState.EXPIRED]),
        waiting=tuple(waiting),
    )


def _lost(ticket: Ticket) -> int:
    """How many services a plan takes whole; what was given back since is not counted."""
    return len([s for s in ticket.plan.services if s not in ticket.given]) if ticket.plan else 0


def _waiting(desk: Desk, ticket: Ticket, thing: Thing) -> Waiting:
    plan, entity = ticket.plan, desk.store.entities.get(ticket.entity_id)
    stuck = ticket.state is TicketState.NEEDS_HUMAN or ticket.asks
    whole = plan is not None and entity is not None and core.shown_whole(plan, entity)
    return Waiting(
        ticket.id,
        thing,
        len(plan.services) if plan else 0,
        len(desk.store.tickets.approvals(ticket.id)),
        ticket.expires_at,
        stuck=stuck,
        advice=ticket.advice,
        fingerprint=plan.fingerprint if plan and whole and not stuck and not ticket.advice else "",
    )
