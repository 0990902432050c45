"""What AWS itself says of a plan's new documents: what it is asked, what it answered, and what that comes to. Pure.

Source: IAM Access Analyzer API Reference, ValidatePolicy, CheckNoNewAccess, CheckAccessNotGranted; IAM API Reference,
SimulatePrincipalPolicy and SimulateCustomPolicy.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum

from advisor.core.model import Kind, Report
from advisor.core.policy import Catalogue, Statement, statements
from advisor.core.removal import Edit, Managed, Operation, Plan, Standing, Version
from advisor.core.standing import after

ACTIONS_A_CALL = 100
"""Actions that one CheckAccessNotGranted takes (Access, actions: at most 100 items)."""


class Source(StrEnum):
    """Who was asked. The values are AWS's operations; simulation counts as one, whichever of its two answered."""

    VALIDATE = "ValidatePolicy"
    NO_NEW_ACCESS = "CheckNoNewAccess"
    NOT_GRANTED = "CheckAccessNotGranted"
    SIMULATE = "SimulateCustomPolicy"


ANALYZER = frozenset({Source.VALIDATE, Source.NO_NEW_ACCESS, Source.NOT_GRANTED})
"""What IAM Access Analyzer answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of them said of one policy. `agrees` is None where it was not asked or could not tell; `said` says why."""

    source: Source
    policy: str  # its name; empty: of all policies together
    agrees: bool | None
    said: str
    request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """Every answer, and when it was asked."""

    at: datetime
    answers: tuple[Answer, ...]
    charged: int = 0  # custom policy checks that AWS charges for

    @property
    def disputed(self) -> tuple[Answer, ...]:
        """The answers that say otherwise than our own evaluator."""
        return tuple(a for a in self.answers if a.agrees is False)

    def of(self, sources: Collection[Source]) -> bool | None:
        """What a witness came to: False where one answer disagrees, None where nothing was answered."""
        said = {a.agrees for a in self.answers if a.source in sources}
        if False in said:
            return False
        return True if True in said else None


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a plan writes or attaches: as it was, as it will be, and the actions that it stops granting."""

    policy: str
    before: str
    after: str
    removed: tuple[str, ...]


def documents(plan: Plan, catalogue: Catalogue) -> tuple[Document, ...]:
    """What a plan leaves where something was. A document that goes whole leaves nothing to ask about."""
    if plan.quarantine:
        return ()
    return tuple(
        Document(e.policy, e.before, e.after, removed(e, catalogue))
        for e in plan.edits
        if e.before is not None and e.after is not None and e.before != e.after
    )


def removed(edit: Edit, catalogue: Catalogue) -> tuple[str, ...]:
    """The actions of the cut that some statement allowed before and none allows afterwards."""
    services = {*edit.cut.services, *(a.partition(":")[0].lower() for a in edit.cut.actions)}
    old, new = _allows(edit.before), _allows(edit.after)
    names = [f"{s}:{n}" for s in sorted(services) for n in sorted(catalogue.actions(s))]
    return tuple(n for n in names if any(s.names(n) for s in old) and not any(s.names(n) for s in new))


def _allows(text: str | None) -> list[Statement]:
    return [] if text is None else [s for s in statements(text) if s.allow]


def batches(actions: Sequence[str], size: int = ACTIONS_A_CALL) -> list[list[str]]:
    """So many at a time as one call takes."""
    return [list(actions[n : n + size]) for n in range(0, len(actions), size)]


def used(report: Report | None) -> tuple[str, ...]:
    """The single actions that a report has attempts of."""
    if report is None:
        return ()
    return tuple(
        f"{s.namespace}:{a.name}" for s in report.services for a in s.actions or () if a.last_at is not None
    )


def takes(plan: Plan, action: str) -> bool:
    """Whether a plan means to take an action away, from one policy at least."""
    folded = action.casefold()
    return folded.partition(":")[0] in plan.takes or any(a.casefold() == folded for a in plan.takes_singly)


def effective(standing: Standing, plan: Plan | None = None) -> tuple[str, ...]:
    """Every document that holds for an entity, now or (`plan`) when the plan is carried out."""
    if plan is not None:
        for edit in plan.edits:
            standing = _known(standing, edit)
            for step in edit.steps:
                standing = after(standing, step, "vnew")
    if standing.entity.kind is Kind.POLICY:
        return tuple(m.default.text for m in standing.managed if m.arn == standing.entity.arn)
    held = [m.default.text for m in standing.managed if m.arn in standing.attached]
    return (*(text for _, text in standing.inline), *held, *(text for _, text in standing.elsewhere))


def _known(standing: Standing, edit: Edit) -> Standing:
    """An AWS managed policy that is attached instead was not read with the entity: its text stands in the edit."""
    steps = [s for s in edit.steps if s.operation is Operation.ATTACH and standing.policy(s.arn) is None]
    made = {s.arn for s in edit.steps if s.operation is Operation.CREATE_POLICY}
    more = tuple(
        Managed(s.arn, s.name, (Version("v1", edit.after, default=True),))
        for s in steps
        if s.arn not in made and edit.after is not None
    )
    return replace(standing, managed=(*standing.managed, *more)) if more else standing


# -- judging -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What a simulation says of one action: allowed or not, and what beside the policies stood against it."""

    allowed: bool
    by_boundary: bool = False
    by_organization: bool = False


def errors_added(old: Iterable[tuple[str, str]], new: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Errors (code, details) of a new document that the old one did not have: IAM takes some that ValidatePolicy calls so."""
    left = [code for code, _ in old]
    found: list[str] = []
    for code, details in new:
        if code in left:
            left.remove(code)
        else:
            found.append(f"{code}: {details}")
    return tuple(found)


def simulated(now: Mapping[str, Decision], then: Mapping[str, Decision]) -> tuple[bool | None, str]:
    """Whether every used action that is allowed now still is: and how many that are, in words."""
    allowed = [a for a, d in now.items() if d.allowed]
    lost = [a for a in allowed if a in then and not then[a].allowed]
    if lost:
        return False, f"used, allowed now and not afterwards: {_few(lost)}"
    unanswered = [a for a in allowed if a not in then]
    if unanswered or not now:
        return (
            None,
            "not told: no answer for some used actions"
            if unanswered
            else "not asked: no used action is known",
        )
    denied = [a for a, d in now.items() if not d.allowed]
    tail = ""
    if denied:
        tail = f"; {len(denied)} not allowed on any resource now, so not told"
        above = sum(d.by_boundary or d.by_organization for d in now.values())
        tail += f", {above} of them by a boundary or an SCP" if above else ""
    if not allowed:
        return None, f"not told: none of {len(now)} used actions is allowed on any resource now"
    return True, f"{len(allowed)} used actions stay allowed{tail}"


def _few(names: Sequence[str]) -> str:
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")


# -- as JSON -------------------------------------------------------------------------------------------------------


def dump(proof: Proof) -> str:
    """A proof as JSON."""
    return json.dumps({**asdict(proof), "at": proof.at.isoformat()}, ensure_ascii=False)


def load(text: str) -> Proof:
    """What `dump` wrote."""
    found = json.loads(text)
    answers = tuple(
        Answer(**{**a, "source": Source(a["source"]), "request_ids": tuple(a["request_ids"])})
        for a in found["answers"]
    )
    return Proof(datetime.fromisoformat(found["at"]), answers, int(found["charged"]))
