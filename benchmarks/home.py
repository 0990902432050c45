"""How long a home's reads and a digest's first take in a large database, and what a change costs whose people are five hundred."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from advisor.core.home import SHOWN
from advisor.edges.store import Store
from advisor.edges.store.digest_queries import Scope
from advisor.edges.store.rows import stamp
from benchmarks.figures import Figure, percentile

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = NOW - timedelta(days=7)
PEOPLE, ENTITIES, REPORTS, SERVICES, TICKETS, KEEPS, REQUESTS = 500, 20_000, 25_000, 40, 8000, 2000, 60_000
OWNER = "owner"
STEPS = 60
"""Services in the plan of each ticket: with its documents it is about 20 KB of JSON."""


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "home.db")
        _fill(store)
        cold = _timed(lambda: _read(store, _user(1)))
        whole = [_timed(lambda user=user: _read(store, user)) for user in _people(60)]  # type: ignore[misc]
        # One who owns far more than the others.
        big = [_timed(lambda: _read(store, _user(0))) for _ in range(20)]
        lists = [
            _slowest(store, name) for name in ("waiting", "tickets", "audits", "owned", "keeps", "accounts")
        ]
        changed = [_change(store, n) for n in range(20)]
        everybody = _timed(lambda: store.homes.changed(NOW, everybody=True))
        compared = [_timed(lambda: store.digests.read_since(Scope(("1",)), BEFORE)) for _ in range(20)]
        store.close()
    return [
        Figure("all reads of one home, median of 60 people", statistics.median(whole), "ms", 50),
        Figure("all reads of one home, p95 of 60 people", percentile(whole, 0.95), "ms", 50),
        Figure("the very first, with nothing in memory", cold, "ms"),
        Figure("of somebody who owns 4,000 entities, median of 20", statistics.median(big), "ms", 50),
        Figure("of somebody who owns 4,000 entities, the first of them", big[0], "ms"),
        *lists,
        Figure("a ticket changes: whose homes are due, p99 of 20", percentile(changed, 0.99), "ms", 50),
        Figure("a sweep ends: 500 homes are due", everybody, "ms", 50),
        Figure("a digest: who of 20,000 was read since, median of 20", statistics.median(compared), "ms", 50),
    ]


def _user(n: int) -> str:
    return f"U{n:010}"


def _people(count: int) -> Iterator[str]:
    return (_user(n * 7 % PEOPLE) for n in range(1, count + 1))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _read(store: Store, user: str) -> None:
    """What `advisor.homes.gather` reads, for an approver."""
    homes = store.homes
    waiting = homes.waiting(user, own=False)
    assert waiting.total > SHOWN
    homes.tickets(user)
    homes.audits(user)
    homes.owned(OWNER, (user,))
    homes.keeps(user, OWNER, (user,), NOW)
    homes.schedules()
    homes.sweeps()
    homes.accounts()


def _slowest(store: Store, name: str) -> Figure:
    homes = store.homes
    reads: dict[str, Callable[[str], object]] = {
        "waiting": lambda user: homes.waiting(user, own=False),
        "tickets": homes.tickets,
        "audits": homes.audits,
        "owned": lambda user: homes.owned(OWNER, (user,)),
        "keeps": lambda user: homes.keeps(user, OWNER, (user,), NOW),
        "accounts": lambda _user: homes.accounts(),
    }
    taken = [_timed(lambda user=user: reads[name](user)) for user in _people(30)]  # type: ignore[misc]
    return Figure(f"the list of {name} alone, median of 30", statistics.median(taken), "ms")


def _change(store: Store, n: int) -> float:
    return _timed(
        lambda: store.homes.changed(NOW, users=(_user(n),), approvers=True, entity_id=n + 1, owner_key=OWNER)
    )


def _fill(store: Store) -> None:
    """1,000,000 service rows, 20,000 entities with an owner each, 8,000 tickets, 2,000 keeps, 500 homes."""
    bulk, now = store._db.bulk, stamp(NOW)
    bulk(
        "INSERT INTO entity (id, account, kind, name, arn, unique_id, path, seen_at) VALUES (?, ?, 'role', ?, ?, ?, '/', ?)",
        (
            (
                n + 1,
                f"{n % 100:012}",
                f"role-{n}",
                f"arn:aws:iam::{n % 100:012}:role/role-{n}",
                f"AROA{n}",
                now,
            )
            for n in range(ENTITIES)
        ),
    )
    bulk(
        "INSERT INTO snapshot (entity_id, read_at, facts) VALUES (?, ?, ?)",
        ((n + 1, now, _facts(n)) for n in range(ENTITIES)),
    )
    bulk(
        "INSERT INTO report (id, entity_id, granularity, created_at, completed_at, complete, granted) "
        "VALUES (?, ?, 'SERVICE_LEVEL', ?, ?, 1, 40)",
        ((n + 1, n % ENTITIES + 1, now, now) for n in range(REPORTS)),
    )
    bulk(
        "INSERT INTO service (report_id, namespace, name, last_by, region, entities, has_actions) "
        "VALUES (?, ?, 'AWS Service', '', '', 0, 0)",
        ((n + 1, f"service-{s}") for n in range(REPORTS) for s in range(SERVICES)),
    )
    bulk(
        "INSERT INTO score (report_id, entity_id, account, at, newest, granted, used, stale, untracked, could_go, risk, "
        "privileged, privileged_used, young, protected, best) VALUES (?, ?, '1', ?, 1, 40, 2, 0, 0, 30, ?, 0, 0, 0, 0, '[]')",
        ((n + 1, n + 1, now, n % 97) for n in range(ENTITIES)),
    )
    bulk(
        "INSERT INTO request (id, user, channel, words, kind, name, account, granularity, days, fresh, state, created_at, "
        "next_at, entity_id, report_id) VALUES (?, ?, 'C1', '', 'role', 'r', '', 'SERVICE_LEVEL', 90, 0, 'done', ?, ?, ?, ?)",
        ((n + 1, _user(n % PEOPLE), now, now, n % ENTITIES + 1, n % ENTITIES + 1) for n in range(REQUESTS)),
    )
    _fill_tickets(store, now)
    until = stamp(NOW + timedelta(days=30))
    bulk(
        "INSERT INTO keep (entity_id, service, user, until, reason, created_at) VALUES (?, 'kms', ?, ?, 'why', ?)",
        ((n * 7 % ENTITIES + 1, _user(n % PEOPLE), until, now) for n in range(KEEPS)),
    )
    _fill_sweeps(store, now)
    for n in range(PEOPLE):
        with store.transaction():
            store.homes.opened(_user(n), NOW)
            store._db.run("UPDATE notice SET state = 'sending' WHERE user = ? AND kind = 'home'", (_user(n),))
            store.homes.published(
                _user(n),
                NOW,
                drawn="x",
                view_hash="x",
                approver=n % 25 == 0,
                tags=(_user(n), f"{n}@example.com"),
            )


def _facts(n: int) -> str:
    owner = _user(0 if n % 5 == 0 else n % PEOPLE)
    return json.dumps({"tags": [[OWNER, owner], ["team", f"team-{n % 40}"], ["cost", "1234"]]})


def _fill_tickets(store: Store, now: str) -> None:
    text = "x" * 4000
    edits = [{"treatment": "edit", "policy": f"p{n}", "before": text, "after": text} for n in range(2)]
    plan = json.dumps(
        {"services": [f"s{n}" for n in range(STEPS)], "actions": [], "granted": 80, "edits": edits}
    )
    states = ("open", "open", "applied", "rejected", "needs_human", "expired", "superseded", "applied")
    expires = stamp(NOW + timedelta(days=7))
    store._db.bulk(
        "INSERT INTO ticket (id, entity_id, request_id, report_id, state, requesters, channel, reason, keys, days, "
        "created_at, changed_at, expires_at, plan) VALUES (?, ?, 1, 1, ?, ?, 'C1', 'why', '[]', 90, ?, ?, ?, ?)",
        (
            (n + 1, n + 1, states[n % 8], json.dumps([_user(n % PEOPLE)]), now, now, expires, plan)
            for n in range(TICKETS)
        ),
    )
    store._db.bulk(
        "INSERT INTO approval (ticket_id, user, at, fingerprint) VALUES (?, ?, ?, '')",
        ((n + 1, _user(n % 20 * 25), now) for n in range(TICKETS)),
    )


def _fill_sweeps(store: Store, now: str) -> None:
    """Fifty weekly sweeps of 100 accounts; of the last one every entity, a hundredth of them not read."""
    store._db.bulk(
        "INSERT INTO sweep (id, user, channel, asked, state, created_at, next_at) VALUES (?, 'U1', 'C1', 'all', 'done', ?, ?)",
        ((n + 1, now, now) for n in range(50)),
    )
    store._db.bulk(
        "INSERT INTO sweep_account (sweep_id, account, alias, state, total, ended_at) VALUES (?, ?, '', 'done', 200, ?)",
        ((s + 1, f"{a:012}", now) for s in range(50) for a in range(100)),
    )
    store._db.bulk(
        "INSERT INTO sweep_entity (sweep_id, account, entity_id, state) VALUES (50, ?, ?, ?)",
        ((f"{n % 100:012}", n + 1, "failed" if n % 97 == 0 else "done") for n in range(ENTITIES)),
    )
