"""Raw last-accessed data to findings, a summary, and the difference to an earlier report. Pure.

Absence is not evidence: a service or action that the report does not list is never a candidate.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from advisor.core.model import (
    ActionRow,
    Entity,
    Finding,
    Grant,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Report,
    ServiceRow,
    Snapshot,
    Summary,
    Usage,
    Verdict,
    Why,
)
from advisor.core.policy import (
    Catalogue,
    actions_granted,
    allows_everything,
    passes,
    services_granted,
    uses_not_action,
)
from advisor.core.removal import Keep

_NEVER_CHANGED = (
    # Role names and paths that somebody else owns. Sources: IAM User Guide (service-linked roles), IAM Identity
    # Center User Guide (AWSReservedSSO_), AWS Organizations and Control Tower User Guides.
    ("service_linked", "*:role/aws-service-role/*"),
    ("sso", "*:role/*AWSReservedSSO_*"),
    ("organization_access", "*:role/OrganizationAccountAccessRole"),
    ("control_tower", "*:role/*AWSControlTower*"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator set, and who the bot itself is.

    `window_days` and `min_age_days` are whole days; `protect` holds globs of names and ARNs, or `tag:KEY=VALUE`;
    `own_arns` are the bot's principals, which it never proposes to change.
    """

    window_days: int = 90
    min_age_days: int = 90
    protect: tuple[str, ...] = ()
    own_arns: frozenset[str] = frozenset()


def usage_of(last_at: datetime | None, report: Report, window_days: int) -> Usage:
    """USED, STALE or NEVER by the report's own time, never by now: a card is read for years."""
    if last_at is None:
        return Usage.NEVER
    return Usage.USED if report.created_at - last_at <= timedelta(days=window_days) else Usage.STALE


def days_before(last_at: datetime | None, report: Report) -> int | None:
    """Whole days from the last attempt to the report; 0 where it fell after the job had begun."""
    return None if last_at is None else max(0, (report.created_at - last_at).days)


def protected(snapshot: Snapshot, rules: Rules) -> str:
    """Why this entity is never changed, as a word, or an empty string."""
    entity = snapshot.entity
    if entity.aws_managed:
        return "aws_owned"
    reached = _reached(snapshot)
    own = rules.own_arns | {_short(a) for a in rules.own_arns}
    if own & {entity.arn, _pathless(entity), *reached}:
        return "bot"
    if snapshot.boundary_of:
        return "boundary"
    for word, glob in _NEVER_CHANGED:
        if any(fnmatch.fnmatchcase(arn, glob) for arn in (entity.arn, *reached)):
            return word
    holders = any(fnmatch.fnmatchcase(n, g) for a in reached for n in (a, _name(a)) for g in rules.protect)
    return "setting" if holders or any(_protects(g, entity, snapshot) for g in rules.protect) else ""


def _reached(snapshot: Snapshot) -> list[str]:
    """Whom a change of this policy or group changes, too: ARNs without paths, as IAM names holders and members."""
    head, _, _ = snapshot.entity.arn.partition(f":{snapshot.entity.kind}/")
    return [f"{head}:{who}" for who in (*snapshot.holders, *(f"user/{m}" for m in snapshot.members))]


def _short(arn: str) -> str:
    """An ARN without its path."""
    kind, slash, rest = arn.partition("/")
    return f"{kind}{slash}{rest.rpartition('/')[2]}"


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _pathless(entity: Entity) -> str:
    """The ARN without its path: what the bot is told of its own role at AWS has none."""
    head, _, _ = entity.arn.partition(f":{entity.kind}/")
    return f"{head}:{entity.kind}/{entity.name}"


def _protects(glob: str, entity: Entity, snapshot: Snapshot) -> bool:
    if glob.startswith("tag:"):
        key, _, value = glob[4:].partition("=")
        return any(k == key and fnmatch.fnmatchcase(v, value or "*") for k, v in snapshot.tags)
    return fnmatch.fnmatchcase(entity.name, glob) or fnmatch.fnmatchcase(entity.arn, glob)


def attempts_seen(reports: Iterable[Report], newest: Report) -> dict[str, tuple[int, ...]]:
    """Every last attempt that these reports saw, by service: whole days before the newest one, ascending."""
    seen: dict[str, set[int]] = {}
    for report in reports:
        for row in report.services:
            days = days_before(row.last_at, newest)
            if days is not None:
                seen.setdefault(row.namespace, set()).add(days)
    return {service: tuple(sorted(days)) for service, days in seen.items()}


@dataclass(frozen=True, slots=True)
class _Ruling:
    verdict: Verdict
    why: Why
    detail: str = ""


class _Grants:
    """What could be done about each grant of one snapshot."""

    def __init__(
        self,
        report: Report,
        snapshot: Snapshot,
        rules: Rules,
        catalogue: Catalogue,
        keeps: Iterable[Keep],
        called: Mapping[str, str],
    ) -> None:
        self.called = {name: _Ruling(Verdict.KEEP, Why.CALLED, detail) for name, detail in called.items()}
        self._snapshot = snapshot
        kept = {k.service: _Ruling(Verdict.KEEP, Why.KEPT, k.until.date().isoformat()) for k in keeps}
        self._stays = self.called | kept
        self._listed = {s.namespace: s for s in report.services}
        self._catalogue = catalogue
        self._report = report
        self._shielded = protected(snapshot, rules)
        self._detachable: dict[str, bool] = {}
        born = snapshot.entity.created_at
        grown = born + timedelta(days=rules.min_age_days) if born and rules.min_age_days else None
        self.young_until = grown if grown and grown > report.created_at else None
        self.shield = self._shielded
        self.admin = next((p.name for p in snapshot.policies if allows_everything(p.text)), "")

    def ruling(self, row: ServiceRow) -> _Ruling:
        """What could happen to something of this service that nobody used."""
        if self._shielded:
            return _Ruling(Verdict.KEEP, Why.PROTECTED, self._shielded)
        if self.young_until:
            return _Ruling(Verdict.KEEP, Why.YOUNG, self.young_until.date().isoformat())
        stays = self._stays.get(row.namespace) or self._stays.get("")
        if stays:
            return stays
        entity = self._snapshot.entity
        if entity.kind is Kind.POLICY:
            return self._passing(row, self._of_policy())
        if not row.grants:
            return _Ruling(Verdict.ASK, Why.GRANT_UNKNOWN)
        rulings = [self._of_grant(p) for g in row.grants for p in self._behind(g)]
        order = (Verdict.KEEP, Verdict.ASK, Verdict.REMOVE)
        worst = min(rulings, key=lambda r: order.index(r.verdict))
        return self._passing(row, worst)

    def _behind(self, grant: Grant) -> list[Policy | None]:
        """The policies that a grant means: a managed one by its ARN, however often it comes; an inline one by its name."""
        if grant.arn:
            found = [p for p in self._snapshot.policies if p.arn == grant.arn]
        else:
            found = [
                p
                for p in self._snapshot.policies
                if (p.arn, p.name, p.group) == ("", grant.policy, grant.group)
            ]
        return [*found] or [None]

    def _passing(self, row: ServiceRow, ruling: _Ruling) -> _Ruling:
        """A service with iam:PassRole or its kind is not proven unused by a report that cannot see it."""
        unseen = passes(self._snapshot.policies, row.namespace) if ruling.verdict is Verdict.REMOVE else ()
        return _Ruling(Verdict.ASK, Why.PASS_ROLE, f"{row.namespace}:{unseen[0]}") if unseen else ruling

    def _of_policy(self) -> _Ruling:
        if not self._snapshot.holders:
            return _Ruling(Verdict.KEEP, Why.UNATTACHED)
        if self.admin:
            return _Ruling(Verdict.ASK, Why.ADMIN, self.admin)
        if uses_not_action(self._snapshot.policies[0].text):
            return _Ruling(Verdict.ASK, Why.NOT_ACTION)
        return _Ruling(Verdict.REMOVE, Why.UNUSED)

    def _of_grant(self, policy: Policy | None) -> _Ruling:
        if policy is None:  # it came or went between the two reads
            return _Ruling(Verdict.ASK, Why.GRANT_UNKNOWN)
        if policy.group:
            return _Ruling(Verdict.KEEP, Why.GROUP, policy.group)
        if allows_everything(policy.text):
            return _Ruling(Verdict.ASK, Why.ADMIN, policy.name)
        if policy.kind is PolicyKind.AWS:
            whole = self._can_detach(policy)
            return _Ruling(
                Verdict.REMOVE if whole else Verdict.ASK,
                Why.UNUSED if whole else Why.AWS_MANAGED,
                policy.name,
            )
        if policy.attachments > 1:
            return _Ruling(Verdict.ASK, Why.SHARED, str(policy.attachments - 1))
        if uses_not_action(policy.text):
            return _Ruling(Verdict.ASK, Why.NOT_ACTION, policy.name)
        return _Ruling(Verdict.REMOVE, Why.UNUSED)

    def _can_detach(self, policy: Policy) -> bool:
        """An AWS managed policy can go only whole: every service in it is listed, and none was attempted."""
        if policy.arn not in self._detachable:
            granted = services_granted([policy], self._catalogue)
            rows = [self._listed.get(service) for service in granted]
            self._detachable[policy.arn] = all(
                r is not None and r.last_at is None and r.namespace not in self._stays for r in rows
            )
        return self._detachable[policy.arn]


def summarise(
    report: Report,
    snapshot: Snapshot,
    rules: Rules,
    catalogue: Catalogue,
    keeps: Iterable[Keep] = (),
    called: Mapping[str, str] | None = None,
) -> Summary:
    """Read a report: every service it lists, those it cannot tell of, and (at action level) every action.

    `keeps` are the standing ones of this entity: what they name stays, whatever the report says. So does what
    `called` names, a service or `service:action` in lower case, with the call that speaks for it.
    """
    grants = _Grants(report, snapshot, rules, catalogue, keeps, called or {})
    listed = {s.namespace for s in report.services}
    untold = {
        service: names
        for service, names in services_granted(snapshot.policies, catalogue).items()
        if service not in listed
    }
    findings = [_service_finding(row, report, rules, grants) for row in report.services]
    findings += [
        Finding(service, Usage.UNTRACKED, Verdict.KEEP, Why.UNTRACKED, policies=names)
        for service, names in untold.items()
    ]
    actions: tuple[Finding, ...] = ()
    if report.granularity is Granularity.ACTION:
        actions = tuple(
            finding
            for row in report.services
            for finding in _action_findings(row, report, snapshot, rules, grants, catalogue)
        )
    return Summary(
        findings=tuple(sorted(findings, key=_by_use)),
        actions=actions,
        young_until=grants.young_until,
        protected=grants.shield,
        admin_policy=grants.admin,
        unattached=snapshot.entity.kind is Kind.POLICY and not snapshot.holders,
    )


def _by_use(finding: Finding) -> tuple[int, float, int, str]:
    """Latest attempt first, then what could go, then what a person decides, then what cannot be told."""
    order = (Verdict.KEEP, Verdict.REMOVE, Verdict.ASK)
    when = -finding.last_at.timestamp() if finding.last_at else 0.0
    return (finding.usage is Usage.UNTRACKED, when, order.index(finding.verdict), finding.service)


def _judge(usage: Usage, ruling: _Ruling) -> _Ruling:
    if usage is Usage.USED:
        return _Ruling(Verdict.KEEP, Why.USED)
    if usage is Usage.STALE:
        return ruling if ruling.verdict is Verdict.KEEP else _Ruling(Verdict.ASK, Why.STALE)
    return ruling


def _service_finding(row: ServiceRow, report: Report, rules: Rules, grants: _Grants) -> Finding:
    usage = usage_of(row.last_at, report, rules.window_days)
    ruling = _judge(usage, grants.ruling(row))
    return Finding(
        service=row.namespace,
        usage=usage,
        verdict=ruling.verdict,
        why=ruling.why,
        detail=ruling.detail,
        last_at=row.last_at,
        days=days_before(row.last_at, report),
        last_by=row.last_by,
        region=row.region,
        entities=row.entities,
        policies=tuple(dict.fromkeys(g.policy for g in row.grants or ())),
    )


def _action_findings(
    row: ServiceRow,
    report: Report,
    snapshot: Snapshot,
    rules: Rules,
    grants: _Grants,
    catalogue: Catalogue,
) -> list[Finding]:
    ruling = grants.ruling(row)
    names = tuple(dict.fromkeys(g.policy for g in row.grants or ()))
    tracked = row.actions or ()
    found = [_action_finding(row, a, report, rules, ruling, names) for a in tracked]
    seen = {a.name.casefold() for a in tracked}
    granted = actions_granted(snapshot.policies, row.namespace, catalogue)
    found += [
        Finding(
            row.namespace,
            Usage.UNTRACKED,
            Verdict.KEEP,
            Why.PASS_ROLE if name.startswith("Pass") else Why.UNTRACKED,
            action=name,
            policies=names,
        )
        for name in sorted(granted)
        if name.casefold() not in seen
    ]
    called = [grants.called.get(f"{f.service}:{f.action}".lower()) for f in found]
    return [
        replace(f, verdict=c.verdict, why=c.why, detail=c.detail) if c else f
        for f, c in zip(found, called, strict=True)
    ]


def _action_finding(
    row: ServiceRow, action: ActionRow, report: Report, rules: Rules, ruling: _Ruling, names: tuple[str, ...]
) -> Finding:
    usage = usage_of(action.last_at, report, rules.window_days)
    judged = _judge(usage, ruling)
    return Finding(
        service=row.namespace,
        usage=usage,
        verdict=judged.verdict,
        why=judged.why,
        action=action.name,
        detail=judged.detail,
        last_at=action.last_at,
        days=days_before(action.last_at, report),
        last_by=action.last_by,
        region=action.region,
        policies=names,
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from one report to the next; service names, sorted."""

    newly_used: tuple[str, ...]
    now_stale: tuple[str, ...]
    no_longer_seen: tuple[str, ...]  # a date that the last report had and this one lacks: out of tracking
    newly_granted: tuple[str, ...]
    no_longer_granted: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not any(
            (self.newly_used, self.now_stale, self.no_longer_seen, self.newly_granted, self.no_longer_granted)
        )


def difference(before: Report, after: Report, window_days: int) -> Difference:
    """Compare two reports of one entity, each with the window of its own day."""
    old = {s.namespace: usage_of(s.last_at, before, window_days) for s in before.services}
    new = {s.namespace: usage_of(s.last_at, after, window_days) for s in after.services}
    both = sorted(old.keys() & new.keys())

    def turned(into: Usage, *came_from: Usage) -> tuple[str, ...]:
        return tuple(s for s in both if new[s] is into and old[s] in came_from)

    return Difference(
        newly_used=turned(Usage.USED, Usage.STALE, Usage.NEVER),
        now_stale=turned(Usage.STALE, Usage.USED),
        no_longer_seen=turned(Usage.NEVER, Usage.USED, Usage.STALE),
        newly_granted=tuple(sorted(new.keys() - old.keys())),
        no_longer_granted=tuple(sorted(old.keys() - new.keys())),
    )
