"""How much was removed, is held, and came back, in permissions: a service that goes whole counts one, a single action too. Pure.

A quarantine counts as the services of its report. What came back is told of 1,000 that were removed, so that a month with
few removals can be held against one with many.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Numbers:
    """The permissions of a stretch of time; `held` are those that a hold denies now."""

    removed: int = 0
    held: int = 0
    given: int = 0
    rolled: int = 0

    def __bool__(self) -> bool:
        return bool(self.removed or self.held or self.given or self.rolled)

    @property
    def back_of_a_thousand(self) -> int | None:
        """How many of 1,000 removed ones came back; None where nothing was removed."""
        return round(1000 * (self.given + self.rolled) / self.removed) if self.removed else None


@dataclass(frozen=True, slots=True)
class Loose:
    """A policy that is a hold by its name, on an entity, and no ticket holds it (any more)."""

    account: str
    entity: str
    kind: str
    policy: str
    ticket: int
