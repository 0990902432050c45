"""What a digest's card, thread and file are drawn from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from advisor.core.digest import Digest
from advisor.core.estate import Posting, Schedule
from advisor.core.model import Account
from handlers.blocks.digest_said import Stand, scope
from handlers.blocks.ticket_view import TicketView


@dataclass(frozen=True, slots=True)
class DigestView:
    """Everything that a digest's surfaces are drawn from."""

    posting: Posting
    schedule: Schedule
    now: datetime
    digest: Digest | None = None
    accounts: tuple[Account, ...] = ()  # in scope, before it is collected
    window_days: int = 90
    done: int = 0  # entities read of `total`, while it collects
    total: int = 0
    read_at: datetime | None = None  # the last full reading, where it failed
    tickets: Mapping[int, TicketView] = field(
        default_factory=dict
    )  # still as they were told, and to be approved here
    links: Mapping[int, str] = field(default_factory=dict)  # to the cards of tickets
    stands: Mapping[int, Stand] = field(default_factory=dict)  # how its tickets stand now

    @property
    def standing(self) -> bool:
        """Whether there will be a next one."""
        return self.schedule.ended_at is None

    @property
    def named(self) -> str:
        """prod and dev, only tag team=payments, high risk and up"""
        told = self.digest.accounts if self.digest else tuple((a.id, a.alias) for a in self.accounts)
        return scope([Account(i, alias) for i, alias in told], self.schedule)

    @property
    def covered(self) -> str:
        """prod and dev, only tag team=payments: what its sums and its picture are about, whatever the risk."""
        return replace(self, schedule=replace(self.schedule, severity="")).named
