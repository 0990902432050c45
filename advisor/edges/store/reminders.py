"""Who was reminded of which tickets, who is looked at next, and who could not be reached."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from advisor.core.reminders import FUTURE, About, Heard, Line, Unreached, Waiting
from advisor.core.removal import TicketState
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import WAITS, maybe_moment, maybe_stamp, moment, stamp

SPREAD = timedelta(seconds=0.7)
"""Between two people: 86 a minute. users.info is of Slack's tier 4, 100 and more a minute."""

_LEASE = timedelta(minutes=1)
"""How long a look, or a round of everybody, may take until it is made again."""

_FAR = timedelta(days=9)
"""Nobody is put off for longer: a later time was written by a clock that ran ahead."""

_REMEMBERED = timedelta(days=3)
"""A reminder is kept so long at least, and as long as one of its tickets waits."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """One message to a person, as it was decided."""

    id: int
    user: str
    at: datetime
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """A person who is looked at next: the zone that they had last, empty where it is not known, and failed tries."""

    user: str
    zone: str = ""
    tries: int = 0


class Reminders:
    """Tables reminder, reminder_look, reminder_round and unreached."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    # -- tickets -------------------------------------------------------------------------------------------------

    def waiting(self, ids: Sequence[int] | None = None) -> tuple[Waiting, ...]:
        """Every ticket that waits for people, oldest first, or those of some; without their plans."""
        rows = self._db.rows(
            "SELECT id, state, requesters, changed_at, expires_at, advice FROM ticket "
            f"WHERE {WAITS} AND (? IS NULL OR id IN (SELECT value FROM json_each(?))) "
            "ORDER BY id",
            (None if ids is None else 1, json.dumps(list(ids or ()))),
        )
        if not rows:
            return ()
        approved: dict[int, set[str]] = defaultdict(set)
        unreached: dict[int, list[Unreached]] = defaultdict(list)
        wanted = json.dumps([r["id"] for r in rows])
        among = "ticket_id IN (SELECT value FROM json_each(?))"
        for r in self._db.rows(f"SELECT ticket_id, user FROM approval WHERE {among}", (wanted,)):
            approved[r["ticket_id"]].add(r["user"])
        for r in self._db.rows(f"SELECT * FROM unreached WHERE {among} ORDER BY at, user", (wanted,)):
            unreached[r["ticket_id"]].append(Unreached(r["user"], r["why"], moment(r["at"])))
        return tuple(
            Waiting(
                id=r["id"],
                state=TicketState(r["state"]),
                requesters=tuple(json.loads(r["requesters"])),
                since=moment(r["changed_at"]),
                expires_at=moment(r["expires_at"]),
                advice=bool(r["advice"]),
                approved=frozenset(approved[r["id"]]),
                unreached=tuple(unreached[r["id"]]),
            )
            for r in rows
        )

    def any_waiting(self) -> bool:
        """Whether any ticket waits for people."""
        return self._db.row(f"SELECT 1 FROM ticket WHERE {WAITS} LIMIT 1") is not None

    # -- what was said -------------------------------------------------------------------------------------------

    def heard(self, user: str = "") -> dict[str, list[Heard]]:
        """What each person (or this one) was told, and when it was tried in vain.

        A message that was dropped, since nothing of it held any more when it was to be drawn, was not said.
        """
        found: dict[str, list[Heard]] = defaultdict(list)
        for r in self._db.rows(
            "SELECT r.* FROM reminder r LEFT JOIN notice n ON n.id = r.notice_id "
            "WHERE coalesce(n.state, '') <> 'dropped' AND (? = '' OR r.user = ?)",
            (user, user),
        ):
            found[r["user"]].append(
                Heard(moment(r["at"]), date.fromisoformat(r["day"]), frozenset(_lines(r)))
            )
        for r in self._db.rows("SELECT * FROM unreached WHERE ? = '' OR user = ?", (user, user)):
            at = moment(r["at"])
            lines = {Line(r["ticket_id"], about) for about in (About.ASK, About.ESCALATED)}
            found[r["user"]].append(Heard(at, at.astimezone(UTC).date(), frozenset(lines)))
        return found

    def say(self, user: str, now: datetime, day: date, lines: Sequence[Line]) -> int | None:
        """Commit one message and what it says; None where this person has one of this day, or of a later one.

        The caller adds the notice in the same transaction.
        """
        with self._db.transaction():
            said = self._db.row(
                "SELECT 1 FROM reminder r LEFT JOIN notice n ON n.id = r.notice_id WHERE r.user = ? AND r.day >= ? "
                "AND r.at <= ? AND coalesce(n.state, '') <> 'dropped'",
                (user, day.isoformat(), stamp(now + FUTURE)),
            )
            if said is not None:
                return None
            self._db.run(
                "DELETE FROM reminder WHERE user = ? AND at < ? AND NOT EXISTS (SELECT 1 FROM json_each(said) j "
                f"JOIN ticket t ON t.id = json_extract(j.value, '$[0]') WHERE {WAITS})",
                (user, stamp(now - _REMEMBERED)),
            )
            words = json.dumps([[line.ticket, line.about.value] for line in lines])
            cursor = self._db.run(
                "INSERT INTO reminder (user, at, day, said) VALUES (?, ?, ?, ?)",
                (user, stamp(now), day.isoformat(), words),
            )
            return int(cursor.lastrowid or 0)

    def noticed(self, reminder_id: int, notice_id: int) -> None:
        """The notice that a message goes by."""
        with self._db.transaction():
            self._db.run("UPDATE reminder SET notice_id = ? WHERE id = ?", (notice_id, reminder_id))

    def get(self, reminder_id: int) -> Reminder | None:
        """One message as it was decided."""
        row = self._db.row("SELECT * FROM reminder WHERE id = ?", (reminder_id,))
        return Reminder(row["id"], row["user"], moment(row["at"]), _lines(row)) if row else None

    def not_reached(self, user: str, why: str, tickets: Sequence[int], now: datetime) -> None:
        """This person was to be asked about these tickets and cannot be."""
        with self._db.transaction():
            self._db.run(
                "DELETE FROM unreached WHERE user = ? AND ticket_id NOT IN "
                f"(SELECT id FROM ticket WHERE {WAITS})",
                (user,),
            )
            for ticket_id in tickets:
                self._db.run(
                    "INSERT INTO unreached (ticket_id, user, why, at) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (ticket_id, user) DO UPDATE SET why = excluded.why, at = excluded.at",
                    (ticket_id, user, why, stamp(now)),
                )

    def reached(self, user: str) -> None:
        """This person can be asked (again)."""
        with self._db.transaction():
            self._db.run("DELETE FROM unreached WHERE user = ?", (user,))

    # -- who is looked at when -----------------------------------------------------------------------------------

    def claim_round(self, now: datetime) -> bool:
        """Whether everybody is to be gone through now. Whoever takes it does so within a minute, or it is due again."""
        row = self._db.row("SELECT * FROM reminder_round")
        if row is not None and moment(row["at"]) <= now < moment(row["next_at"]):
            return False
        with self._db.transaction():
            self._next_round(now, now + _LEASE)
        return True

    def next_round(self) -> datetime | None:
        """When everybody is gone through next."""
        row = self._db.row("SELECT next_at FROM reminder_round")
        return moment(row["next_at"]) if row else None

    def _next_round(self, now: datetime, next_at: datetime) -> None:
        self._db.run(
            "INSERT INTO reminder_round (id, at, next_at) VALUES (1, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET at = excluded.at, next_at = excluded.next_at",
            (stamp(now), stamp(next_at)),
        )

    def round(self, now: datetime, next_at: datetime, looks: Mapping[str, datetime]) -> None:
        """Everybody was gone through: when each is looked at next, and nobody else is."""
        with self._db.transaction():
            self._next_round(now, next_at)
            self._db.run("UPDATE reminder_look SET next_at = NULL WHERE next_at IS NOT NULL")
            for user, at in looks.items():
                self._db.run(
                    "INSERT INTO reminder_look (user, next_at) VALUES (?, ?) "
                    "ON CONFLICT (user) DO UPDATE SET next_at = excluded.next_at",
                    (user, stamp(at)),
                )
            self._db.wake(self._db.work)

    def zones(self) -> dict[str, str]:
        """The zone of everybody who was looked at."""
        rows = self._db.rows("SELECT user, zone FROM reminder_look WHERE zone <> ''")
        return {r["user"]: r["zone"] for r in rows}

    def look(self, now: datetime) -> Look | None:
        """Who is to be looked at now: one at a time, SPREAD apart. Whoever takes it says what came of it within a minute."""
        last = self._last(now)
        row = self._db.row(
            "SELECT * FROM reminder_look WHERE next_at <= ? OR next_at > ? ORDER BY next_at, user LIMIT 1",
            (stamp(now), stamp(now + _FAR)),
        )
        if row is None or (last is not None and now - last < SPREAD):
            return None
        with self._db.transaction():
            self._db.run(
                "UPDATE reminder_look SET looked_at = ?, next_at = ? WHERE user = ?",
                (stamp(now), stamp(now + _LEASE), row["user"]),
            )
        return Look(row["user"], row["zone"], row["tries"])

    def looked(self, user: str, next_at: datetime | None, *, zone: str | None = None, tries: int = 0) -> None:
        """What came of a look: when there is another one, before the next round."""
        with self._db.transaction():
            self._db.run(
                "UPDATE reminder_look SET next_at = ?, tries = ?, zone = coalesce(?, zone) WHERE user = ?",
                (maybe_stamp(next_at), tries, zone, user),
            )

    def next_at(self, now: datetime) -> datetime | None:
        """When the next person is looked at."""
        row = self._db.row("SELECT min(next_at) AS at FROM reminder_look WHERE next_at IS NOT NULL")
        at = maybe_moment(row["at"]) if row else None
        last = self._last(now)
        return max(at, last + SPREAD) if at and last else at

    def _last(self, now: datetime) -> datetime | None:
        row = self._db.row(
            "SELECT max(looked_at) AS at FROM reminder_look WHERE looked_at <= ?", (stamp(now),)
        )
        return maybe_moment(row["at"]) if row else None


def _lines(row: Row) -> tuple[Line, ...]:
    return tuple(Line(int(ticket), About(about)) for ticket, about in json.loads(row["said"]))
