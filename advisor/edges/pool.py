"""Where batches run: never in the bot's own threads, whose acknowledgements their parsing would hold up.

Processes of this machine, or a Dask cluster. Neither ever gets a credential; results come home as values.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from advisor.core.errors import ConfigError, WorkerLost
from advisor.edges.aws import pacer

log = logging.getLogger(__name__)
A = TypeVar("A")
R = TypeVar("R")

IDLE = 300.0
"""Seconds without work after which the processes are ended; a spawned one begins within a second."""

WIDE = 64
"""Batches at a time on a cluster: more than it has workers is no harm, they wait for one."""

_CONNECT = 5
"""Seconds that a scheduler may take to answer."""

_LOST = frozenset({"KilledWorker", "CommClosedError", "FutureCancelledError"})
"""Errors of distributed that say that a worker or the scheduler went away."""


@dataclass(frozen=True, slots=True)
class Crew:
    """An executor, what ends it without waiting for it, and whether it goes on when one of its workers dies."""

    executor: Executor
    end: Callable[[], None]
    goes_on: bool = False


def crew(executor: Executor) -> Crew:
    """A crew of the standard library's executors."""
    return Crew(executor, partial(executor.shutdown, wait=False, cancel_futures=True))


class Pool:
    """Runs plain functions somewhere else. Processes begin with the first one and end when there is nothing to do.

    `width` is how many are worth beginning at a time; it never changes.
    """

    def __init__(self, make: Callable[[], Crew], width: int = 1, idle: float = IDLE) -> None:
        self.width = width
        self._make = make
        self._idle = idle
        self._lock = threading.RLock()  # an executor that is shut down may call back at once
        self._crew: Crew | None = None
        self._under_way = 0
        self._timer: threading.Timer | None = None
        self._closed = False

    def submit(self, work: Callable[[A], R], value: A) -> Future[R]:
        """Begin `work(value)` elsewhere. Its future raises WorkerLost where the process died: to be queued again."""
        answer: Future[R] = Future()
        answer.set_running_or_notify_cancel()
        with self._lock:
            if self._closed:
                raise WorkerLost("the pool is closed")
            if self._timer:
                self._timer.cancel()
            at_work, begun = self._begin(work, value)
            self._under_way += 1
        begun.add_done_callback(lambda done: self._ended(at_work, done, answer))
        return answer

    def _begin(self, work: Callable[[A], R], value: A) -> tuple[Crew, Future[R]]:
        """With the crew there is, or with a new one where that one has broken meanwhile."""
        if self._crew is not None:
            try:
                return self._crew, self._crew.executor.submit(work, value)
            except (
                BrokenExecutor,
                RuntimeError,
            ):  # distributed says RuntimeError where its client has closed
                self._drop(self._crew)
        self._crew = self._make()
        return self._crew, self._crew.executor.submit(work, value)

    def _ended(self, at_work: Crew, done: Future[R], answer: Future[R]) -> None:
        error: BaseException | None = WorkerLost("cancelled") if done.cancelled() else done.exception()
        if error is not None and (isinstance(error, BrokenExecutor) or type(error).__name__ in _LOST):
            log.warning("pool.lost why=%s", type(error).__name__)
            error = WorkerLost(type(error).__name__)
        with self._lock:
            if isinstance(error, WorkerLost) and not at_work.goes_on:
                self._drop(at_work)  # the standard library's stay broken for good
            self._under_way -= 1
            if not self._under_way and not self._closed:
                self._timer = threading.Timer(self._idle, self._rest)
                self._timer.daemon = True
                self._timer.start()
        if error is None:
            answer.set_result(done.result())
        else:
            answer.set_exception(error)

    def _rest(self) -> None:
        """End the processes: nobody needed them for a while."""
        with self._lock:
            if not self._under_way and self._crew is not None:
                self._drop(self._crew)

    def _drop(self, at_work: Crew) -> None:
        if self._crew is at_work:  # once: ending it may call back here for what was waiting
            self._crew = None
            at_work.end()

    def stop(self) -> None:
        """Begin nothing more. What runs is lost; its processes end with it, or with this one at the latest."""
        with self._lock:
            self._closed = True
            if self._timer:
                self._timer.cancel()
            if self._crew is not None:
                self._drop(self._crew)


def here(board: pacer.Board, processes: int) -> Callable[[], Crew]:
    """Processes of this machine."""

    def make() -> Crew:
        return crew(
            ProcessPoolExecutor(
                processes,
                mp_context=get_context("spawn"),
                initializer=_enter,
                initargs=(board,),
            )
        )

    return make


def _enter(board: pacer.Board) -> None:
    """What each process does first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the bot ends them
    pacer.post(board)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process of the pool waits for work on a pipe that it holds open itself: it would outlive a bot that was killed."""
    bot = parent_process()
    if bot is not None:
        bot.join()
    os._exit(0)


def cluster(address: str) -> Callable[[], Crew]:
    """A Dask cluster by its scheduler's address. Raises ConfigError where `distributed` is not installed."""
    try:
        distributed: Any = import_module("distributed")  # only where it is asked for
    except ImportError as error:
        raise ConfigError(
            ["IAM_AUDIT_DASK: needs the package distributed; pip install -r requirements-dask.txt"]
        ) from error

    def make() -> Crew:
        try:
            client = distributed.Client(address, timeout=_CONNECT, set_as_default=False)
        except OSError as error:  # TimeoutError among them: the batch waits until there is a scheduler again
            raise WorkerLost(f"no scheduler at {address}") from error
        return Crew(client.get_executor(pure=False), partial(client.close, timeout=_CONNECT), goes_on=True)

    return make


def pool(dask: str | None, board: pacer.Board) -> Pool:
    """The pool of the settings: the cluster, or as many processes as this machine has cores."""
    if dask:
        return Pool(cluster(dask), width=WIDE)
    cores = os.cpu_count() or 1
    return Pool(here(board, cores), width=cores)
