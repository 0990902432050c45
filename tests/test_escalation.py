"""advisor.core.escalation: which known ways a change closes; open only where certain, closed only where nothing is left."""

from __future__ import annotations

import json
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.escalation import WAYS, closes
from advisor.core.privileged import PRIVILEGED
from advisor.edges.catalogue import IamCatalogue
from tests.worlds import ACCOUNT, allow, deny, document

ME = f"arn:aws:iam::{ACCOUNT}:role/app"
MINE = f"arn:aws:iam::{ACCOUNT}:policy/app-policy"
OTHER = f"arn:aws:iam::{ACCOUNT}:role/other"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
PASS, LAMBDA = "iam:PassRole", "iam:PassRole + lambda:CreateFunction"
Said = dict[str, object]


@lru_cache(maxsize=1)
def catalogue() -> IamCatalogue:
    return IamCatalogue()


def closed(before: list[Said], after: list[Said]) -> list[str]:
    """By name. Each statement is a document of its own: an entity has many."""
    texts = [[document(s) for s in said] for said in (before, after)]
    return [e.name for e in closes(*texts, own=(ME, MINE))]


def passed_to(*services: str, operator: str = "StringEquals", more: Said | None = None) -> Said:
    """The condition that limits to which services a role may be passed."""
    return {"Condition": {operator: {"iam:PassedToService": list(services)}, **(more or {})}}


def but(*patterns: str, **more: object) -> Said:
    return {"Effect": "Allow", "NotAction": list(patterns), "Resource": "*", **more}


FUNCTION = ["lambda:CreateFunction", "lambda:InvokeFunction"]

CASES: list[tuple[list[Said], list[Said], list[str]]] = [
    # before, after, what is closed
    ([allow(PASS, *FUNCTION)], [allow(PASS)], [LAMBDA]),
    ([allow(PASS, *FUNCTION)], [], [LAMBDA]),
    ([allow(PASS, *FUNCTION)], [allow(*FUNCTION)], [LAMBDA]),
    ([allow(PASS, *FUNCTION)], [allow(PASS, *FUNCTION)], []),
    ([allow(PASS), allow("lambda:*")], [allow(PASS)], [LAMBDA, "lambda:UpdateFunctionCode"]),
    ([allow(PASS), allow("lambda:*")], [allow(PASS), allow("lambda:Create*")], ["lambda:UpdateFunctionCode"]),
    ([allow(PASS), allow("lambda:*")], [allow(PASS), allow("lambda:CreateFunction", "lambda:Get*")], [LAMBDA, "lambda:UpdateFunctionCode"]),
    ([allow(PASS, "lambda:CreateFunction")], [allow(PASS)], []),  # nothing would run it
    ([allow(PASS, "lambda:CreateFunction", "lambda:AddPermission")], [allow(PASS)], [LAMBDA]),
    ([allow(PASS, "lambda:CreateFunction", "lambda:CreateEventSourceMapping")], [allow(PASS)], [LAMBDA]),
    ([allow(PASS, *FUNCTION)], [allow(PASS, "lambda:InvokeFunction")], [LAMBDA]),
    ([allow(PASS, *FUNCTION)], [allow(PASS, "lambda:CreateFunction")], [LAMBDA]),
    ([allow(PASS, *FUNCTION, "lambda:AddPermission")], [allow(PASS, "lambda:CreateFunction", "lambda:AddPermission")], []),
    # named roles: the words say "any role it may pass"
    ([allow(PASS, Resource=OTHER), allow(*FUNCTION)], [allow(PASS, Resource=OTHER)], [LAMBDA]),
    # a grant that is left, however narrow, is a grant
    ([allow(PASS, *FUNCTION)], [allow(PASS), allow(*FUNCTION, Condition=MFA)], []),
    ([allow(PASS, *FUNCTION)], [allow(*FUNCTION), allow(PASS, Resource=OTHER)], []),
    ([allow(PASS, *FUNCTION)], [allow(PASS), but("s3:*")], []),
    ([allow(PASS, *FUNCTION)], [allow(PASS), but("lambda:*")], [LAMBDA]),
    ([allow(PASS, *FUNCTION)], [allow(PASS), allow("*")], []),
    ([allow(PASS, *FUNCTION)], [allow(PASS, *FUNCTION), deny("lambda:*")], []),
    # what is not certain is not named
    ([allow(PASS, Condition=MFA), allow(*FUNCTION)], [], []),
    ([allow(PASS), allow(*FUNCTION, Condition=MFA)], [], []),
    ([allow(PASS, *FUNCTION), deny("lambda:*")], [], []),
    ([allow(PASS, *FUNCTION), {**deny(PASS), "Resource": OTHER}], [], []),
    ([allow(PASS, *FUNCTION), {**deny("*"), "Condition": MFA}], [], []),
    ([allow(PASS, *FUNCTION), deny("lambda:DeleteFunction")], [], [LAMBDA]),
    ([allow(PASS, *FUNCTION), {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}], [], []),
    ([allow(PASS, *FUNCTION), {"Effect": "Deny", "NotAction": ["iam:*", "lambda:*"], "Resource": "*"}], [], [LAMBDA]),
    ([{"Effect": "Allow", "Action": [PASS, *FUNCTION], "NotResource": OTHER}], [], []),
    ([{"Effect": "Allow", "Action": [PASS, *FUNCTION]}], [], []),  # IAM refuses it; nothing is certain
    ([], [allow(PASS, *FUNCTION)], []),  # what is opened is not this table's business
    # one document less of two that allow it
    ([allow(PASS, *FUNCTION), allow(*FUNCTION)], [allow(*FUNCTION), allow(PASS)], []),
    # the one condition that is understood: the service that a role may be passed to
    ([allow(PASS, **passed_to("lambda.amazonaws.com")), allow(*FUNCTION)], [allow(PASS)], [LAMBDA]),
    ([allow(PASS, **passed_to("ec2.amazonaws.com", "lambda.amazonaws.com")), allow(*FUNCTION)], [], [LAMBDA]),
    ([allow(PASS, **passed_to("lambda.amazonaws.com", operator="StringLike")), allow(*FUNCTION)], [], [LAMBDA]),
    ([allow(PASS, **passed_to("ec2.amazonaws.com")), allow(*FUNCTION)], [], []),
    ([allow(PASS, **passed_to("ec2.amazonaws.com")), allow("ec2:RunInstances")], [], ["iam:PassRole + ec2:RunInstances"]),
    ([allow(PASS, **passed_to("lambda.amazonaws.com", operator="StringNotEquals")), allow(*FUNCTION)], [], []),
    ([allow(PASS, **passed_to("lambda.amazonaws.com", more=MFA)), allow(*FUNCTION)], [], []),
    ([allow(PASS, Condition="odd"), allow(*FUNCTION)], [], []),
    ([allow(PASS, *FUNCTION, **passed_to("lambda.amazonaws.com"))], [], []),  # of the others it is a condition
    (
        [allow(PASS, **passed_to("ecs-tasks.amazonaws.com")), allow("ecs:RegisterTaskDefinition", "ecs:RunTask")],
        [],
        ["iam:PassRole + ecs:RegisterTaskDefinition"],
    ),
    # other services that take a role
    ([allow(PASS, "ec2:RunInstances")], [allow(PASS)], ["iam:PassRole + ec2:RunInstances"]),
    ([allow(PASS, "ec2:Run*")], [allow(PASS)], ["iam:PassRole + ec2:RunInstances"]),
    ([allow(PASS, "ec2:Describe*")], [allow(PASS)], []),
    ([allow(PASS, "ecs:RegisterTaskDefinition", "ecs:RunTask")], [allow(PASS)], ["iam:PassRole + ecs:RegisterTaskDefinition"]),
    ([allow(PASS, "ecs:RegisterTaskDefinition")], [allow(PASS)], []),
    ([allow(PASS, "glue:CreateJob", "glue:StartJobRun")], [allow(PASS)], ["iam:PassRole + glue:CreateJob"]),
    ([allow(PASS, "glue:CreateDevEndpoint")], [allow(PASS)], ["iam:PassRole + glue:CreateDevEndpoint"]),
    ([allow(PASS, "cloudformation:CreateStack")], [allow(PASS)], ["iam:PassRole + cloudformation:CreateStack"]),
    ([allow(PASS, "CloudFormation:createstack")], [allow(PASS)], ["iam:PassRole + cloudformation:CreateStack"]),
    ([allow(PASS, "batch:RegisterJobDefinition")], [allow(PASS)], []),
    ([allow(PASS, "batch:*")], [allow(PASS)], ["iam:PassRole + batch:RegisterJobDefinition + batch:SubmitJob"]),
    # on itself: everything, or its own ARN, or a policy that it has
    ([allow("iam:AttachRolePolicy")], [], ["iam:AttachRolePolicy"]),
    ([allow("iam:AttachRolePolicy", Resource=ME)], [], ["iam:AttachRolePolicy"]),
    ([allow("iam:AttachRolePolicy", Resource=f"arn:aws:iam::{ACCOUNT}:role/*")], [], ["iam:AttachRolePolicy"]),
    ([allow("iam:AttachRolePolicy", Resource="arn:aws:iam::*:role/a?p")], [], ["iam:AttachRolePolicy"]),
    ([allow("iam:AttachRolePolicy", Resource=OTHER)], [], []),
    ([allow("iam:AttachRolePolicy", Resource=ME.replace("app", "APP"))], [], []),
    ([allow("iam:AttachRolePolicy", Resource=[OTHER, ME])], [], ["iam:AttachRolePolicy"]),
    ([allow("iam:AttachRolePolicy", Resource=ME, Condition=MFA)], [], []),
    ([allow("iam:AttachRolePolicy")], [allow("iam:AttachRolePolicy", Resource=OTHER)], []),
    ([allow("iam:PutRolePolicy", Resource=ME)], [], ["iam:PutRolePolicy"]),
    ([allow("iam:CreatePolicyVersion", Resource=MINE)], [], ["iam:CreatePolicyVersion"]),
    ([allow("iam:CreatePolicyVersion", Resource=f"{MINE}-other")], [], []),
    ([allow("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion")], [allow("iam:Set*")], ["iam:CreatePolicyVersion"]),
    # on others: only where it is on everything
    ([allow("iam:CreateAccessKey")], [], ["iam:CreateAccessKey"]),
    ([allow("iam:CreateAccessKey", Resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")], [], []),
    ([allow("iam:UpdateLoginProfile")], [], ["iam:UpdateLoginProfile"]),
    ([allow("iam:UpdateAssumeRolePolicy")], [], ["iam:UpdateAssumeRolePolicy"]),
    ([allow("sts:AssumeRole")], [], ["sts:AssumeRole"]),
    ([allow("sts:AssumeRole", Resource=OTHER)], [], []),
    ([allow("sts:*")], [allow("sts:Get*")], ["sts:AssumeRole"]),
    ([but("iam:*", "ec2:*", "lambda:*", "glue:*", "ssm:*", "ecs:*", "sso:*", "ec2-instance-connect:*")], [], ["sts:AssumeRole"]),
    # without passing a role
    ([allow("ssm:SendCommand")], [], ["ssm:SendCommand"]),
    ([allow("ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances")], [allow("ec2:St*")], ["ec2:ModifyInstanceAttribute + ec2:StopInstances + ec2:StartInstances"]),
    ([allow("s3:*", "dynamodb:*")], [], []),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "names"), CASES)
def test_what_a_change_closes(before: list[Said], after: list[Said], names: list[str]) -> None:
    """By the documents alone, all of them together."""
    assert closed(before, after) == names


def test_an_administrator_s_line_leaves_every_way_open() -> None:
    """Taking it away closes them all, in the table's order, each once."""
    everything = [allow("*")]
    assert closed(everything, []) == [w.escalation.name for w in WAYS]
    assert len({w.escalation.name for w in WAYS}) == len(WAYS)
    assert closed(everything, [but("sts:*")]) == ["sts:AssumeRole"]


@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.escalation.name)
def test_every_action_of_a_way_is_one_of_aws_s_and_its_first_ones_are_privileged(way: object) -> None:
    """As it is spelled there; and at least one of what a way takes weighs as privileged."""
    found = next(w for w in WAYS if w is way)
    for action in found.names:
        service, _, name = action.partition(":")
        assert name in catalogue().actions(service)
    pairs = [a.partition(":") for a in found.escalation.actions]
    assert any(name in PRIVILEGED.get(service, {}) for service, _, name in pairs)


_ACTIONS = sorted({a for w in WAYS for a in w.names} | {"*", "iam:*", "lambda:*", "s3:*", "ec2:*"})
_STATEMENTS = st.builds(
    lambda effect, names, resource, inverted: {
        "Effect": effect,
        "NotAction" if inverted else "Action": names,
        "Resource": resource,
    },
    st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
    st.lists(st.sampled_from(_ACTIONS), min_size=1, max_size=4),
    st.sampled_from(["*", ME, OTHER]),
    st.booleans(),
)


@given(st.lists(_STATEMENTS, max_size=4), st.data())
def test_nothing_is_closed_while_all_of_it_is_allowed(had: list[Said], data: st.DataObject) -> None:
    """A change that takes nothing closes nothing; what one change closes, a change that takes more closes too."""
    assert closed(had, had) == []
    left = data.draw(st.lists(st.sampled_from(had), max_size=3)) if had else []
    fewer = left[:1]
    assert set(closed(had, left)) <= set(closed(had, fewer)) <= set(closed(had, []))


def test_a_text_that_is_no_object_is_refused() -> None:
    """As everywhere: whoever calls says what cannot be read."""
    with pytest.raises(ValueError, match="JSON object"):
        closes([json.dumps([])], [])
