"""Sweeps, how far each is with every account, and with every entity in it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from advisor.core.estate import Part, Sweep, SweepState, SweptAccount
from advisor.core.findings import AccountFindings
from advisor.core.model import Account, Entity, Failure
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import (
    dump_failure,
    dump_findings,
    entity_of,
    failure_of,
    findings_of,
    maybe_moment,
    moment,
    stamp,
)

_LIVE = "('queued', 'running')"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one entity of a sweep."""

    entity_id: int
    state: Part
    report_id: int | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entity that nothing is known of yet in this sweep, with the snapshot that the listing made."""

    entity: Entity
    snapshot_id: int
    tries: int


class Sweeps:
    """Tables sweep, sweep_account and sweep_entity."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    # -- sweeps --------------------------------------------------------------------------------------------------

    def add(
        self,
        user: str,
        channel: str,
        asked: str,
        now: datetime,
        *,
        schedule_id: int = 0,
        silent: bool = False,
    ) -> int:
        """Commit an asking."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO sweep (user, channel, asked, state, created_at, next_at, schedule_id, silent) "
                "VALUES (?, ?, ?, 'queued', ?, ?, ?, ?)",
                (user, channel, asked, stamp(now), stamp(now), schedule_id, silent),
            )
            self._db.wake(self._db.work)
        return int(cursor.lastrowid or 0)

    def get(self, sweep_id: int) -> Sweep | None:
        """One sweep."""
        row = self._db.row("SELECT * FROM sweep WHERE id = ?", (sweep_id,))
        return sweep_of(row) if row else None

    def unfinished(self) -> list[Sweep]:
        """Sweeps that are queued or running, oldest first."""
        return [sweep_of(r) for r in self._db.rows(f"SELECT * FROM sweep WHERE state IN {_LIVE} ORDER BY id")]

    def unadmitted(self, now: datetime) -> list[Sweep]:
        """Sweeps of which nobody has asked yet who wants them and which accounts they mean."""
        rows = self._db.rows(
            "SELECT * FROM sweep WHERE state = 'queued' AND accounts = '[]' AND next_at <= ? ORDER BY id",
            (stamp(now),),
        )
        return [sweep_of(r) for r in rows]

    def wait(self, sweep_id: int, until: datetime) -> None:
        """Look at an unadmitted sweep again later."""
        with self._db.transaction():
            self._db.run(
                "UPDATE sweep SET tries = tries + 1, next_at = ? WHERE id = ?", (stamp(until), sweep_id)
            )

    def admit(self, sweep_id: int, accounts: Sequence[Account], now: datetime) -> bool:
        """Say which accounts a queued sweep covers: each becomes a part of it."""
        with self._db.transaction():
            moved = self._db.run(
                "UPDATE sweep SET accounts = ?, revision = revision + 1 WHERE id = ? AND state = 'queued' "
                "AND accounts = '[]'",
                (json.dumps([a.id for a in accounts]), sweep_id),
            )
            if moved.rowcount != 1:
                return False
            for account in accounts:
                self._db.run(
                    "INSERT INTO sweep_account (sweep_id, account, alias, state, next_at) "
                    "VALUES (?, ?, ?, 'queued', ?)",
                    (sweep_id, account.id, account.alias, stamp(now)),
                )
            self._db.wake(self._db.work)
        return True

    def run(self, sweep_id: int, now: datetime) -> bool:
        """The first account of a queued sweep has begun."""
        return self._move(
            "UPDATE sweep SET state = 'running', begun_at = ?, revision = revision + 1 "
            "WHERE id = ? AND state = 'queued'",
            (stamp(now), sweep_id),
        )

    def end(
        self, sweep_id: int, state: SweepState, now: datetime, *, by: str = "", failure: Failure | None = None
    ) -> bool:
        """A live sweep has ended; what was not read stays as it is, and is counted as not read."""
        with self._db.transaction():
            moved = self._move(
                "UPDATE sweep SET state = ?, ended_at = ?, by = ?, failure = ?, revision = revision + 1 "
                f"WHERE id = ? AND state IN {_LIVE}",
                (state.value, stamp(now), by, dump_failure(failure), sweep_id),
            )
            if moved:
                self._db.run(
                    "UPDATE sweep_account SET state = 'cancelled', ended_at = ? "
                    "WHERE sweep_id = ? AND state IN ('queued', 'running')",
                    (stamp(now), sweep_id),
                )
        return moved

    def want_stop(self, sweep_id: int, user: str) -> bool:
        """Somebody pressed Stop on a live sweep; the first press counts."""
        return self._move(
            f"UPDATE sweep SET stop_by = ? WHERE id = ? AND state IN {_LIVE} AND stop_by = ''",
            (user, sweep_id),
        )

    def go_on(self, sweep_id: int) -> None:
        """Whoever pressed Stop may not."""
        with self._db.transaction():
            self._db.run("UPDATE sweep SET stop_by = '' WHERE id = ?", (sweep_id,))

    def set_card(self, sweep_id: int, card_id: int) -> None:
        """Note where a sweep's card stands."""
        with self._db.transaction():
            self._db.run("UPDATE sweep SET card_id = ? WHERE id = ?", (card_id, sweep_id))

    def drawn(self, sweep_id: int, now: datetime) -> None:
        """Note when a redrawing was asked for last: progress is shown in steps."""
        with self._db.transaction():
            self._db.run("UPDATE sweep SET drawn_at = ? WHERE id = ?", (stamp(now), sweep_id))

    def last_done(self, account: str) -> datetime | None:
        """When an account was read to its end last."""
        row = self._db.row(
            "SELECT max(ended_at) AS at FROM sweep_account WHERE account = ? AND state = 'done'", (account,)
        )
        return maybe_moment(row["at"]) if row else None

    # -- accounts ------------------------------------------------------------------------------------------------

    def parts(self, sweep_id: int) -> list[SweptAccount]:
        """How far a sweep is with each of its accounts, in the order of its list."""
        rows = self._db.rows("SELECT * FROM sweep_account WHERE sweep_id = ?", (sweep_id,))
        found = {r["account"]: _part_of(r) for r in rows}
        sweep = self.get(sweep_id)
        return [found[a] for a in sweep.accounts if a in found] if sweep else []

    def part(self, sweep_id: int, account: str) -> SweptAccount | None:
        """How far a sweep is with one account."""
        row = self._db.row(
            "SELECT * FROM sweep_account WHERE sweep_id = ? AND account = ?", (sweep_id, account)
        )
        return _part_of(row) if row else None

    def busy(self) -> dict[str, int]:
        """Accounts that are being read, each with the sweep that does it: one sweep at a time reads an account."""
        rows = self._db.rows(
            "SELECT a.account, min(a.sweep_id) AS sweep_id FROM sweep_account a JOIN sweep s ON s.id = a.sweep_id "
            f"WHERE s.state IN {_LIVE} AND (a.state = 'running' OR a.begun_at IS NOT NULL AND a.state = 'queued') "
            "GROUP BY a.account"
        )
        return {r["account"]: r["sweep_id"] for r in rows}

    def begin(self, sweep_id: int, account: str, now: datetime) -> None:
        """An account's turn has come: who is in it is being read."""
        with self._db.transaction():
            self._db.run(
                "UPDATE sweep_account SET begun_at = coalesce(begun_at, ?) WHERE sweep_id = ? AND account = ?",
                (stamp(now), sweep_id, account),
            )

    def expect(self, sweep_id: int, account: str, found: Iterable[tuple[int, int]]) -> None:
        """Who is in an account, as (entity, snapshot); the account counts as running once all are written."""
        rows = list(found)
        self._db.bulk(
            "INSERT OR IGNORE INTO sweep_entity (sweep_id, account, entity_id, snapshot_id) VALUES (?, ?, ?, ?)",
            ((sweep_id, account, entity, snapshot) for entity, snapshot in rows),
        )
        with self._db.transaction():
            self._db.run(
                "UPDATE sweep_account SET state = 'running', tries = 0, total = (SELECT count(*) FROM sweep_entity e "
                "WHERE e.sweep_id = ? AND e.account = ?) WHERE sweep_id = ? AND account = ? AND state = 'queued'",
                (sweep_id, account, sweep_id, account),
            )

    def part_later(self, sweep_id: int, account: str, until: datetime) -> None:
        """An account did not answer: look again later."""
        with self._db.transaction():
            self._db.run(
                "UPDATE sweep_account SET tries = tries + 1, next_at = ? WHERE sweep_id = ? AND account = ?",
                (stamp(until), sweep_id, account),
            )
            self._db.wake(self._db.work)

    def next_at(self, now: datetime) -> datetime | None:
        """When the next account that did not answer is asked again."""
        row = self._db.row(
            f"SELECT min(a.next_at) AS at FROM sweep s JOIN sweep_account a ON a.sweep_id = s.id WHERE s.state IN {_LIVE} "
            "AND a.state IN ('queued', 'running') AND a.tries > 0 AND a.next_at > ?",
            (stamp(now),),
        )
        return maybe_moment(row["at"]) if row else None

    def end_part(self, sweep_id: int, account: str, now: datetime, failure: Failure | None = None) -> bool:
        """An account has been read to its end, or cannot be read at all."""
        return self._move(
            "UPDATE sweep_account SET state = ?, ended_at = ?, failure = ? WHERE sweep_id = ? AND account = ? "
            "AND state IN ('queued', 'running')",
            ("failed" if failure else "done", stamp(now), dump_failure(failure), sweep_id, account),
        )

    def note(self, sweep_id: int, account: str, facts: AccountFindings) -> None:
        """Keep what was found in an account beside the reports."""
        with self._db.transaction():
            self._db.run(
                "UPDATE sweep_account SET facts = ? WHERE sweep_id = ? AND account = ?",
                (dump_findings(facts), sweep_id, account),
            )

    # -- entities ------------------------------------------------------------------------------------------------

    def waiting(self, sweep_id: int, account: str, limit: int) -> list[Waiting]:
        """Entities that nothing is known of yet, those never tried first."""
        rows = self._db.rows(
            "SELECT n.*, e.snapshot_id, e.tries FROM sweep_entity e JOIN entity n ON n.id = e.entity_id "
            "WHERE e.sweep_id = ? AND e.account = ? AND e.state = 'queued' ORDER BY e.tries, e.entity_id LIMIT ?",
            (sweep_id, account, limit),
        )
        return [Waiting(entity_of(r), r["snapshot_id"], r["tries"]) for r in rows]

    def settle(self, sweep_id: int, account: str, found: Sequence[Settled]) -> None:
        """Note what became of entities, and count them. One already settled stays as it is; nothing is no progress."""
        if not found:
            return
        with self._db.transaction():
            counts = dict.fromkeys((Part.DONE, Part.FAILED, Part.GONE), 0)
            for one in found:
                moved = self._db.run(
                    "UPDATE sweep_entity SET state = ?, report_id = ?, failure = ? "
                    "WHERE sweep_id = ? AND account = ? AND entity_id = ? AND state = 'queued'",
                    (
                        one.state.value,
                        one.report_id,
                        dump_failure(one.failure),
                        sweep_id,
                        account,
                        one.entity_id,
                    ),
                )
                counts[one.state] += moved.rowcount
            self._db.run(
                "UPDATE sweep_account SET done = done + ?, failed = failed + ?, gone = gone + ?, "
                "tries = CASE WHEN ? > 0 THEN 0 ELSE tries END WHERE sweep_id = ? AND account = ?",
                (*counts.values(), sum(counts.values()), sweep_id, account),
            )

    def paced(self, sweep_id: int, account: str, rate: float, box: float) -> None:
        """Remember the rate that a batch reached, and how long it had: the next one begins there."""
        with self._db.transaction():
            self._db.run(
                "UPDATE sweep_account SET rate = ?, box = ? WHERE sweep_id = ? AND account = ?",
                (rate, box, sweep_id, account),
            )

    def begin_anew(self) -> None:
        """The bot has just started: batches begin very short again, since what a stopped one had read is lost."""
        with self._db.transaction():
            self._db.run("UPDATE sweep_account SET box = -1 WHERE state = 'running'")

    def tried(self, sweep_id: int, account: str, entity_ids: Collection[int]) -> None:
        """Count a try of entities that a batch could not finish."""
        with self._db.transaction():
            for entity_id in entity_ids:
                self._db.run(
                    "UPDATE sweep_entity SET tries = tries + 1 WHERE sweep_id = ? AND account = ? AND entity_id = ?",
                    (sweep_id, account, entity_id),
                )

    def failures(self, sweep_id: int, limit: int = 1000) -> list[tuple[Entity, Failure]]:
        """Entities that could not be read, and why."""
        rows = self._db.rows(
            "SELECT n.*, e.failure FROM sweep_entity e JOIN entity n ON n.id = e.entity_id "
            "WHERE e.sweep_id = ? AND e.state = 'failed' ORDER BY n.account, n.arn LIMIT ?",
            (sweep_id, limit),
        )
        return [(entity_of(r), failure_of(r["failure"]) or Failure("unknown")) for r in rows]

    def observed(self, sweep_id: int, account: str) -> list[tuple[int, int | None]]:
        """The snapshot, and the report where there is one, of every entity of an account that is not gone."""
        rows = self._db.rows(
            "SELECT snapshot_id, report_id FROM sweep_entity WHERE sweep_id = ? AND account = ? AND state <> 'gone' "
            "ORDER BY entity_id",
            (sweep_id, account),
        )
        return [(r["snapshot_id"], r["report_id"]) for r in rows]

    def findings(self, sweep_id: int) -> list[AccountFindings]:
        """What was found beside the reports, account by account."""
        rows = self._db.rows(
            "SELECT facts FROM sweep_account WHERE sweep_id = ? AND facts <> '' ORDER BY account", (sweep_id,)
        )
        return [findings_of(r["facts"]) for r in rows]

    def reports(self, sweep_id: int, account: str) -> list[tuple[Entity, int, int]]:
        """Entities that were read, each with its report and snapshot, by name."""
        rows = self._db.rows(
            "SELECT n.*, e.report_id, e.snapshot_id FROM sweep_entity e JOIN entity n ON n.id = e.entity_id "
            "WHERE e.sweep_id = ? AND e.account = ? AND e.state = 'done' ORDER BY n.kind, n.name",
            (sweep_id, account),
        )
        return [(entity_of(r), r["report_id"], r["snapshot_id"]) for r in rows]

    def forget(self, before: datetime) -> None:
        """Drop the entity rows of sweeps that ended before this: their totals stand in the accounts' rows."""
        old = self._db.rows(
            "SELECT id FROM sweep s WHERE ended_at < ? "
            "AND EXISTS (SELECT 1 FROM sweep_entity e WHERE e.sweep_id = s.id) LIMIT 5",
            (stamp(before),),
        )
        for sweep in old:
            rows = self._db.rows(
                "SELECT sweep_id, account, entity_id FROM sweep_entity WHERE sweep_id = ?", (sweep["id"],)
            )
            self._db.bulk(
                "DELETE FROM sweep_entity WHERE sweep_id = ? AND account = ? AND entity_id = ?",
                (tuple(r) for r in rows),
            )

    def _move(self, sql: str, values: Sequence[str | int | float | None]) -> bool:
        with self._db.transaction():
            moved = self._db.run(sql, values).rowcount == 1
            if moved:
                self._db.wake(self._db.work)
        return moved


def sweep_of(row: Row) -> Sweep:
    """A row of `sweep`."""
    return Sweep(
        id=row["id"],
        user=row["user"],
        channel=row["channel"],
        asked=row["asked"],
        state=SweepState(row["state"]),
        created_at=moment(row["created_at"]),
        accounts=tuple(json.loads(row["accounts"])),
        schedule_id=row["schedule_id"],
        silent=bool(row["silent"]),
        begun_at=maybe_moment(row["begun_at"]),
        ended_at=maybe_moment(row["ended_at"]),
        card_id=row["card_id"],
        drawn_at=maybe_moment(row["drawn_at"]),
        revision=row["revision"],
        stop_by=row["stop_by"],
        by=row["by"],
        tries=row["tries"],
        failure=failure_of(row["failure"]),
    )


def _part_of(row: Row) -> SweptAccount:
    return SweptAccount(
        sweep_id=row["sweep_id"],
        account=row["account"],
        alias=row["alias"],
        state=Part(row["state"]),
        total=row["total"],
        done=row["done"],
        failed=row["failed"],
        gone=row["gone"],
        tries=row["tries"],
        rate=row["rate"],
        box=row["box"],
        begun_at=maybe_moment(row["begun_at"]),
        ended_at=maybe_moment(row["ended_at"]),
        next_at=maybe_moment(row["next_at"]),
        failure=failure_of(row["failure"]),
    )
