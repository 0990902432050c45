"""A finished audit: the answer, where it is from, what could go and what stays, and why. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from advisor.core.model import (
    Finding,
    Granularity,
    Kind,
    Usage,
    Verdict,
)
from handlers.blocks import kit, numbers, risk, words
from handlers.blocks.kit import Message
from handlers.blocks.view import AuditView, refresh


def done(view: AuditView) -> Message:
    """The card with its result."""
    blocks: list[Any] = [kit.header(headline(view)), kit.context(*_provenance(view))]
    if view.owner_tag and not view.owner_id:
        blocks.append(
            kit.small(
                f"Owner tag, as written: “{kit.clip(view.owner_tag, kit.NAME)}” (no such person in Slack)"
            )
        )
    blocks += [kit.rich(numbers.lines(view)), kit.divider(), kit.rich(*_judgement(view)), *_buttons(view)]
    blocks.append(kit.small(_limits(view)))
    return Message(fallback(view), blocks)


def headline(view: AuditView) -> str:
    """The answer as a sentence with its numbers."""
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
            kit.quote(view.snapshot.description, 100),
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
            *risk.could_go(view),
            kit.labelled(
                "Not proven: ",
                "data calls such as PutObject, GetObject and ListBucket are not tracked, so they stay",
            ),
            kit.section(kit.text("iam:PassRole is never tracked and always stays")),
        ]
    out = risk.could_go(view)
    for label, verdict in (("Stay: ", Verdict.KEEP), ("Stay unless a person decides: ", Verdict.ASK)):
        found = summary.that(verdict)
        if found:
            out.append(kit.labelled(label, words.grouped(found)))
    if out and not summary.of(Usage.USED):
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


def _buttons(view: AuditView) -> list[Any]:
    row = view.request.id
    asks = {Kind.GROUP: "Which members used…", Kind.POLICY: "Who used… pick a service"}
    could = view.summary.that(Verdict.REMOVE) and not view.summary.admin_policy
    style = "primary" if could else None  # where the best step is to think, no button calls for a press
    first: list[Any] = [kit.button("Open a ticket…", "audit.ticket", row, style=style)]
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
        refresh(view),
    ]
    block_id = f"audit.breakdown:{row}:{view.request.revision}"
    return [kit.actions(*first, block_id=block_id), kit.actions(*second)]


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


def counts(view: AuditView) -> list[str]:
    """What is not used, in words."""
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


def fallback(view: AuditView) -> str:
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
        return f"{headline(view)} ({words.account_word(view.account)}). Actions that AWS does not track cannot be told."
    used = summary.of(Usage.USED)
    named = ", ".join(f.service for f in used[:3]) if used else ""
    line = f"{kind}{view.name} {view.where}: {len(used):,} of {summary.granted:,} services used in the last {view.days} days"
    line += f" ({named})" if named and len(used) <= 3 else ""
    rest = ", ".join(counts(view))
    line += f". {rest[:1].upper()}{rest[1:]}" if rest else ""
    if summary.young_until:
        return f"{line}. Too young to judge: nothing is offered for removal before {kit.day(summary.young_until)}."
    if summary.admin_policy:
        return f"{line}. The grant is “Allow * on *”: it is not cut service by service, it is replaced."
    if summary.protected:
        return f"{line}. Protected: the bot never changes it."
    return f"{line}. {_verdict_line(view).strip()}"
