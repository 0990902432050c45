"""How much was removed, is held, and came back, in permissions: a service that goes whole counts one, a single action too. Pure.

A quarantine counts as the services of its report. What came back is told of 1,000 that were removed, so that a month with
few removals can be held against one with many.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from advisor.core.removal import Plan


@dataclass(frozen=True, slots=True)
class Numbers:
    """The permissions of a stretch of time; `held` are those that a hold denies now."""

    removed: int = 0
    held: int = 0
    given: int = 0
    rolled: int = 0
    back: int = 0  # given or rolled back of what had been removed; from a hold nothing had been

    def __bool__(self) -> bool:
        return bool(self.removed or self.held or self.given or self.rolled)

    @property
    def back_of_a_thousand(self) -> int | None:
        """How many of 1,000 removed ones came back; None where nothing was removed."""
        return round(1000 * self.back / self.removed) if self.removed else None


@dataclass(frozen=True, slots=True)
class Loose:
    """A policy that is a hold by its name, on an entity, and no ticket holds it (any more)."""

    account: str
    entity: str
    kind: str
    policy: str
    ticket: int


def permissions(plan: Plan, given: Collection[str] = ()) -> int:
    """How many a plan takes, less what was given back: by service, by action, or by the policy that granted it."""
    if plan.quarantine:
        return 0 if given else plan.granted
    back = set(given) | {s for e in plan.edits if e.policy in given for s in e.out}
    actions = [a for a in plan.actions if a not in back and a.partition(":")[0] not in back]
    return len([s for s in plan.services if s not in back]) + len(actions)
