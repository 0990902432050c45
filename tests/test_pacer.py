"""The rate at which one account is asked: low at first, near AWS's limit after a while, and behind people always."""

from __future__ import annotations

import asyncio
import heapq
import math
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.edges.aws import pacer
from advisor.edges.aws.pacer import (
    BURST,
    CREEP,
    FASTER,
    HEAD_ROOM,
    LEAST,
    MOST,
    OVERSHOT,
    PATIENT,
    START,
    Board,
    Bucket,
    Courtesy,
)


def drive(
    bucket: Bucket, limits: list[tuple[float, float, float]], calls: int, latency: float
) -> tuple[float, int]:
    """Make so many calls under limits that change with time; when the last was taken, and how many were refused."""
    now, done, refused = 0.0, 0, 0
    tokens, at = limits[0][2], 0.0
    answers: list[tuple[float, float, bool]] = []
    while done < calls:
        while answers and answers[0][0] <= now:
            _, sent, good = heapq.heappop(answers)
            if good:
                done += 1
                bucket.answered()
            else:
                refused += 1
                bucket.throttled(sent, now)
        wait = bucket.wait(now)
        if wait == 0 and done + len(answers) < calls:
            bucket.take()
            rate, burst = next((r, b) for start, r, b in reversed(limits) if now >= start)
            tokens = min(burst, tokens + (now - at) * rate)
            at = now
            good = tokens >= 1
            tokens -= good
            heapq.heappush(answers, (now + latency, now, good))
            continue
        steps = [now + max(wait, 1e-6)] if done + len(answers) < calls else []
        now = min([*steps, *(a[0] for a in answers[:1])], default=now)
    return now, refused


@pytest.mark.parametrize(("limit", "burst"), [(5.0, 5.0), (20.0, 20.0), (20.0, 100.0), (100.0, 50.0)])
def test_a_limit_is_nearly_reached_and_few_calls_are_refused(limit: float, burst: float) -> None:
    """Within a tenth of the best that the limit allows; few calls are refused, most of them at first."""
    calls = int(limit * 60)
    ended, refused = drive(Bucket(START), [(0.0, limit, burst)], calls, 0.05)
    best = (calls - burst) / limit
    assert ended <= 1.1 * best + 1
    assert refused <= calls / 12 + 15


def test_without_a_limit_hundreds_are_asked_within_a_second() -> None:
    """It starts low, and every answer makes it faster."""
    ended, refused = drive(Bucket(START), [(0.0, 1e9, 1e9)], 500, 0.005)
    assert ended < 1
    assert refused == 0


def test_after_ten_hard_minutes_it_finds_the_way_back_up() -> None:
    """A limit that eases is noticed: nothing is lost, and the rest takes no more than twice as long as it must."""
    limits = [(0.0, 20.0, 20.0), (10.0, 0.2, 1.0), (610.0, 20.0, 20.0)]
    ended, _ = drive(Bucket(START), limits, 2000, 0.05)
    best = 610 + (2000 - 20 - 200 - 120) / 20
    assert ended < 610 + 2 * (best - 610)


@given(st.lists(st.tuples(st.sampled_from(["answer", "refusal", "pause"]), st.floats(0, 5)), max_size=200))
def test_a_rate_stays_within_its_bounds(events: list[tuple[str, float]]) -> None:
    """Whatever AWS says: never nothing, never more than the most, and never more saved up than a burst."""
    bucket, now = Bucket(START), 0.0
    for event, seconds in events:
        now += seconds
        if event == "answer":
            bucket.answered()
        elif event == "refusal":
            bucket.throttled(now, now)
        wait = bucket.wait(now)
        assert 0 <= wait <= (1 + 1) / LEAST + 1
        if not wait:
            bucket.take()
        assert LEAST <= bucket.rate <= MOST
        assert bucket.tokens <= max(1.0, bucket.rate * BURST)


def test_refusals_of_one_burst_halve_the_rate_once() -> None:
    """Calls that were under way when the rate was cut say nothing new; one sent after it does."""
    bucket = Bucket(80.0, known=True)
    for _ in range(9):
        bucket.throttled(sent_at=1.0, now=2.0)
    assert bucket.rate == 40
    bucket.throttled(sent_at=2.5, now=3.0)
    assert bucket.rate == 20


def test_it_grows_fast_until_a_limit_is_known() -> None:
    """And creeps afterwards, also where an earlier batch knew it."""
    new, old = Bucket(START), Bucket(START, known=True)
    new.answered()
    old.answered()
    assert (new.rate, old.rate) == (START + FASTER, START + CREEP)
    new.throttled(0.0, 1.0)
    new.answered()
    assert new.rate == pytest.approx((START + FASTER) / OVERSHOT + CREEP)


def test_a_second_operation_begins_nearer_to_where_the_first_got() -> None:
    """Unless AWS limited that one, or it has been asked already."""
    get = Bucket(START)
    get.begin_like(Bucket(400.0))
    assert get.rate == 100
    get.begin_like(Bucket(400.0, known=True))
    get.wait(1.0)
    get.begin_like(Bucket(1000.0))
    assert get.rate == 100


def test_where_people_cannot_be_seen_a_head_room_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another machine there is no board."""
    monkeypatch.setattr(pacer, "_posted", [])
    assert pacer.pacer("1", 10.0).bucket.share == HEAD_ROOM
    pacer.post(Board([0.0] * 2048))
    assert pacer.pacer("1", 10.0).bucket.share == 1


# -- people go first -------------------------------------------------------------------------------------------------


def test_a_sweep_stands_back_while_somebody_asks_and_for_a_second_after() -> None:
    courtesy = Courtesy()
    assert courtesy.wait(asked_at=0.0, now=100.0) == 0
    assert courtesy.wait(asked_at=100.0, now=100.2) == pytest.approx(0.8)
    assert courtesy.wait(asked_at=100.5, now=100.6) == pytest.approx(0.9)
    assert courtesy.wait(asked_at=100.5, now=101.5) == 0


def test_a_sweep_is_never_stopped_by_people_who_ask_all_the_time() -> None:
    """Half of the time is its own, in parts of five seconds."""
    courtesy = Courtesy()
    waits = [courtesy.wait(asked_at=n / 10, now=n / 10) > 0 for n in range(1000)]
    assert 0.4 <= sum(waits) / len(waits) <= 0.6
    runs = "".join("x" if w else "." for w in waits).split(".")
    assert max(map(len, runs)) <= PATIENT * 10 + 1


def test_a_limit_met_by_people_slows_the_sweep() -> None:
    """The pool's processes see it on the board, and halve."""
    board = Board.shared(get_context("spawn"))
    pace = pacer.Pacer("111111111111", Bucket(100.0, known=True), board)
    asyncio.run(pace.turn())
    board.limited("111111111111")
    asyncio.run(asyncio.wait_for(pace.turn(), 5))
    assert pace.bucket.rate == 50
    assert board.limited_at("222222222222") == 0
    assert math.isclose(board.asked_at("111111111111"), 0)


def test_calls_go_in_the_order_they_came() -> None:
    """The first that waits is the first that goes."""

    async def order() -> list[int]:
        pace, went = pacer.Pacer("1", Bucket(200.0), None), []

        async def one(n: int) -> None:
            await pace.turn()
            went.append(n)

        await asyncio.gather(*(one(n) for n in range(20)))
        return went

    assert asyncio.run(order()) == list(range(20))
