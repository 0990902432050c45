"""After a hold or a change: who is denied what was taken, from event history and from a queue; whom to tell; and the end.

Denied calls are kept first and judged afterwards, and what was judged is said after that, each in a transaction of its
own: a death in between is made good by the next beat. Knows nothing of Slack.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from advisor import replays
from advisor.core import watch as core
from advisor.core.errors import AwsError
from advisor.core.events import unseen
from advisor.core.model import Report
from advisor.core.removal import Entry, Plan, StepState, Ticket, TicketState
from advisor.core.replay import concerned, questions, regions_used, taken
from advisor.core.watch import Hit, Judge, Seen, Watch
from advisor.desk import Desk
from advisor.edges.store.trail import LATE
from advisor.tickets import redraw, reply, tell

log = logging.getLogger(__name__)

S = TicketState

LIVES = frozenset({S.HELD, S.APPLYING, S.APPLIED, S.ROLLING_BACK, S.NEEDS_HUMAN})
"""States of a ticket in which a watch goes on: something is denied by it, or may be."""

BOX = 120.0
"""Seconds that a look takes at most, where the replay before a ticket has none of its own."""

LIFTING = timedelta(minutes=1)
"""So long after a hold was seen to be gone somebody may still meet it: IAM is eventually consistent."""


# -- beginning and ending ------------------------------------------------------------------------------------------


def begin(desk: Desk, ticket: Ticket, plan: Plan, *, held: bool) -> None:
    """Watch a ticket from now on, in the transaction that makes it held or applied; one that is watched goes on."""
    days, now = desk.config.iam_audit_watch_days, desk.clock()
    began = _written(plan, desk.store.steps.of(ticket.id))
    if not days or began is None:
        return
    snapshot = desk.store.entities.newest_snapshot(ticket.entity_id)
    known = desk.store.watches.get(ticket.id)
    watch = Watch(
        ticket=ticket.id,
        account=plan.basis.entity.account,
        who=tuple(sorted({*concerned(plan.basis.entity, snapshot), *(known.who if known else ())})),
        since=began.first,
        until=now + timedelta(days=days),
        often_until=now + core.AT_FIRST,
        next_at=now + core.OFTEN,
        changed_at=None if held else began.rewritten,
        lifted_at=None if held else now + LIFTING if plan.hold else began.rewritten,
    )
    if watch.who:
        desk.store.watches.begin(watch)


@dataclass(frozen=True, slots=True)
class _Written:
    """When the first write of a change was made, and when the first that was not its hold's."""

    first: datetime
    rewritten: datetime | None


def _written(plan: Plan, entries: Collection[Entry]) -> _Written | None:
    times = [(e.begun_at, e) for e in entries if not e.back and e.begun_at and e.state is StepState.DONE]
    if not times:
        return None
    hold = {step.arn or step.name for step in plan.hold.lay} if plan.hold and not plan.quarantine else set()
    others = [at for at, e in times if (e.step.arn or e.step.name) not in hold]
    # CloudTrail tells whole seconds.
    first = min(at for at, _ in times).replace(microsecond=0)
    return _Written(first, min(others).replace(microsecond=0) if others else None)


def _over(desk: Desk, watch: Watch, ticket: Ticket | None) -> bool:
    """Whether a ticket is one that nothing is to be watched of any more: then it ends without a word."""
    if ticket is not None and ticket.plan is not None and ticket.state in LIVES:
        return False
    desk.store.watches.end(watch.ticket, desk.clock())
    return True


def _end(desk: Desk, watch: Watch, seen: Seen) -> None:
    """Its days are over: say what was seen, and what could not be."""
    with desk.store.transaction():
        ticket = desk.store.tickets.get(watch.ticket)
        if ticket is None or _over(desk, watch, ticket):
            return
        say(desk, ticket.id)  # what the last look has found is not kept back
        desk.store.watches.looked(watch.ticket, None, seen)
        if desk.store.watches.end(watch.ticket, desk.clock()):
            desk.store.log.add("bot", "ticket.watch_ended", f"ticket {ticket.id}", desk.clock())
            reply(desk, ticket, "ticket.watch_ended", ticket.id)
            redraw(desk, ticket)
    log.info("watch.ended ticket=%d", watch.ticket)


# -- looking -------------------------------------------------------------------------------------------------------


def look(desk: Desk, account: str) -> None:
    """Ask event history once for every watch of an account that is due; then judge, and end those whose days are over."""
    store, now = desk.store, desk.clock()
    due: dict[int, tuple[Watch, frozenset[str], frozenset[str]]] = {}
    used: set[str] = set()
    for watch in store.watches.claim(account, now, now + core.OFTEN):
        ticket = store.tickets.get(watch.ticket)
        if ticket is None or ticket.plan is None or _over(desk, watch, ticket):
            continue
        services, single, report = _taken(desk, ticket, ticket.plan)
        used |= regions_used(report) if report else set()
        due[watch.ticket] = (watch, services, single)
    if not due:
        return
    try:
        regions, every = replays.where(desk, account, used)
    except AwsError as error:
        log.warning("watch.later account=%s call=%s why=%s", account, error.call, error.code)
        return
    looks = {each for _, s, a in due.values() for each in questions(s, a, regions)}
    back = min(now - min(w.since for w, _, _ in due.values()), replays.HISTORY)
    seconds = desk.config.iam_audit_replay_seconds or BOX
    gaps, refused = replays.listen(desk, account, sorted(looks), seconds, back=back)
    weigh(desk, account)
    for watch, services, single in due.values():
        _looked(desk, watch, Seen(refused, gaps, tuple(sorted(regions)), every, unseen(services, single)))


def _looked(desk: Desk, watch: Watch, seen: Seen) -> None:
    """Keep what a look could read, and when the next one is; or end."""
    following = core.next_look(watch, desk.clock(), LATE)
    if following is None:
        _end(desk, watch, seen)
        return
    with desk.store.transaction():
        desk.store.watches.looked(watch.ticket, following, seen)
        ticket = desk.store.tickets.get(watch.ticket)
        if ticket and open_hits(desk, ticket.id):  # their numbers are on the card
            redraw(desk, ticket)


def _taken(desk: Desk, ticket: Ticket, plan: Plan) -> tuple[frozenset[str], frozenset[str], Report | None]:
    report = desk.store.reports.get(ticket.report_id)
    if report is None:
        return plan.takes, plan.takes_singly, None
    return (*taken(plan, report), report)


# -- judging -------------------------------------------------------------------------------------------------------


def weigh(desk: Desk, account: str) -> None:
    """Judge what was heard of an account's principals, for every watch of it."""
    store = desk.store
    newest, new = store.watches.newest_denied(), store.watches.unweighed_of(account)
    for watch in store.watches.of_account(account):
        if new.isdisjoint(watch.who):
            continue
        ticket = store.tickets.get(watch.ticket)
        if ticket is None or ticket.plan is None or _over(desk, watch, ticket):
            continue
        denials = store.watches.denials(watch)
        if not denials:
            continue
        hits = _judge(desk, ticket, ticket.plan).hits(denials)
        if hits:
            store.watches.found(ticket.id, hits, desk.clock())
    store.watches.weighed(account, newest)


def _judge(desk: Desk, ticket: Ticket, plan: Plan) -> Judge:
    services, single, _ = _taken(desk, ticket, plan)
    held = ticket.state is S.HELD
    return Judge(plan, services, single, _back(ticket), desk.catalogue, held=held)


def things(desk: Desk, ticket: Ticket, hits: Iterable[Hit]) -> tuple[str, ...]:
    """What would give these back as the ticket stands now: a hold denies less, or a document gets more."""
    if ticket.plan is None:
        return ()
    judge = _judge(desk, ticket, ticket.plan)
    return tuple(dict.fromkeys(t for h in hits for t in judge.things(h.actions)))


def _back(ticket: Ticket) -> set[str]:
    """What was given back, or is just being."""
    return {*ticket.given, *(ticket.wanted if ticket.state is S.ROLLING_BACK else ())}


# -- saying --------------------------------------------------------------------------------------------------------


def to_say(desk: Desk) -> list[int]:
    """Tickets with something new to say: after a moment of gathering, and after ten minutes of quiet."""
    now = desk.clock()
    return desk.store.watches.to_say(now - core.TOGETHER_FOR, now - core.QUIET_FOR)


def say_at(desk: Desk) -> datetime | None:
    """When there is something to say next."""
    waits = desk.store.watches.unsaid()
    if waits is None:
        return None
    heard, said = waits
    return max(heard + core.TOGETHER_FOR, said + core.QUIET_FOR if said else heard)


def say(desk: Desk, ticket_id: int) -> None:
    """Tell the thread and the owner what is new, in one message with all that is open."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        ticket, watch = store.tickets.get(ticket_id), store.watches.get(ticket_id)
        if ticket is None or watch is None or _over(desk, watch, ticket):
            return
        back = _back(ticket)  # by now: it may have been given back since it was judged
        gone = [h.id for h in open_hits(desk, ticket_id) if h.things and back.issuperset(h.things)]
        store.watches.close(gone, "given", "bot", now)
        hits = open_hits(desk, ticket_id)
        new = [h for h in hits if h.said_at is None]
        if not new:
            return
        store.watches.said(ticket_id, [h.id for h in new], now)
        told = ",".join(str(h.id) for h in hits)
        for hit in new:
            store.log.add(
                "bot",
                "ticket.denied",
                f"ticket {ticket_id}",
                now,
                principal=hit.principal,
                actions=", ".join(hit.actions),
                cause=hit.cause.value,
                count=str(hit.count),
            )
        reply(desk, ticket, "ticket.denied", ticket_id, hits=told)
        if ticket.owner:
            tell(desk, ticket, "ticket.denied", ticket.owner, hits=told)
        redraw(desk, ticket)
    log.info("ticket.denied ticket=%d new=%d", ticket_id, len(new))


def open_hits(desk: Desk, ticket_id: int) -> tuple[Hit, ...]:
    """What was denied because of a ticket, and neither given back nor said to be not needed."""
    return tuple(h for h in desk.store.watches.hits(ticket_id) if h.closed_at is None)
