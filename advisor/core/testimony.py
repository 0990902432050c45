"""What CloudTrail's event history said of a plan, as an auditor gets it: what was asked, what came, what was not seen. Pure.

Its SHA-256 stands in the log from the moment at which it was said, so that a bundle cannot have other words than those.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from advisor.core.replay import DAYS, Fate, Judged, Replay

VERB = "ticket.event_history"
"""The verb of the log's rows, one for each time that it was asked for a ticket."""

SOURCE = "CloudTrail event history: LookupEvents"
OFF = "turned off: IAM_AUDIT_REPLAY_SECONDS=0"

Tree = dict[str, Any]


def tree(replay: Replay | None) -> Tree:
    """As a JSON object; None is a witness that was turned off. Never "nothing found" where nobody was asked."""
    if replay is None:
        return {"source": SOURCE, "not_asked": OFF}
    at = replay.at.isoformat()
    if replay.not_asked:
        return {"source": SOURCE, "at": at, "not_asked": f"{replay.not_asked} is not allowed"}
    return {
        "source": SOURCE,
        "at": at,
        "not_asked": None,
        "asked": {
            "since": (replay.at - timedelta(days=DAYS)).isoformat(),
            "until": at,
            "regions": list(replay.regions),
            "all_enabled_regions_are_known": replay.all_regions,
            "in_each_region": list(replay.asked),
            "looks": replay.looks,
        },
        "kinds_of_call": {fate.value: replay.of(fate) for fate in Fate},
        "calls": _calls(replay.judged),
        "calls_that_are_only_counted": replay.kinds - len(replay.judged),
        "stays_because_of": _calls(replay.turned),
        "not_visible": list(replay.unseen),
        "without_a_whole_answer": [asdict(g) for g in replay.gaps],
    }


def _calls(found: Sequence[Judged]) -> list[Tree]:
    """Each kind of call. In JSON's own types, so that what is read back is what was hashed."""
    return [
        {
            "principal": one.principal,
            "actions": list(one.actions),
            "event": one.event,
            "class": one.fate.value,
            "because": one.because.value if one.because else None,
            "last_at": one.at.isoformat(),
            "last_in": one.region,
            "session": one.session,
            "times": one.count,
        }
        for one in found
    ]


def sha256(told: Tree) -> str:
    """The same for what was read back from a bundle."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def summary(told: Tree) -> str:
    """In a line, for whoever checks a bundle."""
    if told["not_asked"]:
        return f"not asked, {told['not_asked']}"
    counts = told["kinds_of_call"]
    gaps = sum(int(g["looks"]) for g in told["without_a_whole_answer"])
    tail = f"; questions without a whole answer: {gaps} of {told['asked']['looks']}" if gaps else ""
    return (
        f"kinds of call: {sum(counts.values()) + len(told['stays_because_of'])}; would be lost: {counts['lost']}; "
        f"unknown: {counts['unknown']}; something stays for: {len(told['stays_because_of'])}{tail}"
    )
