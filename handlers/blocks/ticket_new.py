"""The form of a new ticket: what could go by the edit that does it, what stays and why, the reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.core.hold import HOLD
from advisor.core.model import Account, Entity, Finding, Kind, Report, Snapshot, Usage, Verdict, Why
from advisor.core.offer import QUARANTINE
from advisor.core.removal import Candidate, Keep, Offer, Ticket, Treatment
from handlers.blocks import kit, ticket_form, words
from handlers.blocks.kit import Json
from handlers.blocks.modal import field, option, plain
from handlers.blocks.ticket_form import PICKS, alert, words_field

_BOXES = 10
"""Checkboxes that one block holds (Block Kit reference, checkboxes)."""


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What the form of a new ticket is drawn from. `row` is the request, and the report where it is not the request's."""

    row: str
    entity: Entity
    account: Account
    offered: Offer
    report: Report
    days: int
    keeps: tuple[Keep, ...]
    approvers: tuple[str, ...]  # as set
    able: int  # how many people may approve, the opener not counted
    needed: int
    expires_days: int
    advice: bool
    snapshot: Snapshot
    sizes: Mapping[str, tuple[int, int]]  # by policy: characters now, and as it is ticked
    hold_days: int = 0  # quiet days that are proposed; 0: there is nothing to choose
    hold_fits: bool = True
    open: Ticket | None = None
    open_approvals: int = 0


def new(form: NewTicket) -> Json:
    """The form: what could go, grouped by the edit that does it; what stays and why; the reason."""
    if form.offered.nothing:
        return _nothing(form)
    blocks: list[Json] = []
    if form.open:
        blocks.append(
            alert(
                "warning",
                f"Ticket {form.open.id} for {kit.clip(form.entity.name, kit.NAME)} is open with "
                f"{form.open_approvals} of {form.needed} approvals. Opening this one closes it as superseded; "
                "its approvals do not carry over.",
            )
        )
    if form.able < form.needed and not form.advice:
        have = (
            f"only {form.able} {'is' if form.able == 1 else 'are'} configured"
            if form.able
            else "nobody is configured"
        )
        blocks.append(
            alert(
                "warning",
                f"Nobody can approve this: it needs {words.some(form.needed, 'approver')} who "
                f"{'is' if form.needed == 1 else 'are'} not you, and {have}. You can open it; it will wait and expire.",
            )
        )
    blocks += [_who(form), *_whom(form), _what_opening_does(form)]
    blocks += [*_choices(form), *_held(form)]
    stays = _stays(form)
    if stays:
        head = kit.section(kit.text("What stays, and why", bold=True))
        blocks.append(kit.rich(head, kit.bullets(stays)).to_dict())
    blocks += [
        {"type": "divider"},
        words_field(
            "ticket.new", "Reason", "Why now, and who knows about it", "Shown on the card as your words."
        ),
    ]
    return ticket_form.form("ticket.new", form.row, blocks, submit="Open the ticket", close="Cancel")


def _who(form: NewTicket) -> Json:
    kind = words.kind_of(form.entity)
    place = f", {kind[:1].lower() + kind[1:]} in {words.account_name(form.account)}"
    never = sum(s.last_at is None for s in form.report.services)
    ticked = {s for c in form.offered.candidates if c.ticked for s in c.services}
    line = f"\n{never:,} of {words.some(len(form.report.services), 'service')}: no attempt seen in up to 400 days."
    if ticked:
        line += f" {len(ticked):,} of them {'is' if len(ticked) == 1 else 'are'} ticked to go."
    lead = kit.section(
        kit.text(kit.clip(form.entity.name, kit.NAME), bold=True), kit.text(place), kit.text(line)
    )
    return kit.rich(lead).to_dict()


def _whom(form: NewTicket) -> list[Json]:
    """Who else a change reaches: those who have the policy, the members of the group."""
    reach, kind = form.snapshot.reach, form.entity.kind
    if kind not in {Kind.POLICY, Kind.GROUP}:
        return []
    names = form.snapshot.holders if kind is Kind.POLICY else form.snapshot.members
    many = (
        words.some(reach, "user or role", "users and roles")
        if kind is Kind.POLICY
        else words.some(reach, "member")
    )
    parts: list[Any] = [kit.emoji("warning"), kit.text(f" Reaches {many}", bold=True)]
    if names:
        parts.append(kit.text(f": {words.listed([n.replace('/', ' ') for n in names], 'more')}"))
    return [kit.rich(kit.section(*parts)).to_dict()]


def _what_opening_does(form: NewTicket) -> Json:
    parts: list[Any] = [kit.text("Opening a ticket changes nothing. ")]
    if form.advice:
        parts.append(
            kit.text("This installation never writes to AWS: the ticket is advice for a person to carry out.")
        )
    else:
        parts.append(kit.text(f"{form.needed} of ", bold=True))
        for who in form.approvers[:3]:
            parts += [kit.group(who) if who.startswith("S") else kit.person(who), kit.text(", ")]
        rest = "not you, " if form.approvers else "the approvers, not you, "
        days = words.some(form.expires_days, "day")
        parts += [
            kit.text(rest, bold=True),
            kit.text(f"must approve it within {days}. The bot reads AWS again before it opens."),
        ]
    return kit.rich(kit.section(*parts)).to_dict()


def _choices(form: NewTicket) -> list[Json]:
    offered = form.offered
    if form.offered.quarantine:
        return [_scope(form), *_quarantine_says(form), *_ticks(form)]
    return _ticks(form) if offered.candidates else []


def _ticks(form: NewTicket) -> list[Json]:
    offered = form.offered
    sure = [c for c in offered.candidates if not c.asks]
    groups: dict[tuple[Treatment, str], list[Candidate]] = {}
    for candidate in sure:
        groups.setdefault((candidate.treatment, candidate.policy), []).append(candidate)
    blocks: list[Json] = []
    edits = detaches = 0
    for (treatment, policy), found in groups.items():
        if treatment is Treatment.DETACH:
            detaches += 1
            label = f"Detach {kit.clip(policy, kit.NAME)} (AWS managed)"
            blocks += _boxes("detach", detaches, label, found, hint=_in_full(found))
            continue
        for part in _chunks(found, PICKS):
            edits += 1
            label = _edit_label(treatment, policy, part)
            blocks += _boxes("edit", edits, label, part, hint=_sizes(form, policy, part))
    asks = [c for c in offered.candidates if c.asks and not c.untracked]
    for n, part in enumerate(_chunks(asks, PICKS), 1):
        blocks += _boxes("ask", n, "Only if you know better", part)
    untracked = [c for c in offered.candidates if c.untracked]
    hint = "Tick only if you know that they are never needed. The card will say that a person decided it."
    for n, part in enumerate(_chunks(untracked, _BOXES), 1):
        blocks += _boxes("untracked", n, "Cannot be told from the report", part, hint=hint)
    return blocks


def _sizes(form: NewTicket, policy: str, found: Sequence[Candidate]) -> str:
    """How long the document is, and how long it is as ticked."""
    now, then = form.sizes.get(policy, (0, 0))
    how = "Remove a name to keep that service. " if len(found) > _BOXES else ""
    if not now:
        return how
    left = f"{then:,} as ticked" if then else "nothing is left as ticked"
    return f"{how}The document has {now:,} characters, {left}."


def _in_full(found: Sequence[Candidate]) -> str:
    """Every service of a tick whose description cannot hold them."""
    names = ", ".join(s for c in found for s in c.services)
    return f"Its services: {kit.clip(names, 1500)}" if len(names) > 75 else ""  # an option's description


def _edit_label(treatment: Treatment, policy: str, found: Sequence[Candidate]) -> str:
    name = kit.clip(policy, kit.NAME)
    label = f"Edit {name}: take out" if treatment is Treatment.EDIT else f"New version of {name}: take out"
    return label if len(found) <= _BOXES else f"{label} ({sum(c.ticked for c in found):,} ticked)"


def _chunks(found: Sequence[Candidate], size: int) -> Iterable[Sequence[Candidate]]:
    return (found[n : n + size] for n in range(0, len(found), size))


def _boxes(block: str, number: int, label: str, found: Sequence[Candidate], *, hint: str = "") -> list[Json]:
    if not found:
        return []
    block_id = block if number == 1 else f"{block}.{number}"
    options = [option(*_worded(c)) for c in found]
    ticked = [o for o, c in zip(options, found, strict=True) if c.ticked]
    element: Json = {"type": "checkboxes", "action_id": f"ticket.new.{block_id}", "options": options}
    if len(found) > _BOXES:
        options = [{k: v for k, v in o.items() if k != "description"} for o in options]
        ticked = [o for o, c in zip(options, found, strict=True) if c.ticked]
        element = {
            "type": "multi_static_select",
            "action_id": f"ticket.new.{block_id}",
            "placeholder": plain("Nothing ticked"),
            "options": options,
        }
    if ticked:
        element["initial_options"] = ticked
    return [field(block_id, label, element, hint=hint, optional=True)]


def _worded(candidate: Candidate) -> tuple[str, str, str]:
    """Label, value and description of one tick."""
    reason = _asked(candidate.asks) if candidate.asks else ""
    names = ", ".join(candidate.services)
    match candidate.treatment:
        case Treatment.DETACH:
            many = words.some(len(candidate.services), "service")
            label = (
                f"Detach it: its {many} go together" if not candidate.asks else f"Detach {candidate.policy}"
            )
            return label, candidate.key, names if not reason else f"{reason}: {names}"
        case Treatment.COPY:
            return f"Copy {candidate.policy} without {names}", candidate.key, reason
        case Treatment.REPLACE | Treatment.SWAP:
            return f"Replace {candidate.policy} without {names}", candidate.key, reason
        case _ if candidate.actions:
            service = candidate.actions[0].partition(":")[0]
            some = [a.partition(":")[2] for a in candidate.actions[:3]]
            more = f" and {len(candidate.actions) - 3:,} more" if len(candidate.actions) > 3 else ""
            kind = (
                "actions that are not tracked"
                if candidate.untracked
                else "tracked actions without an attempt"
            )
            return f"{service}: {len(candidate.actions):,} {kind}", candidate.key, ", ".join(some) + more
        case _:
            return names, candidate.key, reason


def _asked(finding: Finding) -> str:
    """Why a person has to decide, in a line."""
    if finding.why is Why.STALE and finding.last_at and finding.days is not None:
        return f"Stale: last attempt {kit.day(finding.last_at)}, {words.some(finding.days, 'day')} before the report"
    said = words.why(finding)
    return said[:1].upper() + said[1:]


def _held(form: NewTicket) -> list[Json]:
    """Whether what goes is denied for some quiet days before anything is rewritten."""
    if not form.hold_days:
        return []
    if not form.hold_fits:
        line = "A hold of what is ticked has no room in its policies (AWS limits their length): it changes once approved."
        return [kit.small(line).to_dict()]
    quiet = words.some(form.hold_days, "quiet day")
    options = [
        option(
            f"Hold first, change after {quiet}",
            "hold",
            "One policy denies just that. One press lifts it. Any attempt is asked about",
        ),
        option("Change once approved", "now", "Roll back gives back the very texts"),
    ]
    element = {
        "type": "radio_buttons",
        "action_id": "ticket.new.hold",
        "options": options,
        "initial_option": options[0],
    }
    hint = (
        "A hold also stops what a bucket, key or other resource grants by its own policy; a removal does not."
    )
    return [field("hold", "How", element, hint=hint)]


def _scope(form: NewTicket) -> Json:
    ticked = [s for c in form.offered.candidates if c.ticked for s in c.services]
    some = (
        f"Only what is ticked below: {words.listed(ticked, 'services')}"
        if ticked
        else "Only what is ticked below"
    )
    stale = [f.service for f in form.offered.stays if f.usage is Usage.STALE]
    asks = [c.services[0] for c in form.offered.candidates if c.asks and c.asks.why is Why.STALE]
    old = sorted({*stale, *asks})
    everything = f"Quarantine: all {words.some(len(form.report.services), 'service')}" + (
        f", also {old[0]}" if len(old) == 1 else f", also {len(old)} stale ones" if old else ""
    )
    options = [
        option(some, "some", "The rest stays"),
        option(everything, "all", "AWSDenyAll is attached; its policies stay. Roll back is one detach"),
    ]
    element = {
        "type": "radio_buttons",
        "action_id": "ticket.new.scope",
        "options": options,
        "initial_option": options[0],
    }
    return field("scope", "What goes", element)


def _quarantine_says(form: NewTicket) -> list[Json]:
    kind = form.entity.kind.value
    lines = [
        kit.labelled(
            "Not proven: ",
            "a yearly job would look just like this. AWSDenyAll also stops use that a bucket or key policy grants",
        ),
        kit.labelled(
            "Not touched: ", "its policies, its trust policy, its tags. Whoever can assume it still can"
        )
        if kind == "role"
        else kit.labelled("Not touched: ", "its policies and its tags"),
    ]
    return [kit.rich(kit.bullets(lines)).to_dict()]


def _stays(form: NewTicket) -> list[Any]:
    """Names by reason; the reasons of many names in one line each."""
    by_reason: dict[str, list[Finding]] = {}
    kept = {k.service: k for k in form.keeps}
    for finding in form.offered.stays:
        if finding.verdict is not Verdict.REMOVE:
            by_reason.setdefault(words.why(finding), []).append(finding)
    lines: list[Any] = []
    for reason, found in list(by_reason.items())[:12]:  # a form is read, not studied
        names = f"{words.listed([f.service for f in found], 'services')}: "
        keep = kept.get(found[0].service) or kept.get("")
        if found[0].why is Why.KEPT and keep:
            lines.append(
                kit.section(
                    kit.text(names, bold=True),
                    kit.text("kept by "),
                    kit.person(keep.user),
                    kit.text(f" until {kit.day(keep.until)}: “{kit.clip(keep.reason, 120)}”"),
                )
            )
            continue
        lines.append(kit.labelled(names, _because(reason, found)))
    left = len(by_reason) - 12
    return lines + (
        [kit.section(kit.text(f"and {left} more reasons, in the card’s thread"))] if left > 0 else []
    )


def _because(reason: str, found: Sequence[Finding]) -> str:
    first = found[0]
    match first.why:
        case Why.USED if len(found) <= 3 and all(f.days is not None for f in found):
            days = sorted({f.days for f in found if f.days is not None})
            return f"used {' and '.join(map(str, days))} days before the report"
        case Why.SHARED:
            policy = kit.clip(first.policies[0], kit.NAME) if first.policies else "a policy"
            return f"come from {policy}, which {words.some(int(first.detail or 0), 'other')} have too. Audit that policy to change it for all"
        case Why.UNTRACKED:
            return "AWS does not track it, so nobody can tell"
        case Why.GROUP:
            return f"{reason}. Audit the group to change it for its members"
        case _:
            return reason


_WHY_NOTHING = {
    "young": "It is too young: what nobody used yet may still be needed",
    "unattached": "It is attached to nobody, so nobody can use it. Deleting it is left to you",
    "admin": "One line, “Allow * on *”, grants everything. Cutting it would freeze a list of services",
    "used": "Everything that it is granted was used within the window",
    "stays": "What it has was used, cannot be told, or comes from where it cannot be cut for this entity alone",
}


def _nothing(form: NewTicket) -> Json:
    name = kit.clip(form.entity.name, kit.NAME)
    head = alert(
        "warning", f"Nothing can go safely from {name}, so there is no ticket to open. Nothing was changed."
    )
    reason = _WHY_NOTHING.get(form.offered.nothing, "It is protected: the card says by whom")
    lines = [kit.section(kit.text(reason)), *_stays(form)]
    why = kit.rich(kit.section(kit.text("Why", bold=True)), kit.bullets(lines))
    return ticket_form.form("ticket.new", form.row, [head, why.to_dict()])


def chosen(values: Json) -> tuple[tuple[str, ...], str, dict[str, str]]:
    """The keys that were ticked and the reason, or what is wrong with the form by block."""
    keys: list[str] = []
    reason, held = "", False
    for block_id, fields in values.items():
        state: Json = next(iter(fields.values()), {})
        if block_id == "reason":
            reason = str(state.get("value") or "").strip()
        elif block_id == "scope":
            if (state.get("selected_option") or {}).get("value") == "all":
                keys.append(QUARANTINE)
        elif block_id == "hold":
            held = (state.get("selected_option") or {}).get("value") == "hold"
        else:
            keys += [str(o["value"]) for o in state.get("selected_options") or []]
    if QUARANTINE in keys:
        keys = [QUARANTINE]
    if not reason:
        return (), "", {"reason": "Say why, in a few words: an approver reads it."}
    if not keys:
        first = next((b for b in values if b != "reason"), "reason")
        return (), reason, {first: "Tick at least one thing that is to go."}
    return (*keys, HOLD) if held else tuple(keys), reason, {}
