"""The words of digests: what changed, what waits, why something is not known; on the card, in the thread, in lists. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from advisor.core.digest import Change, Digest, Ended, Thing, Unread, Waiting
from advisor.core.estate import Cadence, Rhythm, Schedule
from advisor.core.model import Account
from advisor.core.numbers import Loose
from advisor.core.removal import TicketState
from handlers.blocks import home_lines, kit, words

_TITLE = {Cadence.DAILY: "IAM today", Cadence.WEEKLY: "IAM this week", Cadence.MONTHLY: "IAM this month"}
_KIND = {Cadence.DAILY: "Daily", Cadence.WEEKLY: "Weekly", Cadence.MONTHLY: "Monthly"}
_ALIAS = 30


@dataclass(frozen=True, slots=True)
class Stand:
    """How a ticket stands now."""

    state: TicketState
    approvals: int


def title(schedule: Schedule) -> str:
    """IAM this week"""
    return _TITLE[schedule.rhythm.cadence]


def kind(schedule: Schedule) -> str:
    """Weekly IAM digest"""
    return f"{_KIND[schedule.rhythm.cadence]} IAM digest"


def rhythm(found: Rhythm) -> str:
    """Mondays 09:00 (Europe/Stockholm)"""
    match found.cadence:
        case Cadence.DAILY:
            day = "every day"
        case Cadence.WEEKLY:
            day = f"{words.DAYS[found.day]}s"
        case _:
            day = "the last day of each month" if found.day == "last" else f"day {found.day} of each month"
    return f"{day} {found.at} ({found.zone})"


def joined(names: Sequence[str], limit: int = kit.NAME) -> str:
    """a, b and c"""
    shown = [kit.clip(n, limit) for n in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "nothing"


def scope(accounts: Sequence[Account], schedule: Schedule) -> str:
    """prod (111111111111) and dev (222222222222), only team=payments"""
    names = [f"{kit.clip(a.alias, _ALIAS)} ({a.id})" if a.alias else f"account {a.id}" for a in accounts]
    told = joined(names, kit.NAME) if 0 < len(names) <= 3 else words.some(len(names), "account")
    if not names:
        told = joined(schedule.accounts) if schedule.accounts else "all accounts"
    more = f", only tag {kit.clip(schedule.tag, 40)}" if schedule.tag else ""
    least = f", {schedule.severity} risk and up" if schedule.severity else ""
    return f"{told}{more}{least}"


def headline(told: Digest) -> str:
    """318 services could go, 21 fewer"""
    now = told.totals.could_go
    text = f"{words.some(now, 'service')} could go"
    if told.before is None:
        return text
    moved = now - told.before
    return f"{text}, {f'{-moved:,} fewer' if moved < 0 else f'{moved:,} more' if moved else 'as before'}"


def named(thing: Thing, limit: int = 40, place: int = _ALIAS) -> str:
    """etl-nightly (role in prod)"""
    return f"{kit.clip(thing.name, limit)} ({thing.kind} in {kit.clip(thing.alias or thing.account, place)})"


def services(found: Sequence[str], limit: int, width: int = 40) -> str:
    """sns, ses and 3 more"""
    shown = [kit.clip(s, width) for s in found[:limit]]
    more = len(found) - len(shown)
    return f"{', '.join(shown)} and {more:,} more" if more > 0 else joined(shown)


def ended(one: Ended, limit: int, way: str) -> str:
    """19 services from DBAdminRole (ticket 12)"""
    return (
        f"{words.some(one.count, 'service')} {way} {kit.clip(one.thing.name, limit)} (ticket {one.ticket_id})"
    )


def ticket(one: Ended, limit: int) -> str:
    """ticket 9, etl-nightly"""
    return f"ticket {one.ticket_id}, {kit.clip(one.thing.name, limit)}"


def grew(one: Change, limit: int, many: int, width: int = 40) -> str:
    """etl-nightly got sqs, sns and 4 more"""
    return f"{kit.clip(one.thing.name, limit)} got {services(one.services, many, width)}"


def again(one: Change, limit: int, many: int, width: int = 40) -> str:
    """sqs by report-mailer, after 140 days"""
    text = f"{services(one.services, many, width)} by {kit.clip(one.thing.name, limit)}"
    if one.days:
        return f"{text}, after {words.some(one.days, 'day')}"
    return f"{text}, for the first time"


def unused(one: Change, limit: int, many: int, width: int = 40) -> str:
    """kms by DBAdminRole"""
    return f"{services(one.services, many, width)} by {kit.clip(one.thing.name, limit)}"


def stands(one: Waiting, now: Stand | None, limit: int) -> tuple[str, str]:
    """An icon, and how a ticket that waited when the digest was made stands now: still so, or decided since."""
    was = TicketState.NEEDS_HUMAN if one.stuck else TicketState.OPEN
    if now is None or now.state is was:
        icon = "rotating_light" if one.stuck else "raised_hand"
        return icon, waits(replace(one, approvals=now.approvals) if now else one, limit)
    icon, word = home_lines.state(now.state)
    return icon, f"{_amount(one, limit)}: {word.lower()} since this digest"


def waits(one: Waiting, limit: int, needed: int = 0) -> str:
    """6 services from db-backup: 1 of 2 approvals, until 1 Dec 2026"""
    return f"{_amount(one, limit)}: {count(one, needed)}"


def _amount(one: Waiting, limit: int) -> str:
    what = words.some(one.count, "service") if one.count else "single actions"
    return f"{what} from {kit.clip(one.thing.name, limit)}"


def count(one: Waiting, needed: int = 0) -> str:
    """1 of 2 approvals, until 1 Dec 2026"""
    if one.stuck:
        return "needs a person"
    until = f"until {kit.day(one.expires_at)}"
    if one.advice:
        return f"for a person to carry out, {until}"
    have = (
        f"{one.approvals} of {words.some(needed, 'approval')}"
        if needed
        else words.some(one.approvals, "approval")
    )
    return f"{have}, {until}"


def unread(one: Unread) -> str:
    """Account data (333333333333): not read since 17 Nov 2026, access denied"""
    name = f"{kit.clip(one.alias, _ALIAS)} ({one.account})" if one.alias else one.account
    since = f"not read since {kit.day(one.since)}" if one.since else "never read"
    return f"Account {name}: {since}{', ' + why(one.why) if one.why else ''}"


_WHY = {
    "refused": "access denied",
    "throttled": "rate exceeded",
    "unreachable": "AWS gave no answer",
    "expired": "the credentials of the bot have expired",
    "no_scope": "no account of its scope is known any more",
    "turned_off": "it was turned off",
    "unread": "the sweep ended before any was read",
}


def why(code: str) -> str:
    """Why an account could not be read, in a few words of ours."""
    return _WHY.get(code, "AWS did not take the question" if code else "the sweep ended before any was read")


def maker(word: str) -> str:
    """What is said where whoever set it up may not audit any more."""
    state = "is deactivated" if word == "deactivated" else "may not audit any more"
    return f"Whoever set this digest up {state}. It goes on; an admin can change it or turn it off."


def loose(one: Loose, limit: int) -> Any:
    """A hold that no ticket holds: whose, which, what to do."""
    text = f" {kit.clip(one.policy, 40)} still denies {one.kind} {kit.clip(one.entity, limit)} in {one.account} what a ticket held, and no ticket does: look what misses it, then delete it"
    return kit.section(kit.emoji("warning"), kit.text(text))
