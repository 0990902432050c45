"""advisor.edges.store.reminders: one message a day to a person, one look at a time, and nothing that silences for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from advisor.core.reminders import About, Line
from advisor.edges.store import Store
from advisor.edges.store.reminders import SPREAD
from tests.worlds import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = NOW.date()
LINES = (Line(1, About.ASK), Line(2, About.EXPIRES))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "audit.db")
    yield made
    made.close()


def say(store: Store, user: str = "U1", days: int = 0) -> tuple[int, int] | None:
    """A message with its notice, as the flow commits them."""
    with store.transaction():
        made = store.reminders.say(user, NOW + days * DAY, TODAY + days * DAY, LINES)
        if made is None:
            return None
        notice = store.outbox.add("post", "reminder", made, channel=user, user=user, now=NOW)
        store.reminders.noticed(made, notice)
    return made, notice


def test_one_message_a_day(store: Store) -> None:
    """Nor one of an earlier day, which is what a clock that was moved back asks for."""
    made = say(store)
    assert made
    found = store.reminders.get(made[0])
    assert found
    assert (found.user, found.lines) == ("U1", LINES)
    assert say(store) is None
    assert say(store, days=-1) is None
    assert say(store, "U2")
    assert say(store, days=1)
    (heard, _) = store.reminders.heard("U1")["U1"]
    assert (heard.at, heard.day, heard.lines) == (NOW, TODAY, frozenset(LINES))
    assert set(store.reminders.heard()) == {"U1", "U2"}


def test_what_was_dropped_was_not_said(store: Store) -> None:
    """There was nothing left to say; whatever waits later that day is said."""
    made = say(store)
    assert made
    store.outbox.drop(made[1], "dropped", "nothing to say")
    assert not store.reminders.heard("U1")
    again = say(store)
    assert again
    store.outbox.drop(again[1], "failed", "user_not_found")
    assert say(store) is None, "Slack refused it: no more today"


def test_a_message_of_a_clock_that_ran_ahead(store: Store) -> None:
    """A year later by the clock of then; the clock of now is right."""
    assert say(store, days=365)
    assert say(store)


def test_old_messages_are_forgotten(store: Store) -> None:
    """When none of their tickets waits any more; there are none here."""
    assert say(store)
    assert say(store, days=2)
    assert say(store, days=9)
    assert len(store.reminders.heard("U1")["U1"]) == 1


def test_one_look_at_a_time(store: Store) -> None:
    """SPREAD apart, who is due first comes first, and a look that nobody ended is made again."""
    reminders = store.reminders
    reminders.round(NOW, NOW + HOUR, {"U1": NOW, "U2": NOW - HOUR, "U3": NOW + HOUR})
    assert reminders.next_at(NOW) == NOW - HOUR
    first = reminders.look(NOW)
    assert first
    assert first.user == "U2"
    assert reminders.look(NOW) is None
    assert reminders.next_at(NOW) == NOW + SPREAD
    reminders.looked("U2", None, zone="Europe/Stockholm")
    second = reminders.look(NOW + SPREAD)
    assert second
    assert second.user == "U1"
    assert reminders.look(NOW + 2 * SPREAD) is None
    again = reminders.look(NOW + 2 * timedelta(minutes=1))
    assert again == second
    reminders.looked("U1", NOW + DAY, tries=2)
    assert reminders.zones() == {"U2": "Europe/Stockholm"}
    reminders.round(NOW + HOUR, NOW + 2 * HOUR, {"U3": NOW + HOUR})
    third = reminders.look(NOW + HOUR)
    assert third
    assert third.user == "U3", "the round found nothing for the others"


def test_a_look_that_was_put_off_by_a_clock_that_ran_ahead(store: Store) -> None:
    """It is due; a later day of this week is not."""
    store.reminders.round(NOW, NOW + HOUR, {"U1": NOW + 300 * DAY, "U2": NOW + 6 * DAY})
    found = store.reminders.look(NOW)
    assert found
    assert found.user == "U1"
    assert store.reminders.look(NOW + SPREAD) is None


def test_a_round_is_claimed_once(store: Store) -> None:
    """Until it says when the next one is; one that died is due in a minute, one of the future at once."""
    reminders = store.reminders
    assert reminders.next_round() is None
    assert reminders.claim_round(NOW)
    assert not reminders.claim_round(NOW)
    assert reminders.claim_round(NOW + timedelta(minutes=1))
    reminders.round(NOW, NOW + HOUR, {})
    assert reminders.next_round() == NOW + HOUR
    assert not reminders.claim_round(NOW + HOUR / 2)
    assert reminders.claim_round(NOW + HOUR)
    assert reminders.claim_round(NOW - DAY)


def test_nothing_waits_in_an_empty_store(store: Store) -> None:
    """Then the bot does nothing at all."""
    assert not store.reminders.any_waiting()
    assert store.reminders.waiting() == ()
    assert store.reminders.waiting([1, 2]) == ()
