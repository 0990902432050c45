"""What every verb gets: one small frozen object, passed as an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from advisor.core.policy import Catalogue
from advisor.edges.aws import Aws
from advisor.edges.config import Config
from advisor.edges.schedule import Lanes
from advisor.edges.store import Store


@dataclass(frozen=True, slots=True)
class Desk:
    """Store, AWS, settings, the catalogue of actions, the lanes that work runs on, and the clock."""

    store: Store
    aws: Aws
    config: Config
    catalogue: Catalogue
    lanes: Lanes
    clock: Callable[[], datetime]
