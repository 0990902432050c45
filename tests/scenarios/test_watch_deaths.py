"""The process is killed at every commit, call and answer from hearing to saying, and of a give back."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox import denials
from tests.sandbox import world as story
from tests.scenarios.stage import Died, Points, Stage, worlds
from tests.scenarios.test_watch import buttons, denied, inline, later, queued, state, told, watched

__all__ = ["queued", "watched"]


def strides(some: int) -> list[Any]:
    """Every so manieth point, and in `make sweep` each one."""
    return [pytest.param(some, id="some"), pytest.param(1, id="all", marks=pytest.mark.long)]


class Kept:
    """The database, Slack and IAM as they are, to begin from again and again; the bot is not begun."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.now = stage, stage.now
        self._messages = copy.deepcopy(stage.slack.state.messages)
        self._events = list(stage.aws.trail.events)
        self._put_back = stage.aws.remember(story.PROD)
        stage.end()
        self._template = stage.path.with_name("template.db")
        shutil.copy(stage.path, self._template)

    def again(self, n: int) -> None:
        stage = self.stage
        stage.end()
        stage.now = self.now
        stage.path = stage.path.with_name(f"again{n}.db")
        shutil.copy(self._template, stage.path)
        self._put_back()
        stage.aws.trail.rewind(self._events)
        stage.slack.state.messages.clear()
        stage.slack.state.messages.update(copy.deepcopy(self._messages))
        stage.settings["iam_audit_denied_queue"] = denials.queue(stage.aws, story.PROD)


def swept(
    stage: Stage,
    stride: int,
    before: Callable[[], None],
    act: Callable[[], None],
    right: Callable[[list[str]], None],
) -> int:
    """Die at the n-th point of `act`, start again, and see that all is right; until it ends untouched."""
    kept = Kept(stage)
    n = 1
    while True:
        kept.again(n)
        before()
        points = Points(n)
        try:
            with worlds(points):
                stage.begin()
                act()
        except Died:
            stage.restart()
        else:
            points.at = None
        for _ in range(2):
            later(stage, timedelta(minutes=16))
        try:
            right(points.trace if points.at else [])
        except AssertionError as error:
            raise AssertionError(f"died at point {n}: {points.trace[-1]}: {error}") from error
        if not points.at:
            return points.count
        n += stride


@pytest.mark.parametrize("stride", strides(11))
def test_dying_between_hearing_and_saying(queued: Stage, stride: int) -> None:
    """Two events, one in the queue and in history, one in history alone: told once, or twice where Slack's answer was lost."""

    def happens() -> None:
        denied(queued, url=queued.settings["iam_audit_denied_queue"])
        denied(queued, "ecr:ListImages")

    def heard() -> None:
        for _ in range(4):
            queued.beat()
            queued.now += timedelta(seconds=5)

    def right(died: list[str]) -> None:
        rows = queued.rows("SELECT actions, count FROM hit ORDER BY id")
        assert sorted((r["actions"], r["count"]) for r in rows) == [
            ('["ecr:ListImages"]', 1),
            ('["ecs:ListClusters"]', 1),
        ]
        assert queued.rows("SELECT count(*) AS n FROM denied")[0]["n"] == 2
        assert len(queued.rows("SELECT 1 FROM notice WHERE surface = 'ticket.denied'")) in {1, 2}
        said = [tuple(sorted(buttons(m))) for m in told(queued)]
        if not any("chat.postMessage" in point for point in died[-2:]):
            assert len(said) == len(set(said)), said
        assert {label for labels in said for label in labels} >= {"Give back ecs", "Give back ecr"}

    assert swept(queued, stride, happens, heard, right) > 15


@pytest.mark.parametrize("stride", strides(19))
def test_dying_while_something_is_given_back(queued: Stage, stride: int) -> None:
    """It is back, kept, and settled; or the press was never acknowledged and nothing is changed."""
    denied(queued)
    later(queued)
    (one,) = told(queued)
    without = inline(queued)

    def give() -> None:
        row, ts = buttons(one)["Give back ecs"], one["ts"]
        queued.slack.click(story.CAROL, story.SECURITY, "ticket.giveback", ts=ts, block_id=row)
        queued.settle()

    def right(died: list[str]) -> None:
        open_: list[Any] = queued.rows("SELECT 1 FROM hit WHERE closed_at IS NULL")
        keeps = queued.store.keeps.standing(queued.now)
        assert state(queued) == "applied"
        if open_:  # killed before the press was committed: Slack would deliver it again
            assert died and inline(queued) == without and not keeps
            return
        assert "ecs:*" in inline(queued) and "ecr" not in inline(queued)
        assert [k.service for k in keeps] == ["ecs"]
        assert queued.rows("SELECT given FROM ticket")[0]["given"] == '["ecs"]'

    assert swept(queued, stride, lambda: None, give, right) > 15
