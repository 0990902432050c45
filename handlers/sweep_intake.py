"""What follows an acknowledgement about a sweep: who may, then the story. Runs on lanes, never in a listener."""

from __future__ import annotations

from functools import partial

from advisor import jobs, sweep_steps, sweeps
from advisor.core.estate import Sweep
from advisor.core.model import Failure
from advisor.desk import Desk
from handlers.access import NoAnswer, People

FRONT = "front"


def beat(desk: Desk, people: People) -> None:
    """Hand out sweeps that nobody has admitted, pressed Stops, and the next steps of those under way."""
    store = desk.store
    sweeps.begin_due(desk)
    for sweep in store.sweeps.unadmitted(desk.clock()):
        desk.lanes.submit(FRONT, ("sweep admit", sweep.id), partial(admit, desk, people, sweep), store.work)
    for sweep in store.sweeps.unfinished():
        if sweep.stop_by:
            desk.lanes.submit(FRONT, ("sweep stop", sweep.id), partial(stop, desk, people, sweep), store.work)
    sweep_steps.beat(desk)


def admit(desk: Desk, people: People, sweep: Sweep) -> None:
    """Whether this person may audit, then which accounts they mean. A digest goes on whatever becomes of its maker."""
    try:
        word = "" if sweep.silent else people.refusal(sweep.user)
    except NoAnswer:
        if sweep.tries + 1 < jobs.TRIES:
            pause = jobs.patience(f"sweep {sweep.id}", sweep.tries)
            desk.store.sweeps.wait(sweep.id, desk.clock() + pause)
            return
        word = "unknown"
    if word:
        desk.store.log.add(sweep.user, "sweep.refused", f"sweep {sweep.id}", desk.clock(), why=word)
        sweeps.refuse(desk, sweep, Failure("forbidden", message=word))
        return
    sweeps.admit(desk, sweep)


def stop(desk: Desk, people: People, sweep: Sweep) -> None:
    """Whoever may audit may stop a sweep; asked afresh."""
    try:
        people.forget(sweep.stop_by)
        word = people.refusal(sweep.stop_by)
    except NoAnswer:
        word = "unknown"
    if not word:
        sweeps.cancel(desk, sweep, sweep.stop_by)
        return
    store = desk.store
    with store.transaction():
        store.sweeps.go_on(sweep.id)
        store.log.add(sweep.stop_by, "sweep.cancel.refused", f"sweep {sweep.id}", desk.clock(), why=word)
        place = store.outbox.place(sweep.card_id) or sweep.channel
        detail = {"why": word}
        store.outbox.add(
            "ephemeral",
            "refused",
            sweep.id,
            channel=place,
            user=sweep.stop_by,
            now=desk.clock(),
            detail=detail,
        )
