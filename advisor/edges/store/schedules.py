"""Schedules: what comes again and again in a channel, a digest or a sweep, and when each is due next."""

from __future__ import annotations

import json
from datetime import datetime

from advisor.core.digest import Wanted
from advisor.core.estate import Cadence, Rhythm, Schedule
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import maybe_moment, moment, stamp


class Schedules:
    """Table schedule. One that has ended stays as a row: its postings name it."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(
        self, what: str, user: str, wanted: Wanted, due_at: datetime, now: datetime, *, once: bool = False
    ) -> int:
        """Begin a schedule of "digest" or "sweep"; `once`: it has ended from the start, and is never due."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO schedule (what, user, channel, cadence, day, at, zone, due_at, created_at, accounts, tag, "
                "severity, mention, quiet, ended_at, ended_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    what,
                    user,
                    *_columns(wanted, due_at)[:6],
                    stamp(now),
                    *_columns(wanted, due_at)[6:],
                    stamp(now) if once else None,
                    user if once else "",
                ),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0)

    def get(self, schedule_id: int) -> Schedule | None:
        """One schedule, ended or not."""
        row = self._db.row("SELECT * FROM schedule WHERE id = ?", (schedule_id,))
        return schedule_of(row) if row else None

    def of_channel(self, what: str, channel: str) -> list[Schedule]:
        """The standing ones of a channel, oldest first."""
        return self._standing("what = ? AND channel = ?", what, channel)

    def of_user(self, what: str, user: str) -> list[Schedule]:
        """The standing ones that a person made, oldest first."""
        return self._standing("what = ? AND user = ?", what, user)

    def standing(self, what: str) -> list[Schedule]:
        """Every one that has not ended, oldest first."""
        return self._standing("what = ?", what)

    def _standing(self, where: str, *values: str) -> list[Schedule]:
        rows = self._db.rows(f"SELECT * FROM schedule WHERE {where} AND ended_at IS NULL ORDER BY id", values)
        return [schedule_of(r) for r in rows]

    def due(self, what: str, now: datetime) -> list[Schedule]:
        """Those whose time has come, in the order in which they were due."""
        rows = self._db.rows(
            "SELECT * FROM schedule WHERE ended_at IS NULL AND due_at <= ? AND what = ? ORDER BY due_at, id",
            (stamp(now), what),
        )
        return [schedule_of(r) for r in rows]

    def next_at(self) -> datetime | None:
        """When the next of any kind is due."""
        row = self._db.row("SELECT min(due_at) AS at FROM schedule WHERE ended_at IS NULL")
        return maybe_moment(row["at"]) if row else None

    def advance(self, schedule_id: int, was: datetime, due_at: datetime) -> bool:
        """Set when it is due next, if it is still due when it was seen to be: of two beats, one wins."""
        with self._db.transaction():
            moved = self._db.run(
                "UPDATE schedule SET due_at = ? WHERE id = ? AND due_at = ? AND ended_at IS NULL",
                (stamp(due_at), schedule_id, stamp(was)),
            )
        return moved.rowcount == 1

    def told(self, schedule_id: int, until: datetime) -> None:
        """Note until when it has told: the next one begins there."""
        with self._db.transaction():
            self._db.run(
                "UPDATE schedule SET last_at = max(coalesce(last_at, ''), ?) WHERE id = ?",
                (stamp(until), schedule_id),
            )

    def edit(self, schedule_id: int, wanted: Wanted, due_at: datetime) -> bool:
        """Change a standing one."""
        with self._db.transaction():
            moved = self._db.run(
                "UPDATE schedule SET channel = ?, cadence = ?, day = ?, at = ?, zone = ?, due_at = ?, accounts = ?, "
                "tag = ?, severity = ?, mention = ?, quiet = ? WHERE id = ? AND ended_at IS NULL",
                (*_columns(wanted, due_at), schedule_id),
            )
            self._db.wake(self._db.work)
        return moved.rowcount == 1

    def end(self, schedule_id: int, user: str, now: datetime) -> bool:
        """End a standing one."""
        with self._db.transaction():
            moved = self._db.run(
                "UPDATE schedule SET ended_at = ?, ended_by = ? WHERE id = ? AND ended_at IS NULL",
                (stamp(now), user, schedule_id),
            )
        return moved.rowcount == 1


def _columns(wanted: Wanted, due_at: datetime) -> tuple[str | int, ...]:
    rhythm = wanted.rhythm
    return (
        wanted.channel,
        rhythm.cadence.value,
        rhythm.day,
        rhythm.at,
        rhythm.zone,
        stamp(due_at),
        json.dumps(wanted.accounts, ensure_ascii=False),
        wanted.tag,
        wanted.severity,
        json.dumps(wanted.mention),
        wanted.quiet,
    )


def schedule_of(row: Row) -> Schedule:
    """A row of `schedule`."""
    return Schedule(
        id=row["id"],
        what=row["what"],
        user=row["user"],
        channel=row["channel"],
        rhythm=Rhythm(Cadence(row["cadence"]), row["day"], row["at"], row["zone"]),
        due_at=moment(row["due_at"]),
        created_at=moment(row["created_at"]),
        accounts=tuple(json.loads(row["accounts"])),
        tag=row["tag"],
        severity=row["severity"],
        mention=tuple(json.loads(row["mention"])),
        quiet=bool(row["quiet"]),
        last_at=maybe_moment(row["last_at"]),
        ended_at=maybe_moment(row["ended_at"]),
        ended_by=row["ended_by"],
    )
