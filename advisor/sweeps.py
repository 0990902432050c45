"""The story of a sweep: who is in each account, then batch after batch until every entity is read or named.

What is stored is never asked for again: a sweep that was cut off goes on where it was. Batches run in other processes;
only the rows come home, and this process alone writes them.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from advisor import jobs, readings
from advisor.core.errors import AwsError, Busy, Expired, Throttled, Transient, Unreachable
from advisor.core.estate import ALL, Part, Sweep, SweepState, SweptAccount
from advisor.core.model import Account, Failure
from advisor.desk import Desk
from advisor.edges.aws.batch import Batch, list_account
from advisor.edges.store.sweeps import Settled, Waiting
from advisor.sweeping import Answer, Order, carry_out

log = logging.getLogger(__name__)

PASSING = {Throttled.code, Expired.code, Busy.code, Unreachable.code, Transient.code}
"""Codes of failures that may pass by themselves."""

SIDE_BY_SIDE = 16
"""Accounts that are read at the same time; each waits mostly for AWS."""

BATCH = 500
"""Entities a batch at most."""

BOX = 10.0
"""Seconds after which a batch begins no more reports: its rows come home, and the card can tell."""

TRIES = 3
"""Batches that try an entity before it is named as not read."""

STEP = timedelta(seconds=3)
"""A card is redrawn at most this often while a sweep runs."""

PATIENT = timedelta(hours=1)
"""How long an account that limits the rate, or does not answer, is waited for."""

_KEPT = timedelta(days=35)
"""How long it is kept which entities a sweep covered; its totals stay."""


def start(
    desk: Desk, user: str, channel: str, asked: str, *, schedule_id: int = 0, silent: bool = False
) -> Sweep:
    """Commit a sweep. `asked` is "" (the bot's own account), "all", an alias or a number; `silent` posts no card."""
    store = desk.store
    with store.transaction():
        sweep_id = store.sweeps.add(
            user, channel, asked, desk.clock(), schedule_id=schedule_id, silent=silent
        )
        store.log.add(user, "sweep", f"sweep {sweep_id}", desk.clock(), accounts=asked)
    found = store.sweeps.get(sweep_id)
    assert found is not None  # it was written two lines above
    return found


def accounts_of(desk: Desk, asked: str) -> tuple[Account, ...]:
    """The accounts that a word means. Raises Invalid where there is none of that name, AwsError where AWS is silent."""
    if asked == ALL:
        return desk.aws.accounts()
    if asked:
        return (desk.aws.account(asked),)
    everywhere = desk.aws.accounts()
    return (next((a for a in everywhere if a.own), everywhere[0]),)


def admit(desk: Desk, sweep: Sweep) -> None:
    """Find out which accounts a sweep means and show its card; the same asking in the same place joins the one there is."""
    store, now = desk.store, desk.clock()
    try:
        accounts = accounts_of(desk, sweep.asked)
    except Transient as error:
        if sweep.tries + 1 < jobs.TRIES:
            store.sweeps.wait(sweep.id, now + jobs.patience(f"sweep {sweep.id}", sweep.tries))
            return
        fail(desk, sweep, error.failure(sweep.tries + 1))
        return
    except AwsError as error:
        fail(desk, sweep, error.failure())
        return
    twin = _twin(desk, sweep, accounts)
    if twin is not None:
        with store.transaction():
            joined = Failure("joined", message=str(twin.id))
            if store.sweeps.end(sweep.id, SweepState.CANCELLED, now, failure=joined):
                tell(desk, sweep, "sweep.joined", twin.id)
        return
    with store.transaction():
        if store.sweeps.admit(sweep.id, accounts, now):
            redraw(desk, sweep.id)


def _twin(desk: Desk, sweep: Sweep, accounts: tuple[Account, ...]) -> Sweep | None:
    """A sweep of these very accounts that is under way in this very place."""
    ids = tuple(a.id for a in accounts)
    for other in desk.store.sweeps.unfinished():
        if other.id < sweep.id and other.accounts == ids and other.channel == sweep.channel:
            return other if other.silent == sweep.silent else None
    return None


def fail(desk: Desk, sweep: Sweep, failure: Failure) -> None:
    """End a sweep that could not begin."""
    with desk.store.transaction():
        if desk.store.sweeps.end(sweep.id, SweepState.FAILED, desk.clock(), failure=failure):
            redraw(desk, sweep.id)
    log.warning("sweep.failed sweep=%d code=%s call=%s", sweep.id, failure.code, failure.call)


def refuse(desk: Desk, sweep: Sweep, failure: Failure) -> None:
    """End a sweep that its asker may not have: they are told privately, nobody else sees anything."""
    store = desk.store
    with store.transaction():
        if not store.sweeps.end(sweep.id, SweepState.FAILED, desk.clock(), failure=failure):
            return
        if sweep.silent or sweep.schedule_id:
            redraw(desk, sweep.id)
            return
        store.outbox.add(
            "ephemeral",
            "refused",
            sweep.id,
            channel=sweep.channel,
            user=sweep.user,
            now=desk.clock(),
            detail={"why": failure.message},
        )


def cancel(desk: Desk, sweep: Sweep, user: str) -> bool:
    """Stop a sweep; what was read stays. False where it had ended before."""
    with desk.store.transaction():
        if not desk.store.sweeps.end(sweep.id, SweepState.CANCELLED, desk.clock(), by=user):
            return False
        desk.store.log.add(user, "sweep.cancel", f"sweep {sweep.id}", desk.clock())
        redraw(desk, sweep.id)
    return True


# -- on the card -----------------------------------------------------------------------------------------------------


def redraw(desk: Desk, sweep_id: int) -> None:
    """Say that a sweep's card has changed; posts the card where there is none yet."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        sweep = store.sweeps.get(sweep_id)
        if sweep is None or sweep.silent:
            return
        store.sweeps.drawn(sweep_id, now)
        if sweep.card_id is not None:
            store.outbox.redraw(sweep.card_id, now)
            return
        card = store.outbox.add(
            "post", "sweep.card", sweep_id, channel=sweep.channel, user=sweep.user, now=now
        )
        store.sweeps.set_card(sweep_id, card)


def tell(desk: Desk, sweep: Sweep, surface: str, row_id: int) -> None:
    """Tell the person who asked, privately."""
    desk.store.outbox.add(
        "ephemeral", surface, row_id, channel=sweep.channel, user=sweep.user, now=desk.clock()
    )


def _progress(desk: Desk, sweep_id: int) -> None:
    """Redraw the card, if the last time was long enough ago."""
    sweep = desk.store.sweeps.get(sweep_id)
    if sweep and not sweep.state.ended and (sweep.drawn_at is None or desk.clock() - sweep.drawn_at >= STEP):
        redraw(desk, sweep_id)


# -- the work --------------------------------------------------------------------------------------------------------


def beat(desk: Desk) -> None:
    """Hand out the next step of every account whose turn it is. Never calls AWS itself."""
    store, now = desk.store, desk.clock()
    busy = store.sweeps.busy()
    hands = SIDE_BY_SIDE
    for sweep in store.sweeps.unfinished():
        if not sweep.accounts:
            continue
        parts = store.sweeps.parts(sweep.id)
        if all(p.state not in {Part.QUEUED, Part.RUNNING} for p in parts):
            desk.lanes.submit("sweeps", ("sweep end", sweep.id), partial(_end, desk, sweep.id), store.work)
            continue
        for place, part in enumerate(parts):
            if hands == 0:
                return
            mine = busy.setdefault(part.account, sweep.id) == sweep.id
            if not mine or part.state not in {Part.QUEUED, Part.RUNNING}:
                continue
            hands -= 1
            if part.next_at is None or part.next_at <= now:
                lane = f"sweep {place % SIDE_BY_SIDE}"
                work = partial(advance, desk, sweep.id, part.account)
                desk.lanes.submit(lane, ("sweep", sweep.id, part.account), work, store.work)


def next_at(desk: Desk) -> datetime | None:
    """When an account that did not answer is to be asked again."""
    found = [
        p.next_at
        for sweep in desk.store.sweeps.unfinished()
        for p in desk.store.sweeps.parts(sweep.id)
        if p.next_at and p.tries and p.state in {Part.QUEUED, Part.RUNNING}
    ]
    return min(found, default=None)


def advance(desk: Desk, sweep_id: int, account: str) -> None:
    """Take one account of a sweep one step further: list it, read a batch of it, or end it."""
    sweep, part = desk.store.sweeps.get(sweep_id), desk.store.sweeps.part(sweep_id, account)
    if sweep is None or part is None or sweep.state.ended:
        return
    try:
        if part.state is Part.QUEUED:
            _list(desk, sweep, part)
        elif part.state is Part.RUNNING:
            _read(desk, sweep, part)
    except Transient as error:
        desk.aws.forget_ended(account, error)
        _again(desk, part, error.failure())
    except AwsError as error:
        _give_up(desk, part, error.failure(part.tries + 1))
    _progress(desk, sweep_id)


def _again(desk: Desk, part: SweptAccount, failure: Failure) -> None:
    """The account did not answer: later, unless it has been waited for long enough."""
    now = desk.clock()
    overdue = now - (part.begun_at or now) > PATIENT
    if overdue or (part.tries + 1 >= jobs.TRIES and failure.code != Throttled.code):
        _give_up(desk, part, replace(failure, tries=part.tries + 1))
        return
    pause = jobs.patience(f"sweep {part.sweep_id} {part.account}", part.tries)
    desk.store.sweeps.part_later(part.sweep_id, part.account, now + pause)
    log.info(
        "sweep.again sweep=%d account=%s call=%s why=%s",
        part.sweep_id,
        part.account,
        failure.call,
        failure.code,
    )


def _give_up(desk: Desk, part: SweptAccount, failure: Failure) -> None:
    desk.store.sweeps.end_part(part.sweep_id, part.account, desk.clock(), failure)
    log.warning(
        "sweep.unread sweep=%d account=%s code=%s call=%s",
        part.sweep_id,
        part.account,
        failure.code,
        failure.call,
    )


def _list(desk: Desk, sweep: Sweep, part: SweptAccount) -> None:
    """Read who is in the account and what each has; what a young report tells of already is done with that."""
    store, now = desk.store, desk.clock()
    store.sweeps.begin(sweep.id, part.account, now)
    if store.sweeps.run(sweep.id, now):
        redraw(desk, sweep.id)
    listing = desk.hands.call(list_account, desk.aws.access(part.account))
    store.entities.listed(part.account, [s.entity for s in listing.snapshots], desk.clock())
    rows = store.entities.of_account(part.account)
    known = [
        s.of(rows[s.entity.arn, s.entity.unique_id])
        for s in listing.snapshots
        if (s.entity.arn, s.entity.unique_id) in rows and not s.entity.aws_managed
    ]
    saved = store.entities.save_snapshots(known)
    store.sweeps.expect(sweep.id, part.account, saved.items())
    young = store.reports.young(part.account, now - timedelta(hours=desk.config.iam_audit_cache_hours))
    done = [
        Settled(entity, Part.DONE, report)
        for entity, (report, begun_at) in young.items()
        if entity in saved and not store.tickets.changed_since(entity, begun_at)
    ]
    store.sweeps.settle(sweep.id, part.account, done)
    log.info(
        "sweep.listed sweep=%d account=%s entities=%d young=%d", sweep.id, part.account, len(saved), len(done)
    )


def _read(desk: Desk, sweep: Sweep, part: SweptAccount) -> None:
    """One batch; where nothing is left, the account has been read to its end."""
    waiting = desk.store.sweeps.waiting(sweep.id, part.account, BATCH)
    if not waiting:
        desk.store.sweeps.end_part(sweep.id, part.account, desk.clock())
        log.info("sweep.account_done sweep=%d account=%s", sweep.id, part.account)
        return
    answer = desk.hands.call(carry_out, _order(desk, part, waiting))
    _store(desk, part, waiting, answer)
    if answer.stopped and not answer.found:
        _stopped(desk, part, answer.stopped)


def _stopped(desk: Desk, part: SweptAccount, failure: Failure) -> None:
    """A batch that read nothing at all: what may pass is waited for, what AWS refuses ends the account."""
    if failure.code in PASSING:
        _again(desk, part, failure)
    else:
        _give_up(desk, part, replace(failure, tries=part.tries + 1))


def _order(desk: Desk, part: SweptAccount, waiting: list[Waiting]) -> Order:
    store = desk.store
    snapshots = [store.entities.snapshot(w.snapshot_id) for w in waiting]
    assert all(snapshots)  # a listing names an entity only with its snapshot
    now = desk.clock()
    batch = Batch(
        access=desk.aws.access(part.account),
        entities=tuple(w.entity for w in waiting),
        policies=tuple(s.policies for s in snapshots if s),
        rate=part.rate,
        begins_for=BOX,
        job_seconds=desk.config.iam_audit_job_minutes * 60,
    )
    return Order(
        batch,
        tuple(s for s in snapshots if s),
        readings.rules(desk, desk.config.iam_audit_window_days, part.account),
        tuple(tuple(store.keeps.standing(now, w.entity.id)) for w in waiting),
    )


def _store(desk: Desk, part: SweptAccount, waiting: list[Waiting], answer: Answer) -> None:
    """Write what came home: reports first, invisible; then, a few at a time, the reports, scores and counts together."""
    store, now = desk.store, desk.clock()
    snapshot = {w.entity.id: w.snapshot_id for w in waiting}
    read = [j for j in answer.found if j.report is not None]
    ids = store.reports.save_all([(j.report, snapshot[j.entity.id]) for j in read if j.report])
    for n in range(0, len(read), _SOME):
        some = list(zip(read[n : n + _SOME], ids[n : n + _SOME], strict=True))
        with store.transaction():
            store.reports.show_all([i for _, i in some])
            store.scores.save([(part.account, j.scored(i)) for j, i in some])
            store.sweeps.settle(
                part.sweep_id,
                part.account,
                [Settled(j.entity.id, Part.DONE, i) for j, i in some],
                answer.rate,
            )
    tries = {w.entity.id: w.tries for w in waiting}
    gone = [j.entity for j in answer.found if j.gone]
    failed = [j for j in answer.found if j.failure]
    last = [j for j in failed if tries[j.entity.id] + 1 >= TRIES]
    with store.transaction():
        for entity in gone:
            store.entities.gone(entity.id, now)
        store.sweeps.settle(
            part.sweep_id,
            part.account,
            [Settled(e.id, Part.GONE) for e in gone]
            + [Settled(j.entity.id, Part.FAILED, failure=j.failure) for j in last],
        )
        store.sweeps.tried(part.sweep_id, part.account, [j.entity.id for j in failed if j not in last])
    log.info(
        "sweep.batch sweep=%d account=%s read=%d failed=%d gone=%d calls=%d throttles=%d",
        part.sweep_id,
        part.account,
        len(read),
        len(failed),
        len(gone),
        answer.calls,
        answer.throttles,
    )


_SOME = 100
"""Reports that become visible in one transaction, with their scores: about 500 rows."""


def _end(desk: Desk, sweep_id: int) -> None:
    """Every account has ended: done, partial or failed, by what was read."""
    store, now = desk.store, desk.clock()
    parts = store.sweeps.parts(sweep_id)
    unread = any(p.state is Part.FAILED or p.failed for p in parts)
    nothing = all(p.state is Part.FAILED and not p.done for p in parts)
    state = SweepState.FAILED if nothing else SweepState.PARTIAL if unread else SweepState.DONE
    failure = next((p.failure for p in parts if p.failure), None) if nothing else None
    with store.transaction():
        if store.sweeps.end(sweep_id, state, now, failure=failure):
            redraw(desk, sweep_id)
    store.sweeps.forget(now - _KEPT)
    log.info("sweep.ended sweep=%d state=%s", sweep_id, state.value)
