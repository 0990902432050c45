"""What unused permissions could do, as a number: what goes first, and what a list of removals is worth. Pure.

The scale (docs/risk.md): what the worst permission of a finding could do (`_BASE`), times how broadly it is allowed
(`_breadth`). An access level weighs twice the next one, a privileged class four times; so the narrowest grant of a
class outweighs the broadest of the next: the order is by class, then by breadth, and sums say what share of the whole
something is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from advisor.core.estate import Score
from advisor.core.model import Finding, Policy, Report, Snapshot, Summary, Usage, Verdict
from advisor.core.policy import PASSING, Catalogue, Statement, matches, statements
from advisor.core.privileged import PRIVILEGED, Reach

_BASE = {
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

_ANY = re.compile(r"\*|arn:\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:([\w-]+[/:])?\*(/\*)?")
"""A Resource that leaves nothing out: all, or all of one kind."""

HIGH, MEDIUM = _BASE[Reach.EXPOSURE] * _NARROW, _BASE[Reach.WRITE] * _NARROW
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


@dataclass(frozen=True, slots=True)
class _View:
    """A statement as far as one service is concerned. `whole`: its list names every action of the service."""

    breadth: int
    inverted: bool
    whole: bool
    exact: frozenset[str]  # "service:name", in lower case
    prefixes: tuple[str, ...]  # of patterns with a star at their end only: most of them
    globs: tuple[str, ...]

    def covers(self, action: str) -> bool:
        """Whether the statement speaks of `service:action`, in lower case."""
        named = (
            self.whole
            or action in self.exact
            or action.startswith(self.prefixes)
            or any(matches(g, action) for g in self.globs)
        )
        return named is not self.inverted


class _Lists:
    """The patterns of a statement by the service that they are of, so that each service sees its own only."""

    def __init__(self, statement: Statement) -> None:
        self._inverted = bool(statement.not_actions)
        self._breadth = _breadth(statement)
        self._of: dict[str, list[str]] = {}
        self._everywhere: list[str] = []
        for pattern in statement.not_actions or statement.actions:
            service, colon, _ = pattern.partition(":")
            (
                self._everywhere if not colon or _wild(service) else self._of.setdefault(service.lower(), [])
            ).append(pattern)

    def view(self, service: str) -> _View | None:
        """What it says of a service; None where it says nothing."""
        patterns = [*self._of.get(service, ()), *self._everywhere]
        if not patterns and not self._inverted:
            return None
        whole = {"*", "*:*", f"{service}:*"}
        lowered = {p.lower() for p in patterns}
        exact = frozenset(p for p in lowered if not _wild(p))
        prefixes = frozenset(p for p in lowered - exact if p.endswith("*") and not _wild(p[:-1]))
        return _View(
            self._breadth,
            self._inverted,
            bool(whole & lowered),
            exact,
            tuple(p[:-1] for p in prefixes),
            tuple(lowered - exact - prefixes),
        )


def _wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _breadth(statement: Statement) -> int:
    wide = not statement.resources or any(_ANY.fullmatch(r) for r in statement.resources)
    return _WIDE - (not wide) - statement.conditional


class _Grants:
    """What the documents of one snapshot allow, service by service. A Deny counts where it is of any resource."""

    def __init__(self, policies: Iterable[Policy], catalogue: Catalogue) -> None:
        read = [s for p in policies for s in statements(p.text)]
        self._allows = [_Lists(s) for s in read if s.allow]
        self._denies = [_Lists(s) for s in read if not s.allow and s.blanket]
        self._catalogue = catalogue
        self._views: dict[str, tuple[list[_View], list[_View]]] = {}

    def service(self, finding: Finding) -> Weighed:
        """The worst that the documents allow in a service."""
        names = self.privileged(finding.service)
        if names:
            table = PRIVILEGED[finding.service]
            found = max(
                ((_BASE[table[n]] * self._of(finding.service, n), table[n]) for n in names),
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
        return Weighed(finding, _BASE[reach] * max(_NARROW, self._of(service, name)), reach, names)

    def privileged(self, service: str) -> tuple[str, ...]:
        """The privileged actions of a service that the documents allow."""
        return tuple(n for n in PRIVILEGED.get(service, ()) if self._of(service, n))

    def _views_of(self, service: str) -> tuple[list[_View], list[_View]]:
        if service not in self._views:
            allows, denies = (
                [v for each in lists if (v := each.view(service))] for lists in (self._allows, self._denies)
            )
            self._views[service] = sorted(allows, key=lambda v: -v.breadth), denies
        return self._views[service]

    def _of(self, service: str, name: str) -> int:
        """How broadly an action is allowed: 0 where it is not, or where a Deny takes it away on any resource."""
        allows, denies = self._views_of(service)
        action = f"{service}:{name}".lower()
        breadth = next((v.breadth for v in allows if v.covers(action)), 0)
        return 0 if breadth and any(d.covers(action) for d in denies) else breadth

    def _levels(self, service: str) -> Iterator[tuple[int, Reach]]:
        """What may be heaviest in a service without privileged actions, by AWS's access levels."""
        best = _BASE[Reach.LIST] * _NARROW
        yield best, Reach.LIST
        known = self._catalogue.actions(service)
        for name, levels in known.items():
            reach = _level(levels)
            if _BASE[reach] * _WIDE > best and (breadth := self._of(service, name)):
                best = max(best, _BASE[reach] * breadth)
                yield _BASE[reach] * breadth, reach
        # Nobody can say what an action does that the catalogue does not know: it counts as one that writes.
        allows = self._views_of(service)[0]
        written = {e.partition(":")[2] for v in allows if not v.inverted for e in v.exact}
        strange = written - {n.lower() for n in known}
        yield from ((_BASE[Reach.WRITE] * b, Reach.WRITE) for n in strange if (b := self._of(service, n)))
        if allows and not known:
            yield _BASE[Reach.WRITE] * allows[0].breadth, Reach.WRITE


def _level(levels: frozenset[str]) -> Reach:
    """The access level that says most; Write where AWS's list does not have the action."""
    return next((reach for reach in _LEVELS if reach in levels), Reach.WRITE)
