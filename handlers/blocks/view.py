"""What a card of one request is drawn from, and the parts that all its states share. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from advisor.core.model import (
    Account,
    Entity,
    Report,
    Request,
    Snapshot,
    Summary,
)
from advisor.core.risk import Risk
from handlers.blocks import kit, words


@dataclass(frozen=True, slots=True)
class AuditView:
    """Everything that a card of one request is drawn from."""

    request: Request
    account: Account
    now: datetime
    entity: Entity | None = None
    report: Report | None = None
    snapshot: Snapshot | None = None
    summary: Summary = field(default_factory=lambda: Summary(()))
    risk: Risk = field(default_factory=lambda: Risk(()))
    owner_id: str = ""  # a checked Slack id
    owner_tag: str = ""  # as written
    owner_key: str = "owner"
    ahead: int = 0
    last_good_at: datetime | None = None
    gives_up_at: datetime | None = None
    waiting_for_rate: bool = False

    @property
    def name(self) -> str:
        """What is audited, clipped."""
        name = self.entity.name if self.entity else self.request.asked.name.rpartition("/")[2]
        return kit.clip(name, kit.NAME)

    @property
    def where(self) -> str:
        """in prod"""
        return f"in {words.account_word(self.account)}" if self.account.id else ""

    @property
    def days(self) -> int:
        """The window."""
        return self.request.asked.days


def whose(view: AuditView) -> list[Any]:
    """What is audited, and for whom."""
    parts: list[Any] = []
    if view.entity:
        parts.append(kit.plain(f"{words.kind_of(view.entity)} in {words.account_name(view.account)}", 200))
    parts.append(kit.fixed(f"Asked by <@{view.request.user}>"))
    return parts


def refresh(view: AuditView) -> Any:
    """The button that asks AWS again."""
    return kit.button("Refresh", "audit.refresh", view.request.id)
