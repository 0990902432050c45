"""Entities that are deleted while their account is swept: what another of the same name did is never told of them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws, Fault
from tests.scenarios.changes import made_anew
from tests.scenarios.stage import Stage, words
from tests.scenarios.test_sweep import GENERATE, generated, state_of, swept

NAME = "DBAdminRole"
GET = "GetServiceLastAccessedDetails"
LIST = "GetAccountAuthorizationDetails"


@pytest.fixture(autouse=True)
def _put_back(aws: Aws) -> Iterator[None]:
    """Other tests have the same AWS."""
    put_back = aws.remember(story.PROD)
    yield
    aws.hook = None
    put_back()


def meanwhile(stage: Stage, operation: str, *, nth: int = 1, again: bool = True) -> None:
    """Right before the nth such call the role is deleted, and made again under its name; the others wait for that."""
    calls, lock = itertools.count(1), threading.Lock()

    def hook(asked: str, phase: str) -> Fault | None:
        if asked == operation and phase == "before":
            with lock:
                if next(calls) == nth:
                    made_anew(stage.aws, NAME, again=again)
        return None

    stage.aws.hook = hook


def of_name(stage: Stage) -> list[tuple[str, bool, int, int]]:
    """Everybody of that name, oldest first: unique id, whether gone, reports, scores."""
    rows = stage.rows(
        "SELECT e.unique_id, e.gone_at IS NOT NULL AS gone, "
        "(SELECT count(*) FROM report WHERE entity_id = e.id) AS reports, "
        "(SELECT count(*) FROM score WHERE entity_id = e.id) AS scores "
        f"FROM entity e WHERE e.arn = 'arn:aws:iam::{story.PROD}:role/{NAME}' ORDER BY e.id"
    )
    return [(r["unique_id"], bool(r["gone"]), r["reports"], r["scores"]) for r in rows]


@pytest.mark.parametrize("operation", [GENERATE, GET], ids=["before its report", "after its report"])
def test_a_namesakes_report_is_not_kept_as_the_old_ones(stage: Stage, operation: str) -> None:
    """It is named as not read, with why; both are known, the old one as gone. The next sweep reads the new one."""
    old = stage.aws.backend(story.PROD).get_role(NAME).id
    meanwhile(stage, operation)
    stage.say("sweep")
    new = stage.aws.backend(story.PROD).get_role(NAME).id
    assert of_name(stage) == [(old, True, 0, 0), (new, False, 0, 0)]
    assert state_of(stage.card()) == "partial"
    assert f"1 entity:  {NAME} (deleted and created again meanwhile" in words(stage.card())
    assert swept(stage)["failed"] == 1
    since = len(stage.aws.calls)
    stage.say("sweep")
    assert set(generated(stage, since)) == {stage.world.arn("role", NAME)}
    assert of_name(stage) == [(old, True, 0, 0), (new, False, 1, 1)]
    assert state_of(stage.card()) == "done"


def test_who_is_deleted_after_its_report_was_read_is_gone(stage: Stage) -> None:
    """Nobody can tell any more whose report it was: it is not kept, and that is no failure."""
    meanwhile(stage, LIST, nth=2, again=False)
    stage.say("sweep")
    ((_, gone, reports, scores),) = of_name(stage)
    assert (gone, reports, scores) == (True, 0, 0)
    assert swept(stage)["gone"] == 1 and state_of(stage.card()) == "done"
    assert "1 entity was deleted meanwhile" in words(stage.card())


def test_a_young_report_of_an_audit_stays(stage: Stage) -> None:
    """An audit looked whose its report is before it stored it; a sweep that uses it takes nothing back."""
    stage.say(f"role {NAME} account=prod")
    meanwhile(stage, GENERATE)
    stage.say("sweep")
    (_, gone, reports, scores), _new = of_name(stage)
    assert (gone, reports, scores) == (True, 1, 1)


def test_a_sweep_that_was_stopped_is_looked_at_by_the_next(stage: Stage) -> None:
    """It ended before anybody looked whose its reports are; the next listing tells."""
    meanwhile(stage, GENERATE)
    assert stage.slack.command(story.ALICE, story.SECURITY, "sweep").ok
    while not stage.rows("SELECT 1 FROM report"):
        stage.beat()
    assert stage.slack.click(story.ALICE, story.SECURITY, "sweep.cancel", ts=stage.card()["ts"]).ok
    stage.settle()
    assert state_of(stage.card()) == "cancelled"
    assert [r[1:] for r in of_name(stage)] == [(False, 1, 1)]
    stage.now += timedelta(minutes=1)
    stage.say("sweep")
    assert [r[1:] for r in of_name(stage)] == [(True, 0, 0), (False, 1, 1)]
    assert state_of(stage.card()) == "done"


def test_where_nobody_can_look_the_account_is_not_done(stage: Stage) -> None:
    """It is tried again; where AWS keeps silent the account has failed, with that call."""
    stage.aws.fail(LIST, error="AccessDenied", skip=1, times=None)
    stage.say("sweep")
    assert state_of(stage.card()) == "partial"
    told = words(stage.card())
    assert "Partial , not certain whose the reports are" in told
    assert "not certain whose the reports are:  AWS refused iam:GetAccountAuthorizationDetails" in told
    stage.aws.faults.clear()
    stage.say("sweep")
    assert state_of(stage.card()) == "done"
