"""Batches in other processes: rebuilt when one dies, ended when idle, gone with the bot; and on a Dask cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import ConfigError, WorkerLost
from advisor.edges import pool as pools
from advisor.edges.aws import Raw
from advisor.edges.aws.authorization import list_account
from advisor.edges.aws.batch import Batch, run
from advisor.edges.aws.pacer import Board
from advisor.edges.aws.sessions import Access
from advisor.edges.pool import Pool
from tests import far
from tests.sandbox import world as story
from tests.sandbox.aws import Aws

Seeded = tuple[Aws, story.World]
ROOT = Path(__file__).parent.parent


def board() -> Board:
    return Board.shared(pools.get_context("spawn"))


def gone(pid: int) -> bool:
    """Whether a process has ended, or only waits to be buried."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(true: Callable[[], bool]) -> bool:
    """Whether it becomes true in time."""
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(pools.here(board(), processes=2), width=2)
    yield made
    made.stop()


def test_work_is_done_in_another_process_and_its_answer_comes_home(pool: Pool) -> None:
    assert pool.submit(far.pid, None).result(30) != os.getpid()
    assert [f.result(30) for f in [pool.submit(far.double, n) for n in range(20)]] == [
        2 * n for n in range(20)
    ]
    with pytest.raises(ValueError, match="by the test"):
        pool.submit(far.refuse, "by the test").result(30)


def test_a_process_that_dies_loses_its_work_by_name_and_the_next_has_a_new_one(pool: Pool) -> None:
    """Also what waited for it: all of it is queued again by whoever asked."""
    lost = [pool.submit(far.die, None), *(pool.submit(far.double, n) for n in range(4))]
    ends = [f.exception(30) for f in lost]
    assert isinstance(ends[0], WorkerLost)
    assert all(e is None or isinstance(e, WorkerLost) for e in ends)
    assert pool.submit(far.double, 21).result(30) == 42


def test_processes_begin_with_the_first_work_and_end_when_there_is_none() -> None:
    made = Pool(pools.here(board(), processes=1), idle=0.2)
    assert made._crew is None
    first = made.submit(far.pid, None).result(30)
    assert until(lambda: gone(first))
    assert made.submit(far.pid, None).result(30) != first
    made.stop()


def test_a_pool_that_is_closed_begins_nothing() -> None:
    made = Pool(lambda: pools.crew(ThreadPoolExecutor(1)))
    waiting = [made.submit(time.sleep, 0.2) for _ in range(3)]
    made.stop()
    assert isinstance(waiting[2].exception(5), WorkerLost)
    with pytest.raises(WorkerLost):
        made.submit(far.double, 1)


_BOT = """
import os, signal, sys, time
from advisor.edges import pool
from advisor.edges.aws.pacer import Board
from tests import far
if __name__ == "__main__":
    made = pool.pool(None, Board.shared(pool.get_context("spawn")))
    print(made.submit(far.pid, None).result(), flush=True)
    made.submit(time.sleep, 600)
    signal.signal(signal.SIGTERM, lambda *_: (made.stop(), os._exit(0)))
    while True:
        signal.pause()
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_bot(tmp_path: Path, how: signal.Signals) -> None:
    """Neither when it is stopped in the middle of a batch nor when it is killed."""
    script = tmp_path / "small_bot.py"
    script.write_text(_BOT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True
    ) as bot:
        assert bot.stdout
        child = int(bot.stdout.readline())
        assert not gone(child)
        bot.send_signal(how)
        bot.wait(20)
    assert until(lambda: gone(child))


def test_a_batch_runs_in_another_process(
    pool: Pool, seeded: Seeded, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing and the reports of an account, entered there by the role; no credential went along."""
    _enter(seeded, monkeypatch)
    _audit(pool)


def _enter(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in seeded[1].bot.items():
        monkeypatch.setenv(name, value)


def _audit(pool: Pool) -> None:
    access = Access(story.DEV, story.PROD, "aws", story.READ_ROLE)
    snapshots = list(pool.submit(list_account, access).result(60).snapshots())
    batch = Batch(access, tuple(s.entity for s in snapshots), policies=tuple(s.policies for s in snapshots))
    result = pool.submit(run, batch).result(60)
    assert len(result.outcomes) == len(snapshots) > 3
    assert all(isinstance(o, Raw) for o in result.outcomes)


# -- a Dask cluster --------------------------------------------------------------------------------------------------


def test_a_cluster_without_its_package_is_a_fault_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said at the start, with what helps."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"IAM_AUDIT_DASK.*requirements-dask\.txt"):
        pools.pool("tcp://127.0.0.1:1", board())


def test_a_cluster_that_is_not_there_loses_a_batch_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is queued again until there is one."""
    if find_spec("distributed") is None:
        pytest.skip("distributed is not installed (requirements-dask.txt)")
    monkeypatch.setattr(pools, "_CONNECT", 0.5)
    with pytest.raises(WorkerLost, match="no scheduler"):
        pools.pool("tcp://127.0.0.1:1", board()).submit(far.double, 1)


@pytest.fixture
def dask(seeded: Seeded, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real cluster of two worker processes; they have the bot's identity as this process has."""
    if find_spec("distributed") is None:
        pytest.skip("distributed is not installed (requirements-dask.txt)")
    _enter(seeded, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    import dask
    from distributed import LocalCluster

    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.worker.daemon": True}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
    ):
        yield cluster


def test_batches_run_on_a_cluster_and_one_whose_worker_dies_is_run_again(dask: Any, tmp_path: Path) -> None:
    """By the cluster itself; one that kills every worker comes back as lost, and the cluster goes on."""
    made = pools.pool(dask.scheduler_address, board())
    try:
        assert made.submit(far.pid, None).result(60) != os.getpid()
        _audit(made)
        again = made.submit(far.die_once, str(tmp_path / "mark")).result(60)
        assert again != os.getpid()
        with pytest.raises(WorkerLost):
            made.submit(far.die, None).result(60)
        assert made.submit(far.double, 21).result(60) == 42
    finally:
        made.stop()
