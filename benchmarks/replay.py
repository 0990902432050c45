"""Replaying event history: 200,000 events kept, and 100,000 stored kinds of call judged against a plan."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from advisor.core.evaluate import Allowing
from advisor.core.replay import SOURCE, Call, Court, Look, replayed, told
from advisor.edges.catalogue import IamCatalogue
from advisor.edges.store import Store
from advisor.edges.store.trail import Happened
from benchmarks.figures import Figure
from tests.worlds import allow, document

NOW = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")
ACCOUNT = "111111111111"
EVENTS, KINDS, ROLES, PIECE = 200_000, 100_000, 500, 2_000
SERVICES = ("ec2", "iam", "s3", "rds", "glue", "sagemaker", "connect")


def measure() -> list[Figure]:
    """A policy that 500 roles have: each of them made 200 kinds of call, each kind twice."""
    catalogue = IamCatalogue()
    names = [f"{s}:{a}" for s in SERVICES for a in sorted(catalogue.actions(s))][: KINDS // ROLES * 5 : 5]
    roles = [f"arn:aws:iam::{ACCOUNT}:role/role-{n:04}" for n in range(ROLES)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "replay.db")
        look = Look("us-east-1", SOURCE, "every.amazonaws.com")
        kept, _ = _took(lambda: _keep(store, look, roles, names))
        read, calls = _took(lambda: store.trail.calls(ACCOUNT, [look], roles, NOW - timedelta(days=90)))
        assert len(calls) == KINDS
        before = [document(allow(*(f"{s}:*" for s in SERVICES)))]
        after = [document(allow(*names[::2], "ec2:Describe*"))]
        judged, found = _took(
            lambda: replayed(calls, Court(before, after, catalogue), frozenset(SERVICES), frozenset())
        )
        saved, _ = _took(lambda: told(found, NOW))
        assert Allowing(after).contexts(names[0])
        store.close()
    return [
        Figure(f"{EVENTS:,} events kept, in pieces of {PIECE:,}", kept, "s"),
        Figure(f"{KINDS:,} stored kinds of call read", read, "s"),
        Figure("the same, judged", judged + saved, "s"),
        Figure(f"{KINDS:,} replayed: read and judged", read + judged + saved, "s", 10),
    ]


def _keep(store: Store, look: Look, roles: list[str], names: list[str]) -> None:
    start = NOW - timedelta(days=90)
    step = timedelta(days=89) / EVENTS
    until = NOW
    for first in range(0, EVENTS, PIECE):
        piece = [
            _event(n, NOW - timedelta(hours=1) - n * step, roles, names) for n in range(first, first + PIECE)
        ]
        since = start if first + PIECE >= EVENTS else piece[-1].call.newest
        store.trail.keep(ACCOUNT, look, piece, since, until, NOW)
        until = since


def _event(n: int, at: datetime, roles: list[str], names: list[str]) -> Happened:
    kind = n % KINDS
    service, _, name = names[kind // len(roles)].partition(":")
    return Happened(
        f"event-{n}", Call(roles[kind % len(roles)], f"{service}.amazonaws.com", name, n % 50 == 0, at)
    )


def _took(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done
