"""What every verb gets: one small frozen object, passed as an argument."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from advisor.core.policy import Catalogue
from advisor.edges.aws import Aws
from advisor.edges.config import Config
from advisor.edges.schedule import Lanes
from advisor.edges.store import Store

A = TypeVar("A")
R = TypeVar("R")


class Pool(Protocol):
    """Processes of their own, here or on a cluster."""

    @property
    def width(self) -> int:
        """How many of them work at a time."""

    def submit(self, work: Callable[[A], R], value: A) -> Future[R]:
        """Begin `work(value)` in one; its future raises WorkerLost where that one died."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Store, AWS, settings, the catalogue of actions, lanes, the pool of processes that sweeps use, and the clock."""

    store: Store
    aws: Aws
    config: Config
    catalogue: Catalogue
    lanes: Lanes
    pool: Pool
    clock: Callable[[], datetime]
