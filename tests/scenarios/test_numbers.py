"""What was removed, is held and came back, in digests and Home; and holds that no ticket holds, in digests and `check`."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from advisor.core.hold import INLINE
from advisor.core.numbers import Numbers
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.digesting import digests, flat
from tests.scenarios.stage import Stage
from tests.scenarios.test_home import look
from tests.test_check import checked, ready

__all__ = ["ready"]

ROLE = "deploy-service-01"


def back(stage: Stage, ts: str, *services: str) -> None:
    """Bob gives these back; everything where none is named."""
    view = stage.open_form("ticket.rollback", user=story.BOB, ts=ts)
    if not services:
        stage.send_form(user=story.BOB)
        return
    scope, options = (
        next(b for b in view["blocks"] if b.get("block_id") == name)["element"]["options"]
        for name in ("scope", "services")
    )
    chosen = [o for o in options if any(s in o["text"]["text"] for s in services)]
    stage.send_form(
        user=story.BOB, scope={"selected_option": scope[1]}, services={"selected_options": chosen}
    )


def counted(stage: Stage, *accounts: str) -> Numbers:
    return stage.store.counted.numbers(stage.now - timedelta(days=90), accounts or None)


def test_what_was_removed_and_came_back(writing: Stage) -> None:
    """In permissions, with a rate, for the accounts of a digest and for everybody's Home."""
    stage = writing
    assert counted(stage) == Numbers()
    stage.ticket()
    stage.press("ticket.approve", user=story.CAROL)
    assert counted(stage) == Numbers(removed=20)
    first = stage.card()["ts"]
    back(stage, first, "athena", "AmazonRDSFullAccess")
    assert counted(stage) == Numbers(removed=20, given=1 + 9, back=10)
    stage.ticket(f"role {ROLE}")
    stage.press("ticket.approve", user=story.CAROL)
    back(stage, stage.card()["ts"])
    assert counted(stage) == Numbers(removed=23, given=10, rolled=3, back=13)
    assert counted(stage, story.DEV) == Numbers()
    stage.restart(iam_audit_hold_days=7)
    stage.ticket("role deploy-service-02")
    stage.press("ticket.approve", user=story.CAROL)
    said = "23 removed, 3 held now, 10 given back, 3 rolled back: 565 came back per 1,000 removed"
    assert f"Permissions in 90 days: {said}." in look(stage, story.ALICE)
    stage.say("digest now")
    assert f"In permissions: {said}" in flat(digests(stage)[-1])
    stage.now += timedelta(days=91)
    assert counted(stage).removed == 0


def test_nothing_counts_twice(writing: Stage) -> None:
    """Given back, then the rest rolled back; given back while held, then carried out; a hold lifted in parts."""
    stage = writing
    stage.ticket()
    stage.press("ticket.approve", user=story.CAROL)
    ts = stage.card()["ts"]
    back(stage, ts, "athena", "AmazonRDSFullAccess")
    back(stage, ts)
    assert counted(stage) == Numbers(removed=20, given=10, rolled=10, back=20)
    stage.restart(iam_audit_hold_days=7)
    stage.ticket("role deploy-service-02")
    stage.press("ticket.approve", user=story.CAROL)
    ts = stage.card()["ts"]
    back(stage, ts, "ecs")
    assert counted(stage).held == 2
    stage.press("ticket.finish", user=story.BOB, ts=ts)
    assert counted(stage) == Numbers(removed=22, given=11, rolled=10, back=20)
    stage.ticket(f"role {ROLE}")
    stage.press("ticket.approve", user=story.CAROL)
    ts = stage.card()["ts"]
    back(stage, ts, "ecs")
    back(stage, ts, "ecr", "logs")
    assert counted(stage) == Numbers(removed=22, given=12, rolled=12, back=20)


def leave(aws: Aws, number: int | str) -> None:
    """Somebody restored an older database: a hold stands, and its ticket is not known."""
    text = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    aws.client("iam", story.PROD).put_role_policy(
        RoleName=ROLE, PolicyName=f"{INLINE}{number}", PolicyDocument=json.dumps(text)
    )


def test_a_hold_without_a_ticket_is_named(writing: Stage, aws: Aws, ready: pytest.MonkeyPatch) -> None:
    """As the entity was read last; the digest and `check` say whose it is and what to do."""
    assert checked(0, "holds: ") == ["ok    holds: 0 held, none without its ticket"]
    leave(aws, 77)
    writing.say(f"role {ROLE}")
    (line,) = checked(1, "holds: ")
    assert line.startswith(f"FAIL  holds: {INLINE}77 on role {ROLE} in {story.PROD}: no ticket holds it")
    writing.say("digest now")
    assert f"{INLINE}77 still denies role {ROLE} in {story.PROD} what a ticket held" in flat(
        digests(writing)[-1]
    )
    aws.client("iam", story.PROD).delete_role_policy(RoleName=ROLE, PolicyName=f"{INLINE}77")
    writing.say(f"role {ROLE} fresh")
    assert checked(0, "holds: ")


def test_a_hold_that_stands_is_its_ticket_s(writing: Stage, ready: pytest.MonkeyPatch) -> None:
    """Nor is one that was lifted since it was read."""
    writing.restart(iam_audit_hold_days=7)
    writing.ticket(f"role {ROLE}")
    writing.press("ticket.approve", user=story.CAROL)
    ts = writing.card()["ts"]
    writing.now += timedelta(minutes=5)
    writing.say(f"role {ROLE} fresh")
    assert checked(0, "holds: ") == ["ok    holds: 1 held, none without its ticket"]
    writing.now += timedelta(minutes=5)
    back(writing, ts)
    assert checked(0, "holds: ") == ["ok    holds: 0 held, none without its ticket"]


def test_holds_are_found_by_an_index(writing: Stage) -> None:
    """Not by reading every policy that was ever stored."""
    from advisor.edges.store.numbers import LOOSE

    plan = [r["detail"] for r in writing.rows(f"EXPLAIN QUERY PLAN {LOOSE}")]
    assert not any(p.startswith("SCAN p") for p in plan), plan


def test_a_ticket_of_that_number_on_another_entity_hides_nothing(
    writing: Stage, aws: Aws, ready: pytest.MonkeyPatch
) -> None:
    """After a restored database numbers come round again."""
    writing.restart(iam_audit_hold_days=7)
    writing.ticket("role deploy-service-02")
    writing.press("ticket.approve", user=story.CAROL)
    leave(aws, 1)
    writing.say(f"role {ROLE}")
    (line,) = checked(1, "holds: ")
    assert f"{INLINE}1 on role {ROLE}" in line


def test_a_policy_that_only_begins_like_a_hold_is_somebody_s_own(
    writing: Stage, aws: Aws, ready: pytest.MonkeyPatch
) -> None:
    """Nobody is told to delete it."""
    leave(aws, "notes")
    writing.say(f"role {ROLE}")
    assert checked(0, "holds: ") == ["ok    holds: 0 held, none without its ticket"]
