"""Every write of a change fails in every way; what a plan rests on moves at every moment. What IAM holds afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from advisor.edges.aws import PATIENCE
from tests.sandbox import world as story
from tests.sandbox.aws import Aws, Fault
from tests.scenarios.changes import (
    NAME,
    RDS,
    Rehearsal,
    allow,
    approve,
    everything,
    made_anew,
    quarantine,
    roll_back,
)
from tests.scenarios.stage import Stage
from tests.scenarios.test_ticket_deaths import same

WRITES = ("Put", "Delete", "Attach", "Detach", "Create", "Set")


class Nth:
    """A fault for the n-th write only; knows whether there was one."""

    def __init__(self, n: int, fault: Fault) -> None:
        self.n, self.fault = n, fault
        self.count, self.hit = 0, ""

    def __call__(self, operation: str, phase: str) -> Fault | None:
        if not operation.startswith(WRITES):
            return None
        if phase == "before":
            self.count += 1
        if self.count != self.n or (phase == "after") != (self.fault.drop == "after"):
            return None
        self.hit = operation
        return self.fault


PASSING = {
    "throttled": Fault("*", error="Throttling"),
    "500 before the effect": Fault("*", error="ServiceFailure", status=500),
    "500 after the effect": Fault("*", error="ServiceFailure", status=500, effect=True),
    "reset before the effect": Fault("*", drop="before"),
    "reset after the effect": Fault("*", drop="after"),
    "half an answer": Fault("*", truncate=True),
    "temporarily unmodifiable": Fault("*", error="EntityTemporarilyUnmodifiable", status=409),
    "expired": Fault("*", error="ExpiredToken"),
    "hang": Fault("*", hang=0.6, drop="before"),
}
FINAL = {
    "denied": Fault("*", error="AccessDenied"),
    "limit": Fault("*", error="LimitExceeded", status=409),
    "malformed": Fault("*", error="MalformedPolicyDocument"),
    "gone": Fault("*", error="NoSuchEntity"),
    "unmodifiable": Fault("*", error="UnmodifiableEntity"),
}


def each_write(
    rehearsal: Rehearsal, aws: Aws, fault: Fault, act: Callable[[Stage], None], *, least: int
) -> Iterator[tuple[int, str]]:
    """Run it with the first write failing, then the second, until it ends untouched; the number and the call."""
    for n in range(1, 99):
        rehearsal.again()
        aws.hook = nth = Nth(n, fault)
        rehearsal.run(act)
        aws.hook = None
        if not nth.hit:
            assert n > least
            return
        yield n, nth.hit
    pytest.fail("it never ends untouched")


def some(names: Iterable[str], *often: str) -> list[Any]:
    """These by every `make test`; the others take minutes together and are run by `make sweep`."""
    return [pytest.param(n, marks=() if n in often else pytest.mark.long) for n in names]


@pytest.mark.parametrize("name", some(PASSING, "reset after the effect"))
def test_a_write_that_fails_or_loses_its_answer_is_settled_by_looking(
    writing: Stage, aws: Aws, tmp_path: Path, name: str
) -> None:
    """Whichever write it is: the change ends as planned, and no write took place twice."""
    writing.settings["patience"] = 0.3 if name == "hang" else PATIENCE
    rehearsal = Rehearsal(writing, aws, tmp_path, everything)
    rehearsal.again()
    rehearsal.run(approve)
    goal = rehearsal.after
    for n, hit in each_write(rehearsal, aws, PASSING[name], approve, least=7):
        assert rehearsal.state == "applied", (n, hit, rehearsal.said())
        assert rehearsal.after == goal, (n, hit)
        for arn, row in goal.items():  # a repeat would have made one version more
            if arn.startswith("policy/"):
                assert len(rehearsal.after[arn]["versions"]) == len(row["versions"])  # type: ignore[index]


@pytest.mark.parametrize("name", some(FINAL, "denied"))
def test_a_write_that_aws_refuses_stops_the_change_and_it_can_go_on_or_back(
    writing: Stage, aws: Aws, tmp_path: Path, name: str
) -> None:
    """The first leaves the ticket approved, a later one needs a person; nothing is written over; both ways out work."""
    rehearsal = Rehearsal(writing, aws, tmp_path, everything)
    rehearsal.again()
    rehearsal.run(approve)
    goal = rehearsal.after
    for n, hit in each_write(rehearsal, aws, FINAL[name], approve, least=7):
        if rehearsal.state == "applied":  # NoSuchEntity on what was to go: it is settled by looking
            assert name == "gone"
            assert rehearsal.after == goal
            continue
        assert rehearsal.state == ("approved" if n == 1 else "needs_human"), (n, hit, rehearsal.said())
        if n == 1:
            assert rehearsal.after == rehearsal.before
            assert "nothing" in rehearsal.said().lower()
        stopped = rehearsal.after
        if n % 2 or n == 1:
            rehearsal.stage.press("ticket.retry", user=story.BOB, ts=rehearsal.ts)
            assert rehearsal.state == "applied", (n, rehearsal.said())
            assert rehearsal.after == goal
        else:
            assert stopped != goal
            rehearsal.stage.open_form("ticket.rollback", user=story.BOB, ts=rehearsal.ts)
            rehearsal.stage.send_form(user=story.BOB)
            assert rehearsal.state == "rolled_back", (n, rehearsal.said())
            assert same(rehearsal.after) == same(rehearsal.before)


@pytest.mark.parametrize("name", some([*PASSING, *FINAL], "reset after the effect"))
def test_the_way_back_withstands_the_same(writing: Stage, aws: Aws, tmp_path: Path, name: str) -> None:
    """It ends with everything as it was, at once or after a person's retry."""
    before: dict[str, Any] = {}

    def carried_out(stage: Stage) -> None:
        everything(stage)
        before.update(aws.state(story.PROD))
        approve(stage)

    rehearsal = Rehearsal(writing, aws, tmp_path, carried_out)
    for n, hit in each_write(rehearsal, aws, {**PASSING, **FINAL}[name], roll_back, least=5):
        if rehearsal.state == "needs_human":
            assert name in FINAL, (n, hit, rehearsal.said())
            rehearsal.stage.press("ticket.retry", user=story.BOB, ts=rehearsal.ts)
        assert rehearsal.state == "rolled_back", (n, hit, rehearsal.said())
        assert same(rehearsal.after) == same(before), (n, hit)


# -- what moves ----------------------------------------------------------------------------------------------------


def _iam(aws: Aws) -> Any:
    return aws.client("iam", story.PROD)


def edited(aws: Aws) -> None:
    _iam(aws).put_role_policy(
        RoleName=NAME, PolicyName="base", PolicyDocument=allow("s3:*", "athena:*", "ec2:*")
    )


def one_more_inline(aws: Aws) -> None:
    _iam(aws).put_role_policy(RoleName=NAME, PolicyName="zz-new", PolicyDocument=allow("sns:*"))


def attached(aws: Aws) -> None:
    _iam(aws).attach_role_policy(RoleName=NAME, PolicyArn=f"arn:aws:iam::{story.PROD}:policy/OldTools")


def detached(aws: Aws) -> None:
    _iam(aws).detach_role_policy(RoleName=NAME, PolicyArn=RDS)


def bounded(aws: Aws) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    _iam(aws).put_role_permissions_boundary(RoleName=NAME, PermissionsBoundary=arn)


def another_default(aws: Aws) -> None:
    arn = f"arn:aws:iam::{story.PROD}:policy/ManyOwn"
    iam = _iam(aws)
    now = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    other = next(
        v["VersionId"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"] if v["VersionId"] != now
    )
    iam.set_default_policy_version(PolicyArn=arn, VersionId=other)


def one_more_holder(aws: Aws) -> None:
    _iam(aws).attach_role_policy(
        RoleName="etl-nightly", PolicyArn=f"arn:aws:iam::{story.PROD}:policy/ManyOwn"
    )


def recreated(aws: Aws) -> None:
    made_anew(aws, NAME)


def protected(aws: Aws) -> None:
    _iam(aws).tag_role(RoleName=NAME, Tags=[{"Key": "keep", "Value": "yes"}])


def used(aws: Aws) -> None:
    aws.use(
        story.PROD, f"arn:aws:iam::{story.PROD}:role/{NAME}", "athena", aws.clock() - timedelta(minutes=5)
    )


MOVES: dict[str, tuple[Callable[[Aws], None], str]] = {
    "a document edited": (edited, "base"),
    "an inline policy more": (one_more_inline, "zz-new"),
    "a policy attached": (attached, "OldTools"),
    "a policy detached": (detached, "AmazonRDSFullAccess"),
    "a boundary set": (bounded, "boundary"),
    "another default version": (another_default, "ManyOwn"),
    "one more holder": (one_more_holder, "etl-nightly"),
    "deleted and made again": (recreated, "again"),
    "protected by a tag": (protected, "protect"),
    "the service used": (used, "athena"),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_moves_before_the_first_write_stops_it(
    writing: Stage, aws: Aws, tmp_path: Path, name: str
) -> None:
    """Nothing is written, the card says what moved, and the ticket can be planned anew."""
    writing.restart(iam_audit_protect="tag:keep=yes")
    rehearsal = Rehearsal(writing, aws, tmp_path, everything)
    rehearsal.again()
    move, says = MOVES[name]
    move(aws)
    moved = rehearsal.after
    rehearsal.run(approve)
    assert rehearsal.state == "drifted", rehearsal.said()
    assert rehearsal.after == moved
    assert rehearsal.writes() == []
    assert says in rehearsal.said(), rehearsal.said()
    assert "nothing was written" in rehearsal.said().lower()
    rehearsal.stage.open_form("ticket.replan", ts=rehearsal.ts)


BETWEEN = [n for n in MOVES if n not in {"protected by a tag", "the service used"}]


@pytest.mark.parametrize("name", some(BETWEEN))
def test_what_moves_between_two_writes_stops_it_there(
    writing: Stage, aws: Aws, tmp_path: Path, name: str
) -> None:
    """Before each write after the first: nothing is written over; the ticket says that it is half way."""
    rehearsal = Rehearsal(writing, aws, tmp_path, everything)
    for n in range(2, 99):
        rehearsal.again()
        done: list[str] = []
        count = 0

        def at(operation: str, phase: str, n: int = n, done: list[str] = done) -> None:
            nonlocal count
            if phase == "after" and operation.startswith(WRITES):
                count += 1
                if count == n - 1 and not done:
                    done.append(operation)
                    try:
                        MOVES[name][0](aws)
                    except Exception as error:  # e.g. detaching what this change has detached before
                        done.append(str(error))

        aws.hook = at  # type: ignore[assignment]
        rehearsal.run(approve)
        aws.hook = None
        if not done:
            assert n > 7
            return
        if len(done) > 1:
            continue
        if rehearsal.state == "applied":  # it moved after its own last write, to where the plan wanted it
            assert name == "a policy detached", (n, done, rehearsal.said())
            continue
        assert rehearsal.state == "needs_human", (n, done, rehearsal.said())
        assert "Needs a person" in rehearsal.said()


# -- reads that lag ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reads", [1, 3, 8])
@pytest.mark.parametrize("prepare", [everything, quarantine])
def test_reads_that_lag_behind_a_write_are_waited_for(
    writing: Stage, aws: Aws, tmp_path: Path, prepare: Callable[[Stage], None], reads: int
) -> None:
    """Patience, then the right word: a change is not called done before it is seen, nor drifted because it is not."""
    rehearsal = Rehearsal(writing, aws, tmp_path, prepare)
    rehearsal.again()
    rehearsal.run(approve)
    goal, writes = rehearsal.after, rehearsal.writes()
    rehearsal.again()
    aws.knobs.stale_reads = reads
    rehearsal.run(approve)
    assert rehearsal.state == "applied", rehearsal.said()
    assert rehearsal.after == goal
    assert rehearsal.writes() == writes
    roll_back(rehearsal.stage)
    aws.knobs.stale_reads = 0
    assert rehearsal.state == "rolled_back", rehearsal.said()
    assert same(rehearsal.after) == same(rehearsal.before)
