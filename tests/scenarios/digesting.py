"""Digests on a stage: stored reports and scores, sweeps that a test carries out, and what was posted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from advisor.core.estate import Part, Score, SweepState
from advisor.core.model import Account, Entity, Failure, Granularity, Kind, Report, ServiceRow, Snapshot
from advisor.edges.store.sweeps import Settled
from tests.sandbox import world as story
from tests.scenarios.stage import Json, Stage, words

NINE = datetime.fromisoformat("2026-11-30T08:00Z")
"""A Monday, nine in Stockholm."""

LISTING = "GetAccountAuthorizationDetails"
"""What a sweep asks first of an account."""

Uses = Mapping[str, float | None]
"""Days since the last attempt by service; None: no attempt."""


def entity(
    stage: Stage,
    name: str,
    account: str = story.PROD,
    kind: Kind = Kind.ROLE,
    unique: str = "",
    days: float = 900,
) -> Entity:
    """Seen by a listing."""
    known = Entity(
        account, kind, name, f"arn:aws:iam::{account}:{kind}/{name[:64]}", unique or f"AROA{name}", "/",
        stage.now - timedelta(days=days),
    )  # fmt: skip
    return stage.store.entities.see(known, stage.now)


def read(
    stage: Stage,
    entity: Entity,
    uses: Uses,
    *,
    at: datetime | None = None,
    risk: int = 0,
    could_go: int | None = None,
    young: bool = False,
    untracked: int = 0,
    tags: tuple[tuple[str, str], ...] = (),
) -> int:
    """A stored report with its score, as a sweep leaves them."""
    at = at or stage.now
    rows = tuple(
        ServiceRow(s, last_at=None if days is None else at - timedelta(days=days)) for s, days in uses.items()
    )
    store = stage.store
    snapshot = store.entities.save_snapshot(Snapshot(entity, at, tags=tags))
    report = store.reports.save(Report(entity.id, Granularity.SERVICE, at, at, rows), snapshot)
    store.reports.show(report)
    idle = sum(d is None for d in uses.values())
    used = sum(d is not None and d <= 90 for d in uses.values())
    score = Score(
        report, entity.id, at, len(rows), used, len(rows) - idle - used, untracked, idle if could_go is None else could_go,
        risk=risk, heaviest=risk, young=young, best=tuple(s for s, d in uses.items() if d is None)[:5],
    )  # fmt: skip
    store.scores.save([(entity.account, score)])
    return report


def sweep(
    stage: Stage, sweep_id: int, *accounts: str, failed: Mapping[str, str] | None = None, entities: int = 3
) -> None:
    """Carry out a sweep by hand: its accounts are read, or fail with a code."""
    store, now, failed = stage.store, stage.now, failed or {}
    store.sweeps.admit(sweep_id, [Account(a) for a in (*accounts, *failed)], now)
    store.sweeps.run(sweep_id, now)
    known = [entity(stage, f"swept-{n}").id for n in range(entities)]
    for account in accounts:
        store.sweeps.begin(sweep_id, account, now)
        store.sweeps.expect(sweep_id, account, [(e, _snapshot(stage, e)) for e in known])
        store.sweeps.settle(sweep_id, account, [Settled(e, Part.GONE) for e in known])
        store.sweeps.end_part(sweep_id, account, now)
    for account, code in failed.items():
        store.sweeps.end_part(sweep_id, account, now, Failure(code, account=account))
    state = SweepState.PARTIAL if failed else SweepState.DONE
    store.sweeps.end(sweep_id, state, now)


def _snapshot(stage: Stage, entity_id: int) -> int:
    known = stage.store.entities.get(entity_id)
    assert known
    return stage.store.entities.save_snapshot(Snapshot(known, stage.now))


def swept(stage: Stage, *accounts: str) -> None:
    """The accounts were read just now."""
    sweep_id = stage.store.sweeps.add(story.ALICE, story.SECURITY, "", stage.now)
    sweep(stage, sweep_id, *(accounts or (story.PROD,)))


def weekly(stage: Stage, words: str = "weekly mon 09:00", user: str = story.ALICE, **more: Any) -> int:
    """A digest; its row."""
    assert stage.say(f"digest {words}", user=user, **more).ok
    return int(stage.rows("SELECT max(id) AS id FROM schedule")[0]["id"])


def go(stage: Stage, to: datetime) -> None:
    """It is so late, and everything that follows has happened."""
    stage.now = to
    stage.settle()


def look(stage: Stage, to: datetime) -> None:
    """It is so late, and a few beats have passed; what waits goes on waiting."""
    stage.now = to
    for _ in range(8):
        stage.beat()


def hold(stage: Stage, account: str = story.PROD) -> int:
    """Another sweep reads an account, and gets no further: whoever comes later waits."""
    store = stage.store
    sweep_id = store.sweeps.add(story.ALICE, story.SECURITY, "another", stage.now)
    store.sweeps.admit(sweep_id, [Account(account)], stage.now)
    store.sweeps.begin(sweep_id, account, stage.now)
    store.sweeps.part_later(sweep_id, account, stage.now + timedelta(days=999))
    return sweep_id


def silent(stage: Stage) -> int:
    """How many sweeps were made for digests."""
    return len(stage.rows("SELECT 1 FROM sweep WHERE silent = 1"))


def postings(stage: Stage) -> list[tuple[str, str]]:
    """When each was due, and its state."""
    return [(r["due_at"][:16], r["state"]) for r in stage.rows("SELECT * FROM posting ORDER BY id")]


def digests(stage: Stage, channel: str = story.SECURITY) -> list[Json]:
    """The cards of digests in a channel."""
    kind = "iam_audit.digest"
    return [m for m in stage.cards(channel) if (m.get("metadata") or {}).get("event_type") == kind]


def visible(node: Any) -> int:
    """Characters of a card that are read without opening a menu or a dialog."""
    if isinstance(node, dict):
        own = node.get("text")
        rest = sum(visible(v) for k, v in node.items() if k not in {"options", "confirm"})
        return (len(own) if isinstance(own, str) else 0) + rest
    return sum(map(visible, node)) if isinstance(node, list) else 0


def flat(message: Json) -> str:
    """What a message shows, with single spaces."""
    return " ".join(words(message).split())
