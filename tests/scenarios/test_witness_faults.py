"""Deaths and faults with the witnesses turned on: while a ticket is planned, and at the last look before its first write.

The n-th point or call, n = 1, 2, 3… until the flow ends untouched; the short form takes every few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws, Fault
from tests.scenarios.changes import Rehearsal, approve
from tests.scenarios.stage import Points, Stage, words
from tests.scenarios.test_proof import ALL, permit
from tests.scenarios.test_replay import SMALL, happen, services
from tests.scenarios.test_ticket_faults import FINAL, PASSING, PATIENCE, WRITES

EVERY = [
    pytest.param(4, 16, id="some"),
    *(pytest.param(n, 3, id=f"{n}", marks=pytest.mark.long) for n in range(3)),
]
"""Where a sweep begins, and its steps: one of the short form, three that are every point together."""


@pytest.fixture
def asking(writing: Stage, aws: Aws) -> Stage:
    """Both witnesses on, everything allowed, one Region."""
    permit(aws, *ALL)
    aws.trail.regions = ("us-east-1",)
    writing.restart(iam_audit_replay_seconds=60, iam_audit_access_analyzer="on")
    return writing


def form_sent(stage: Stage) -> None:
    """A ticket is asked for; one of its services was called. The worker has not begun."""
    happen(stage, "ecs", "ListClusters")
    stage.say(SMALL)
    stage.open_form()
    assert stage.slack.submit(story.ALICE, {"reason": {"value": "clean-up"}}).ok


def opened(stage: Stage) -> None:
    """A ticket stands; nobody has called anything that it takes."""
    stage.ticket(SMALL)


def called_since(stage: Stage) -> None:
    """A ticket stands, and what it takes is called before it is approved."""
    stage.ticket(SMALL)
    happen(stage, "ecs", "ListClusters", days=0)


def beats(stage: Stage) -> None:
    stage.settle()


def seen(r: Rehearsal) -> list[str]:
    """What the log has of event history."""
    rows = r.stage.rows("SELECT verb FROM log WHERE verb = 'ticket.event_history'")
    return [x["verb"] for x in rows]


def told(r: Rehearsal, what: str) -> int:
    """Replies of the thread that begin so."""
    return sum(what in m["text"] for m in r.stage.thread())


def dying(
    r: Rehearsal, act: Callable[[Stage], None], first: int, step: int, right: Callable[[], None]
) -> int:
    """Die at the n-th point; how many points there are."""
    n = first + 1
    while True:
        r.again()
        points = Points(n)
        r.run(act, points)
        try:
            right()
            assert r.stage.store.log.verify()[2] is None
        except AssertionError as error:
            raise AssertionError(f"died at point {n}: {points.trace[n - 1 : n]}: {error}") from error
        if points.count < n:
            return points.count
        n += step


@pytest.mark.parametrize(("first", "step"), EVERY)
def test_dying_while_it_is_planned(asking: Stage, aws: Aws, tmp_path: Path, first: int, step: int) -> None:
    """One ticket stands, without what was called; each witness is told once, and the log has its words once."""
    r = Rehearsal(asking, aws, tmp_path, form_sent)

    def right() -> None:
        assert r.state == "open"
        assert services(asking) == {"ecr", "logs"}
        assert len(asking.cards()) == 2
        assert told(r, "Ticket 1, CloudTrail") == told(r, "what AWS says of the new documents") == 1
        assert len(seen(r)) == 1

    assert dying(r, beats, first, step, right) > 20


@pytest.mark.parametrize(("first", "step"), EVERY)
def test_dying_at_the_last_look(asking: Stage, aws: Aws, tmp_path: Path, first: int, step: int) -> None:
    """It is carried out once, as without the death."""
    r = Rehearsal(asking, aws, tmp_path, opened)
    r.again()
    r.run(approve)
    assert r.state == "applied", r.said()
    goal, writes = r.after, r.writes()

    def right() -> None:
        if r.state == "open":  # killed before the press was committed: Slack would deliver it again
            assert r.after == r.before
            return
        assert (r.state, r.after, r.writes()) == ("applied", goal, writes)
        assert len(seen(r)) >= 2

    assert dying(r, approve, first, step, right) > 40


@pytest.mark.parametrize(("first", "step"), EVERY)
def test_dying_where_a_call_stops_it(asking: Stage, aws: Aws, tmp_path: Path, first: int, step: int) -> None:
    """Whatever a kill leaves of what was read: nothing is written."""
    r = Rehearsal(asking, aws, tmp_path, called_since)

    def right() -> None:
        assert r.after == r.before and r.writes() == []
        assert r.state in {"open", "drifted"}
        if r.state == "drifted":
            assert "ecs:ListClusters was called" in r.said()
            assert told(r, "Ticket 1, moved") == 1

    assert dying(r, approve, first, step, right) > 20


class Nth:
    """A fault for the n-th call that is no write; knows which it was."""

    def __init__(self, n: int, fault: Fault) -> None:
        self.n, self.fault = n, fault
        self.count, self.hit = 0, ""

    def __call__(self, operation: str, phase: str) -> Fault | None:
        if operation.startswith(WRITES):
            return None
        if phase == "before":
            self.count += 1
        if self.count != self.n or (phase == "after") != (self.fault.drop == "after"):
            return None
        self.hit = operation
        return self.fault


def failing(r: Rehearsal, act: Callable[[Stage], None], fault: Fault, step: int) -> Iterator[tuple[int, str]]:
    """Run it with the n-th call failing, until it ends untouched; the number and the call."""
    for n in range(1, 999, step):
        r.again()
        r.aws.hook = nth = Nth(n, fault)
        r.run(act)
        r.aws.hook = None
        if not nth.hit:
            assert n > 8
            return
        yield n, nth.hit
    pytest.fail("it never ends untouched")


KINDS = {**PASSING, **FINAL}
WITNESSES = {"LookupEvents", "DescribeRegions", "ValidatePolicy", "CheckNoNewAccess", "CheckAccessNotGranted"}
FAULTS = [
    pytest.param(
        name, 6 if name == "denied" else 1, id=name, marks=() if name == "denied" else pytest.mark.long
    )
    for name in KINDS
]


@pytest.mark.parametrize(("name", "step"), FAULTS)
def test_a_call_that_fails_while_it_is_planned(
    asking: Stage, aws: Aws, tmp_path: Path, name: str, step: int
) -> None:
    """What a witness heard counts, what it did not hear is said, and neither ever stands in a ticket's way."""
    asking.settings["patience"] = 0.3 if name == "hang" else PATIENCE
    r = Rehearsal(asking, aws, tmp_path, form_sent)
    for n, hit in failing(r, beats, KINDS[name], step):
        case = (n, hit, name)
        if r.state == "void":
            assert name in FINAL and hit not in WITNESSES, case
            continue
        assert r.state == "open", case
        if services(asking) != {"ecr", "logs"}:
            assert services(asking) == {"ecs", "ecr", "logs"} and hit == "LookupEvents", case
            assert unheard(r), case


@pytest.mark.parametrize(("name", "step"), FAULTS)
def test_a_call_that_fails_at_the_last_look(
    asking: Stage, aws: Aws, tmp_path: Path, name: str, step: int
) -> None:
    """What was called stops it, unless nobody heard of it: then that is said."""
    asking.settings["patience"] = 0.3 if name == "hang" else PATIENCE
    r = Rehearsal(asking, aws, tmp_path, called_since)
    for n, hit in failing(r, approve, KINDS[name], step):
        case = (n, hit, name, r.said())
        if r.state == "applied":
            assert hit == "LookupEvents" and unheard(r), case
            continue
        assert r.state in {"drifted", "approved"} and r.after == r.before, case
        assert r.state == "drifted" or (name in FINAL and hit not in WITNESSES), case


def unheard(r: Rehearsal) -> bool:
    """Whether the card or its thread says that a question has no whole answer."""
    said = " ".join(words(m) for m in (r.stage.card(), *r.stage.thread()))
    return "without a whole answer" in said or "not asked: cloudtrail" in said
