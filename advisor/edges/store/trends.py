"""How things developed, read from what is stored: scores of reports, and changes that tickets made. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from advisor.core.trend import Carried, Did, Point, Seen
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import moment

# A ticket's writes count from the step that was read back last, of the change and of the way back apart; advice has
# no step, and ends when an audit finds it carried out.
_CARRIED = """
SELECT t.id, t.state, e.kind, e.name, s.back, max(s.settled_at) AS at FROM step s
JOIN ticket t ON t.id = s.ticket_id JOIN entity e ON e.id = t.entity_id
WHERE s.state = 'done' AND {where} GROUP BY t.id, s.back
UNION ALL
SELECT t.id, 'by_hand', e.kind, e.name, 0, t.changed_at FROM ticket t JOIN entity e ON e.id = t.entity_id
WHERE t.advice = 1 AND t.state = 'applied' AND {where} ORDER BY at, 1
"""

# Summed by SQLite, which lets other threads run meanwhile: what each score adds to the one before of its entity, less
# what entities took with them when they went.
_DAILY = """
WITH kept AS (
    SELECT s.entity_id, substr(s.at, 1, 10) AS day, s.at, s.granted, s.used, s.could_go, substr(e.gone_at, 1, 10) AS gone
    FROM score s JOIN entity e ON e.id = s.entity_id
    WHERE s.account IN ({marks}){tagged} AND (e.gone_at IS NULL OR substr(s.at, 1, 10) < substr(e.gone_at, 1, 10))
), steps AS (
    SELECT day, granted - coalesce(lag(granted) OVER before, 0) AS granted,
        used - coalesce(lag(used) OVER before, 0) AS used,
        could_go - coalesce(lag(could_go) OVER before, 0) AS could_go,
        lag(granted) OVER before IS NULL AS entities, 1 AS reports
    FROM kept WINDOW before AS (PARTITION BY entity_id ORDER BY at)
    UNION ALL
    SELECT gone, -granted, -used, -could_go, -1, 0 FROM (
        SELECT *, row_number() OVER (PARTITION BY entity_id ORDER BY at DESC) AS place FROM kept WHERE gone IS NOT NULL
    ) WHERE place = 1
)
SELECT day, sum(sum(granted)) OVER days AS granted, sum(sum(used)) OVER days AS used,
    sum(sum(could_go)) OVER days AS could_go, sum(sum(entities)) OVER days AS entities, sum(reports) AS reports
FROM steps GROUP BY day WINDOW days AS (ORDER BY day) ORDER BY day
"""

_TAGGED = " AND s.entity_id IN (SELECT entity_id FROM tag WHERE key = ? AND value = ? COLLATE BINARY)"


class Trends:
    """Reads tables score, entity, ticket and step."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def of_entity(self, entity_id: int) -> dict[int, tuple[Seen, int]]:
        """By report: what it came to, and how many services were stale."""
        rows = self._db.rows(
            "SELECT report_id, entity_id, at, granted, used, could_go, stale FROM score WHERE entity_id = ? "
            "ORDER BY at",
            (entity_id,),
        )
        return {r["report_id"]: (_seen(r), int(r["stale"])) for r in rows}

    def of_accounts(self, accounts: Sequence[str], tag: str = "") -> tuple[Point, ...]:
        """For each day with a report: sums over the last score of every entity of these accounts until then.

        An entity leaves the sums on the day on which IAM was found not to know it any more. `tag`, K=V: only of the
        entities that have it now.
        """
        sql = _DAILY.format(marks=", ".join("?" * len(accounts)), tagged=_TAGGED if tag else "")
        key, _, value = tag.partition("=")
        return tuple(
            Point(date.fromisoformat(r["day"]), r["granted"], r["used"], r["could_go"], r["entities"])
            for r in self._db.rows(sql, (*accounts, *((key, value) if tag else ())))
            if r["reports"]
        )

    def carried_on(self, entity_id: int) -> tuple[Carried, ...]:
        """The changes that were carried out on one entity, oldest first."""
        sql = _CARRIED.format(where="e.id = ?")
        return tuple(_carried(r) for r in self._db.rows(sql, (entity_id, entity_id)))

    def carried_in(self, account: str) -> tuple[Carried, ...]:
        """The changes that were carried out in one account, oldest first."""
        sql = _CARRIED.format(where="e.account = ?")
        return tuple(_carried(r) for r in self._db.rows(sql, (account, account)))


def _seen(row: Row) -> Seen:
    return Seen(row["entity_id"], moment(row["at"]), row["granted"], row["used"], row["could_go"])


def _carried(row: Row) -> Carried:
    if row["state"] == "by_hand":
        did = Did.BY_HAND
    elif not row["back"]:
        did = Did.APPLIED
    else:
        did = Did.ROLLED_BACK if row["state"] == "rolled_back" else Did.PARTLY_BACK
    return Carried(row["id"], moment(row["at"]), did, row["kind"], row["name"])
