"""What digests are made of: sums and lists over stored scores, reports, tickets and keeps of some accounts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from advisor.core.digest import Next, Read, Thing, Totals
from advisor.core.model import Failure, Kind
from advisor.core.removal import Keep, Ticket
from advisor.edges.store.connection import Connection, Row, Value
from advisor.edges.store.rows import WAITS, failure_of, keep_of, moment, stamp, ticket_of

_IN = "s.account IN (SELECT value FROM json_each(?))"
_TAGGED = (
    " AND EXISTS (SELECT 1 FROM report r JOIN snapshot p ON p.id = r.snapshot_id, json_each(p.facts, '$.tags') t "
    "WHERE r.id = s.report_id AND json_extract(t.value, '$[0]') = ? AND json_extract(t.value, '$[1]') = ?)"
)
_FREE = (
    # What a ticket is about already, what somebody keeps whole, and what was changed since the report is not proposed.
    " AND NOT EXISTS (SELECT 1 FROM ticket t WHERE t.entity_id = s.entity_id AND (t.state IN ('draft', 'open', "
    "'approved', 'applying', 'held', 'rolling_back', 'needs_human') OR t.state = 'applied' AND t.changed_at > s.at)) "
    "AND NOT EXISTS (SELECT 1 FROM keep k WHERE k.entity_id = s.entity_id AND k.service = '' "
    "AND k.ended_at IS NULL AND k.until > ?)"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a digest is about: accounts by id, a tag as K=V, and the least weight of a heaviest finding that is shown."""

    accounts: tuple[str, ...]
    tag: str = ""
    least: int = 0

    @property
    def values(self) -> tuple[str, ...]:
        """The values of the conditions, in order."""
        key, _, value = self.tag.partition("=")
        return (json.dumps(self.accounts), *((key, value) if self.tag else ()))

    @property
    def where(self) -> str:
        """The conditions on a score `s`."""
        return _IN + (_TAGGED if self.tag else "")


@dataclass(frozen=True, slots=True)
class Pair:
    """An entity with its newest report and the last one before some time."""

    thing: Thing
    before_id: int
    after_id: int
    risk: int


class Digests:
    """Reads only."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def totals(self, scope: Scope) -> Totals:
        """Sums over the newest report of every entity in scope that is still there."""
        row = self._db.row(
            "SELECT count(*) AS entities, sum(s.could_go) AS could_go, sum(s.granted) AS granted, sum(s.used) AS used, "
            "sum(s.young) AS young, sum(s.untracked) AS untracked, sum(s.could_go > 0) AS with_some, "
            "sum(s.risk) AS risk FROM score s "
            f"JOIN entity e ON e.id = s.entity_id WHERE s.newest = 1 AND e.gone_at IS NULL AND {scope.where}",
            scope.values,
        )
        return Totals(*(int(v or 0) for v in row)) if row else Totals()

    def before(self, scope: Scope, since: datetime) -> int | None:
        """How many services could go at a time, by the reports of before; None where there are none."""
        row = self._db.row(
            "SELECT count(b.report_id) AS n, sum(b.could_go) AS could_go FROM score s JOIN entity e ON e.id = s.entity_id "
            "JOIN score b ON b.report_id = (SELECT o.report_id FROM score o WHERE o.entity_id = s.entity_id "
            "AND o.at <= ? ORDER BY o.at DESC LIMIT 1) "
            f"WHERE s.newest = 1 AND (e.gone_at IS NULL OR e.gone_at > ?) AND {scope.where}",
            (stamp(since), stamp(since), *scope.values),
        )
        return int(row["could_go"]) if row and row["n"] else None

    def born(self, scope: Scope, since: datetime) -> int:
        """How many entities were made since."""
        row = self._db.row(
            "SELECT count(*) AS n FROM score s JOIN entity e ON e.id = s.entity_id "
            f"WHERE s.newest = 1 AND e.gone_at IS NULL AND e.created_at > ? AND {scope.where}",
            (stamp(since), *scope.values),
        )
        return int(row["n"]) if row else 0

    def next(self, scope: Scope, now: datetime, limit: int) -> tuple[list[Next], int]:
        """The clean-ups that take away the most risk, and how many there are in all."""
        where = (
            "FROM score s JOIN entity e ON e.id = s.entity_id WHERE s.newest = 1 AND e.gone_at IS NULL "
            f"AND s.could_go > 0 AND s.heaviest >= ? AND {scope.where}{_FREE}"
        )
        values: tuple[Value, ...] = (scope.least, *scope.values, stamp(now))
        rows = self._db.rows(
            f"SELECT e.id AS thing, e.name, e.kind, e.account AS home, e.arn, s.* {where} "
            "ORDER BY s.risk DESC, s.could_go DESC, e.name, e.id LIMIT ?",
            (*values, limit),
        )
        count = self._db.row(f"SELECT count(*) AS n {where}", values)
        return [_next_of(r) for r in rows], int(count["n"]) if count else 0

    def read_since(self, scope: Scope, since: datetime) -> list[int]:
        """The newest reports of entities that were read since: by number alone, there may be tens of thousands."""
        rows = self._db.rows(
            f"SELECT s.report_id FROM score s WHERE s.newest = 1 AND s.at > ? AND s.heaviest >= ? AND {scope.where}",
            (stamp(since), scope.least, *scope.values),
        )
        return [r["report_id"] for r in rows]

    def pairs(self, report_ids: Sequence[int], since: datetime) -> list[Pair]:
        """Of some of these, those whose entity is still there and was read before that too: what can be compared."""
        rows = self._db.rows(
            "SELECT e.id AS thing, e.name, e.kind, e.account AS home, e.arn, s.report_id, s.risk, "
            "(SELECT o.report_id FROM score o WHERE o.entity_id = s.entity_id AND o.at <= ? ORDER BY o.at DESC LIMIT 1) "
            "AS before_id FROM score s JOIN entity e ON e.id = s.entity_id "
            "WHERE s.report_id IN (SELECT value FROM json_each(?)) AND e.gone_at IS NULL",
            (stamp(since), json.dumps(list(report_ids))),
        )
        return [
            Pair(_thing_of(r), r["before_id"], r["report_id"], r["risk"])
            for r in rows
            if r["before_id"] is not None
        ]

    def reads(self, report_ids: Sequence[int]) -> Iterator[tuple[int, Read]]:
        """Reports as far as they are compared; one whose rows are not kept any more is left out."""
        rows = self._db.rows(
            "SELECT r.id, r.created_at, s.namespace, s.last_at FROM report r JOIN service s ON s.report_id = r.id "
            "WHERE r.id IN (SELECT value FROM json_each(?)) AND r.thinned = 0 ORDER BY r.id, s.namespace",
            (json.dumps(list(report_ids)),),
        )
        current, made = -1, ""
        found: list[tuple[str, datetime | None]] = []
        for row in rows:
            if row["id"] != current:
                if found:
                    yield current, Read(moment(made), tuple(found))
                current, made, found = row["id"], row["created_at"], []
            last = row["last_at"]  # read by the quick parser: there are hundreds of thousands
            found.append((row["namespace"], datetime.fromisoformat(last) if last else None))
        if found:
            yield current, Read(moment(made), tuple(found))

    def tickets(self, accounts: Sequence[str], since: datetime) -> list[tuple[Ticket, Thing]]:
        """Tickets of these accounts that wait for a person, or that ended since; oldest first."""
        rows = self._db.rows(
            "SELECT t.*, e.id AS thing, e.name, e.kind, e.account AS home, e.arn FROM ticket t "
            "JOIN entity e ON e.id = t.entity_id WHERE e.account IN (SELECT value FROM json_each(?)) "
            f"AND ({WAITS} "
            "OR t.state IN ('applied', 'rolled_back', 'expired') AND t.changed_at > ?) ORDER BY t.id",
            (json.dumps(list(accounts)), stamp(since)),
        )
        return [(ticket_of(r), _thing_of(r)) for r in rows]

    def ending(self, now: datetime, until: datetime) -> list[tuple[Keep, Thing]]:
        """Keeps that stand and end until then, those that end first coming first."""
        rows = self._db.rows(
            "SELECT k.*, e.id AS thing, e.name, e.kind, e.account AS home, e.arn FROM keep k "
            "JOIN entity e ON e.id = k.entity_id WHERE k.ended_at IS NULL AND k.until > ? AND k.until <= ? "
            "AND e.gone_at IS NULL ORDER BY k.until, k.id",
            (stamp(now), stamp(until)),
        )
        return [(keep_of(r), _thing_of(r)) for r in rows]

    def unread(self, account: str) -> tuple[Failure | None, int]:
        """Why an account could not be read the last time, and how many of its entities could not be."""
        row = self._db.row(
            "SELECT failure, failed FROM sweep_account WHERE account = ? AND ended_at IS NOT NULL "
            "ORDER BY ended_at DESC LIMIT 1",
            (account,),
        )
        return (failure_of(row["failure"]), int(row["failed"])) if row else (None, 0)

    def newest_report(self, entity_id: int) -> int | None:
        """The report that an entity's newest score was made of."""
        row = self._db.row("SELECT report_id FROM score WHERE entity_id = ? AND newest = 1", (entity_id,))
        return int(row["report_id"]) if row else None


def _thing_of(row: Row) -> Thing:
    return Thing(row["thing"], row["name"], Kind(row["kind"]), row["home"], arn=row["arn"])


def _next_of(row: Row) -> Next:
    return Next(
        _thing_of(row),
        row["report_id"],
        row["could_go"],
        row["granted"],
        row["used"],
        row["risk"],
        tuple(json.loads(row["best"])),
    )
