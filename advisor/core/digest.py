"""What a digest says, as frozen values: what changed, what waits, what to clean up next, what cannot be told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from advisor.core.estate import Cadence, Rhythm
from advisor.core.model import Entity, Granularity, Kind, Report, ServiceRow
from advisor.core.numbers import Loose, Numbers
from advisor.core.removal import Plan
from advisor.core.report import difference
from advisor.core.risk import HIGH, MEDIUM

SPAN = {Cadence.DAILY: timedelta(days=1), Cadence.WEEKLY: timedelta(days=7), Cadence.MONTHLY: timedelta(days=31)}  # fmt: skip
"""How far back the first digest of a rhythm looks."""

SOON = timedelta(days=14)
"""A keep that ends within this is told of."""

SHOWN = 5
"""Clean-ups that a digest proposes."""

WHOLE = 10
"""Services and actions that a digest can show whole, so that the plan can be approved there."""

LEAST = {"": 0, "medium": MEDIUM, "high": HIGH}
"""The weight that an entity's heaviest finding has at least where it is shown, by its schedule's minimum severity."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks of a schedule: everything of it that a form can change. `accounts` are ids; empty: all."""

    channel: str
    rhythm: Rhythm
    accounts: tuple[str, ...] = ()
    tag: str = ""
    severity: str = ""
    mention: tuple[str, ...] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks of a digest, a scheduled sweep, a keep or the log, committed before it was acknowledged; a worker decides it.

    `verb` is make, edit, off, now, keep or tickets, sweep.schedule or sweep.off, keep.end, or log.export; `row_id` the schedule, the
    entity, the posting or the keep that it is about.
    """

    id: int
    verb: str
    user: str
    channel: str
    row_id: int
    words: Mapping[str, object]
    created_at: datetime
    tries: int = 0
    state: str = "queued"
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity as a digest names it."""

    id: int
    name: str
    kind: Kind
    account: str
    alias: str = ""
    arn: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of some services of one entity. `days`: how long the first had not been used; 0: never before."""

    thing: Thing
    services: tuple[str, ...]
    risk: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A ticket that was carried out, taken back, or ran out of time; `count` services."""

    ticket_id: int
    thing: Thing
    count: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket that waits for a person. With a fingerprint it is shown whole, and can be approved here."""

    ticket_id: int
    thing: Thing
    count: int
    approvals: int
    expires_at: datetime
    stuck: bool = False  # it needs a person
    advice: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """A keep that ends soon."""

    keep_id: int
    thing: Thing
    service: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Next:
    """A clean-up that is worth while."""

    thing: Thing
    report_id: int
    could_go: int
    granted: int
    used: int
    risk: int = 0
    best: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """An account that was not read lately: since when, and the code of the reason."""

    account: str
    alias: str
    since: datetime | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over every entity in scope."""

    entities: int = 0
    could_go: int = 0
    granted: int = 0
    used: int = 0
    young: int = 0
    untracked: int = 0
    with_some: int = 0  # entities of which something could go
    risk: int = 0  # the weight of all that could go


@dataclass(frozen=True, slots=True)
class Digest:
    """One digest, frozen when it was collected."""

    since: datetime
    until: datetime
    accounts: tuple[tuple[str, str], ...]  # id, alias
    totals: Totals
    before: int | None = None  # services that could go at `since`; None: nothing was known then
    removed: tuple[Ended, ...] = ()
    back: tuple[Ended, ...] = ()
    expired: tuple[Ended, ...] = ()
    grew: tuple[Change, ...] = ()
    unused: tuple[Change, ...] = ()
    again: tuple[Change, ...] = ()
    born: int = 0  # entities made since
    waiting: tuple[Waiting, ...] = ()
    ending: tuple[Ending, ...] = ()
    next: tuple[Next, ...] = ()
    more: int = 0  # clean-ups beyond those
    unread: tuple[Unread, ...] = ()
    failed: int = 0  # entities that could not be read
    maker: str = ""  # why its maker may not audit any more, as a word
    numbers: Numbers = field(default_factory=Numbers)  # since the last one
    loose: tuple[Loose, ...] = ()  # holds that no ticket holds
    log_rows: int = 0
    log_hash: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        moved = self.removed or self.back or self.expired or self.grew or self.unused or self.again
        return bool(moved or self.born or self.before != self.totals.could_go)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to say: nothing changed, nothing waits, everything was read."""
        asks = self.waiting or self.ending or self.unread or self.failed or self.maker or self.loose
        return not self.changed and not asks


@dataclass(frozen=True, slots=True)
class Read:
    """A stored report as far as a digest compares it: (service, last attempt), and when it was made."""

    at: datetime
    rows: tuple[tuple[str, datetime | None], ...]


def compare(
    thing: Thing, before: Read, after: Read, window_days: int, risk: int = 0
) -> tuple[Change | None, Change | None, Change | None]:
    """What came, what is used again, and what is not used any more from one report of an entity to the next."""
    # What is the same in both says nothing, unless its last attempt has left the window meanwhile.
    same = {r for r in set(before.rows) & set(after.rows) if not _left(r[1], before, after, window_days)}
    if len(same) == len(before.rows) == len(after.rows):
        return None, None, None
    found = difference(_report(before, same), _report(after, same), window_days)
    last = dict(before.rows)

    def days(service: str) -> int:
        at = last.get(service)
        return max(0, (after.at - at).days) if at else 0

    def change(services: Iterable[str]) -> Change | None:
        named = tuple(services)
        return Change(thing, named, risk, days(named[0])) if named else None

    again = sorted(found.newly_used, key=days, reverse=True)
    return (
        change(found.newly_granted),
        change(again),
        change(sorted({*found.now_stale, *found.no_longer_seen})),
    )


def _left(at: datetime | None, before: Read, after: Read, window_days: int) -> bool:
    """Whether an attempt was within the window of one report, and is not within that of the next."""
    window = timedelta(days=window_days)
    return at is not None and before.at - at <= window < after.at - at


def _report(read: Read, without: set[tuple[str, datetime | None]]) -> Report:
    rows = tuple(ServiceRow(r[0], last_at=r[1]) for r in read.rows if r not in without)
    return Report(0, Granularity.SERVICE, read.at, read.at, rows)


def shown_whole(plan: Plan, entity: Entity) -> bool:
    """Whether a digest can show a whole plan: one document, at most WHOLE services, nobody else reached."""
    if plan.quarantine or len(plan.edits) != 1 or entity.kind not in {Kind.ROLE, Kind.USER}:
        return False
    edit = plan.edits[0]
    others = set(edit.holders) - {f"{entity.kind}/{entity.name}"}
    return not others and 1 <= len(plan.services) + len(plan.actions) <= WHOLE
