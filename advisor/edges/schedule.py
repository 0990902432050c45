"""Time and hands: APScheduler is the clock and nothing more; beats do the work, lanes do it side by side."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from advisor.core.estate import Cadence, Rhythm

log = logging.getLogger(__name__)
T = TypeVar("T")


def now() -> datetime:
    """The time, aware and in UTC. Everything that needs the time takes a function like this."""
    return datetime.now(UTC)


APART = timedelta(hours=2)
"""The least time between two that are due: where clocks go back, an hour comes twice, and counts once."""


def next_due(rhythm: Rhythm, after: datetime) -> datetime:
    """When it is due next after it was due at `after`, in UTC: the first time of its rhythm later than that plus APART.

    A time of day that clocks skip is the same instant by the offset before the change, and one that comes twice is the
    first. Raises zoneinfo.ZoneInfoNotFoundError for a zone that this machine does not know.
    """
    zone = ZoneInfo(rhythm.zone)
    hour, _, minute = rhythm.at.partition(":")
    # The trigger reckons in times as clocks on the wall show them (for it, UTC): given the zone itself, it leaves out
    # a whole day where clocks skip midnight (Cairo, 24 Apr 2026).
    trigger = CronTrigger(
        day=rhythm.day if rhythm.cadence is Cadence.MONTHLY else "*",
        day_of_week=rhythm.day if rhythm.cadence is Cadence.WEEKLY else "*",
        hour=int(hour),
        minute=int(minute),
        timezone=UTC,
    )
    least = after + APART
    wall = least.astimezone(zone).replace(tzinfo=UTC, fold=0) - timedelta(days=1)
    while True:
        found = trigger.get_next_fire_time(None, wall)
        if found is None:  # only a cron text with a year runs out
            raise ValueError(f"{rhythm} is never due")
        at: datetime = found.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if at > least:
            return at
        wall = found + timedelta(seconds=1)


def known(zone: str) -> bool:
    """Whether this machine knows a time zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # none of that name, no name at all, a folder's name
        return False
    return True


def first_due(rhythm: Rhythm, now: datetime) -> datetime:
    """When it is due for the first time if it is made now."""
    return next_due(rhythm, now - APART)


def newest_due(rhythm: Rhythm, due_at: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Of something due at `due_at` or before: the last time that it was due until now, and when it is due next.

    A zone that the machine does not know any more counts as UTC: better at another hour than never.
    """
    if not known(rhythm.zone):
        log.error("schedule.zone_unknown zone=%s", rhythm.zone)
        rhythm = replace(rhythm, zone="UTC")
    last, following = due_at, next_due(rhythm, due_at)
    while following <= now:
        last, following = following, next_due(rhythm, following)
    return last, following


CALM, LATEST = 0.02, 0.25
"""Seconds without news after which a beat begins, and seconds after which it begins anyway."""


class Beat:
    """Work that is done whenever its event is set: by a commit that left something to do, or by the clock's tick.

    `work` may say in how many seconds it has something to do again; the clock's tick is the ceiling.
    """

    def __init__(self, name: str, event: threading.Event, work: Callable[[], float | None]) -> None:
        self.name = name
        self.event = event
        self.last_at = now()
        self._work = work
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin, with a first beat at once."""
        self.event.set()
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End after the beat that is under way; waits at most `timeout` seconds."""
        self._ending.set()
        self.event.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _let_the_burst_pass(self) -> None:
        """Begin when nothing new has come for a moment, and in a quarter of a second at the latest.

        Acknowledgements go first: the work that a hundred commands leave would fight them for the processor.
        """
        until = time.monotonic() + LATEST
        self.event.clear()
        while not self._ending.is_set() and time.monotonic() < until and self.event.wait(CALM):
            self.event.clear()

    def _run(self) -> None:
        pause: float | None = None
        while not self._ending.is_set():
            self.event.wait(pause)
            self._let_the_burst_pass()
            if self._ending.is_set():
                return
            pause = None  # after a fault, the clock's tick
            try:
                pause = self._work()
            except Exception:  # one of three loops that must outlive any fault; the stack goes to the log
                log.exception("%s.failed", self.name)
            self.last_at = now()


class Clock:
    """Recurring jobs on APScheduler with a memory job store: nothing of what is due is kept in it."""

    def __init__(self) -> None:
        # Every run would be logged at INFO and every skipped one at WARNING.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def every(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        """Call `work` every so many seconds."""
        self._scheduler.add_job(work, "interval", seconds=seconds, id=name)

    def start(self) -> None:
        """Begin ticking."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop ticking; waits for what runs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)


HANDS = 4
"""Threads a lane: botocore's clients here keep eight connections, and IAM limits the rate long before that."""


class Lanes:
    """Small executors, one a key (an account), made when first needed; a task already under way is not begun again.

    One account that hangs fills its own lane and nobody else's.
    """

    def __init__(self, make: Callable[[str], Executor] | None = None) -> None:
        self._make = make or (lambda key: ThreadPoolExecutor(max_workers=HANDS, thread_name_prefix=key))
        self._executors: dict[str, Executor] = {}
        self._under_way: set[Hashable] = set()
        self._lock = threading.Lock()
        self._owed: Counter[str] = Counter()
        self._closed = False

    def submit(self, lane: str, task: Hashable, work: Callable[[], None], wake: threading.Event) -> None:
        """Do `work` on a lane unless `task` is under way; `wake` is set when it has ended."""
        with self._lock:
            if task in self._under_way or self._closed:
                return
            self._under_way.add(task)
            executor = self._executor(lane)

        def run() -> None:
            try:
                work()
            except Exception:  # a fault in one task must not end the lane; the stack goes to the log
                log.exception("task.failed task=%s", task)
            finally:
                with self._lock:
                    self._under_way.discard(task)
                wake.set()

        executor.submit(run)

    def call(self, lane: str, work: Callable[[], T]) -> Future[T]:
        """Do `work` on a lane and hand back its future."""
        with self._lock:
            executor = self._executor(lane)
            self._owed[lane] += 1

        def run() -> T:
            try:
                return work()
            finally:
                with self._lock:
                    self._owed[lane] -= 1

        return executor.submit(run)

    def clogged(self, lane: str) -> bool:
        """Whether a lane owes so many answers that a further question would only wait."""
        with self._lock:
            return self._owed[lane] >= HANDS

    def busy(self) -> int:
        """How many tasks are under way."""
        with self._lock:
            return len(self._under_way)

    def _executor(self, lane: str) -> Executor:
        if lane not in self._executors:
            self._executors[lane] = self._make(lane)
        return self._executors[lane]

    def stop(self) -> None:
        """Begin nothing more; what runs is left to end by itself (everything it needs is committed first)."""
        with self._lock:
            self._closed = True
            executors = list(self._executors.values())
        for executor in executors:
            executor.shutdown(wait=False, cancel_futures=True)
