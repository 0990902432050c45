"""advisor.edges.store: entities and their snapshots, and the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from advisor.core.model import Entity, Kind, Policy, PolicyKind, Snapshot
from advisor.edges.store import Store
from tests.views import HOSTILE
from tests.worlds import ACCOUNT, NOW, ago, document, entity, policy

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "audit.db")
    yield made
    made.close()


# -- entities


def test_a_namesake_that_was_made_again_is_another_entity(store: Store) -> None:
    """The same ARN, another unique id: the old one is gone, and never comes back by itself."""
    old = store.entities.see(entity(unique_id="AROAOLD"), NOW)
    assert store.entities.see(entity(unique_id="AROAOLD"), LATER) == old
    new = store.entities.see(entity(unique_id="AROANEW"), LATER)
    assert new.id != old.id
    assert store.entities.named(Kind.ROLE, "DBAdminRole", [ACCOUNT]) == [new]
    assert store.entities.get(old.id) == old


def test_an_aws_policy_is_one_entity_an_account(store: Store) -> None:
    """Its ARN has no account: the one it is looked at from tells."""
    aws = entity(
        Kind.POLICY, "ReadOnlyAccess", arn="arn:aws:iam::aws:policy/ReadOnlyAccess", unique_id="ANPA1"
    )
    one, two = store.entities.see(aws, NOW), store.entities.see(replace(aws, account="222222222222"), NOW)
    assert one.id != two.id
    assert len(store.entities.named(Kind.POLICY, "ReadOnlyAccess", [ACCOUNT, "222222222222"])) == 2
    assert store.entities.named(Kind.POLICY, "ReadOnlyAccess", [ACCOUNT]) == [one]


def test_names_are_found_in_any_case_and_arns_by_themselves(store: Store) -> None:
    """IAM keeps names distinct without regard to case."""
    made = store.entities.see(entity(), NOW)
    assert store.entities.named(Kind.ROLE, "dbadminrole", [ACCOUNT]) == [made]
    assert store.entities.named(None, made.arn, [ACCOUNT]) == [made]
    assert store.entities.named(Kind.USER, "DBAdminRole", [ACCOUNT]) == []
    assert store.entities.named(Kind.ROLE, "DBAdminRole", []) == []
    store.entities.gone(made.id, LATER)
    assert store.entities.named(Kind.ROLE, "DBAdminRole", [ACCOUNT]) == []
    assert store.entities.names(Kind.ROLE, None) == []


def _of(*names: str, account: str = ACCOUNT) -> list[Entity]:
    return [
        entity(name=n, account=account, arn=f"arn:aws:iam::{account}:role/{n}", unique_id=f"AROA{n}")
        for n in names
    ]


def test_a_listing_replaces_the_one_before(store: Store) -> None:
    """What is not in it is gone, in that account only; AWS's own policies are not all listed and stay."""
    aws = entity(
        Kind.POLICY, "ReadOnlyAccess", arn="arn:aws:iam::aws:policy/ReadOnlyAccess", unique_id="ANPA1"
    )
    store.entities.see(aws, NOW)
    store.entities.listed("222222222222", _of("Far", account="222222222222"), NOW)
    store.entities.listed(ACCOUNT, _of("A", "B"), NOW)
    assert store.entities.names(Kind.ROLE, ACCOUNT) == ["A", "B"]
    store.entities.listed(ACCOUNT, _of("B", "C"), LATER)
    assert sorted(store.entities.names(Kind.ROLE, None)) == ["B", "C", "Far"]
    assert store.entities.names(Kind.POLICY, ACCOUNT) == ["ReadOnlyAccess"]
    assert store.entities.listings() == {ACCOUNT: (LATER, ""), "222222222222": (NOW, "")}


def test_a_failed_listing_takes_nothing_away(store: Store) -> None:
    """About an account that was not read nothing new is known."""
    store.entities.listed(ACCOUNT, _of("A"), NOW)
    store.entities.unlisted(ACCOUNT, "sts:AssumeRole refused", LATER)
    assert store.entities.names(Kind.ROLE, ACCOUNT) == ["A"]
    assert store.entities.listings() == {ACCOUNT: (LATER, "sts:AssumeRole refused")}


def test_an_entity_made_again_between_two_listings_is_listed_once(store: Store) -> None:
    """Its namesake is gone although the listing only saw the new one."""
    store.entities.listed(ACCOUNT, _of("A"), NOW)
    store.entities.listed(ACCOUNT, [replace(_of("A")[0], unique_id="AROANEW")], LATER)
    assert [e.unique_id for e in store.entities.named(Kind.ROLE, "A", [ACCOUNT])] == ["AROANEW"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("db", ["db_2", "DBAdmin", "OldDB"]),
        ("DB", ["db_2", "DBAdmin", "OldDB"]),
        ("b_", ["db_2"]),
        ("%", []),
        ("_", ["db_2"]),
        ("\\", []),
        ("role/DB", ["db_2", "DBAdmin"]),
        ("' OR 1=1 --", []),
        ("", ["db_2", "DBAdmin", "OldDB", "x100"]),
    ],
)
def test_a_search_takes_every_letter_as_it_is(store: Store, typed: str, found: list[str]) -> None:
    """Names that begin with it first; a wildcard of SQL is a letter like any other."""
    store.entities.listed(ACCOUNT, _of("OldDB", "DBAdmin", "db_2", "x100"), NOW)
    assert [e.name for e in store.entities.search(typed, [ACCOUNT])] == found
    assert [e.name for e in store.entities.search(typed, [ACCOUNT], 1)] == found[:1]
    assert store.entities.search(typed, []) == []


def test_a_snapshot_comes_back_whole_and_texts_are_kept_once(store: Store) -> None:
    """The raw text that IAM returned, to the letter."""
    who = store.entities.see(entity(), NOW)
    raw = '{ "Version":"2012-10-17",\n "Statement": [] } \u00e9'
    held = (
        Policy(HOSTILE, PolicyKind.INLINE, raw),
        Policy("B", PolicyKind.CUSTOMER, raw, "arn:b", "v3", 7),
        policy("C", "s3:*", kind=PolicyKind.AWS, group="devs"),
    )
    shot = Snapshot(
        who, NOW, held, ("devs",), ("a",), ("role/R",), 2, (("owner", HOSTILE), ("a", "")), HOSTILE
    )
    numbers = [store.entities.save_snapshot(shot) for _ in range(2)]
    assert [store.entities.snapshot(n) for n in numbers] == [shot, shot]
    assert len(store._db.rows("SELECT * FROM document")) == 2
    assert store.entities.snapshot(999) is None


def test_a_snapshot_tells_of_the_entity_as_it_was_seen(store: Store) -> None:
    """Its policies, and nothing of another snapshot."""
    who = store.entities.see(entity(), NOW)
    one = store.entities.save_snapshot(Snapshot(who, NOW, (policy("A", "s3:*"),)))
    two = store.entities.save_snapshot(Snapshot(who, LATER, (policy("B", "ec2:*"),)))
    assert [p.name for p in store.entities.snapshot(one).policies] == ["A"]
    assert [p.text for p in store.entities.snapshot(two).policies] == [
        document({"Effect": "Allow", "Action": ["ec2:*"], "Resource": "*"})
    ]


# -- the outbox


def post(store: Store, row: int = 1, **more: object) -> int:
    return store.outbox.add("post", "audit.card", row, channel="C1", user="U1", now=NOW, **more)  # type: ignore[arg-type]


def reply(store: Store, card: int) -> int:
    return store.outbox.add("post", "audit.services", 1, channel="C1", user="U1", now=NOW, parent_id=card)


def waiting(store: Store, at: datetime = NOW) -> list[int]:
    return [n.id for n in store.outbox.waiting(at)]


def deliver(store: Store, notice: int, ts: str = "1.1") -> None:
    store.outbox.sending(notice, NOW)
    store.outbox.sent(notice, "C1", ts)


def test_a_card_s_words_keep_their_order_and_cards_do_not_wait_for_each_other(store: Store) -> None:
    """What stands under a card waits for it to be posted."""
    first, second = post(store, 1), post(store, 2)
    under, update = (
        reply(store, first),
        store.outbox.add("update", "audit.card", 1, channel="C1", user="U1", now=NOW, parent_id=first),
    )
    assert waiting(store) == [first, second]
    deliver(store, first)
    assert waiting(store) == [second, under]
    deliver(store, under)
    assert waiting(store) == [second, update]


def test_what_was_being_sent_comes_back_as_such(store: Store) -> None:
    """A crash in the middle is known to have been one."""
    card = post(store)
    store.outbox.sending(card, NOW)
    (found,) = store.outbox.waiting(NOW)
    assert (found.state, found.sending_at, found.attempts) == ("sending", NOW, 1)
    under = reply(store, card)
    assert under not in waiting(store)


def test_later_means_later_and_holds_back_only_its_own_card(store: Store) -> None:
    """A limited rate sleeps on the row, not in a thread."""
    first, second = post(store, 1), post(store, 2)
    store.outbox.sending(first, NOW)
    store.outbox.later(first, LATER)
    assert waiting(store) == [second]
    assert waiting(store, LATER) == [first, second]
    assert store.outbox.get(first).state == "due"
    store.outbox.sending(first, LATER)
    store.outbox.later(first, LATER, unknown=True)
    assert store.outbox.get(first).state == "sending"


def test_one_waiting_update_is_enough(store: Store) -> None:
    """It is drawn from the state of then; none is needed before the card is posted, one more while one is being sent."""
    card = post(store, 7)
    store.outbox.redraw(card, NOW)
    assert waiting(store) == [card]
    deliver(store, card)
    for _ in range(3):
        store.outbox.redraw(card, NOW)
    (update,) = store.outbox.waiting(NOW)
    assert (update.kind, update.surface, update.row_id, update.parent_id, update.channel, update.user) == (
        "update",
        "audit.card",
        7,
        card,
        "C1",
        "U1",
    )
    store.outbox.sending(update.id, NOW)
    store.outbox.redraw(card, NOW)
    store.outbox.redraw(card, NOW)
    assert waiting(store) == [update.id]
    store.outbox.sent(update.id)
    assert len(waiting(store)) == 1
    assert waiting(store) != [update.id]
    store.outbox.redraw(999, NOW)


def test_a_card_that_is_being_posted_gets_its_update_after(store: Store) -> None:
    """The state moved while Slack was asked: the posted card would stay old."""
    card = post(store)
    store.outbox.sending(card, NOW)
    store.outbox.redraw(card, NOW)
    assert waiting(store) == [card]
    store.outbox.sent(card, "C1", "1.1")
    assert len(waiting(store)) == 1


def test_rungs_redirects_and_reposts(store: Store) -> None:
    """Drawn plainer, said elsewhere, or posted anew: due again, as the same row."""
    card = post(store, detail={"why": "x"})
    store.outbox.sending(card, NOW)
    store.outbox.lower(card)
    assert (store.outbox.get(card).rung, store.outbox.get(card).state) == (1, "due")
    store.outbox.sending(card, NOW)
    store.outbox.redirect(card, "U1", "not_in_channel")
    found = store.outbox.get(card)
    assert (found.channel, found.state, found.detail) == (
        "U1",
        "due",
        {"why": "x", "redirected": "not_in_channel"},
    )
    deliver(store, card, "9.9")
    assert (store.outbox.get(card).ts, store.outbox.get(card).sent_to) == ("9.9", "C1")
    store.outbox.repost(card)
    found = store.outbox.get(card)
    assert (found.state, found.ts, found.sent_to, found.attempts) == ("due", "", "", 0)


@pytest.mark.parametrize("state", ["failed", "dropped"])
def test_what_is_given_up_lets_the_rest_go_on(store: Store, state: str) -> None:
    """With the reason, in whatever words."""
    card = post(store)
    under = reply(store, card)
    store.outbox.drop(card, state, HOSTILE * 10)
    found = store.outbox.get(card)
    assert (found.state, found.detail["reason"]) == (state, (HOSTILE * 10)[:300])
    assert waiting(store) == [under]


def test_when_something_is_due_next(store: Store) -> None:
    """The earliest; None where nothing waits."""
    assert store.outbox.next_due() is None
    card = post(store)
    other = post(store)
    store.outbox.later(card, LATER)
    store.outbox.later(other, LATER + timedelta(hours=1))
    assert store.outbox.next_due() == "2026-11-24T09:13:00.000000Z"
    deliver(store, card)
    deliver(store, other)
    assert store.outbox.next_due() is None


def test_a_backlog_that_waits_does_not_hide_what_is_due(store: Store) -> None:
    """2,100 cards that a rate limit holds back: the one that is due is still said."""
    with store.transaction():
        for n in range(2100):
            store.outbox.later(post(store, n), LATER)
        other = post(store, 9999)
    assert waiting(store) == [other]


def test_nothing_is_waiting_in_an_empty_outbox(store: Store) -> None:
    """And an old time is no trouble."""
    assert waiting(store, ago(days=9999)) == []
    assert store.outbox.get(1) is None
