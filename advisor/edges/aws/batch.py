"""One batch of a sweep: reports of many entities of one account, by a plain function that any process can run.

Every job is begun before the first is read, and all are read within one set of credentials, since only the session
that made a job may read it. A batch holds no credentials: whoever runs it assumes the role by its own identity.
Two calls an entity; what AWS refuses for its rate is asked again, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from advisor.core.errors import AwsError, Expired, Missing, Refused, Throttled, Unreachable
from advisor.core.model import Entity, Failure, Grant, Granularity, Kind, Policy, ServiceRow
from advisor.core.policy import allowed_services, grants
from advisor.edges.aws import Raw
from advisor.edges.aws.lean import GET, Iam, Page
from advisor.edges.aws.pacer import Pacer, pacer
from advisor.edges.aws.sessions import Access, Identity, Keys, Place, Sessions
from advisor.edges.catalogue import of_process

log = logging.getLogger(__name__)
T = TypeVar("T")

RESTARTS = 3
"""Times a report is begun again because the session cannot read it."""

TRIES = 3
"""Tries of one call that AWS does not answer."""

SILENT = 20
"""Calls in a row that fail by AWS's silence or refusal, after which the rest of the batch is not tried."""

MARGIN = 60.0
"""Seconds before the end of the credentials at which nothing more is asked."""

SOON, LATEST = 0.5, 10.0
"""Seconds between the polls of one job: doubling from the first to the second."""

EXPECTED = 0.6
"""Seconds after which a first report is looked for: small ones take 0.4 to 2 s. The others wait for what it tells."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one process does at a time.

    `policies` are those of each entity, in the same order, and say what grants each service; empty: not asked.
    `rate` is in calls a second and operation, as the last batch of the account reached it (0: unknown, begin low).
    `ends_in` and `job_seconds` are the seconds that the batch, and one report, may take; after `begins_for` seconds no
    report is begun any more, and what was begun is read to its end. `looks_after` are the seconds after which a first
    report is looked for, `looks_every` those between the first looks.
    """

    access: Access
    entities: tuple[Entity, ...]
    granularity: Granularity = Granularity.SERVICE
    policies: tuple[tuple[Policy, ...], ...] = ()
    rate: float = 0.0
    ends_in: float = 2400.0
    job_seconds: float = 900.0
    begins_for: float = 2400.0
    looks_after: float = EXPECTED
    looks_every: float = SOON


Outcome = Raw | Failure | None
"""An entity's report; why there is none (code `gone`: it was deleted); or None: to be queued again."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came of a batch. `outcomes` are in the order of its entities.

    `stopped` says why entities were left over, if not for time. `rate` is calls a second and operation for the next.
    """

    outcomes: tuple[Outcome, ...]
    calls: int = 0
    throttles: int = 0
    rate: float = 0.0
    stopped: Failure | None = None


def run(batch: Batch) -> BatchResult:
    """Audit a batch of entities. Raises no AwsError: whatever AWS does is in the result."""
    return run_all([batch])[0]


def run_all(batches: Sequence[Batch]) -> list[BatchResult]:
    """Audit batches of several accounts side by side: each waits mostly for AWS, and none for another."""
    with ThreadPoolExecutor(_DOORS) as hands:
        entered = list(hands.map(_enter, (b.access for b in batches)))
    found: dict[int, BatchResult] = {}
    # Not as what the coroutine returns: asyncio.run would make its whole text once more for a signal's name.
    asyncio.run(_run_all(batches, entered, found))
    return [found[n] for n in range(len(batches))]


_DOORS = 8
"""Accounts that are entered at the same time: each makes a client, which takes a tenth of a second."""

_Entered = tuple[Keys, Place] | Failure


def _enter(access: Access) -> _Entered:
    try:
        sessions = sessions_of(access)
        keys = sessions.keys(access.account)
        return keys, sessions.place(keys)
    except AwsError as error:
        return error.failure()
    except Exception:  # of botocore, or ours: the other accounts go on
        log.exception("batch.entering account=%s", access.account)
        return Failure("unexpected", account=access.account)


def sessions_of(access: Access) -> Sessions:
    """The sessions of this process: made anew each time, so that none outlives the credentials behind it."""
    me = Identity(access.own, "", access.partition)
    return Sessions(
        boot="sweep",
        named=(),
        organization=False,
        read_role=access.read_role,
        clock=lambda: datetime.now(UTC),
        patience=access.patience,
        identity=me,
    )


async def _run_all(
    batches: Sequence[Batch], entered: Sequence[_Entered], found: dict[int, BatchResult]
) -> None:
    async def one(place: int) -> None:
        batch, door = batches[place], entered[place]
        if isinstance(door, Failure):
            found[place] = BatchResult((None,) * len(batch.entities), stopped=door, rate=batch.rate)
        else:
            try:
                found[place] = await _run(batch, *door)
            except Exception:  # a fault of ours in one account must not cost the others theirs
                log.exception("batch.failed account=%s", batch.access.account)
                fault = Failure("unexpected", account=batch.access.account)
                found[place] = BatchResult((None,) * len(batch.entities), stopped=fault, rate=batch.rate)

    await asyncio.gather(*(one(place) for place in range(len(batches))))


async def _run(batch: Batch, keys: Keys, place: Place) -> BatchResult:
    ends_in = batch.ends_in
    if keys.ends_at is not None:
        ends_in = min(ends_in, (keys.ends_at - datetime.now(UTC)).total_seconds() - MARGIN)
    async with Iam(batch.access.account, keys, place, batch.access.patience) as iam:
        return await _Collector(batch, iam).all(ends_in)


@dataclass(slots=True)
class _Expected:
    """Seconds that a report takes: what they really took, and until one is done, longer than any that is not yet.

    Until then one report at a time is looked at, so that all the others are looked for once.
    """

    seconds: float
    told: bool = False
    scout: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def come(self, begun: float, every: float) -> None:
        """Wait until a report that was begun at that time may be done."""
        while (left := begun + self.seconds - time.monotonic()) > 0:  # noqa: ASYNC110  # it may change meanwhile
            await asyncio.sleep(left if self.told else min(left, every))

    def not_yet(self, age: float, pause: float) -> None:
        """A report of this age is not done."""
        if not self.told:
            self.seconds = max(self.seconds, age + pause)

    def done(self, took: float) -> None:
        """A report took so long, by AWS's own times."""
        took = min(max(took, 0.0), LATEST) + 0.1  # a moment more
        self.seconds = self.seconds + (took - self.seconds) / 5 if self.told else took  # a mean that follows
        self.told = True


class _Collector:
    """Begins and reads every report of a batch, in one event loop."""

    def __init__(self, batch: Batch, iam: Iam) -> None:
        self._batch = batch
        self._iam = iam
        self._generates = pacer(batch.access.account, batch.rate)
        self._gets = pacer(batch.access.account, batch.rate)
        self._tasks: list[asyncio.Task[Outcome]] = []
        self._calls = 0
        self._answered = False  # AWS took a call of this batch
        self._silent = 0  # calls in a row that it did not
        self._stopped: Failure | None = None
        self._last: Failure | None = None  # why AWS gave no answer last
        self._expected = _Expected(batch.looks_after)
        self._begun: set[asyncio.Task[Outcome] | None] = set()

    async def all(self, ends_in: float) -> BatchResult:
        """Every outcome; what is not there in so many seconds is left over."""
        self._tasks = [asyncio.create_task(self._outcome(entity)) for entity in self._batch.entities]
        loop = asyncio.get_running_loop()
        clocks = (
            loop.call_later(max(0.0, ends_in), self._end),
            loop.call_later(self._batch.begins_for, self._begin_no_more),
        )
        await asyncio.wait(self._tasks)
        for clock in clocks:
            clock.cancel()
        outcomes = [None if t.cancelled() else t.result() for t in self._tasks]
        if self._stopped and not self._answered and self._stopped.code != Expired.code:
            # Nobody ever answered: there is nothing to hope for from the rest either.
            outcomes = [o or self._stopped for o in outcomes]
        return BatchResult(
            self._with_grants(outcomes),
            calls=self._calls,
            throttles=self._generates.refused + self._gets.refused,
            rate=min(self._generates.bucket.rate, self._gets.bucket.rate),
            stopped=self._stopped or (None if self._answered else self._last),
        )

    def _end(self, why: Failure | None = None) -> None:
        """Leave over whatever is not done."""
        self._stopped = self._stopped or why
        for task in self._tasks:
            task.cancel()

    def _begin_no_more(self) -> None:
        """Leave over whatever has not begun; what has is read."""
        for task in self._tasks:
            if task not in self._begun:
                task.cancel()

    async def _outcome(self, entity: Entity) -> Outcome:
        try:
            for _ in range(1 + RESTARTS):
                try:
                    job = await self._begin(entity)
                except Missing as error:
                    return replace(error.failure(), code="gone")
                try:
                    return await self._read(job)
                except (
                    Missing
                ):  # the session cannot read it: whether the entity is there is told by beginning again
                    continue
            return self._failure("lost", 1 + RESTARTS)
        except TimeoutError:
            return self._failure("stuck", 0)
        except AwsError as error:
            return error.failure(TRIES if isinstance(error, Unreachable) else 1)

    async def _begin(self, entity: Entity) -> str:
        job = await self._ask(
            self._generates, lambda: self._iam.generate(entity.arn, self._batch.granularity.value)
        )
        self._begun.add(asyncio.current_task())
        return job

    async def _read(self, job: str) -> Raw:
        """A whole report, polled late and then more and more seldom. Raises TimeoutError where it never ends."""
        begun, pause = time.monotonic(), self._batch.looks_every
        await self._expected.come(begun, pause)
        self._gets.bucket.begin_like(self._generates.bucket)
        while (first := await self._look(job, begun, pause)) is None:
            if time.monotonic() - begun > self._batch.job_seconds:
                raise TimeoutError
            await asyncio.sleep(pause)
            pause = min(2 * pause, LATEST)
        services, following = list(first.services), first.marker
        while following:
            asked = following
            page = await self._ask(self._gets, lambda asked=asked: self._iam.page(job, asked))  # type: ignore[misc]
            if page is None or page.marker == asked:
                raise Unreachable(GET, "a page without a way to the next", account=self._batch.access.account)
            services += page.services
            following = page.marker
        return Raw(first.created_at, first.completed_at, tuple(services))

    async def _look(self, job: str, begun: float, pause: float) -> Page | None:
        """A first page, or None. While nobody knows how long reports take, one looks after the other."""
        async with self._expected.scout:
            if not self._expected.told:
                await self._expected.come(begun, pause)
                return await self._first(job, begun, pause)
        await self._expected.come(begun, pause)
        return await self._first(job, begun, pause)

    async def _first(self, job: str, begun: float, pause: float) -> Page | None:
        found = await self._ask(self._gets, lambda: self._iam.page(job, ""))
        if found is None:
            self._expected.not_yet(time.monotonic() - begun, pause / 2)
        else:
            self._expected.done((found.completed_at - found.created_at).total_seconds())
        return found

    async def _ask(self, pace: Pacer, ask: Callable[[], Awaitable[T]]) -> T:
        """Make one call in its turn, again where AWS limits the rate or does not answer."""
        tries = 0
        while True:
            await pace.turn()
            sent_at = time.monotonic()
            self._calls += 1
            try:
                answer = await ask()
            except Throttled:
                self._answered = True
                pace.throttled(sent_at)
            except Expired as error:
                self._end(error.failure())
                await asyncio.sleep(0)  # ends this task too
            except Unreachable as error:
                tries += 1
                self._note_silence(error)
                if tries == TRIES:
                    raise
                await asyncio.sleep(self._batch.looks_every * 2**tries)
            except Refused as error:
                self._note_silence(error)
                raise
            except AwsError:  # an answer, if not the one that was hoped for
                self._note_answer(pace)
                raise
            else:
                self._note_answer(pace)
                return answer

    def _note_answer(self, pace: Pacer) -> None:
        self._answered = True
        self._silent = 0
        pace.answered()

    def _note_silence(self, error: AwsError) -> None:
        self._silent += 1
        self._last = error.failure(self._silent)
        if self._silent >= SILENT:
            self._end(error.failure(self._silent))

    def _failure(self, code: str, tries: int) -> Failure:
        return Failure(code, call=GET, account=self._batch.access.account, tries=tries)

    def _with_grants(self, outcomes: list[Outcome]) -> tuple[Outcome, ...]:
        if not self._batch.policies:
            return tuple(outcomes)
        catalogue = of_process()
        known: dict[str, frozenset[str]] = {}

        def allowed_by(text: str) -> frozenset[str]:
            if text not in known:
                known[text] = allowed_services(text, catalogue)
            return known[text]

        return tuple(
            _granted(o, policies, allowed_by) if isinstance(o, Raw) and e.kind is not Kind.POLICY else o
            for o, e, policies in zip(outcomes, self._batch.entities, self._batch.policies, strict=True)
        )


def _granted(raw: Raw, policies: tuple[Policy, ...], allowed_by: Callable[[str], frozenset[str]]) -> Raw:
    """A report with what grants each service, from the documents instead of one more call."""
    found = grants(policies, (s.namespace for s in raw.services), allowed_by)
    return replace(raw, services=tuple(_with(s, found[s.namespace]) for s in raw.services))


def _with(row: ServiceRow, found: tuple[Grant, ...]) -> ServiceRow:
    """`dataclasses.replace` takes three times as long, and there are forty rows an entity."""
    return ServiceRow(
        row.namespace, row.name, row.last_at, row.last_by, row.region, row.entities, row.actions, found
    )
