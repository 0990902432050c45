"""What a person reads of risk: the audit card's order and numbers, a ticket's "Closes", through Bolt, boto3 and SQLite."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.stage import Stage, words
from tests.worlds import allow, document

WAY = "iam:PassRole + lambda:CreateFunction: could run code as any role it may pass"
PASSES = document(
    allow("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction", "sns:Publish", "s3:GetObject")
)
TWICE = document(allow("lambda:*", Sid="Again"))


def make_role(stage: Stage, aws: Aws, *documents: str, uses: str = "s3") -> str:
    """A role of 900 days with these inline policies, which used one service the day before."""
    iam = aws.client("iam", story.PROD)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    arn: str = iam.create_role(RoleName="builder", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    role = next(r for r in aws.backend(story.PROD).roles.values() if r.name == "builder")
    role.create_date = stage.now - timedelta(days=900)
    for n, text in enumerate(documents):
        iam.put_role_policy(RoleName="builder", PolicyName=f"own-{n}", PolicyDocument=text)
    aws.use(story.PROD, arn, uses, stage.now - timedelta(days=1))
    return arn


def diff(stage: Stage) -> str:
    """What the reply says that shows the diff now; the file that follows it says nothing."""
    stage.press("ticket.diff")
    return [said for message in stage.thread() if (said := words(message))][-1]


def test_a_card_says_what_to_remove_first_and_what_that_is_worth(stage: Stage) -> None:
    """Riskiest first, not by the alphabet; the line where a few of many are most of it; two numbers of the role."""
    stage.say("role DBAdminRole")
    said = words(stage.card())
    assert "Could go, riskiest first:  redshift, kms, logs, rds, sns, cloudwatch, " in said
    assert "The first 5 removals take away 80 % of the risk:  secrets, KMS keys, exposure of data" in said
    assert "10 of 40 privileged actions   in used services, 25 % (of all services 8 %)" in said
    assert "safe" not in said.lower()


@pytest.mark.parametrize(
    ("text", "says", "says_not"),
    [
        ("role DBAdminRole actions", "0 of 40 privileged actions   used, 0 %", "away"),
        ("role DBAdminRole actions", "6 cannot be told", "in used services"),
        ("role DBAdminRole actions", "Could go, riskiest first:  redshift:GetClusterCredentials, ", "away"),
        ("group data-engineers", "Could go, riskiest first:  cloudformation, codebuild, batch", "away"),
        ("role OrgAdmin", "116 of 245 privileged actions   in used services, 47 %", "riskiest"),
        ("role report-writer", "privileged action", "riskiest"),
        ("role TestRole-DeleteLater", "3 services", "take away"),
    ],
)
def test_the_lines_stand_where_they_say_something(stage: Stage, text: str, says: str, says_not: str) -> None:
    """No share where all weigh alike or there are few; an action report knows what was used exactly."""
    stage.say(text)
    said = words(stage.card())
    assert says in said, said
    assert says_not not in said, said


def test_a_ticket_names_what_its_plan_closes(writing: Stage, aws: Aws) -> None:
    """On the card while it waits, in the diff, in the diff of what was done; after a roll back nothing is closed."""
    stage = writing
    make_role(stage, aws, PASSES)
    card = stage.ticket("role builder")
    assert f"Closes:  {WAY}" in words(card), words(card)

    assert f"Closes:  {WAY}" in diff(stage)
    stage.press("ticket.approve", user=story.ALICE)
    stage.press("ticket.approve", user=story.CAROL)
    left = json.loads(aws.state(story.PROD)["role/builder"]["inline"]["own-0"])["Statement"]
    assert [s["Action"] for s in left] == [["iam:PassRole", "s3:GetObject"]]
    assert f"Closed:  {WAY}" in diff(stage)

    stage.open_form("ticket.rollback", user=story.BOB)
    stage.send_form(user=story.BOB)
    assert WAY not in diff(stage)


def test_a_way_that_another_document_leaves_open_is_not_closed(writing: Stage, aws: Aws) -> None:
    """All documents count, those that the plan does not touch, too."""
    stage = writing
    arn = make_role(stage, aws, PASSES, TWICE)
    iam = aws.client("iam", story.PROD)
    made = iam.create_policy(PolicyName="Shared", PolicyDocument=document(allow("lambda:*")))["Policy"]["Arn"]
    for role in ("builder", "TestRole-DeleteLater"):
        iam.attach_role_policy(RoleName=role, PolicyArn=made)
    assert arn
    card = stage.ticket("role builder")
    assert "remove" in words(card)
    assert "Closes:" not in words(card), words(card)
