"""The documented policy of the write role is enough for every kind of step, and for the way back."""

from __future__ import annotations

from pathlib import Path

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.changes import ROLE, only
from tests.scenarios.stage import Stage, words

POLICY = Path(__file__).parents[2] / "docs/iam-write-policy.json"
WRITTEN = {
    "AttachRolePolicy",
    "CreatePolicy",
    "CreatePolicyVersion",
    "DeletePolicy",
    "DeletePolicyVersion",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
    "SetDefaultPolicyVersion",
}


def test_the_documented_policy_carries_a_ticket_out_and_back(writing: Stage, aws: Aws) -> None:
    """Inline, versions, a copy of a shared policy, a detached one; then the role has all of it back."""
    stage = writing
    text = POLICY.read_text("utf-8")
    assert f"arn:aws:iam::{story.PROD}:role/*" in text
    aws.client("iam", story.PROD).put_role_policy(
        RoleName=story.WRITE_ROLE, PolicyName="write", PolicyDocument=text
    )
    only("base", "old", "ManyOwn", "ManyShared", "AmazonS3ReadOnlyAccess", "AmazonRDSFullAccess")(stage)
    before = aws.state(story.PROD)
    aws.calls.clear()
    for who in (story.ALICE, story.CAROL):
        stage.press("ticket.approve", user=who)
    assert stage.card()["metadata"]["event_payload"]["state"] == "applied", words(stage.card())
    assert aws.state(story.PROD)[ROLE] != before[ROLE]
    stage.open_form("ticket.rollback", user=story.CAROL)
    stage.send_form(user=story.CAROL)
    assert stage.card()["metadata"]["event_payload"]["state"] == "rolled_back", words(stage.card())
    assert aws.state(story.PROD)[ROLE] == before[ROLE]
    assert {c.operation for c in aws.calls if c.status == 200} >= WRITTEN
    assert not [c for c in aws.calls if c.status == 403]
