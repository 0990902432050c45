"""What is to be said in Slack, by id; written with the state that it speaks of, rendered late."""

from __future__ import annotations

import json
from datetime import datetime

from advisor.core.model import Notice
from advisor.edges.store.connection import Connection
from advisor.edges.store.rows import moment, notice_of, stamp


class Outbox:
    """Table notice."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(
        self,
        kind: str,
        surface: str,
        row_id: int,
        *,
        channel: str,
        user: str,
        now: datetime,
        parent_id: int | None = None,
        detail: dict[str, str] | None = None,
    ) -> int:
        """Say something; `user` is the person to whom it goes where the channel cannot be posted to."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO notice (kind, surface, row_id, channel, user, created_at, not_before, parent_id, detail) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    kind,
                    surface,
                    row_id,
                    channel,
                    user,
                    stamp(now),
                    stamp(now),
                    parent_id,
                    json.dumps(detail or {}, ensure_ascii=False),
                ),
            )
            self._db.wake(self._db.mail)
        return int(cursor.lastrowid or 0)

    def redraw(self, card_id: int, now: datetime) -> None:
        """Update a card; one waiting update is enough, since it is drawn from the state of then."""
        with self._db.transaction():
            card = self._db.row("SELECT * FROM notice WHERE id = ?", (card_id,))
            if card is None:
                return
            waiting = self._db.row(
                "SELECT 1 FROM notice WHERE parent_id = ? AND kind = 'update' AND state = 'due'", (card_id,)
            )
            if waiting is None and card["state"] != "due":
                self.add(
                    "update",
                    card["surface"],
                    card["row_id"],
                    channel=card["channel"],
                    user=card["user"],
                    now=now,
                    parent_id=card_id,
                )
            self._db.wake(self._db.mail)

    def get(self, notice_id: int) -> Notice | None:
        """One notice."""
        row = self._db.row("SELECT * FROM notice WHERE id = ?", (notice_id,))
        return notice_of(row) if row else None

    def place(self, card_id: int | None) -> str:
        """The channel that a card stands in; empty where it is not posted (yet)."""
        row = self._db.row("SELECT sent_to FROM notice WHERE id = ?", (card_id,))
        return str(row["sent_to"]) if row else ""

    def drawn_at(self, card_id: int | None) -> datetime | None:
        """When a card was asked to be drawn last; None where there is none."""
        row = self._db.row(
            "SELECT max(created_at) AS at FROM notice WHERE id = ? OR parent_id = ? AND kind = 'update'",
            (card_id, card_id),
        )
        return moment(row["at"]) if row and row["at"] else None

    def said(self, surface: str, row_id: int, since: datetime) -> bool:
        """Whether this stands in Slack, or is about to, in its form of since then."""
        row = self._db.row(
            "SELECT 1 FROM notice WHERE surface = ? AND row_id = ? AND state IN ('due', 'sending', 'sent') "
            "AND created_at >= ? LIMIT 1",
            (surface, row_id, stamp(since)),
        )
        return row is not None

    def waiting(self, now: datetime) -> list[Notice]:
        """For each card the oldest thing that is not said yet, if its time has come: order is kept per card.

        What stands under a card that is not posted yet waits for it; what was being sent when a process died comes
        back here as `sending`.
        """
        # The window keeps the oldest of each card, due or not; only then is it asked whether its time has come.
        rows = self._db.rows(
            "SELECT * FROM (SELECT n.*, p.state AS parent_state, row_number() OVER ("
            "PARTITION BY coalesce(n.parent_id, n.id) ORDER BY n.id) AS place FROM notice n "
            "LEFT JOIN notice p ON p.id = n.parent_id WHERE n.state IN ('due', 'sending')) "
            "WHERE place = 1 AND not_before <= ? AND coalesce(parent_state, '') NOT IN ('due', 'sending') "
            "ORDER BY kind = 'home', id LIMIT 500",  # hundreds of homes never crowd out a card
            (stamp(now),),
        )
        return [notice_of(r) for r in rows]

    def sending(self, notice_id: int, now: datetime) -> None:
        """About to be sent: committed first, so that a crash is known to have been in the middle."""
        with self._db.transaction():
            self._db.run(
                "UPDATE notice SET state = 'sending', sending_at = ?, attempts = attempts + 1 WHERE id = ?",
                (stamp(now), notice_id),
            )

    def sent(self, notice_id: int, channel: str = "", ts: str = "") -> None:
        """Slack has it, under this channel and timestamp."""
        with self._db.transaction():
            self._db.run(
                "UPDATE notice SET state = 'sent', sent_to = ?, ts = ? WHERE id = ?", (channel, ts, notice_id)
            )
            self._db.wake(self._db.mail)

    def later(self, notice_id: int, at: datetime, *, unknown: bool = False) -> None:
        """Not said, or not known to be: come back at this time."""
        with self._db.transaction():
            self._db.run(
                "UPDATE notice SET not_before = ?, state = CASE WHEN ? THEN state ELSE 'due' END WHERE id = ?",
                (stamp(at), unknown, notice_id),
            )
            self._db.wake(self._db.mail)

    def lower(self, notice_id: int) -> None:
        """Slack refused the blocks: draw it one rung plainer."""
        with self._db.transaction():
            self._db.run("UPDATE notice SET state = 'due', rung = rung + 1 WHERE id = ?", (notice_id,))
            self._db.wake(self._db.mail)

    def redirect(self, notice_id: int, channel: str, reason: str) -> None:
        """Say it elsewhere; the reason is drawn with it."""
        with self._db.transaction():
            self._db.run(
                "UPDATE notice SET state = 'due', channel = ?, detail = json_set(detail, '$.redirected', ?) WHERE id = ?",
                (channel, reason, notice_id),
            )
            self._db.wake(self._db.mail)

    def repost(self, notice_id: int) -> None:
        """The message of a card is gone: post the card anew."""
        with self._db.transaction():
            self._db.run(
                "UPDATE notice SET state = 'due', ts = '', sent_to = '', attempts = 0 WHERE id = ?",
                (notice_id,),
            )
            self._db.wake(self._db.mail)

    def drop(self, notice_id: int, state: str, reason: str) -> None:
        """Give up (`failed`), or nothing left to say (`dropped`)."""
        with self._db.transaction():
            self._db.run(
                "UPDATE notice SET state = ?, detail = json_set(detail, '$.reason', ?) WHERE id = ?",
                (state, reason[:300], notice_id),
            )
            self._db.wake(self._db.mail)

    def next_due(self) -> str | None:
        """The earliest time at which something waits."""
        row = self._db.row("SELECT min(not_before) AS at FROM notice WHERE state IN ('due', 'sending')")
        return row["at"] if row else None
