"""Postings: one row for each digest that was due, and orders: what people ask of digests, decided by a worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from advisor.core.digest import Digest, Order
from advisor.core.estate import Posting, PostingState
from advisor.core.model import Failure
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import (
    digest_of,
    dump_digest,
    dump_failure,
    failure_of,
    maybe_moment,
    moment,
    stamp,
)

_LIVE = "('due', 'collecting')"


class Postings:
    """Table posting. (schedule, due time) is unique, so that nothing is posted twice for one time."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def begin(
        self, schedule_id: int, due_at: datetime, since_at: datetime, now: datetime, by: str = ""
    ) -> int | None:
        """Commit that a digest is due, or that `by` asks for one now; None where it was committed before."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT OR IGNORE INTO posting (schedule_id, due_at, since_at, state, created_at, next_at, by) "
                "VALUES (?, ?, ?, 'due', ?, ?, ?)",
                (schedule_id, stamp(due_at), stamp(since_at), stamp(now), stamp(now), by),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0) if cursor.rowcount == 1 else None

    def get(self, posting_id: int) -> Posting | None:
        """One posting."""
        row = self._db.row("SELECT * FROM posting WHERE id = ?", (posting_id,))
        return posting_of(row) if row else None

    def told(self, posting: Posting) -> Digest | None:
        """What it says; None before it was collected."""
        return digest_of(posting.said)

    def of_schedule(self, schedule_id: int, limit: int = 10) -> list[Posting]:
        """The newest postings of a schedule, newest first."""
        rows = self._db.rows(
            "SELECT * FROM posting WHERE schedule_id = ? ORDER BY id DESC LIMIT ?", (schedule_id, limit)
        )
        return [posting_of(r) for r in rows]

    def due(self, now: datetime) -> list[Posting]:
        """Unfinished postings whose time has come, in the order in which they were due."""
        rows = self._db.rows(
            f"SELECT * FROM posting WHERE state IN {_LIVE} AND next_at <= ? ORDER BY due_at, id LIMIT 200",
            (stamp(now),),
        )
        return [posting_of(r) for r in rows]

    def next_at(self, now: datetime) -> datetime | None:
        """When the next unfinished one that is not due yet is looked at."""
        row = self._db.row(
            f"SELECT min(next_at) AS at FROM posting WHERE state IN {_LIVE} AND next_at > ?", (stamp(now),)
        )
        return maybe_moment(row["at"]) if row else None

    def move(
        self,
        posting_id: int,
        was: PostingState,
        to: PostingState,
        now: datetime,
        *,
        sweep_id: int | None = None,
        said: Digest | None = None,
        failure: Failure | None = None,
    ) -> bool:
        """One transition, if it is still in the state that it was seen in. `sweep_id` and `said` stay where not given."""
        text = dump_digest(said) if said else ""
        with self._db.transaction():
            moved = self._db.run(
                "UPDATE posting SET state = ?, next_at = ?, sweep_id = coalesce(?, sweep_id), failure = ?, "
                "said = CASE WHEN ? = '' THEN said ELSE ? END, tries = 0, revision = revision + 1 "
                "WHERE id = ? AND state = ?",
                (
                    to.value,
                    stamp(now),
                    sweep_id,
                    dump_failure(failure),
                    text,
                    text,
                    posting_id,
                    was.value,
                ),
            )
            self._db.wake(self._db.work)
        return moved.rowcount == 1

    def later(self, posting_id: int, at: datetime, *, failed: bool = False) -> None:
        """Look at it again then; `failed` counts a try."""
        with self._db.transaction():
            self._db.run(
                "UPDATE posting SET next_at = ?, tries = tries + ? WHERE id = ?",
                (stamp(at), failed, posting_id),
            )

    def showing(self, ticket_id: int) -> list[int]:
        """The cards of each schedule's newest digest, where this ticket waits on them."""
        # A digest is long: it is searched for the number first, and read only where that is in it.
        rows = self._db.rows(
            "SELECT card_id FROM posting p WHERE id IN (SELECT max(id) FROM posting WHERE state = 'posted' "
            "GROUP BY schedule_id) AND card_id IS NOT NULL AND instr(said, '\"ticket_id\":' || ?) AND EXISTS ("
            "SELECT 1 FROM json_each(p.said, '$.waiting') w WHERE json_extract(w.value, '$.ticket_id') = ?)",
            (ticket_id, ticket_id),
        )
        return [int(r["card_id"]) for r in rows]

    def set_card(self, posting_id: int, card_id: int) -> None:
        """Note where its card stands."""
        with self._db.transaction():
            self._db.run("UPDATE posting SET card_id = ? WHERE id = ?", (card_id, posting_id))


class Orders:
    """Table digest_order."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(
        self, verb: str, user: str, channel: str, row_id: int, words: Mapping[str, object], now: datetime
    ) -> int:
        """Commit what somebody asks; `words` are its options."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO digest_order (verb, user, channel, row_id, words, created_at, next_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (verb, user, channel, row_id, json.dumps(words, ensure_ascii=False), stamp(now), stamp(now)),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0)

    def get(self, order_id: int) -> Order | None:
        """One order."""
        row = self._db.row("SELECT * FROM digest_order WHERE id = ?", (order_id,))
        return order_of(row) if row else None

    def due(self, now: datetime) -> list[Order]:
        """Orders that nobody has decided yet."""
        rows = self._db.rows(
            "SELECT * FROM digest_order WHERE state = 'queued' AND next_at <= ? ORDER BY id LIMIT 200",
            (stamp(now),),
        )
        return [order_of(r) for r in rows]

    def settle(self, order_id: int, outcome: str) -> bool:
        """What came of it, once: a word of ours, or JSON."""
        with self._db.transaction():
            moved = self._db.run(
                "UPDATE digest_order SET state = 'settled', outcome = ? WHERE id = ? AND state = 'queued'",
                (outcome, order_id),
            )
        return moved.rowcount == 1

    def again(self, order_id: int, at: datetime, *, failed: bool = True) -> None:
        """Decide later: Slack did not say who may, or what it waits for is not there."""
        with self._db.transaction():
            self._db.run(
                "UPDATE digest_order SET tries = tries + ?, next_at = ? WHERE id = ?",
                (failed, stamp(at), order_id),
            )

    def note(self, order_id: int, outcome: str) -> None:
        """Keep what was done so far; the order stays undecided."""
        with self._db.transaction():
            self._db.run("UPDATE digest_order SET outcome = ? WHERE id = ?", (outcome, order_id))


def posting_of(row: Row) -> Posting:
    """A row of `posting`."""
    return Posting(
        id=row["id"],
        schedule_id=row["schedule_id"],
        due_at=moment(row["due_at"]),
        since_at=moment(row["since_at"]),
        state=PostingState(row["state"]),
        created_at=moment(row["created_at"]),
        sweep_id=row["sweep_id"],
        card_id=row["card_id"],
        revision=row["revision"],
        tries=row["tries"],
        said=row["said"],
        by=row["by"],
        failure=failure_of(row["failure"]),
    )


def order_of(row: Row) -> Order:
    """A row of `digest_order`."""
    return Order(
        id=row["id"],
        verb=row["verb"],
        user=row["user"],
        channel=row["channel"],
        row_id=row["row_id"],
        words=json.loads(row["words"]),
        created_at=moment(row["created_at"]),
        tries=row["tries"],
        state=row["state"],
        outcome=row["outcome"],
    )
