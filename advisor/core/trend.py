"""How grants and use developed: sums by day, and what became of one entity from report to report. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Point:
    """One day. Counts are services of reports; `could_go` is None where nobody judged the report of then."""

    day: date
    granted: int
    used: int
    could_go: int | None = None
    entities: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What one report of an entity came to."""

    entity_id: int
    at: datetime
    granted: int
    used: int
    could_go: int


class Did(StrEnum):
    """What a ticket did to an entity."""

    APPLIED = "applied"
    BY_HAND = "by_hand"  # advice that an audit found carried out
    ROLLED_BACK = "rolled_back"
    PARTLY_BACK = "partly_back"


@dataclass(frozen=True, slots=True)
class Carried:
    """A change that was carried out, or put back."""

    ticket: int
    at: datetime
    did: Did
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One report of an entity, with what changed since the one before: (what, services), only where something did.

    `stored` is False where only its counts are known.
    """

    at: datetime
    granted: int
    used: int
    stale: int
    could_go: int | None
    changes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    stored: bool = True

    @property
    def never(self) -> int:
        """Services with no attempt seen."""
        return self.granted - self.used - self.stale


@dataclass(frozen=True, slots=True)
class EntityPast:
    """The answer to `history` of an entity, oldest report first."""

    entity_id: int
    days: int
    turns: tuple[Turn, ...]
    carried: tuple[Carried, ...] = ()

    @property
    def points(self) -> tuple[Point, ...]:
        """The last report of each day."""
        by_day = {t.at.astimezone(UTC).date(): t for t in self.turns}
        return tuple(Point(d, t.granted, t.used, t.could_go) for d, t in by_day.items())


@dataclass(frozen=True, slots=True)
class AccountPast:
    """The answer to `history` of an account: sums over its entities, oldest day first."""

    account: str
    points: tuple[Point, ...]
    carried: tuple[Carried, ...] = ()


def dump(past: EntityPast | AccountPast) -> str:
    """An answer as JSON."""
    return json.dumps(asdict(past), default=_iso, ensure_ascii=False)


def _iso(value: date | datetime) -> str:
    return value.isoformat()  # date's own would cut the time off a datetime


def load(text: str) -> EntityPast | AccountPast:
    """What `dump` wrote."""
    found = json.loads(text)
    carried = tuple(
        Carried(**{**c, "at": datetime.fromisoformat(c["at"]), "did": Did(c["did"])})
        for c in found["carried"]
    )
    if "account" in found:
        points = tuple(Point(**{**p, "day": date.fromisoformat(p["day"])}) for p in found["points"])
        return AccountPast(found["account"], points, carried)
    turns = tuple(
        Turn(
            **{
                **t,
                "at": datetime.fromisoformat(t["at"]),
                "changes": tuple((what, tuple(names)) for what, names in t["changes"]),
            }
        )
        for t in found["turns"]
    )
    return EntityPast(found["entity_id"], found["days"], turns, carried)
