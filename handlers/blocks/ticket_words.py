"""What a plan, a step, something that moved and a failed write are called on a ticket's surfaces. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from advisor.core.model import Finding, Kind, Why
from advisor.core.removal import (
    Candidate,
    Edit,
    Kept,
    Left,
    Operation,
    Plan,
    Treatment,
)
from handlers.blocks import kit, words
from handlers.blocks.ticket_view import TicketView

SHORT = 40
"""How long a policy's name is where several stand in one sentence."""

IN_THE_DIFF = "in the diff"


# -- the whole plan ------------------------------------------------------------------------------------------------


def amount(view: TicketView) -> str:
    """19 of 25 services; 61 actions of s3; 2 of 25 services and 61 actions of 4 services; empty: nothing is lost whole."""
    plan, parts = view.plan, []
    if plan.services:
        parts.append(f"{len(plan.services):,} of {words.some(plan.granted, 'service')}")
    if plan.actions:
        of = sorted({a.partition(":")[0] for a in plan.actions})
        where = kit.clip(of[0], SHORT) if len(of) == 1 else words.some(len(of), "service")
        parts.append(f"{words.some(len(plan.actions), 'action')} of {where}")
    return " and ".join(parts)


def lost(view: TicketView) -> tuple[str, ...]:
    """The services that the plan takes and that were not given back since."""
    given = set(view.ticket.given)
    back = given | {s for e in view.plan.edits if e.policy in given for s in e.out}
    return tuple(s for s in view.plan.services if s not in back)


def asks(view: TicketView) -> str:
    """remove 19 of 25 services from DBAdminRole"""
    if view.plan.quarantine:
        return f"quarantine {view.name}"
    what = amount(view)
    if what:
        return f"remove {what} from {view.name}"
    return f"change {words.some(len(view.plan.edits), 'policy', 'policies')} of {view.name}"


def did(view: TicketView, where: str = "") -> str:
    """DBAdminRole lost 19 of 25 services; with `where`, DBAdminRole in prod."""
    who = f"{view.name} {where}".strip()
    if view.plan.quarantine:
        return f"{who} is quarantined"
    if not view.ticket.given:
        what = amount(view)
        changed = words.some(len(view.plan.edits), "policy", "policies")
        return f"{who} lost {what}" if what else f"{changed} of {who} changed"
    return f"{who} lost {len(lost(view)):,} of {words.some(view.plan.granted, 'service')}"


def whose(view: TicketView) -> str:
    """19 services; everything; 61 actions: what a sentence gives back or takes away."""
    plan = view.plan
    if plan.quarantine:
        return "everything"
    if plan.services:
        return words.some(len(plan.services), "service")
    return words.some(len(plan.actions), "action") if plan.actions else "what it had"


def how(view: TicketView, verb: str) -> str:
    """editing db-admin-inline and detaching AmazonRDSFullAccess, in the form of the verbs that is asked for."""
    edits = view.plan.edits
    parts = [f"{_VERB[e.treatment][_FORM.index(verb)]} {kit.clip(e.policy, SHORT)}" for e in edits[:2]]
    if len(edits) > 2:
        return f"{_CHANGE[_FORM.index(verb)]} {words.some(len(edits), 'policy', 'policies')}"
    return (", " if verb != "ing" else " and ").join(parts)


_FORM = ("plain", "s", "ing")
_CHANGE = ("change", "changes", "changing")
_VERB = {
    Treatment.EDIT: ("edit", "edits", "editing"),
    Treatment.DELETE: ("delete", "deletes", "deleting"),
    Treatment.VERSION: ("edit", "edits", "editing"),
    Treatment.DETACH: ("detach", "detaches", "detaching"),
    Treatment.COPY: ("replace", "replaces", "replacing"),
    Treatment.REPLACE: ("replace", "replaces", "replacing"),
    Treatment.SWAP: ("replace", "replaces", "replacing"),
    Treatment.QUARANTINE: ("attach", "attaches", "attaching"),
}


def names(found: Sequence[str], limit: int) -> str:
    """As many names as fit, and how many more; a number where nothing fits."""
    if not limit:
        return f"{len(found):,}, {IN_THE_DIFF}"
    shown: list[str] = []
    size = 0
    for name in found:
        short = kit.clip(name, kit.NAME)
        size += len(short) + 2
        if shown and (
            size > limit or (len(found) > words.NAMES_IN_FULL and len(shown) == words.NAMES_OF_MANY)
        ):
            break
        shown.append(short)
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more {IN_THE_DIFF}" if more else "")


def fitting(lines: Sequence[str], limit: int) -> list[str]:
    """As many lines as fit, at least one."""
    shown: list[str] = []
    size = 0
    for line in lines:
        size += len(line)
        if shown and size > limit:
            break
        shown.append(line)
    return shown


# -- edits ---------------------------------------------------------------------------------------------------------


def edit(
    view: TicketView, change: Edit, given: Collection[str] = (), limit: int = kit.NAME, *, done: bool = False
) -> str | None:
    """What happens, or happened, to one policy; None where it was given back whole."""
    out = [s for s in change.out if s not in given]
    if change.policy in given or (change.out and not out):
        return None
    name = kit.clip(change.policy, limit if len(view.plan.edits) < 3 else min(limit, SHORT))
    stay = len(change.stay) + len(change.out) - len(out)
    gone = [words.some(len(out), "service")] if out or not change.actions else []
    gone += [words.some(len(change.actions), "action")] if change.actions else []
    count = f"{' and '.join(gone)} out, {stay:,} {'stays' if stay == 1 else 'stay'}"
    owner = "AWS managed" if change.aws else "customer managed"
    match change.treatment:
        case Treatment.EDIT:
            return f"Edited {name}: {count}" if done else f"Edit {name} (inline policy): {count}"
        case Treatment.DELETE:
            head = f"Deleted {name}" if done else f"Delete {name} (inline policy)"
            return f"{head}: {words.some(len(out), 'service')}, nothing is left in it"
        case Treatment.VERSION:
            return f"New default version of {name}: {count}"
        case Treatment.DETACH:
            head = f"Detached {name}" if done else f"Detach {name} ({owner})"
            return f"{head}: {words.some(len(out), 'service')}"
        case Treatment.QUARANTINE:
            return f"{'Attached' if done else 'Attach'} {name} (AWS managed): denies everything"
        case _:
            instead = kit.clip(change.instead, limit)
            return _replaced(view, change, (name, instead), count, done=done)


def _replaced(view: TicketView, change: Edit, both: tuple[str, str], count: str, *, done: bool) -> str:
    verb, (name, instead) = "Replaced" if done else "Replace", both
    if change.treatment is Treatment.COPY:
        return f"{verb} {name} (shared), for this {view.entity.kind} only, by its copy {instead}: {count}"
    made = "narrower, AWS managed" if change.treatment is Treatment.SWAP else "customer managed"
    return f"{verb} {name} (AWS managed) by {instead} ({made}): {count}"


def pruned(view: TicketView, limit: int) -> list[str]:
    """The versions that have to make room, whose texts are saved."""
    steps = [s for e in view.plan.edits for s in e.steps if s.operation is Operation.DELETE_VERSION]
    return [
        f"Prune version {kit.clip(s.version, 10)} of {kit.clip(s.name, min(limit, SHORT))}, the oldest of 5 (AWS keeps 5). Its text is saved first"
        for s in steps
    ]


def reach(view: TicketView, limit: int) -> tuple[str, str] | None:
    """Whom else a change concerns, and their names; None where it is one role or user alone."""
    if view.entity.kind is Kind.GROUP:
        return "Reaches every member of the group", ""
    holders = sorted(
        {h for e in view.plan.edits for h in e.holders} - {f"{view.entity.kind}/{view.entity.name}"}
    )
    if not holders:
        return (
            ("Reaches nobody", ": the policy is attached to nothing")
            if view.entity.kind is Kind.POLICY
            else None
        )
    kinds = Counter(h.partition("/")[0] for h in holders)
    direct = kinds["role"] + kinds["user"]
    count = words.some(direct, "user or role", "users and roles") if direct else ""
    via = f"every member of {words.some(kinds['group'], 'group')}" if kinds["group"] else ""
    told = names([h.replace("/", " ", 1) for h in holders], limit)
    return f"Reaches {' and '.join(x for x in (count, via) if x)}", f": {told}"


def asked(candidate: Candidate) -> str:
    """One thing that a person ticked although the report alone does not say so, and what speaks against it."""
    finding = candidate.asks
    things = candidate.actions or candidate.services
    what = (
        names(things, 80)
        if len(things) < 4
        else f"{words.some(len(things), _noun(candidate))} of {kit.clip(candidate.policy, SHORT)}"
    )
    if candidate.untracked:
        return f"{what}: AWS does not track whether they are used"
    if finding is None:
        return what
    if finding.why is Why.STALE and finding.last_at:
        days = f", {words.some(finding.days, 'day')} before the report" if finding.days is not None else ""
        return f"{what}: stale, last attempt {kit.day(finding.last_at)}{days}"
    return f"{what}: {words.why(finding)}"


def closes(plan: Plan, limit: int) -> list[str]:
    """The known escalations that end with a plan, by what they could do; a number where there is no room to say it."""
    by_power: dict[str, list[str]] = {}
    for each in plan.closes:
        by_power.setdefault(each.could, []).append(each.name)
    if by_power and limit < _ONE_WAY:
        return [f"{words.some(len(plan.closes), 'known escalation')}, {IN_THE_DIFF}"]
    found = [f"{_ways(ways, limit - len(could))}: {could}" for could, ways in by_power.items()]
    shown = fitting(found, limit)
    more = sum(len(ways) for ways in list(by_power.values())[len(shown) :])
    return [*shown, f"{words.some(more, 'more known escalation')}, {IN_THE_DIFF}"] if more else shown


_ONE_WAY = 100
"""Characters that the name of one escalation, and what it could do, need."""


def _ways(found: Sequence[str], limit: int) -> str:
    """Names of escalations, whole: they are ours, and a cut one would name another."""
    shown = fitting(found, limit)
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more} more {IN_THE_DIFF}" if more else "")


def _noun(candidate: Candidate) -> str:
    return "action" if candidate.actions else "service"


_KEPT = {
    Kept.NOT_ACTION: "granted by NotAction in",
    Kept.UNREADABLE: "in a statement that the bot cannot read, in",
    Kept.UNKNOWN: "the bot does not know all its actions; granted by",
    Kept.SIZE: "the new text would be too long for AWS, in",
    Kept.ATTACHMENTS: "no room for one more policy, beside",
    Kept.BOUNDARY: "somebody’s permissions boundary is",
    Kept.SHARED: "also granted by the shared policy",
    Kept.GROUP: "also granted through the group policy",
    Kept.AWS_MANAGED: "also granted by AWS’s policy",
    Kept.EMPTY: "nothing would be left of",
}


def left(found: Iterable[Left], limit: int) -> str:
    """What was chosen and stays: lambda, sqs (also granted by the shared policy DBTools)."""
    by_reason: dict[str, list[str]] = {}
    for one in found:
        what = "everything" if one.what == "*" else one.what
        by_reason.setdefault(f"{_KEPT[one.why]} {kit.clip(one.policy, SHORT)}", []).append(what)
    return joined(by_reason, limit)


def stays(found: Iterable[Finding], limit: int) -> str:
    """dynamodb, s3 (used) · kms (kept until 2027-01-31)"""
    by_reason: dict[str, list[str]] = {}
    for one in found:
        by_reason.setdefault(words.why(one), []).append(one.service)
    return joined(by_reason, limit)


def joined(by_reason: dict[str, list[str]], limit: int) -> str:
    """Names with their reason in brackets, as many as fit; a number where nothing fits."""
    if not limit:
        return names(sorted({name for group in by_reason.values() for name in group}), 0)
    shown: list[str] = []
    size = 0
    for reason, group in by_reason.items():
        part = f"{names(sorted(set(group)), max(60, limit // 2))} ({reason})"
        size += len(part) + 3
        if shown and size > limit:
            break
        shown.append(part)
    more = len(by_reason) - len(shown)
    return " · ".join(shown) + (f" · and {words.some(more, 'more reason')}" if more else "")
