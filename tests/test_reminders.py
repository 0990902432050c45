"""advisor.core.reminders: whom a ticket asks again and when; never at night, never twice a day, nobody forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.estate import WEEKDAYS
from advisor.core.reminders import (
    APART,
    About,
    Audience,
    Heard,
    Line,
    Quiet,
    Rules,
    Say,
    Unreached,
    Wait,
    Waiting,
    concerns,
    decide,
    quiet,
)
from advisor.core.removal import TicketState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SET = "20:00-08:00,sat,sun"
RULES = Rules(DAY, 3 * DAY, quiet(SET))
CAROL = Audience("U0CAROL", UTC, approver=True)
ALICE = Audience("U0ALICE")
DAVE = Audience("U0DAVE", next_in_line=True)
ZONES = (
    "UTC",
    "Europe/Stockholm",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
)


def ticket(number: int = 1, **more: Any) -> Waiting:
    values: dict[str, Any] = {
        "id": number,
        "state": TicketState.OPEN,
        "requesters": ("U0ALICE",),
        "since": TUESDAY,
        "expires_at": TUESDAY + 7 * DAY,
    }
    return Waiting(**(values | more))


STUCK = ticket(state=TicketState.NEEDS_HUMAN)


def heard(at: datetime, *lines: Line, zone: str = "UTC") -> Heard:
    return Heard(at, at.astimezone(ZoneInfo(zone)).date(), frozenset(lines))


def line(about: About, number: int = 1) -> Line:
    return Line(number, about)


# -- the setting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("off", Quiet()),
        (" OFF ", Quiet()),
        ("20:00-08:00", Quiet(time(20), time(8))),
        ("00:00-06:30", Quiet(time(0), time(6, 30))),
        ("sat,sun", Quiet(days=frozenset({5, 6}))),
        ("Fri, sat ,18:00-09:00", Quiet(time(18), time(9), frozenset({4, 5}))),
        ("08:00-07:00", Quiet(time(8), time(7))),
        ("mon,tue,wed,thu,fri,sat", Quiet(days=frozenset(range(6)))),
    ],
)
def test_the_setting_is_read(value: str, meant: Quiet) -> None:
    """Hours, days, both in any order, or never."""
    assert quiet(value) == meant


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "weekends",
        "20-8",
        "24:00-08:00",
        "20:00-08:60",
        "20:00-08:00,21:00-07:00",
        "off,sat",
        "20:00-20:00",
        "08:00-07:01",
        ",".join(WEEKDAYS),
    ],
)
def test_what_is_no_setting(value: str) -> None:
    """Nor one that would leave no time at all."""
    with pytest.raises(ValueError, match=r"takes off|leaves"):
        quiet(value)


# -- who and when ----------------------------------------------------------------------------------------------------

CASES: dict[str, tuple[list[Waiting], Audience, list[Heard], float, list[Line] | float | None]] = {
    # tickets, person, what they heard, hours after Tuesday 10:00: what is said, hours to wait until, or nothing
    "nothing waits": ([], CAROL, [], 30, None),
    "a stranger": ([ticket()], Audience("U0EVE"), [], 30, None),
    "too early": ([ticket()], CAROL, [], 23.9, 24),
    "a day later": ([ticket()], CAROL, [], 24, [line(About.ASK)]),
    "at night": ([ticket()], CAROL, [], 35, 46),
    "on Saturday": ([ticket()], CAROL, [], 96, 142),
    "who has approved": ([ticket(approved=frozenset({"U0CAROL"}))], CAROL, [], 30, None),
    "their own": ([ticket(requesters=("U0CAROL",))], CAROL, [], 30, 144),
    "advice": ([ticket(advice=True)], CAROL, [], 30, None),
    "again a day later": ([ticket()], CAROL, [heard(TUESDAY + DAY, line(About.ASK))], 48, [line(About.ASK)]),
    "not within a day": ([ticket()], CAROL, [heard(TUESDAY + DAY, line(About.ASK))], 47, 48),
    "two in one": ([ticket(), ticket(2, since=TUESDAY + 20 * HOUR)], CAROL, [], 24, [line(About.ASK), line(About.ASK, 2)]),
    "a second one on the same day waits": ([ticket(), ticket(2)], CAROL, [heard(TUESDAY + DAY, line(About.ASK))], 25, 46),
    "a short ticket": ([ticket(expires_at=TUESDAY + DAY / 2)], CAROL, [], 6, [line(About.ASK)]),
    "stopped half way": ([STUCK], CAROL, [], 24, [line(About.ASK)]),
    "stopped half way, one's own": ([replace(STUCK, requesters=("U0CAROL",))], CAROL, [], 24, [line(About.ASK)]),
    "next in line, early": ([ticket()], DAVE, [], 71, 72),
    "next in line": ([ticket()], DAVE, [], 72, [line(About.ESCALATED)]),
    "next in line, a short ticket": ([ticket(expires_at=TUESDAY + 40 * HOUR)], DAVE, [], 30, [line(About.ESCALATED)]),
    "next in line and an approver": ([ticket()], replace(DAVE, approver=True), [], 24, [line(About.ASK)]),
    "next in line, their own": ([ticket(requesters=("U0DAVE",), state=TicketState.NEEDS_HUMAN)], DAVE, [], 80, None),
    "who asked": ([ticket(expires_at=TUESDAY + 3 * DAY)], ALICE, [], 48, [line(About.EXPIRES)]),
    "who asked, once": ([ticket(expires_at=TUESDAY + 3 * DAY)], ALICE, [heard(TUESDAY + 2 * DAY, line(About.EXPIRES))], 60, None),
    "who asked for advice": ([ticket(advice=True, expires_at=TUESDAY + 3 * DAY)], ALICE, [], 48, [line(About.EXPIRES)]),
    # Tuesday to Monday 07:00: a day before is Sunday, so it is said on Friday evening
    "it expires after a weekend": ([ticket(expires_at=TUESDAY + 141 * HOUR)], ALICE, [], 81, [line(About.EXPIRES)]),
    "not yet on Friday": ([ticket(expires_at=TUESDAY + 141 * HOUR)], ALICE, [], 80, 81),
    "somebody cannot be reached": ([ticket(unreached=(Unreached("U0BOB", "deactivated", TUESDAY + DAY),))], ALICE, [], 24.25, [line(About.UNREACHED)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_who_is_told_what_when(name: str) -> None:
    """Hours count from Tuesday, 10:00; quiet is 20:00 to 08:00, Saturday and Sunday."""
    tickets, who, said, hours, expected = CASES[name]
    decided = decide(tickets, who, RULES, said, TUESDAY + hours * HOUR)
    if isinstance(expected, list):
        assert decided == Say(tuple(expected))
    else:
        assert decided == (None if expected is None else Wait(TUESDAY + expected * HOUR))


def test_self_approval_asks_the_requester_too() -> None:
    """As the setting of now says."""
    own = ticket(requesters=("U0CAROL",))
    rules = replace(RULES, self_approval=True)
    assert decide([own], CAROL, rules, [], TUESDAY + DAY) == Say((line(About.ASK),))


def test_what_cannot_wait_goes_along() -> None:
    """An approver's message of today names their own ticket that expires before the next one could come."""
    friday = TUESDAY + 3 * DAY
    tickets = [ticket(), ticket(2, requesters=("U0CAROL",), expires_at=friday + 71 * HOUR)]
    assert decide(tickets, CAROL, RULES, [], friday) == Say((line(About.ASK), line(About.EXPIRES, 2)))


def test_a_message_that_was_put_off_says_only_what_holds() -> None:
    """Whoever has approved meanwhile, or may not any more, is not asked."""
    assert concerns([ticket()], CAROL, RULES) == {line(About.ASK)}
    assert not concerns([ticket(approved=frozenset({"U0CAROL"}))], CAROL, RULES)
    assert not concerns([ticket()], replace(CAROL, approver=False), RULES)


def test_clocks_that_go_back() -> None:
    """The same hour twice, and a clock moved by hours or a day, say nothing twice."""
    zone = "America/New_York"
    carol = replace(CAROL, zone=ZoneInfo(zone))
    rules = replace(RULES, quiet=Quiet())
    first = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 01:30, and an hour later it is 01:30 again
    stuck = replace(STUCK, since=first - 2 * DAY)
    said = heard(first, line(About.ASK), zone=zone)
    for now in (first + HOUR, first - 3 * HOUR, first - DAY):
        assert isinstance(decide([stuck], carol, rules, [said], now), Wait)


def test_a_clock_that_ran_ahead_silences_nobody() -> None:
    """What was said a year ahead does not count when the clock is right again."""
    said = heard(TUESDAY + 365 * DAY, line(About.ASK))
    assert decide([ticket()], CAROL, RULES, [said], TUESDAY + DAY) == Say((line(About.ASK),))


def test_a_traveller() -> None:
    """Who flies into another day hears nothing twice within half a day."""
    at = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)  # Monday 19:00 in Honolulu, Tuesday 18:00 in Auckland
    said = heard(at, line(About.ASK, 9), zone="Pacific/Honolulu")
    there = replace(CAROL, zone=ZoneInfo("Pacific/Auckland"))
    tickets = [ticket(since=at - 3 * DAY)]
    decided = decide(tickets, there, RULES, [said], at + HOUR / 2)
    assert isinstance(decided, Wait)
    assert decided.until >= at + APART


# -- what holds for whatever comes -----------------------------------------------------------------------------------

hours = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))


@st.composite
def quiets(draw: st.DrawFn) -> Quiet:
    """Any setting that is taken."""
    days = draw(st.frozensets(st.sampled_from(WEEKDAYS), max_size=6))
    begin, end = draw(hours), draw(hours)
    words = [*days, *([f"{begin:%H:%M}-{end:%H:%M}"] if draw(st.booleans()) else [])]
    try:
        return quiet(",".join(words) or "off")
    except ValueError:
        return quiet("off")


moments = st.integers(0, 420 * 24 * 60).map(lambda n: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=n))
zones = st.sampled_from(ZONES).map(ZoneInfo)


def night(setting: Quiet, at: datetime, zone: ZoneInfo) -> bool:
    """Whether it is quiet, said another way: minutes of the day in a circle."""
    wall = at.astimezone(zone)
    if wall.weekday() in setting.days:
        return True
    if setting.begin is None or setting.end is None:
        return False
    begin = setting.begin.hour * 60 + setting.begin.minute
    length = (setting.end.hour * 60 + setting.end.minute - begin) % 1440
    return (wall.hour * 60 + wall.minute - begin) % 1440 < length


@settings(max_examples=60)
@given(setting=quiets(), at=moments, zone=zones)
def test_the_first_moment_that_is_not_quiet(setting: Quiet, at: datetime, zone: ZoneInfo) -> None:
    """It is not quiet then, and it was until then; through every change of clocks."""
    opens = setting.opens(at, zone)
    assert opens >= at
    assert not night(setting, opens, zone)
    step, seen = timedelta(minutes=20), at
    while seen < opens:
        assert night(setting, seen, zone), seen
        seen += step
    last = setting.last_open(at, zone)
    assert at - 8 * DAY <= last <= at
    assert (last == at) is not night(setting, at, zone)


@st.composite
def tickets_of(draw: st.DrawFn) -> Waiting:
    since = TUESDAY + draw(st.integers(0, 14 * 24)) * HOUR
    return ticket(
        since=since,
        expires_at=since + draw(st.integers(1, 14)) * DAY,
        state=draw(st.sampled_from([TicketState.OPEN, TicketState.NEEDS_HUMAN])),
        requesters=(draw(st.sampled_from(["U0ALICE", "U0CAROL"])),),
    )


def live(
    tickets: list[Waiting], who: Audience, rules: Rules, begin: datetime, end: datetime
) -> list[tuple[datetime, Say]]:
    """Everything that a person is told between two moments, looked at whenever something could be due."""
    now, told, memory = begin, [], list[Heard]()
    while now < end:
        here = [t for t in tickets if t.since <= now and (not t.open or now < t.expires_at)]
        decided = decide(here, who, rules, memory, now)
        if isinstance(decided, Say):
            told.append((now, decided))
            memory.append(Heard(now, now.astimezone(who.zone).date(), frozenset(decided.lines)))
            continue
        following = [t for x in tickets for t in (x.since, x.expires_at) if t > now]
        if isinstance(decided, Wait):
            assert decided.until > now
            following.append(decided.until)
        now = min([*following, end])
    return told


@settings(max_examples=60)
@given(
    waiting=st.lists(tickets_of(), min_size=1, max_size=5),
    setting=quiets(),
    zone=zones,
    begin=moments,
    again=st.integers(1, 168),
    approver=st.booleans(),
    next_in_line=st.booleans(),
)
def test_never_twice_a_day_never_at_night_nobody_forgotten(
    waiting: list[Waiting],
    setting: Quiet,
    zone: ZoneInfo,
    begin: datetime,
    again: int,
    approver: bool,
    next_in_line: bool,
) -> None:
    """For any tickets, zone, quiet hours and interval, through changes of clocks."""
    shift = begin - TUESDAY
    tickets = [
        replace(t, id=n, since=t.since + shift, expires_at=t.expires_at + shift)
        for n, t in enumerate(waiting, 1)
    ]
    rules = Rules(again * HOUR, 3 * DAY, setting)
    who = Audience("U0CAROL", zone, approver, next_in_line)
    end = begin + 40 * DAY
    told = live(tickets, who, rules, begin, end)
    days: list[date] = [at.astimezone(zone).date() for at, _ in told]
    assert days == sorted(set(days)), "one a day at most"
    assert all(later - earlier >= APART for (earlier, _), (later, _) in pairwise(told))
    assert not [at for at, _ in told if night(setting, at, zone)]
    assert all(say.lines for _, say in told)
    for t in tickets:
        ask = Line(t.id, About.ASK)
        times = [at for at, say in told if ask in say.lines]
        if not approver or (t.open and "U0CAROL" in t.requesters):
            assert not times
            continue
        # Six quiet days and half a day between two messages, at the very most.
        patience = rules.again + 8 * DAY
        known = [t.since, *times, min(end, t.expires_at) if t.open else end]
        assert all(b - a <= patience for a, b in pairwise(known))


@settings(max_examples=25)
@given(zone=zones, begin=moments)
def test_with_the_default_nobody_waits_longer_than_a_weekend(zone: ZoneInfo, begin: datetime) -> None:
    """Every ticket that waits on somebody comes to them again within a day, or the weekend after it."""
    stuck = replace(STUCK, since=begin)
    told = live([stuck], replace(CAROL, zone=zone), RULES, begin, begin + 21 * DAY)
    times = [begin, *(at for at, _ in told), begin + 21 * DAY]
    assert all(b - a <= DAY + 60 * HOUR + 12 * HOUR for a, b in pairwise(times))
