"""Small estates for the tests of plans: what an entity has, what it used, and the plan that comes of ticks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from advisor.core.model import (
    ActionRow,
    Entity,
    Grant,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Report,
    ServiceRow,
    Snapshot,
    Summary,
)
from advisor.core.offer import offer
from advisor.core.plan import Nothing, make
from advisor.core.policy import services_granted
from advisor.core.removal import Keep, Managed, Offer, Plan, Standing, Version
from advisor.core.report import Rules, summarise
from advisor.edges.catalogue import IamCatalogue
from tests.worlds import NOW, ago, entity

TICKET = 12


@lru_cache(maxsize=1)
def catalogue() -> IamCatalogue:
    return IamCatalogue()


@dataclass(frozen=True)
class Estate:
    """One entity with everything that a plan is made from."""

    report: Report
    snapshot: Snapshot
    summary: Summary
    offer: Offer
    standing: Standing

    def keys(self, *services: str) -> set[str]:
        """The keys of the candidates that are ticked, and of those that take one of these."""
        return {
            c.key
            for c in self.offer.candidates
            if c.ticked or set(services) & {*c.services, *c.actions, c.policy}
        }

    def plan(self, *also: str, keys: Sequence[str] | None = None) -> Plan:
        made = self.made(*also, keys=keys)
        assert isinstance(made, Plan), made
        return made

    def made(self, *also: str, keys: Sequence[str] | None = None) -> Plan | Nothing:
        chosen = self.keys(*also) if keys is None else set(keys)
        return make(self.offer, chosen, self.standing, self.report, catalogue(), TICKET)


def estate(
    *policies: Policy,
    used: dict[str, datetime] | None = None,
    of: Entity | None = None,
    actions: dict[str, dict[str, datetime | None]] | None = None,
    unlisted: Sequence[str] = (),
    keeps: Sequence[Keep] = (),
    rules: Rules | None = None,
    holders: dict[str, tuple[str, ...]] | None = None,
    versions: dict[str, tuple[Version, ...]] | None = None,
    boundary_of: dict[str, int] | None = None,
    change: Callable[[Standing], Standing] = lambda s: s,
) -> Estate:
    """An entity with these policies; services that are not in `used` were never attempted.

    `actions` makes it an action-level report: per service, each tracked action and its last attempt.
    """
    who = of or entity()
    granted = services_granted(policies, catalogue())
    grants = {
        s: tuple(
            Grant(p.name, p.kind, p.arn, p.group) for p in policies if s in services_granted([p], catalogue())
        )
        for s in granted
    }
    rows = tuple(
        ServiceRow(
            s,
            last_at=(used or {}).get(s),
            grants=None if who.kind is Kind.POLICY else grants[s],
            actions=tuple(ActionRow(n, at) for n, at in actions[s].items())
            if actions and s in actions
            else None,
            id=9100 + n,
        )
        for n, s in enumerate(s for s in granted if s not in unlisted)
    )
    report = Report(1, Granularity.ACTION if actions else Granularity.SERVICE, NOW, NOW, rows, id=7)
    own = who.kind is Kind.POLICY
    held = (holders or {}).get(policies[0].arn, ("role/DBAdminRole",)) if own else ()
    shot = Snapshot(who, NOW, tuple(policies), holders=held)
    summary = summarise(report, shot, rules or Rules(), catalogue(), keeps)
    offered = offer(report, shot, summary, catalogue())
    standing = _standing(who, policies, holders or {}, versions or {}, boundary_of or {})
    return Estate(report, shot, summary, offered, change(standing))


def _standing(
    who: Entity,
    policies: Sequence[Policy],
    holders: dict[str, tuple[str, ...]],
    versions: dict[str, tuple[Version, ...]],
    boundary_of: dict[str, int],
) -> Standing:
    direct = [p for p in policies if not p.group]
    managed = tuple(
        Managed(
            p.arn,
            p.name,
            versions.get(p.arn, (Version(p.version or "v1", p.text, default=True),)),
            holders=() if p.kind is PolicyKind.AWS else holders.get(p.arn, (f"{who.kind}/{who.name}",)),
            boundary_of=boundary_of.get(p.arn, 0),
        )
        for p in direct
        if p.arn
    )
    if who.kind is Kind.POLICY:
        return Standing(who, managed=managed)
    return Standing(
        who,
        inline=tuple(sorted((p.name, p.text) for p in direct if not p.arn)),
        attached=tuple(sorted(p.arn for p in direct if p.arn)),
        groups=tuple(sorted({p.group for p in policies if p.group})),
        managed=managed,
        elsewhere=tuple((f"{p.group}/{p.name}", p.text) for p in policies if p.group),
    )


def keep(service: str, days: int = 30) -> Keep:
    return Keep(5, 1, service, "U0DAVE00001", ago(days=-days), "yearly key rotation", NOW)


def shared(policy: Policy, others: int) -> Policy:
    return replace(policy, attachments=others + 1)
