"""What a person may tick in the form of a new ticket: findings to candidates, each with the policy that is changed. Pure.

What the report proves is ticked; what a person has to decide is there, unticked, with its reason; the rest stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from advisor.core.model import (
    Finding,
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
    PASSING,
    Catalogue,
    actions_granted,
    allows_everything,
    denied_above,
    denies,
    services_granted,
)
from advisor.core.removal import Candidate, Offer, Treatment
from advisor.core.rewrite import Cut, rewrite, size

QUARANTINE = "quarantine"
"""The key of the candidate that denies everything instead of cutting something."""

_READS = frozenset({"List", "Read"})
_SINGLY = {Why.STALE, Why.PASS_ROLE, Why.NOT_ACTION, Why.ADMIN}
"""Reasons that a person can decide for one service by itself."""


@dataclass(frozen=True, slots=True)
class _Home:
    """A policy with the services that it grants."""

    policy: Policy
    services: frozenset[str]
    place: int


def cuttable(policy: Policy, kind: Kind) -> bool:
    """Whether a policy's text may be changed for this entity: nobody else has it and AWS does not own it."""
    if policy.group or policy.kind is PolicyKind.AWS:
        return False
    return policy.kind is PolicyKind.INLINE or kind is Kind.POLICY or policy.attachments <= 1


def offer(report: Report, snapshot: Snapshot, summary: Summary, catalogue: Catalogue) -> Offer:
    """Read a summary as a form: candidates, what stays, and, where nothing can go, why."""
    reader = _Reader(report, snapshot, summary, catalogue)
    candidates = [] if summary.protected or summary.young_until else reader.candidates()
    quarantine = _may_be_quarantined(snapshot, summary)
    taken = {s for c in candidates for s in c.services}
    told = {f.service for f in summary.findings}
    denied = sorted(denied_above(snapshot.policies, catalogue) - told)
    above = tuple(Finding(s, Usage.UNTRACKED, Verdict.KEEP, Why.DENIED) for s in denied)
    stays = (*(f for f in summary.findings if f.service not in taken), *above)
    nothing = "" if candidates or quarantine else _why_nothing(summary)
    return Offer(tuple(candidates), stays, (*summary.findings, *above), quarantine, nothing)


def _may_be_quarantined(snapshot: Snapshot, summary: Summary) -> bool:
    """An entity that used nothing within the window, is old enough, and that nobody keeps."""
    if snapshot.entity.kind is Kind.POLICY or summary.protected or summary.young_until or not summary.granted:
        return False
    return not any(f.usage is Usage.USED or f.why in {Why.KEPT, Why.CALLED} for f in summary.findings)


def _why_nothing(summary: Summary) -> str:
    if summary.protected:
        return f"protected:{summary.protected}"
    if summary.young_until:
        return "young"
    if summary.unattached:
        return "unattached"
    if summary.admin_policy:
        return "admin"
    return "used" if all(f.usage is Usage.USED for f in summary.findings) else "stays"


class _Reader:
    def __init__(self, report: Report, snapshot: Snapshot, summary: Summary, catalogue: Catalogue) -> None:
        self._kind = snapshot.entity.kind
        self._report = report
        self._summary = summary
        self._catalogue = catalogue
        self._rows = {s.namespace: s for s in report.services}
        self._findings = {f.service: f for f in summary.findings}
        self._homes = [
            _Home(p, frozenset(services_granted([p], catalogue)), i) for i, p in enumerate(snapshot.policies)
        ]
        self._policies = snapshot.policies

    def candidates(self) -> list[Candidate]:
        """Everything that could be ticked: single services, then whole policies, then single actions."""
        singly = [c for f in self._summary.findings for c in self._single(f)]
        whole = [c for h in self._homes for c in self._of_policy(h)]
        actions = [c for s in self._report.services for c in self._of_actions(s)]
        return [*singly, *whole, *actions]

    def _granting(self, service: str) -> list[_Home]:
        return [h for h in self._homes if service in h.services]

    def _single(self, finding: Finding) -> Iterable[Candidate]:
        """One service that can be cut out of this entity's own documents."""
        row = self._rows.get(finding.service)
        homes = self._granting(finding.service)
        own = [h for h in homes if cuttable(h.policy, self._kind)]
        if row is None or not own or finding.verdict is Verdict.KEEP:
            return
        asks = finding.verdict is Verdict.ASK
        if asks and (finding.why not in _SINGLY or len(own) < len(homes)):
            return
        yield Candidate(
            key=str(row.id),
            treatment=_treatment(own[0].policy),
            policy=own[0].policy.name,
            arn=own[0].policy.arn,
            services=(finding.service,),
            ticked=not asks,
            asks=finding if asks else None,
        )

    def _unused(self, home: _Home) -> list[Finding]:
        """The services of a policy that nobody used and that no rule keeps."""
        found = [self._findings.get(s) for s in sorted(home.services)]
        kept = {Why.PROTECTED, Why.YOUNG, Why.KEPT, Why.CALLED, Why.UNATTACHED}
        return [f for f in found if f and f.usage is Usage.NEVER and f.why not in kept]

    def _of_policy(self, home: _Home) -> Iterable[Candidate]:
        """A managed policy that this entity cannot change: it goes, or is replaced by what stays."""
        policy = home.policy
        fixed = policy.kind is not PolicyKind.INLINE and not policy.group and self._kind is not Kind.POLICY
        if not fixed or cuttable(policy, self._kind) or allows_everything(policy.text):
            return
        unused = self._unused(home)
        if not unused:
            return
        whole = len(unused) == len(home.services) and not denies(policy.text)
        aws = policy.kind is PolicyKind.AWS
        passing = next((f for f in unused if f.why is Why.PASS_ROLE), None)
        others = str(policy.attachments - 1)
        shared = Finding("", Usage.NEVER, Verdict.ASK, Why.SHARED, detail=others)
        ticked = whole and aws and passing is None
        treatment = Treatment.DETACH if whole else Treatment.REPLACE if aws else Treatment.COPY
        reason = Finding("", Usage.NEVER, Verdict.ASK, Why.AWS_MANAGED, detail=policy.name)
        yield Candidate(
            key=f"{'d' if whole else 'r'}{home.place}",
            treatment=treatment,
            policy=policy.name,
            arn=policy.arn,
            services=tuple(f.service for f in unused),
            ticked=ticked,
            asks=None if ticked else passing or (reason if aws else shared),
        )

    def _of_actions(self, row: ServiceRow) -> Iterable[Candidate]:
        """Single actions of a service that stays, where the report goes so deep."""
        finding = self._findings.get(row.namespace)
        homes = self._granting(row.namespace)
        own = [h for h in homes if cuttable(h.policy, self._kind)]
        if self._report.granularity is not Granularity.ACTION or not row.actions or finding is None:
            return
        if finding.usage not in {Usage.USED, Usage.STALE} or finding.why in {Why.KEPT, Why.PROTECTED}:
            return
        if not own or len(own) < len(homes):
            return
        levels = {n.casefold(): level for n, level in self._catalogue.actions(row.namespace).items()}
        only_reads = self._only_reads(row, levels)
        never = [
            f
            for f in self._summary.actions
            if f.service == row.namespace
            and f.usage is Usage.NEVER
            and f.verdict is not Verdict.KEEP
            and f.action.casefold() in levels
            and not (only_reads and levels[f.action.casefold()] <= _READS)
        ]
        never = [f for f in never if not _passes(f.service, f.action)]
        home = own[0].policy
        if never:
            asks = next((f for f in never if f.verdict is Verdict.ASK), None)
            yield Candidate(
                key=f"w{row.id}",
                treatment=_treatment(home),
                policy=home.name,
                arn=home.arn,
                actions=tuple(f"{f.service}:{f.action}" for f in never),
                ticked=asks is None,
                asks=asks,
            )
        untold = self._untracked_writes(row, levels) if only_reads else []
        if untold:
            yield Candidate(
                key=f"u{row.id}",
                treatment=_treatment(home),
                policy=home.name,
                arn=home.arn,
                actions=tuple(f"{row.namespace}:{a}" for a in untold),
                asks=Finding(row.namespace, Usage.UNTRACKED, Verdict.ASK, Why.UNTRACKED),
                untracked=True,
            )

    def _only_reads(self, row: ServiceRow, levels: dict[str, frozenset[str]]) -> bool:
        """Whether every action that was seen used is List or Read; False where none was seen."""
        used = [levels.get(a.name.casefold(), frozenset()) for a in row.actions or () if a.last_at]
        return bool(used) and all(level and level <= _READS for level in used)

    def _untracked_writes(self, row: ServiceRow, levels: dict[str, frozenset[str]]) -> list[str]:
        tracked = {a.name.casefold() for a in row.actions or ()}
        granted = actions_granted(self._policies, row.namespace, self._catalogue)
        called = {f.action.casefold() for f in self._summary.actions if f.why is Why.CALLED}
        return sorted(
            a
            for a in granted
            if a.casefold() not in tracked
            and a.casefold() not in called
            and not levels[a.casefold()] <= _READS
            and not _passes(row.namespace, a)
        )


def _passes(service: str, action: str) -> bool:
    return action.startswith("Pass") or action in PASSING.get(service, ())


def _treatment(policy: Policy) -> Treatment:
    return Treatment.EDIT if policy.kind is PolicyKind.INLINE else Treatment.VERSION


def cut_of(chosen: Iterable[Candidate], listed: Iterable[str]) -> Cut:
    """What candidates take out of documents. `listed`: the services of the report, known beside the catalogue."""
    kept = list(chosen)
    return Cut(
        services=frozenset(s for c in kept for s in c.services),
        actions=frozenset(a for c in kept for a in c.actions),
        not_action=any(c.asks and c.asks.why is Why.NOT_ACTION for c in kept),
        listed=frozenset(listed),
    )


def preview(offered: Offer, snapshot: Snapshot, catalogue: Catalogue) -> dict[str, tuple[int, int]]:
    """For every document that ticks cut: its size now and as it is ticked, in characters as IAM counts them."""
    ticked = [
        c for c in offered.candidates if c.ticked and c.treatment in {Treatment.EDIT, Treatment.VERSION}
    ]
    cut = cut_of(ticked, (f.service for f in offered.findings))
    texts = {p.name: p.text for p in snapshot.policies if not p.group}
    found: dict[str, tuple[int, int]] = {}
    for name in dict.fromkeys(c.policy for c in ticked):
        after = rewrite(texts[name], cut, catalogue).after
        found[name] = (size(texts[name]), size(after) if after else 0)
    return found
