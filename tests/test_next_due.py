"""advisor.edges.schedule.next_due: when something is due next, in every zone and through every change of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.estate import WEEKDAYS, Cadence, Rhythm
from advisor.edges.schedule import APART, first_due, newest_due, next_due

D, W, M = Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY

CASES = {
    # zone: rhythm, a moment, and the next times as clocks in that zone show them
    "Stockholm, clocks go forward": (
        Rhythm(D, "", "09:00", "Europe/Stockholm"),
        "2027-03-27T08:00Z",
        ["2027-03-28T09:00+02:00", "2027-03-29T09:00+02:00"],
    ),
    "Stockholm, at a time that is skipped": (
        Rhythm(D, "", "02:30", "Europe/Stockholm"),
        "2027-03-26T12:00Z",
        ["2027-03-27T02:30+01:00", "2027-03-28T03:30+02:00", "2027-03-29T02:30+02:00"],
    ),
    "Stockholm, at a time that comes twice": (
        Rhythm(D, "", "02:30", "Europe/Stockholm"),
        "2026-10-24T12:00Z",
        ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
    ),
    "Kathmandu, three quarters of an hour": (
        Rhythm(D, "", "09:00", "Asia/Kathmandu"),
        "2026-11-24T00:00Z",
        ["2026-11-24T09:00+05:45", "2026-11-25T09:00+05:45"],
    ),
    "New York, weekly": (
        Rhythm(W, "mon", "09:00", "America/New_York"),
        "2026-10-26T13:00Z",
        ["2026-11-02T09:00-05:00", "2026-11-09T09:00-05:00"],
    ),
    "New York, at a time that is skipped": (
        Rhythm(W, "sun", "02:30", "America/New_York"),
        "2027-03-08T00:00Z",
        ["2027-03-14T03:30-04:00", "2027-03-21T02:30-04:00"],
    ),
    "Lord Howe, half an hour back": (
        Rhythm(D, "", "01:45", "Australia/Lord_Howe"),
        "2027-04-03T00:00Z",
        ["2027-04-04T01:45+11:00", "2027-04-05T01:45+10:30"],
    ),
    "Cairo, where midnight is skipped": (
        Rhythm(D, "", "00:30", "Africa/Cairo"),
        "2026-04-22T12:00Z",
        ["2026-04-23T00:30+02:00", "2026-04-24T01:30+03:00", "2026-04-25T00:30+03:00"],
    ),
    "Apia, which had no 30 December 2011": (
        Rhythm(D, "", "09:00", "Pacific/Apia"),
        "2011-12-28T12:00Z",
        ["2011-12-28T09:00-10:00", "2011-12-29T09:00-10:00", "2011-12-31T09:00+14:00", "2012-01-01T09:00+14:00"],
    ),
    "the last day of each month": (
        Rhythm(M, "last", "09:00", "UTC"),
        "2028-01-30T12:00Z",
        ["2028-01-31T09:00+00:00", "2028-02-29T09:00+00:00", "2028-03-31T09:00+00:00"],
    ),
    "the 28th of each month": (
        Rhythm(M, "28", "23:59", "Europe/Stockholm"),
        "2027-02-28T12:00Z",
        ["2027-02-28T23:59+01:00", "2027-03-28T23:59+02:00"],
    ),
    "within two hours it has been": (Rhythm(D, "", "09:00"), "2026-11-24T07:30Z", ["2026-11-25T09:00+00:00"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_changes_of_clocks(case: str) -> None:
    """No day without one, none with two."""
    rhythm, moment, shown = CASES[case]
    at = datetime.fromisoformat(moment)
    seen = []
    for _ in shown:
        at = next_due(rhythm, at)
        seen.append(at.astimezone(ZoneInfo(rhythm.zone)).isoformat(timespec="minutes"))
    assert seen == shown
    assert at.tzinfo is UTC


ZONES = st.sampled_from(
    "UTC Europe/Stockholm Asia/Kathmandu America/New_York Australia/Lord_Howe Pacific/Apia Africa/Cairo "
    "America/Sao_Paulo Asia/Beirut Pacific/Chatham America/St_Johns Africa/Casablanca Antarctica/Troll".split()
)
TIMES = st.times().map(lambda t: f"{t:%H:%M}")
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # made aware by `timezones`
DAILY = st.builds(Rhythm, st.just(D), st.just(""), TIMES, ZONES)
RHYTHMS = st.one_of(
    DAILY,
    st.builds(Rhythm, st.just(W), st.sampled_from(WEEKDAYS), TIMES, ZONES),
    st.builds(Rhythm, st.just(M), st.sampled_from([*map(str, range(1, 29)), "last"]), TIMES, ZONES),
)
SPAN = {D: timedelta(days=2), W: timedelta(days=8), M: timedelta(days=33)}


@given(RHYTHMS, MOMENTS)
def test_it_is_always_strictly_later(rhythm: Rhythm, at: datetime) -> None:
    """By more than two hours, and never so late that one was left out."""
    following = next_due(rhythm, at)
    assert at + APART < following <= at + APART + SPAN[rhythm.cadence]
    assert at < first_due(rhythm, at) <= following


@given(DAILY, MOMENTS)
def test_every_day_has_exactly_one(rhythm: Rhythm, at: datetime) -> None:
    """A month long; what a zone's calendar leaves out is left out."""
    zone, days = ZoneInfo(rhythm.zone), []
    for _ in range(30):
        at = next_due(rhythm, at)
        days.append(at.astimezone(zone).date())
    gap = [date(2011, 12, 30)] if rhythm.zone == "Pacific/Apia" else []
    expected = [days[0] + timedelta(days=n) for n in range(32)]
    assert days == [d for d in expected if d not in gap][:30]


@given(RHYTHMS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=90)))
def test_of_several_missed_ones_the_newest_counts(rhythm: Rhythm, due: datetime, away: timedelta) -> None:
    """A bot that was away for weeks has one to say, and the next is in the future."""
    now = due + away
    last, following = newest_due(rhythm, due, now)
    assert due <= last <= now < following
    assert next_due(rhythm, last) == following


def test_a_zone_that_nobody_knows() -> None:
    """It is refused by its name."""
    with pytest.raises(ZoneInfoNotFoundError):
        next_due(Rhythm(D, "", "09:00", "Mars/Olympus"), datetime(2026, 1, 1, tzinfo=UTC))


def test_a_zone_that_the_machine_forgot() -> None:
    """What was due in it goes on by UTC."""
    due = datetime(2026, 1, 1, 9, tzinfo=UTC)
    gone = Rhythm(D, "", "09:00", "Gone/Away")
    assert newest_due(gone, due, due) == (due, datetime(2026, 1, 2, 9, tzinfo=UTC))
