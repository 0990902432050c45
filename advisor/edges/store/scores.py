"""What each stored report came to, so that lists over thousands of entities need not judge anything again."""

from __future__ import annotations

import json
from collections.abc import Sequence

from advisor.core.estate import Score, Totals
from advisor.core.model import Entity
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import entity_of, moment, stamp

_SUMS = (
    "count(*) AS entities, sum(s.could_go > 0) AS with_some, sum(s.could_go) AS could_go, sum(s.granted) AS granted, "
    "sum(s.used) AS used, sum(s.used = 0 AND s.granted > 0 AND NOT s.young AND NOT s.protected "
    "AND e.kind IN ('role', 'user')) AS idle, sum(s.young) AS young, sum(s.protected) AS protected, "
    "sum(s.could_go = 0 AND NOT s.young AND NOT s.protected) AS whole"
)


class Scores:
    """Table score."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def save(self, scores: Sequence[tuple[str, Score]]) -> None:
        """Keep what reports came to, each with its account; the newest of an entity is marked."""
        with self._db.transaction():
            for account, s in scores:
                self._db.run(
                    "UPDATE score SET newest = 0 WHERE entity_id = ? AND newest = 1 AND at <= ?",
                    (s.entity_id, stamp(s.at)),
                )
                newer = self._db.row(
                    "SELECT 1 FROM score WHERE entity_id = ? AND newest = 1 LIMIT 1", (s.entity_id,)
                )
                self._db.run(
                    "INSERT OR REPLACE INTO score (report_id, entity_id, account, at, newest, granted, used, stale, "
                    "untracked, could_go, risk, heaviest, privileged, privileged_used, young, protected, best) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        s.report_id,
                        s.entity_id,
                        account,
                        stamp(s.at),
                        newer is None,
                        s.granted,
                        s.used,
                        s.stale,
                        s.untracked,
                        s.could_go,
                        s.risk,
                        s.heaviest,
                        s.privileged,
                        s.privileged_used,
                        s.young,
                        s.protected,
                        json.dumps(s.best),
                    ),
                )

    def of_report(self, report_id: int) -> Score | None:
        """What one report came to."""
        row = self._db.row("SELECT * FROM score WHERE report_id = ?", (report_id,))
        return score_of(row) if row else None

    def totals(self, sweep_id: int) -> Totals:
        """Sums over everything that a sweep has read."""
        row = self._db.row(
            f"SELECT {_SUMS} FROM sweep_entity w JOIN score s ON s.report_id = w.report_id "
            "JOIN entity e ON e.id = w.entity_id WHERE w.sweep_id = ? AND w.state = 'done'",
            (sweep_id,),
        )
        return _totals_of(row)

    def worst(self, sweep_id: int, limit: int) -> list[tuple[Entity, Score]]:
        """Entities of a sweep with the most risk in what could go."""
        rows = self._db.rows(
            "SELECT e.*, s.* FROM sweep_entity w JOIN score s ON s.report_id = w.report_id "
            "JOIN entity e ON e.id = w.entity_id WHERE w.sweep_id = ? AND w.state = 'done' AND s.could_go > 0 "
            "ORDER BY s.risk DESC, s.could_go DESC, e.name LIMIT ?",
            (sweep_id, limit),
        )
        return [(entity_of(r), score_of(r)) for r in rows]

    def find(self, sweep_id: int, text: str, limit: int) -> list[tuple[Entity, Score]]:
        """Entities of a sweep whose name holds this text, those with the most risk first: for a type-ahead."""
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._db.rows(
            "SELECT e.*, s.* FROM sweep_entity w JOIN score s ON s.report_id = w.report_id "
            "JOIN entity e ON e.id = w.entity_id WHERE w.sweep_id = ? AND w.state = 'done' "
            "AND e.name LIKE ? ESCAPE '\\' ORDER BY s.could_go = 0, s.risk DESC, s.could_go DESC, e.name LIMIT ?",
            (sweep_id, like, limit),
        )
        return [(entity_of(r), score_of(r)) for r in rows]


def _totals_of(row: Row | None) -> Totals:
    if row is None or not row["entities"]:
        return Totals()
    return Totals(**{k: int(row[k] or 0) for k in row.keys()})  # noqa: SIM118  # a Row yields its values


def score_of(row: Row) -> Score:
    """A row of `score`."""
    return Score(
        report_id=row["report_id"],
        entity_id=row["entity_id"],
        at=moment(row["at"]),
        granted=row["granted"],
        used=row["used"],
        stale=row["stale"],
        untracked=row["untracked"],
        could_go=row["could_go"],
        risk=row["risk"],
        heaviest=row["heaviest"],
        privileged=row["privileged"],
        privileged_used=row["privileged_used"],
        young=bool(row["young"]),
        protected=bool(row["protected"]),
        best=tuple(json.loads(row["best"])),
    )
