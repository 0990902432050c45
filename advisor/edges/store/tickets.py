"""Tickets and their approvals. A state moves by compare-and-set along the transition table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from advisor.core.lifecycle import Event, move
from advisor.core.model import Failure
from advisor.core.removal import Approval, Moved, Plan, Ticket, TicketState
from advisor.edges.store.connection import Connection, Value
from advisor.edges.store.rows import (
    dump_failure,
    dump_moved,
    dump_plan,
    maybe_stamp,
    moment,
    stamp,
    ticket_of,
)

_UNFINISHED = "('draft', 'open', 'approved', 'applying', 'held', 'rolling_back', 'needs_human')"


class Tickets:
    """Tables ticket and approval."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def draft(
        self,
        *,
        entity_id: int,
        request_id: int,
        report_id: int,
        requesters: Sequence[str],
        channel: str,
        reason: str,
        keys: Sequence[str],
        days: int,
        owner: str,
        now: datetime,
        expires_at: datetime,
    ) -> int:
        """Commit what a form asked for; a worker plans it."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO ticket (entity_id, request_id, report_id, state, requesters, channel, reason, keys, days, "
                "owner, created_at, changed_at, expires_at, next_at, seen_report) "
                "VALUES (?, ?, ?, 'draft', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entity_id,
                    request_id,
                    report_id,
                    json.dumps(list(requesters)),
                    channel,
                    reason,
                    json.dumps(list(keys)),
                    days,
                    owner,
                    stamp(now),
                    stamp(now),
                    stamp(expires_at),
                    stamp(now),
                    report_id,
                ),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0)

    def get(self, ticket_id: int) -> Ticket | None:
        """One ticket."""
        row = self._db.row("SELECT * FROM ticket WHERE id = ?", (ticket_id,))
        return ticket_of(row) if row else None

    def of_entity(self, entity_id: int, *states: TicketState) -> list[Ticket]:
        """The tickets of an entity in these states, oldest first."""
        marks = ", ".join("?" * len(states))
        rows = self._db.rows(
            f"SELECT * FROM ticket WHERE entity_id = ? AND state IN ({marks}) ORDER BY id",
            (entity_id, *(s.value for s in states)),
        )
        return [ticket_of(r) for r in rows]

    def in_state(self, state: TicketState) -> list[Ticket]:
        """Every ticket in one state, oldest first."""
        rows = self._db.rows("SELECT * FROM ticket WHERE state = ? ORDER BY id", (state.value,))
        return [ticket_of(r) for r in rows]

    def listed(self, *, user: str = "", entity_id: int = 0) -> list[Ticket]:
        """Unfinished tickets, newest first; those of a person or of an entity where one is given, finished ones too."""
        where = f"state IN {_UNFINISHED} AND state <> 'draft'"
        values: list[Value] = []
        if entity_id:
            where, values = "entity_id = ? AND state NOT IN ('draft', 'void')", [entity_id]
        elif user:
            where = "EXISTS (SELECT 1 FROM json_each(requesters) WHERE value = ?) AND state NOT IN ('draft', 'void')"
            values = [user]
        rows = self._db.rows(f"SELECT * FROM ticket WHERE {where} ORDER BY id DESC", values)
        return [ticket_of(r) for r in rows]

    def due(self, now: datetime) -> list[Ticket]:
        """Tickets that a worker has something to do for: to plan, to check, to write."""
        rows = self._db.rows(
            "SELECT t.* FROM ticket t LEFT JOIN job j ON j.id = t.job_id "
            "WHERE t.state IN ('draft', 'approved', 'applying', 'held', 'rolling_back') AND t.next_at <= ? "
            "AND (t.state NOT IN ('approved', 'held') OR j.id IS NULL OR j.state IN ('done', 'failed')) "
            "ORDER BY t.id LIMIT 100",
            (stamp(now),),
        )
        return [ticket_of(r) for r in rows]

    def next_at(self, now: datetime) -> datetime | None:
        """When the next of them that is not due yet will be."""
        row = self._db.row(
            "SELECT min(next_at) AS at FROM ticket "
            "WHERE state IN ('draft', 'approved', 'applying', 'held', 'rolling_back') AND next_at > ?",
            (stamp(now),),
        )
        return moment(row["at"]) if row and row["at"] else None

    def overdue(self, now: datetime) -> list[Ticket]:
        """Open tickets whose time is over."""
        rows = self._db.rows(
            "SELECT * FROM ticket WHERE state = 'open' AND expires_at <= ? ORDER BY id", (stamp(now),)
        )
        return [ticket_of(r) for r in rows]

    def move(
        self,
        ticket_id: int,
        was: TicketState,
        event: Event,
        now: datetime,
        *,
        by: str = "",
        words: str = "",
        failure: Failure | None = None,
        moved: Sequence[Moved] = (),
        other_id: int | None = None,
        next_at: datetime | None = None,
    ) -> TicketState | None:
        """One transition, if the ticket is still in the state that it was seen in; the new state, or None.

        `next_at` is when a worker looks at it again; None parks it until somebody presses something.
        """
        to = move(was, event)
        if to is None:
            return None
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE ticket SET state = ?, changed_at = ?, by = ?, words = ?, failure = ?, moved = ?, other_id = ?, "
                "next_at = ?, tries = 0, revision = revision + 1 WHERE id = ? AND state = ?",
                (
                    to[0].value,
                    stamp(now),
                    by,
                    words,
                    dump_failure(failure),
                    dump_moved(moved),
                    other_id,
                    maybe_stamp(next_at),
                    ticket_id,
                    was.value,
                ),
            )
            if next_at is not None:
                self._db.wake(self._db.work)
        return to[0] if changed.rowcount == 1 else None

    def planned(self, ticket_id: int, plan: Plan, *, advice: bool) -> None:
        """Keep the plan of a draft, before it is opened."""
        with self._db.transaction():
            self._db.run(
                "UPDATE ticket SET plan = ?, fingerprint = ?, advice = ? WHERE id = ? AND state = 'draft'",
                (dump_plan(plan), plan.fingerprint, advice, ticket_id),
            )

    def later(self, ticket_id: int, at: datetime | None, failure: Failure | None = None) -> None:
        """Look at it again then (None: when somebody says so); why, where something failed."""
        with self._db.transaction():
            self._db.run(
                "UPDATE ticket SET next_at = ?, tries = tries + 1, failure = ?, revision = revision + 1 WHERE id = ?",
                (maybe_stamp(at), dump_failure(failure), ticket_id),
            )
            self._db.wake(self._db.work)

    def set_card(self, ticket_id: int, notice_id: int) -> None:
        """Remember the outbox row of the card."""
        with self._db.transaction():
            self._db.run("UPDATE ticket SET card_id = ? WHERE id = ?", (notice_id, ticket_id))

    def set_owner(self, ticket_id: int, owner: str) -> None:
        """The owner of its entity."""
        with self._db.transaction():
            self._db.run("UPDATE ticket SET owner = ? WHERE id = ? AND state = 'draft'", (owner, ticket_id))

    def set_job(self, ticket_id: int, job_id: int | None) -> None:
        """The report that is made before the first write."""
        with self._db.transaction():
            self._db.run("UPDATE ticket SET job_id = ? WHERE id = ?", (job_id, ticket_id))

    def set_run(self, ticket_id: int, wanted: Sequence[str] = ()) -> None:
        """Begin a new run of the journal; of a way back, what it is to give back."""
        with self._db.transaction():
            self._db.run(
                "UPDATE ticket SET run = run + 1, wanted = ? WHERE id = ?",
                (json.dumps(list(wanted)), ticket_id),
            )

    def wait(self, ticket_id: int, at: datetime) -> None:
        """Look at it again then; nothing failed."""
        with self._db.transaction():
            self._db.run("UPDATE ticket SET next_at = ? WHERE id = ?", (stamp(at), ticket_id))

    def unseen_advice(self) -> list[tuple[Ticket, int]]:
        """Open advice whose entity has a newer report than was looked at, with that report."""
        rows = self._db.rows(
            "SELECT t.*, (SELECT max(r.id) FROM report r WHERE r.entity_id = t.entity_id AND r.complete = 1) AS newest "
            "FROM ticket t WHERE t.state = 'open' AND t.advice = 1"
        )
        return [
            (ticket_of(r), int(r["newest"])) for r in rows if r["newest"] and r["newest"] > r["seen_report"]
        ]

    def seen(self, ticket_id: int, report_id: int) -> None:
        """This report has been looked at."""
        with self._db.transaction():
            self._db.run("UPDATE ticket SET seen_report = ? WHERE id = ?", (report_id, ticket_id))

    def changed_since(self, entity_id: int, at: datetime) -> bool:
        """Whether a ticket wrote to this entity since then: an older report tells of what is not there any more."""
        row = self._db.row(
            "SELECT 1 FROM step s JOIN ticket t ON t.id = s.ticket_id WHERE t.entity_id = ? "
            "AND coalesce(s.settled_at, s.begun_at) >= ? LIMIT 1",
            (entity_id, stamp(at)),
        )
        return row is not None

    def give(self, ticket_id: int, services: Sequence[str]) -> None:
        """Note what was given back, beside what was before."""
        with self._db.transaction():
            self._db.run(
                "UPDATE ticket SET given = ? WHERE id = ?", (json.dumps(sorted(services)), ticket_id)
            )

    def approve(self, ticket_id: int, user: str, fingerprint: str, now: datetime) -> bool:
        """One person's yes, once; only while the ticket is open and has this very plan."""
        with self._db.transaction():
            changed = self._db.run(
                "INSERT OR IGNORE INTO approval (ticket_id, user, at, fingerprint) SELECT id, ?, ?, fingerprint "
                "FROM ticket WHERE id = ? AND state = 'open' AND fingerprint = ?",
                (user, stamp(now), ticket_id, fingerprint),
            )
            self._db.run("UPDATE ticket SET revision = revision + 1 WHERE id = ?", (ticket_id,))
        return changed.rowcount == 1

    def replaces(self, ticket_id: int) -> bool:
        """Whether another ticket was closed in favour of this one."""
        return self._db.row("SELECT 1 FROM ticket WHERE other_id = ? LIMIT 1", (ticket_id,)) is not None

    def orphan(self, other_id: int, failure: Failure) -> list[Ticket]:
        """The tickets that were closed in favour of one that came to nothing, and why it did: they name it no more."""
        with self._db.transaction():
            rows = self._db.rows("SELECT * FROM ticket WHERE other_id = ?", (other_id,))
            self._db.run(
                "UPDATE ticket SET other_id = NULL, failure = ?, revision = revision + 1 WHERE other_id = ?",
                (dump_failure(failure), other_id),
            )
        return [ticket_of(r) for r in rows]

    def withdraw(self, ticket_id: int, user: str) -> None:
        """One person's yes does not count any more."""
        with self._db.transaction():
            self._db.run("DELETE FROM approval WHERE ticket_id = ? AND user = ?", (ticket_id, user))

    def approvals(self, ticket_id: int) -> tuple[Approval, ...]:
        """Everybody's yes, in order."""
        rows = self._db.rows("SELECT * FROM approval WHERE ticket_id = ? ORDER BY at, user", (ticket_id,))
        return tuple(Approval(r["ticket_id"], r["user"], moment(r["at"]), r["fingerprint"]) for r in rows)

    def at_work(self, account: str) -> list[int]:
        """The tickets of an account that are being carried out or rolled back, oldest first."""
        rows = self._db.rows(
            "SELECT t.id FROM ticket t JOIN entity e ON e.id = t.entity_id "
            "WHERE e.account = ? AND t.state IN ('applying', 'rolling_back') ORDER BY t.changed_at, t.id",
            (account,),
        )
        return [int(r["id"]) for r in rows]

    def touching(self, arn_or_name: str, entity_id: int | None, after_id: int) -> list[Ticket]:
        """Later tickets whose change of the same document still stands.

        A managed policy is one document for every entity that has it; an inline one belongs to its entity.
        """
        where = "" if entity_id is None else " AND entity_id = ?"
        values: tuple[Value, ...] = (after_id,) if entity_id is None else (after_id, entity_id)
        rows = self._db.rows(
            "SELECT * FROM ticket WHERE id > ? AND state IN ('applying', 'held', 'applied', 'rolling_back', 'needs_human')"
            f"{where} ORDER BY id DESC",
            values,
        )
        found = [ticket_of(r) for r in rows]
        return [
            t
            for t in found
            if t.plan and any(arn_or_name in {s.arn, s.name if not s.arn else ""} for s in t.plan.steps)
        ]
