"""The audit card in every state. Pure: an `AuditView` in, a message out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from advisor.core.model import (
    Account,
    Entity,
    Finding,
    Granularity,
    Kind,
    Report,
    Request,
    RequestState,
    Snapshot,
    Summary,
    Usage,
    Verdict,
)
from handlers.blocks import kit, words
from handlers.blocks.kit import Message, Part

SLOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AuditView:
    """Everything that a card of one request is drawn from."""

    request: Request
    account: Account
    now: datetime
    entity: Entity | None = None
    report: Report | None = None
    snapshot: Snapshot | None = None
    summary: Summary = field(default_factory=lambda: Summary(()))
    owner_id: str = ""  # a checked Slack id
    owner_tag: str = ""  # as written
    owner_key: str = "owner"
    ahead: int = 0
    last_good_at: datetime | None = None
    gives_up_at: datetime | None = None
    waiting_for_rate: bool = False

    @property
    def name(self) -> str:
        """What is audited, clipped."""
        name = self.entity.name if self.entity else self.request.asked.name.rpartition("/")[2]
        return kit.clip(name, kit.NAME)

    @property
    def where(self) -> str:
        """in prod"""
        return f"in {words.account_word(self.account)}" if self.account.id else ""

    @property
    def days(self) -> int:
        """The window."""
        return self.request.asked.days


def card(view: AuditView) -> Message:
    """The card of a request, by its state."""
    match view.request.state:
        case RequestState.DONE if view.report:
            return _done(view)
        case RequestState.FAILED:
            return _failed(view)
        case RequestState.DONE:
            return _not_kept(view)
        case _:
            return _under_way(view)


def _not_kept(view: AuditView) -> Message:
    """A card whose result is older than what is kept."""
    line = "Its result is older than what is kept. Refresh asks AWS for a new one."
    blocks = [
        kit.header(f"{view.name}: no result is kept"),
        kit.rich(kit.section(kit.text(line))),
        kit.actions(_refresh(view), kit.button("History", "audit.history", view.request.id)),
        kit.context(*_whose(view)),
    ]
    return Message(f"{view.name} {view.where}: {line}", blocks)


def minimal(view: AuditView) -> Message:
    """The card in plain words, for a Slack that refuses the full one."""
    if view.request.state is not RequestState.DONE or not view.report:
        full = card(view)
        return Message(full.text, [kit.rich(kit.section(kit.text(full.text)))])
    line = _headline(view) + ". " + ", ".join(_counts(view)) + "."
    blocks = [
        kit.rich(kit.section(kit.text(line))),
        kit.actions(kit.button("Export CSV", "audit.export", view.request.id), _refresh(view)),
        kit.small("Slack refused the full card, so this is the short one. The CSV has everything."),
    ]
    return Message(_fallback(view), blocks)


# -- under way -------------------------------------------------------------------------------------------------------


def _under_way(view: AuditView) -> Message:
    word, note = _progress(view)
    title = f"Auditing {view.name}…"
    blocks: list[Any] = [
        kit.header(title),
        kit.rich(
            kit.section(
                kit.emoji("hourglass_flowing_sand"), kit.text(f" {word}", bold=True), kit.text(f" · {note}")
            )
        ),
    ]
    if view.waiting_for_rate and view.gives_up_at:
        blocks.append(
            kit.words(
                "You need not ask again. If there is no report by "
                f"{kit.token(view.gives_up_at, '{time}')}, this card says so and offers a retry."
            )
        )
    blocks.append(
        kit.context(*_whose(view), kit.plain("This card becomes the result. An audit changes nothing."))
    )
    return Message(
        f"Auditing {view.name} {view.where}: {word.lower()}, {note}. This message becomes the result.", blocks
    )


def _progress(view: AuditView) -> tuple[str, str]:
    age = view.now - view.request.created_at
    if view.waiting_for_rate or (age > SLOW and view.request.state is RequestState.RUNNING):
        minutes = words.some(max(1, int(age.total_seconds() // 60)), "minute")
        note = (
            "AWS is limiting the rate; the bot waits and tries again"
            if view.waiting_for_rate
            else "AWS still builds the report"
        )
        return f"Running for {minutes}", note
    if view.request.state is RequestState.RUNNING:
        return "Running", "AWS is building the report, usually 2 to 10 seconds"
    if view.entity is None:
        return "Queued", "looking for it in AWS"
    if view.ahead:
        return "Queued", f"{words.some(view.ahead, 'audit')} ahead of it in this account"
    return "Queued", "the report is asked for now"


def _whose(view: AuditView) -> list[Any]:
    parts: list[Any] = []
    if view.entity:
        parts.append(kit.plain(f"{words.kind_of(view.entity)} in {words.account_name(view.account)}", 200))
    parts.append(kit.fixed(f"Asked by <@{view.request.user}>"))
    return parts


# -- failed ----------------------------------------------------------------------------------------------------------


def _failed(view: AuditView) -> Message:
    failure = view.request.failure
    assert failure is not None  # the state FAILED is only ever written with one
    reason = words.because(failure, view.name, view.account if view.account.id else None)
    help_line: list[Part] = [kit.text("What helps: ", bold=True), kit.text(words.helps(failure))]
    if view.last_good_at:
        help_line += [
            kit.text(" The last good report is of "),
            kit.date(view.last_good_at),
            kit.text(": see History."),
        ]
    told: list[Any] = [kit.section(*help_line)]
    if failure.code == "refused" and failure.call.count(":"):
        target = failure.role or (view.entity.arn if view.entity else "")
        told.append(
            kit.preformatted(
                "\n".join(line for line in (failure.call, f"refused to {target}" if target else "") if line)
            )
        )
    elif failure.message and failure.code in {"report_failed", "invalid", "throttled", "unreachable"}:
        told += [kit.section(kit.text("AWS’s own words:")), kit.quote(failure.message)]
    buttons = [kit.button("Retry", "audit.retry", view.request.id, style="primary")]
    if view.entity:
        buttons.append(kit.button("History", "audit.history", view.request.id))
    note = f"Audit {view.request.id}" + (f", AWS request {failure.request_id}" if failure.request_id else "")
    note += f", tried {words.some(failure.tries, 'time')}" if failure.tries > 1 else ""
    blocks = [
        kit.header(f"No result for {view.name}"),
        kit.rich(
            kit.section(
                kit.emoji("warning"),
                kit.text(" Failed", bold=True),
                kit.text(
                    f" · {reason}\nNothing is known either way: this is not “unused”. Nothing was changed."
                ),
            )
        ),
        kit.rich(*told),
        kit.actions(*buttons),
        kit.context(*_whose(view), kit.plain(note)),
    ]
    call = f" ({failure.call})" if failure.call and failure.call not in reason else ""
    said = f"No result for {view.name} {view.where}: {reason}{call}. Nothing is known either way and nothing was changed."
    return Message(f"{said} Retry is offered.", blocks)


# -- done ------------------------------------------------------------------------------------------------------------


def _done(view: AuditView) -> Message:
    blocks: list[Any] = [kit.header(_headline(view)), kit.context(*_provenance(view))]
    if view.owner_tag and not view.owner_id:
        blocks.append(
            kit.small(
                f"Owner tag, as written: “{kit.clip(view.owner_tag, kit.NAME)}” (no such person in Slack)"
            )
        )
    blocks += [kit.rich(_numbers(view)), kit.divider(), kit.rich(*_judgement(view)), *_buttons(view)]
    blocks.append(kit.small(_limits(view)))
    return Message(_fallback(view), blocks)


def _headline(view: AuditView) -> str:
    summary = view.summary
    if view.request.asked.granularity is Granularity.ACTION:
        tracked = [f for f in summary.actions if f.usage is not Usage.UNTRACKED]
        used = sum(f.usage is Usage.USED for f in tracked)
        return f"{view.name}: {used:,} of {len(tracked):,} tracked actions used in {view.days} days"
    used, granted = len(summary.of(Usage.USED)), summary.granted
    if summary.unattached:
        return f"{view.name}: attached to nothing, {granted} services granted to nobody"
    if not granted:
        return f"{view.name}: the report lists no service"
    if summary.young_until:
        return f"{view.name}: too young to judge, {used:,} of {granted:,} used so far"
    return f"{view.name}: {used:,} of {granted:,} services used in {view.days} days"


def _provenance(view: AuditView) -> list[Any]:
    entity, report, snapshot = view.entity, view.report, view.snapshot
    assert entity  # a card is DONE only with both
    assert report
    line = f"{words.kind_of(entity)} in {words.account_name(view.account)}"
    if entity.kind is Kind.GROUP and snapshot:
        line += f", {words.some(snapshot.reach, 'member')}"
    if entity.path not in {"", "/"}:
        line += f", path {kit.clip(entity.path, kit.NAME)}"
    if entity.created_at:
        line += f", {_age(report.created_at - entity.created_at)} old"
    parts: list[Any] = [kit.plain(line, 400)]
    stored = " (from the store)" if view.request.served_from_store else ""
    parts.append(kit.fixed(f"Report of {kit.token(report.created_at)}{stored}"))
    if view.owner_id:
        parts.append(kit.fixed(f"Owner <@{view.owner_id}>"))
    elif not view.owner_tag and entity.kind in {Kind.ROLE, Kind.USER}:
        parts.append(kit.plain(f"Owner unknown: no tag “{view.owner_key}”", 200))
    parts.append(kit.fixed(f"Asked by <@{view.request.user}>"))
    if view.request.not_asked:
        parts.append(kit.plain("Not asked: " + ", ".join(view.request.not_asked), 150))
    return parts


def _age(delta: timedelta) -> str:
    if delta.days >= 730:  # from two years on, years say more
        return f"{delta.days // 365} years"
    return words.some(max(0, delta.days), "day")


def _numbers(view: AuditView) -> Any:
    if view.request.asked.granularity is Granularity.ACTION:
        return kit.section(*_action_lines(view))
    lines = [line for line in (_used(view), _stale(view), _never(view), _untold(view)) if line]
    return (
        kit.section(*_joined(lines))
        if lines
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


def _shared(view: AuditView) -> bool:
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
        if _shared(view):
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
        parts.append(kit.text(_by(view, finding, n == 0) + ", " if _shared(view) else " "))
        if finding.last_at:
            parts += [kit.date(finding.last_at), kit.text(f", {words.some(finding.days or 0, 'day')}")]
    parts.append(kit.text(": used, but before the window"))
    return parts


def _never(view: AuditView) -> list[Part]:
    never = view.summary.of(Usage.NEVER)
    if not never:
        return []
    parts = _start("white_circle", f"{len(never):,} no attempt seen")
    if len(never) <= 3 and not _shared(view):
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
    return _joined(lines) if lines else [kit.text("The report lists no tracked action.")]


_GUARDS = {
    "service_linked": (
        "AWS owns this service-linked role and lets nobody change it.",
        "It goes when the service that uses it gives it up.",
    ),
    "sso": (
        "IAM Identity Center owns it and would undo the change.",
        "Change the permission set instead. It reaches every account it is assigned to.",
    ),
    "aws_owned": (
        "It belongs to AWS: it can be detached, never edited.",
        "Audit who has it, to see whether they still need it.",
    ),
    "boundary": (
        "It is somebody’s permissions boundary: cutting it would cut them.",
        "Audit the users and roles that it bounds.",
    ),
    "bot": ("It is the bot’s own.", "Whoever runs the bot changes it by hand."),
    "organization_access": (
        "It is the organisation’s way into this account.",
        "Whoever runs the organisation changes it.",
    ),
    "control_tower": ("AWS Control Tower owns it.", "Change it there."),
    "setting": ("The operator’s settings protect it.", "Whoever runs the bot can lift that."),
}


def _judgement(view: AuditView) -> list[Any]:
    summary = view.summary
    out: list[Any] = []
    if view.snapshot and view.snapshot.description:
        out += [
            kit.section(kit.text("Description, as written in AWS:", bold=True)),
            kit.quote(view.snapshot.description, 120),
        ]
    if summary.protected:
        reason, instead = _GUARDS[summary.protected]
        noun = view.entity.kind.value if view.entity else "entity"
        out.append(
            kit.section(
                kit.emoji("lock"),
                kit.text(f" Protected: the bot never changes this {noun}. ", bold=True),
                kit.text(reason),
            )
        )
        out.append(kit.bullets([kit.labelled("Instead: ", instead)]))
        return out
    if summary.admin_policy:
        return [*out, *_administrator(view)]
    if summary.young_until:
        born = kit.text(
            f"A {view.entity.kind if view.entity else 'role'} that young has not had its quarter-end yet."
        )
        out.append(
            kit.section(
                kit.text("Nothing is offered for removal before ", bold=True),
                kit.date(summary.young_until),
                kit.text(". ", bold=True),
                born,
            )
        )
    else:
        out.append(kit.section(kit.text(_verdict_line(view), bold=True), kit.text(_whom(view))))
    bullets = _verdict_bullets(view)
    return [*out, kit.bullets(bullets)] if bullets else out


def _verdict_line(view: AuditView) -> str:
    rows = _rows(view)
    could = sum(f.verdict is Verdict.REMOVE for f in rows)
    total = len(view.summary.actions) if view.request.asked.granularity is Granularity.ACTION else len(rows)
    stay = total - could
    return f"{could:,} could go, {stay:,} {'stays' if stay == 1 else 'stay'}. "


def _rows(view: AuditView) -> list[Finding]:
    if view.request.asked.granularity is Granularity.ACTION:
        return [f for f in view.summary.actions if f.usage is not Usage.UNTRACKED]
    return [f for f in view.summary.findings if f.usage is not Usage.UNTRACKED]


def _whom(view: AuditView) -> str:
    reach = view.snapshot.reach if view.snapshot else 0
    if view.summary.unattached:
        return "The policy is attached to nothing, so it gives nobody anything."
    if view.entity and view.entity.kind is Kind.GROUP:
        return f"A change to the group reaches {words.some(reach, 'member')}."
    if view.entity and view.entity.kind is Kind.POLICY:
        return f"A change reaches {words.some(reach, 'user or role', 'users and roles')}."
    return "An audit changes nothing in AWS."


def _verdict_bullets(view: AuditView) -> list[Any]:
    summary = view.summary
    if view.request.asked.granularity is Granularity.ACTION:
        return [
            kit.labelled(
                "Not proven: ",
                "data calls such as PutObject, GetObject and ListBucket are not tracked, so they stay",
            ),
            kit.section(kit.text("iam:PassRole is never tracked and always stays")),
        ]
    out = []
    could = sorted(f.service for f in summary.that(Verdict.REMOVE))
    if could:
        out.append(kit.labelled("Could go: ", words.listed(could)))
    for label, verdict in (("Stay: ", Verdict.KEEP), ("Stay unless a person decides: ", Verdict.ASK)):
        found = summary.that(verdict)
        if found:
            out.append(kit.labelled(label, words.grouped(found)))
    if could and not summary.of(Usage.USED):
        out.append(
            kit.labelled(
                "Not proven: ",
                "a job that runs once a year, or use through a resource policy, would look just like this",
            )
        )
    if view.entity and view.entity.kind is Kind.POLICY and view.snapshot and view.snapshot.holders:
        out.append(
            kit.labelled("Reaches: ", words.listed([h.replace("/", " ", 1) for h in view.snapshot.holders]))
        )
    return out


def _administrator(view: AuditView) -> list[Any]:
    summary = view.summary
    kept = len(summary.of(Usage.USED)) + len(summary.of(Usage.STALE)) + len(summary.of(Usage.UNTRACKED))
    used = len(summary.of(Usage.USED))
    return [
        kit.section(
            kit.text("Nothing is offered for removal. ", bold=True),
            kit.text(
                f"Everything comes from one line, “Allow * on *”, in {kit.clip(summary.admin_policy, kit.NAME)}."
            ),
        ),
        kit.bullets(
            [
                kit.section(
                    kit.text(
                        f"Cutting it would freeze a list of {words.some(kept, 'service')} and lose every service that AWS adds later"
                    )
                ),
                kit.section(
                    kit.text(
                        f"Better: write a policy for the {words.some(used, 'used service')} (Action level helps), attach it, then detach this one"
                    )
                ),
            ]
        ),
    ]


def _refresh(view: AuditView) -> Any:
    return kit.button("Refresh", "audit.refresh", view.request.id)


def _buttons(view: AuditView) -> list[Any]:
    row = view.request.id
    asks = {Kind.GROUP: "Which members used…", Kind.POLICY: "Who used… pick a service"}
    first: list[Any] = []
    if view.summary.granted and not view.summary.unattached:
        label = asks.get(view.entity.kind, "Who used… pick a service") if view.entity else ""
        first.append(kit.type_ahead("audit.breakdown", label))
    second: list[Any] = []
    if view.request.asked.granularity is Granularity.SERVICE and view.summary.granted:
        second.append(kit.button("Action level", "audit.actions", row))
    if view.entity and view.entity.kind is not Kind.POLICY:
        second.append(kit.button("What grants it", "audit.policies", row))
    second += [
        kit.button("History", "audit.history", row),
        kit.button("Chart", "audit.picture", row),
        kit.button("Export CSV", "audit.export", row),
        _refresh(view),
    ]
    out = [kit.actions(*first, block_id=f"audit.breakdown:{row}:{view.request.revision}")] if first else []
    return [*out, kit.actions(*second)]


def _limits(view: AuditView) -> str:
    kind = view.entity.kind if view.entity else Kind.ROLE
    lag = "AWS data lags up to 4 hours."
    if kind is Kind.GROUP:
        return f"Only use through this group’s policies counts: a member who used another policy shows nothing here. Denied calls count as use. {lag}"
    if kind is Kind.POLICY:
        return f"Only use through this policy’s attachments counts. Denied calls count as use. {lag}"
    count = view.summary.granted
    where = (
        "The services with any attempt are in the thread, all of them in the CSV there."
        if count > 100
        else f"All {count} services are in the thread."
    )
    where = (
        "Counts per service are in the thread."
        if view.request.asked.granularity is Granularity.ACTION
        else where
    )
    return f"“Used” means attempted: denied calls count. Use through a resource policy is not seen. {lag} {where if count else ''}".strip()


def _counts(view: AuditView) -> list[str]:
    summary = view.summary
    out = []
    stale, never, untold = (len(summary.of(u)) for u in (Usage.STALE, Usage.NEVER, Usage.UNTRACKED))
    if stale:
        out.append(f"{stale:,} stale")
    if never:
        out.append(f"{never:,} with no attempt seen in up to 400 days")
    if untold:
        out.append(f"{untold:,} more cannot be told")
    return out


def _fallback(view: AuditView) -> str:
    """The whole result in one breath: what a notification and a screen reader say."""
    summary = view.summary
    kind = (
        words.kind_of(view.entity) + " "
        if view.entity and view.entity.kind in {Kind.GROUP, Kind.POLICY}
        else ""
    )
    if summary.unattached:
        return f"{kind}{view.name} {view.where} is attached to nothing: its {summary.granted} services are granted to nobody."
    if view.request.asked.granularity is Granularity.ACTION:
        return f"{_headline(view)} ({words.account_word(view.account)}). Actions that AWS does not track cannot be told."
    used = summary.of(Usage.USED)
    named = ", ".join(f.service for f in used[:3]) if used else ""
    line = f"{kind}{view.name} {view.where}: {len(used):,} of {summary.granted:,} services used in the last {view.days} days"
    line += f" ({named})" if named and len(used) <= 3 else ""
    counts = ", ".join(_counts(view))
    line += f". {counts[:1].upper()}{counts[1:]}" if counts else ""
    if summary.young_until:
        return f"{line}. Too young to judge: nothing is offered for removal before {kit.day(summary.young_until)}."
    if summary.admin_policy:
        return f"{line}. The grant is “Allow * on *”: it is not cut service by service, it is replaced."
    if summary.protected:
        return f"{line}. Protected: the bot never changes it."
    return f"{line}. {_verdict_line(view).strip()}"
