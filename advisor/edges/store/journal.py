"""Deliveries (what was answered to which click) and the append-only log, chained by hash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from advisor.core.chain import Link, chained
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import stamp


class Deliveries:
    """Table delivery: one row a trigger_id or event_id, so that a redelivery has the same effect and answer."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def answer(self, key: str) -> dict[str, object] | None:
        """What was answered to this delivery before, or None."""
        row = self._db.row("SELECT answer FROM delivery WHERE key = ?", (key,))
        return None if row is None else dict(json.loads(row["answer"]))

    def record(self, key: str, answer: dict[str, object], now: datetime) -> None:
        """Keep an answer, in the transaction of its effect."""
        with self._db.transaction():
            self._db.run(
                "INSERT INTO delivery (key, answer, at) VALUES (?, ?, ?)",
                (key, json.dumps(answer, ensure_ascii=False), stamp(now)),
            )

    def forget(self, before: datetime) -> None:
        """Drop what Slack will not deliver again (it retries for a day at most)."""
        with self._db.transaction():
            self._db.run("DELETE FROM delivery WHERE at < ?", (stamp(before),))


class Log:
    """Table log: who did what, to what. Triggers refuse a change, and each row's hash covers the one before."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(self, actor: str, verb: str, subject: str, now: datetime, **detail: str) -> None:
        """Append a row."""
        with self._db.transaction():
            last = self._db.row("SELECT hash FROM log ORDER BY id DESC LIMIT 1")
            row = (stamp(now), actor, verb, subject, json.dumps(detail, ensure_ascii=False, sort_keys=True))
            self._db.run(
                "INSERT INTO log (at, actor, verb, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?)",
                (*row, chained(last["hash"] if last else "", *row)),
            )

    def last(self) -> tuple[int, str]:
        """How many rows the log has, and the hash of the last: whoever notes them sees later whether its end was cut."""
        row = self._db.row("SELECT id, hash FROM log ORDER BY id DESC LIMIT 1")
        return (int(row["id"]), str(row["hash"])) if row else (0, "")

    def about(self, subject: str) -> tuple[Link, ...]:
        """The rows about one thing, each with the hash of the row before it, whosever that is."""
        rows = self._db.rows(
            "SELECT l.*, coalesce((SELECT hash FROM log b WHERE b.id < l.id ORDER BY b.id DESC LIMIT 1), '') AS previous "
            "FROM log l WHERE l.subject = ? ORDER BY l.id",
            (subject,),
        )
        return tuple(Link(**{k: r[k] for k in (*_FIELDS, "previous")}) for r in rows)

    def lines(self) -> str:
        """The whole log as JSON lines, as `verify_lines` reads them."""
        rows = self._db.rows("SELECT * FROM log ORDER BY id")
        return "".join(json.dumps({k: r[k] for k in _FIELDS}, ensure_ascii=False) + "\n" for r in rows)

    def verify(self) -> tuple[int, str, int | None]:
        """Rows in the log, the last hash, and the first row whose hash does not hold (None: all hold)."""
        return verify(self._db.rows("SELECT * FROM log ORDER BY id"))


_FIELDS = ("id", "at", "actor", "verb", "subject", "detail", "hash")


def verify_lines(text: str) -> tuple[int, str, int | None]:
    """The same of an exported log. Raises ValueError where a line is none of ours."""
    return verify(exported_rows(text))


def exported_rows(text: str) -> list[dict[str, str]]:
    """The rows of an exported log. Raises ValueError where a line is none of ours."""
    rows: list[dict[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        row = json.loads(line)
        if not isinstance(row, dict) or set(row) != set(_FIELDS):
            raise ValueError(f"line {number} is no line of an exported log")
        rows.append(row)
    return rows


def verify(rows: Sequence[Row | Mapping[str, str]]) -> tuple[int, str, int | None]:
    """Walk the chain."""
    last = ""
    for row in rows:
        expected = chained(last, row["at"], row["actor"], row["verb"], row["subject"], row["detail"])
        if row["hash"] != expected:
            return len(rows), last, int(row["id"])
        last = expected
    return len(rows), last, None
