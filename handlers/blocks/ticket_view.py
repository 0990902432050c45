"""What a ticket's card, diff and thread are drawn from, and the parts that all of them share. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from advisor.core.model import Account, Entity
from advisor.core.proof import Proof
from advisor.core.removal import Approval, Entry, Plan, Ticket
from advisor.core.replay import Replay
from advisor.core.watch import Hit, Watch
from handlers.blocks import kit, words


@dataclass(frozen=True, slots=True)
class TicketView:
    """Everything that a surface of one ticket is drawn from."""

    ticket: Ticket
    plan: Plan
    entity: Entity
    account: Account
    now: datetime
    report_at: datetime  # the report that the plan rests on
    approvals: tuple[Approval, ...] = ()
    entries: tuple[Entry, ...] = ()  # of every run, in order
    needed: int = 1  # approvals
    approvers: tuple[str, ...] = ()  # as set: U… and S… ids
    owner_tag: str = ""  # as written
    owner_key: str = "owner"
    managed_by: str = (
        ""  # the tag that says that code manages this entity, e.g. aws:cloudformation:stack-name
    )
    watch: Watch | None = None  # for denied calls, since it was held or applied
    hits: tuple[Hit, ...] = ()  # what was denied because of it, the newest first
    replay: Replay | None = None  # what CloudTrail's event history says of the plan

    proof: Proof | None = None  # what AWS said of the plan; None where nobody was asked

    @property
    def name(self) -> str:
        """The entity's name, clipped."""
        return kit.clip(self.entity.name, kit.NAME)

    @property
    def where(self) -> str:
        """in prod"""
        return f"in {words.account_word(self.account)}"

    @property
    def count(self) -> int:
        """How many services go whole."""
        return len(self.plan.services)

    @property
    def run(self) -> tuple[Entry, ...]:
        """The journal's run that is under way, or the last one."""
        return tuple(e for e in self.entries if e.run == self.ticket.run)


def approver_parts(view: TicketView) -> list[Any]:
    """Who may approve, as mentions of checked ids."""
    if not view.approvers:
        return [kit.text("nobody is set as an approver")]
    parts: list[Any] = []
    for n, who in enumerate(view.approvers[:4]):
        if n:
            parts.append(kit.text(", "))
        parts.append(kit.group(who) if who.startswith("S") else kit.person(who))
    if len(view.approvers) > 4:  # a card stays within one screen
        parts.append(kit.text(f" and {len(view.approvers) - 4} more"))
    return parts


def takes(view: TicketView) -> str:
    """19 of 25 services; 61 actions of s3; 2 services and 61 actions."""
    plan = view.plan
    if plan.quarantine:
        return "everything"
    parts = []
    if plan.services:
        parts.append(f"{len(plan.services):,} of {words.some(plan.granted, 'service')}")
    if plan.actions:
        of = sorted({a.partition(":")[0] for a in plan.actions})
        parts.append(f"{words.some(len(plan.actions), 'action')} of {words.listed(of, 'services')}")
    return " and ".join(parts) or "nothing"
