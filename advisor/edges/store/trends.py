"""How things developed, read from what is stored: scores of reports, and changes that tickets made. Writes nothing."""

from __future__ import annotations

from datetime import datetime

from advisor.core.trend import Carried, Did, Seen
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

    def of_account(self, account: str) -> list[Seen]:
        """What every report of an account's entities came to, oldest first."""
        rows = self._db.rows(
            "SELECT entity_id, at, granted, used, could_go FROM score WHERE account = ? ORDER BY at",
            (account,),
        )
        return [_seen(r) for r in rows]

    def gone(self, account: str) -> dict[int, datetime]:
        """The entities of an account that IAM no longer knows, and since when that is known."""
        rows = self._db.rows(
            "SELECT id, gone_at FROM entity WHERE account = ? AND gone_at IS NOT NULL", (account,)
        )
        return {r["id"]: moment(r["gone_at"]) for r in rows}

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
