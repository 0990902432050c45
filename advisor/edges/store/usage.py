"""What everyone of an account used by their newest report: one question for a whole account. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from advisor.core.model import Kind, Policy, PolicyKind
from advisor.core.regrouped import Regrouped
from advisor.edges.store.connection import Connection
from advisor.edges.store.rows import moment, stamp

_REGROUPED: TypeAdapter[Regrouped] = TypeAdapter(Regrouped)

# The newest report of an entity whatever its depth: one at action level lists the services, too.
_USED = """
SELECT e.id AS entity_id, e.kind, e.name, e.path, r.snapshot_id, r.created_at, s.namespace, s.last_at
FROM entity e
LEFT JOIN report r ON r.id = (
    SELECT n.id FROM report n WHERE n.entity_id = e.id AND n.complete = 1 AND n.thinned = 0
    ORDER BY n.created_at DESC, n.id DESC LIMIT 1
)
LEFT JOIN service s ON s.report_id = r.id AND s.last_at IS NOT NULL
WHERE e.account = ? AND e.kind IN ('user', 'role') AND e.gone_at IS NULL
"""

_POLICIES = """
SELECT p.snapshot_id, p.name, p.kind, p.arn, p.version, p.attachments, p.group_name, d.text
FROM policy p JOIN document d ON d.id = p.document_id
WHERE p.snapshot_id IN ({marks}) ORDER BY p.id
"""

_ASKED = 500  # SQLite takes 32,766 marks; a few hundred are as fast


@dataclass(frozen=True, slots=True)
class Used:
    """A user or role with the services it used within the window; `read_at` is None where there is no report."""

    kind: Kind
    name: str
    path: str
    read_at: datetime | None = None
    snapshot_id: int | None = None
    services: frozenset[str] = frozenset()


class Usage:
    """Reads over the tables entity, report, service, policy and document."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def of(self, account: str, days: int) -> list[Used]:
        """Every user and role of an account that is not known to be gone, by kind and name.

        A service counts as used when its last attempt is at most `days` before the report, as on every card.
        """
        heads: dict[int, tuple[Kind, str, str, datetime | None, int | None]] = {}
        found: dict[int, set[str]] = {}
        since: dict[str, str] = {}
        for entity_id, kind, name, path, snapshot_id, made, service, last in self._db.rows(_USED, (account,)):
            if entity_id not in heads:
                heads[entity_id] = (Kind(kind), name, path, moment(made) if made else None, snapshot_id)
                found[entity_id] = set()
            if service is None:
                continue
            if made not in since:  # times are text of one width: text order is time order
                since[made] = stamp(moment(made) - timedelta(days=days))
            if last >= since[made]:
                found[entity_id].add(service)
        rows = (Used(*head, frozenset(found[i])) for i, head in heads.items())
        return sorted(rows, key=lambda u: (u.kind, u.name))

    def policies(self, snapshot_ids: Sequence[int]) -> dict[int, tuple[Policy, ...]]:
        """What IAM said that these have, by snapshot; one without policies has an empty list."""
        found: dict[int, list[Policy]] = {i: [] for i in snapshot_ids}
        for start in range(0, len(snapshot_ids), _ASKED):
            asked = tuple(snapshot_ids[start : start + _ASKED])
            marks = ", ".join("?" * len(asked))
            for snapshot_id, name, kind, *rest, text in self._db.rows(_POLICIES.format(marks=marks), asked):
                found[snapshot_id].append(_policy(name, kind, text, *rest))
        return {i: tuple(policies) for i, policies in found.items()}


def _policy(name: str, kind: str, text: str, arn: str, version: str, attachments: int, group: str) -> Policy:
    return Policy(name, PolicyKind(kind), text, arn, version, attachments, group)


def dump_regrouped(value: Regrouped) -> str:
    """An answer as JSON, by its own types."""
    return _REGROUPED.dump_json(value).decode()


def regrouped_of(text: str) -> Regrouped:
    """What `dump_regrouped` wrote."""
    return _REGROUPED.validate_json(text)
