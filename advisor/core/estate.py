"""The values of whole accounts: sweeps, schedules, digests, and what a stored report came to. Frozen; no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from advisor.core.model import Failure

ALL = "all"
"""The word that means every account."""


class SweepState(StrEnum):
    """States of a sweep (public)."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    PARTIAL = "partial"  # something could not be read, and is named
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self not in {SweepState.QUEUED, SweepState.RUNNING}


class Part(StrEnum):
    """States of one account within a sweep, and of one entity within it."""

    QUEUED = "queued"
    RUNNING = "running"  # an account that is listed and being read
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"  # an entity that was deleted meanwhile
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Sweep:
    """An audit of every entity of one or many accounts.

    `accounts` are the ids that it covers, empty until they are known; `asked` is the word: "" (own), "all", an alias
    or an id. `schedule_id` is the schedule that started it, 0 where a person did.
    """

    id: int
    user: str
    channel: str
    asked: str
    state: SweepState
    created_at: datetime
    accounts: tuple[str, ...] = ()
    schedule_id: int = 0
    silent: bool = False  # a digest reads before it speaks: no card of its own
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    card_id: int | None = None
    drawn_at: datetime | None = None
    revision: int = 0
    stop_by: str = ""  # who pressed Stop; whether they may is found out by a worker
    by: str = ""  # who stopped it
    tries: int = 0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class SweptAccount:
    """How far a sweep is with one account."""

    sweep_id: int
    account: str
    alias: str
    state: Part
    total: int = 0
    done: int = 0
    failed: int = 0
    gone: int = 0
    tries: int = 0
    box: float = 0.0  # seconds that its last batch had to begin reports; 0 at first, -1 after a restart
    rate: float = 0.0  # calls a second that the account took last; 0 before it was asked
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    next_at: datetime | None = None
    failure: Failure | None = None

    @property
    def left(self) -> int:
        """Entities that nothing is known of yet."""
        return self.total - self.done - self.failed - self.gone

    @property
    def is_unsure(self) -> bool:
        """Whether all were read, and then nobody could see whether they were still the same entities."""
        return self.state is Part.FAILED and bool(self.total) and not self.left and not self.failed


@dataclass(frozen=True, slots=True)
class Score:
    """What one report came to when it was stored, by the settings of then: what lists and digests are made of.

    Counts are services of the report. `risk` is the weight of what could go (`advisor.core.risk`), `heaviest` that of
    its heaviest service, `privileged` the privileged actions granted, `privileged_used` those of them that were used.
    `best` names the services that could go, heaviest first.
    """

    report_id: int
    entity_id: int
    at: datetime
    granted: int
    used: int
    stale: int
    untracked: int
    could_go: int
    risk: int = 0
    heaviest: int = 0
    privileged: int = 0
    privileged_used: int = 0
    young: bool = False
    protected: bool = False
    best: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the entities that a sweep has read."""

    entities: int = 0
    with_some: int = 0  # entities of which something could go
    could_go: int = 0
    granted: int = 0
    used: int = 0
    idle: int = 0  # roles and users, old enough and not protected, of which no service was used
    young: int = 0
    protected: int = 0
    whole: int = 0  # nothing could go, though nothing shields it


class Cadence(StrEnum):
    """How often something is due."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When something is due: `day` is mon…sun for weekly, 1…28 or last for monthly; `at` is HH:MM in `zone` (IANA)."""

    cadence: Cadence
    day: str = ""
    at: str = "09:00"
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A digest or a sweep that comes again and again. `what` is "digest" or "sweep"."""

    id: int
    what: str
    user: str
    channel: str
    rhythm: Rhythm
    due_at: datetime
    created_at: datetime
    accounts: tuple[
        str, ...
    ] = ()  # words as typed; empty: every account for a digest, the own one for a sweep
    tag: str = ""  # K=V: only entities with this tag
    severity: str = ""  # the least risk that is shown: "", "medium" or "high"
    mention: tuple[str, ...] = ()
    quiet: bool = False  # nothing to say: say nothing
    last_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str = ""


class PostingState(StrEnum):
    """States of a digest posting (public)."""

    DUE = "due"
    COLLECTING = "collecting"
    POSTED = "posted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Posting:
    """One digest: what was due once, since when it tells, and (from `collecting` on) its card."""

    id: int
    schedule_id: int
    due_at: datetime
    since_at: datetime
    state: PostingState
    created_at: datetime
    sweep_id: int | None = None
    card_id: int | None = None
    revision: int = 0
    tries: int = 0
    said: str = ""  # JSON of what it says, frozen when it was collected
    by: str = ""  # who asked for it out of turn
    failure: Failure | None = None


class QuestionKind(StrEnum):
    """What is asked about an organisation, an account or an entity's past; answered by a card of its own."""

    HISTORY = "history"
    ORG = "org"
    REGROUP = "regroup"
    WHY = "why"
    EXPORT = "export"  # a pressed button: the files of a question
    RETRY = "retry"  # a pressed button: a failed question once more


@dataclass(frozen=True, slots=True)
class Question:
    """One such asking, committed before it is acknowledged. `words` are its options as JSON, `result` what was found.

    While it runs, `result` holds what the next try has to know.
    """

    id: int
    kind: QuestionKind
    user: str
    channel: str
    words: str
    state: SweepState  # queued, running, done, partial, failed
    created_at: datetime
    next_at: datetime
    deadline_at: datetime
    card_id: int | None = None
    revision: int = 0
    tries: int = 0
    result: str = ""
    failure: Failure | None = None
