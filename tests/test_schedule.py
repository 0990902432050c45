"""advisor.edges.schedule: beats, the clock and the lanes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC

import pytest

from advisor.edges.schedule import Beat, Clock, Lanes, now

PATIENCE = 5.0
"""Seconds after which a test that waits for a thread has failed."""


class Counter:
    """Work that counts itself, and fails where it is told to."""

    def __init__(self, *, failing: bool = False) -> None:
        self.times = 0
        self.failing = failing
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.times += 1
            self._changed.notify_all()
        if self.failing:
            raise RuntimeError("a fault in the work")

    def reaches(self, times: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.times >= times, PATIENCE)


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    """Lanes whose threads have ended when the test has."""
    pools: list[Executor] = []

    def make_pool(_key: str) -> Executor:
        pools.append(ThreadPoolExecutor(max_workers=1))
        return pools[-1]

    made = Lanes(make_pool)
    made.pools = pools  # type: ignore[attr-defined]
    yield made
    made.stop()
    for pool in pools:
        pool.shutdown(wait=True)


def test_now_is_aware_and_in_utc() -> None:
    """Times have one zone."""
    assert now().tzinfo is UTC


def test_a_beat_begins_at_once_and_again_at_every_event() -> None:
    """One event, one beat; several at once may be one."""
    work, event = Counter(), threading.Event()
    beat = Beat("tick", event, work)
    beat.start()
    assert work.reaches(1)
    event.set()
    assert work.reaches(2)
    before = beat.last_at
    event.set()
    assert work.reaches(3)
    beat.stop(PATIENCE)
    assert beat.last_at >= before


def test_a_beat_outlives_a_fault_and_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    """The stack goes to the log, the next event is another try."""
    work, event = Counter(failing=True), threading.Event()
    beat = Beat("tick", event, work)
    beat.start()
    assert work.reaches(1)
    event.set()
    assert work.reaches(2)
    beat.stop(PATIENCE)
    assert "tick.failed" in caplog.text
    assert "a fault in the work" in caplog.text


def test_a_stopped_beat_ends_and_does_no_more() -> None:
    """Also one that was never started."""
    work, event = Counter(), threading.Event()
    beat = Beat("tick", event, work)
    beat.stop(PATIENCE)
    beat = Beat("tick", event, work)
    beat.start()
    assert work.reaches(1)
    beat.stop(PATIENCE)
    assert "tick" not in {t.name for t in threading.enumerate()}
    times = work.times
    event.set()
    assert work.times == times


def test_the_clock_ticks_and_stops() -> None:
    """Recurring work by an interval; a clock that was never started stops too."""
    work, clock = Counter(), Clock()
    clock.every(0.05, "tick", work)
    assert work.times == 0
    clock.start()
    assert work.reaches(2)
    clock.stop()
    times = work.times
    clock.stop()
    Clock().stop()
    assert work.times == times


def test_a_clock_outlives_a_fault_and_a_slow_beat() -> None:
    """Two runs of one job never stand side by side."""
    side_by_side, most = [0], [0]
    lock = threading.Lock()
    work = Counter(failing=True)

    def slow() -> None:
        with lock:
            side_by_side[0] += 1
            most[0] = max(most[0], side_by_side[0])
        threading.Event().wait(0.08)
        with lock:
            side_by_side[0] -= 1
        work()

    clock = Clock()
    clock.every(0.02, "slow", slow)
    clock.start()
    assert work.reaches(3)
    clock.stop()
    assert most[0] == 1


def test_a_task_under_way_is_not_begun_again(lanes: Lanes) -> None:
    """Until it has ended; its end wakes whoever waits."""
    begun, may_end, wake, work = threading.Event(), threading.Event(), threading.Event(), Counter()

    def long() -> None:
        work()
        begun.set()
        may_end.wait(PATIENCE)

    lanes.submit("a", ("job", 1), long, wake)
    assert begun.wait(PATIENCE)
    lanes.submit("a", ("job", 1), long, wake)
    assert lanes.busy() == 1
    assert not wake.is_set()
    may_end.set()
    assert wake.wait(PATIENCE)
    assert (work.times, lanes.busy()) == (1, 0)
    lanes.submit("a", ("job", 1), work, wake)
    assert work.reaches(2)


def test_an_account_that_hangs_stops_nobody_else(lanes: Lanes) -> None:
    """A lane of its own, one executor a key."""
    may_end, wake, done = threading.Event(), threading.Event(), Counter()
    for n in range(10):
        lanes.submit("hangs", n, lambda: may_end.wait(PATIENCE) and None, wake)
    lanes.submit("well", "x", done, wake)
    assert done.reaches(1)
    assert lanes.call("well", lambda: 7).result(PATIENCE) == 7
    assert len(lanes.pools) == 2  # type: ignore[attr-defined]
    may_end.set()


def test_a_fault_in_a_task_ends_only_the_task(lanes: Lanes, caplog: pytest.LogCaptureFixture) -> None:
    """Logged, forgotten, and woken for; SystemExit included in nothing."""
    wake = threading.Event()
    lanes.submit("a", "bad", Counter(failing=True), wake)
    assert wake.wait(PATIENCE)
    assert lanes.busy() == 0
    assert "task.failed task=bad" in caplog.text
    assert lanes.call("a", lambda: 1).result(PATIENCE) == 1


def test_a_task_that_exits_its_thread_is_not_under_way_for_ever(lanes: Lanes) -> None:
    """`sys.exit` in a worker thread kills others' tools silently: SystemExit is no Exception."""
    wake = threading.Event()

    def leave() -> None:
        raise SystemExit(1)

    lanes.submit("a", "leaver", leave, wake)
    assert wake.wait(PATIENCE)
    assert lanes.busy() == 0
    assert lanes.call("a", lambda: 1).result(PATIENCE) == 1


def test_the_result_and_the_fault_of_a_call_are_its_caller_s(lanes: Lanes) -> None:
    """A future, as ever."""

    def bad() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        lanes.call("a", bad).result(PATIENCE)


def test_after_stopping_nothing_begins(lanes: Lanes) -> None:
    """What waits is dropped (it is committed, and comes again); what runs may end."""
    begun, may_end, wake, late = threading.Event(), threading.Event(), threading.Event(), Counter()

    def long() -> None:
        begun.set()
        may_end.wait(PATIENCE)

    lanes.submit("a", "runs", long, wake)
    assert begun.wait(PATIENCE)
    lanes.submit("a", "waits", late, wake)
    lanes.stop()
    lanes.submit("a", "new", late, wake)
    lanes.submit("b", "new", late, wake)
    may_end.set()
    assert wake.wait(PATIENCE)
    for pool in lanes.pools:  # type: ignore[attr-defined]
        pool.shutdown(wait=True)
    assert late.times == 0
