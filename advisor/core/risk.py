"""What unused permissions could do, as a number: what goes first, and what a list of removals is worth. Pure.

The scale (docs/risk.md): what the worst permission of a finding could do (`BASE`), times how broadly it is allowed
(`_breadth`). An access level weighs twice the next one, a privileged class four times; so the narrowest grant of a
class outweighs the broadest of the next: the order is by class, then by breadth, and sums say what share of the whole
something is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from advisor.core.estate import Score
from advisor.core.lists import Lists, View
from advisor.core.model import Finding, Policy, Report, Snapshot, Summary, Usage, Verdict
from advisor.core.policy import PASSING, Catalogue, Statement, statements
from advisor.core.privileged import PRIVILEGED, Reach

BASE = {
    Reach.ESCALATION: 1024,
    Reach.SECRETS: 256,
    Reach.ADMINISTRATION: 256,
    Reach.KEYS: 64,
    Reach.CODE: 64,
    Reach.EXPOSURE: 64,
    Reach.PERMISSIONS: 16,
    Reach.WRITE: 8,
    Reach.TAGGING: 4,
    Reach.READ: 2,
    Reach.LIST: 1,
}

_WIDE, _NARROW = 6, 4
"""Any resource and no condition; named resources and a condition. One of the two is 5."""

_LEVELS = (Reach.PERMISSIONS, Reach.TAGGING, Reach.WRITE, Reach.READ, Reach.LIST)
"""AWS counts tagging and permissions management as Write, too: the special one says more."""

_ANY = re.compile(
    r"\*|arn:\*|arn:(?:[^:]*:){4}\*(?:/\*)?|arn:[^:]*:(?!s3:|execute-api:)(?:[^:]*:){3}[\w-]+[/:]\*"
)
"""A Resource that leaves nothing out: all, or all of one kind (what stands before the slash in S3 is a bucket)."""

HIGH, MEDIUM = BASE[Reach.EXPOSURE] * _NARROW, BASE[Reach.WRITE] * _NARROW
"""From these weights on: anything of the privileged table; anything that writes."""

MOST = 80
"""Per cent of the risk that a card speaks of."""


def severity(weight: int) -> str:
    """The word for the weight of one finding: "high" (privileged), "medium" (writes), "low" (tags, reads, lists).

    Not for sums: many low ones are no high one. Of an entity, ask for its heaviest (`Score.heaviest`).
    """
    return "high" if weight >= HIGH else "medium" if weight >= MEDIUM else "low"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A finding with its weight, the worst it could do, and the privileged actions that its documents grant."""

    finding: Finding
    weight: int
    reach: Reach
    privileged: tuple[str, ...] = ()

    @property
    def could_go(self) -> bool:
        """Whether the finding is one that could be removed."""
        return self.finding.verdict is Verdict.REMOVE and self.finding.usage is not Usage.UNTRACKED


@dataclass(frozen=True, slots=True)
class Risk:
    """What a summary weighs, heaviest first.

    `privileged` counts the privileged actions granted in the services of the summary. `privileged_used` are those that
    were used: exactly so where `exact` (an action report); else those of services that were used, which is the most
    that it can be. Of `privileged_untold` the report cannot tell.
    """

    services: tuple[Weighed, ...]
    actions: tuple[Weighed, ...] = ()
    privileged: int = 0
    privileged_used: int = 0
    privileged_untold: int = 0
    exact: bool = False

    @property
    def candidates(self) -> tuple[Weighed, ...]:
        """The services that could go."""
        return tuple(w for w in self.services if w.could_go)

    @property
    def single(self) -> tuple[Weighed, ...]:
        """The single actions that could go, of an action report."""
        return tuple(w for w in self.actions if w.could_go)

    @property
    def total(self) -> int:
        """The weight of every service that could go."""
        return sum(w.weight for w in self.candidates)


def heaviest(candidates: Sequence[Weighed], percent: int = MOST) -> tuple[Weighed, ...]:
    """The fewest of these (heaviest first) that come to so many per cent of their whole weight."""
    total, sum_ = sum(w.weight for w in candidates), 0
    for n, each in enumerate(candidates, 1):
        sum_ += each.weight
        if sum_ * 100 >= total * percent:
            return tuple(candidates[:n])
    return ()


def weigh(summary: Summary, snapshot: Snapshot, catalogue: Catalogue) -> Risk:
    """Weigh every finding by what the entity's documents grant. Raises ValueError where one is no JSON object.

    A service that the report lists and no document shows weighs the least there is.
    """
    grants = _Grants(snapshot.policies, catalogue)
    services = tuple(sorted((grants.service(f) for f in summary.findings), key=_order))
    actions = tuple(sorted((grants.action(f) for f in summary.actions), key=_order))
    exact = bool(summary.actions)
    told = [(f, name) for f in summary.findings for name in grants.privileged(f.service)]
    uses = _of_actions(summary) if exact else {}
    found = [uses.get((f.service, name.casefold())) if exact else _of_service(f, name) for f, name in told]
    return Risk(
        services,
        actions,
        privileged=len(told),
        privileged_used=sum(u is Usage.USED for u in found),
        privileged_untold=sum(u in {None, Usage.UNTRACKED} for u in found),
        exact=exact,
    )


def _order(weighed: Weighed) -> tuple[int, int, str, str]:
    """Heaviest first, then what grants more privileged actions, then by name."""
    return (
        -weighed.weight,
        -len(weighed.privileged),
        weighed.finding.service,
        weighed.finding.action.casefold(),
    )


def _of_actions(summary: Summary) -> dict[tuple[str, str], Usage]:
    return {(f.service, f.action.casefold()): f.usage for f in summary.actions}


def _of_service(finding: Finding, name: str) -> Usage:
    """What a report of services says of an action; passing a role leaves no trace even there."""
    return Usage.UNTRACKED if name in PASSING.get(finding.service, ()) else finding.usage


def score(report: Report, summary: Summary, risk: Risk) -> Score:
    """What is stored of a report for lists and digests. Counts are services, whatever the report's granularity."""
    candidates = risk.candidates
    return Score(
        report_id=report.id,
        entity_id=report.entity_id,
        at=report.created_at,
        granted=summary.granted,
        used=len(summary.of(Usage.USED)),
        stale=len(summary.of(Usage.STALE)),
        untracked=len(summary.of(Usage.UNTRACKED)),
        could_go=len(candidates),
        risk=risk.total,
        heaviest=max((w.weight for w in candidates), default=0),
        privileged=risk.privileged,
        privileged_used=risk.privileged_used,
        young=summary.young_until is not None,
        protected=bool(summary.protected),
        best=tuple(w.finding.service for w in candidates[:_BEST]),
    )


_BEST = 5
"""So many services are named in a score."""


def _breadth(statement: Statement) -> int:
    wide = not statement.resources or any(_ANY.fullmatch(r) for r in statement.resources)
    return _WIDE - (not wide) - statement.conditional


class _Grants:
    """What the documents of one snapshot allow, service by service. A Deny counts where it is of any resource."""

    def __init__(self, policies: Iterable[Policy], catalogue: Catalogue) -> None:
        read = [s for p in policies for s in statements(p.text)]
        allows = [(_breadth(s), Lists(s)) for s in read if s.allow]
        self._allows = sorted(allows, key=lambda each: -each[0])
        self._denies = [Lists(s) for s in read if not s.allow and s.blanket]
        self._catalogue = catalogue
        self._views: dict[str, tuple[list[tuple[int, View]], list[View]]] = {}
        self._privileged: dict[str, tuple[str, ...]] = {}

    def service(self, finding: Finding) -> Weighed:
        """The worst that the documents allow in a service."""
        names = self.privileged(finding.service)
        if names:
            table = PRIVILEGED[finding.service]
            found = max(
                ((BASE[table[n]] * self._of(finding.service, n), table[n]) for n in names),
                key=lambda each: each[0],
            )
        else:
            found = max(self._levels(finding.service), key=lambda each: each[0])
        return Weighed(finding, *found, names)

    def action(self, finding: Finding) -> Weighed:
        """What one action could do, as broadly as it is allowed."""
        service, name = finding.service, finding.action
        reach = PRIVILEGED.get(service, {}).get(name)
        names = (name,) if reach else ()
        reach = reach or _level(self._catalogue.actions(service).get(name, frozenset()))
        return Weighed(finding, BASE[reach] * max(_NARROW, self._of(service, name)), reach, names)

    def privileged(self, service: str) -> tuple[str, ...]:
        """The privileged actions of a service that the documents allow."""
        if service not in self._privileged:
            self._privileged[service] = tuple(n for n in PRIVILEGED.get(service, ()) if self._of(service, n))
        return self._privileged[service]

    def _views_of(self, service: str) -> tuple[list[tuple[int, View]], list[View]]:
        if service not in self._views:
            allows = [(breadth, v) for breadth, each in self._allows if (v := each.view(service))]
            denies = [v for each in self._denies if (v := each.view(service))]
            self._views[service] = allows, denies
        return self._views[service]

    def _of(self, service: str, name: str) -> int:
        """How broadly an action is allowed: 0 where it is not, or where a Deny takes it away on any resource."""
        allows, denies = self._views_of(service)
        action = f"{service}:{name}".lower()
        breadth = next((b for b, v in allows if v.covers(action)), 0)
        return 0 if breadth and any(d.covers(action) for d in denies) else breadth

    def _levels(self, service: str) -> Iterator[tuple[int, Reach]]:
        """What may be heaviest in a service without privileged actions, by AWS's access levels."""
        best = BASE[Reach.LIST] * _NARROW
        yield best, Reach.LIST
        known = self._catalogue.actions(service)
        for name, levels in known.items():
            base, reach = _BY_LEVELS.get(levels) or (BASE[_level(levels)], _level(levels))
            if base * _WIDE > best and (breadth := self._of(service, name)):
                best = max(best, base * breadth)
                yield base * breadth, reach
        # Nobody can say what an action does that the catalogue does not know: it counts as one that writes.
        writes, allows = BASE[Reach.WRITE], self._views_of(service)[0]
        if allows and not known:
            yield writes * allows[0][0], Reach.WRITE
        elif best < writes * _WIDE:
            written = {e.partition(":")[2] for _, v in allows if not v.inverted for e in v.exact}
            strange = written - {n.lower() for n in known} if written else ()
            yield from ((writes * b, Reach.WRITE) for n in strange if (b := self._of(service, n)))


def _level(levels: frozenset[str]) -> Reach:
    """The access level that says most; Write where AWS's list does not have the action."""
    return next((reach for reach in _LEVELS if reach in levels), Reach.WRITE)


_BY_LEVELS = {
    levels: (BASE[_level(levels)], _level(levels))
    for reach in _LEVELS
    for levels in (frozenset({reach.value}), frozenset({reach.value, Reach.WRITE.value}))
}
"""The levels that AWS gives, worked out: a service has hundreds of actions."""
