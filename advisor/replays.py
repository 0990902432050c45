"""The second witness at work: event history is read before a ticket opens, and what is new before its first write.

What it does not answer is said, never counted as unused, and never stops anybody: only a call that would be lost does.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from advisor.core import testimony
from advisor.core.errors import AwsError, Refused
from advisor.core.events import unseen
from advisor.core.model import Report, Snapshot
from advisor.core.plan import Nothing
from advisor.core.removal import Moved, Plan, Standing, Ticket
from advisor.core.replay import (
    DAYS,
    Call,
    Court,
    Fate,
    Gap,
    Judged,
    Look,
    Replay,
    concerned,
    detail,
    documents,
    questions,
    regions_used,
    replayed,
    seen,
    taken,
    told,
)
from advisor.desk import Desk
from advisor.edges.aws.denials import Heard
from advisor.edges.aws.trail import Event, Read, Stretch
from advisor.edges.store.trail import Covered, Happened
from advisor.readings import Reading

log = logging.getLogger(__name__)

HISTORY = timedelta(days=DAYS)
"""How far event history goes back."""

FRESH = timedelta(minutes=15)
"""A look that was made so recently serves another ticket that opens; before a first write it is made again."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A plan after the witness was heard: without what it spoke for. `replay` is None where it is turned off."""

    made: Plan | Nothing
    replay: Replay | None = None


def weigh(
    desk: Desk,
    ticket: Ticket,
    standing: Standing,
    reading: Reading,
    make: Callable[[Mapping[str, str]], Plan | Nothing],
) -> Weighed:
    """Make the plan; where a call of the last 90 days would be lost, make it again without what that call needs.

    `make` takes what stays because of calls: a service, or `service:action` in lower case, with the reason.
    """
    made = make({})
    if not desk.config.iam_audit_replay_seconds or not isinstance(made, Plan):
        return Weighed(made)
    heard = _hear(desk, made, standing, reading.report, reading.snapshot, fresh=False)
    called: dict[str, str] = {}
    turned: list[Judged] = []
    judged: list[Judged] = []
    while isinstance(made, Plan):
        judged = _judge(desk, heard, made, standing, reading.report)
        lost = [j for j in judged if j.fate is Fate.LOST]
        if not lost:
            break
        stays = seen(lost, *taken(made, reading.report))
        turned = list(dict.fromkeys([*turned, *lost]))
        again = not made.quarantine and bool(stays.keys() - called.keys())
        called |= {name: detail(one) for name, one in stays.items()}
        made = make(called) if again else Nothing(())
    if turned:
        log.info("ticket.called ticket=%d kinds=%d", ticket.id, len(turned))
    return Weighed(made, _result(desk, heard, judged, tuple(turned)))


def last_look(desk: Desk, ticket: Ticket, plan: Plan, report: Report) -> tuple[Moved, ...]:
    """What was called by now and would be lost: read anew just before the first write, as far as it is new."""
    if not desk.config.iam_audit_replay_seconds:
        return ()
    entity = plan.basis.entity
    snapshot = desk.store.entities.newest_snapshot(ticket.entity_id)
    heard = _hear(desk, plan, plan.basis, report, snapshot, fresh=True)
    judged: list[Judged] = []
    if heard.calls:
        now = desk.aws.standing(desk.aws.session(entity.account), entity)
        judged = _judge(desk, heard, plan, _as_approved(now, plan.basis), report)
    before = desk.store.trail.of_ticket(ticket.id)
    result = _result(desk, heard, judged, before.turned if before else ())
    with desk.store.transaction():
        remember(desk, ticket, result)
        if result.missing:
            _say_again(desk, ticket)
    lost = [j for j in judged if j.fate is Fate.LOST]
    return tuple(Moved("called", " and ".join(j.actions), j.session, j.at) for j in lost[:20])


@dataclass(frozen=True, slots=True)
class Attempts:
    """What was tried while a hold stands, and what nobody could say: a permission that was refused, Regions unread."""

    tried: tuple[Moved, ...] = ()
    not_asked: str = ""
    gaps: tuple[Gap, ...] = ()


def attempts(
    desk: Desk,
    ticket: Ticket,
    plan: Plan,
    report: Report,
    since: datetime,
    seconds: float,
    *,
    denied: bool,
) -> Attempts:
    """What was tried since then of what a plan takes and these documents allow: a hold denied it, and somebody wanted it.

    Access Advisor is no witness here: it does not list a service that a Deny takes away. Without `denied` only what went
    through all the same is told: a watch judges what was denied, by AWS's own sentence.
    """
    if not seconds:
        return Attempts()
    entity = plan.basis.entity
    snapshot = desk.store.entities.newest_snapshot(ticket.entity_id)
    heard = _hear(desk, plan, plan.basis, report, snapshot, fresh=True, seconds=seconds)
    newer = [c for c in heard.calls if c.newest >= since and (denied or not c.denied)]
    if not newer:
        return Attempts((), heard.not_asked, heard.gaps)
    standing = desk.aws.standing(desk.aws.session(entity.account), entity)
    court = Court(*documents(standing, plan), desk.catalogue)
    judged = replayed(newer, court, *taken(plan, report))
    wanted = [j for j in judged if court.allowed(j.actions)]
    tried = tuple(Moved("called", " and ".join(j.actions), j.session, j.at) for j in wanted[:20])
    return Attempts(tried, heard.not_asked, heard.gaps)


def _as_approved(now: Standing, basis: Standing) -> Standing:
    """What stands beside the plan is of now, what the plan rests on is what was approved: any other is drift anyway.

    A read that lags, and does not have a document, would make a call look as if something else had allowed it.
    """
    others = (m for m in now.managed if basis.policy(m.arn) is None)
    return replace(now, inline=basis.inline, attached=basis.attached, managed=(*basis.managed, *others))


def remember(desk: Desk, ticket: Ticket, replay: Replay) -> None:
    """Keep what was said; its hash goes to the log, so that the evidence of the ticket cannot have other words."""
    told = testimony.tree(replay)
    with desk.store.transaction():
        desk.store.trail.save(ticket.id, replay)
        desk.store.log.add(
            "bot",
            testimony.VERB,
            f"ticket {ticket.id}",
            desk.clock(),
            said=testimony.summary(told),
            sha256=testimony.sha256(told),
        )


def _say_again(desk: Desk, ticket: Ticket) -> None:
    """What had no answer is in the thread, once an approval: nobody reads the card for it any more."""
    outbox = desk.store.outbox
    if not outbox.said("ticket.replayed", ticket.id, ticket.changed_at):
        outbox.add(
            "post",
            "ticket.replayed",
            ticket.id,
            channel=ticket.channel,
            user=ticket.requesters[0],
            now=desk.clock(),
            parent_id=ticket.card_id,
        )


def reasons(replay: Replay) -> str:
    """What was called, newest first, as a failure keeps it."""
    newest = sorted(replay.turned, key=lambda j: j.at, reverse=True)
    return json.dumps([detail(j) for j in newest[:8]], ensure_ascii=False)


# -- asking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Heard:
    """What there is to judge, and what has no answer."""

    looks: tuple[Look, ...]
    calls: tuple[Call, ...]
    unseen: tuple[str, ...]
    regions: tuple[str, ...] = ()
    all_regions: bool = True
    gaps: tuple[Gap, ...] = ()
    not_asked: str = ""


def _hear(
    desk: Desk,
    plan: Plan,
    standing: Standing,
    report: Report,
    snapshot: Snapshot | None,
    *,
    fresh: bool,
    seconds: float = 0.0,
) -> _Heard:
    """Read what is not known yet of what a plan takes, and hand out the calls of those whom it concerns.

    `seconds` is the box of time; the one of the settings unless it is given.
    """
    seconds = seconds or desk.config.iam_audit_replay_seconds
    account = standing.entity.account
    services, single = taken(plan, report)
    who = concerned(standing.entity, snapshot)
    regions, every = where(desk, account, regions_used(report))
    looks = questions(services, single, regions) if who else ()
    gaps, not_asked = listen(desk, account, looks, seconds, fresh=fresh)
    if not_asked and _known(desk, account, looks):
        gaps, not_asked = _silent(looks, Refused.code), ""
    calls = desk.store.trail.calls(account, looks, who, desk.clock() - HISTORY)
    hidden = unseen(services, single)
    return _Heard(looks, tuple(calls), hidden, tuple(sorted(regions)), every, gaps, not_asked)


def listen(
    desk: Desk,
    account: str,
    looks: Collection[Look],
    seconds: float,
    *,
    fresh: bool = True,
    back: timedelta = HISTORY,
) -> tuple[tuple[Gap, ...], str]:
    """Bring what is known of these looks up to now, within so many seconds; the store has the calls afterwards.

    Says what has no whole answer, and the permission that was refused, if one was. `fresh`: also where somebody has
    looked within FRESH. `back`: so much of the past is wanted.
    """
    ends_at = time.monotonic() + seconds
    try:
        with desk.aws.trail.turn(account, seconds):
            stretches = _stretches(desk, account, looks, back, fresh=fresh)
            left = ends_at - time.monotonic()
            return desk.aws.trail.read(account, stretches, left, partial(_keep, desk, account)), ""
    except Refused as error:
        return (), error.call
    except AwsError as error:
        log.warning("trail.failed account=%s call=%s why=%s", account, error.call, error.code)
        return _silent(looks, error.code), ""


def _silent(looks: Collection[Look], why: str) -> tuple[Gap, ...]:
    """None of them has a whole answer."""
    counted = Counter(look.region for look in looks)
    return tuple(Gap(region, n, why) for region, n in sorted(counted.items()))


def _known(desk: Desk, account: str, looks: Collection[Look]) -> bool:
    """Whether some of it was answered before it was refused: then "not asked" would not be true."""
    return any(c.since < c.until for c in desk.store.trail.covered(account, looks).values())


def where(desk: Desk, account: str, used: Collection[str]) -> tuple[frozenset[str], bool]:
    """Where to look: where the entity was seen, the home of global services, and what the account has enabled."""
    found = frozenset(used) | {desk.aws.trail.home()}
    try:
        return found | frozenset(desk.aws.trail.regions(account)), True
    except AwsError as error:
        log.warning("trail.regions account=%s call=%s why=%s", account, error.call, error.code)
        return found, False


def _stretches(
    desk: Desk, account: str, looks: Iterable[Look], back: timedelta, *, fresh: bool
) -> list[Stretch]:
    """What of the looks is not known yet: the newest first, what nobody ever asked before all else."""
    now = desk.clock()
    start, looks = now - back, tuple(looks)
    covered = desk.store.trail.covered(account, looks)
    new = [x for x in looks if x not in covered]
    found = [Stretch(x, start, now) for x in new]
    for look, known in sorted(covered.items(), key=lambda pair: pair[1].until):
        found += _rest(look, known, start, now, fresh=fresh)
    return found


def _rest(look: Look, known: Covered, start: datetime, now: datetime, *, fresh: bool) -> list[Stretch]:
    whole = known.since <= start
    if whole and not fresh and now - known.read_at < FRESH:
        return []
    if known.since >= known.until or known.until < now - HISTORY:
        return [Stretch(look, start, now)]
    older = [] if whole else [Stretch(look, start, known.since)]
    return [Stretch(look, known.until, now, pieces=False), *older]


def _keep(desk: Desk, account: str, read: Read) -> None:
    happened = [Happened(e.id, _call(e, read.look.region), e.by, e.policy) for e in read.events]
    desk.store.trail.keep(account, read.look, happened, read.since, read.until, desk.clock())


def _call(event: Event, region: str) -> Call:
    return Call(event.principal, event.source, event.name, event.denied, event.at, 1, event.session, region)


def keep_heard(desk: Desk, heard: Iterable[Heard]) -> int:
    """Keep the denied calls that a queue told of; how many are new."""
    calls = [
        (h.account, Happened(h.event.id, _call(h.event, h.region), h.event.by, h.event.policy).denied)
        for h in heard
        if h.event.denied and h.event.id
    ]
    return desk.store.watches.hear(calls, "queue")


# -- judging ---------------------------------------------------------------------------------------------------------


def _judge(desk: Desk, heard: _Heard, plan: Plan, standing: Standing, report: Report) -> list[Judged]:
    court = Court(*documents(standing, plan), desk.catalogue)
    return replayed(heard.calls, court, *taken(plan, report))


def _result(desk: Desk, heard: _Heard, judged: list[Judged], turned: tuple[Judged, ...]) -> Replay:
    return replace(
        told(judged, desk.clock()),
        not_asked=heard.not_asked,
        turned=turned,
        unseen=heard.unseen,
        regions=heard.regions,
        all_regions=heard.all_regions,
        looks=len(heard.looks),
        gaps=heard.gaps,
        asked=tuple(sorted({f"{look.key} {look.value}" for look in heard.looks})),
    )
