"""Digests: due, collected, posted. Every step is a row, so that a digest goes on where a kill left it.

What one says is gathered in `digest_words`; who may ask for one is decided by whoever calls.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from advisor import digest_words, homes, jobs, sweeps
from advisor.core.digest import SPAN, Digest, Wanted
from advisor.core.errors import AwsError, Transient
from advisor.core.estate import ALL, Posting, PostingState, Schedule
from advisor.core.model import Account, Failure
from advisor.desk import Desk
from advisor.edges.schedule import first_due, newest_due

log = logging.getLogger(__name__)

LANE = "digests"

FRESH = timedelta(days=1)
"""An account that was read to its end within this is not read again for a scheduled digest."""

PATIENCE = timedelta(hours=12)
"""How long a digest waits for its sweep; then it tells what is known, and what is not."""

LOOK = timedelta(seconds=5)
"""How often a digest looks how far its sweep is."""

DAYS = 2
"""Days with a reading that a trend needs."""

REMIND = timedelta(days=7)
"""How long before its end a keep's maker is reminded; half its length, where that is less."""


# -- what is due ---------------------------------------------------------------------------------------------------


def begin_due(desk: Desk) -> None:
    """Commit a posting for each digest whose time has come; of several missed times the newest counts, once."""
    store, now = desk.store, desk.clock()
    for schedule in store.schedules.due("digest", now):
        last, following = newest_due(schedule.rhythm, schedule.due_at, now)
        with store.transaction():
            if store.schedules.advance(schedule.id, schedule.due_at, following):
                store.postings.begin(schedule.id, last, _since(schedule), now)


def begin_now(desk: Desk, schedule: Schedule, user: str) -> int | None:
    """Commit one out of turn."""
    now = desk.clock()
    return desk.store.postings.begin(schedule.id, now, _since(schedule), now, user)


def _since(schedule: Schedule) -> datetime:
    """Where the last one ended; the first looks back as far as its rhythm is long."""
    return schedule.last_at or schedule.created_at - SPAN[schedule.rhythm.cadence]


# -- a step further ------------------------------------------------------------------------------------------------


def step(desk: Desk, posting_id: int, maker: str = "") -> None:
    """Take a digest a step further. `maker` is why its maker may not audit any more, as a word, or empty."""
    posting = desk.store.postings.get(posting_id)
    schedule = desk.store.schedules.get(posting.schedule_id) if posting else None
    if posting is None or schedule is None:
        return
    if posting.state in {PostingState.DUE, PostingState.COLLECTING} and _turned_off(posting, schedule):
        desk.store.postings.move(
            posting.id, posting.state, PostingState.FAILED, desk.clock(), failure=Failure("turned_off")
        )
    elif posting.state is PostingState.DUE:
        _collect(desk, posting, schedule)
    elif posting.state is PostingState.COLLECTING:
        _look(desk, posting, schedule, maker)


def _turned_off(posting: Posting, schedule: Schedule) -> bool:
    """Whether it was ended after this one was due. One out of turn needs no schedule that stands."""
    return bool(schedule.ended_at) and not posting.by


def _collect(desk: Desk, posting: Posting, schedule: Schedule) -> None:
    """Begin to collect: a sweep first where some account was not read lately."""
    store, now = desk.store, desk.clock()
    try:
        accounts = accounts_of(desk, schedule)
    except AwsError as error:
        _unknown_accounts(desk, posting, schedule, error)
        return
    if not accounts:
        _fail(desk, posting, schedule, Failure("no_scope"))
        return
    stale = [a for a in accounts if not _fresh(desk, posting, a)]
    with store.transaction():
        sweep_id = start_sweep(desk, schedule, stale, everything=stale == list(accounts)) if stale else None
        moved = store.postings.move(
            posting.id, posting.state, PostingState.COLLECTING, now, sweep_id=sweep_id
        )
        if moved and sweep_id and not schedule.quiet:
            show(desk, posting, schedule)


def _unknown_accounts(desk: Desk, posting: Posting, schedule: Schedule, error: AwsError) -> None:
    """AWS does not say which accounts there are: later again, if that may pass."""
    if isinstance(error, Transient):
        later(desk, posting, schedule, error.failure(posting.tries + 1))
    else:
        _fail(desk, posting, schedule, error.failure(posting.tries + 1))


def later(desk: Desk, posting: Posting, schedule: Schedule, failure: Failure) -> None:
    """Try a posting again after a pause; after so many tries it has failed."""
    if posting.tries + 1 < jobs.TRIES:
        pause = jobs.patience(f"posting {posting.id}", posting.tries)
        desk.store.postings.later(posting.id, desk.clock() + pause, failed=True)
    else:
        _fail(desk, posting, schedule, failure)


def start_sweep(desk: Desk, schedule: Schedule, accounts: Sequence[Account], *, everything: bool) -> int:
    """Read these accounts without a card; a sweep of the same that is under way is joined."""
    asked = ALL if everything and not schedule.accounts else ",".join(a.id for a in accounts)
    under_way = next((s.id for s in desk.store.sweeps.unfinished() if s.asked == asked), None)
    if under_way is not None:
        return under_way
    return sweeps.start(desk, schedule.user, schedule.channel, asked, schedule_id=schedule.id, silent=True).id


def accounts_of(desk: Desk, schedule: Schedule) -> tuple[Account, ...]:
    """The accounts that a schedule covers and that are there now. Raises AwsError where AWS does not say."""
    accounts = desk.aws.accounts()
    if not schedule.accounts:
        return accounts
    return tuple(a for a in accounts if any(a.matches(word) for word in schedule.accounts))


def _fresh(desk: Desk, posting: Posting, account: Account) -> bool:
    """Whether an account was read to its end lately enough; out of turn it is as young as a served report."""
    at = desk.store.sweeps.last_done(account.id)
    most = timedelta(hours=desk.config.iam_audit_cache_hours) if posting.by else FRESH
    return at is not None and at > posting.created_at - most


def _look(desk: Desk, posting: Posting, schedule: Schedule, maker: str) -> None:
    """Wait for the sweep, then say what there is."""
    store, now = desk.store, desk.clock()
    sweep = store.sweeps.get(posting.sweep_id) if posting.sweep_id else None
    if sweep and not sweep.state.ended and now < posting.created_at + PATIENCE:
        store.postings.later(posting.id, now + LOOK)
        if posting.card_id:
            store.outbox.redraw(posting.card_id, now)
        return
    try:
        accounts = accounts_of(desk, schedule)
    except AwsError as error:
        _unknown_accounts(desk, posting, schedule, error)
        return
    unread = [a for a in accounts if not _fresh(desk, posting, a)]
    if not accounts or len(unread) == len(accounts):
        why = store.digests.unread(unread[0].id)[0] if unread else None
        failure = why or (sweep.failure if sweep else None)
        _fail(desk, posting, schedule, failure or Failure("unread"))
        return
    told = digest_words.gather(desk, posting, schedule, accounts, unread)
    _post(desk, posting, schedule, replace(told, maker=maker))


def _post(desk: Desk, posting: Posting, schedule: Schedule, told: Digest) -> None:
    store, now = desk.store, desk.clock()
    with store.transaction():
        if not store.postings.move(posting.id, posting.state, PostingState.POSTED, now, said=told):
            return
        store.schedules.told(schedule.id, told.until)
        store.log.add("bot", "digest.post", f"posting {posting.id}", now, schedule=str(schedule.id))
        if told.quiet and schedule.quiet and not posting.card_id:
            return
        card_id = show(desk, posting, schedule)
        if told.quiet:
            return
        _below(desk, posting, schedule, card_id, "post", "digest.details")
        known = store.trends.of_accounts([i for i, _ in told.accounts], schedule.tag)
        if told.more or len(known) >= DAYS:
            _below(desk, posting, schedule, card_id, "upload", "digest.files")
    log.info("digest.posted posting=%d schedule=%d", posting.id, schedule.id)


def _below(desk: Desk, posting: Posting, schedule: Schedule, card_id: int, kind: str, surface: str) -> None:
    desk.store.outbox.add(
        kind,
        surface,
        posting.id,
        channel=schedule.channel,
        user=schedule.user,
        now=desk.clock(),
        parent_id=card_id,
    )


def show(desk: Desk, posting: Posting, schedule: Schedule) -> int:
    """Post a digest's card, or redraw it."""
    store, now = desk.store, desk.clock()
    fresh = store.postings.get(posting.id) or posting
    if fresh.card_id:
        store.outbox.redraw(fresh.card_id, now)
        return fresh.card_id
    card_id = store.outbox.add(
        "post", "digest.card", posting.id, channel=schedule.channel, user=schedule.user, now=now
    )
    store.postings.set_card(posting.id, card_id)
    return card_id


def _fail(desk: Desk, posting: Posting, schedule: Schedule, failure: Failure) -> None:
    store, now = desk.store, desk.clock()
    with store.transaction():
        if store.postings.move(posting.id, posting.state, PostingState.FAILED, now, failure=failure):
            show(desk, posting, schedule)
    log.warning("digest.failed posting=%d code=%s", posting.id, failure.code)


# -- schedules -----------------------------------------------------------------------------------------------------


def make(desk: Desk, user: str, wanted: Wanted, *, once: bool = False) -> int:
    """Begin a digest in a channel."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        made = store.schedules.add("digest", user, wanted, first_due(wanted.rhythm, now), now, once=once)
        store.log.add(user, "digest.make", f"schedule {made}", now, **_noted(wanted))
        homes.schedule_changed(desk, user)
    return made


def edit(desk: Desk, schedule_id: int, user: str, wanted: Wanted) -> bool:
    """Change a digest; it is due next by its new rhythm."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        moved = store.schedules.edit(schedule_id, wanted, first_due(wanted.rhythm, now))
        if moved:
            store.log.add(user, "digest.edit", f"schedule {schedule_id}", now, **_noted(wanted))
            _changed(desk, schedule_id)
    return moved


def end(desk: Desk, schedule_id: int, user: str) -> bool:
    """End a digest; its cards lose the buttons that change it."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        moved = store.schedules.end(schedule_id, user, now)
        if moved:
            store.log.add(user, "digest.off", f"schedule {schedule_id}", now)
            _changed(desk, schedule_id)
    return moved


def _changed(desk: Desk, schedule_id: int) -> None:
    """Its newest card has other buttons now, and its maker's home another line."""
    schedule = desk.store.schedules.get(schedule_id)
    if schedule:
        homes.schedule_changed(desk, schedule.user)
    for posting in desk.store.postings.of_schedule(schedule_id, 1):
        if posting.card_id:
            desk.store.outbox.redraw(posting.card_id, desk.clock())


def _noted(wanted: Wanted) -> dict[str, str]:
    rhythm = wanted.rhythm
    return {
        "channel": wanted.channel,
        "rhythm": f"{rhythm.cadence} {rhythm.day} {rhythm.at} {rhythm.zone}",
        "accounts": ", ".join(wanted.accounts) or ALL,
        "tag": wanted.tag,
    }


# -- keeps that end ------------------------------------------------------------------------------------------------


def remind(desk: Desk) -> None:
    """Tell each person whose keep ends soon, once."""
    store, now = desk.store, desk.clock()
    for keep, _ in store.digests.ending(now, now + REMIND):
        if keep.until - now > min(REMIND, (keep.until - keep.created_at) / 2):
            continue
        with store.transaction():
            if not store.outbox.said("keep.ends", keep.id, keep.created_at):
                store.outbox.add("post", "keep.ends", keep.id, channel=keep.user, user=keep.user, now=now)
