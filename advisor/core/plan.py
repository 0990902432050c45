"""What was chosen, and what stands now, to the exact writes. Pure: values in, values out.

A plan only removes. What was chosen and cannot be taken is named with its reason, never dropped silently.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from advisor.core.arn import partition_of
from advisor.core.escalation import Escalation, closes
from advisor.core.evaluate import disagreements
from advisor.core.hold import HOLD, lay
from advisor.core.model import Kind, Policy, PolicyKind, Report
from advisor.core.offer import QUARANTINE, cut_of
from advisor.core.policy import Catalogue, actions_granted, denies, services_granted
from advisor.core.removal import (
    ATTACHMENTS,
    DENY_ALL,
    INLINE_SIZE,
    MANAGED_SIZE,
    TAG,
    VERSIONS,
    Candidate,
    Edit,
    Kept,
    Left,
    Managed,
    Offer,
    Operation,
    Plan,
    Standing,
    Step,
    Treatment,
    Version,
)
from advisor.core.rewrite import Cut, Rewrite, rewrite, size
from advisor.core.standing import basis_of, fingerprint

NAME = 128
"""Characters of a policy's name (IAM API Reference, CreatePolicy)."""

_SINGLY = {Treatment.EDIT, Treatment.VERSION}


@dataclass(frozen=True, slots=True)
class Nothing:
    """No plan came of a choice: what stays and why, and (a fault of ours) what the check of the work found."""

    left: tuple[Left, ...]
    wrong: tuple[str, ...] = ()
    no_hold: bool = False  # there is a plan, but a hold of it fits nowhere


def make(
    offered: Offer,
    keys: Collection[str],
    standing: Standing,
    report: Report,
    catalogue: Catalogue,
    ticket: int,
    known: Collection[Policy] = (),
    hold_days: int = 0,
) -> Plan | Nothing:
    """The plan for what was ticked, against what stands now.

    `ticket` is its number, which the policies that it makes bear in their names. `known` are AWS managed policies
    that were met before: one that grants exactly what stays is attached instead of a new one. With HOLD among the keys
    what goes is denied for `hold_days` first.
    """
    chosen = tuple(c for c in offered.candidates if c.key in keys)
    maker = _Maker(chosen, standing, report, catalogue, ticket, known)
    edits = maker.quarantine() if QUARANTINE in keys else maker.edits()
    left = tuple(maker.left)
    if not edits:
        return Nothing(left)
    wrong = tuple(w for e in edits if e.before is not None for w in _check(e, left, catalogue))
    if wrong:
        return Nothing(left, wrong)
    services, actions = maker.gone(edits)
    basis = basis_of(standing, edits)
    basis = replace(basis, managed=(*basis.managed, *maker.swapped_in(edits)))
    steps = [s for e in edits for s in e.steps]
    made = Plan(
        edits=edits,
        basis=basis,
        fingerprint=fingerprint(basis, steps),
        services=services,
        actions=actions,
        granted=len(report.services),
        stays=tuple(f for f in offered.findings if f.service not in services),
        left=(*left, *maker.still_granted(edits, services)),
        asked=tuple(c for c in chosen if c.asks),
        closes=maker.closes(edits),
    )
    if HOLD not in keys or not hold_days:
        return made
    hold = lay(made, standing, ticket, hold_days)
    if hold is None:
        return Nothing(left, no_hold=True)
    return replace(made, hold=hold, fingerprint=fingerprint(basis, steps, hold))


def _check(edit: Edit, left: Collection[Left], catalogue: Catalogue) -> tuple[str, ...]:
    """What a second implementation, which shares no code with the rewriter, finds wrong with one document."""
    hindered = {x.what for x in left if x.policy == edit.policy}
    found = disagreements(
        edit.before or "", edit.after, edit.cut.services, edit.cut.actions, catalogue, hindered=hindered
    )
    return tuple(f"{edit.policy}: {f}" for f in found)


class _Maker:
    def __init__(
        self,
        chosen: tuple[Candidate, ...],
        standing: Standing,
        report: Report,
        catalogue: Catalogue,
        ticket: int,
        known: Collection[Policy],
    ) -> None:
        self._known = known
        self._chosen = chosen
        self._standing = standing
        self._catalogue = catalogue
        self._ticket = ticket
        self._whole = {c.arn: c for c in chosen if c.treatment not in _SINGLY}
        self._cut = cut_of(
            (c for c in chosen if c.treatment is not Treatment.DETACH), (s.namespace for s in report.services)
        )
        self.left: list[Left] = []

    # -- edits ---------------------------------------------------------------------------------------------------

    def quarantine(self) -> tuple[Edit, ...]:
        """Deny everything, touch nothing else."""
        arn = f"arn:{partition_of(self._standing.entity.arn)}:iam::aws:policy/{DENY_ALL}"
        if arn in self._standing.attached or not self._has_room(1):
            self.left.append(Left("*", DENY_ALL, Kept.ATTACHMENTS))
            return ()
        step = Step(Operation.ATTACH, DENY_ALL, arn)
        return (Edit(Treatment.QUARANTINE, DENY_ALL, (step,), arn, aws=True),)

    def edits(self) -> tuple[Edit, ...]:
        """Every policy that changes; put before delete, attach before detach."""
        found: list[Edit] = []
        if self._standing.entity.kind is Kind.POLICY:
            found += [e for m in self._standing.managed for e in self._version(m)]
        else:
            found += self._inline()
            attached = [m for a in self._standing.attached if (m := self._standing.policy(a))]
            for policy in attached:
                found += self._managed(policy)
        order = list(Treatment)
        return tuple(sorted(found, key=lambda e: order.index(e.treatment)))

    def _inline(self) -> list[Edit]:
        made = [e for name, text in self._standing.inline for e in self._inline_edit(name, text)]
        after = {e.policy: e.after for e in made}
        # At its fullest: everything is put, and what goes whole is not deleted yet.
        total = sum(size(after.get(n) or t) for n, t in self._standing.inline)
        if total > INLINE_SIZE[self._standing.entity.kind] and made:
            self.left += [Left(s, e.policy, Kept.SIZE) for e in made for s in (*e.out, *e.actions)]
            return []
        return sorted(made, key=lambda e: size(e.after or "") - size(e.before or ""))

    def _inline_edit(self, name: str, text: str) -> list[Edit]:
        done = self._rewrite(name, text, self._cut)
        if done is None:
            return []
        operation = Operation.DELETE if done.after is None else Operation.PUT
        treatment = Treatment.DELETE if done.after is None else Treatment.EDIT
        step = Step(operation, name, before=text, after=done.after)
        return [self._edit(treatment, name, (step,), done, self._cut)]

    def _managed(self, policy: Managed) -> list[Edit]:
        candidate = self._whole.get(policy.arn)
        if candidate and candidate.treatment is Treatment.DETACH:
            if not denies(policy.default.text) and self._services([_policy(policy)]) <= {*candidate.services}:
                return self._detach(policy)
            # By now it does more than what was ticked: only that goes.
            services = self._cut.services | frozenset(candidate.services)
            return self._instead(policy, replace(self._cut, services=services))
        if candidate:
            return self._instead(policy, self._cut)
        own = {h.partition("/")[2] for h in policy.holders} == {self._standing.entity.name}
        if policy.aws or not own or len(policy.holders) > 1:
            return []
        return self._version(policy)

    def _version(self, policy: Managed) -> list[Edit]:
        text = policy.default.text
        done = self._rewrite(policy.name, text, self._cut)
        if done is None:
            return []
        if policy.boundary_of:
            self._stay(done, policy.name, Kept.BOUNDARY)
            return []
        if done.after is None:
            if self._standing.entity.kind is Kind.POLICY:
                self._stay(done, policy.name, Kept.EMPTY)
                return []
            return self._detach(policy, self._cut)
        if size(done.after) > MANAGED_SIZE:
            self._stay(done, policy.name, Kept.SIZE)
            return []
        steps: list[Step] = []
        if len(policy.versions) >= VERSIONS:  # its text is in the journal before it goes
            oldest = min((v for v in policy.versions if not v.default), key=lambda v: int(v.id.lstrip("v")))
            steps.append(
                Step(Operation.DELETE_VERSION, policy.name, policy.arn, oldest.text, None, oldest.id)
            )
        steps.append(
            Step(Operation.CREATE_VERSION, policy.name, policy.arn, text, done.after, policy.default.id)
        )
        edit = self._edit(Treatment.VERSION, policy.name, tuple(steps), done, self._cut)
        return [replace(edit, arn=policy.arn, holders=policy.holders)]

    def _detach(self, policy: Managed, cut: Cut | None = None) -> list[Edit]:
        granted = tuple(sorted(self._services([_policy(policy)])))
        step = Step(Operation.DETACH, policy.name, policy.arn)
        cut = cut or Cut(services=frozenset(granted))
        return [
            Edit(Treatment.DETACH, policy.name, (step,), policy.arn, out=granted, cut=cut, aws=policy.aws)
        ]

    def _instead(self, policy: Managed, cut: Cut) -> list[Edit]:
        """A policy of what stays is made and attached before the old one goes."""
        text = policy.default.text
        done = self._rewrite(policy.name, text, cut)
        if done is None:
            return []
        if done.after is None:
            return self._detach(policy, cut)
        if size(done.after) > MANAGED_SIZE or not self._has_room(1):
            self._stay(done, policy.name, Kept.SIZE if self._has_room(1) else Kept.ATTACHMENTS)
            return []
        narrower = self._narrower(policy, done, cut) if policy.aws else None
        if narrower:
            return [self._swap(policy, narrower, done, cut)]
        treatment = Treatment.REPLACE if policy.aws else Treatment.COPY
        name = self._name(policy)
        edit = self._edit(treatment, policy.name, self._copying(policy, name, done.after), done, cut)
        return [replace(edit, arn=policy.arn, instead=name, aws=policy.aws)]

    def _copying(self, policy: Managed, name: str, text: str) -> tuple[Step, ...]:
        path = "/" if policy.aws else policy.path  # AWS's own paths are AWS's
        account = self._standing.entity.account
        arn = f"arn:{partition_of(self._standing.entity.arn)}:iam::{account}:policy{path}{name}"
        description = f"{policy.name} without what {self._standing.entity.name} never used. IAM Audit, ticket {self._ticket}."
        tags = (
            *((k, v) for k, v in policy.tags if not k.startswith("aws:") and k.lower() != TAG),
            (TAG, str(self._ticket)),
        )
        create = Step(
            Operation.CREATE_POLICY,
            name,
            arn,
            after=text,
            path=path,
            description=description[:1000],
            tags=tags[-50:],
        )
        return (
            create,
            Step(Operation.ATTACH, name, arn),
            Step(Operation.DETACH, policy.name, policy.arn),
        )

    def _narrower(self, policy: Managed, done: Rewrite, cut: Cut) -> Policy | None:
        """An AWS managed policy that grants exactly what stays; nearly so is not enough."""
        stays = self._services([Policy(policy.name, PolicyKind.INLINE, done.after or "")])
        for other in self._known:
            if other.arn == policy.arn or other.arn in self._standing.attached:
                continue
            if self._services([other]) != stays:
                continue
            if not disagreements(done.before, other.text, cut.services, cut.actions, self._catalogue):
                return other
        return None

    def _swap(self, policy: Managed, narrower: Policy, done: Rewrite, cut: Cut) -> Edit:
        steps = (
            Step(Operation.ATTACH, narrower.name, narrower.arn),
            Step(Operation.DETACH, policy.name, policy.arn),
        )
        edit = self._edit(Treatment.SWAP, policy.name, steps, replace(done, after=narrower.text), cut)
        return replace(edit, arn=policy.arn, instead=narrower.name, aws=True)

    def _name(self, policy: Managed) -> str:
        """IAMAudit-<entity>-t<ticket>, with a number where a ticket makes several."""
        among = [a for a in self._standing.attached if a in self._whole]
        place = among.index(policy.arn) if policy.arn in among else 0
        tail = f"-t{self._ticket}" + (f"-{place + 1}" if place else "")
        return f"IAMAudit-{self._standing.entity.name}"[: NAME - len(tail)] + tail

    def _has_room(self, more: int) -> bool:
        return len(self._standing.attached) + more <= ATTACHMENTS

    # -- helpers -------------------------------------------------------------------------------------------------

    def _rewrite(self, name: str, text: str, cut: Cut) -> Rewrite | None:
        """The rewrite of one document, or None where it does not change; what is hindered is noted."""
        done = rewrite(text, cut, self._catalogue)
        self.left += [Left(what, name, Kept(why.value)) for what, why in done.hindered]
        return done if done.after != text else None

    def _stay(self, done: Rewrite, name: str, why: Kept) -> None:
        gone = {g.partition(":")[0] for g in done.gone}
        self.left += [Left(s, name, why) for s in sorted(gone & self._cut.services or gone)]

    def _edit(
        self, treatment: Treatment, name: str, steps: tuple[Step, ...], done: Rewrite, cut: Cut
    ) -> Edit:
        before = self._services([Policy(name, PolicyKind.INLINE, done.before)])
        after = self._services([Policy(name, PolicyKind.INLINE, done.after)]) if done.after else frozenset()
        return Edit(
            treatment=treatment,
            policy=name,
            steps=steps,
            out=tuple(sorted(before - after)),
            stay=tuple(sorted(after)),
            cut=cut,
            actions=tuple(sorted(g for g in done.gone if g.partition(":")[0] in after)),
            changes=done.changes,
            untouched=done.untouched,
            before=done.before,
            after=done.after,
        )

    def _services(self, policies: Iterable[Policy]) -> frozenset[str]:
        return frozenset(services_granted(policies, self._catalogue))

    # -- what it comes to ----------------------------------------------------------------------------------------

    def gone(self, edits: tuple[Edit, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The services, and the single actions of others, that nothing grants any more."""
        before, after = self._all(()), self._all(edits)
        had, has = self._services(before), self._services(after)
        cut = {a for e in edits for a in e.actions}
        lost: list[str] = []
        for service in sorted({a.partition(":")[0] for a in cut} & has):
            still = actions_granted(after, service, self._catalogue)
            lost += [
                a for a in sorted(cut) if a.startswith(f"{service}:") and a.partition(":")[2] not in still
            ]
        return tuple(sorted(had - has)), tuple(lost)

    def closes(self, edits: tuple[Edit, ...]) -> tuple[Escalation, ...]:
        """The known escalations that all documents together leave open now and no longer afterwards."""
        own = (self._standing.entity.arn, *self._standing.attached)
        before, after = ([p.text for p in self._all(e)] for e in ((), edits))
        return closes(before, after, own)

    def _all(self, edits: tuple[Edit, ...]) -> list[Policy]:
        """Every document that grants something to the entity, as it will be."""
        by_name = {e.policy: e.after for e in edits if e.treatment in {Treatment.EDIT, Treatment.DELETE}}
        by_arn = {e.arn: e.after for e in edits if e.arn and e.treatment is not Treatment.QUARANTINE}
        texts: list[tuple[str, str | None]] = [(n, by_name.get(n, t)) for n, t in self._standing.inline]
        texts += [(m.name, by_arn.get(m.arn, m.default.text)) for m in self._standing.managed]
        texts += list(self._standing.elsewhere)
        return [Policy(n, PolicyKind.INLINE, t) for n, t in texts if t]

    def swapped_in(self, edits: tuple[Edit, ...]) -> list[Managed]:
        """The policies of AWS that are attached as narrower ones, with the text that was compared."""
        arns = {e.steps[0].arn for e in edits if e.treatment is Treatment.SWAP}
        found = {p.arn: p for p in self._known if p.arn in arns}
        return [Managed(a, p.name, (Version(p.version, p.text, default=True),)) for a, p in found.items()]

    def still_granted(self, edits: tuple[Edit, ...], services: Collection[str]) -> list[Left]:
        """Grants that remain of services that were chosen, each with its reason."""
        wanted = {s for c in self._chosen for s in c.services} - set(services)
        known = {(x.what, x.policy) for x in self.left}
        reasons: list[tuple[Policy, Kept]] = [
            (_policy(m), Kept.AWS_MANAGED if m.aws else Kept.SHARED)
            for m in self._standing.managed
            if m.arn not in {e.arn for e in edits}
        ]
        reasons += [(Policy(n, PolicyKind.INLINE, t), Kept.GROUP) for n, t in self._standing.elsewhere]
        return [
            Left(s, p.name, why)
            for p, why in reasons
            for s in sorted(wanted & self._services([p]))
            if (s, p.name) not in known
        ]


def _policy(managed: Managed) -> Policy:
    kind = PolicyKind.AWS if managed.aws else PolicyKind.CUSTOMER
    return Policy(managed.name, kind, managed.default.text, managed.arn)
