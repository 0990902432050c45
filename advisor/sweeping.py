"""What a sweep does in another process: read a batch of entities, and judge what was read.

Everything here is handed over by value; no credentials, no settings with secrets, no database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.core.estate import Score
from advisor.core.model import Entity, Failure, Report, Snapshot
from advisor.core.removal import Keep
from advisor.core.report import Rules, summarise
from advisor.core.risk import score, weigh
from advisor.edges import catalogue
from advisor.edges.aws import Raw
from advisor.edges.aws.batch import Batch, run_all

GONE = "gone"
"""The code of an entity that was deleted meanwhile."""


@dataclass(frozen=True, slots=True)
class Order:
    """A batch, with what is needed to judge each of its entities: in the order of `batch.entities`."""

    batch: Batch
    snapshots: tuple[Snapshot, ...]
    rules: Rules
    keeps: tuple[tuple[Keep, ...], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one entity: a report with what it came to, or why there is none."""

    entity: Entity
    report: Report | None = None
    score: Score | None = None
    failure: Failure | None = None

    @property
    def gone(self) -> bool:
        """Whether it was deleted meanwhile."""
        return self.failure is not None and self.failure.code == GONE

    def scored(self, report_id: int) -> Score:
        """The score under the row that its report got."""
        assert self.score is not None  # a report never comes without
        return replace(self.score, report_id=report_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a batch found; entities that it did not get to are not in it, and `stopped` may say why.

    `rate` is calls a second and operation, for the next batch.
    """

    found: tuple[Judged, ...]
    rate: float = 0.0
    calls: int = 0
    throttles: int = 0
    stopped: Failure | None = None


def carry_out(orders: tuple[Order, ...]) -> tuple[Answer, ...]:
    """Read and judge batches of several accounts. Raises no AwsError: whatever AWS does is in the answers."""
    results = run_all([order.batch for order in orders])
    return tuple(
        Answer(
            tuple(_judged(order, n, o) for n, o in enumerate(result.outcomes) if o is not None),
            result.rate,
            result.calls,
            result.throttles,
            result.stopped,
        )
        for order, result in zip(orders, results, strict=True)
    )


def _judged(order: Order, place: int, outcome: Raw | Failure) -> Judged:
    entity, snapshot = order.batch.entities[place], order.snapshots[place]
    if isinstance(outcome, Failure):
        return Judged(entity, failure=outcome)
    report = Report(
        entity.id, order.batch.granularity, outcome.created_at, outcome.completed_at, outcome.services
    )
    try:
        summary = summarise(report, snapshot, order.rules, catalogue.of_process(), order.keeps[place])
        told = score(report, summary, weigh(summary, snapshot, catalogue.of_process()))
    except ValueError:  # a document that is no policy: this entity is named, the others are judged
        return Judged(entity, failure=Failure("unexpected", account=entity.account))
    return Judged(entity, report, told)
