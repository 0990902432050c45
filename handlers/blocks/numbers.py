"""The four lines of numbers on a finished card. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advisor.core.model import (
    Finding,
    Granularity,
    Kind,
    Usage,
)
from handlers.blocks import kit, risk, words
from handlers.blocks.kit import Part
from handlers.blocks.view import AuditView


def lines(view: AuditView) -> Any:
    """Used, stale, no attempt seen, cannot be told: a line each."""
    if view.request.asked.granularity is Granularity.ACTION:
        return kit.section(*_action_lines(view))
    of_each = (_used(view), _stale(view), _never(view), _untold(view), risk.line(view))
    found = [line for line in of_each if line]
    return (
        kit.section(*_joined(found))
        if found
        else kit.section(kit.text("The report lists no service: nothing is granted, or a Deny cancels it."))
    )


def _joined(lines: Sequence[Sequence[Part]]) -> list[Part]:
    out: list[Part] = []
    for n, line in enumerate(lines):
        out += [kit.text("\n"), *line] if n else list(line)
    return out


def _start(icon: str, count: str) -> list[Part]:
    return [kit.emoji(icon), kit.text(f" {count}", bold=True), kit.text("  ")]


def _by(view: AuditView, finding: Finding, first: bool) -> str:
    """By how many, for a group or a policy."""
    reach = view.snapshot.reach if view.snapshot else 0
    if view.entity and view.entity.kind is Kind.GROUP:
        return (
            f" by {finding.entities} of {words.some(reach, 'member')}"
            if first
            else f" {finding.entities} of {reach}"
        )
    return (
        f" by {finding.entities} of {words.some(reach, 'user or role', 'users and roles')}"
        if first
        else f" {finding.entities}"
    )


def shared(view: AuditView) -> bool:
    """Whether the numbers are of several people: a group or a policy."""
    return view.entity is not None and view.entity.kind in {Kind.GROUP, Kind.POLICY}


def _used(view: AuditView) -> list[Part]:
    used = view.summary.of(Usage.USED)
    if not used:
        return []
    parts = _start("large_green_circle", f"{len(used):,} used")
    shown = used[: words.NAMES_OF_MANY]
    many = len(used) > len(shown)
    for n, finding in enumerate(shown):
        parts += [kit.text(", " if many else " · ")] if n else []
        parts.append(kit.code(finding.service))
        if shared(view):
            parts.append(kit.text(_by(view, finding, n == 0)))
        elif finding.last_at and (not many or n == 0):
            parts += [kit.text(" "), kit.date(finding.last_at)]
            parts.append(kit.text(_ago(finding.days or 0, first=n == 0)))
    if many:
        parts.append(kit.text(f" and {len(used) - len(shown)} more"))
    return parts


def _ago(days: int, *, first: bool) -> str:
    """How long before the report, which is never said as "ago": a card is read for years."""
    if not days:
        return ", the day of the report"
    return f", {words.some(days, 'day')}" + (" before the report" if first else "")


def _stale(view: AuditView) -> list[Part]:
    stale = view.summary.of(Usage.STALE)
    if not stale:
        return []
    parts = _start("large_yellow_circle", f"{len(stale):,} stale")
    if len(stale) > 3:  # three with dates fit a line
        parts.append(kit.text("latest: "))
    shown = stale[:1] if len(stale) > 3 else stale
    for n, finding in enumerate(shown):
        parts += [kit.text(" · ")] if n else []
        parts.append(kit.code(finding.service))
        parts.append(kit.text(_by(view, finding, n == 0) + ", " if shared(view) else " "))
        if finding.last_at:
            parts += [kit.date(finding.last_at), kit.text(f", {words.some(finding.days or 0, 'day')}")]
    parts.append(kit.text(": used, but before the window"))
    return parts


def _never(view: AuditView) -> list[Part]:
    never = view.summary.of(Usage.NEVER)
    if not never:
        return []
    parts = _start("white_circle", f"{len(never):,} no attempt seen")
    if len(never) <= 3 and not shared(view):
        for finding in never:
            parts += [kit.code(finding.service), kit.text(", ")]
    entity, report = view.entity, view.report
    if view.summary.young_until and entity and entity.created_at and report:
        days = words.some(max(0, (report.created_at - entity.created_at).days), "day")
        parts.append(kit.text(f"in the {days} since it was made"))
    else:
        whom = (
            {Kind.GROUP: "by any member, ", Kind.POLICY: "by anybody who has it, "}.get(entity.kind, "")
            if entity
            else ""
        )
        parts.append(kit.text(f"{whom}in up to 400 days of tracking"))
    return parts


def _untold(view: AuditView) -> list[Part]:
    untold = view.summary.of(Usage.UNTRACKED)
    if not untold:
        return []
    parts = _start("grey_question", f"{len(untold):,} more cannot be told")
    parts.append(kit.text(f"{words.listed([f.service for f in untold])}: granted, but AWS does not track it"))
    return parts


def _action_lines(view: AuditView) -> list[Part]:
    actions = view.summary.actions
    lines: list[list[Part]] = []
    used = [f for f in actions if f.usage is Usage.USED]
    if used:
        by_service: dict[str, list[Finding]] = {}
        for finding in used:
            by_service.setdefault(finding.service, []).append(finding)
        parts = _start("large_green_circle", f"{len(used):,} used")
        for n, (service, found) in enumerate(list(by_service.items())[: words.NAMES_OF_MANY]):
            latest = max(f.last_at for f in found if f.last_at)
            parts += [kit.text(" · ")] if n else []
            parts += [
                kit.code(service),
                kit.text(f" {words.some(len(found), 'action')}, latest "),
                kit.date(latest),
            ]
        lines.append(parts)
    for usage, icon, label, note in (
        (Usage.STALE, "large_yellow_circle", "stale", "attempted, but before the window"),
        (
            Usage.NEVER,
            "white_circle",
            "no attempt seen",
            "since tracking of each action began (s3: Apr 2020, others later)",
        ),
        (Usage.UNTRACKED, "grey_question", "cannot be told", "granted, but AWS does not track them"),
    ):
        count = sum(f.usage is usage for f in actions)
        if count:
            lines.append([*_start(icon, f"{count:,} {label}"), kit.text(note)])
    if not lines:
        return [kit.text("The report lists no tracked action.")]
    privileged = risk.line(view)
    return _joined([*lines, privileged] if privileged else lines)
