"""Which tickets are watched, the denied calls of those whom they concern, and what of these is the tickets' doing.

Denied calls are kept one by one under AWS's own id, so that one that is heard by event history and by the queue counts
once. They hold no addresses and no user agents.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from advisor.core.replay import Gap
from advisor.core.watch import By, Cause, Denials, Denied, Hit, Phase, Seen, Watch
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import maybe_moment, maybe_stamp, moment, stamp

KEEP = (
    "INSERT OR IGNORE INTO denied (account, event_id, principal, source, name, at, session, region, denied_by, policy, "
    "heard) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM watch w, json_each(w.who) j "
    "WHERE w.account = ?1 AND j.value = ?3 AND w.ended_at IS NULL AND w.since <= ?6)"
)
"""Only calls of principals that are watched are kept."""


def kept(account: str, one: Denied, heard: str) -> tuple[str, ...]:
    """The values of KEEP."""
    values = (one.id, one.principal, one.source, one.name, stamp(one.at), one.session, one.region)
    return (account, *values, one.by.value, one.policy, heard)


class Watches:
    """Tables watch, denied and hit."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    # -- watches -------------------------------------------------------------------------------------------------

    def begin(self, watch: Watch) -> None:
        """Begin a watch, or go on with one from its new state: it keeps when it began and what it said."""
        with self._db.transaction():
            self._db.run(
                "INSERT INTO watch (ticket_id, account, who, since, until, often_until, next_at, changed_at, lifted_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ticket_id) DO UPDATE SET who = excluded.who, "
                "until = excluded.until, often_until = excluded.often_until, next_at = excluded.next_at, "
                "changed_at = excluded.changed_at, lifted_at = excluded.lifted_at, ended_at = NULL",
                (
                    watch.ticket,
                    watch.account,
                    json.dumps(sorted(watch.who)),
                    stamp(watch.since),
                    stamp(watch.until),
                    stamp(watch.often_until),
                    maybe_stamp(watch.next_at),
                    maybe_stamp(watch.changed_at),
                    maybe_stamp(watch.lifted_at),
                ),
            )
            self._db.run(  # what another watch has heard meanwhile may concern this one too
                "UPDATE denied SET weighed = 0 WHERE account = ? AND at >= ? "
                "AND principal IN (SELECT value FROM json_each(?))",
                (watch.account, stamp(watch.since), json.dumps(sorted(watch.who))),
            )
            self._db.wake(self._db.work)

    def get(self, ticket_id: int) -> Watch | None:
        """The watch of a ticket."""
        row = self._db.row("SELECT * FROM watch WHERE ticket_id = ?", (ticket_id,))
        return _watch(row) if row else None

    def of_account(self, account: str) -> list[Watch]:
        """Every watch of an account that goes on."""
        sql = "SELECT * FROM watch WHERE account = ? AND ended_at IS NULL ORDER BY ticket_id"
        return [_watch(r) for r in self._db.rows(sql, (account,))]

    def principals(self, account: str) -> frozenset[str]:
        """Everybody who is watched in an account."""
        return frozenset(who for watch in self.of_account(account) for who in watch.who)

    def due(self, now: datetime) -> list[str]:
        """Accounts in which a watch is to be looked after now."""
        sql = "SELECT DISTINCT account FROM watch WHERE ended_at IS NULL AND next_at <= ? ORDER BY account"
        return [str(r["account"]) for r in self._db.rows(sql, (stamp(now),))]

    def next_at(self, now: datetime) -> datetime | None:
        """When the next of them is due that is not due yet."""
        row = self._db.row(
            "SELECT min(next_at) AS at FROM watch WHERE ended_at IS NULL AND next_at > ?", (stamp(now),)
        )
        return moment(row["at"]) if row and row["at"] else None

    def claim(self, account: str, now: datetime, again: datetime) -> list[Watch]:
        """The watches of an account that are due; should nothing come of this look, they are due again then."""
        with self._db.transaction():
            due = [w for w in self.of_account(account) if w.next_at and w.next_at <= now]
            self._db.run(
                "UPDATE watch SET next_at = ? WHERE account = ? AND ended_at IS NULL AND next_at <= ?",
                (stamp(again), account, stamp(now)),
            )
        return due

    def looked(self, ticket_id: int, next_at: datetime | None, seen: Seen) -> None:
        """Event history was asked for it, as far as it answered; when it is asked again."""
        with self._db.transaction():
            self._db.run(
                "UPDATE watch SET next_at = ?, seen = ? WHERE ticket_id = ?",
                (maybe_stamp(next_at), _dump(seen), ticket_id),
            )

    def end(self, ticket_id: int, now: datetime) -> bool:
        """Watch no more; once."""
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE watch SET ended_at = ?, next_at = NULL WHERE ticket_id = ? AND ended_at IS NULL",
                (stamp(now), ticket_id),
            )
        return changed.rowcount == 1

    # -- denied calls --------------------------------------------------------------------------------------------

    def hear(self, calls: Iterable[tuple[str, Denied]], heard: str) -> int:
        """Keep denied calls of those who are watched, by their accounts, in one transaction; how many are new."""
        new = 0
        with self._db.transaction():
            for account, one in calls:
                new += self._db.run(KEEP, kept(account, one, heard)).rowcount
            if new:
                self._db.wake(self._db.work)
        return new

    def unweighed(self) -> list[str]:
        """Accounts with denied calls that nobody has judged yet."""
        rows = self._db.rows("SELECT DISTINCT account FROM denied WHERE weighed = 0 ORDER BY account")
        return [str(r["account"]) for r in rows]

    def unweighed_of(self, account: str) -> frozenset[str]:
        """Whose they are."""
        sql = "SELECT DISTINCT principal FROM denied WHERE account = ? AND weighed = 0"
        return frozenset(str(r["principal"]) for r in self._db.rows(sql, (account,)))

    def newest_denied(self) -> int:
        """The row that was heard last; 0 where there is none."""
        row = self._db.row("SELECT max(id) AS id FROM denied")
        return int(row["id"] or 0) if row else 0

    def weighed(self, account: str, up_to: int) -> None:
        """These have been judged."""
        with self._db.transaction():
            self._db.run(
                "UPDATE denied SET weighed = 1 WHERE account = ? AND weighed = 0 AND id <= ?",
                (account, up_to),
            )

    def denials(self, watch: Watch) -> list[Denials]:
        """The denied calls that a watch has heard of, counted by kind and phase."""
        far = "9999"
        rows = self._db.rows(
            "SELECT principal, source, name, denied_by, policy, CASE WHEN at < ? THEN 'held' WHEN at < ? THEN 'changing' "
            "ELSE 'changed' END AS phase, count(*) AS n, min(at) AS first, max(at) AS last, session, region, "
            "json_group_array(DISTINCT session) AS sessions FROM denied "
            "WHERE account = ? AND at >= ? AND at < ? AND principal IN (SELECT value FROM json_each(?)) "
            "GROUP BY principal, source, name, denied_by, policy, phase",
            (
                maybe_stamp(watch.changed_at) or far,
                maybe_stamp(watch.lifted_at) or far,
                watch.account,
                stamp(watch.since),
                stamp(watch.until),
                json.dumps(sorted(watch.who)),
            ),
        )
        return [_denials(r) for r in rows]

    def forget(self, before: datetime) -> None:
        """Let go of denied calls that event history itself does not keep any more."""
        with self._db.transaction():
            self._db.run("DELETE FROM denied WHERE at < ?", (stamp(before),))

    # -- hits ----------------------------------------------------------------------------------------------------

    def found(self, ticket_id: int, hits: Iterable[Hit], now: datetime) -> None:
        """Keep what was judged to be a ticket's doing, with the counts of now."""
        with self._db.transaction():
            for hit in hits:
                self._db.run(_FOUND, (ticket_id, *_values(hit), stamp(now)))
            self._db.wake(self._db.work)

    def hits(self, ticket_id: int) -> tuple[Hit, ...]:
        """Every hit of a ticket, the newest first."""
        sql = "SELECT * FROM hit WHERE ticket_id = ? ORDER BY last DESC, id DESC"
        return tuple(_hit(r) for r in self._db.rows(sql, (ticket_id,)))

    def hit(self, hit_id: int) -> Hit | None:
        """One hit."""
        row = self._db.row("SELECT * FROM hit WHERE id = ?", (hit_id,))
        return _hit(row) if row else None

    def to_say(self, gathered: datetime, quiet: datetime) -> list[int]:
        """Tickets with something to say: hits heard before `gathered`, and nothing said since `quiet`."""
        rows = self._db.rows(
            "SELECT DISTINCT h.ticket_id FROM hit h JOIN watch w ON w.ticket_id = h.ticket_id "
            "WHERE h.said_at IS NULL AND h.closed_at IS NULL AND w.ended_at IS NULL AND h.heard_at <= ? "
            "AND coalesce(w.said_at, '') <= ? ORDER BY h.ticket_id",
            (stamp(gathered), stamp(quiet)),
        )
        return [int(r["ticket_id"]) for r in rows]

    def unsaid(self) -> tuple[datetime, datetime | None] | None:
        """When the oldest hit that waits to be said was heard, and when its ticket said something last."""
        row = self._db.row(
            "SELECT h.heard_at, w.said_at FROM hit h JOIN watch w ON w.ticket_id = h.ticket_id "
            "WHERE h.said_at IS NULL AND h.closed_at IS NULL AND w.ended_at IS NULL "
            "ORDER BY max(h.heard_at, coalesce(w.said_at, '')) LIMIT 1"
        )
        return (moment(row["heard_at"]), maybe_moment(row["said_at"])) if row else None

    def said(self, ticket_id: int, hits: Collection[int], now: datetime) -> None:
        """These are being told."""
        with self._db.transaction():
            self._db.run(
                "UPDATE hit SET said_at = ? WHERE id IN (SELECT value FROM json_each(?))",
                (stamp(now), json.dumps(sorted(hits))),
            )
            self._db.run("UPDATE watch SET said_at = ? WHERE ticket_id = ?", (stamp(now), ticket_id))

    def asked(self, hits: Collection[int], user: str) -> bool:
        """Somebody asks for these back; False where somebody has asked before."""
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE hit SET asked_by = ? WHERE asked_by = '' AND id IN (SELECT value FROM json_each(?))",
                (user, json.dumps(sorted(hits))),
            )
        return changed.rowcount > 0

    def close(self, hits: Collection[int], outcome: str, user: str, now: datetime, words: str = "") -> int:
        """Given back, or not needed: they are not said again; how many were open."""
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE hit SET closed_at = ?, closed_by = ?, outcome = ?, words = ? "
                "WHERE closed_at IS NULL AND id IN (SELECT value FROM json_each(?))",
                (stamp(now), user, outcome, words, json.dumps(sorted(hits))),
            )
        return changed.rowcount


_FOUND = (
    "INSERT INTO hit (ticket_id, principal, actions, things, cause, first, last, count, sessions, region, policy, heard_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ticket_id, principal, actions) DO UPDATE SET "
    "things = excluded.things, cause = excluded.cause, first = excluded.first, last = excluded.last, "
    "count = excluded.count, sessions = excluded.sessions, region = excluded.region, policy = excluded.policy"
)


def _values(hit: Hit) -> Sequence[str | int]:
    return (
        hit.principal,
        json.dumps(hit.actions),
        json.dumps(hit.things),
        hit.cause.value,
        stamp(hit.first),
        stamp(hit.last),
        hit.count,
        json.dumps(hit.sessions),
        hit.region,
        hit.policy,
    )


def _hit(row: Row) -> Hit:
    return Hit(
        principal=row["principal"],
        actions=tuple(json.loads(row["actions"])),
        things=tuple(json.loads(row["things"])),
        cause=Cause(row["cause"]),
        first=moment(row["first"]),
        last=moment(row["last"]),
        count=row["count"],
        sessions=tuple(json.loads(row["sessions"])),
        region=row["region"],
        policy=row["policy"],
        ticket=row["ticket_id"],
        id=row["id"],
        said_at=maybe_moment(row["said_at"]),
        closed_at=maybe_moment(row["closed_at"]),
        asked_by=row["asked_by"],
    )


def _denials(row: Row) -> Denials:
    sessions = dict.fromkeys(s for s in (row["session"], *json.loads(row["sessions"])) if s)
    return Denials(
        row["principal"],
        row["source"],
        row["name"],
        By(row["denied_by"]),
        row["policy"],
        Phase(row["phase"]),
        row["n"],
        moment(row["first"]),
        moment(row["last"]),
        tuple(sessions),
        row["region"],
    )


def _watch(row: Row) -> Watch:
    return Watch(
        ticket=row["ticket_id"],
        account=row["account"],
        who=tuple(json.loads(row["who"])),
        since=moment(row["since"]),
        until=moment(row["until"]),
        often_until=moment(row["often_until"]),
        next_at=maybe_moment(row["next_at"]),
        changed_at=maybe_moment(row["changed_at"]),
        lifted_at=maybe_moment(row["lifted_at"]),
        said_at=maybe_moment(row["said_at"]),
        ended_at=maybe_moment(row["ended_at"]),
        seen=_seen(row["seen"]),
    )


def _dump(seen: Seen) -> str:
    return json.dumps(
        {
            "not_asked": seen.not_asked,
            "gaps": [[g.region, g.looks, g.why] for g in seen.gaps],
            "regions": seen.regions,
            "all_regions": seen.all_regions,
            "unseen": seen.unseen,
        }
    )


def _seen(text: str) -> Seen:
    told = json.loads(text)
    return Seen(
        not_asked=told.get("not_asked", ""),
        gaps=tuple(Gap(*g) for g in told.get("gaps", ())),
        regions=tuple(told.get("regions", ())),
        all_regions=told.get("all_regions", True),
        unseen=tuple(told.get("unseen", ())),
    )
