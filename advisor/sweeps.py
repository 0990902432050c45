"""What somebody asks of a sweep: to start one, to schedule it, to stop it. How it is carried out stands in `sweep_steps`."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from advisor import homes, jobs
from advisor.core.digest import Wanted
from advisor.core.errors import AwsError, Transient
from advisor.core.estate import ALL, Sweep, SweepState
from advisor.core.model import Account, Failure
from advisor.desk import Desk
from advisor.edges.schedule import first_due, newest_due

log = logging.getLogger(__name__)

STEP = timedelta(seconds=3)
"""A card is redrawn at most this often while a sweep runs."""


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


def schedule(desk: Desk, user: str, wanted: Wanted, asked: str) -> int:
    """Sweep again and again, with a card in a channel each time."""
    store, now = desk.store, desk.clock()
    wanted = replace(wanted, accounts=(asked,) if asked else ())
    with store.transaction():
        made = store.schedules.add("sweep", user, wanted, first_due(wanted.rhythm, now), now)
        store.log.add(user, "sweep.schedule", f"schedule {made}", now, accounts=asked)
        homes.schedule_changed(desk, user)
    return made


def unschedule(desk: Desk, schedule_id: int, user: str) -> bool:
    """End a scheduled sweep."""
    store, now = desk.store, desk.clock()
    found = store.schedules.get(schedule_id)
    with store.transaction():
        ended = store.schedules.end(schedule_id, user, now)
        if ended and found:
            store.log.add(user, "sweep.off", f"schedule {schedule_id}", now)
            homes.schedule_changed(desk, found.user)
    return ended


def begin_due(desk: Desk) -> None:
    """Start each scheduled sweep whose time has come; of several missed times the newest counts, once."""
    store, now = desk.store, desk.clock()
    for found in store.schedules.due("sweep", now):
        _, following = newest_due(found.rhythm, found.due_at, now)
        with store.transaction():
            if store.schedules.advance(found.id, found.due_at, following):
                asked = found.accounts[0] if found.accounts else ""
                start(desk, found.user, found.channel, asked, schedule_id=found.id)


def accounts_of(desk: Desk, asked: str) -> tuple[Account, ...]:
    """The accounts that a word means; several numbers stand with commas between. Raises Invalid where there is none of that name, AwsError where AWS is silent."""
    if asked == ALL:
        return desk.aws.accounts()
    if asked:
        return tuple(desk.aws.account(word) for word in asked.split(","))
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
    twin = None if sweep.silent else _twin(desk, sweep, accounts)  # what a digest waits for is its own
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
        here = other.channel == sweep.channel and not other.silent
        if other.id < sweep.id and other.accounts == ids and here:
            return other
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


def progress(desk: Desk, sweep_id: int) -> None:
    """Redraw the card, if the last time was long enough ago."""
    sweep = desk.store.sweeps.get(sweep_id)
    if sweep and not sweep.state.ended and (sweep.drawn_at is None or desk.clock() - sweep.drawn_at >= STEP):
        redraw(desk, sweep_id)
