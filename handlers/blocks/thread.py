"""What goes to the thread of an audit card: all services, actions, who used what, what grants it, history. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from advisor.core.model import (
    EntityUse,
    Failure,
    Finding,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Report,
    Snapshot,
    Summary,
    Usage,
)
from advisor.core.report import Difference, usage_of
from handlers.blocks import kit, words
from handlers.blocks.kit import Json, Message, Part
from handlers.blocks.view import AuditView

ROWS = 99
"""Rows below the head of a table at most (a table block holds 100, docs.slack.dev)."""

_LARGE = 100
_NOTE = "“No attempt” means none seen in up to 400 days of tracking. Days count back from the report of "


def services(view: AuditView, rung: int) -> Message:
    """Every service of a result: a data table, then a table, then fixed-width text."""
    report = _report(view)
    if view.request.asked.granularity is Granularity.ACTION:
        return actions(view, rung)
    rows = view.summary.findings
    wanted = [f for f in rows if f.last_at or len(rows) <= _LARGE][:ROWS]
    heads = ["Service", "Use", "What happens", "Last attempt (UTC)", "Days before", "Granted by"]
    cells = [
        [
            kit.cell(f.service),
            kit.cell(words.USE[f.usage]),
            kit.cell(words.fate(f), 80),
            kit.cell(f.last_at.date().isoformat() if f.last_at else ""),
            kit.number(f.days) if f.days is not None else kit.cell(""),
            kit.cell(", ".join(f.policies), 60),
        ]
        for f in wanted
    ]
    settings = [kit.WIDE, kit.WIDE, kit.WRAPPED, kit.WIDE, kit.RIGHT, kit.WIDE]
    drawn, count = rungs(f"Services of {view.name}", heads, cells, settings, rung)
    left = _left_out(rows, count)
    lead = [kit.rich(kit.section(kit.text(left)))] if left else []
    blocks: list[Any] = [*lead, *drawn, kit.small(_NOTE + kit.minute(report.created_at) + ".")]
    used = ", ".join(
        f"{f.service} {words.USE[f.usage].lower()} {kit.day(f.last_at)}" for f in rows[:3] if f.last_at
    )
    untold = len(view.summary.of(Usage.UNTRACKED))
    text = f"All {view.summary.granted:,} services of {view.name} {view.where}, latest use first" + (
        f": {used}." if used else "."
    )
    return Message(text + (f" {untold} more cannot be told." if untold else ""), blocks)


def _left_out(rows: Sequence[Finding], shown: int) -> str:
    """What the table does not hold, by what is known of it: an untold service had not "no attempt"."""
    counts = Counter(f.usage for f in rows[shown:])
    tried = sum(f.last_at is not None for f in rows)
    granted = sum(f.usage is not Usage.UNTRACKED for f in rows)
    parts = [
        f"{n:,} {what}"
        for n, what in (
            (counts[Usage.USED] + counts[Usage.STALE], "with an attempt"),
            (counts[Usage.NEVER], "with no attempt seen in up to 400 days"),
            (counts[Usage.UNTRACKED], "that cannot be told"),
        )
        if n
    ]
    if not parts:
        return ""
    left = f"{len(rows) - shown:,} more rows are in the CSV, not here: {', '.join(parts)}."
    return f"{tried:,} of {granted:,} services had any attempt. {left}"


def rungs(
    title: str, heads: Sequence[str], rows: list[list[Json]], settings: Sequence[Json], rung: int
) -> tuple[list[Any], int]:
    """The same rows in the richest form that Slack has not refused yet, and how many of them it holds."""
    if not rows:
        return [kit.rich(kit.section(kit.text("No rows.")))], 0
    kept = kit.within(rows, 8_500)
    if rung == 0:
        return [kit.data_table(title, heads, kept)], len(kept)
    if rung == 1:
        return [kit.table(heads, kept, settings)], len(kept)
    lines = [[kit.clip(str(c["text"]), 30) for c in row] for row in rows]
    widths = [max(len(h), *(len(line[n]) for line in lines)) for n, h in enumerate(heads)]
    drawn = [
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
        for line in [list(heads), *lines]
    ]
    size, count = len(drawn[0]), 0
    for line in drawn[1:]:
        size += len(line) + 1
        if size > 8_500:  # a reply is cut at a whole row below 9,000 characters
            break
        count += 1
    text = "\n".join(drawn[: count + 1])
    return [kit.rich(kit.section(kit.text(title, bold=True)), kit.preformatted(text))], count


def actions(view: AuditView, rung: int) -> Message:
    """An action-level report, counted by service."""
    found = view.summary.actions
    by_service: dict[str, list[Finding]] = {}
    for finding in found:
        by_service.setdefault(finding.service, []).append(finding)
    order = sorted(by_service.items(), key=lambda kv: (-sum(f.usage is Usage.USED for f in kv[1]), kv[0]))
    heads = ["Service", f"Used in {view.days} days", "Stale", "No attempt", "Not tracked", "Last (UTC)"]
    cells = []
    for service, rows in order[:ROWS]:
        by_use = Counter(f.usage for f in rows)
        last = max((f.last_at for f in rows if f.last_at), default=None)
        numbers = [kit.number(by_use[u]) for u in (Usage.USED, Usage.STALE, Usage.NEVER, Usage.UNTRACKED)]
        cells.append([kit.cell(service), *numbers, kit.cell(last.date().isoformat() if last else "")])
    total = Counter(f.usage for f in found)
    lead = kit.rich(
        kit.section(
            kit.text(f"Actions of {view.name}. ", bold=True),
            kit.text("“Not tracked” cannot be told from “used”, so those always stay."),
        )
    )
    settings = [kit.WIDE, kit.RIGHT, kit.RIGHT, kit.RIGHT, kit.RIGHT, kit.WIDE]
    drawn, count = rungs(f"Actions of {view.name}", heads, cells, settings, rung)
    blocks: list[Any] = [lead, *drawn]
    used = [f"{f.service}:{f.action}" for f in found if f.usage is Usage.USED]
    if used:
        blocks.append(kit.rich(kit.bullets([kit.labelled("Used: ", words.listed(used, "in the CSV"))])))
    more = f" {len(order) - count} more services are in the CSV." if len(order) > count else ""
    blocks.append(
        kit.small(
            f"Report of {kit.minute(_report(view).created_at)}. Export CSV on an action-level card lists every action.{more}"
        )
    )
    text = (
        f"{view.name} {view.where} at action level: {total[Usage.USED]:,} tracked actions used in {view.days} days, "
        f"{total[Usage.NEVER]:,} with no attempt seen, {total[Usage.UNTRACKED]:,} not tracked."
    )
    return Message(text, blocks)


def breakdown(view: AuditView, service: str, users: Sequence[EntityUse], reach: int) -> Message:
    """Who used one service."""
    report = _report(view)
    kind = view.entity.kind if view.entity else Kind.ROLE
    if kind in {Kind.ROLE, Kind.USER}:
        return _breakdown_of_one(view, service, users)
    tried = [u for u in users if u.last_at]
    title = f"Who used {service} through {view.name}? "
    whom = "members" if kind is Kind.GROUP else "users and roles"
    if not tried:
        line = f"No attempt by any of the {reach} {whom} in up to 400 days of tracking."
        told = kit.bullets(
            [
                kit.section(kit.text(f"One who used {service} through another policy shows nothing here")),
                kit.section(
                    kit.text("A call before tracking began, or in the last 4 hours, shows nothing here")
                ),
            ]
        )
        text = f"{service} through {view.name}: no attempt seen by any of {reach} {whom} in up to 400 days."
        return Message(text, [kit.rich(kit.section(kit.text(title, bold=True), kit.text(line)), told)])
    used = [u for u in tried if usage_of(u.last_at, report, view.days) is Usage.USED]
    line = f"{len(used)} of {max(reach, len(users))} {whom} in {view.days} days."
    cells = [
        [
            kit.cell(u.name),
            kit.cell(u.kind.title()),
            kit.cell(f"{u.last_at:%Y-%m-%d %H:%M}" if u.last_at else "no attempt seen"),
            kit.number(max(0, (report.created_at - u.last_at).days)) if u.last_at else kit.cell(""),
        ]
        for u in users[:ROWS]
    ]
    heads = ["Who", "Kind", "Last attempt (UTC)", "Days before"]
    kept = kit.within(cells, 8_500)
    table = kit.table(heads, kept, [kit.WIDE, kit.WIDE, kit.WIDE, kit.RIGHT])
    note = f"One who used {service} through another policy shows no attempt here. Report of {kit.minute(report.created_at)}."
    if len(users) > len(kept):
        note += f" {len(users) - len(kept):,} more are not shown."
    names = ", ".join(u.name for u in used[:5])
    text = f"{service} through {view.name}: {line[:-1]}" + (f" ({names})." if names else ".")
    return Message(
        text, [kit.rich(kit.section(kit.text(title, bold=True), kit.text(line))), table, kit.small(note)]
    )


def _breakdown_of_one(view: AuditView, service: str, users: Sequence[EntityUse]) -> Message:
    report = _report(view)
    row = next((s for s in report.services if s.namespace == service), None)
    finding = next((f for f in view.summary.findings if f.service == service), None)
    last = next((u.last_at for u in users if u.last_at), row.last_at if row else None)
    noun = view.entity.kind.value if view.entity else "role"
    bullets = []
    title = f"Who used {service}? "
    line: list[Part]
    if last is None:
        line = [
            kit.text(title, bold=True),
            kit.text(f"No attempt by {view.name} in up to 400 days of tracking."),
        ]
        text = f"{service}: no attempt by {view.name} seen in up to 400 days of tracking."
    else:
        days = words.some(max(0, (report.created_at - last).days), "day")
        place = f" in {row.region}" if row and row.region else ""
        tail = kit.text(f"{place}, {days} before the report.")
        line = [
            kit.text(title, bold=True),
            kit.text(f"The {noun} itself, last on "),
            kit.date(last, time=True),
            tail,
        ]
        text = f"{service} was last attempted by {view.name} on {kit.minute(last)}{place}, {days} before the report."
        if noun == "role":
            held = "which person or workload held the role. CloudTrail can tell, around that time"
            bullets.append(kit.labelled("Not in the report: ", held))
    if finding and finding.policies:
        bullets.append(kit.labelled("Granted by: ", words.listed(finding.policies)))
    return Message(text, [kit.rich(kit.section(*line), *([kit.bullets(bullets)] if bullets else []))])


_KINDS = {PolicyKind.INLINE: "Inline, this one only", PolicyKind.AWS: "AWS managed"}


def policies(
    view: AuditView,
    snapshot: Snapshot,
    grants: dict[str, list[tuple[str, str]]],
    others: dict[str, list[str]],
) -> Message:
    """What grants what, read from AWS now."""
    usage = {f.service: f.usage for f in view.summary.findings}
    cells: list[list[Json]] = []
    details: list[tuple[str, str]] = []
    said: list[str] = []
    for policy in snapshot.policies[:ROWS]:
        held = sorted(s for s, found in grants.items() if (policy.name, policy.group) in found)
        used = [s for s in held if usage.get(s) is Usage.USED]
        shared = others.get(policy.arn, [])
        cells.append(
            [
                kit.cell(policy.name),
                kit.cell(_kind(policy, shared), 100),
                kit.number(len(held)),
                kit.number(len(used)),
            ]
        )
        parts = []
        for label, wanted in (("used", Usage.USED), ("stale", Usage.STALE), ("no attempt", Usage.NEVER)):
            names = [s for s in held if usage.get(s) is wanted]
            parts += [f"{label} {words.listed(names)}"] if names else []
        if shared:
            parts.append("also on " + words.listed([h.partition("/")[2] for h in shared]))
        rest = " · ".join(parts) or "allows no service of the report"
        details.append((f"{kit.clip(policy.name, kit.NAME)}: ", rest))
        said.append(f"{kit.clip(policy.name, kit.NAME)} ({len(held)}, of which {len(used)} used)")
    if not cells:
        none = f"No policy grants {view.name} anything now."
        return Message(none, [kit.rich(kit.section(kit.text(none)))])
    lead = kit.section(
        kit.text(f"What grants {view.name} its services", bold=True),
        kit.text(" · read from AWS now, not at the time of the report"),
    )
    heads = ["Policy", "Kind", "Services", f"Used in {view.days} days"]
    kept = kit.within(cells, 5_000)
    table = kit.table(heads, kept, [kit.WIDE, kit.WRAPPED, kit.RIGHT, kit.RIGHT])
    note = "A Deny in another policy, a boundary or an organisation policy may block what is granted here."
    shown, told = [], 0
    for what, rest in details:
        told += len(what) + len(rest)
        if told > 3_000:
            break
        shown.append(kit.labelled(what, rest))
    left = len(snapshot.policies) - len(kept)
    note += f" {left:,} more policies are not shown." if left else ""
    details_block = [kit.rich(kit.bullets(shown))] if shown else []
    text = (
        f"{words.some(len(snapshot.policies), 'policy', 'policies')} of {view.name}: {', '.join(said[:3])}"
        + ("." if len(said) <= 3 else f" and {len(said) - 3} more.")
    )
    return Message(text, [kit.rich(lead), table, *details_block, kit.small(note)])


def _kind(policy: Policy, shared: Sequence[str]) -> str:
    base = _KINDS.get(policy.kind, "Managed")
    if policy.group:
        return f"{base if policy.kind is not PolicyKind.INLINE else 'Inline'}, through group {kit.clip(policy.group, kit.NAME)}"
    if policy.kind is PolicyKind.CUSTOMER:
        return f"Managed, also on {words.some(len(shared), 'other')}" if shared else "Managed, this one only"
    return base


def history(view: AuditView, reports: Sequence[Report], count: int, difference: Difference | None) -> Message:
    """What changed from the report before, and the counts of the last reports."""
    if not reports:
        none = f"No report of {view.name} is stored. Refresh asks AWS for one."
        return Message(none, [kit.rich(kit.section(kit.text(none)))])
    if difference is None:
        first = f"This is the first report of {view.name}. "
        rest = "There is nothing to compare it with yet. The next audit adds one."
        text = f"{view.name} has one stored report, of {kit.day(reports[0].created_at)}. There is nothing to compare it with yet."
        return Message(text, [kit.rich(kit.section(kit.text(first, bold=True), kit.text(rest)))])
    since = f"{view.name} since the report of {kit.minute(reports[1].created_at)}"
    changes = (
        ("Newly used", difference.newly_used),
        ("Now stale", difference.now_stale),
        ("Newly granted", difference.newly_granted),
        ("No longer granted", difference.no_longer_granted),
        ("No longer seen (out of tracking)", difference.no_longer_seen),
    )
    lines = [kit.labelled(f"{label}: ", words.listed(names) or "nothing") for label, names in changes]
    cells = []
    for report in reports[:ROWS]:
        usage = Counter(usage_of(s.last_at, report, view.days) for s in report.services)
        numbers = [
            kit.number(n)
            for n in (len(report.services), usage[Usage.USED], usage[Usage.STALE], usage[Usage.NEVER])
        ]
        cells.append([kit.cell(f"{report.created_at:%Y-%m-%d %H:%M}"), *numbers])
    heads = ["Report (UTC)", "Granted", "Used", "Stale", "No attempt"]
    table = kit.table(heads, cells, [kit.WIDE, *[kit.RIGHT] * 4])
    note = f"Each row uses the {view.days}-day window of its own day. “No attempt” can also mean that an old attempt fell out of AWS’s tracking."
    said = (
        "; ".join(f"{label.lower()}: {words.listed(names)}" for label, names in changes if names)
        or "nothing changed"
    )
    text = f"{since}: {said}. {words.some(count, 'report')} stored."
    return Message(
        text, [kit.rich(kit.section(kit.text(since, bold=True)), kit.bullets(lines)), table, kit.small(note)]
    )


def chart_words(view: AuditView) -> str:
    """A chart's numbers as a sentence: its alt text, and what stands where no picture can."""
    counts = {u: len(view.summary.of(u)) for u in Usage}
    return (
        f"{view.name} {view.where}, {len(view.summary.findings):,} services by last attempt: {counts[Usage.USED]:,} used in "
        f"{view.days} days, {counts[Usage.STALE]:,} stale, {counts[Usage.NEVER]:,} with no attempt seen, "
        f"{counts[Usage.UNTRACKED]:,} cannot be told."
    )


def bands(summary: Summary) -> list[tuple[str, int]]:
    """Services by days since the last attempt."""
    days = [f.days for f in summary.findings if f.days is not None]
    return [
        ("0–30 days", sum(d <= 30 for d in days)),
        ("31–90 days", sum(30 < d <= 90 for d in days)),
        ("91–400 days", sum(d > 90 for d in days)),
        ("No attempt seen", len(summary.of(Usage.NEVER))),
        ("Cannot tell", len(summary.of(Usage.UNTRACKED))),
    ]


def chart(view: AuditView, rung: int) -> Message:
    """The counts as Slack's own chart, or as bars: for a Slack that refuses files."""
    title = f"{view.name}: services by days since attempt"
    counted = bands(view.summary)
    note = kit.small(
        f"Report of {kit.minute(_report(view).created_at)}. Slack refused the picture, so these are its numbers."
    )
    if rung == 0:
        block: Json = {
            "type": "data_visualization",
            "title": kit.clip(title, 50),
            "chart": {
                "type": "bar",
                "series": [
                    {"name": "Services", "data": [{"label": label, "value": n} for label, n in counted]}
                ],
                "axis_config": {
                    "categories": [label for label, _ in counted],
                    "x_label": "Days between last attempt and report",
                    "y_label": "Services",
                },
            },
        }
        return Message(chart_words(view), [block, kit.small(chart_words(view)), note])
    most = max(1, *(n for _, n in counted))
    bars = "\n".join(f"{label:<16}{n:>5}   {'█' * round(n / most * 30)}".rstrip() for label, n in counted)
    return Message(
        chart_words(view), [kit.rich(kit.section(kit.text(title, bold=True)), kit.preformatted(bars)), note]
    )


def exported(view: AuditView, rows: int) -> Message:
    """The line beside an exported file."""
    granularity = view.request.asked.granularity
    what = "one per action" if granularity is Granularity.ACTION else "one per service"
    lead = kit.section(
        kit.text(f"CSV and JSON of {view.name}", bold=True),
        kit.text(f" · {rows:,} rows, {what}, with use, dates, grants and verdicts"),
    )
    note = "Whoever can read this thread can read the files. For yourself only: ask in a direct message to the app."
    text = (
        f"CSV and JSON of {view.name}: {rows:,} rows, report of {kit.day(_report(view).created_at)}. {note}"
    )
    return Message(text, [kit.rich(lead), kit.small(note)])


def file_refused(view: AuditView, rows: int, reason: str) -> Message:
    """Slack did not take a file."""
    line = f"Slack refused the file ({rows:,} rows)" if rows else "Slack refused the file"
    text = f"{line} of {view.name}: {reason}. Press the button again once that is mended; nothing was lost."
    return Message(text, [kit.rich(kit.section(kit.emoji("warning"), kit.text(f" {text}")))])


def failed(view: AuditView, failure: Failure, what: str) -> Message:
    """A follow-up that has no answer."""
    reason = words.because(failure, view.name, view.account)
    lines: list[Any] = [
        kit.section(
            kit.emoji("warning"),
            kit.text(f" No answer to “{what}”", bold=True),
            kit.text(f" · {reason}. Nothing was changed."),
        )
    ]
    if failure.code == "refused":
        lines.append(kit.preformatted(failure.call))
    lines.append(
        kit.section(
            kit.text("What helps: ", bold=True),
            kit.text(
                "press the button again later."
                if failure.code not in {"refused", "gone", "thinned", "no_result"}
                else words.helps(failure)
            ),
        )
    )
    return Message(
        f"No answer to “{what}” for {view.name}: {reason}. Nothing was changed.", [kit.rich(*lines)]
    )


def _report(view: AuditView) -> Report:
    assert view.report is not None  # follow-ups are offered on cards that have one
    return view.report
