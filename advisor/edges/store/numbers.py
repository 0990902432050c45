"""How much was removed, is held and came back, by the tickets; and holds that no ticket holds any more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from advisor.core.hold import INLINE, MANAGED, ticket_of
from advisor.core.numbers import Loose, Numbers
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import stamp

_QUARANTINE = "EXISTS (SELECT 1 FROM json_each(t.plan, '$.edits') WHERE json_extract(value, '$.treatment') = 'quarantine')"
_PERMISSIONS = (
    f"CASE WHEN {_QUARANTINE} THEN coalesce(json_extract(t.plan, '$.granted'), 0) "
    "ELSE json_array_length(t.plan, '$.services') + json_array_length(t.plan, '$.actions') END"
)
_OF = "JOIN entity e ON e.id = t.entity_id AND (? IS NULL OR e.account IN (SELECT value FROM json_each(?)))"
_KEYS = (
    # A policy that came back whole counts its services, everything else one.
    "SELECT coalesce(sum(coalesce((SELECT json_array_length(value, '$.out') FROM json_each(t.plan, '$.edits') "
    "WHERE json_extract(value, '$.policy') = k.value AND json_extract(value, '$.treatment') "
    "NOT IN ('edit', 'delete', 'version')), 1)), 0) AS n"
)

LOOSE = f"""
SELECT e.account, e.name AS entity, e.kind, p.name AS policy FROM policy p
JOIN snapshot s ON s.id = p.snapshot_id JOIN entity e ON e.id = s.entity_id
WHERE (p.name >= '{INLINE}' AND p.name < '{INLINE[:-1]}.' OR p.name >= '{MANAGED}' AND p.name < '{MANAGED[:-1]}.')
AND p.group_name = '' AND e.gone_at IS NULL AND e.kind <> 'policy'
AND s.id = (SELECT max(id) FROM snapshot WHERE entity_id = e.id)
AND NOT EXISTS (SELECT 1 FROM ticket t WHERE t.entity_id = e.id AND p.name IN ('{INLINE}' || t.id, '{MANAGED}' || t.id)
    AND (t.state IN ('applying', 'held', 'rolling_back', 'needs_human') OR t.changed_at >= s.read_at))
ORDER BY e.account, e.name, p.name
"""
"""Holds by their name, as an entity was read last, after the ticket that may have laid them had ended."""


class Counted:
    """Numbers over the tables ticket, press and log; loose holds over policy and snapshot."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def numbers(self, since: datetime, accounts: Sequence[str] | None = None) -> Numbers:
        """What the bot carried out and gave back since then, in these accounts or in all; and what is held now."""
        return Numbers(
            removed=self._logged("ticket.finished", since, accounts),
            held=self._held(accounts),
            given=self._given(since, accounts),
            rolled=self._logged("ticket.back", since, accounts),
        )

    def _where(self, accounts: Sequence[str] | None) -> tuple[str | None, str]:
        return (None if accounts is None else "some"), json.dumps(list(accounts or ()))

    def _logged(self, verb: str, since: datetime, accounts: Sequence[str] | None) -> int:
        row = self._db.row(
            f"SELECT coalesce(sum({_PERMISSIONS}), 0) AS n FROM log l "
            f"JOIN ticket t ON t.id = CAST(substr(l.subject, 8) AS INTEGER) {_OF} "
            "WHERE l.verb = ? AND l.at > ? AND l.subject LIKE 'ticket %'",
            (*self._where(accounts), verb, stamp(since)),
        )
        return int(row["n"]) if row else 0

    def _held(self, accounts: Sequence[str] | None) -> int:
        row = self._db.row(
            f"SELECT coalesce(sum({_PERMISSIONS} - json_array_length(t.given)), 0) AS n FROM ticket t {_OF} "
            "WHERE t.state = 'held'",
            self._where(accounts),
        )
        return max(0, int(row["n"])) if row else 0

    def _given(self, since: datetime, accounts: Sequence[str] | None) -> int:
        row = self._db.row(
            f"{_KEYS} FROM press p JOIN ticket t ON t.id = p.ticket_id {_OF}, json_each(p.services) k "
            "WHERE p.verb IN ('rollback', 'giveback') AND p.outcome = 'done' AND p.created_at > ?",
            (*self._where(accounts), stamp(since)),
        )
        return int(row["n"]) if row else 0

    def loose(self) -> tuple[Loose, ...]:
        """The holds that no ticket holds."""
        return loose_of(self._db.rows(LOOSE))


def loose_of(rows: Iterable[Row]) -> tuple[Loose, ...]:
    """Rows of LOOSE, but for policies that only begin like a hold: those are somebody's own."""
    return tuple(
        Loose(r["account"], r["entity"], r["kind"], r["policy"], number)
        for r in rows
        if (number := ticket_of(r["policy"])) is not None
    )
