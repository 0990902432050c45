"""The whole bot with an organisation to sweep: what people feel of it meanwhile, and what it leaves behind.

A hundred accounts of a lean IAM are swept by the real process while commands come in; and, against the sandbox's IAM, a
person's audit in the very account that is being swept.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from advisor.core.estate import Score
from advisor.core.model import (
    Entity,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Report,
    ServiceRow,
    Snapshot,
)
from advisor.edges.store import Store
from advisor.edges.store.reports import filed
from benchmarks.figures import Figure, percentile
from benchmarks.iam_server import OWN, Scenario, serving
from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo

ACCOUNTS, ENTITIES = 100, 500
ROLES = 400
TRIES = 5


class Estate(Demo):
    """The sandbox's Slack, and a bot whose AWS is the lean server."""

    def __init__(self, url: str, accounts: int) -> None:
        ids = ",".join(f"a{n}={n:012}" for n in range(1, accounts + 1))
        super().__init__(IAM_AUDIT_ACCOUNTS=ids)
        self.settings |= {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": f"AKIA{OWN}",
            "AWS_SECRET_ACCESS_KEY": "x",
            "IAM_AUDIT_WRITE_ROLE": "",
        }

    def row(self, sql: str) -> tuple[object, ...]:
        """The first row of a question to the bot's database."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as db:
            return tuple(db.execute(sql).fetchone() or ())

    def resident(self) -> float:
        """Megabytes of the bot's own process."""
        assert self.bot
        text = Path(f"/proc/{self.bot.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def measure() -> list[Figure]:
    """First the organisation, then the audit that somebody waits for."""
    return [*_thinned(), *_organisation(), *_interactive()]


def _thinned() -> list[Figure]:
    """20 sweeps of 500 entities with 42 services each, all but the last older than what is kept whole."""
    now, account = datetime(2026, 11, 24, tzinfo=UTC), f"{1:012}"
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "audit.db")
        seen = [
            store.entities.see(
                Entity(account, Kind.ROLE, f"r{n}", f"arn:aws:iam::{account}:role/r{n}", f"AROA{n:017}"), now
            )
            for n in range(500)
        ]
        shots = store.entities.save_snapshots(
            Snapshot(e, now, (Policy("own", PolicyKind.INLINE, f'{{"Id":"{e.id}"}}'),)) for e in seen
        )
        for sweep in range(20):
            at = now if sweep == 19 else now - timedelta(days=800 + sweep)
            rows = tuple(
                ServiceRow(f"service{k}", f"Amazon Service {k}", None if k % 3 else at) for k in range(42)
            )
            ids = store.reports.save_all(
                [(filed(Report(e.id, Granularity.SERVICE, at, at, rows)), shots[e.id]) for e in seen]
            )
            store.reports.show_all(ids)
            best = ("iam", "kms", "s3", "ec2", "rds")
            store.scores.save(
                [
                    (account, Score(i, e.id, at, 42, 14, 0, 0, 28, 900, best=best))
                    for i, e in zip(ids, seen, strict=True)
                ]
            )
        whole = _megabytes(store)
        while store.reports.thin(now - timedelta(days=730)):
            pass
        left = _megabytes(store)
        store.close()
    return [
        Figure("10,000 audits of 500 entities, nothing thinned", whole, "MB"),
        Figure("the same after thinning", left, "MB", 10),
    ]


def _megabytes(store: Store) -> float:
    """What the database uses; pages that thinning freed are used again."""
    (pages,), (free,) = (store._db.rows(f"PRAGMA {what}_count")[0] for what in ("page", "freelist"))
    return (pages - free) * 4096 / 1e6


def _organisation() -> list[Figure]:
    with serving(Scenario(job=2.0, limit=20.0, entities=ENTITIES)) as url, Estate(url, ACCOUNTS) as demo:
        demo.start_bot()
        time.sleep(5)
        idle = demo.resident()
        assert demo.slack.command(story.ALICE, story.SECURITY, "sweep account=all").ok
        began, acks, most = time.monotonic(), [], 0.0
        while not demo.row("SELECT 1 FROM sweep WHERE ended_at IS NOT NULL"):
            reply = demo.slack.command(story.BOB, story.SECURITY, "whoami")
            acks.append(reply.ms if reply.ok else float("inf"))
            most = max(most, demo.resident())
            time.sleep(0.25)
        took = time.monotonic() - began
        read = demo.row("SELECT count(*) FROM sweep_entity WHERE state = 'done'")[0]
        size = sum(p.stat().st_size for p in demo.database.parent.glob("demo.db*")) / 1e6
    wanted = ACCOUNTS * ENTITIES
    what = f"{ACCOUNTS} accounts × {ENTITIES}, 20 calls a second each"
    return [
        Figure(f"{what}: swept in", took, "s"),
        Figure(f"{what}: not read", wanted - int(str(read)), "lost", 0),
        Figure(f"{what}: acknowledgements meanwhile, p99 of {len(acks)}", percentile(acks, 0.99), "ms", 150),
        Figure(f"{what}: the bot's process above idle", most - idle, "MB", 60),
        Figure(f"{what}: database", size, "MB"),
    ]


def _interactive() -> list[Figure]:
    """One role audited afresh, five times, with and without a sweep of its account; the sandbox's IAM is slow itself."""
    with Demo(IAM_AUDIT_CACHE_HOURS="0") as demo:
        story.plain(demo.aws, story.PROD, roles=ROLES, seeded=True)
        demo.start_bot()
        time.sleep(3)
        alone = [_audit(demo) for _ in range(TRIES)]
        assert demo.slack.command(story.BOB, story.PLATFORM, "sweep account=prod").ok
        time.sleep(3)
        beside = []
        while _swept(demo) is False and len(beside) < TRIES:
            beside.append(_audit(demo))
    later = statistics.median(beside) - statistics.median(alone) if beside else float("nan")
    return [
        Figure("an audit alone, median", statistics.median(alone), "s"),
        Figure(f"the same while its account is swept: later by, median of {len(beside)}", later, "s", 2),
    ]


def _audit(demo: Demo) -> float:
    known = {m["ts"] for m in demo.slack.messages(story.SECURITY)}
    done = threading.Event()
    began = time.monotonic()
    assert demo.slack.command(story.ALICE, story.SECURITY, "role DBAdminRole account=prod fresh").ok
    while not done.is_set():
        for m in demo.slack.messages(story.SECURITY):
            payload = m.get("metadata", {}).get("event_payload", {})
            if m["ts"] not in known and payload.get("state") == "done":
                done.set()
        time.sleep(0.02)
        assert time.monotonic() - began < 120
    return time.monotonic() - began


def _swept(demo: Demo) -> bool:
    with closing(sqlite3.connect(f"file:{demo.database}?mode=ro", uri=True, timeout=10)) as db:
        return bool(db.execute("SELECT 1 FROM sweep WHERE ended_at IS NOT NULL").fetchone())
