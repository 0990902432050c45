"""What a sweep does in another process: read a batch of entities, and judge what was read.

Everything here is handed over by value; no credentials, no settings with secrets, no database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from advisor.core.estate import Score
from advisor.core.model import Entity, Failure, Report, Snapshot
from advisor.core.removal import Keep
from advisor.core.report import Rules, summarise
from advisor.core.risk import score, weigh
from advisor.edges import catalogue, parcels
from advisor.edges.aws import Raw
from advisor.edges.aws.batch import Batch, BatchResult, run_all
from advisor.edges.store.reports import Filed, filed

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
    """What became of one entity: a report, as it is stored, with what it came to; or why there is none."""

    entity: Entity
    report: Filed | None = None
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
    """What a batch found of `count` entities; those that it did not get to are not in it, and `stopped` may say why.

    `rate` is calls a second and operation, for the next batch.
    """

    count: int
    packed: parcels.Parcels = field(repr=False)
    rate: float = 0.0
    calls: int = 0
    throttles: int = 0
    stopped: Failure | None = None

    def found(self) -> Iterator[Judged]:
        """What became of each, a few unpacked at a time."""
        yield from parcels.unpack(self.packed)


def carry_out(packed: parcels.Parcels) -> tuple[Answer, ...]:
    """Read and judge batches of several accounts, by their packed orders.

    Raises no AwsError: whatever AWS does is in the answers.
    """
    orders: list[Order] = list(parcels.unpack(packed))
    results = run_all([order.batch for order in orders])
    return tuple(_answer(order, result) for order, result in zip(orders, results, strict=True))


def _answer(order: Order, result: BatchResult) -> Answer:
    found = [(n, outcome) for n, outcome in enumerate(result.outcomes) if outcome is not None]
    return Answer(
        len(found),
        parcels.pack(_judged(order, n, outcome) for n, outcome in found),
        result.rate,
        result.calls,
        result.throttles,
        result.stopped,
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
    return Judged(entity, filed(report), told)
