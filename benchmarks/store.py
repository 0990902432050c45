"""What a report weighs in the database, and how fast the newest of very many is found."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from advisor.core.model import (
    ActionRow,
    Entity,
    Grant,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Report,
    ServiceRow,
    Snapshot,
)
from advisor.edges.store import Store
from advisor.edges.store.rows import stamp
from benchmarks.figures import Figure, percentile

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:iam::111111111111"
SERVICES, SAVED, STORED, ENTITIES, READS = 50, 200, 100_000, 1000, 200


def measure() -> list[Figure]:
    return [*_weight(), *_newest()]


def _entity(n: int) -> Entity:
    return Entity("111111111111", Kind.ROLE, f"role-{n}", f"{ARN}:role/role-{n}", f"AROA{n:016}")


def _report(entity_id: int, *, actions: int = 0) -> Report:
    """50 services with the policies that grant them, as an audit stores them; a third was used."""
    grants = (
        Grant("db-admin-inline", PolicyKind.INLINE),
        Grant("DataLakeAccess", PolicyKind.CUSTOMER, f"{ARN}:policy/DataLakeAccess"),
    )
    rows = []
    for n in range(SERVICES):
        used = {"last_at": NOW, "last_by": f"{ARN}:role/role-1", "region": "eu-north-1"} if n % 3 == 0 else {}
        known = tuple(ActionRow(f"DescribeSomething{a}") for a in range(actions)) if actions else None
        row = ServiceRow(f"service-{n}", f"AWS Service {n}", actions=known, grants=grants, **used)  # type: ignore[arg-type]
        rows.append(row)
    level = Granularity.ACTION if actions else Granularity.SERVICE
    return Report(entity_id, level, NOW, NOW, tuple(rows))


def _weight() -> list[Figure]:
    plain = _growth(lambda store, known: _save(store, known, 0))
    tracked = _growth(lambda store, known: _save(store, known, 20))
    return [
        Figure("one report of 50 services, with its snapshot", plain, "KB", 40),
        Figure("the same with 20 actions a service", tracked, "KB"),
    ]


def _save(store: Store, known: Entity, actions: int) -> None:
    text = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    policies = tuple(Policy(f"policy-{n}", PolicyKind.INLINE, text) for n in range(3))
    snapshot = store.entities.save_snapshot(Snapshot(known, NOW, policies))
    store.reports.show(store.reports.save(_report(known.id, actions=actions), snapshot))


def _growth(save: Callable[[Store, Entity], None]) -> float:
    """Kilobytes that the file grows by at each of many saves; closing it empties the write-ahead log into it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weight.db"
        store = Store(path)
        known = store.entities.see(_entity(1), NOW)
        store.close()
        before = path.stat().st_size
        store = Store(path)
        for _ in range(SAVED):
            save(store, known)
        store.close()
        return (path.stat().st_size - before) / SAVED / 1024


def _newest() -> list[Figure]:
    """100,000 reports of 2 services: of 1,000 entities first, then as many of one entity alone."""
    with tempfile.TemporaryDirectory() as folder:
        spread = _times(Path(folder) / "spread.db", ENTITIES)
        single = _times(Path(folder) / "single.db", 1)
    return [
        Figure("newest of 100,000 reports, 1,000 entities, median", statistics.median(spread), "ms", 5),
        Figure("newest of 100,000 reports, 1,000 entities, p99", percentile(spread, 0.99), "ms", 5),
        Figure("newest of 100,000 reports, all of one entity, median", statistics.median(single), "ms", 5),
    ]


def _times(path: Path, entities: int) -> list[float]:
    store = Store(path)
    ids = [store.entities.see(_entity(n), NOW).id for n in range(entities)]
    level = Granularity.SERVICE.value
    store._db.bulk(
        "INSERT INTO report (id, entity_id, granularity, created_at, completed_at, complete, granted) "
        "VALUES (?, ?, ?, ?, ?, 1, 2)",
        ((n + 1, ids[n % entities], level, *(stamp(NOW + timedelta(seconds=n)),) * 2) for n in range(STORED)),
    )
    store._db.bulk(
        "INSERT INTO service (report_id, namespace, name, last_by, region, entities, has_actions) "
        "VALUES (?, ?, 'AWS Service', '', '', 0, 0)",
        ((n + 1, namespace) for n in range(STORED) for namespace in ("s3", "sqs")),
    )
    odd = random.Random(7)  # the same entities every time
    taken = []
    for _ in range(READS):
        entity = odd.choice(ids)
        began = time.perf_counter()
        found = store.reports.newest(entity, Granularity.SERVICE)
        taken.append((time.perf_counter() - began) * 1000)
        assert found
        assert len(found.services) == 2
    store.close()
    return taken
