"""A hold through kills and failed writes: nothing is ever left denied without the ticket saying so, and it ends as planned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from advisor.core.hold import INLINE, MANAGED
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.changes import ROLE, Rehearsal, approve, held, held_inline, roll_back
from tests.scenarios.stage import Stage
from tests.scenarios.test_ticket_deaths import SHARDS, same, swept
from tests.scenarios.test_ticket_faults import FINAL, PASSING, each_write, some

SAYS_SO = {"held", "applying", "rolling_back", "needs_human"}
"""States in which something may stand denied."""


@pytest.fixture
def holding(writing: Stage) -> Stage:
    """The product, proposing seven quiet days."""
    writing.restart(iam_audit_hold_days=7)
    return writing


def stands(state: dict[str, Any]) -> bool:
    """Whether a hold denies the role anything."""
    row = state[ROLE]
    return any(n.startswith(INLINE) for n in row["inline"]) or any(MANAGED in a for a in row["attached"])


def said_so(r: Rehearsal) -> None:
    """What stands denied is said, and what is held stands."""
    assert not stands(r.after) or r.state in SAYS_SO, (r.state, r.said())
    assert r.state != "held" or stands(r.after), r.said()


def days_pass(stage: Stage) -> None:
    """The quiet days are over."""
    stage.now += timedelta(days=7)
    stage.settle()


def both_stages(stage: Stage) -> None:
    """Approved, held, and carried out."""
    approve(stage)
    days_pass(stage)


def as_held(stage: Stage) -> None:
    """A ticket that is held already."""
    held_inline(stage)
    approve(stage)


def a_part_back(stage: Stage) -> None:
    """Bob wants athena back."""
    view = stage.open_form("ticket.rollback", user=story.BOB)
    scope, services = (
        next(b for b in view["blocks"] if b.get("block_id") == name)["element"]["options"]
        for name in ("scope", "services")
    )
    athena = next(o for o in services if o["value"] == "s:athena")
    stage.send_form(
        user=story.BOB, scope={"selected_option": scope[1]}, services={"selected_options": [athena]}
    )


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("prepare", [pytest.param(held_inline, id="inline"), pytest.param(held, id="all")])
@pytest.mark.long
def test_dying_while_it_is_held_and_carried_out(
    holding: Stage, aws: Aws, tmp_path: Path, prepare: Callable[[Stage], None], shard: int
) -> None:
    """Every write once, in both stages, and the hold is gone."""
    rehearsal = Rehearsal(holding, aws, tmp_path, prepare)
    rehearsal.again()
    rehearsal.run(both_stages)
    assert rehearsal.state == "applied", rehearsal.said()
    goal, writes = rehearsal.after, rehearsal.writes()
    assert not stands(goal)

    def right(r: Rehearsal) -> None:
        said_so(r)
        if r.state == "open":  # killed before the press was committed: Slack would deliver it again
            assert r.after == r.before
            return
        if r.state == "held":
            days_pass(r.stage)
        assert r.state == "applied", r.said()
        assert r.after == goal
        assert r.writes() == writes

    assert swept(rehearsal, both_stages, shard, right) > 60


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize(
    ("act", "ends"),
    [
        pytest.param(roll_back, "rolled_back", id="lifted"),
        pytest.param(a_part_back, "held", id="narrowed", marks=pytest.mark.long),
    ],
)
def test_dying_while_it_is_lifted_or_narrowed(
    holding: Stage, aws: Aws, tmp_path: Path, act: Callable[[Stage], None], ends: str, shard: int
) -> None:
    """It ends as asked, or was never acknowledged and nothing is changed."""
    rehearsal = Rehearsal(holding, aws, tmp_path, as_held)
    rehearsal.again()
    rehearsal.run(act)
    assert rehearsal.state == ends, rehearsal.said()
    goal, writes = rehearsal.after, rehearsal.writes()

    def right(r: Rehearsal) -> None:
        said_so(r)
        asked = r.stage.rows("SELECT count(*) AS n FROM press WHERE verb = 'rollback'")[0]["n"]
        assert same(r.after) == same(goal if asked else r.before)
        assert r.state == (ends if asked else "held")
        assert r.writes() == (writes if asked else [])

    assert swept(rehearsal, act, shard, right) > 20


@pytest.mark.parametrize("name", some(PASSING, "reset after the effect"))
def test_a_write_that_loses_its_answer(holding: Stage, aws: Aws, tmp_path: Path, name: str) -> None:
    """Whichever it is, of the hold or of the change: settled by looking, and it ends as planned."""
    holding.settings["patience"] = 0.3 if name == "hang" else 5.0
    rehearsal = Rehearsal(holding, aws, tmp_path, held_inline)
    rehearsal.again()
    rehearsal.run(both_stages)
    goal = rehearsal.after
    for n, hit in each_write(rehearsal, aws, PASSING[name], both_stages, least=3):
        said_so(rehearsal)
        if rehearsal.state == "held":
            days_pass(rehearsal.stage)
        assert rehearsal.state == "applied", (n, hit, rehearsal.said())
        assert rehearsal.after == goal, (n, hit)


@pytest.mark.parametrize("name", some(FINAL, "denied"))
def test_a_write_that_aws_refuses(holding: Stage, aws: Aws, tmp_path: Path, name: str) -> None:
    """The first leaves the ticket approved and nothing denied; a later one needs a person, and both ways out work."""
    rehearsal = Rehearsal(holding, aws, tmp_path, held_inline)
    rehearsal.again()
    rehearsal.run(both_stages)
    goal = rehearsal.after
    for n, hit in each_write(rehearsal, aws, FINAL[name], both_stages, least=3):
        said_so(rehearsal)
        if rehearsal.state == "applied":  # NoSuchEntity on what was to go: it is settled by looking
            assert name == "gone"
            continue
        if n == 1:
            assert rehearsal.state == "approved", (n, hit, rehearsal.said())
            assert rehearsal.after == rehearsal.before
            rehearsal.stage.press("ticket.retry", user=story.BOB, ts=rehearsal.ts)
            days_pass(rehearsal.stage)
        else:
            assert rehearsal.state == "needs_human", (n, hit, rehearsal.said())
            assert f"is denied by {INLINE}1" in rehearsal.said()
            if n % 2:
                rehearsal.stage.open_form("ticket.rollback", user=story.BOB, ts=rehearsal.ts)
                rehearsal.stage.send_form(user=story.BOB)
                assert rehearsal.state == "rolled_back", (n, hit, rehearsal.said())
                assert same(rehearsal.after) == same(rehearsal.before)
                continue
            rehearsal.stage.press("ticket.retry", user=story.BOB, ts=rehearsal.ts)
        assert rehearsal.state == "applied", (n, hit, rehearsal.said())
        assert rehearsal.after == goal, (n, hit)
