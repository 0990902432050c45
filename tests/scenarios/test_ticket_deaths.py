"""The process is killed before and after every call and commit of a change, and of its way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.aws import Aws
from tests.scenarios.changes import (
    Rehearsal,
    approve,
    everything,
    inline,
    quarantine,
    replacement,
    roll_back,
    version,
)
from tests.scenarios.stage import Points, Stage

SHARDS = 2
"""Parts that a sweep is cut into, so that several workers share it; together they are every point."""


def plans(*often: str) -> list[Any]:
    """Every kind of plan; those that are not named here are left to `make sweep`, which takes them all."""
    every = {
        "inline": inline,
        "version": version,
        "replacement": replacement,
        "quarantine": quarantine,
        "everything": everything,
    }
    return [
        pytest.param(plan, id=name, marks=() if name in often else pytest.mark.long)
        for name, plan in every.items()
    ]


def swept(
    rehearsal: Rehearsal,
    act: Callable[[Stage], None],
    shard: int,
    right: Callable[[Rehearsal], None],
) -> int:
    """Die at the n-th point for every n of this shard, until the flow ends untouched."""
    n, total = shard + 1, 0
    while not total:
        rehearsal.again()
        points = Points(n)
        rehearsal.run(act, points)
        try:
            right(rehearsal)
        except AssertionError as error:
            raise AssertionError(f"died at point {n}: {points.trace[-1]}: {error}") from error
        if points.count < n:
            total = points.count
        n += SHARDS
    return total


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("prepare", plans("inline"))
def test_dying_while_it_is_carried_out(
    writing: Stage, aws: Aws, tmp_path: Path, prepare: Callable[[Stage], None], shard: int
) -> None:
    """It finishes after the restart, with every write made once; or it was never acknowledged and nothing is changed."""
    rehearsal = Rehearsal(writing, aws, tmp_path, prepare)
    rehearsal.again()
    rehearsal.run(approve)
    assert rehearsal.state == "applied", rehearsal.said()
    goal, writes = rehearsal.after, rehearsal.writes()

    def right(r: Rehearsal) -> None:
        if r.state == "open":  # killed before the press was committed: Slack would deliver it again
            assert r.after == r.before
            return
        assert r.state == "applied", r.said()
        assert r.after == goal
        assert r.writes() == writes

    assert swept(rehearsal, approve, shard, right) > 40


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("prepare", plans("quarantine"))
def test_dying_on_the_way_back(
    writing: Stage, aws: Aws, tmp_path: Path, prepare: Callable[[Stage], None], shard: int
) -> None:
    """Everything is as it was, each document to the byte."""
    before = {}

    def carried_out(stage: Stage) -> None:
        prepare(stage)
        before.update(aws.state(rehearsal_account))
        approve(stage)

    rehearsal_account = "111111111111"
    rehearsal = Rehearsal(writing, aws, tmp_path, carried_out)

    def right(r: Rehearsal) -> None:
        if r.state == "applied":
            assert r.after == r.before
            return
        assert r.state == "rolled_back", r.said()
        assert same(r.after) == same(before)

    assert swept(rehearsal, roll_back, shard, right) > 20


def same(state: dict[str, object]) -> dict[str, object]:
    """A state without the numbers of versions: AWS never gives one twice."""
    told = {}
    for key, row in state.items():
        if key.startswith("policy/") and isinstance(row, dict):
            default = row["versions"][row["default"]]
            told[key] = {**row, "versions": sorted(row["versions"].values()), "default": default}
        else:
            told[key] = row
    return told
