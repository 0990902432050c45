"""The life of a ticket, through Bolt's dispatcher, boto3 and SQLite: what IAM holds afterwards, all of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from tests.sandbox import aws_policies
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.stage import Stage, words

ROLE = "role/DBAdminRole"


def differences(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """What is not as it was."""
    return {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}


def services(state: dict[str, Any], policy: str = "db-admin-inline", role: str = ROLE) -> set[str]:
    """The services of a role's inline policy."""
    text = state[role]["inline"].get(policy)
    return (
        {a.partition(":")[0] for s in json.loads(text)["Statement"] for a in s["Action"]} if text else set()
    )


def state_of(card: dict[str, Any]) -> str:
    return str(card["metadata"]["event_payload"]["state"])


def test_the_whole_way_and_back(writing: Stage, aws: Aws) -> None:
    """Opened, approved by another, carried out as planned; the next audit shows it; rolled back to the byte."""
    stage, before = writing, aws.state(story.PROD)
    card = stage.ticket()
    assert state_of(card) == "open"
    assert "remove 20 of 25 services from DBAdminRole" in words(card)
    assert aws.state(story.PROD) == before

    stage.press("ticket.approve", user=story.ALICE)
    assert state_of(stage.card()) == "open"
    stage.press("ticket.approve", user=story.CAROL)
    assert state_of(stage.card()) == "applied", words(stage.card())
    after = aws.state(story.PROD)
    assert differences(before, after) == {ROLE}
    assert services(after) == {"dynamodb", "s3", "secretsmanager"}
    assert after[ROLE]["attached"] == [a for a in before[ROLE]["attached"] if "RDSFullAccess" not in a]

    ticket = stage.card()["ts"]
    stage.say("role DBAdminRole")
    assert "2 of 5 services used" in words(stage.card()), words(stage.card())

    stage.open_form("ticket.rollback", user=story.BOB, ts=ticket)
    stage.send_form(user=story.BOB)
    assert state_of(next(c for c in stage.cards() if c["ts"] == ticket)) == "rolled_back"
    assert aws.state(story.PROD) == before
    stage.say("role DBAdminRole")
    assert "2 of 25 services used" in words(stage.card())


def test_a_narrower_policy_of_aws_is_attached_where_one_fits_exactly(writing: Stage, aws: Aws) -> None:
    """One that an audit has met; but not where AWS has changed its text since: then the bot makes its own."""
    stage, iam = writing, aws.client("iam", story.PROD)
    backend = aws.backend(story.PROD)
    wide = aws_policies.add_one(backend, story.PROD, "AmazonWide", ["athena:*", "dax:*"])
    exact = aws_policies.add_one(backend, story.PROD, "AmazonExact", ["athena:*"])
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    for name, arn in (("has-exact", exact), ("has-wide-1", wide), ("has-wide-2", wide)):
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
        role = next(r for r in backend.roles.values() if r.name == name)
        role.create_date = stage.now - timedelta(days=900)
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        aws.use(story.PROD, made["Arn"], "athena", stage.now - timedelta(days=2))
    stage.say("role has-exact")

    def instead(role: str) -> list[str]:
        stage.say(f"role {role}")
        view = stage.open_form()
        options = next(b for b in view["blocks"] if b.get("block_id") == "ask")["element"]["options"]
        stage.send_form(reason={"value": "narrower"}, ask={"selected_options": options})
        stage.press("ticket.approve", user=story.CAROL)
        assert state_of(stage.card()) == "applied", words(stage.card())
        return list(aws.state(story.PROD)[f"role/{role}"]["attached"])  # type: ignore[index]

    assert instead("has-wide-1") == [exact]
    aws_policies.add_one(backend, story.PROD, "AmazonExact", ["athena:*", "sns:*"], version="v2")
    assert instead("has-wide-2") == [f"arn:aws:iam::{story.PROD}:policy/IAMAudit-has-wide-2-t2"]
