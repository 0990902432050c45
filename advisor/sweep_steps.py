"""The story of a sweep: who is in each account, then batch after batch until every entity is read or named.

What is stored is never asked for again: a sweep that was cut off goes on where it was. Batches run in other processes;
only the rows come home, and this process alone writes them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

from advisor import homes, jobs, readings
from advisor.core.errors import (
    AwsError,
    Busy,
    Expired,
    ReportFailed,
    Throttled,
    Transient,
    Unreachable,
    WorkerLost,
)
from advisor.core.estate import Part, Sweep, SweptAccount
from advisor.core.model import Failure
from advisor.desk import Desk
from advisor.edges import parcels
from advisor.edges.aws import authorization
from advisor.edges.aws.authorization import AccountListing, Roll
from advisor.edges.aws.batch import Batch
from advisor.edges.store.sweeps import Settled, Waiting
from advisor.sweep_ends import conclude, end, take_back
from advisor.sweeping import Answer, Judged, Order, carry_out
from advisor.sweeps import progress, redraw

log = logging.getLogger(__name__)
A = TypeVar("A")
R = TypeVar("R")

LISTS = "sweep lists"
"""The lane on which accounts are listed: a few at a time."""

PASSING = {
    "unexpected",
    "worker_lost",
    Throttled.code,
    Expired.code,
    Busy.code,
    Unreachable.code,
    Transient.code,
}
"""Codes of failures that may pass by themselves; `unexpected` is a fault of ours, whose stack the log has."""

WORTH_A_TRY = {*PASSING, ReportFailed.code, "stuck", "lost"}
"""Codes of an entity's failure after which a later batch tries it again."""

SIDE_BY_SIDE = 32
"""Accounts that one process reads at the same time; each waits mostly for AWS."""

BATCH, LEAST = 500, 50
"""Entities of a batch at most, and at least where there are so many."""

TOGETHER_HOME = 3000
"""Entities that come home from one process at a time: unpacking their rows takes memory, and holds up people's commands."""

BOXES = (3.0, 24.0)
"""Seconds after which a batch begins no more reports: its rows come home, and the card can tell.

The first of an account is short and each is twice as long as the last, so that little time is lost between batches.
"""

AFRESH, FEW = 1.0, 40
"""The same seconds, and the entities, of the first batch after a restart: a bot that is killed again and again gets on."""

STUCK = 120.0
"""Seconds that one report may take: the others of its batch wait for it, and a later batch tries it again."""

TOGETHER = timedelta(seconds=3)
"""How long the first accounts of a group wait for those that are still being listed: a group is read side by side."""

TRIES = 3
"""Batches that try an entity before it is named as not read."""

PATIENT = 120
"""Times in a row that an account may limit the rate before anything of it is read: about an hour."""

_SOME = 100
"""Reports that become visible in one transaction, with their scores: about 500 rows."""


def beat(desk: Desk) -> None:
    """Hand out what every sweep has to do next: accounts to list, groups of accounts to read. Never calls AWS itself."""
    store, now = desk.store, desk.clock()
    busy = store.sweeps.busy()
    for sweep in store.sweeps.unfinished():
        if not sweep.accounts:
            continue
        parts = store.sweeps.parts(sweep.id)
        live = [p for p in parts if p.state in {Part.QUEUED, Part.RUNNING}]
        if not live:
            desk.lanes.submit(LISTS, ("sweep end", sweep.id), partial(end, desk, sweep.id), store.work)
        for part in live:
            turn = busy.setdefault(part.account, sweep.id) == sweep.id
            if turn and part.state is Part.QUEUED and _due(part, now):
                _hand_out(desk, LISTS, sweep.id, part.account, list_account)
            elif part.state is Part.RUNNING and not part.left and _due(part, now):
                _hand_out(desk, LISTS, sweep.id, part.account, end_account)
        early = {_group(desk, sweep, p) for p in live if _is_listed_now(p, now)}
        for group in sorted({_group(desk, sweep, p) for p in live if _reads(p, now)} - early):
            work = partial(read_group, desk, sweep.id, group)
            desk.lanes.submit(f"sweep {group}", ("sweep read", sweep.id, group), work, store.work)


def _hand_out(
    desk: Desk, lane: str, sweep_id: int, account: str, work: Callable[[Desk, int, str], None]
) -> None:
    """One step of one account. A fault of ours is tried again later, then ends the account: it must not spin."""

    def carefully() -> None:
        try:
            work(desk, sweep_id, account)
        except (
            Exception
        ):  # whatever it was: the account waits its turn first, then the lane's log says what it was
            part = desk.store.sweeps.part(sweep_id, account)
            if part:
                _not_now(desk, part, Failure("unexpected", account=account))
            raise

    task = ("sweep", work.__name__, sweep_id, account)
    desk.lanes.submit(lane, task, carefully, desk.store.work)


def _due(part: SweptAccount, now: datetime) -> bool:
    return part.next_at is None or part.next_at <= now


def _is_listed_now(part: SweptAccount, now: datetime) -> bool:
    return part.state is Part.QUEUED and part.begun_at is not None and now - part.begun_at < TOGETHER


def _reads(part: SweptAccount, now: datetime) -> bool:
    return part.state is Part.RUNNING and bool(part.left) and _due(part, now)


def _group(desk: Desk, sweep: Sweep, part: SweptAccount) -> int:
    """Accounts are read in as many groups as there are processes, each group side by side in one of them."""
    return sweep.accounts.index(part.account) % max(1, min(desk.pool.width, len(sweep.accounts)))


def list_account(desk: Desk, sweep_id: int, account: str) -> None:
    """Read who is in an account and what each has; what a young report tells of already is done with that."""
    store, now = desk.store, desk.clock()
    sweep, part = store.sweeps.get(sweep_id), store.sweeps.part(sweep_id, account)
    if sweep is None or part is None or sweep.state.ended or part.state is not Part.QUEUED:
        return
    store.sweeps.begin(sweep_id, account, now)
    with store.transaction():
        if store.sweeps.run(sweep_id, now):
            redraw(desk, sweep_id)
            homes.accounts_changed(desk)
    try:
        listing = _elsewhere(desk, authorization.list_account, desk.aws.access(account))
    except AwsError as error:
        _not_now(desk, part, error.failure())
        return
    if listing is None or listing.failure:
        lost = Failure("worker_lost", account=account)
        _not_now(desk, part, listing.failure if listing and listing.failure else lost)
        return
    saved = _save(desk, account, listing, now)
    take_back(desk, account)
    store.sweeps.expect(sweep_id, account, saved.items())
    young = store.reports.young(account, now - timedelta(hours=desk.config.iam_audit_cache_hours))
    kept = {k.entity_id: k.created_at for k in store.keeps.standing(now)}  # the newest of each decides
    done = [
        Settled(entity, Part.DONE, report)
        for entity, (report, begun_at) in young.items()
        if entity in saved
        and kept.get(entity, begun_at) <= begun_at
        and not store.tickets.changed_since(entity, begun_at)
    ]
    store.sweeps.settle(sweep_id, account, done)
    log.info(
        "sweep.listed sweep=%d account=%s entities=%d young=%d", sweep_id, account, len(saved), len(done)
    )
    progress(desk, sweep_id)


def end_account(desk: Desk, sweep_id: int, account: str) -> None:
    """Every entity of an account is read or named: whose the reports are, then what the whole of them shows."""
    part = desk.store.sweeps.part(sweep_id, account)
    if part is None or part.state is not Part.RUNNING or part.left:
        return
    failure = _look_again(desk, part)
    if failure:
        _not_now(desk, part, failure)
        return
    conclude(desk, sweep_id, account)


def _look_again(desk: Desk, part: SweptAccount) -> Failure | None:
    """Reports are asked for by ARN. One is its entity's if that was there before and after, by its unique id."""
    store, now = desk.store, desk.clock()
    read = store.namesakes.read(part.sweep_id, part.account)
    try:
        access = desk.aws.access(part.account)
        listed = {arn: unique_id for arn, (unique_id, _) in read.items()}
        absent = _elsewhere(desk, authorization.call_roll, Roll(access, listed))
    except AwsError as error:
        return error.failure()
    if absent is None or absent.failure:
        return absent.failure if absent else Failure("worker_lost", account=part.account)
    for arn in absent.gone:
        store.entities.gone(read[arn][1], now)
    for namesake in absent.namesakes:
        store.entities.see(namesake, now)
    take_back(desk, part.account)
    return None


def _elsewhere(desk: Desk, work: Callable[[A], R], value: A) -> R | None:
    """What `work` returns in another process; None where that process died: the next beat begins it again."""
    try:
        return desk.pool.submit(work, value).result()
    except WorkerLost as error:
        log.warning("sweep.worker_lost why=%s", error)
        return None


def _save(desk: Desk, account: str, listing: AccountListing, began_at: datetime) -> dict[int, int]:
    """Store who is in an account and what each has: the snapshot's row of each entity."""
    store = desk.store
    store.entities.listed(account, (s.entity for s in listing.snapshots()), began_at)
    rows = store.entities.of_account(account)
    known = (
        replace(s, entity=replace(s.entity, id=rows[s.entity.arn, s.entity.unique_id]))
        for s in listing.snapshots()
        if (s.entity.arn, s.entity.unique_id) in rows
    )
    return store.entities.save_snapshots(known)


def read_group(desk: Desk, sweep_id: int, group: int) -> None:
    """One batch of each account of a group, in another process; what comes home is stored."""
    store, now = desk.store, desk.clock()
    sweep = store.sweeps.get(sweep_id)
    if sweep is None or sweep.state.ended:
        return
    mine = [p for p in store.sweeps.parts(sweep_id) if _reads(p, now)]
    mine = [p for p in mine if _group(desk, sweep, p) == group][:SIDE_BY_SIDE]
    try:
        _read(desk, sweep_id, mine)
    except Exception:  # a fault of ours: later again, and never without end
        for part in mine:
            _not_now(desk, part, Failure("unexpected", account=part.account))
        raise
    progress(desk, sweep_id)


def _read(desk: Desk, sweep_id: int, mine: list[SweptAccount]) -> None:
    store = desk.store
    batches: list[tuple[SweptAccount, list[Waiting]]] = []
    for part in mine:
        waiting = store.sweeps.waiting(sweep_id, part.account, _size(part, len(mine)))
        if waiting:
            batches.append((part, waiting))
    if batches:
        orders = parcels.pack((_order(desk, part, waiting) for part, waiting in batches), size=1)
        answers = _elsewhere(desk, carry_out, orders)
        if answers is None:
            for part, _ in batches:
                _not_now(desk, part, Failure("worker_lost", account=part.account))
            return
        for (part, waiting), answer in zip(batches, answers, strict=True):
            _store(desk, part, waiting, answer)
            if not answer.count:  # also where nothing was refused: it must not be asked again without a pause
                limited = Failure(
                    Throttled.code, "iam:GenerateServiceLastAccessedDetails", account=part.account
                )
                _not_now(desk, part, answer.stopped or limited)


def _size(part: SweptAccount, beside: int) -> int:
    """Entities of a batch: what the rate of the account lets begin in the time there is; fewer where many wait."""
    if part.box < 0:
        return FEW
    fair = max(FEW, TOGETHER_HOME // max(1, beside))
    begun = max(LEAST, int(part.rate * _box(part) * 1.2)) if part.rate else BATCH
    return min(BATCH, fair, begun)


def _box(part: SweptAccount) -> float:
    shortest, longest = BOXES
    return AFRESH if part.box < 0 else min(longest, max(shortest, 2 * part.box))


def _not_now(desk: Desk, part: SweptAccount, failure: Failure) -> None:
    """An account of which nothing could be read: what may pass is waited for, what AWS refuses ends it."""
    now = desk.clock()
    most = PATIENT if failure.code in {Throttled.code, "worker_lost"} else jobs.TRIES
    if failure.code in PASSING and part.tries + 1 < most:
        pause = jobs.patience(f"sweep {part.sweep_id} {part.account}", part.tries)
        desk.store.sweeps.part_later(part.sweep_id, part.account, now + pause)
        log.info(
            "sweep.again sweep=%d account=%s call=%s why=%s",
            part.sweep_id,
            part.account,
            failure.call,
            failure.code,
        )
        return
    desk.store.sweeps.end_part(part.sweep_id, part.account, now, replace(failure, tries=part.tries + 1))
    log.warning(
        "sweep.unread sweep=%d account=%s code=%s call=%s",
        part.sweep_id,
        part.account,
        failure.code,
        failure.call,
    )
    progress(desk, part.sweep_id)


def _order(desk: Desk, part: SweptAccount, waiting: list[Waiting]) -> Order:
    store, now = desk.store, desk.clock()
    found = store.entities.snapshots([w.snapshot_id for w in waiting])
    snapshots = tuple(found[w.snapshot_id] for w in waiting)
    batch = Batch(
        access=desk.aws.access(part.account),
        entities=tuple(w.entity for w in waiting),
        policies=tuple(s.policies for s in snapshots),
        rate=part.rate,
        begins_for=_box(part),
        ends_in=_box(part) + STUCK,  # the other accounts of the group wait for it
        job_seconds=min(STUCK, desk.config.iam_audit_job_minutes * 60),
    )
    rules = readings.rules(desk, desk.config.iam_audit_window_days, part.account)
    keeps = store.keeps.standing(now)
    return Order(
        batch, snapshots, rules, tuple(tuple(k for k in keeps if k.entity_id == w.entity.id) for w in waiting)
    )


def _store(desk: Desk, part: SweptAccount, waiting: list[Waiting], answer: Answer) -> None:
    """Write what came home, a few at a time: their rows first, invisible; then reports, scores and counts together."""
    store = desk.store
    snapshot = {w.entity.id: w.snapshot_id for w in waiting}
    found, unread = answer.found(), list[Judged]()
    while some := list(islice(found, _SOME)):
        unread += [j for j in some if j.report is None]
        read = [(j, j.report) for j in some if j.report is not None]
        ids = store.reports.save_all([(report, snapshot[j.entity.id]) for j, report in read])
        shown = [(j, i) for (j, _), i in zip(read, ids, strict=True)]
        with store.transaction():
            store.reports.show_all(ids)
            store.scores.save([(part.account, j.scored(i)) for j, i in shown])
            done = [Settled(j.entity.id, Part.DONE, i) for j, i in shown]
            store.sweeps.settle(part.sweep_id, part.account, done)
    if answer.rate:
        store.sweeps.paced(part.sweep_id, part.account, answer.rate, _box(part))
    _note_unread(desk, part, waiting, unread)
    log.info(
        "sweep.batch sweep=%d account=%s read=%d calls=%d throttles=%d rate=%.1f",
        part.sweep_id,
        part.account,
        answer.count - len(unread),
        answer.calls,
        answer.throttles,
        answer.rate,
    )


def _note_unread(desk: Desk, part: SweptAccount, waiting: list[Waiting], unread: list[Judged]) -> None:
    """Entities that are gone, and those that could not be read: again, or named once that was tried often enough."""
    store, now = desk.store, desk.clock()
    tries = {w.entity.id: w.tries for w in waiting}
    gone = [j.entity for j in unread if j.gone]
    failed = [(j.entity.id, j.failure) for j in unread if j.failure and not j.gone]
    last = [(i, f) for i, f in failed if tries[i] + 1 >= TRIES or f.code not in WORTH_A_TRY]
    given_up = {i for i, _ in last}
    with store.transaction():
        for entity in gone:
            store.entities.gone(entity.id, now)
        settled = [Settled(e.id, Part.GONE) for e in gone]
        settled += [Settled(i, Part.FAILED, failure=f) for i, f in last]
        store.sweeps.settle(part.sweep_id, part.account, settled)
        store.sweeps.tried(part.sweep_id, part.account, [i for i, _ in failed if i not in given_up])
