"""What a write makes of what stands, what moved since, and the way back. Pure.

Every write is judged by looking: `found` says whether live IAM shows the state before it, the state after it, or
something that nobody planned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from enum import StrEnum

from advisor.core.removal import (
    Edit,
    Entry,
    Hold,
    Managed,
    Moved,
    Operation,
    Plan,
    Standing,
    Step,
    StepState,
    Treatment,
    Version,
)


class Found(StrEnum):
    """What live IAM shows of one write."""

    BEFORE = "before"
    AFTER = "after"
    OTHER = "other"


def fingerprint(basis: Standing, steps: Sequence[Step], hold: Hold | None = None) -> str:
    """What an approval is for: everything the plan rests on and every write, hashed (SHA-256, hex)."""
    return hashlib.sha256(fingerprinted(basis, steps, hold).encode()).hexdigest()


def fingerprinted(basis: Standing, steps: Sequence[Step], hold: Hold | None = None) -> str:
    """The text that a fingerprint is the hash of. Without a hold it says nothing of one."""
    told = {
        "unique_id": basis.entity.unique_id,
        "inline": basis.inline,
        "attached": basis.attached,
        "groups": basis.groups,
        "boundary": basis.boundary,
        "managed": [asdict(m) for m in basis.managed],
        "steps": [asdict(s) for s in steps],
        **({"hold": {"days": hold.days, "lay": [asdict(s) for s in hold.lay]}} if hold else {}),
    }
    return json.dumps(told, sort_keys=True, ensure_ascii=False)


def basis_of(standing: Standing, edits: Iterable[Edit]) -> Standing:
    """What a plan rests on: of managed policies only those that it touches, whole where it changes their text."""
    edits = tuple(edits)
    changed = {e.arn for e in edits if e.treatment is Treatment.VERSION}
    touched = {e.arn for e in edits if e.arn}
    managed = tuple(
        m if m.arn in changed else replace(m, versions=(m.default,), holders=(), boundary_of=0, tags=())
        for m in standing.managed
        if m.arn in touched
    )
    return replace(standing, managed=managed, elsewhere=())


def after(standing: Standing, step: Step, made: str = "") -> Standing:
    """What stands once a write has taken place. `made` is the id of a version that it made."""
    match step.operation:
        case Operation.PUT | Operation.DELETE:
            rest = [(n, t) for n, t in standing.inline if n != step.name]
            if step.after is not None:
                rest.append((step.name, step.after))
            return replace(standing, inline=tuple(sorted(rest)))
        case Operation.ATTACH:
            return replace(standing, attached=tuple(sorted({*standing.attached, step.arn})))
        case Operation.DETACH:
            return replace(standing, attached=tuple(a for a in standing.attached if a != step.arn))
        case Operation.CREATE_POLICY:
            policy = Managed(step.arn, step.name, (Version("v1", step.after or "", default=True),), step.path)
            return replace(standing, managed=(*standing.managed, policy))
        case Operation.DELETE_POLICY:
            return replace(standing, managed=tuple(m for m in standing.managed if m.arn != step.arn))
        case _:
            return replace(standing, managed=tuple(_versioned(m, step, made) for m in standing.managed))


def _versioned(policy: Managed, step: Step, made: str) -> Managed:
    if policy.arn != step.arn:
        return policy
    versions = policy.versions
    if step.operation is Operation.DELETE_VERSION:
        return replace(policy, versions=tuple(v for v in versions if v.id != step.version))
    if step.operation is Operation.SET_DEFAULT:
        return replace(policy, versions=tuple(replace(v, default=v.id == step.version) for v in versions))
    if step.default:
        versions = tuple(replace(v, default=False) for v in versions)
    return replace(policy, versions=(*versions, Version(made, step.after or "", step.default)))


def found(live: Standing, step: Step, known: Collection[str] = ()) -> tuple[Found, str]:
    """Whether a write has taken place, by looking; and the id of the version that it made.

    `known` are the ids of a policy's versions before the write: one more with the same text is the one it made.
    """
    match step.operation:
        case Operation.PUT | Operation.DELETE:
            text = live.text(step.name)
            if text == step.after:
                return Found.AFTER, ""
            return (Found.BEFORE if text == step.before else Found.OTHER), ""
        case Operation.ATTACH:
            return (Found.AFTER if step.arn in live.attached else Found.BEFORE), ""
        case Operation.DETACH:
            return (Found.BEFORE if step.arn in live.attached else Found.AFTER), ""
        case _:
            return _found_managed(live.policy(step.arn), step, known)


def _found_managed(policy: Managed | None, step: Step, known: Collection[str]) -> tuple[Found, str]:
    if step.operation is Operation.CREATE_POLICY:
        if policy is None:
            return Found.BEFORE, ""
        return (Found.AFTER if policy.default.text == step.after else Found.OTHER), policy.arn
    if step.operation is Operation.DELETE_POLICY:
        return _found_gone(policy, step), ""
    if policy is None:
        return Found.OTHER, ""
    if step.operation is Operation.DELETE_VERSION:
        version = policy.version(step.version)
        if version is None:
            return Found.AFTER, ""
        untouched = version.text == step.before and not version.default
        return (Found.BEFORE if untouched else Found.OTHER), ""
    if step.operation is Operation.SET_DEFAULT:
        if policy.default.id == step.version:
            return Found.AFTER, ""
        there = policy.version(step.version) is not None and policy.default.text == step.before
        return (Found.BEFORE if there else Found.OTHER), ""
    new = [v for v in policy.versions if v.id not in known and v.text == step.after]
    if new and (new[-1].default or not step.default):
        return Found.AFTER, new[-1].id
    same = policy.default.text == step.before if step.default else True
    return (Found.BEFORE if same and not new else Found.OTHER), ""


def _found_gone(policy: Managed | None, step: Step) -> Found:
    if policy is None:
        return Found.AFTER
    ours = len(policy.versions) == 1 and policy.default.text == step.before and not policy.holders
    return Found.BEFORE if ours else Found.OTHER


def moved(expected: Standing, live: Standing) -> tuple[Moved, ...]:
    """What is not as expected, of everything that a plan rests on."""
    if live.entity.unique_id != expected.entity.unique_id:
        return (Moved("recreated", live.entity.name),)
    told: list[Moved] = []
    old, new = dict(expected.inline), dict(live.inline)
    told += [Moved("inline", n, "edited") for n in sorted(old.keys() & new.keys()) if old[n] != new[n]]
    told += [Moved("inline", n, "gone") for n in sorted(old.keys() - new.keys())]
    told += [Moved("inline", n, "new") for n in sorted(new.keys() - old.keys())]
    attached, was = set(live.attached), set(expected.attached)
    told += [Moved("attached", a.rpartition("/")[2], "attached") for a in sorted(attached - was)]
    told += [Moved("attached", a.rpartition("/")[2], "detached") for a in sorted(was - attached)]
    if live.groups != expected.groups:
        told.append(Moved("groups", ", ".join(live.groups), ", ".join(expected.groups)))
    if live.boundary != expected.boundary:
        told.append(Moved("boundary", live.boundary.rpartition("/")[2]))
    for policy in expected.managed:
        told += _moved_policy(policy, live.policy(policy.arn))
    return tuple(told)


def _moved_policy(was: Managed, now: Managed | None) -> list[Moved]:
    if now is None:
        return [Moved("version", was.name, "gone")]
    told: list[Moved] = []
    if (now.default.id, now.default.text) != (was.default.id, was.default.text):
        told.append(Moved("version", was.name, f"{was.default.id} is not the default, {now.default.id} is"))
    if len(was.versions) > 1 or was.holders or was.boundary_of:  # its text changes: see basis_of
        if now.holders != was.holders:
            told.append(Moved("holders", was.name, ", ".join(sorted(set(now.holders) ^ set(was.holders)))))
        if now.boundary_of != was.boundary_of:
            told.append(Moved("boundary", was.name))
        if [v.id for v in now.versions] != [v.id for v in was.versions] and not told:
            told.append(Moved("version", was.name, "its other versions"))
    return told


def may_be_there(entry: Entry) -> bool:
    """Whether a write took place, or may have: AWS took it, or looking told neither the one nor the other."""
    unseen = entry.failure is not None and entry.failure.code == "unseen"
    return entry.state in {StepState.DONE, StepState.BEGUN} or unseen or bool(entry.request_id)


# -- the way back --------------------------------------------------------------------------------------------------


def remaining(plan: Plan, entries: Iterable[Entry]) -> Standing:
    """What the journal says that stands now: the basis with every confirmed write."""
    standing = plan.basis
    for entry in entries:
        if entry.state is StepState.DONE:
            standing = after(standing, entry.step, entry.made)
    return standing
