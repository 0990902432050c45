"""Who is to be asked again about which ticket, and when. Pure: tickets, people, zones and what was said are arguments.

A person hears of everything that waits on them in one message, at most one a day by their own calendar, and never in
quiet hours by their own clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from advisor.core.estate import WEEKDAYS
from advisor.core.removal import TicketState

APART = timedelta(hours=12)
"""The least time between two messages to a person, also where they travel into another day."""

DAILY = timedelta(days=1)
"""How often a ticket that stopped half way asks, whatever the settings say."""

SETTLED = timedelta(minutes=15)
"""How long after the last person who could not be reached it is told: so one line names them all."""

FUTURE = timedelta(days=2)
"""What was said later than this from now was said by a clock that ran far ahead; it must not silence anybody."""

_HOURS = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)")
_OPEN = 60
"""Minutes of a day that quiet hours must leave."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours and days on which nobody is written to, by the reader's own clock; `begin` is later than `end` over midnight.

    `days` are numbers as of `date.weekday`: 0 is Monday.
    """

    begin: time | None = None
    end: time | None = None
    days: frozenset[int] = frozenset()

    def covers(self, at: datetime, zone: tzinfo) -> bool:
        """Whether it is quiet at an instant, for somebody in a zone."""
        wall = at.astimezone(zone)
        if wall.weekday() in self.days:
            return True
        if self.begin is None or self.end is None:
            return False
        now = wall.time().replace(tzinfo=None, fold=0)
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end

    def opens(self, at: datetime, zone: tzinfo) -> datetime:
        """The first instant from `at` on at which it is not quiet, in UTC."""
        if not self.covers(at, zone):
            return at.astimezone(UTC)
        # Six days of a week at most are quiet; a day more holds for whatever clocks do.
        turns = self._turns(at, zone, range(9), (time.min, self.end or time.min))
        return min(t for t in turns if t > at and not self.covers(t, zone))

    def last_open(self, at: datetime, zone: tzinfo) -> datetime:
        """`at` itself, or where it is quiet then, an hour before that quiet began, in UTC."""
        if not self.covers(at, zone):
            return at.astimezone(UTC)
        turns = self._turns(at, zone, range(-8, 1), (time.min, self.begin or time.min))
        before = [t for t in turns if t <= at and not self.covers(t - timedelta(minutes=1), zone)]
        return max(before) - timedelta(hours=1)

    @staticmethod
    def _turns(at: datetime, zone: tzinfo, days: range, times: Sequence[time]) -> list[datetime]:
        """Instants at which quiet may begin or end; a time that clocks show twice counts twice."""
        today = at.astimezone(zone).date()
        return [
            datetime.combine(today + timedelta(days=n), t, zone).replace(fold=fold).astimezone(UTC)
            for n in days
            for t in times
            for fold in (0, 1)
        ]


def quiet(value: str) -> Quiet:
    """Read a setting: `off`, or hours and days such as `20:00-08:00,sat,sun`. Raises ValueError where it is neither."""
    words = [w.strip().casefold() for w in value.split(",") if w.strip()]
    if words == ["off"]:
        return Quiet()
    hours = [m for w in words if (m := _HOURS.fullmatch(w))]
    days = frozenset(WEEKDAYS.index(w) for w in words if w in WEEKDAYS)
    if not words or len(hours) > 1 or len(hours) + sum(w in WEEKDAYS for w in words) < len(words):
        raise ValueError("takes off, or hours and days such as 20:00-08:00,sat,sun")
    if len(days) == len(WEEKDAYS):
        raise ValueError("leaves no day of the week")
    if not hours:
        return Quiet(days=days)
    begin, end = (time.fromisoformat(t) for t in hours[0].groups())
    if (_minutes(begin) - _minutes(end)) % (24 * 60) < _OPEN:
        raise ValueError("leaves less than an hour of the day")
    return Quiet(begin, end, days)


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings: after how long approvers are asked again, and again; after how long the next ones are; when it is quiet."""

    again: timedelta
    escalate: timedelta
    quiet: Quiet = field(default_factory=Quiet)
    self_approval: bool = False


@dataclass(frozen=True, slots=True)
class Unreached:
    """Somebody who was to be asked and could not be: why, as a word, and when that was found."""

    user: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket that waits for people, as far as asking for it goes. `since` is when it came into its state."""

    id: int
    state: TicketState
    requesters: tuple[str, ...]
    since: datetime
    expires_at: datetime
    advice: bool = False
    approved: frozenset[str] = frozenset()
    unreached: tuple[Unreached, ...] = ()

    @property
    def life(self) -> timedelta:
        """How long it waits altogether."""
        return self.expires_at - self.since

    @property
    def open(self) -> bool:
        """Whether it waits for approvals; else it stopped half way."""
        return self.state is TicketState.OPEN


@dataclass(frozen=True, slots=True)
class Audience:
    """A person by the settings of now, and the zone of their clock."""

    user: str
    zone: tzinfo = UTC
    approver: bool = False
    next_in_line: bool = False  # named by IAM_AUDIT_ESCALATE


class About(StrEnum):
    """Why somebody hears of a ticket."""

    ASK = "ask"  # they may decide on it
    ESCALATED = "escalated"  # nobody has, for long; they are asked next and may not
    EXPIRES = "expires"  # they asked for it, and its time is nearly over
    UNREACHED = "unreached"  # they asked for it, and some who should decide cannot be reached


@dataclass(frozen=True, slots=True)
class Line:
    """A ticket in a message, and why it stands there."""

    ticket: int
    about: About


@dataclass(frozen=True, slots=True)
class Heard:
    """A message to a person, or a try: when, the day of it by their calendar, and what it said."""

    at: datetime
    day: date
    lines: frozenset[Line]


@dataclass(frozen=True, slots=True)
class Say:
    """Say this now."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be said before this time."""

    until: datetime


@dataclass(frozen=True, slots=True)
class _Due:
    line: Line
    at: datetime
    again: timedelta | None  # None: once


def concerns(tickets: Iterable[Waiting], who: Audience, rules: Rules) -> frozenset[Line]:
    """Everything that a person could hear of now, due or not: what a message that was put off may still say."""
    return frozenset(d.line for t in tickets for d in _of(t, who, rules))


def decide(
    tickets: Sequence[Waiting], who: Audience, rules: Rules, heard: Sequence[Heard], now: datetime
) -> Say | Wait | None:
    """What this person is to be told now, or when to look again; None while nothing waits on them."""
    heard = [h for h in heard if h.at <= now + FUTURE]
    due = [(d, at) for t in tickets for d in _of(t, who, rules) if (at := _next(d, heard)) is not None]
    if not due:
        return None
    at = rules.quiet.opens(max(min(at for _, at in due), _chance(heard, who.zone)), who.zone)
    if at > now or rules.quiet.covers(now, who.zone):
        return Wait(max(at, rules.quiet.opens(now, who.zone)))
    today = now.astimezone(who.zone).date()
    following = rules.quiet.opens(_chance([Heard(now, today, frozenset())], who.zone), who.zone)
    return Say(tuple(d.line for d, at in due if _belongs(d, at, now, following)))


def _belongs(due: _Due, at: datetime, now: datetime, following: datetime) -> bool:
    """Whether a line goes with a message of now: what waits on its reader always, what cannot wait until the following one."""
    match due.line.about:
        case About.ASK:
            return True
        case About.EXPIRES:
            return at <= following
        case _:
            return due.at <= now


def _next(due: _Due, heard: Sequence[Heard]) -> datetime | None:
    """When a line is due (again); None where it was said once and that is enough."""
    said = [h.at for h in heard if due.line in h.lines]
    if not said:
        return due.at
    return None if due.again is None else max(due.at, max(said) + due.again)


def _chance(heard: Sequence[Heard], zone: tzinfo) -> datetime:
    """The first instant at which a person may be written to again: on another day, and not too soon."""
    if not heard:
        return datetime.min.replace(tzinfo=UTC)
    day = max(h.day for h in heard) + timedelta(days=1)
    midnight = datetime.combine(day, time.min, zone).astimezone(UTC)
    return max(midnight, max(h.at for h in heard) + APART)


def _of(ticket: Waiting, who: Audience, rules: Rules) -> Iterable[_Due]:
    """What one ticket has to say to one person, with the time at which it is due first."""
    own = who.user in ticket.requesters
    if not ticket.advice and who.user not in ticket.approved:
        if who.approver and (not ticket.open or not own or rules.self_approval):
            again = rules.again if ticket.open else DAILY
            yield _Due(Line(ticket.id, About.ASK), ticket.since + _after(ticket, rules), again)
        elif who.next_in_line and not own:
            wait = min(rules.escalate, ticket.life * 0.75) if ticket.open else rules.escalate
            yield _Due(Line(ticket.id, About.ESCALATED), ticket.since + wait, rules.again)
    if not own:
        return
    if ticket.open:
        before = rules.quiet.last_open(ticket.expires_at - _after(ticket, rules), who.zone)
        yield _Due(Line(ticket.id, About.EXPIRES), max(ticket.since, before), None)
    if ticket.unreached:
        found = max(u.at for u in ticket.unreached) + SETTLED
        yield _Due(Line(ticket.id, About.UNREACHED), found, None)


def _after(ticket: Waiting, rules: Rules) -> timedelta:
    """How long an open ticket waits before it asks again: half of its time, where that is less."""
    return min(rules.again, ticket.life / 2) if ticket.open else rules.again
