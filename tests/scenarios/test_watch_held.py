"""The watch of a held ticket: what its hold denies is told as that, one press narrows it, and it goes on when it is applied."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from advisor.core.hold import INLINE
from tests.sandbox import world as story
from tests.scenarios.stage import Stage, words
from tests.scenarios.test_watch import buttons, denied, later, press, state, told

ADMIN = f"arn:aws:iam::{story.PROD}:role/DBAdminRole"


@pytest.fixture
def held(writing: Stage) -> Stage:
    """DBAdminRole is held for seven days, and watched."""
    writing.restart(iam_audit_watch_days=14, iam_audit_hold_days=7)
    writing.ticket()
    writing.press("ticket.approve", user=story.CAROL)
    assert state(writing) == "held"
    writing.now += timedelta(minutes=1)
    return writing


def holds(stage: Stage) -> list[str]:
    """What the hold denies."""
    text = stage.aws.state(story.PROD)["role/DBAdminRole"]["inline"].get(f"{INLINE}1")  # type: ignore[index]
    return list(json.loads(text)["Statement"][0]["Action"]) if text else []


def test_the_hold_is_what_denied_it(held: Stage) -> None:
    """By AWS's own sentence; one service of a policy that would go whole is given back, by narrowing the hold."""
    said = denied(held, "rds:DescribeDBInstances", arn=ADMIN)
    assert said.endswith("with an explicit deny in an identity-based policy")
    later(held)
    (one,) = told(held)
    assert "since ticket 1 holds it" in words(one)
    assert "the hold of this ticket denied it, as far as can be told" in words(one)
    assert "rds:*" in holds(held)
    press(held, one, "rds")
    assert state(held) == "held", words(held.card())
    assert "rds:*" not in holds(held) and "redshift:*" in holds(held)
    assert not denied(held, "rds:DescribeDBInstances", arn=ADMIN)
    assert denied(held, "redshift:DescribeClusters", arn=ADMIN)
    assert [k.service for k in held.store.keeps.standing(held.now)] == ["rds"]


def test_what_no_policy_allows_is_not_the_hold_s_doing(held: Stage) -> None:
    """The documents are as they were while only a hold stands: something else denies it."""
    said = "User: x is not authorized to perform: rds:CreateDBInstance on resource: * because no identity-based policy allows the rds:CreateDBInstance action"
    denied(held, "rds:CreateDBInstance", arn=ADMIN, said=said)
    later(held)
    assert not told(held)


def test_it_goes_on_when_the_ticket_is_applied(held: Stage) -> None:
    """The keep of what was given back does not stand in the way; what is denied afterwards is the change's doing."""
    held.aws.trail.regions = ("us-east-1",)
    denied(held, "redshift:DescribeClusters", arn=ADMIN)
    later(held)
    press(held, told(held)[0], "redshift")
    since = held.store.watches.get(1)
    later(held, timedelta(days=7))
    held.settle()
    assert state(held) == "applied", words(held.card())
    watch = held.store.watches.get(1)
    assert watch and since
    assert watch.since == since.since and watch.until > since.until
    assert watch.changed_at and watch.lifted_at
    held.now += timedelta(minutes=5)
    assert not denied(held, "redshift:DescribeClusters", arn=ADMIN)
    said = denied(held, "athena:ListWorkGroups", arn=ADMIN)
    assert "because no identity-based policy allows" in said
    denied(held, "rds:DescribeDBInstances", arn=ADMIN)
    later(held)
    new = told(held)[-1]
    assert "since ticket 1 took it" in words(new)
    assert {"Give back athena", "Give back AmazonRDSFullAccess"} <= buttons(new).keys()
    press(held, new, "athena")
    assert not denied(held, "athena:ListWorkGroups", arn=ADMIN)


def test_what_was_told_of_a_hold_can_still_be_given_back(held: Stage) -> None:
    """The button under an old message does what it can do now: the policy, where the service was held."""
    denied(held, "rds:DescribeDBInstances", arn=ADMIN)
    later(held)
    (one,) = told(held)
    held.press("ticket.finish", user=story.CAROL)
    if state(held) == "held":  # somebody tried what is held: it goes on all the same
        held.press("ticket.finish", user=story.CAROL)
    assert state(held) == "applied", words(held.card())
    later(held, timedelta(minutes=1))
    assert "rds" in next(label for label in buttons(one) if label.startswith("Give back"))
    press(held, one, "rds")
    assert not denied(held, "rds:DescribeDBInstances", arn=ADMIN)


def test_a_hold_that_is_lifted_is_watched_no_more(held: Stage) -> None:
    """Without a word."""
    held.open_form("ticket.rollback", user=story.BOB)
    held.send_form(user=story.BOB)
    assert state(held) == "rolled_back"
    count = len(held.thread())
    denied(held, "rds:DescribeDBInstances", arn=ADMIN, said="AWS does not say")
    later(held)
    assert len(held.thread()) == count
    watch = held.store.watches.get(1)
    assert watch and watch.ended_at


def test_a_quarantine(writing: Stage) -> None:
    """AWSDenyAll denies all of it, and AWS names its ARN; giving back ends the quarantine."""
    stage = writing
    stage.restart(iam_audit_watch_days=14)
    stage.say("role TestRole-DeleteLater")
    view = stage.open_form()
    scope = next(b for b in view["blocks"] if b.get("block_id") == "scope")["element"]["options"][1]
    stage.send_form(reason={"value": "left over"}, scope={"selected_option": scope})
    stage.press("ticket.approve", user=story.CAROL)
    assert state(stage) == "applied"
    stage.now += timedelta(minutes=1)
    arn = f"arn:aws:iam::{story.PROD}:role/TestRole-DeleteLater"
    sentence = denied(stage, "sns:ListTopics", arn=arn, said="")
    denied(stage, "sns:ListTopics", arn=arn, said=f"{sentence}: arn:aws:iam::aws:policy/AWSDenyAll")
    denied(stage, "rds:DescribeDBInstances", arn=arn)  # it never had rds
    later(stage)
    (one,) = told(stage)
    assert "since ticket 1 quarantined it" in words(one)
    assert "AWS names its policy, arn:aws:iam::aws:policy/AWSDenyAll" in words(one)
    assert "rds" not in words(one)
    press(stage, one, "everything")
    assert state(stage) == "rolled_back"
    assert not denied(stage, "sns:ListTopics", arn=arn)


def test_what_was_heard_stops_the_change_at_the_end_unless_it_is_not_needed(held: Stage) -> None:
    """Be it from a queue, with event history turned off: a person is asked, by what the watch has judged."""
    held.aws.trail.regions = ("us-east-1",)
    denied(held, "redshift:DescribeClusters", arn=ADMIN)
    denied(held, "athena:ListWorkGroups", arn=ADMIN, said="User: x is not authorized to perform: athena:ListWorkGroups on resource: * with an explicit deny in a service control policy")  # fmt: skip
    later(held)
    (one,) = told(held)
    later(held, timedelta(days=7))
    held.settle()
    assert state(held) == "held"
    said = words(held.card())
    assert "redshift:DescribeClusters was called" in said and "athena:ListWorkGroups" not in said
    held.open_form("ticket.notneeded", user=story.CAROL, ts=one["ts"])
    held.send_form(user=story.CAROL, reason={"value": "a scanner"})
    denied(held, "dax:DescribeClusters", arn=ADMIN)
    held.press("ticket.finish", user=story.BOB)
    assert state(held) == "held", "what nobody was asked about is not waved through"
    assert "dax:DescribeClusters was called" in words(held.card())
    held.press("ticket.finish", user=story.BOB)
    assert state(held) == "applied", words(held.card())
