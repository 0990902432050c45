"""The journal of writes: every step is here before AWS is called, and none is ever deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from advisor.core.model import Failure
from advisor.core.removal import Entry, Step, StepState
from advisor.edges.store.connection import Connection
from advisor.edges.store.rows import dump_failure, dump_step, entry_of, stamp


class Steps:
    """Table step."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def plan(self, ticket_id: int, run: int, steps: Iterable[Step], *, back: bool) -> None:
        """Write down a run: every step in its order, none begun."""
        with self._db.transaction():
            for place, step in enumerate(steps, 1):
                self._db.run(
                    "INSERT INTO step (ticket_id, run, place, back, step) VALUES (?, ?, ?, ?, ?)",
                    (ticket_id, run, place, back, dump_step(step)),
                )

    def of(self, ticket_id: int, run: int | None = None) -> tuple[Entry, ...]:
        """The journal of a ticket, in order; of one run where one is given."""
        rows = self._db.rows(
            "SELECT * FROM step WHERE ticket_id = ? AND (? IS NULL OR run = ?) ORDER BY run, place",
            (ticket_id, run, run),
        )
        return tuple(entry_of(r) for r in rows)

    def begin(self, entry_id: int, now: datetime) -> None:
        """AWS is about to be called."""
        with self._db.transaction():
            self._db.run(
                "UPDATE step SET state = 'begun', begun_at = ?, failure = NULL WHERE id = ? AND state = 'planned'",
                (stamp(now), entry_id),
            )

    def answered(self, entry_id: int, request_id: str) -> None:
        """AWS took the write; it is not read back yet."""
        with self._db.transaction():
            self._db.run("UPDATE step SET request_id = ? WHERE id = ?", (request_id, entry_id))

    def settle(
        self,
        entry_id: int,
        state: StepState,
        now: datetime,
        *,
        made: str = "",
        failure: Failure | None = None,
    ) -> None:
        """What is known now."""
        with self._db.transaction():
            self._db.run(
                "UPDATE step SET state = ?, settled_at = ?, made = ?, failure = ? WHERE id = ? AND state <> 'done'",
                (state.value, stamp(now), made, dump_failure(failure), entry_id),
            )

    def again(self, entry_id: int, failure: Failure | None = None) -> None:
        """It did not take place: it may be made again."""
        with self._db.transaction():
            self._db.run(
                "UPDATE step SET state = 'planned', tries = tries + 1, failure = ? WHERE id = ? AND state <> 'done'",
                (dump_failure(failure), entry_id),
            )
