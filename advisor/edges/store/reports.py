"""Reports of Access Advisor: every service and action, written in batches, visible only when whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from advisor.core.findings import Attempts
from advisor.core.model import ActionRow, Granularity, Report, ServiceRow
from advisor.edges.store.connection import Connection, Row, Value
from advisor.edges.store.rows import (
    action_of,
    dump_grants,
    maybe_moment,
    maybe_stamp,
    moment,
    service_of,
    stamp,
)

_SERVICE = (
    "INSERT INTO service (id, report_id, namespace, name, last_at, last_by, region, entities, has_actions, grants) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ACTION = "INSERT INTO action (service_id, name, last_at, last_by, region) VALUES (?, ?, ?, ?, ?)"
_SPACE = 1_000_000
"""Row ids set apart for a report's services before they are written, so that the actions can name them."""


Values = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Filed:
    """A report as rows: made in any process, so that the one that may write them has the least to do."""

    head: Values
    services: tuple[Values, ...]
    actions: tuple[tuple[Values, ...], ...]  # of each service


def filed(report: Report) -> Filed:
    """A report, ready to be stored."""
    return Filed(
        head=(
            report.entity_id,
            report.granularity.value,
            stamp(report.created_at),
            stamp(report.completed_at),
            len(report.services),
        ),
        services=tuple(
            (
                s.namespace,
                s.name,
                maybe_stamp(s.last_at),
                s.last_by,
                s.region,
                s.entities,
                s.actions is not None,
                dump_grants(s.grants),
            )
            for s in report.services
        ),
        actions=tuple(
            tuple((a.name, maybe_stamp(a.last_at), a.last_by, a.region) for a in s.actions or ())
            for s in report.services
        ),
    )


class Reports:
    """Tables report, service and action."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def save(self, report: Report, snapshot_id: int | None) -> int:
        """Write a report's rows under an invisible report; `show` makes it visible with the state that needs it."""
        return self.save_all([(filed(report), snapshot_id)])[0]

    def save_all(self, reports: Sequence[tuple[Filed, int | None]]) -> list[int]:
        """The same for many that are rows already: they share transactions."""
        ids = []
        with self._db.transaction():
            for report, snapshot_id in reports:
                cursor = self._db.run(
                    "INSERT INTO report (entity_id, granularity, created_at, completed_at, granted, snapshot_id) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (*report.head, snapshot_id),
                )
                ids.append(int(cursor.lastrowid or 0))
        made = [(report_id, report) for report_id, (report, _) in zip(ids, reports, strict=True)]
        self._db.bulk(
            _SERVICE,
            (
                (report_id * _SPACE + n, report_id, *service)
                for report_id, report in made
                for n, service in enumerate(report.services)
            ),
        )
        self._db.bulk(
            _ACTION,
            (
                (report_id * _SPACE + n, *action)
                for report_id, report in made
                for n, actions in enumerate(report.actions)
                for action in actions
            ),
        )
        return ids

    def show(self, report_id: int) -> None:
        """Make a report visible."""
        with self._db.transaction():
            self._db.run("UPDATE report SET complete = 1 WHERE id = ?", (report_id,))

    def show_all(self, report_ids: Sequence[int]) -> None:
        """The same for many."""
        with self._db.transaction():
            for report_id in report_ids:
                self.show(report_id)

    def young(self, account: str, since: datetime) -> dict[int, tuple[int, datetime]]:
        """Scored service-level reports of an account that were completed since then: the newest of each entity.

        Each with its row and the time as of which its data is.
        """
        rows = self._db.rows(
            "SELECT r.entity_id, r.id, r.created_at FROM score s JOIN report r ON r.id = s.report_id "
            "WHERE s.account = ? AND s.newest = 1 AND r.granularity = ? AND r.completed_at >= ?",
            (account, Granularity.SERVICE.value, stamp(since)),
        )
        return {r["entity_id"]: (r["id"], moment(r["created_at"])) for r in rows}

    def sweep_unfinished(self) -> None:
        """Delete what a stopped process left half-written; called before work begins."""
        with self._db.transaction():
            self._db.run("DELETE FROM report WHERE complete = 0")

    def newest(self, entity_id: int, granularity: Granularity | None = None) -> Report | None:
        """The newest visible report of an entity, at one granularity or any, with its rows."""
        # Two plain questions: an OR over the granularity would sort every report of the entity.
        found = [
            row
            for g in ([granularity] if granularity else list(Granularity))
            if (
                row := self._db.row(
                    "SELECT * FROM report WHERE complete = 1 AND entity_id = ? AND granularity = ? "
                    "ORDER BY created_at DESC LIMIT 1",
                    (entity_id, g.value),
                )
            )
        ]
        return self._whole(max(found, key=lambda r: str(r["created_at"]))) if found else None

    def get(self, report_id: int) -> Report | None:
        """One visible report with its rows; None where it is too old to be kept whole."""
        row = self._db.row("SELECT * FROM report WHERE id = ? AND complete = 1 AND thinned = 0", (report_id,))
        return self._whole(row) if row else None

    def head(self, report_id: int) -> Report | None:
        """A report without its rows: its times outlive them."""
        row = self._db.row("SELECT * FROM report WHERE id = ? AND complete = 1", (report_id,))
        if row is None:
            return None
        return Report(
            entity_id=row["entity_id"],
            granularity=Granularity(row["granularity"]),
            created_at=moment(row["created_at"]),
            completed_at=moment(row["completed_at"]),
            id=row["id"],
        )

    def history(self, entity_id: int, granularity: Granularity, until: int, limit: int) -> list[Report]:
        """Visible reports of an entity up to one of them, newest first, with their rows."""
        rows = self._db.rows(
            "SELECT * FROM report WHERE complete = 1 AND thinned = 0 AND entity_id = ? AND granularity = ? AND id <= ? "
            "ORDER BY created_at DESC LIMIT ?",
            (entity_id, granularity.value, until, limit),
        )
        return [self._whole(r) for r in rows]

    def count(self, entity_id: int, granularity: Granularity) -> int:
        """How many reports are stored."""
        row = self._db.row(
            "SELECT count(*) AS n FROM report WHERE complete = 1 AND thinned = 0 AND entity_id = ? AND granularity = ?",
            (entity_id, granularity.value),
        )
        return int(row["n"]) if row else 0

    def snapshot_id(self, report_id: int) -> int | None:
        """The snapshot that belongs to a report."""
        row = self._db.row("SELECT snapshot_id FROM report WHERE id = ?", (report_id,))
        return row["snapshot_id"] if row else None

    def newest_times(self, entity_ids: list[int]) -> dict[int, tuple[datetime, int]]:
        """For a type-ahead: when each entity was reported on last, and how many services were granted."""
        marks = ", ".join("?" * len(entity_ids))
        rows = self._db.rows(
            f"SELECT entity_id, max(created_at) AS at, granted FROM report WHERE complete = 1 "
            f"AND entity_id IN ({marks}) GROUP BY entity_id",
            tuple(entity_ids),
        )
        return {r["entity_id"]: (moment(r["at"]), r["granted"]) for r in rows}

    def services(self, report_id: int) -> list[ServiceRow]:
        """A report's services without their actions."""
        rows = self._db.rows("SELECT * FROM service WHERE report_id = ? ORDER BY id", (report_id,))
        return [service_of(r, None) for r in rows]

    def attempts(self, report_ids: Sequence[int]) -> dict[int, Attempts]:
        """Of many reports, as far as findings of a whole account need them."""
        marks = ", ".join("?" * len(report_ids))
        found: dict[int, list[tuple[str, datetime | None]]] = {i: [] for i in report_ids}
        for r in self._db.rows(
            f"SELECT report_id, namespace, last_at FROM service WHERE report_id IN ({marks}) ORDER BY id",
            tuple(report_ids),
        ):
            found[r["report_id"]].append((r["namespace"], maybe_moment(r["last_at"])))
        times = self._db.rows(f"SELECT id, created_at FROM report WHERE id IN ({marks})", tuple(report_ids))
        return {r["id"]: Attempts(moment(r["created_at"]), tuple(found[r["id"]])) for r in times}

    def service(self, service_id: int) -> tuple[int, ServiceRow] | None:
        """One service row, with its report's id."""
        row = self._db.row("SELECT * FROM service WHERE id = ?", (service_id,))
        return (row["report_id"], service_of(row, None)) if row else None

    def thin(self, before: datetime) -> int:
        """Drop the rows of reports older than this that are not the newest of their entity; says how many."""
        old = self._db.rows(
            "SELECT id FROM report r WHERE complete = 1 AND thinned = 0 AND created_at < ? AND EXISTS ("
            "SELECT 1 FROM report n WHERE n.complete = 1 AND n.entity_id = r.entity_id "
            "AND n.granularity = r.granularity AND n.created_at > r.created_at) LIMIT 500",
            (stamp(before),),
        )
        for row in old:
            with self._db.transaction():
                self._db.run("DELETE FROM service WHERE report_id = ?", (row["id"],))
                self._db.run("UPDATE report SET thinned = 1 WHERE id = ?", (row["id"],))
        return len(old)

    def _whole(self, row: Row) -> Report:
        services = self._db.rows("SELECT * FROM service WHERE report_id = ? ORDER BY id", (row["id"],))
        actions: dict[int, list[ActionRow]] = {}
        if row["granularity"] == Granularity.ACTION:
            for a in self._db.rows(
                "SELECT a.* FROM action a JOIN service s ON s.id = a.service_id WHERE s.report_id = ? ORDER BY a.id",
                (row["id"],),
            ):
                actions.setdefault(a["service_id"], []).append(action_of(a))
        report = Report(
            id=row["id"],
            entity_id=row["entity_id"],
            granularity=Granularity(row["granularity"]),
            created_at=moment(row["created_at"]),
            completed_at=moment(row["completed_at"]),
        )
        return replace(
            report,
            services=tuple(
                service_of(s, tuple(actions.get(s["id"], ())) if s["has_actions"] else None) for s in services
            ),
        )
