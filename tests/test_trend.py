"""advisor.core.trend and its picture: sums by day, what comes back from the store, and that everything can be drawn."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.trend import AccountPast, Carried, Did, EntityPast, Point, Seen, Turn, daily, dump, load
from advisor.edges.chart import Mark, Trend, draw
from handlers.blocks import trend
from tests.drawn import checked, nodes, weight
from tests.views import HOSTILE
from tests.worlds import NOW

_counts = st.integers(0, 500)
_times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001
_seen = st.lists(
    st.builds(Seen, st.integers(1, 5), _times, _counts, _counts, _counts),
    max_size=30,
    unique_by=lambda s: s.at,
)


@given(_seen, st.dictionaries(st.integers(1, 5), _times))
def test_a_day_is_the_sum_of_what_was_known_by_its_end(seen: list[Seen], gone: dict[int, datetime]) -> None:
    """Against the plain definition, for each day with a report and no other."""
    found = daily(seen, gone)
    assert [p.day for p in found] == sorted({s.at.date() for s in seen})
    for point in found:
        known: dict[int, Seen] = {}
        for one in sorted(seen, key=lambda s: s.at):
            if one.at.date() <= point.day and not (
                one.entity_id in gone and gone[one.entity_id].date() <= point.day
            ):
                known[one.entity_id] = one
        assert point.granted == sum(s.granted for s in known.values())
        assert point.could_go == sum(s.could_go for s in known.values())
        assert point.entities == len(known)


@given(_seen, st.randoms())
def test_the_order_of_scores_does_not_matter(seen: list[Seen], random: object) -> None:
    """Rows come as they come."""
    shuffled = list(seen)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert daily(shuffled, {}) == daily(seen, {})


def carried(n: int = 1, **more: object) -> Carried:
    return Carried(**{"ticket": n, "at": NOW, "did": Did.APPLIED, "kind": "role", "name": HOSTILE, **more})  # type: ignore[arg-type]


PASTS = [
    AccountPast(
        "111111111111", (Point(date(2026, 1, 2), 3, 2, 1, 4),), (carried(), carried(2, did=Did.PARTLY_BACK))
    ),
    EntityPast(
        7,
        90,
        (Turn(NOW, 3, 1, 1, None, (("newly_used", (HOSTILE, "s3")),)), Turn(NOW, 2, 0, 0, 1, stored=False)),
    ),
]


@pytest.mark.parametrize("past", PASTS)
def test_a_past_comes_back_from_its_text(past: AccountPast | EntityPast) -> None:
    """Times, days, words and all."""
    assert load(dump(past)) == past


def test_two_reports_of_a_day_are_one_point() -> None:
    """The last one."""
    turns = tuple(Turn(NOW + timedelta(hours=n), 10 + n, n, 0, None) for n in range(3))
    assert EntityPast(1, 90, turns).points == (Point(NOW.date(), 12, 2),)


# -- the picture, and what stands for it -----------------------------------------------------------------------------

DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(400)]
SERIES = {
    "two": (Point(DAYS[0], 5, 2), Point(DAYS[1], 5, 2, 3)),
    "nothing": (Point(DAYS[0], 0, 0, 0), Point(DAYS[9], 0, 0, 0)),
    "year": tuple(Point(d, 90_000 - n, 9_000 + n, 50_000 - n, 900) for n, d in enumerate(DAYS)),
}


@pytest.mark.parametrize("rung", (0, 1))
@pytest.mark.parametrize("name", SERIES)
def test_every_rung_holds(name: str, rung: int) -> None:
    """Slack’s own chart, or bars: within its limits, the first and the last day among them."""
    points = SERIES[name]
    payload = checked(trend.chart(f"{HOSTILE}: services granted and used", points, rung))
    assert weight(payload["blocks"]) < 3000
    shown = str(payload["blocks"])
    assert points[0].day.isoformat() in shown and points[-1].day.isoformat() in shown
    if rung == 0:
        series = next(n["series"] for n in nodes(payload) if "series" in n)
        assert [s["name"] for s in series] == ["Granted", "Used"]


@given(st.integers(1, 200), st.integers(2, 30))
def test_fewer_points_keep_the_ends(count: int, most: int) -> None:
    """In order, none twice."""
    points = [Point(d, n, 0) for n, d in enumerate(DAYS[:count])]
    kept = trend.fewer(points, most)
    assert len(kept) == min(count, most)
    assert kept == sorted(set(kept), key=lambda p: p.day)
    assert kept[0] == points[0] and kept[-1] == points[-1]


@pytest.mark.parametrize("name", SERIES)
def test_a_picture_is_drawn(name: str) -> None:
    """Of whatever there is, with marks and strangers’ words in them."""
    points = SERIES[name]
    marks = tuple(Mark(points[-1].day, HOSTILE) for _ in range(4))
    assert draw(Trend(HOSTILE, points, marks=marks)).startswith(b"\x89PNG")
