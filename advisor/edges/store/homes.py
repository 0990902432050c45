"""Whose App Home is drawn when, and what stands in it. Reads say how many there are and give the first few.

What a list holds is counted in indexes; plans, which can be megabytes, are read only of the tickets that are shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from advisor.core.estate import Part, Schedule, SweepState
from advisor.core.home import (
    SHOWN,
    AuditLine,
    Counts,
    Few,
    KeepLine,
    OwnedLine,
    Place,
    SweepLine,
    SweptLine,
    TicketLine,
)
from advisor.core.model import Entity, RequestState
from advisor.core.removal import TicketState
from advisor.edges.store.connection import Connection, Row, Value
from advisor.edges.store.rows import (
    entity_of,
    failure_of,
    keep_of,
    maybe_moment,
    moment,
    request_of,
    stamp,
)
from advisor.edges.store.schedules import schedule_of

APART = timedelta(seconds=5)
"""A person's home is published at most this often."""

SPREAD = timedelta(seconds=0.7)
"""Between the homes of several people: 86 a minute. views.publish is of Slack's tier 4, 100 and more a minute."""

AT_ONCE = 10
"""As many homes are drawn without waiting for each other: so a minute has 96 of them at most."""

REMEMBERED = timedelta(days=30)
"""Whoever has not looked for so long gets a fresh home when they look, and not before."""

_TICKET = """
SELECT e.*, t.id AS ticket_id, t.state, t.changed_at, t.expires_at, t.advice,
    (t.failure IS NOT NULL OR t.state = 'held') AND t.next_at IS NULL AS parked, t.given <> '[]' AS given,
    json_array_length(t.plan, '$.services') AS services, json_array_length(t.plan, '$.actions') AS actions,
    json_array_length(t.plan, '$.edits') AS edits, json_extract(t.plan, '$.granted') AS granted,
    EXISTS (SELECT 1 FROM json_each(t.plan, '$.edits') WHERE json_extract(value, '$.treatment') = 'quarantine')
        AS quarantine,
    EXISTS (SELECT 1 FROM step s WHERE s.ticket_id = t.id AND s.run = t.run AND s.back) AS back,
    (SELECT count(*) FROM approval a WHERE a.ticket_id = t.id) AS approvals, n.sent_to, n.ts
FROM ticket t JOIN entity e ON e.id = t.entity_id LEFT JOIN notice n ON n.id = t.card_id
"""

_UNFINISHED = "('open', 'approved', 'applying', 'held', 'rolling_back', 'needs_human')"


class Homes:
    """Table home, and what is read for it of all the others."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    # -- whose is drawn when -------------------------------------------------------------------------------------

    def opened(self, user: str, now: datetime) -> None:
        """Somebody looks at their home: it is drawn now, or in a moment where it was drawn a moment ago.

        Each person has one notice of the kind `home` for good, which is due again whenever something changes: so
        several changes are one drawing, and drawings of one person never overtake each other.
        """
        with self._db.transaction():
            known = self._db.row("SELECT * FROM home WHERE user = ?", (user,))
            if known is not None:
                self._db.run("UPDATE home SET opened_at = ? WHERE user = ?", (stamp(now), user))
                self._due(known, now, looked=True)
                return
            cursor = self._db.run(
                "INSERT INTO notice (kind, surface, row_id, channel, user, created_at, not_before) "
                "VALUES ('home', 'home', 0, ?, ?, ?, ?)",
                (user, user, stamp(now), stamp(now)),
            )
            self._db.run(
                "INSERT INTO home (user, opened_at, notice_id) VALUES (?, ?, ?)",
                (user, stamp(now), cursor.lastrowid),
            )
            self._db.wake(self._db.mail)

    def changed(
        self,
        now: datetime,
        *,
        users: Sequence[str] = (),
        approvers: bool = False,
        entity_id: int = 0,
        owner_key: str = "",
        everybody: bool = False,
    ) -> int:
        """Something changed that concerns these people: the homes of those who have looked lately are drawn again.

        `approvers` are those who were approvers when their home was drawn last; the owners of `entity_id` are those
        whom its tag `owner_key` means. Says how many homes became due.
        """
        with self._db.transaction():
            found = self._db.rows(
                "SELECT h.* FROM home h JOIN notice n ON n.id = h.notice_id WHERE h.opened_at >= ? "
                "AND n.state NOT IN ('due') AND (? OR (? AND h.approver) "
                "OR h.user IN (SELECT value FROM json_each(?)) OR EXISTS (SELECT 1 FROM tag t, json_each(h.tags) j "
                "WHERE t.entity_id = ? AND t.key = ? AND t.value = j.value)) ORDER BY h.opened_at DESC",
                (
                    stamp(now - REMEMBERED),
                    everybody,
                    approvers,
                    json.dumps(list(users)),
                    entity_id,
                    owner_key,
                ),
            )
            before = self._db.row(
                "SELECT count(*) AS n FROM home h JOIN notice n ON n.id = h.notice_id WHERE n.state = 'due'"
            )
            for place, row in enumerate(found, before["n"] if before else 0):
                self._due(row, now + max(0, place - AT_ONCE) * SPREAD)
        return len(found)

    def _due(self, home: Row, at: datetime, *, looked: bool = False) -> None:
        """One that is due already keeps its place, unless its person is looking at it."""
        last = maybe_moment(home["published_at"])
        at = max(at, last + APART) if last else at
        self._db.run(
            "UPDATE notice SET state = 'due', rung = 0, attempts = 0, "
            "not_before = CASE WHEN state = 'due' THEN min(not_before, ?) ELSE ? END "
            "WHERE id = ? AND (? OR state <> 'due')",
            (stamp(at), stamp(at), home["notice_id"], looked),
        )
        self._db.wake(self._db.mail)

    def last(self, user: str) -> tuple[str, str, datetime | None]:
        """What was published last: the print of what was drawn, Slack's hash of the view, and when."""
        row = self._db.row("SELECT * FROM home WHERE user = ?", (user,))
        return (row["drawn"], row["hash"], maybe_moment(row["published_at"])) if row else ("", "", None)

    def published(
        self,
        user: str,
        now: datetime,
        *,
        drawn: str,
        view_hash: str,
        approver: bool = False,
        tags: Sequence[str] = (),
    ) -> None:
        """Slack has it. A change that came while it was sent has made it due again, and it stays so."""
        with self._db.transaction():
            self._db.run(
                "UPDATE home SET published_at = ?, drawn = ?, hash = ?, approver = ?, tags = ? WHERE user = ?",
                (stamp(now), drawn, view_hash, approver, json.dumps(list(tags)), user),
            )
            self.said(user)

    def said(self, user: str) -> None:
        """Nothing (more) is to be published for this person, unless something changed while it was being drawn."""
        with self._db.transaction():
            self._db.run(
                "UPDATE notice SET state = 'sent' WHERE id = (SELECT notice_id FROM home WHERE user = ?) "
                "AND state = 'sending'",
                (user,),
            )

    def forget_hash(self, user: str) -> None:
        """Another view stands in Slack than we know of: the next one replaces whatever it is."""
        with self._db.transaction():
            self._db.run("UPDATE home SET hash = '', drawn = '' WHERE user = ?", (user,))

    # -- tickets -------------------------------------------------------------------------------------------------

    def waiting(self, user: str, *, own: bool) -> Few[TicketLine]:
        """What waits for this approver: tickets that stopped half way, then open ones, newest first.

        Not those that they asked for, unless `own`; not those that they have approved; not advice.
        """
        rows = self._db.rows(
            "SELECT id FROM ticket t WHERE state = 'needs_human' OR state = 'held' AND next_at IS NULL "
            "OR (state = 'open' AND advice = 0 "
            "AND (? OR instr(requesters, ?) = 0) "
            "AND NOT EXISTS (SELECT 1 FROM approval a WHERE a.ticket_id = t.id AND a.user = ?)) "
            "ORDER BY state = 'needs_human' DESC, state = 'held' DESC, id DESC",
            (own, json.dumps(user), user),
        )
        return self._lines([int(r["id"]) for r in rows])

    def tickets(self, user: str) -> Few[TicketLine]:
        """The tickets that this person asked for: those that are not finished first, then newest first."""
        rows = self._db.rows(
            f"SELECT id FROM ticket WHERE instr(requesters, ?) > 0 AND state NOT IN ('draft', 'void') "
            f"ORDER BY state IN {_UNFINISHED} DESC, id DESC",
            (json.dumps(user),),
        )
        return self._lines([int(r["id"]) for r in rows])

    def _lines(self, ids: Sequence[int]) -> Few[TicketLine]:
        shown = ids[:SHOWN]
        found = {line.id: line for line in self.ticket_lines(shown)}
        return Few(tuple(found[i] for i in shown if i in found), len(ids))

    def ticket_lines(self, ids: Sequence[int]) -> list[TicketLine]:
        """These tickets, in no order."""
        marks = ", ".join("?" * len(ids))
        return [_ticket(r) for r in self._db.rows(f"{_TICKET} WHERE t.id IN ({marks})", tuple(ids))]

    # -- audits --------------------------------------------------------------------------------------------------

    def audits(self, user: str) -> tuple[AuditLine, ...]:
        """The audits that this person asked for, newest first."""
        rows = self._db.rows(
            "SELECT * FROM request WHERE user = ? AND state <> 'closed' ORDER BY id DESC LIMIT ?",
            (user, SHOWN),
        )
        return tuple(self._audit(r) for r in rows)

    def _audit(self, row: Row) -> AuditLine:
        request = request_of(row)
        entity = self._db.row("SELECT * FROM entity WHERE id = ?", (request.entity_id,))
        card = self._db.row("SELECT sent_to, ts FROM notice WHERE id = ?", (request.card_id,))
        score = self._db.row(
            "SELECT granted, used, could_go FROM score WHERE report_id = ?", (request.report_id,)
        )
        return AuditLine(
            id=request.id,
            state=RequestState(request.state),
            asked=request.asked,
            at=request.created_at,
            entity=entity_of(entity) if entity else None,
            report_id=request.report_id,
            counts=_counts(score),
            failure=request.failure,
            card=_place(card),
        )

    # -- what somebody owns --------------------------------------------------------------------------------------

    def owned(self, key: str, values: Sequence[str]) -> Few[OwnedLine]:
        """Entities whose owner tag means this person: those with an unfinished ticket first, then the riskiest."""
        if not values:
            return Few()
        marks = ", ".join("?" * len(values))
        mine = f"tag g ON g.key = ? AND g.value IN ({marks}) AND g.entity_id = e.id"
        here: tuple[Value, ...] = (key, *values)
        count = self._db.row(f"SELECT count(*) AS n FROM entity e JOIN {mine} WHERE e.gone_at IS NULL", here)
        planned = self._db.rows(
            f"SELECT max(t.id) AS id, e.id AS entity_id FROM entity e JOIN {mine} JOIN ticket t "
            f"ON t.entity_id = e.id AND t.state IN {_UNFINISHED} WHERE e.gone_at IS NULL "
            "GROUP BY e.id ORDER BY max(t.id) DESC LIMIT ?",
            (*here, SHOWN),
        )
        tickets = {t.entity.id: t for t in self.ticket_lines([int(r["id"]) for r in planned])}
        ids = [int(r["entity_id"]) for r in planned]
        rest = self._db.rows(
            f"SELECT e.id FROM entity e JOIN {mine} LEFT JOIN score s ON s.entity_id = e.id AND s.newest = 1 "
            f"WHERE e.gone_at IS NULL AND e.id NOT IN ({', '.join('?' * len(ids))}) GROUP BY e.id "
            "ORDER BY max(coalesce(s.risk, 0)) DESC, max(coalesce(s.could_go, 0)) DESC, e.id LIMIT ?",
            (*here, *ids, SHOWN - len(ids)),
        )
        shown = [*ids, *(int(r["id"]) for r in rest)]
        rows = tuple(self._owned(i, tickets.get(i)) for i in shown)
        return Few(rows, int(count["n"]) if count else 0)

    def _owned(self, entity_id: int, ticket: TicketLine | None) -> OwnedLine:
        return OwnedLine(self._entity(entity_id), self._newest_counts(entity_id), ticket)

    def _entity(self, entity_id: int) -> Entity:
        row = self._db.row("SELECT * FROM entity WHERE id = ?", (entity_id,))
        assert row is not None  # entities are never deleted
        return entity_of(row)

    def _newest_counts(self, entity_id: int) -> Counts | None:
        return _counts(
            self._db.row(
                "SELECT granted, used, could_go FROM score WHERE entity_id = ? AND newest = 1 "
                "ORDER BY at DESC LIMIT 1",
                (entity_id,),
            )
        )

    def keeps(self, user: str, key: str, values: Sequence[str], now: datetime) -> Few[KeepLine]:
        """Keeps that this person made, and those on what they own; those that end first come first."""
        marks = ", ".join("?" * len(values))
        rows = self._db.rows(
            "SELECT * FROM keep WHERE ended_at IS NULL AND until > ? AND (user = ? OR entity_id IN "
            f"(SELECT entity_id FROM tag WHERE key = ? AND value IN ({marks}))) ORDER BY until, id",
            (stamp(now), user, key, *values),
        )
        shown = [keep_of(r) for r in rows[:SHOWN]]
        return Few(tuple(KeepLine(k, self._entity(k.entity_id)) for k in shown), len(rows))

    # -- what comes again, and accounts --------------------------------------------------------------------------

    def schedules(self) -> list[Schedule]:
        """Every digest and sweep that comes again, next one first."""
        rows = self._db.rows("SELECT * FROM schedule WHERE ended_at IS NULL ORDER BY due_at, id LIMIT 1000")
        return [schedule_of(r) for r in rows]

    def sweeps(self) -> list[SweepLine]:
        """Sweeps that are not finished, oldest first."""
        rows = self._db.rows(
            "SELECT s.*, n.sent_to, n.ts FROM sweep s LEFT JOIN notice n ON n.id = s.card_id "
            "WHERE s.state IN ('queued', 'running') ORDER BY s.id LIMIT 1000"
        )
        return [
            SweepLine(
                r["id"],
                r["user"],
                r["channel"],
                r["asked"],
                SweepState(r["state"]),
                moment(r["created_at"]),
                _place(r),
            )
            for r in rows
        ]

    def accounts(self) -> Few[SweptLine]:
        """Accounts that were swept, or could not be listed: those with a fault first, then by their number."""
        rows = self._db.rows(
            "SELECT a.account, p.state, coalesce(p.ended_at, p.begun_at) AS at, coalesce(p.total, 0) AS total, "
            "p.failure, coalesce(d.failure, '') AS unlisted, p.sweep_id, coalesce((SELECT count(*) FROM sweep_entity x "
            "WHERE x.sweep_id = p.sweep_id AND x.account = a.account AND x.state = 'failed'), 0) AS failed FROM "
            "(SELECT account, max(sweep_id) AS sweep_id FROM sweep_account GROUP BY account UNION ALL "
            "SELECT account, NULL FROM directory WHERE failure <> '' "
            "AND account NOT IN (SELECT account FROM sweep_account)) a "
            "LEFT JOIN sweep_account p ON p.sweep_id = a.sweep_id AND p.account = a.account "
            "LEFT JOIN directory d ON d.account = a.account "
            "ORDER BY (coalesce(p.state, '') = 'failed' OR unlisted <> '' OR failed > 0) DESC, a.account"
        )
        return Few(tuple(_swept(r) for r in rows[:SHOWN]), len(rows))


def _place(row: Row | None) -> Place:
    return Place(row["sent_to"] or "", row["ts"] or "") if row else Place()


def _counts(row: Row | None) -> Counts | None:
    return Counts(row["granted"], row["used"], row["could_go"]) if row else None


def _ticket(row: Row) -> TicketLine:
    return TicketLine(
        id=row["ticket_id"],
        state=TicketState(row["state"]),
        entity=entity_of(row),
        changed_at=moment(row["changed_at"]),
        expires_at=moment(row["expires_at"]),
        services=row["services"] or 0,
        actions=row["actions"] or 0,
        edits=row["edits"] or 0,
        granted=row["granted"] or 0,
        approvals=row["approvals"],
        quarantine=bool(row["quarantine"]),
        advice=bool(row["advice"]),
        parked=bool(row["parked"]) and row["state"] in {TicketState.APPROVED.value, TicketState.HELD.value},
        given=bool(row["given"]),
        back=bool(row["back"]),
        card=_place(row),
    )


def _swept(row: Row) -> SweptLine:
    return SweptLine(
        account=row["account"],
        state=Part(row["state"]) if row["state"] else None,
        at=maybe_moment(row["at"]),
        total=row["total"],
        failed=row["failed"],
        failure=failure_of(row["failure"]),
        unlisted=row["unlisted"],
    )
