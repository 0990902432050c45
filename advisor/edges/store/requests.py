"""Requests, jobs and follow-ups: states move by compare-and-set, one row changed or the move is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from advisor.core.model import (
    Asked,
    Failure,
    Followup,
    FollowupKind,
    Granularity,
    Job,
    Request,
    RequestState,
)
from advisor.edges.store.connection import Connection
from advisor.edges.store.rows import dump_failure, followup_of, job_of, maybe_moment, request_of, stamp


class Requests:
    """Table request."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(
        self, user: str, channel: str, words: str, asked: Asked, now: datetime, entity_id: int | None = None
    ) -> int:
        """Commit an asking. `entity_id` where a form or a button named the very entity."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO request (user, channel, words, kind, name, account, granularity, days, fresh, state, "
                "created_at, next_at, entity_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?)",
                (
                    user,
                    channel,
                    words[:3000],
                    asked.kind.value if asked.kind else None,
                    asked.name,
                    asked.account,
                    asked.granularity.value,
                    asked.days,
                    asked.fresh,
                    stamp(now),
                    stamp(now),
                    entity_id,
                ),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0)

    def served(
        self, user: str, channel: str, words: str, asked: Asked, now: datetime, entity_id: int, report_id: int
    ) -> int:
        """Commit an asking that a stored report has answered already, without a card: a ticket rests on it."""
        with self._db.transaction():
            request_id = self.add(user, channel, words, asked, now, entity_id)
            self.serve(request_id, entity_id, report_id)
        return request_id

    def get(self, request_id: int) -> Request | None:
        """One request."""
        row = self._db.row("SELECT * FROM request WHERE id = ?", (request_id,))
        return request_of(row) if row else None

    def due(self, now: datetime) -> list[Request]:
        """Requests that wait to be admitted and resolved."""
        rows = self._db.rows(
            "SELECT * FROM request WHERE state = 'queued' AND job_id IS NULL AND next_at <= ? ORDER BY id LIMIT 200",
            (stamp(now),),
        )
        return [request_of(r) for r in rows]

    def of_job(self, job_id: int) -> list[Request]:
        """Live requests that wait for a job."""
        rows = self._db.rows(
            "SELECT * FROM request WHERE job_id = ? AND state IN ('queued', 'running') ORDER BY id", (job_id,)
        )
        return [request_of(r) for r in rows]

    def wait(self, request_id: int, until: datetime) -> None:
        """Look at a request again later: what it needs did not answer."""
        with self._db.transaction():
            self._db.run(
                "UPDATE request SET tries = tries + 1, next_at = ? WHERE id = ?", (stamp(until), request_id)
            )

    def attach(
        self, request_id: int, entity_id: int, job_id: int, state: RequestState, not_asked: Sequence[str] = ()
    ) -> bool:
        """Give a queued request its job."""
        with self._db.transaction():
            return self._moved(
                "UPDATE request SET entity_id = ?, job_id = ?, state = ?, not_asked = ?, failure = NULL, "
                "from_store = 0, revision = revision + 1 WHERE id = ? AND state = 'queued'",
                (entity_id, job_id, state.value, json.dumps(not_asked), request_id),
            )

    def serve(self, request_id: int, entity_id: int, report_id: int, not_asked: Sequence[str] = ()) -> bool:
        """Answer a queued request from a stored report."""
        with self._db.transaction():
            return self._moved(
                "UPDATE request SET entity_id = ?, report_id = ?, state = 'done', not_asked = ?, from_store = 1, "
                "failure = NULL, revision = revision + 1 WHERE id = ? AND state = 'queued'",
                (entity_id, report_id, json.dumps(not_asked), request_id),
            )

    def run(self, request_id: int) -> bool:
        """A queued request's job has begun at AWS."""
        with self._db.transaction():
            return self._moved(
                "UPDATE request SET state = 'running', revision = revision + 1 WHERE id = ? AND state = 'queued'",
                (request_id,),
            )

    def finish(self, request_id: int, report_id: int) -> bool:
        """A live request has its result."""
        with self._db.transaction():
            return self._moved(
                "UPDATE request SET state = 'done', report_id = ?, failure = NULL, revision = revision + 1 "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (report_id, request_id),
            )

    def fail(self, request_id: int, failure: Failure) -> bool:
        """A live request has none."""
        with self._db.transaction():
            return self._moved(
                "UPDATE request SET state = 'failed', failure = ?, revision = revision + 1 "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (dump_failure(failure), request_id),
            )

    def close(self, request_id: int, failure: Failure) -> bool:
        """End a request that never became an audit: refused, not found, asked back."""
        with self._db.transaction():
            return self._moved(
                "UPDATE request SET state = 'closed', failure = ? WHERE id = ? AND state = 'queued'",
                (dump_failure(failure), request_id),
            )

    def reopen(self, request_id: int, now: datetime) -> bool:
        """Ask again: a failed request is retried, a finished one refreshed, with the same card."""
        with self._db.transaction():
            moved = self._moved(
                "UPDATE request SET state = 'queued', job_id = NULL, fresh = 1, tries = 0, next_at = ?, "
                "created_at = ?, failure = NULL, revision = revision + 1 WHERE id = ? AND state IN ('done', 'failed')",
                (stamp(now), stamp(now), request_id),
            )
            self._db.wake(self._db.work)
        return moved

    def forget_entity(self, request_id: int) -> None:
        """Resolve the name anew: the entity that it meant is gone."""
        with self._db.transaction():
            self._db.run("UPDATE request SET entity_id = NULL WHERE id = ?", (request_id,))

    def set_card(self, request_id: int, notice_id: int) -> None:
        """Remember the outbox row of the card."""
        with self._db.transaction():
            self._db.run("UPDATE request SET card_id = ? WHERE id = ?", (notice_id, request_id))

    def ahead(self, request_id: int, account: str) -> int:
        """How many live requests of the same account were made before this one."""
        row = self._db.row(
            "SELECT count(*) AS n FROM job j JOIN request r ON r.job_id = j.id WHERE j.account = ? "
            "AND j.state = 'queued' AND r.state = 'queued' AND r.id < ?",
            (account, request_id),
        )
        return int(row["n"]) if row else 0

    def _moved(self, sql: str, values: Sequence[str | int | None]) -> bool:
        return self._db.run(sql, values).rowcount == 1


class Jobs:
    """Table job: one unfinished row per (entity, granularity)."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def join(
        self, entity_id: int, account: str, granularity: Granularity, now: datetime, deadline: datetime
    ) -> tuple[Job, bool]:
        """The unfinished job for this, or a new one; says whether it is new."""
        with self._db.transaction():
            row = self._db.row(
                "SELECT * FROM job WHERE entity_id = ? AND granularity = ? AND state IN ('queued', 'running')",
                (entity_id, granularity.value),
            )
            new = row is None
            if row is None:
                self._db.run(
                    "INSERT INTO job (entity_id, account, granularity, state, created_at, deadline_at, next_at) "
                    "VALUES (?, ?, ?, 'queued', ?, ?, ?)",
                    (entity_id, account, granularity.value, stamp(now), stamp(deadline), stamp(now)),
                )
                row = self._db.row("SELECT * FROM job WHERE id = last_insert_rowid()")
                self._db.wake(self._db.work)
        assert row is not None  # found or just written
        return job_of(row), new

    def get(self, job_id: int) -> Job | None:
        """One job."""
        row = self._db.row("SELECT * FROM job WHERE id = ?", (job_id,))
        return job_of(row) if row else None

    def due(self, now: datetime) -> list[Job]:
        """Unfinished jobs whose time has come."""
        rows = self._db.rows(
            "SELECT * FROM job WHERE state IN ('queued', 'running') AND next_at <= ? ORDER BY id LIMIT 500",
            (stamp(now),),
        )
        return [job_of(r) for r in rows]

    def next_at(self, now: datetime) -> datetime | None:
        """When the next unfinished job that is not due yet will be."""
        row = self._db.row(
            "SELECT min(next_at) AS at FROM job WHERE state IN ('queued', 'running') AND next_at > ?",
            (stamp(now),),
        )
        return maybe_moment(row["at"]) if row else None

    def last_readable(self, entity_id: int, session: str) -> Job | None:
        """The newest finished service-level job of an entity that this session may still read."""
        row = self._db.row(
            "SELECT * FROM job WHERE entity_id = ? AND granularity = ? AND state = 'done' AND session = ? "
            "ORDER BY id DESC LIMIT 1",
            (entity_id, Granularity.SERVICE.value, session),
        )
        return job_of(row) if row else None

    def started(self, job_id: int, session: str, aws_job_id: str, next_at: datetime) -> bool:
        """AWS has taken the job."""
        with self._db.transaction():
            return self._moved(
                "UPDATE job SET state = 'running', session = ?, aws_job_id = ?, starts = starts + 1, tries = 0, "
                "polls = 0, next_at = ? WHERE id = ? AND state = 'queued'",
                (session, aws_job_id, stamp(next_at), job_id),
            )

    def photographed(self, job_id: int, snapshot_id: int) -> None:
        """The entity's policies have been read."""
        with self._db.transaction():
            self._db.run("UPDATE job SET snapshot_id = ? WHERE id = ?", (snapshot_id, job_id))

    def polled(self, job_id: int, next_at: datetime) -> None:
        """AWS says IN_PROGRESS."""
        with self._db.transaction():
            self._db.run(
                "UPDATE job SET polls = polls + 1, tries = 0, next_at = ? WHERE id = ?",
                (stamp(next_at), job_id),
            )

    def again(self, job_id: int, next_at: datetime) -> None:
        """Nothing came back that can be used; try the same step later."""
        with self._db.transaction():
            self._db.run(
                "UPDATE job SET tries = tries + 1, next_at = ? WHERE id = ?", (stamp(next_at), job_id)
            )

    def restart(self, job_id: int, next_at: datetime) -> None:
        """The session that made the report is gone: ask for a new one."""
        with self._db.transaction():
            self._db.run(
                "UPDATE job SET state = 'queued', aws_job_id = '', next_at = ? WHERE id = ? AND state = 'running'",
                (stamp(next_at), job_id),
            )

    def finish(self, job_id: int, report_id: int) -> bool:
        """The report is stored."""
        with self._db.transaction():
            return self._moved(
                "UPDATE job SET state = 'done', report_id = ? WHERE id = ? AND state = 'running'",
                (report_id, job_id),
            )

    def fail(self, job_id: int, failure: Failure) -> bool:
        """There will be no report of this job."""
        with self._db.transaction():
            return self._moved(
                "UPDATE job SET state = 'failed', failure = ? WHERE id = ? AND state IN ('queued', 'running')",
                (dump_failure(failure), job_id),
            )

    def _moved(self, sql: str, values: Sequence[str | int | None]) -> bool:
        return self._db.run(sql, values).rowcount == 1


class Followups:
    """Table followup."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(
        self,
        request_id: int,
        kind: FollowupKind,
        user: str,
        now: datetime,
        deadline: datetime,
        *,
        report_id: int | None,
        service: str = "",
    ) -> int:
        """Commit a pressed button."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO followup (request_id, kind, user, state, created_at, deadline_at, next_at, report_id, "
                "service) VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?)",
                (request_id, kind.value, user, stamp(now), stamp(deadline), stamp(now), report_id, service),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0)

    def get(self, followup_id: int) -> Followup | None:
        """One follow-up."""
        row = self._db.row("SELECT * FROM followup WHERE id = ?", (followup_id,))
        return followup_of(row) if row else None

    def due(self, now: datetime) -> list[Followup]:
        """Follow-ups whose time has come."""
        rows = self._db.rows(
            "SELECT * FROM followup WHERE state = 'queued' AND next_at <= ? ORDER BY id LIMIT 200",
            (stamp(now),),
        )
        return [followup_of(r) for r in rows]

    def of_job(self, job_id: int) -> list[Followup]:
        """Follow-ups that wait for a job."""
        rows = self._db.rows(
            "SELECT * FROM followup WHERE job_id = ? AND state = 'running' ORDER BY id", (job_id,)
        )
        return [followup_of(r) for r in rows]

    def await_job(self, followup_id: int, job_id: int) -> None:
        """Wait for a report that is being made."""
        with self._db.transaction():
            self._db.run(
                "UPDATE followup SET state = 'running', job_id = ? WHERE id = ? AND state = 'queued'",
                (job_id, followup_id),
            )

    def resume(self, followup_id: int, report_id: int, now: datetime) -> None:
        """The report is there: go on with it."""
        with self._db.transaction():
            self._db.run(
                "UPDATE followup SET state = 'queued', report_id = ?, next_at = ? WHERE id = ? AND state = 'running'",
                (report_id, stamp(now), followup_id),
            )
            self._db.wake(self._db.work)

    def again(self, followup_id: int, next_at: datetime) -> None:
        """Try later."""
        with self._db.transaction():
            self._db.run(
                "UPDATE followup SET tries = tries + 1, next_at = ? WHERE id = ?",
                (stamp(next_at), followup_id),
            )

    def finish(self, followup_id: int, result: str = "") -> bool:
        """The answer is known; `result` is JSON where it is in no report."""
        with self._db.transaction():
            return (
                self._db.run(
                    "UPDATE followup SET state = 'done', result = ? WHERE id = ? AND state IN ('queued', 'running')",
                    (result, followup_id),
                ).rowcount
                == 1
            )

    def fail(self, followup_id: int, failure: Failure) -> bool:
        """There will be no answer."""
        with self._db.transaction():
            return (
                self._db.run(
                    "UPDATE followup SET state = 'failed', failure = ? WHERE id = ? AND state IN ('queued', 'running')",
                    (dump_failure(failure), followup_id),
                ).rowcount
                == 1
            )
