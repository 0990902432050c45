"""The lines of App Home's lists: tickets, audits, entities, what comes again, keeps, accounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slack_sdk.models.blocks import RichTextElementParts, RichTextSectionElement

from advisor.core.estate import ALL, Cadence, Part, Schedule
from advisor.core.home import AuditLine, Counts, HomeView, OwnedLine, Place, SweepLine, SweptLine, TicketLine
from advisor.core.model import Entity, Failure, RequestState
from advisor.core.removal import Keep, TicketState
from handlers.blocks import kit, words

S = TicketState

_STATE = {
    S.OPEN: ("raised_hand", "Waiting"),
    S.APPROVED: ("white_check_mark", "Approved"),
    S.APPLYING: ("hourglass_flowing_sand", "Applying"),
    S.HELD: ("hourglass_flowing_sand", "Held"),
    S.APPLIED: ("white_check_mark", "Applied"),
    S.ROLLING_BACK: ("hourglass_flowing_sand", "Rolling back"),
    S.ROLLED_BACK: ("leftwards_arrow_with_hook", "Rolled back"),
    S.REJECTED: ("no_entry", "Rejected"),
    S.CANCELLED: ("no_entry", "Cancelled"),
    S.EXPIRED: ("heavy_minus_sign", "Expired"),
    S.SUPERSEDED: ("heavy_minus_sign", "Superseded"),
    S.DRIFTED: ("warning", "Moved"),
    S.NEEDS_HUMAN: ("rotating_light", "Needs a person"),
}

_AUDIT = {
    RequestState.QUEUED: ("hourglass_flowing_sand", "Queued"),
    RequestState.RUNNING: ("hourglass_flowing_sand", "Running"),
    RequestState.DONE: ("white_check_mark", "Done"),
    RequestState.FAILED: ("warning", "Failed"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A home's values with what Slack says of them: links to cards, and the names of channels."""

    view: HomeView
    links: Mapping[Place, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)

    def link(self, place: Place) -> str:
        """Where a card stands, as an address of Slack's; empty where that is not known."""
        return self.links.get(place, "") if place.ts else ""

    def where(self, account_id: str) -> str:
        """prod"""
        return kit.clip(words.account_word(self.view.account(account_id)), 40)

    def who(self, entity: Entity) -> str:
        """DBAdminRole (role in prod)"""
        kind = words.kind_of(entity)
        kind = kind if kind.startswith("AWS") else kind.lower()
        return f"{kit.clip(entity.name, kit.NAME)} ({kind} in {self.where(entity.account)})"


def linked(page: Page, place: Place, label: str) -> Any:
    """Words that lead to a card, where Slack says how."""
    url = page.link(place)
    return RichTextElementParts.Link(url=url, text=label) if url else kit.text(label)


def _head(icon: str, word: str) -> list[Any]:
    return [kit.emoji(icon), kit.text(f" {word} ", bold=True)]


# -- tickets -------------------------------------------------------------------------------------------------------


def waits(page: Page, line: TicketLine) -> str:
    """What an approver is asked, as a sentence."""
    number, who = f"ticket {line.id}", page.who(line.entity)
    if line.state is S.NEEDS_HUMAN:
        if line.back:
            return f"Needs a person: {number}, its roll back stopped half way. {who} is part restored. Retry or roll back"
        return f"Needs a person: {number}, stopped half way. {who} is part changed. Retry or roll back"
    if line.state is S.HELD:
        return f"Held, stopped: {number}, somebody tried what is held of {who}. Finish or roll back"
    count = f"{line.approvals} of {page.view.needed}"
    return f"Waiting for approval, {count}: {number}, {asks(page, line)}. Until {kit.minute(line.expires_at)}"


def asks(page: Page, line: TicketLine) -> str:
    """remove 6 of 11 services from DBAdminRole (role in prod)"""
    who = page.who(line.entity)
    if line.quarantine:
        return f"quarantine {who}"
    parts = []
    if line.services:
        parts.append(f"{line.services:,} of {words.some(line.granted, 'service')}")
    if line.actions:
        parts.append(words.some(line.actions, "action"))
    if parts:
        return f"remove {' and '.join(parts)} from {who}"
    return f"change {words.some(line.edits, 'policy', 'policies')} of {who}"


def _amount(line: TicketLine) -> str:
    if line.quarantine:
        return "everything"
    if line.services:
        return words.some(line.services, "service")
    if line.actions:
        return words.some(line.actions, "action")
    return words.some(line.edits, "policy", "policies")


def _word(line: TicketLine) -> tuple[str, str]:
    if line.advice and line.state is S.OPEN:
        return "raised_hand", "Advice"
    if line.parked:
        return ("raised_hand", "Held, stopped") if line.state is S.HELD else ("warning", "Not begun")
    return _STATE[line.state]


def ticket(page: Page, line: TicketLine) -> RichTextSectionElement:
    """Waiting ticket 18: ci-deploy, 17 services, 0 of 2 approvals, until 29 Nov"""
    name = kit.clip(line.entity.name, kit.NAME)
    rest = f": {name}, {_amount(line)}{', partly given back' if line.given else ''}"
    parts = [*_head(*_word(line)), linked(page, line.card, f"ticket {line.id}")]
    if line.state is S.OPEN:
        count = "" if line.advice else f", {line.approvals} of {words.some(page.view.needed, 'approval')}"
        return kit.section(*parts, kit.text(f"{rest}{count}, until "), kit.date(line.expires_at))
    return kit.section(*parts, kit.text(f"{rest} · "), kit.date(line.changed_at))


# -- audits and entities -------------------------------------------------------------------------------------------


def counted(counts: Counts) -> str:
    """2 of 25 used, 19 could go"""
    return f"{counts.used:,} of {counts.granted:,} used, {counts.could_go:,} could go"


def audit(page: Page, line: AuditLine) -> RichTextSectionElement:
    """Done DBAdminRole, prod: 2 of 25 used, 19 could go · 24 Nov"""
    name = kit.clip(line.entity.name if line.entity else line.asked.name.rpartition("/")[2], kit.NAME)
    account = line.entity.account if line.entity else ""
    where = f", {page.where(account)}" if account else ""
    if line.state is RequestState.DONE:
        told = counted(line.counts) if line.counts else "its result is not kept any more"
    elif line.state is RequestState.FAILED and line.failure:
        told = because(line.failure, name, page, account)
    else:
        told = "the result is on its way"
    parts = [*_head(*_AUDIT[line.state]), linked(page, line.card, name or " ")]
    return kit.section(*parts, kit.text(f"{where}: {told} · "), kit.date(line.at))


def because(failure: Failure, name: str, page: Page, account: str) -> str:
    """Why there is no result, in a few words."""
    known = page.view.account(account) if account else None
    return kit.clip(words.because(failure, name, known), 120)


def owned(page: Page, line: OwnedLine) -> str:
    """DBAdminRole (role in prod): 2 of 25 used, 19 could go. Ticket 14 would remove 6 of 11 services"""
    told = f": {counted(line.counts)}" if line.counts else ""
    if line.ticket is None:
        return f"{page.who(line.entity)}{told}. Nothing is planned"
    return f"{page.who(line.entity)}{told}. {_planned(line.ticket)}"


def _planned(line: TicketLine) -> str:
    number, what = f"ticket {line.id}", _amount(line)
    match line.state:
        case S.OPEN if line.advice:
            return f"Advice, {number}: {what} could go"
        case S.OPEN:
            return f"Waiting for approval, {number}: {what} would go"
        case S.NEEDS_HUMAN:
            return f"Needs a person: {number} stopped half way"
        case S.ROLLING_BACK:
            return f"Rolling back, {number}: {what}"
        case S.APPLYING:
            return f"Applying, {number}: {what} go"
        case S.HELD:
            return f"Held, {number}: {what} {'were tried, a person decides' if line.parked else 'go if nobody tries'}"
        case _:
            return f"Approved, {number}: {what} will go"


# -- what comes again ----------------------------------------------------------------------------------------------


def when(schedule: Schedule) -> str:
    """Mondays 09:00 (Europe/Stockholm)"""
    rhythm = schedule.rhythm
    match rhythm.cadence:
        case Cadence.DAILY:
            day = "every day"
        case Cadence.WEEKLY:
            day = f"{words.DAYS[rhythm.day]}s"
        case _:
            day = "last day of the month" if rhythm.day == "last" else f"day {rhythm.day} of the month"
    return f"{day} {rhythm.at} ({rhythm.zone})"


def scope(page: Page, schedule: Schedule) -> str:
    """Digest of prod and dev in #security; Sweep of all accounts"""
    digest = schedule.what == "digest"
    named = [kit.clip(a, 40) for a in schedule.accounts]
    if ALL in named or (digest and not named):
        accounts = "all accounts"
    elif not named:
        accounts = "the bot’s own account"
    else:
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        accounts = (
            f"{', '.join(named[:3])}{more}"
            if more or len(named) < 2
            else f"{', '.join(named[:-1])} and {named[-1]}"
        )
    tag = f" with {kit.clip(schedule.tag, 60)}" if schedule.tag else ""
    where = page.channels.get(schedule.channel, "")
    where = f" in #{kit.clip(where, 80)}" if where else ""
    return f"{'Digest' if digest else 'Sweep'} of {accounts}{tag}{where}"


def next_day(schedule: Schedule) -> str:
    """30 Nov, in the schedule's own zone."""
    try:
        at = schedule.due_at.astimezone(ZoneInfo(schedule.rhythm.zone))
    except (ZoneInfoNotFoundError, ValueError):  # a name that this machine's tz data does not have
        at = schedule.due_at
    return f"{at.day} {kit.day(at.replace(tzinfo=schedule.due_at.tzinfo)).split()[1]}"


def schedule(page: Page, line: Schedule) -> RichTextSectionElement:
    """Sweep of all accounts: Sundays 02:00 (UTC), next 29 Nov · ends with /iam-audit sweep off"""
    return kit.section(
        kit.text(f"{scope(page, line)}: {when(line)}, next "),
        kit.date(line.due_at),
        kit.text(" · ends with "),
        kit.code(f"/iam-audit {line.what} off"),
    )


def sweep(page: Page, line: SweepLine) -> RichTextSectionElement:
    """Running sweep of all accounts, since 24 Nov 09:12"""
    of = {"": "the bot’s own account", ALL: "all accounts"}.get(line.asked, kit.clip(line.asked, 40))
    word = line.state.value.capitalize()
    return kit.section(
        *_head("hourglass_flowing_sand", word),
        linked(page, line.card, f"sweep of {of}"),
        kit.text(", since "),
        kit.date(line.created_at, time=True),
    )


# -- keeps and accounts --------------------------------------------------------------------------------------------


def kept(keep: Keep) -> str:
    """kms, or everything"""
    return kit.clip(keep.service or "everything", kit.NAME)


def keep(page: Page, line: Keep, entity: Entity) -> str:
    """kms for DBAdminRole (role in prod), until 31 Jan 2027: “yearly key rotation”"""
    reason = f": “{kit.clip(line.reason, 300)}”" if line.reason else ""
    return f"{kept(line)} for {page.who(entity)}, until {kit.day(line.until)}{reason}"


def swept(page: Page, line: SweptLine) -> RichTextSectionElement:
    """Done prod (111111111111): 503 entities · 22 Nov 02:14"""
    name = words.account_name(page.view.account(line.account))
    icon, word, told = _swept(page, line)
    at: datetime | None = line.at
    parts = [*_head(icon, word), kit.text(f"{name}: {told}")]
    return kit.section(*parts, kit.text(" · "), kit.date(at, time=True)) if at else kit.section(*parts)


def _swept(page: Page, line: SweptLine) -> tuple[str, str, str]:
    unlisted = ""
    if line.unlisted:
        why = because(Failure(line.unlisted, account=line.account, tries=1), "", page, line.account)
        unlisted = f"its entities cannot be listed: {why}"
    if line.state is None:
        return "warning", "Not swept", unlisted or "never"
    total = words.some(line.total, "entity", "entities")
    if line.state is Part.FAILED:
        why = because(line.failure, "", page, line.account) if line.failure else "it could not be read"
        return "warning", "Failed", f"the last sweep: {why}"
    if line.state in {Part.QUEUED, Part.RUNNING}:
        return "hourglass_flowing_sand", line.state.value.capitalize(), f"a sweep of {total}"
    if line.state is Part.CANCELLED:
        return "no_entry", "Stopped", "its last sweep was cancelled"
    if line.failed:
        return "warning", "Partial", f"{line.total - line.failed:,} of {total} read"
    return (
        ("warning", "Done", f"{total}; now {unlisted}") if unlisted else ("white_check_mark", "Done", total)
    )
