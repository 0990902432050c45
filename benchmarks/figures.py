"""What a benchmark hands back, and the few things that several of them need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.sandbox.__main__ import Demo

ROLES = (
    "DBAdminRole",
    "etl-nightly",
    "db-backup",
    "TestRole-DeleteLater",
    "lake-admin",
    "athena-query",
    "lake-reader-1",
    "lake-reader-2",
    "report-writer",
    "AWSReservedSSO_Ops_0a1b2c4d",
    "deploy-service-01",
    "deploy-service-02",
    "deploy-service-03",
    "deploy-service-04",
    "deploy-service-05",
)
"""Roles of the seeded world with 3 to 25 services each, all in the account prod."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `target` is the most it should be, where there is a target."""

    what: str
    value: float
    unit: str
    target: float | None = None

    def line(self) -> tuple[str, str, str, str]:
        """The cells of a table's row."""
        if self.target is None:
            return self.what, f"{self.value:,.4g} {self.unit}", "", ""
        verdict = "met" if self.value <= self.target else "MISSED"
        return self.what, f"{self.value:,.4g} {self.unit}", f"≤ {self.target:g} {self.unit}", verdict


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def resident(pid: int) -> float:
    """Resident memory of a process in megabytes (VmRSS, proc(5))."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123  # a kernel's file, not a path of ours
        line = next(row for row in status if row.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def results(demo: Demo, channel: str) -> int:
    """How many cards of a channel show a result. Reads without copying: it runs while the clock does."""
    return sum(
        "services used" in str(message.get("text", "")) and message.get("thread_ts") in {None, message["ts"]}
        for message in list(demo.slack.state.messages.get(channel, []))
    )
