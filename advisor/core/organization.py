"""What AWS says of the services that service control policies allow: which of them which account tried last. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from advisor.core.model import Usage


class Place(StrEnum):
    """What a path in an organisation ends in."""

    ROOT = "root"
    OU = "ou"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Organization:
    """The organisation that the bot's own account is in (DescribeOrganization)."""

    id: str
    management: str  # the number of its management account


@dataclass(frozen=True, slots=True)
class AllowedService:
    """A service that SCPs allow, and who tried it last (AccessDetail, IAM API Reference).

    `accounts` counts accounts (TotalAuthenticatedEntities), within the tracking period; `account` tried it last.
    """

    namespace: str
    name: str = ""
    last_at: datetime | None = None
    account: str = ""
    region: str = ""
    accounts: int = 0


@dataclass(frozen=True, slots=True)
class AccessReport:
    """A COMPLETED Organizations access report as IAM gave it."""

    created_at: datetime  # JobCreationDate: the data is as of then
    services: tuple[AllowedService, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """The answer to `org`: a report on one place of an organisation, read with a window of days."""

    path: str  # o-…/r-…/ou-…/111111111111
    management: str
    days: int
    report: AccessReport

    @property
    def target(self) -> str:
        """The root, organisational unit or account that was asked about."""
        return self.path.rpartition("/")[2]

    @property
    def place(self) -> Place:
        """What that is."""
        if self.target.startswith("r-"):
            return Place.ROOT
        return Place.OU if self.target.startswith("ou-") else Place.ACCOUNT

    @property
    def of_management(self) -> bool:
        """Whether it is the management account, which no SCP limits."""
        return self.target == self.management

    def usage(self, service: AllowedService) -> Usage:
        """USED, STALE or NEVER, by the report's own time."""
        if service.last_at is None:
            return Usage.NEVER
        young = self.report.created_at - service.last_at <= timedelta(days=self.days)
        return Usage.USED if young else Usage.STALE

    def of(self, usage: Usage) -> tuple[AllowedService, ...]:
        """The services with this usage: the latest attempt first, then by name."""
        found = [s for s in self.report.services if self.usage(s) is usage]
        return tuple(sorted(found, key=lambda s: (-(s.last_at.timestamp() if s.last_at else 0), s.namespace)))


def dump(answer: Allowed) -> str:
    """An answer as JSON."""
    return json.dumps(asdict(answer), default=datetime.isoformat, ensure_ascii=False)


def load(text: str) -> Allowed:
    """What `dump` wrote."""
    found = json.loads(text)
    report = found["report"]
    services = tuple(
        AllowedService(**{**s, "last_at": datetime.fromisoformat(s["last_at"]) if s["last_at"] else None})
        for s in report["services"]
    )
    made = AccessReport(datetime.fromisoformat(report["created_at"]), services)
    return Allowed(found["path"], found["management"], found["days"], made)
