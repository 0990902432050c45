"""What App Home shows one person: the lines of its lists, and the whole. Frozen; no behaviour beyond reading them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from advisor.core.estate import Part, Schedule, SweepState
from advisor.core.model import Account, Asked, Entity, Failure, RequestState
from advisor.core.numbers import Numbers
from advisor.core.removal import Keep, TicketState

DAYS = 90
"""So far back go the numbers of what was removed and came back."""

SHOWN = 5
"""Lines of each list."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a card stands in Slack; empty while it is not posted."""

    channel: str = ""
    ts: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Services of a report: granted, used within the window, and those that could go."""

    granted: int
    used: int
    could_go: int


@dataclass(frozen=True, slots=True)
class TicketLine:
    """A ticket in a list, without its plan: how much goes, not what. `parked`: approved or held, and a person has to say how it goes on."""

    id: int
    state: TicketState
    entity: Entity
    changed_at: datetime
    expires_at: datetime
    services: int = 0
    actions: int = 0
    edits: int = 0
    granted: int = 0
    approvals: int = 0
    quarantine: bool = False
    advice: bool = False
    parked: bool = False
    given: bool = False  # a part of it was given back
    back: bool = False  # it is, or was last, on its way back
    card: Place = Place()


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An audit in a list. `counts` is None where there is no result, or none that is kept."""

    id: int
    state: RequestState
    asked: Asked
    at: datetime
    entity: Entity | None = None
    report_id: int | None = None
    counts: Counts | None = None
    failure: Failure | None = None
    card: Place = Place()


@dataclass(frozen=True, slots=True)
class OwnedLine:
    """An entity that names this person as its owner, and the unfinished ticket about it, if there is one."""

    entity: Entity
    counts: Counts | None = None
    ticket: TicketLine | None = None


@dataclass(frozen=True, slots=True)
class KeepLine:
    """A keep that stands."""

    keep: Keep
    entity: Entity


@dataclass(frozen=True, slots=True)
class SweepLine:
    """A sweep that is not finished."""

    id: int
    user: str
    channel: str
    asked: str
    state: SweepState
    created_at: datetime
    card: Place = Place()


@dataclass(frozen=True, slots=True)
class SweptLine:
    """An account: how its last sweep ended, and why it could not be listed, where it could not.

    `state` is None where it was never swept; `failed` are entities that could not be read, `total` all of them.
    """

    account: str
    state: Part | None = None
    at: datetime | None = None
    total: int = 0
    failed: int = 0
    failure: Failure | None = None
    unlisted: str = ""  # an error's code


@dataclass(frozen=True, slots=True)
class Few(Generic[T]):
    """The first of a list, and how many there are."""

    rows: tuple[T, ...] = ()
    total: int = 0

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.total - len(self.rows)


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a home is: who they are by the settings of now, and the owner tags that mean them."""

    user: str
    auditor: bool = False
    approver: bool = False
    admin: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HomeView:
    """Everything that a person's App Home is drawn from."""

    reader: Reader
    now: datetime
    needed: int = 1  # approvals
    self_approval: bool = False
    may_write: bool = True
    owner_key: str = "owner"
    known: tuple[Account, ...] = ()
    waiting: Few[TicketLine] = field(default_factory=Few)
    tickets: Few[TicketLine] = field(default_factory=Few)
    audits: tuple[AuditLine, ...] = ()
    owned: Few[OwnedLine] = field(default_factory=Few)
    schedules: Few[Schedule] = field(default_factory=Few)
    sweeps: Few[SweepLine] = field(default_factory=Few)
    keeps: Few[KeepLine] = field(default_factory=Few)
    accounts: Few[SweptLine] = field(default_factory=Few)
    numbers: Numbers = field(default_factory=Numbers)  # of the last DAYS, over all accounts

    def account(self, account_id: str) -> Account:
        """An account with its alias, where one is known."""
        return next((a for a in self.known if a.id == account_id), Account(account_id))

    @property
    def empty(self) -> bool:
        """Whether this person has nothing here yet."""
        lists = (self.waiting, self.tickets, self.owned, self.schedules, self.sweeps, self.keeps)
        return not self.audits and not any(few.total for few in lists)
