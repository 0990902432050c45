"""advisor.edges.store.questions: how a question’s state moves; only from where it may, and once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from advisor.core.estate import Question, QuestionKind, SweepState
from advisor.core.model import Failure
from advisor.edges.store import Store
from advisor.questions import words_of
from tests.views import HOSTILE
from tests.worlds import NOW

LATER = NOW + timedelta(minutes=15)
FAILURE = Failure("refused", "iam:X", "arn", "111111111111", HOSTILE, "req", 2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "audit.db")
    yield made
    made.close()


def ask(store: Store, **words: str) -> int:
    return store.questions.add(QuestionKind.ORG, "U1", "C1", words, NOW, LATER)


def got(store: Store, row: int) -> Question:
    found = store.questions.get(row)
    assert found
    return found


def test_a_question_comes_back(store: Store) -> None:
    """As it was asked, due at once; the commit wakes the worker."""
    store.work.clear()
    row = ask(store, target=HOSTILE)
    assert store.work.is_set()
    found = got(store, row)
    assert words_of(found) == {"target": HOSTILE}
    assert (found.user, found.channel, found.state, found.deadline_at) == (
        "U1",
        "C1",
        SweepState.QUEUED,
        LATER,
    )
    assert [q.id for q in store.questions.due(NOW)] == [row]
    assert store.questions.get(row + 1) is None


def test_what_an_earlier_try_left_is_known(store: Store) -> None:
    """Beside what was asked, until the answer is there; a retry begins with nothing."""
    row = ask(store, target="x")
    assert store.questions.begin(row)
    store.questions.again(row, LATER)
    store.questions.wait(row, {"job": "j1"}, NOW + timedelta(seconds=2))
    found = got(store, row)
    assert (words_of(found), found.tries) == ({"target": "x", "job": "j1"}, 0)
    assert store.questions.due(NOW) == []
    assert store.questions.next_at(NOW) == NOW + timedelta(seconds=2)
    assert store.questions.fail(row, FAILURE)
    assert got(store, row).failure == FAILURE
    assert store.questions.reopen(row, NOW, LATER)
    assert words_of(got(store, row)) == {"target": "x"}
    assert got(store, row).failure is None


MOVES: dict[str, tuple[Callable[[Store, int], bool], set[SweepState]]] = {
    "begin": (lambda s, row: s.questions.begin(row), {SweepState.QUEUED}),
    "finish": (lambda s, row: s.questions.finish(row, "{}"), {SweepState.QUEUED, SweepState.RUNNING}),
    "fail": (lambda s, row: s.questions.fail(row, FAILURE), {SweepState.QUEUED, SweepState.RUNNING}),
    "reopen": (lambda s, row: s.questions.reopen(row, NOW, LATER), {SweepState.FAILED}),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("state", [s for s in SweepState if s is not SweepState.CANCELLED])
def test_a_state_moves_only_from_where_it_may(store: Store, state: SweepState, move: str) -> None:
    """One row changed, or the move is lost and nothing is."""
    row = ask(store)
    with store.transaction():
        store._db.run("UPDATE question SET state = ? WHERE id = ?", (state.value, row))
    before = got(store, row)
    act, may = MOVES[move]
    assert act(store, row) is (state in may)
    after = got(store, row)
    assert (after == before) is (state not in may)
    assert after.revision == before.revision + (state in may)


def test_a_partial_answer_is_one(store: Store) -> None:
    """Its state says so, and nothing more is due."""
    row = ask(store)
    assert store.questions.finish(row, '{"partial": true}', SweepState.PARTIAL)
    assert got(store, row).state is SweepState.PARTIAL
    assert store.questions.due(LATER) == []
    assert store.questions.next_at(NOW) is None
