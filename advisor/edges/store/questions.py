"""Questions: what somebody asked about an organisation, an account or a past, and what was found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from advisor.core.estate import Question, QuestionKind, SweepState
from advisor.core.model import Failure
from advisor.edges.store.connection import Connection, Row, Value
from advisor.edges.store.rows import dump_failure, failure_of, maybe_moment, moment, stamp


class Questions:
    """Table question: states move by compare-and-set, one row changed or the move is lost."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(
        self,
        kind: QuestionKind,
        user: str,
        channel: str,
        words: dict[str, str],
        now: datetime,
        deadline: datetime,
    ) -> int:
        """Commit an asking."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO question (kind, user, channel, words, state, created_at, next_at, deadline_at) "
                "VALUES (?, ?, ?, ?, 'queued', ?, ?, ?)",
                (
                    kind.value,
                    user,
                    channel,
                    json.dumps(words, ensure_ascii=False),
                    stamp(now),
                    stamp(now),
                    stamp(deadline),
                ),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0)

    def get(self, question_id: int) -> Question | None:
        """One question."""
        row = self._db.row("SELECT * FROM question WHERE id = ?", (question_id,))
        return _question(row) if row else None

    def due(self, now: datetime) -> list[Question]:
        """Questions whose time has come."""
        rows = self._db.rows(
            "SELECT * FROM question WHERE state IN ('queued', 'running') AND next_at <= ? ORDER BY id LIMIT 200",
            (stamp(now),),
        )
        return [_question(r) for r in rows]

    def next_at(self, now: datetime) -> datetime | None:
        """When the next of them that is not due yet will be."""
        row = self._db.row(
            "SELECT min(next_at) AS at FROM question WHERE state IN ('queued', 'running') AND next_at > ?",
            (stamp(now),),
        )
        return maybe_moment(row["at"]) if row else None

    def begin(self, question_id: int) -> bool:
        """A queued question is being answered."""
        return self._moved(
            "UPDATE question SET state = 'running', tries = 0, revision = revision + 1 "
            "WHERE id = ? AND state = 'queued'",
            (question_id,),
        )

    def wait(self, question_id: int, notes: dict[str, str], next_at: datetime) -> None:
        """Look again later, knowing this."""
        self._moved(
            "UPDATE question SET result = ?, tries = 0, next_at = ? WHERE id = ? AND state = 'running'",
            (json.dumps(notes, ensure_ascii=False), stamp(next_at), question_id),
        )

    def again(self, question_id: int, next_at: datetime) -> None:
        """Nothing came back that can be used; try the same step later."""
        self._moved(
            "UPDATE question SET tries = tries + 1, next_at = ? WHERE id = ?", (stamp(next_at), question_id)
        )

    def finish(self, question_id: int, result: str, state: SweepState = SweepState.DONE) -> bool:
        """The answer is known, whole or in part."""
        return self._moved(
            "UPDATE question SET state = ?, result = ?, revision = revision + 1 "
            "WHERE id = ? AND state IN ('queued', 'running')",
            (state.value, result, question_id),
        )

    def fail(self, question_id: int, failure: Failure) -> bool:
        """There will be no answer."""
        return self._moved(
            "UPDATE question SET state = 'failed', failure = ?, result = '', revision = revision + 1 "
            "WHERE id = ? AND state IN ('queued', 'running')",
            (dump_failure(failure), question_id),
        )

    def reopen(self, question_id: int, now: datetime, deadline: datetime) -> bool:
        """Ask a failed question again; it keeps its card."""
        with self._db.transaction():
            moved = self._moved(
                "UPDATE question SET state = 'queued', tries = 0, next_at = ?, deadline_at = ?, failure = NULL, "
                "revision = revision + 1 WHERE id = ? AND state = 'failed'",
                (stamp(now), stamp(deadline), question_id),
            )
            self._db.wake(self._db.work)
        return moved

    def set_card(self, question_id: int, notice_id: int) -> None:
        """Remember the outbox row of the card."""
        self._moved("UPDATE question SET card_id = ? WHERE id = ?", (notice_id, question_id))

    def _moved(self, sql: str, values: Sequence[Value]) -> bool:
        with self._db.transaction():
            return self._db.run(sql, values).rowcount == 1


def _question(row: Row) -> Question:
    return Question(
        id=row["id"],
        kind=QuestionKind(row["kind"]),
        user=row["user"],
        channel=row["channel"],
        words=row["words"],
        state=SweepState(row["state"]),
        created_at=moment(row["created_at"]),
        next_at=moment(row["next_at"]),
        deadline_at=moment(row["deadline_at"]),
        card_id=row["card_id"],
        revision=row["revision"],
        tries=row["tries"],
        result=row["result"],
        failure=failure_of(row["failure"]),
    )
