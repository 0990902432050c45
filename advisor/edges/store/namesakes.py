"""Whose a sweep's reports are: Access Advisor is asked by ARN, and an ARN may come to mean another entity meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.core.estate import Part
from advisor.core.model import Failure
from advisor.edges.store.connection import Connection
from advisor.edges.store.rows import dump_failure

_OF_ONE_THAT_WAS_SEEN = (
    "SELECT report_id FROM (SELECT report_id FROM job UNION SELECT report_id FROM request "
    "UNION SELECT report_id FROM followup UNION SELECT report_id FROM ticket) WHERE report_id IS NOT NULL"
)
"""Reports of audits: before one is stored or shown, the unique id is looked at."""

_FIRST = (
    "NOT EXISTS (SELECT 1 FROM sweep_entity o WHERE o.report_id = w.report_id AND o.sweep_id < w.sweep_id)"
)
"""A later sweep that took a report from the store listed its entity anew, and so saw that it was still the same."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A report of somebody who was deleted before anybody saw them again; `again`: another has the ARN now."""

    sweep_id: int
    entity_id: int
    report_id: int
    again: bool


class Namesakes:
    """Tables report, score and sweep_entity, as far as an entity's ARN came to mean another."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def read(self, sweep_id: int, account: str) -> dict[str, tuple[str, int]]:
        """Everybody of an account who was read, by ARN: unique id and row."""
        rows = self._db.rows(
            "SELECT e.arn, e.unique_id, e.id FROM sweep_entity w JOIN entity e ON e.id = w.entity_id "
            "WHERE w.sweep_id = ? AND w.account = ? AND w.state = 'done'",
            (sweep_id, account),
        )
        return {r["arn"]: (r["unique_id"], r["id"]) for r in rows}

    def doubtful(self, account: str) -> list[Doubtful]:
        """Reports of which a listing that has just been stored cannot tell that they are their entity's.

        Sweeps that ended before they had looked are among them: what was seen after their end is in no doubt.
        """
        rows = self._db.rows(
            "SELECT w.sweep_id, w.entity_id, w.report_id, EXISTS (SELECT 1 FROM entity n WHERE n.account = e.account "
            "AND n.arn = e.arn AND n.gone_at IS NULL) AS again "
            "FROM sweep_account a JOIN sweep_entity w ON w.sweep_id = a.sweep_id AND w.account = a.account "
            "JOIN entity e ON e.id = w.entity_id WHERE a.account = ? AND a.state <> 'done' AND w.state = 'done' "
            "AND e.gone_at IS NOT NULL AND (a.ended_at IS NULL OR e.seen_at <= a.ended_at) "
            f"AND w.report_id NOT IN ({_OF_ONE_THAT_WAS_SEEN}) AND {_FIRST}",
            (account,),
        )
        return [Doubtful(r["sweep_id"], r["entity_id"], r["report_id"], bool(r["again"])) for r in rows]

    def take_back(self, account: str, found: Sequence[Doubtful], failure: Failure) -> None:
        """Drop these reports: nobody can tell whose they are. The entity is gone, or named as not read."""
        for one in found:
            with self._db.transaction():
                state = Part.FAILED if one.again else Part.GONE
                self._db.run(
                    "UPDATE sweep_entity SET state = ?, report_id = NULL, failure = ? "
                    "WHERE sweep_id = ? AND account = ? AND entity_id = ?",
                    (
                        state.value,
                        dump_failure(failure) if one.again else None,
                        one.sweep_id,
                        account,
                        one.entity_id,
                    ),
                )
                self._db.run(
                    f"UPDATE sweep_account SET done = done - 1, {state.value} = {state.value} + 1 "
                    "WHERE sweep_id = ? AND account = ?",
                    (one.sweep_id, account),
                )
                self._db.run("DELETE FROM score WHERE report_id = ?", (one.report_id,))
                self._db.run(  # the one before is the newest again
                    "UPDATE score SET newest = 1 WHERE report_id = "
                    "(SELECT report_id FROM score WHERE entity_id = ? ORDER BY at DESC LIMIT 1)",
                    (one.entity_id,),
                )
                self._db.run("DELETE FROM report WHERE id = ?", (one.report_id,))
