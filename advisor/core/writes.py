"""Whether the writes of a ticket's evidence are those that were approved: the plan's, its hold's, or narrower ones. Pure.

A hold is laid before and lifted after them. What was given back while it stood is not taken: such a write keeps more than
the approved one, and never more than stood before, by the second implementation's own reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from advisor.core.evaluate import between
from advisor.core.policy import Catalogue

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked."""

    holds: bool
    said: str


class Write(StrEnum):
    """What a write is."""

    PLAN = "plan"
    LAID = "laid"
    LIFTED = "lifted"
    LESS = "less"  # as the plan's, but it takes less
    STRANGE = "strange"


_LIFTS = {"delete_inline", "detach", "delete_version", "delete_policy"}
_DOCUMENTS = {"put_inline", "delete_inline", "create_version"}


def carried_out(told: Tree, plan: Tree, catalogue: Catalogue) -> Check:
    """Every write of the change is one that was approved."""
    forward = [s for s in told["steps"] if not s["way_back"]]
    kinds = [(s, _kind(s["step"], plan, catalogue)) for s in forward]
    strange = next((s for s, kind in kinds if kind is Write.STRANGE), None)
    less = [s for s, kind in kinds if kind is Write.LESS]
    if strange is not None:
        return Check(holds=False, said=f"step {strange['place']} is none of the plan's")
    if less and not told["ticket"]["given_back"]:
        return Check(
            holds=False, said=f"step {less[0]['place']} takes less than the plan, and nothing was given back"
        )
    done = Counter(kind for s, kind in kinds if s["state"] == "done")
    back = len(told["steps"]) - len(forward)
    parts = [f"{done[Write.PLAN] + done[Write.LESS]} of {len(plan['steps'])} steps were carried out"]
    parts += (
        [f"{done[Write.LESS]} of them take less, as something was given back"] if done[Write.LESS] else []
    )
    parts += (
        [f"a hold was laid by {done[Write.LAID]} and lifted by {done[Write.LIFTED]}"]
        if plan.get("hold")
        else []
    )
    tail = f", and {back} of a way back" if back else ""
    return Check(holds=True, said=f"{', '.join(parts)}, all of the plan{tail}")


def _kind(step: Tree, plan: Tree, catalogue: Catalogue) -> Write:
    hold: Sequence[Tree] = (plan.get("hold") or {}).get("lay", [])
    if step in plan["steps"]:
        return Write.PLAN
    if step in hold:
        return Write.LAID
    if hold and _same(step, hold[0]) and step["operation"] in _LIFTS:
        return Write.LIFTED
    return (
        Write.LESS if hold and any(_less(step, s, catalogue) for s in _of(plan["steps"])) else Write.STRANGE
    )


def _of(steps: Iterable[Tree]) -> list[Tree]:
    return [s for s in steps if s["operation"] in _DOCUMENTS]


def _same(one: Tree, other: Tree) -> bool:
    return (one["name"], one["arn"]) == (other["name"], other["arn"])


def _less(step: Tree, planned: Tree, catalogue: Catalogue) -> bool:
    """Whether a write leaves a document that lies between what stood and what was approved."""
    if not _same(step, planned) or step["before"] != planned["before"] or step["after"] is None:
        return False
    kinds = {step["operation"], planned["operation"]}
    if kinds not in ({"put_inline"}, {"put_inline", "delete_inline"}, {"create_version"}):
        return False
    return between(planned["after"], step["after"], planned["before"], catalogue) == ()
