"""Trends: sums by day as the store makes them, what comes back from a text, and that everything can be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.core.trend import AccountPast, Carried, Did, EntityPast, Point, Seen, Turn, dump, load
from advisor.edges.chart import Mark, Trend, draw
from advisor.edges.store import Store
from advisor.edges.store.rows import stamp
from handlers.blocks import trend
from tests.drawn import checked, nodes, weight
from tests.views import HOSTILE
from tests.worlds import ACCOUNT, NOW, entity

_counts = st.integers(0, 500)
_times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 20), timezones=st.just(UTC))  # noqa: DTZ001
_seen = st.lists(
    st.builds(Seen, st.integers(1, 5), _times, _counts, _counts, _counts),
    max_size=20,
    unique_by=lambda s: s.at,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("trend") / "audit.db")
    for n in range(1, 6):  # the last one is of another account
        made.entities.see(entity(name=f"r{n}", account="2" * 12 if n == 5 else ACCOUNT), NOW)
    yield made
    made.close()


def written(store: Store, seen: list[Seen], gone: dict[int, datetime]) -> None:
    """These scores and no other."""
    with store.transaction():
        run = store._db.run
        run("DELETE FROM score")
        run("DELETE FROM report")
        run("UPDATE entity SET gone_at = NULL")
        for entity_id, at in gone.items():
            run("UPDATE entity SET gone_at = ? WHERE id = ?", (stamp(at), entity_id))
        for n, one in enumerate(seen, 1):
            account = "2" * 12 if one.entity_id == 5 else ACCOUNT
            run(
                "INSERT INTO report (id, entity_id, granularity, created_at, completed_at) VALUES (?, ?, 'S', '', '')",
                (n, one.entity_id),
            )
            run(
                "INSERT INTO score VALUES (?, ?, ?, ?, 1, ?, ?, 0, 0, ?, 0, 0, 0, 0, 0, 0, '')",
                (n, one.entity_id, account, stamp(one.at), one.granted, one.used, one.could_go),
            )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_seen, st.dictionaries(st.integers(1, 5), _times, max_size=3), st.booleans())
def test_a_day_is_the_sum_of_what_was_known_by_its_end(
    store: Store, seen: list[Seen], gone: dict[int, datetime], both: bool
) -> None:
    """Against the plain definition, for each day with a report that counts and no other; for one account or two."""
    written(store, seen, gone)
    found = store.trends.of_accounts([ACCOUNT, "2" * 12] if both else [ACCOUNT])
    counting = [
        s
        for s in sorted(seen, key=lambda s: s.at)
        if (both or s.entity_id < 5) and not (s.entity_id in gone and gone[s.entity_id].date() <= s.at.date())
    ]
    assert [p.day for p in found] == sorted({s.at.date() for s in counting})
    for point in found:
        known = {s.entity_id: s for s in counting if s.at.date() <= point.day}
        here = [s for i, s in known.items() if not (i in gone and gone[i].date() <= point.day)]
        sums = (sum(s.granted for s in here), sum(s.used for s in here), sum(s.could_go for s in here))
        assert (point.granted, point.used, point.could_go) == sums
        assert point.entities == len(here)


def test_only_of_a_tag(store: Store) -> None:
    """A digest about a tag has a trend about that tag: of the entities that have it now, letter by letter."""
    written(store, [Seen(n, NOW - timedelta(days=n), 10 * n, n, 1) for n in (1, 2, 3)], {})
    with store.transaction():
        for entity_id, value in ((1, "pay"), (2, "Pay"), (3, "pay")):
            store._db.run("INSERT INTO tag VALUES (?, 'team', ?)", (entity_id, value))
    found = store.trends.of_accounts([ACCOUNT], "team=pay")
    assert [(p.granted, p.entities) for p in found] == [(30, 1), (40, 2)]
    assert store.trends.of_accounts([ACCOUNT], "team=nobody") == ()
    assert len(store.trends.of_accounts([ACCOUNT])) == 3
    with store.transaction():
        store._db.run("DELETE FROM tag")


def test_more_entities_are_told_apart_from_more_grants() -> None:
    """A sweep after three audits is no leap of what is granted to anybody."""
    few, many = Point(date(2026, 1, 1), 25, 2, 20, 3), Point(date(2026, 1, 9), 9_000, 800, 20, 1_512)
    told = trend.note([few, many])
    assert "first time adds its services. Entities: 3 on 1 Jan 2026, 1,512 on 9 Jan 2026." in told
    assert "first time" not in trend.note([many, few]) and "Entities" not in trend.note([few, few])


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
    assert draw(Trend(HOSTILE, points, trend.note(points), marks)).startswith(b"\x89PNG")
