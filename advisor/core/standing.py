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

from advisor.core.policy import Catalogue
from advisor.core.removal import (
    TOGETHER,
    VERSIONS,
    Edit,
    Entry,
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
from advisor.core.rewrite import rewrite


class Found(StrEnum):
    """What live IAM shows of one write."""

    BEFORE = "before"
    AFTER = "after"
    OTHER = "other"


def fingerprint(basis: Standing, steps: Sequence[Step]) -> str:
    """What an approval is for: everything the plan rests on and every write, hashed (SHA-256, hex)."""
    return hashlib.sha256(fingerprinted(basis, steps).encode()).hexdigest()


def fingerprinted(basis: Standing, steps: Sequence[Step]) -> str:
    """The text that a fingerprint is the hash of."""
    told = {
        "unique_id": basis.entity.unique_id,
        "inline": basis.inline,
        "attached": basis.attached,
        "groups": basis.groups,
        "boundary": basis.boundary,
        "managed": [asdict(m) for m in basis.managed],
        "steps": [asdict(s) for s in steps],
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


def restorable(edit: Edit) -> frozenset[str]:
    """The services that can come back singly: those that went from this policy, whole or in part."""
    parts = {a.partition(":")[0] for a in edit.cut.actions}
    return frozenset(edit.out) | parts


def way_back(
    plan: Plan, entries: Sequence[Entry], catalogue: Catalogue, services: Collection[str] = ()
) -> tuple[Step, ...]:
    """The writes that give back everything, or (`services`) only some, newest edit first; empty where nothing is to do.

    A key of `services` is a service's name or, for what goes back only whole, the name of its policy.
    """
    now = remaining(plan, entries)
    steps: list[Step] = []
    for edit in reversed(plan.edits):
        if services and edit.treatment in TOGETHER:
            if edit.policy not in services:
                continue
            chosen: Collection[str] = ()
        else:
            chosen = set(services) & restorable(edit) if services else ()
            if services and not chosen:
                continue
        steps += _back(plan, edit, now, chosen, catalogue)
    return tuple(steps)


def _back(plan: Plan, edit: Edit, now: Standing, chosen: Collection[str], catalogue: Catalogue) -> list[Step]:
    match edit.treatment:
        case Treatment.EDIT | Treatment.DELETE:
            live, saved = now.text(edit.policy), plan.basis.text(edit.policy)
            goal = _goal(edit, chosen, catalogue) if chosen else saved
            if live == goal:
                return []
            return [Step(Operation.PUT, edit.policy, before=live, after=goal)]
        case Treatment.VERSION:
            return _back_version(plan, edit, now, chosen, catalogue)
        case Treatment.QUARANTINE:
            arn = edit.steps[0].arn
            return [Step(Operation.DETACH, edit.policy, arn)] if arn in now.attached else []
        case _:
            return _back_attachment(edit, now)


def _goal(edit: Edit, chosen: Collection[str], catalogue: Catalogue) -> str | None:
    """The saved document without what stays taken: it lies between live and saved by construction."""
    still = replace(
        edit.cut,
        services=edit.cut.services - frozenset(chosen),
        actions=frozenset(a for a in edit.cut.actions if a.partition(":")[0] not in chosen),
    )
    return rewrite(edit.before or "", still, catalogue).after


def _back_version(
    plan: Plan, edit: Edit, now: Standing, chosen: Collection[str], catalogue: Catalogue
) -> list[Step]:
    policy, was = now.policy(edit.arn), plan.basis.policy(edit.arn)
    if policy is None or was is None:
        return []
    live = policy.default
    pruned, ours = _pruned(was, policy)
    goal = _goal(edit, chosen, catalogue) if chosen else was.default.text
    if goal is None or (live.text == goal and not ours and not pruned):
        return []
    steps: list[Step] = []
    if not chosen and policy.version(was.default.id):
        if live.id != was.default.id:
            steps.append(Step(Operation.SET_DEFAULT, edit.policy, edit.arn, live.text, goal, was.default.id))
    elif live.text != goal:
        if len(policy.versions) >= VERSIONS:
            oldest = next(v for v in policy.versions if not v.default)
            steps.append(Step(Operation.DELETE_VERSION, edit.policy, edit.arn, oldest.text, None, oldest.id))
            ours = [v for v in ours if v.id != oldest.id]
        steps.append(Step(Operation.CREATE_VERSION, edit.policy, edit.arn, live.text, goal, live.id))
    else:  # one that an earlier way back made is the goal already, and stays in force
        ours = [v for v in ours if v.id != live.id]
    steps += [Step(Operation.DELETE_VERSION, edit.policy, edit.arn, v.text, None, v.id) for v in ours]
    if not chosen:  # what made room for our version comes back; its number is AWS's to give
        steps += [
            Step(Operation.CREATE_VERSION, edit.policy, edit.arn, None, v.text, v.id, default=False)
            for v in pruned
        ]
    return steps


def _pruned(was: Managed, now: Managed) -> tuple[list[Version], list[Version]]:
    """The versions that are gone (the default apart), and those of now that we made.

    One that came back under a new number is neither.
    """
    gone = [v for v in was.versions if now.version(v.id) is None and v.id != was.default.id]
    ours: list[Version] = []
    for version in (v for v in now.versions if was.version(v.id) is None):
        same = next((g for g in gone if g.text == version.text and not version.default), None)
        if same is None:
            ours.append(version)
        else:
            gone.remove(same)
    return gone, ours


def _back_attachment(edit: Edit, now: Standing) -> list[Step]:
    steps: list[Step] = []
    if edit.arn not in now.attached:
        steps.append(Step(Operation.ATTACH, edit.policy, edit.arn))
    for step in reversed(edit.steps):
        if step.operation is Operation.ATTACH and step.arn in now.attached:
            steps.append(Step(Operation.DETACH, step.name, step.arn))
        if step.operation is Operation.CREATE_POLICY and now.policy(step.arn):
            steps.append(Step(Operation.DELETE_POLICY, step.name, step.arn, step.after))
    return steps


def whole(plan: Plan, entries: Iterable[Entry]) -> bool:
    """Whether everything that the plan took is back."""
    now = remaining(plan, entries)
    same = (now.inline, now.attached) == (plan.basis.inline, plan.basis.attached)
    texts = [(m.arn, m.default.text) for m in plan.basis.managed]
    return same and all((p := now.policy(a)) is not None and p.default.text == t for a, t in texts)
