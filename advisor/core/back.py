"""The way back of a change, whole or in part, and what is left to do of one that was held. Pure.

A document that only got shorter can get single services or actions back: what it then reads lies between the saved text
and the one that was written. What went whole comes back whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from advisor.core.hold import lift, narrow, standing_hold
from advisor.core.policy import Catalogue
from advisor.core.removal import (
    TOGETHER,
    VERSIONS,
    Edit,
    Entry,
    Managed,
    Operation,
    Plan,
    Standing,
    Step,
    Treatment,
    Version,
)
from advisor.core.rewrite import Cut, rewrite
from advisor.core.standing import remaining


def restorable(edit: Edit) -> frozenset[str]:
    """The services that can come back singly: those that went from this policy, whole or in part."""
    parts = {a.partition(":")[0] for a in edit.cut.actions}
    return frozenset(edit.out) | parts


def _chosen(edit: Edit, keys: Collection[str]) -> frozenset[str]:
    """What of these keys can come back from one document: services, and single actions that were cut."""
    return frozenset(keys) & (restorable(edit) | edit.cut.actions)


def way_back(
    plan: Plan, entries: Sequence[Entry], catalogue: Catalogue, services: Collection[str] = ()
) -> tuple[Step, ...]:
    """The writes that give back everything, or (`services`) only some, newest edit first; empty where nothing is to do.

    A key of `services` is a service's name, a single action or, for what goes back only whole, the name of its policy.
    While a hold stands, a part is given back by narrowing it; the whole begins with lifting it.
    """
    now = remaining(plan, entries)
    if plan.hold and plan.quarantine:
        return lift(plan, now)
    if services and standing_hold(plan, now) is not None:
        return narrow(plan, now, services)
    steps: list[Step] = list(lift(plan, now))
    for edit in reversed(plan.edits):
        if services and edit.treatment in TOGETHER:
            if edit.policy not in services:
                continue
            chosen: Collection[str] = ()
        else:
            chosen = _chosen(edit, services)
            if services and not chosen:
                continue
        steps += _back(plan, edit, now, chosen, catalogue)
    return tuple(steps)


def _back(plan: Plan, edit: Edit, now: Standing, chosen: Collection[str], catalogue: Catalogue) -> list[Step]:
    match edit.treatment:
        case Treatment.EDIT | Treatment.DELETE:
            live, saved = now.text(edit.policy), plan.basis.text(edit.policy)
            aim = goal(edit, chosen, catalogue)[0] if chosen else saved
            if live == aim:
                return []
            return [Step(Operation.PUT, edit.policy, before=live, after=aim)]
        case Treatment.VERSION:
            return _back_version(plan, edit, now, chosen, catalogue)
        case Treatment.QUARANTINE:
            arn = edit.steps[0].arn
            return [Step(Operation.DETACH, edit.policy, arn)] if arn in now.attached else []
        case _:
            return _back_attachment(edit, now)


def goal(edit: Edit, back: Collection[str], catalogue: Catalogue) -> tuple[str | None, Cut]:
    """The saved document without what stays taken, and what that is: it lies between live and saved by construction."""
    still = replace(
        edit.cut,
        services=edit.cut.services - frozenset(back),
        actions=frozenset(a for a in edit.cut.actions if a not in back and a.partition(":")[0] not in back),
    )
    return rewrite(edit.before or "", still, catalogue).after, still


def _back_version(
    plan: Plan, edit: Edit, now: Standing, chosen: Collection[str], catalogue: Catalogue
) -> list[Step]:
    policy, was = now.policy(edit.arn), plan.basis.policy(edit.arn)
    if policy is None or was is None:
        return []
    live = policy.default
    pruned, ours = _pruned(was, policy)
    aim = goal(edit, chosen, catalogue)[0] if chosen else was.default.text
    if aim is None or (live.text == aim and not ours and not pruned):
        return []
    steps: list[Step] = []
    if not chosen and policy.version(was.default.id):
        if live.id != was.default.id:
            steps.append(Step(Operation.SET_DEFAULT, edit.policy, edit.arn, live.text, aim, was.default.id))
    elif live.text != aim:
        if len(policy.versions) >= VERSIONS:
            oldest = next(v for v in policy.versions if not v.default)
            steps.append(Step(Operation.DELETE_VERSION, edit.policy, edit.arn, oldest.text, None, oldest.id))
            ours = [v for v in ours if v.id != oldest.id]
        steps.append(Step(Operation.CREATE_VERSION, edit.policy, edit.arn, live.text, aim, live.id))
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


# -- after a hold -----------------------------------------------------------------------------------------------------


def narrowed(plan: Plan, given: Collection[str], catalogue: Catalogue) -> Plan:
    """The plan without what was given back while it was held: it takes less, and never anything else.

    A policy that goes only whole stays whole where one of its services was given back.
    """
    if not given:
        return plan
    edits = tuple(e for edit in plan.edits if (e := _narrowed(edit, given, catalogue)))
    stays = {s for e in plan.edits if e.treatment in TOGETHER and e not in edits for s in e.out} | set(given)
    return replace(
        plan,
        edits=edits,
        services=tuple(s for s in plan.services if s not in stays),
        actions=tuple(a for a in plan.actions if a not in stays and a.partition(":")[0] not in stays),
    )


def given_in_all(plan: Plan, given: Collection[str]) -> frozenset[str]:
    """What was given back while it was held, and the policies that therefore stay whole."""
    stays = {e.policy for e in plan.edits if e.treatment in TOGETHER and set(e.out) & set(given)}
    return frozenset(given) | stays


def _narrowed(edit: Edit, given: Collection[str], catalogue: Catalogue) -> Edit | None:
    """One edit, or None where nothing of it is left to do."""
    if edit.treatment in TOGETHER:
        return None if edit.policy in given or set(edit.out) & set(given) else edit
    after, cut = goal(edit, given, catalogue)
    if after == edit.before:
        return None
    last = edit.steps[-1]
    if after is not None and last.operation is not Operation.CREATE_VERSION:
        last = replace(last, operation=Operation.PUT)
    treatment = Treatment.EDIT if edit.treatment is Treatment.DELETE and after is not None else edit.treatment
    return replace(
        edit,
        treatment=treatment,
        steps=(*edit.steps[:-1], replace(last, after=after)),
        cut=cut,
        after=after,
        out=tuple(s for s in edit.out if s not in given),
        actions=tuple(a for a in edit.actions if a not in given and a.partition(":")[0] not in given),
    )


def rest(
    plan: Plan, entries: Sequence[Entry], given: Collection[str], catalogue: Catalogue
) -> tuple[Step, ...]:
    """The writes of the second stage: what the plan still takes, and last the hold goes."""
    if plan.quarantine:
        return ()
    return (*narrowed(plan, given, catalogue).steps, *lift(plan, remaining(plan, entries)))
