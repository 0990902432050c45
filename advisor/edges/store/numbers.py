"""How much was removed, is held and came back, by the tickets; and holds that no ticket holds any more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from advisor.core.hold import INLINE, MANAGED, ticket_of
from advisor.core.numbers import Loose, Numbers
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import stamp

_SUMS = """
SELECT
    coalesce(sum(CASE WHEN l.verb = 'ticket.finished' THEN n END), 0) AS removed,
    coalesce(sum(CASE WHEN l.verb IN ('ticket.given', 'ticket.narrowed') THEN n END), 0) AS given,
    coalesce(sum(CASE WHEN l.verb = 'ticket.back' THEN n END), 0) AS rolled,
    coalesce(sum(CASE WHEN l.verb <> 'ticket.finished' AND of_removed = 'yes' THEN n END), 0) AS back
FROM (SELECT verb, CAST(substr(subject, 8) AS INTEGER) AS ticket_id, json_extract(detail, '$.of_removed') AS of_removed,
    CAST(coalesce(json_extract(detail, '$.permissions'), 0) AS INTEGER) AS n FROM log
    WHERE verb IN ('ticket.finished', 'ticket.given', 'ticket.narrowed', 'ticket.back') AND at > ?) l
JOIN ticket t ON t.id = l.ticket_id JOIN entity e ON e.id = t.entity_id
"""
_HELD = """
SELECT coalesce(sum(CASE l.verb WHEN 'ticket.held' THEN n ELSE -n END), 0) AS held
FROM (SELECT verb, CAST(substr(subject, 8) AS INTEGER) AS ticket_id,
    CAST(coalesce(json_extract(detail, '$.permissions'), 0) AS INTEGER) AS n FROM log
    WHERE verb IN ('ticket.held', 'ticket.narrowed')) l
JOIN ticket t ON t.id = l.ticket_id AND t.state = 'held' JOIN entity e ON e.id = t.entity_id
"""

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

    def numbers(self, since: datetime, accounts: Sequence[str] | None = None, tag: str = "") -> Numbers:
        """What the bot carried out and gave back since then, and what is held now; in all accounts unless some are named.

        `tag` is K=V: only of entities that bear it.
        """
        where, values = ["1"], []
        if accounts is not None:
            where.append("e.account IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(accounts)))
        if tag:
            key, _, value = tag.partition("=")
            where.append(
                "EXISTS (SELECT 1 FROM tag g WHERE g.entity_id = e.id AND g.key = ? AND g.value = ? COLLATE BINARY)"
            )
            values += [key, value]
        limits = f" WHERE {' AND '.join(where)}"
        row = self._db.row(_SUMS + limits, (stamp(since), *values))
        held = self._db.row(_HELD + limits, tuple(values))
        if row is None or held is None:
            return Numbers()
        return Numbers(row["removed"], held["held"], row["given"], row["rolled"], row["back"])

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
