"""advisor.edges.store: whom an owner tag means, whose home a change makes due, and what a home lists."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from advisor.core.model import Snapshot
from advisor.edges.migrations import migrations
from advisor.edges.store import Store
from advisor.edges.store.rows import moment, stamp
from tests.worlds import NOW, entity

ALICE, BOB, CAROL = "U0ALICE0001", "U0BOB000001", "U0CAROL0001"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "audit.db")
    yield made
    made.close()


def seen(store: Store, name: str, owner: str) -> int:
    """An entity whose newest snapshot has this owner."""
    known = store.entities.see(entity(name=name), NOW)
    tags = (("owner", owner), ("team", ALICE)) if owner else (("team", ALICE),)
    store.entities.save_snapshot(Snapshot(known, NOW, tags=tags))
    return known.id


def owned(store: Store, *tags: str) -> list[str]:
    return [line.entity.name for line in store.homes.owned("owner", tags).rows]


def publish(store: Store, user: str, *tags: str, approver: bool = False) -> None:
    """Somebody's home, drawn and taken by Slack."""
    store.homes.opened(user, NOW)
    (row,) = [n for n in store.outbox.waiting(NOW + timedelta(hours=9)) if n.user == user]
    store.outbox.sending(row.id, NOW)
    store.homes.published(user, NOW, drawn="x", view_hash="h", approver=approver, tags=(user, *tags))


def due(store: Store) -> set[str]:
    return {n.user for n in store.outbox.waiting(NOW + timedelta(hours=9)) if n.kind == "home"}


def test_the_newest_tag_counts(store: Store) -> None:
    """Only the key that is asked for; an owner who is not named any more owns nothing; e-mail in any case."""
    seen(store, "one", ALICE)
    seen(store, "two", "Alice@Example.com")
    seen(store, "three", BOB)
    assert sorted(owned(store, ALICE, "alice@example.com")) == ["one", "two"]
    seen(store, "one", BOB)
    seen(store, "two", "")
    assert owned(store, ALICE, "alice@example.com") == []
    assert sorted(owned(store, BOB)) == ["one", "three"]
    assert store.homes.owned("owner", ()).total == 0


def test_what_is_gone_is_owned_by_nobody(store: Store) -> None:
    """IAM no longer knows it."""
    store.entities.gone(seen(store, "one", ALICE), NOW)
    assert store.homes.owned("owner", (ALICE,)).total == 0


def test_a_database_of_the_last_release_learns_its_owners(tmp_path: Path) -> None:
    """The tags of each entity's newest snapshot."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as file:
        migrations.apply(Database(file), stop_before="m003_estate")
        file.execute(
            "INSERT INTO entity (id, account, kind, name, arn, unique_id, path, seen_at) "
            "VALUES (1, '1', 'role', 'etl', 'arn', 'A', '/', ?)",
            (stamp(NOW),),
        )
        for owner in (BOB, ALICE):
            facts = json.dumps({"tags": [["owner", owner], ["team", "x"]]})
            file.execute(
                "INSERT INTO snapshot (entity_id, read_at, facts) VALUES (1, ?, ?)", (stamp(NOW), facts)
            )
        file.commit()
    store = Store(path)
    assert owned(store, ALICE) == ["etl"]
    assert owned(store, BOB) == []
    store.close()


def test_a_change_is_told_to_those_whom_it_concerns(store: Store) -> None:
    """By name, as approvers, as owners by any of their tags; nobody twice, and nobody who has not looked."""
    mine = seen(store, "one", "alice@example.com")
    publish(store, ALICE, "Alice@example.com")
    publish(store, BOB)
    publish(store, CAROL, approver=True)
    assert due(store) == set()
    assert store.homes.changed(NOW, users=(BOB, "U0STRANGER1")) == 1
    assert due(store) == {BOB}
    assert store.homes.changed(NOW, approvers=True) == 1
    assert store.homes.changed(NOW, entity_id=mine, owner_key="cost") == 0
    assert store.homes.changed(NOW, entity_id=mine, owner_key="owner") == 1
    assert due(store) == {ALICE, BOB, CAROL}
    assert store.homes.changed(NOW, everybody=True) == 0


def test_a_change_while_it_is_sent_is_sent_too(store: Store) -> None:
    """It is due again, and what comes of the sending does not make it otherwise."""
    publish(store, ALICE)
    store.homes.changed(NOW, users=(ALICE,))
    (row,) = store.outbox.waiting(NOW + timedelta(hours=9))
    store.outbox.sending(row.id, NOW)
    store.homes.changed(NOW, users=(ALICE,))
    store.homes.published(ALICE, NOW, drawn="y", view_hash="i")
    assert due(store) == {ALICE}
    assert store.homes.last(ALICE) == ("y", "i", NOW)
    store.homes.forget_hash(ALICE)
    assert store.homes.last(ALICE)[:2] == ("", "")
    assert store.homes.last(BOB) == ("", "", None)


def test_homes_stand_behind_cards(store: Store) -> None:
    """However many are due, and however long: a card that is due goes first."""
    for n in range(600):
        store.homes.opened(f"U{n:010}", NOW)
    card = store.outbox.add("post", "audit.card", 1, channel="C1", user=ALICE, now=NOW)
    assert store.outbox.waiting(NOW)[0].id == card


def test_seconds_lie_between_two_homes_of_one_person(store: Store) -> None:
    """Also where they look again at once."""
    publish(store, ALICE)
    store.homes.opened(ALICE, NOW + timedelta(seconds=1))
    at = store._db.row("SELECT not_before FROM notice WHERE kind = 'home'")
    assert at
    assert moment(at["not_before"]) == NOW + timedelta(seconds=5)
