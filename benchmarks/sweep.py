"""A sweep beside the least that any program could do, and beside a plain boto3 loop, in the same run.

The floor is one asyncio process that makes two unsigned calls an entity, parses nothing and stores nothing. Ours is
the product's own flow: listed, read, judged, scored and stored, in processes that are there already.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import boto3
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from advisor import readings, sweep_steps, sweeping, sweeps
from advisor.core.model import Snapshot
from advisor.core.report import Rules
from advisor.desk import Desk
from advisor.edges import config as settings
from advisor.edges import parcels
from advisor.edges import pool as pools
from advisor.edges.aws import Aws
from advisor.edges.aws.authorization import list_account
from advisor.edges.aws.batch import Batch
from advisor.edges.aws.pacer import Board
from advisor.edges.catalogue import IamCatalogue
from advisor.edges.schedule import Beat, Lanes, now
from advisor.edges.store import Store
from benchmarks.figures import Figure, resident
from benchmarks.iam_server import OWN, Scenario, entities, serving

SCENARIOS = {
    "a": Scenario(job=1.0),
    "b": Scenario(job=2.0, latency=0.03),
    "c": Scenario(job=1.0, limit=20.0, burst=20.0),
}
WORDS = {
    "a": "jobs of 1 s",
    "b": "jobs of 2 s, 30 ms a call",
    "c": "20 calls a second an account",
}
TARGETS = {("a", 1): 2.0, ("b", 1): 2.0, ("a", 4): 3.0, ("b", 4): 3.0, ("c", 1): 1.1, ("c", 4): 1.1}
GROWTH = (500, 2000, 8000, 20_000)
THREADS, BATCH = 20, 500


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds of wall time and of processors, entities read, calls, megabytes above idle."""

    wall: float
    cpu: float
    read: int
    calls: int = 0
    above: float = 0.0


def accounts(count: int) -> list[str]:
    return [f"{n:012}" for n in range(1, count + 1)]


# -- the floor -------------------------------------------------------------------------------------------------------


class _Floor:
    """Starts every job as fast as the limit lets it, waits as long as a job takes, reads each once."""

    def __init__(self, url: str, account: str, scenario: Scenario) -> None:
        self.url, self.scenario = url, scenario
        self.headers = {
            "Authorization": f"Credential=ASIA{account}/",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self.arns = [f"arn:aws:iam::{account}:{kind}/{name}" for kind, name in entities(scenario.entities)]
        self.tokens, self.at = scenario.burst, time.monotonic()
        self.calls = 0

    async def _turn(self) -> None:
        if not self.scenario.limit:
            return
        at = time.monotonic()
        self.tokens = min(self.scenario.burst, self.tokens + (at - self.at) * self.scenario.limit) - 1
        self.at = at
        if self.tokens < 0:
            await asyncio.sleep(-self.tokens / self.scenario.limit)

    async def _ask(self, http: aiohttp.ClientSession, form: str) -> bytes:
        while True:
            await self._turn()
            self.calls += 1
            async with http.post(self.url, data=form, headers=self.headers) as answer:
                body = await answer.read()
                if answer.status == 200:
                    return body

    async def run(self) -> int:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as http:
            await self._ask(http, "Action=GetAccountAuthorizationDetails")
            return sum(await asyncio.gather(*(self._one(http, arn) for arn in self.arns)))

    async def _one(self, http: aiohttp.ClientSession, arn: str) -> bool:
        begun = await self._ask(http, f"Action=GenerateServiceLastAccessedDetails&Arn={arn}")
        job = begun.partition(b"<JobId>")[2].partition(b"<")[0].decode()
        await asyncio.sleep(self.scenario.job)
        read = await self._ask(http, f"Action=GetServiceLastAccessedDetails&JobId={job}&MaxItems=1000")
        return b"COMPLETED" in read


def floor(url: str, ids: Iterable[str], scenario: Scenario) -> Run:
    crews = [_Floor(url, account, scenario) for account in ids]

    async def every() -> int:
        return sum(await asyncio.gather(*(crew.run() for crew in crews)))

    begun, cpu = time.perf_counter(), time.process_time()
    read = asyncio.run(every())
    return Run(time.perf_counter() - begun, time.process_time() - cpu, read, sum(c.calls for c in crews))


# -- a plain loop ----------------------------------------------------------------------------------------------------


def plain(url: str, ids: Iterable[str], scenario: Scenario) -> Run:
    """boto3 as one would write it: 20 threads, each begins a job and asks until it is done; nothing is stored."""
    begun, cpu, read = time.perf_counter(), time.process_time(), 0
    for account in ids:
        client = boto3.client(
            "iam",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id=f"ASIA{account}",
            aws_secret_access_key="secret",
            config=BotoConfig(max_pool_connections=THREADS),
        )

        def one(arn: str, client: boto3.client = client) -> bool:
            with suppress(ClientError):
                job = client.generate_service_last_accessed_details(Arn=arn)["JobId"]
                while True:
                    answer = client.get_service_last_accessed_details(JobId=job)
                    if answer["JobStatus"] != "IN_PROGRESS":
                        return bool(answer["ServicesLastAccessed"])
                    time.sleep(0.5)
            return False

        arns = [f"arn:aws:iam::{account}:{kind}/{name}" for kind, name in entities(scenario.entities)]
        with ThreadPoolExecutor(THREADS) as threads:
            read += sum(threads.map(one, arns))
    return Run(time.perf_counter() - begun, time.process_time() - cpu, read)


# -- ours ------------------------------------------------------------------------------------------------------------


def ours(url: str, ids: list[str], *, story: bool = False) -> Run:
    """The product's parts, or its whole sweep, in a process of its own, as the bot has one."""
    command = [sys.executable, "-m", "benchmarks.sweep", "--url", url, "--accounts", *ids]
    done = subprocess.run(
        [*command, *(["--story"] if story else [])], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def _settings(url: str, ids: list[str], folder: Path) -> None:
    os.environ.update(
        AWS_ENDPOINT_URL=url,
        AWS_ACCESS_KEY_ID=f"AKIA{OWN}",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        SLACK_BOT_TOKEN="xoxb-none",
        SLACK_SIGNING_SECRET="none",
        IAM_AUDIT_DB=str(folder / "sweep.db"),
        IAM_AUDIT_ACCOUNTS=",".join(f"a{n}={account}" for n, account in enumerate(ids)),
    )


def _sweep(url: str, ids: list[str], *, story: bool) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        _settings(url, ids, Path(folder))
        config = settings.load(None)
        store, board = Store(config.iam_audit_db), Board.shared(get_context("spawn"))
        aws = Aws(
            boot="bench",
            named=config.named_accounts,
            organization=False,
            read_role="read",
            clock=now,
            board=board,
        )
        pool = pools.pool(config.iam_audit_dask, board)
        desk = Desk(store, aws, config, IamCatalogue(), Lanes(), pool, now)
        aws.identity()
        for waiting in [pool.submit(sweeping.carry_out, ()) for _ in range(pool.width)]:
            waiting.result()  # each process has begun and read its code
        time.sleep(0.5)
        run = _measured(desk, ids, story=story)
        pool.stop()
        desk.lanes.stop()
        store.close()
        return run


def _engine(desk: Desk, ids: list[str]) -> int:
    """The parts of a sweep without its story: each process reads its share of every account; how many were read."""
    store, rules = desk.store, readings.rules(desk, 90, ids[0])
    listing = [desk.pool.submit(list_account, desk.aws.access(account)) for account in ids]
    orders, rows = [], {}
    for account, told in zip(ids, listing, strict=True):
        found = told.result()
        store.entities.listed(account, (s.entity for s in found.snapshots()), now())
        known = store.entities.of_account(account)
        snapshots = tuple(
            replace(s, entity=replace(s.entity, id=known[s.entity.arn, s.entity.unique_id]))
            for s in found.snapshots()
        )
        rows |= store.entities.save_snapshots(snapshots)
        orders.append((account, snapshots))
    read = 0
    for start in range(0, max(len(s) for _, s in orders), BATCH):
        batches = [(a, s[start : start + BATCH]) for a, s in orders]
        shares = [
            desk.pool.submit(
                sweeping.carry_out,
                parcels.pack((_order(desk, a, s[n :: desk.pool.width], rules) for a, s in batches), size=1),
            )
            for n in range(desk.pool.width)
        ]
        for share in as_completed(shares):
            for (account, _), answer in zip(batches, share.result(), strict=True):
                good = [j for j in answer.found() if j.report]
                made = store.reports.save_all([(j.report, rows[j.entity.id]) for j in good if j.report])
                with store.transaction():
                    store.reports.show_all(made)
                    store.scores.save([(account, j.scored(i)) for j, i in zip(good, made, strict=True)])
                read += len(good)
    return read


def _order(desk: Desk, account: str, snapshots: tuple[Snapshot, ...], rules: Rules) -> sweeping.Order:
    entities_, policies = tuple(s.entity for s in snapshots), tuple(s.policies for s in snapshots)
    batch = Batch(desk.aws.access(account), entities_, policies=policies)
    return sweeping.Order(batch, snapshots, rules, ((),) * len(snapshots))


def _measured(desk: Desk, ids: list[str], *, story: bool) -> Run:
    idle, most = resident(os.getpid()), [0.0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            most.append(resident(os.getpid()))

    threading.Thread(target=watch, daemon=True).start()
    begun, cpu = time.perf_counter(), _processors()
    done = _story(desk) if story else _engine(desk, ids)
    wall, spent = time.perf_counter() - begun, _processors() - cpu
    ended.set()
    return Run(wall, spent, done, 0, max(most) - idle)


def _story(desk: Desk) -> int:
    """A sweep as somebody asks for it, beat by beat; how many entities were read."""
    store = desk.store
    beat = Beat("tick", store.work, partial(sweep_steps.beat, desk))
    beat.start()
    sweep = sweeps.start(desk, "U1", "C1", "all", silent=True)
    sweeps.admit(desk, sweep)
    while not (found := store.sweeps.get(sweep.id)) or not found.state.ended:
        time.sleep(0.01)
    beat.stop(2)
    return sum(part.done for part in store.sweeps.parts(sweep.id))


def _processors() -> float:
    """Seconds that this process and those of the pool have used."""
    ticks = 0
    for pid in [os.getpid(), *(p.pid for p in multiprocessing.active_children())]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


# -- all of it -------------------------------------------------------------------------------------------------------


def measure(tries: int = 3) -> list[Figure]:
    """Every scenario with 1 and 4 accounts, best of some tries where a run is short; then growth."""
    figures: list[Figure] = []
    for letter, scenario in SCENARIOS.items():
        for count in (1, 4):
            figures += _scenario(letter, scenario, accounts(count), 1 if scenario.limit else tries)
    return figures + _growth()


def _scenario(letter: str, scenario: Scenario, ids: list[str], tries: int) -> list[Figure]:
    title = f"{letter} ({WORDS[letter]}), {len(ids)} account{'s' if len(ids) > 1 else ''}"
    entity = len(ids) * scenario.entities
    least = min(
        (_served(scenario, partial(floor, ids=ids, scenario=scenario)) for _ in range(tries)), key=_wall
    )
    best = min((_served(scenario, partial(ours, ids=ids)) for _ in range(tries)), key=_wall)
    whole = _served(scenario, partial(ours, ids=ids, story=True))
    figures = [
        Figure(f"{title}: the floor", least.wall, "s"),
        Figure(f"{title}: ours, stored", best.wall, "s"),
        Figure(f"{title}: the whole sweep, beat by beat", whole.wall, "s"),
        Figure(f"{title}: ours / the floor", best.wall / least.wall, "×", TARGETS[letter, len(ids)]),
        Figure(f"{title}: not read", entity - best.read, "entities", 0),
        Figure(f"{title}: processor, ours", best.cpu / entity * 1000, "ms an entity", 3),
        Figure(f"{title}: processor, the floor", least.cpu / entity * 1000, "ms an entity"),
        Figure(f"{title}: calls an entity", best.calls / entity, "calls"),
    ]
    if len(ids) == 1:
        loop = _served(scenario, partial(plain, ids=ids, scenario=scenario))
        figures += [
            Figure(f"{title}: a boto3 loop, not stored", loop.wall, "s"),
            Figure(f"{title}: the loop lost", entity - loop.read, "entities"),
        ]
    return figures


def _served(scenario: Scenario, work: partial[Run]) -> Run:
    """One run against a server of its own, which counts the calls."""
    with serving(scenario) as url:
        run = work(url)
        counts = _counts(url)
    asked = sum(
        n for name, n in counts.items() if name[:3] in {"Gen", "Get", "Lis"} and name != "GetCallerIdentity"
    )
    return Run(**{**asdict(run), "calls": asked})


def _counts(url: str) -> dict[str, int]:
    async def ask() -> str:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/counts") as answer:
            return await answer.text()

    return {k: int(v) for k, v in re.findall(r"'(\w+)': (\d+)", asyncio.run(ask()))}


def _wall(run: Run) -> float:
    return run.wall


def _growth() -> list[Figure]:
    figures = []
    for count in GROWTH:
        run = _served(Scenario(job=1.0, entities=count), partial(ours, ids=accounts(1), story=True))
        figures += [
            Figure(f"growth, {count:,} entities of one account", run.wall, "s"),
            Figure(f"growth, {count:,}: the bot's memory above idle", run.above, "MB", 60),
            Figure(f"growth, {count:,}: not read", count - run.read, "entities", 0),
        ]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep")
    parser.add_argument("--url", required=True)
    parser.add_argument("--accounts", nargs="+", required=True)
    parser.add_argument("--story", action="store_true")
    given = parser.parse_args()
    assert urlsplit(given.url).hostname == "127.0.0.1"
    print(json.dumps(asdict(_sweep(given.url, given.accounts, story=given.story))))


if __name__ == "__main__":
    main()
