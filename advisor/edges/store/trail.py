"""What was read of CloudTrail's event history, so that the next ticket reads only what is new; and each ticket's replay.

Kept are principal, event, newest time, count, whether it was denied, and the session of the newest: no addresses and no
user agents.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from advisor.core.replay import Call, Look, Replay
from advisor.core.watch import By, Denied
from advisor.edges.store.connection import Connection, Row, Value
from advisor.edges.store.rows import dump_replay, moment, replay_of, stamp
from advisor.edges.store.watches import KEEP, Watches, kept

LATE = timedelta(minutes=30)
"""How late an event may come: so much of what was read is read again, and nothing is counted twice.

Source: CloudTrail User Guide, "How CloudTrail works": events are delivered within about five minutes on average.
"""


@dataclass(frozen=True, slots=True)
class Covered:
    """What is known of a look: everything from `since` to `until`, read last at `read_at`."""

    since: datetime
    until: datetime
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Happened:
    """One event to be kept; what denied it, where something did."""

    id: str
    call: Call
    by: By = By.UNSAID
    policy: str = ""

    @property
    def denied(self) -> Denied:
        """As one that is kept by itself."""
        call = self.call
        return Denied(
            self.id,
            call.principal,
            call.source,
            call.name,
            call.newest,
            call.session,
            call.region,
            self.by,
            self.policy,
        )


class Trails:
    """Tables trail_look, trail_call, trail_seen and ticket_replay."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def covered(self, account: str, looks: Collection[Look]) -> dict[Look, Covered]:
        """How far each of these looks reaches; those that were never made are missing."""
        rows = self._db.rows("SELECT * FROM trail_look WHERE account = ?", (account,))
        found = {Look(r["region"], r["key"], r["value"]): _covered(r) for r in rows}
        return {look: found[look] for look in looks if look in found}

    def keep(
        self,
        account: str,
        look: Look,
        events: Iterable[Happened],
        since: datetime,
        until: datetime,
        now: datetime,
    ) -> None:
        """Add what was read from `since` to `until`, both included; what was read before counts once.

        Denied calls of those who are watched are kept one by one besides.

        What does not reach to what is known makes nothing more known, and is read again: its calls are kept, and may
        count twice, as they may where a process dies in here.
        """
        events = tuple(events)
        who = Watches(self._db).principals(account)
        heard = [e.denied for e in events if e.call.denied and e.id and e.call.principal in who]
        self._db.bulk(KEEP, (kept(account, one, "history") for one in heard))
        row = self._row(account, look)
        look_id = row["id"] if row else self._begin(account, look, now)
        sure = min(until, now - LATE)
        known = {
            r["event_id"]
            for r in self._db.rows("SELECT event_id FROM trail_seen WHERE look_id = ?", (look_id,))
        }
        fresh = list({e.id: e for e in events if e.id not in known}.values())
        edge = stamp(since)
        again = [
            (look_id, e.id, stamp(e.call.newest))
            for e in fresh
            if e.call.newest >= sure or stamp(e.call.newest) == edge
        ]
        self._db.bulk(_COUNT, (_values(look_id, call) for call in _together(e.call for e in fresh)))
        self._db.bulk("INSERT OR IGNORE INTO trail_seen (look_id, event_id, at) VALUES (?, ?, ?)", again)
        with self._db.transaction():
            self._reach(look_id, since, sure, now)
            if heard:
                self._db.wake(self._db.work)
            self._db.run(
                "DELETE FROM trail_seen WHERE look_id = ? AND at < (SELECT until FROM trail_look WHERE id = ?) "
                "AND at <> (SELECT since FROM trail_look WHERE id = ?)",
                (look_id, look_id, look_id),
            )

    def _row(self, account: str, look: Look) -> Row | None:
        return self._db.row(
            "SELECT * FROM trail_look WHERE account = ? AND region = ? AND key = ? AND value = ?",
            (account, look.region, look.key, look.value),
        )

    def _begin(self, account: str, look: Look, now: datetime) -> int:
        """A row that reaches nowhere yet."""
        at = stamp(now - LATE)
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO trail_look (account, region, key, value, since, until, read_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (account, look.region, look.key, look.value, at, at, stamp(now)),
            )
        return int(cursor.lastrowid or 0)

    def _reach(self, look_id: int, since: datetime, sure: datetime, now: datetime) -> None:
        """How far is known now. The newest minutes are not: events may still come."""
        row = self._db.row("SELECT * FROM trail_look WHERE id = ?", (look_id,))
        if row is None or since >= sure:  # it ended within the newest minutes
            return
        known = _covered(row)
        joined = since <= known.until and sure >= known.since
        if not joined and known.since < known.until:
            return
        low, high = (min(known.since, since), max(known.until, sure)) if joined else (since, sure)
        self._db.run(
            "UPDATE trail_look SET since = ?, until = ?, read_at = ? WHERE id = ?",
            (stamp(low), stamp(high), stamp(now), look_id),
        )

    def calls(
        self, account: str, looks: Collection[Look], principals: Collection[str], since: datetime
    ) -> list[Call]:
        """The calls of these principals that these looks found, made since then."""
        rows = self._db.rows(
            "SELECT l.region, l.key, l.value, c.* FROM trail_look l JOIN trail_call c ON c.look_id = l.id "
            "WHERE l.account = ? AND c.newest >= ? AND c.principal IN (SELECT value FROM json_each(?))",
            (account, stamp(since), json.dumps(sorted(principals))),
        )
        wanted = frozenset(looks)
        return [
            Call(
                r["principal"],
                r["source"],
                r["name"],
                bool(r["denied"]),
                moment(r["newest"]),
                r["count"],
                r["session"],
                r["region"],
            )
            for r in rows
            if Look(r["region"], r["key"], r["value"]) in wanted
        ]

    def forget(self, before: datetime) -> None:
        """Let go of what event history itself does not keep any more."""
        with self._db.transaction():
            self._db.run("DELETE FROM trail_call WHERE newest < ?", (stamp(before),))
            self._db.run("DELETE FROM trail_seen WHERE at < ?", (stamp(before),))
            self._db.run("DELETE FROM trail_look WHERE until < ?", (stamp(before),))

    # -- of a ticket ---------------------------------------------------------------------------------------------

    def save(self, ticket_id: int, replay: Replay) -> None:
        """Keep what the witness said of a ticket's plan; the newest word counts."""
        with self._db.transaction():
            self._db.run(
                "INSERT INTO ticket_replay (ticket_id, result) VALUES (?, ?) "
                "ON CONFLICT (ticket_id) DO UPDATE SET result = excluded.result",
                (ticket_id, dump_replay(replay)),
            )

    def of_ticket(self, ticket_id: int) -> Replay | None:
        """What the witness said of a ticket's plan; None where it was not asked."""
        row = self._db.row("SELECT result FROM ticket_replay WHERE ticket_id = ?", (ticket_id,))
        return replay_of(row["result"]) if row else None


_COUNT = (
    "INSERT INTO trail_call (look_id, principal, source, name, denied, newest, count, session) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (look_id, principal, source, name, denied) DO UPDATE SET "
    "count = count + excluded.count, "
    "session = CASE WHEN excluded.newest > newest THEN excluded.session ELSE session END, "
    "newest = max(newest, excluded.newest)"
)


def _together(calls: Iterable[Call]) -> Iterable[Call]:
    """One of each kind, with the newest time and how many there were."""
    found: dict[tuple[str, str, str, bool], Call] = {}
    for call in calls:
        key = (call.principal, call.source, call.name, call.denied)
        held = found.get(key)
        newer = call if held is None or call.newest > held.newest else held
        found[key] = replace(newer, count=call.count + (held.count if held else 0))
    return found.values()


def _values(look_id: int, call: Call) -> tuple[Value, ...]:
    return (
        look_id,
        call.principal,
        call.source,
        call.name,
        call.denied,
        stamp(call.newest),
        call.count,
        call.session,
    )


def _covered(row: Row) -> Covered:
    return Covered(moment(row["since"]), moment(row["until"]), moment(row["read_at"]))
