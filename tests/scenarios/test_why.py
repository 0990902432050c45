"""`/iam-audit why` at the wire: from which statements, with which last use, and by whose decisions."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.pressing import form, last_told
from tests.scenarios.stage import Json, Stage
from tests.scenarios.stage import words as spaced

HOSTILE = "<!channel> *bold* `x`"


def words(message: Json) -> str:
    """What it says, with the spaces that a reader sees."""
    return re.sub(r" +([,.:;])", r"\1", re.sub(r"\s+", " ", spaced(message)))


@pytest.fixture
def kept(stage: Stage, aws: Aws) -> Iterator[Stage]:
    """The account as it was, afterwards."""
    put_back, uses = aws.remember(story.PROD), list(aws.uses)
    yield stage
    put_back()
    aws.uses[:] = uses


def put(stage: Stage, name: str, *statements: dict[str, object], role: str = "DBAdminRole") -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam = stage.aws.client("iam", story.PROD)
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=text)


def test_an_entity_that_nobody_asked_for_yet(kept: Stage) -> None:
    """It is read live, the wildcard that matches is named, and the report that is missing is said."""
    kept.say("why role DBAdminRole dynamodb:getitem")
    shown = words(kept.card())
    assert "dynamodb:GetItem is granted to DBAdminRole" in shown
    assert "db-admin-inline, inline policy, statement 1: dynamodb:* on any resource" in shown
    assert "no report is stored. /iam-audit role DBAdminRole actions" in shown
    assert "Nobody decided anything about it" in shown
    assert "Role in prod (111111111111)" in shown
    assert kept.card()["metadata"]["event_type"] == "iam_audit.question"
    assert [r["verb"] for r in kept.rows("SELECT verb FROM log")] == ["why"]
    assert not any(
        c.operation.startswith(("Put", "Delete", "Attach")) for c in kept.aws.calls if c.key != "AKIAADMIN"
    )


def test_through_a_group_and_by_which_policies(kept: Stage) -> None:
    """Each policy once for each way by which the user has it; a CSV has them all."""
    kept.say("why user anna glue:GetTable")
    shown = words(kept.card())
    assert "glue:GetTable is granted to anna" in shown
    assert "data, inline policy through group data-engineers, statement 1: glue:*" in shown
    assert (
        "DataLakeAccess, customer managed policy through group data-engineers, statement 1: glue:*" in shown
    )
    kept.press("question.export")
    (text,) = [f["content"] for f in kept.slack.state.files.values() if f["name"].endswith(".csv")]
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert [(r["effect"], r["policy"], r["through_group"]) for r in rows] == [
        ("Allow", "data", "data-engineers"),
        ("Allow", "DataLakeAccess", "data-engineers"),
    ]


@pytest.mark.parametrize(
    ("statement", "headline", "line"),
    [
        (
            {"Sid": "NoS3", "Effect": "Deny", "Action": "s3:*", "Resource": "*"},
            "s3:GetObject is denied to DBAdminRole, whatever grants it",
            "more, inline policy, statement 1 “NoS3”: s3:* on any resource",
        ),
        (
            {"Effect": "Deny", "Action": ["s3:Get*", "s3:GetObject"], "Resource": "arn:aws:s3:::x/*"},
            "s3:GetObject is granted to DBAdminRole, and denied in some cases",
            "statement 1: s3:GetObject on arn:aws:s3:::x/*",
        ),
        (
            {"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*", "Condition": {"Bool": {"a": "b"}}},
            "s3:GetObject is granted to DBAdminRole, and denied in some cases",
            "statement 1: all but iam:*, sts:* (NotAction) on any resource, under conditions",
        ),
    ],
)  # fmt: skip
def test_what_denies_it(kept: Stage, statement: dict[str, object], headline: str, line: str) -> None:
    """A Deny stands first, and only one without limits decides the whole."""
    put(kept, "more", statement)
    kept.say("why role DBAdminRole s3:GetObject")
    shown = words(kept.card())
    assert headline in shown
    assert line in shown
    assert shown.index("Denied by") < shown.index("Granted by")


def test_what_nothing_grants(kept: Stage) -> None:
    """No statement is said as such."""
    kept.say("why role TestRole-DeleteLater ec2:RunInstances")
    assert "ec2:RunInstances is not granted to TestRole-DeleteLater" in words(kept.card())
    assert "No statement of its policies speaks of it" in words(kept.card())


def test_a_policy(kept: Stage) -> None:
    """What the policy itself grants."""
    kept.say("why policy DataLakeAccess sqs:SendMessage")
    assert "sqs:SendMessage is granted by DataLakeAccess" in words(kept.card())
    assert "Customer managed policy in prod" in words(kept.card())


@pytest.mark.parametrize(
    ("audit", "action", "says"),
    [
        ("role DBAdminRole actions", "s3:GetBucketPolicy", "Last use: attempted"),
        (
            "role DBAdminRole actions",
            "s3:DeleteBucket",
            "no attempt seen in up to 400 days (action report of",
        ),
        ("role DBAdminRole actions", "s3:GetObject", "cannot be told: not tracked, or not granted"),
        ("role DBAdminRole actions", "glue:GetTable", "does not list glue"),
        ("role DBAdminRole", "s3:GetBucketPolicy", "s3 was attempted"),
        ("role DBAdminRole", "kms:Decrypt", "no attempt on kms seen in up to 400 days (report of"),
    ],
)
def test_the_last_use(kept: Stage, audit: str, action: str, says: str) -> None:
    """From the newest action report, else of the whole service, and with the report’s date."""
    kept.say(audit)
    kept.say(f"why role DBAdminRole {action}")
    assert says in words(kept.card())


def test_who_took_it_and_who_gave_it_back(writing: Stage) -> None:
    """A ticket with its people, its reason and its way back; what is open is told from what is over."""
    writing.ticket(reason=HOSTILE)
    writing.say("why role DBAdminRole kms:Decrypt")
    assert "Open" in words(writing.card())
    assert "Ticket 1 would take the whole service away and waits for approval" in words(writing.card())
    ticket = writing.cards()[-2]["ts"]
    writing.press("ticket.approve", user=story.CAROL, ts=ticket)
    writing.say("why role DBAdminRole kms:Decrypt")
    shown = words(writing.card())
    assert "kms:Decrypt is not granted to DBAdminRole" in shown, (
        "the documents were read again after the change"
    )
    assert "Ticket 1 took the whole service away from db-admin-inline" in shown
    assert f"asked by <@{story.ALICE}>, approved by <@{story.CAROL}>. Reason: {HOSTILE}" in shown
    writing.open_form("ticket.rollback", user=story.CAROL, ts=ticket)
    writing.slack.submit(story.CAROL, {})
    writing.settle()
    writing.say("why role DBAdminRole kms:Decrypt")
    assert "kms:Decrypt is granted to DBAdminRole" in words(writing.card())
    assert "Ticket 1 took the whole service away and gave it back" in words(writing.card())


def test_who_keeps_it(writing: Stage) -> None:
    """A keep with its day, person and reason; the ticket that it replaced too."""
    writing.ticket()
    form(writing, "ticket.keep", 1, story.CAROL, reason="month end", services=("kms",))
    writing.say("why role DBAdminRole kms:Decrypt")
    shown = words(writing.card())
    assert "Kept by people" in shown and f"by <@{story.CAROL}>. Reason: month end" in shown
    assert "was replaced by another ticket" in shown
    writing.say("why role DBAdminRole athena:GetTable")
    assert "Kept by people" not in words(writing.card())


def test_old_policies_are_read_again_and_young_ones_are_not(kept: Stage) -> None:
    """Within the cache the store answers; after it, or with `fresh`, AWS."""
    kept.say("role DBAdminRole")
    kept.aws.calls.clear()
    kept.say("why role DBAdminRole s3:GetObject")
    assert "GetRolePolicy" not in kept.aws.operations()
    put(kept, "more", {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"})
    kept.say("why role DBAdminRole ecs:RunTask")
    assert "is not granted" in words(kept.card())
    kept.say("why role DBAdminRole ecs:RunTask fresh")
    assert "ecs:RunTask is granted to DBAdminRole" in words(kept.card())
    kept.now += timedelta(hours=5)
    kept.aws.calls.clear()
    kept.say("why role DBAdminRole ecs:RunTask")
    assert "GetRolePolicy" in kept.aws.operations()


def test_aws_gives_no_answer(kept: Stage) -> None:
    """Old policies with their date are better than nothing, and said to be old; without any there is no answer."""
    kept.say("role DBAdminRole")
    kept.now += timedelta(hours=5)
    kept.aws.fail("GetRole", error="AccessDenied", times=None)
    kept.say("why role DBAdminRole s3:GetObject")
    assert "AWS gave no answer now" in words(kept.card())
    kept.say("why role etl-nightly s3:GetObject")
    assert "No answer" in last_told(kept, story.ALICE)
    assert "iam:GetRole" in last_told(kept, story.ALICE)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("why role DBAdminRole s3:GetObjekt", "/iam-audit why role DBAdminRole s3:GetObject"),
        ("why role DBAdminRole dynamdb:GetItem account=prod", "account=prod dynamodb:GetItem"),
        ("why role DBAdminRole zzzz:Nothing", "AWS has no action of that name"),
        ("why role DBAdminRole s3:Get*", "without wildcards"),
        ("why role DBAdminRole", "which action"),
        ("why role Nobody s3:GetObject", "Nothing is known of “Nobody”"),
        ("why role DBAdminRole s3:GetObject account=nowhere", "No account “nowhere”"),
    ],
)
def test_what_has_no_answer(stage: Stage, asked: str, says: str) -> None:
    """Told to one person, with what to type; no card stands in the channel."""
    reply = stage.say(asked)
    told = json.dumps(reply.body, ensure_ascii=False) if reply.body else last_told(stage, story.ALICE)
    assert says in told
    assert not stage.cards()


def test_a_namesake_and_two_accounts(kept: Stage) -> None:
    """Asked back with lines that can be typed; a re-created role begins anew."""
    kept.restart(accounts=story.ACCOUNTS)
    kept.say("why role DBAdminRole s3:GetObject")
    told = last_told(kept, story.ALICE)
    assert "is in several places" in told
    (line,) = set(re.findall(r"/iam-audit (why \S+ \S+ account=dev)", told))
    kept.say(line)
    assert "Role in dev (222222222222)" in words(kept.card())


def test_who_may_not(kept: Stage) -> None:
    """As private as an audit."""
    kept.slack.state.channels[story.SECURITY]["members"].append(story.GUEST)
    kept.say("why role DBAdminRole s3:GetObject", story.GUEST)
    assert "Guests may not" in words(kept.slack.ephemerals(story.GUEST)[-1])
    assert not kept.cards() and "GetRole" not in kept.aws.operations()
