"""Pressed verbs, each decided once by a worker, and keeps: what somebody says stays until a day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from advisor.core.removal import Keep, Press, Verb
from advisor.edges.store.connection import Connection
from advisor.edges.store.rows import keep_of, maybe_stamp, press_of, stamp


class Presses:
    """Table press."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(
        self,
        ticket_id: int,
        verb: Verb,
        user: str,
        channel: str,
        now: datetime,
        *,
        words: str = "",
        services: Sequence[str] = (),
        until: datetime | None = None,
    ) -> int:
        """Commit a pressed verb."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO press (ticket_id, verb, user, channel, created_at, next_at, words, services, until) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    ticket_id,
                    verb.value,
                    user,
                    channel,
                    stamp(now),
                    stamp(now),
                    words,
                    json.dumps(list(services)),
                    maybe_stamp(until),
                ),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0)

    def get(self, press_id: int) -> Press | None:
        """One press."""
        row = self._db.row("SELECT * FROM press WHERE id = ?", (press_id,))
        return press_of(row) if row else None

    def due(self, now: datetime) -> list[Press]:
        """Presses that nobody has decided yet, in the order in which they were made."""
        rows = self._db.rows(
            "SELECT * FROM press WHERE state = 'queued' AND next_at <= ? ORDER BY id LIMIT 200", (stamp(now),)
        )
        return [press_of(r) for r in rows]

    def settle(self, press_id: int, outcome: str) -> bool:
        """What came of a press; once."""
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE press SET state = 'settled', outcome = ? WHERE id = ? AND state = 'queued'",
                (outcome, press_id),
            )
        return changed.rowcount == 1

    def again(self, press_id: int, at: datetime) -> None:
        """Slack did not say who may: decide later."""
        with self._db.transaction():
            self._db.run(
                "UPDATE press SET tries = tries + 1, next_at = ? WHERE id = ?", (stamp(at), press_id)
            )


class Keeps:
    """Table keep."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(
        self, entity_id: int, service: str, user: str, until: datetime, reason: str, now: datetime
    ) -> int:
        """Somebody's word that a service (or, empty, the entity) stays until then; ends an older one of the same."""
        with self._db.transaction():
            self._db.run(
                "UPDATE keep SET ended_at = ?, ended_by = ? WHERE entity_id = ? AND service = ? AND ended_at IS NULL",
                (stamp(now), user, entity_id, service),
            )
            cursor = self._db.run(
                "INSERT INTO keep (entity_id, service, user, until, reason, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                (entity_id, service, user, stamp(until), reason, stamp(now)),
            )
        return int(cursor.lastrowid or 0)

    def get(self, keep_id: int) -> Keep | None:
        """One keep."""
        row = self._db.row("SELECT * FROM keep WHERE id = ?", (keep_id,))
        return keep_of(row) if row else None

    def standing(self, now: datetime, entity_id: int | None = None) -> tuple[Keep, ...]:
        """Every keep that holds now, of one entity or of all; those that end first come first."""
        rows = self._db.rows(
            "SELECT * FROM keep WHERE ended_at IS NULL AND until > ? AND (? IS NULL OR entity_id = ?) "
            "ORDER BY until, id",
            (stamp(now), entity_id, entity_id),
        )
        return tuple(keep_of(r) for r in rows)

    def end(self, keep_id: int, user: str, now: datetime) -> bool:
        """End a keep before its day."""
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE keep SET ended_at = ?, ended_by = ? WHERE id = ? AND ended_at IS NULL AND until > ?",
                (stamp(now), user, keep_id, stamp(now)),
            )
        return changed.rowcount == 1
