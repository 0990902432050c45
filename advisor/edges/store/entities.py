"""Entities as they were seen in their accounts, and snapshots of what IAM said of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

from advisor.core.model import Entity, Kind, Policy, PolicyKind, Snapshot
from advisor.edges.store.connection import Connection, Row
from advisor.edges.store.rows import entity_of, maybe_stamp, moment, stamp

_UPSERT = """
INSERT INTO entity (account, kind, name, arn, unique_id, path, created_at, seen_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account, arn, unique_id) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at), gone_at = NULL
"""

_SOME = 40
"""Snapshots a transaction: each is a dozen rows, and an acknowledgement waits for no more than a few hundred."""


class Entities:
    """Tables entity, directory, snapshot, policy and document."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def see(self, entity: Entity, now: datetime) -> Entity:
        """Note that an entity exists; the same ARN with another unique id is another entity."""
        with self._db.transaction():
            self._db.run(_UPSERT, _columns(entity, now))
            # A namesake that this one replaced is gone: IAM allows only one of an ARN at a time.
            self._db.run(
                "UPDATE entity SET gone_at = ? WHERE account = ? AND arn = ? AND unique_id <> ? AND gone_at IS NULL",
                (stamp(now), entity.account, entity.arn, entity.unique_id),
            )
            row = self._db.row(
                "SELECT * FROM entity WHERE account = ? AND arn = ? AND unique_id = ?",
                (entity.account, entity.arn, entity.unique_id),
            )
        assert row is not None  # it was written two lines above
        return entity_of(row)

    def gone(self, entity_id: int, now: datetime) -> None:
        """Note that IAM no longer knows an entity."""
        with self._db.transaction():
            self._db.run(
                "UPDATE entity SET gone_at = ? WHERE id = ? AND gone_at IS NULL", (stamp(now), entity_id)
            )

    def get(self, entity_id: int) -> Entity | None:
        """One entity."""
        row = self._db.row("SELECT * FROM entity WHERE id = ?", (entity_id,))
        return entity_of(row) if row else None

    def named(self, kind: Kind | None, name: str, accounts: Sequence[str]) -> list[Entity]:
        """Entities known by this name or ARN and not known to be gone, in these accounts."""
        marks = ", ".join("?" * len(accounts))
        column = "arn" if kind is None else "name"
        rows = self._db.rows(
            f"SELECT * FROM entity WHERE gone_at IS NULL AND account IN ({marks}) AND {column} = ? COLLATE NOCASE"
            + ("" if kind is None else " AND kind = ?"),
            (*accounts, name, *(() if kind is None else (kind.value,))),
        )
        return [entity_of(r) for r in rows]

    def names(self, kind: Kind, account: str | None) -> list[str]:
        """Every known name of a kind, for "did you mean"."""
        rows = self._db.rows(
            "SELECT DISTINCT name FROM entity WHERE gone_at IS NULL AND kind = ? AND (? IS NULL OR account = ?)",
            (kind.value, account, account),
        )
        return [r["name"] for r in rows]

    def search(self, text: str, accounts: Sequence[str], limit: int = 100) -> list[Entity]:
        """Entities whose name or ARN holds this text: names that begin with it first, then by name."""
        marks = ", ".join("?" * len(accounts))
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._db.rows(
            f"SELECT * FROM entity WHERE gone_at IS NULL AND account IN ({marks}) "
            "AND (name LIKE ? ESCAPE '\\' OR arn LIKE ? ESCAPE '\\') "
            "ORDER BY name NOT LIKE ? ESCAPE '\\', name COLLATE NOCASE LIMIT ?",
            (*accounts, like, like, like[1:], limit),
        )
        return [entity_of(r) for r in rows]

    def listed(self, account: str, entities: Iterable[Entity], now: datetime) -> None:
        """Store a whole listing of an account; what is not in it and was not seen since is gone.

        `now` is when the listing began: two listings at once, and whoever is made meanwhile, take nothing away.
        """
        self._db.bulk(_UPSERT, (_columns(e, now) for e in entities))
        with self._db.transaction():
            self._db.run(
                "UPDATE entity SET gone_at = ? WHERE account = ? AND seen_at < ? AND gone_at IS NULL "
                # AWS owns thousands of policies; only attached ones are listed, the others are not gone.
                "AND arn NOT LIKE 'arn:%:iam::aws:%'",
                (stamp(now), account, stamp(now)),
            )
            self._note_listing(account, now, None)

    def unlisted(self, account: str, failure: str, now: datetime) -> None:
        """Note that an account could not be listed, and why."""
        with self._db.transaction():
            self._note_listing(account, now, failure)

    def _note_listing(self, account: str, now: datetime, failure: str | None) -> None:
        self._db.run(
            "INSERT INTO directory (account, listed_at, failure) VALUES (?, ?, ?) "
            "ON CONFLICT (account) DO UPDATE SET listed_at = excluded.listed_at, failure = excluded.failure",
            (account, stamp(now), failure),
        )

    def listings(self) -> dict[str, tuple[datetime, str]]:
        """When each account was listed last, and why that failed (empty where it did not)."""
        rows = self._db.rows("SELECT * FROM directory")
        return {r["account"]: (moment(r["listed_at"]), r["failure"] or "") for r in rows}

    def of_account(self, account: str) -> dict[tuple[str, str], int]:
        """The row of each entity that was seen in an account, by ARN and unique id."""
        rows = self._db.rows(
            "SELECT id, arn, unique_id FROM entity WHERE account = ? AND gone_at IS NULL", (account,)
        )
        return {(r["arn"], r["unique_id"]): r["id"] for r in rows}

    def save_snapshot(self, snapshot: Snapshot) -> int:
        """Store what IAM said of an entity; documents of the same text are stored once, as is what has not changed."""
        facts, digest = _facts(snapshot)
        with self._db.transaction():
            last = self._db.row(
                "SELECT id, digest FROM snapshot WHERE entity_id = ? ORDER BY id DESC LIMIT 1",
                (snapshot.entity.id,),
            )
            if last and last["digest"] == digest:
                self._db.run(
                    "UPDATE snapshot SET read_at = ? WHERE id = ?", (stamp(snapshot.read_at), last["id"])
                )
                return int(last["id"])
            cursor = self._db.run(
                "INSERT INTO snapshot (entity_id, read_at, facts, digest) VALUES (?, ?, ?, ?)",
                (snapshot.entity.id, stamp(snapshot.read_at), facts, digest),
            )
            snapshot_id = int(cursor.lastrowid or 0)
            for policy in snapshot.policies:
                self._save_policy(snapshot_id, policy)
        return snapshot_id

    def save_snapshots(self, snapshots: Iterable[Snapshot]) -> dict[int, int]:
        """Store many, a few in each transaction: the snapshot's row of each entity."""
        saved: dict[int, int] = {}
        rest = iter(snapshots)
        while some := list(islice(rest, _SOME)):
            with self._db.transaction():
                for snapshot in some:
                    saved[snapshot.entity.id] = self.save_snapshot(snapshot)
            self._db.breathe()
        return saved

    def _save_policy(self, snapshot_id: int, policy: Policy) -> None:
        digest = hashlib.sha256(policy.text.encode()).hexdigest()
        self._db.run("INSERT OR IGNORE INTO document (hash, text) VALUES (?, ?)", (digest, policy.text))
        self._db.run(
            "INSERT INTO policy (snapshot_id, name, kind, arn, version, attachments, group_name, document_id) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT id FROM document WHERE hash = ?))",
            (
                snapshot_id,
                policy.name,
                policy.kind.value,
                policy.arn,
                policy.version,
                policy.attachments,
                policy.group,
                digest,
            ),
        )

    def newest_snapshot(self, entity_id: int) -> Snapshot | None:
        """The last that was read of an entity."""
        row = self._db.row(
            "SELECT id FROM snapshot WHERE entity_id = ? ORDER BY id DESC LIMIT 1", (entity_id,)
        )
        return self.snapshot(row["id"]) if row else None

    def aws_policies(self) -> tuple[Policy, ...]:
        """AWS managed policies that were ever met on an entity, with the text that each had last."""
        rows = self._db.rows(
            "SELECT p.name, p.arn, p.version, d.text, max(p.id) FROM policy p JOIN document d ON d.id = p.document_id "
            "WHERE p.kind = 'aws' GROUP BY p.arn ORDER BY p.arn LIMIT 500"
        )
        return tuple(Policy(r["name"], PolicyKind.AWS, r["text"], r["arn"], r["version"]) for r in rows)

    def snapshot(self, snapshot_id: int) -> Snapshot | None:
        """A stored snapshot, whole."""
        return self.snapshots([snapshot_id]).get(snapshot_id)

    def snapshots(self, snapshot_ids: Sequence[int]) -> dict[int, Snapshot]:
        """Stored snapshots, whole; documents of the same text are one string."""
        found: dict[int, Snapshot] = {}
        for n in range(0, len(snapshot_ids), _MANY):
            ids = tuple(snapshot_ids[n : n + _MANY])
            marks = ", ".join("?" * len(ids))
            policies: dict[int, list[Policy]] = {}
            texts: dict[int, str] = {}
            for p in self._db.rows(
                f"SELECT p.*, d.text FROM policy p JOIN document d ON d.id = p.document_id "
                f"WHERE p.snapshot_id IN ({marks}) ORDER BY p.id",
                ids,
            ):
                text = texts.setdefault(p["document_id"], p["text"])
                policies.setdefault(p["snapshot_id"], []).append(_policy_of(p, text))
            for row in self._db.rows(
                "SELECT s.id AS snapshot_id, s.read_at, s.facts, e.* FROM snapshot s "
                f"JOIN entity e ON e.id = s.entity_id WHERE s.id IN ({marks})",
                ids,
            ):
                found[row["snapshot_id"]] = _snapshot_of(row, policies.get(row["snapshot_id"], []))
        return found


_MANY = 400
"""Rows that are asked for by their ids at once: far below what a statement of SQLite may name."""


def _policy_of(row: Row, text: str) -> Policy:
    kind, version = PolicyKind(row["kind"]), row["version"]
    return Policy(row["name"], kind, text, row["arn"], version, row["attachments"], row["group_name"])


def _snapshot_of(row: Row, policies: Sequence[Policy]) -> Snapshot:
    facts = json.loads(row["facts"])
    return Snapshot(
        entity=entity_of(row),
        read_at=moment(row["read_at"]),
        policies=tuple(policies),
        groups=tuple(facts["groups"]),
        members=tuple(facts["members"]),
        holders=tuple(facts["holders"]),
        boundary_of=facts["boundary_of"],
        tags=tuple((k, v) for k, v in facts["tags"]),
        description=facts["description"],
    )


def _facts(snapshot: Snapshot) -> tuple[str, str]:
    """What is stored beside the policies, and a digest of all of it: equal digests, nothing has changed."""
    facts = json.dumps(
        {
            "groups": snapshot.groups,
            "members": snapshot.members,
            "holders": snapshot.holders,
            "boundary_of": snapshot.boundary_of,
            "tags": snapshot.tags,
            "description": snapshot.description,
            "created_at": maybe_stamp(snapshot.entity.created_at),
        },
        ensure_ascii=False,
    )
    whole = hashlib.sha256(facts.encode())
    # Listings of a whole account name policies in another order than a single reading does.
    for one in sorted(
        repr((p.name, p.kind.value, p.arn, p.version, p.attachments, p.group, p.text))
        for p in snapshot.policies
    ):
        whole.update(one.encode("utf-8", "backslashreplace"))
    return facts, whole.hexdigest()


def _columns(entity: Entity, now: datetime) -> tuple[str | None, ...]:
    return (
        entity.account,
        entity.kind.value,
        entity.name,
        entity.arn,
        entity.unique_id,
        entity.path,
        maybe_stamp(entity.created_at),
        stamp(now),
    )
