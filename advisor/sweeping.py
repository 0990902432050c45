"""What a sweep does in another process: read a batch of entities, and judge what was read.

Everything here is handed over by value; no credentials, no settings with secrets, no database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from advisor.core.estate import Score
from advisor.core.model import Entity, Failure, Report, Snapshot
from advisor.core.removal import Keep
from advisor.core.report import Rules
from advisor.edges.aws.batch import Batch, run
from advisor.edges.catalogue import IamCatalogue


@dataclass(frozen=True, slots=True)
class Order:
    """A batch, with what is needed to judge each of its entities: in the order of `batch.entities`."""

    batch: Batch
    snapshots: tuple[Snapshot, ...]
    rules: Rules
    keeps: tuple[tuple[Keep, ...], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one entity: a report with what it came to, a failure, or that it is gone."""

    entity: Entity
    report: Report | None = None
    score: Score | None = None
    failure: Failure | None = None
    gone: bool = False

    def scored(self, report_id: int) -> Score:
        """The score under the row that its report got."""
        assert self.score is not None  # a report never comes without
        return replace(self.score, report_id=report_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a batch found; entities that it did not get to are in none of these."""

    found: tuple[Judged, ...]
    rate: float
    calls: int
    throttles: int


def carry_out(order: Order) -> Answer:
    """Read and judge a batch. Raises AwsError where nothing of the account could be read at all."""
    result = run(order.batch)
    of = {e.id: n for n, e in enumerate(order.batch.entities)}
    found = [_judged(order, of[r.entity.id], r) for r in result.read]
    return Answer(tuple(found), result.rate, result.calls, result.throttles)


@cache
def _catalogue() -> IamCatalogue:
    """One a process: reading the package takes longer than judging with it."""
    return IamCatalogue()
