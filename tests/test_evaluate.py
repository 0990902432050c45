"""advisor.core.evaluate: planted faults are found, and right rewrites are left in peace."""

from __future__ import annotations

import json

import pytest

from advisor.core.evaluate import between, disagreements
from tests.worlds import SmallCatalogue, allow, deny, document

SMALL = SmallCatalogue(
    {
        "s3": ("GetBucket", "GetObject", "GetObjectAcl", "PutObject"),
        "sqs": ("SendMessage", "ReceiveMessage"),
        "iam": ("PassRole", "GetRole"),
    }
)
ARN = "arn:aws:s3:::one/*"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
BEFORE = [
    allow("s3:*", "foo:*", "foo:Do", Sid="A"),
    allow("sqs:*", Condition=MFA),
    deny("iam:*"),
    deny("s3:*", Resource=ARN),
]
RIGHT = [
    allow("s3:GetBucket", "s3:GetObject", "s3:GetObjectAcl", "foo:*", "foo:Do", Sid="A"),
    allow("sqs:ReceiveMessage", Condition=MFA),
    *BEFORE[2:],
]
CUT = (("lambda",), ("S3:PutObject", "sqs:SendMessage"))
"""PutObject and SendMessage go from BEFORE, which makes it RIGHT."""


def not_action(*entries: str, **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "NotAction": list(entries), "Resource": "*", **more}


def with_actions(*first: str) -> list[dict[str, object]]:
    """RIGHT with another list in its first statement."""
    return [allow(*first, Sid="A"), *RIGHT[1:]]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(RIGHT, id="as it should be"),
        pytest.param([RIGHT[1], RIGHT[0], *RIGHT[2:]], id="Allows in another order"),
        pytest.param(with_actions("foo:Do", "foo:*", "s3:g*"), id="another list of the same"),
        pytest.param(
            [*RIGHT[:1], allow("sqs:receivemessage", Condition=MFA, Sid="B"), *RIGHT[2:]], id="a Sid"
        ),
        pytest.param([allow("s3:G*", "foo:*"), *RIGHT[1:]], id="what a pattern covers need not be named"),
        pytest.param([allow("s3:G*"), allow("foo:*"), *RIGHT[1:]], id="in two statements"),
    ],
)
def test_a_right_rewrite(after: list[dict[str, object]]) -> None:
    """What it allows counts, not how it says so."""
    assert disagreements(document(*BEFORE), document(*after), *CUT, SMALL) == ()


@pytest.mark.parametrize(
    ("after", "says"),
    [
        pytest.param(BEFORE, "s3:putobject was to go and is still allowed", id="nothing done"),
        pytest.param(
            with_actions("s3:G*", "foo:*", "iam:GetRole"), "iam:getrole was added", id="an added action"
        ),
        pytest.param(
            with_actions("s3:G*", "foo:*", "iam:Get*"), "iam:getrole was added", id="an added pattern"
        ),
        pytest.param(
            with_actions("s3:G*", "foo:*", "iam:Later"), "iam:later was added", id="an added unknown name"
        ),
        pytest.param(
            with_actions("s3:G*", "foo:*", "iam:Later*"),
            "iam:later* reaches further",
            id="an added pattern of nothing",
        ),
        pytest.param(with_actions("*"), "iam:getrole was added", id="everything"),
        pytest.param(with_actions("s3:G*", "*:*"), "iam:getrole was added", id="everything with a colon"),
        pytest.param(with_actions("s3:GetO*", "foo:*"), "s3:getbucket was lost", id="a lost action"),
        pytest.param(with_actions("s3:G*"), "foo:do was lost", id="a lost unknown name"),
        pytest.param(RIGHT[1:], "s3:getbucket was lost", id="a lost statement"),
        pytest.param(
            with_actions("s3:G*", "s3:Put*", "foo:*"), "s3:putobject was to go", id="kept by a pattern"
        ),
        pytest.param(
            with_actions("s3:G*", "s3:PUTOBJECT", "foo:*"), "s3:putobject was to go", id="kept in capitals"
        ),
        pytest.param(
            with_actions("s3:G*", "s3:P?tObject", "foo:*"), "s3:putobject was to go", id="kept by a mark"
        ),
        pytest.param([RIGHT[0], BEFORE[1], *RIGHT[2:]], "sqs:sendmessage was to go", id="kept in one of two"),
        pytest.param(RIGHT[:3], "the Deny statements", id="a lost Deny"),
        pytest.param([*RIGHT, deny("sqs:*")], "the Deny statements", id="an added Deny"),
        pytest.param([*RIGHT[:2], RIGHT[3], RIGHT[2]], "the Deny statements", id="Denies in another order"),
        pytest.param([*RIGHT[:2], deny("iam:G*"), RIGHT[3]], "the Deny statements", id="a narrower Deny"),
        pytest.param(
            [*RIGHT[:2], deny("iam:*", Sid="D"), RIGHT[3]], "the Deny statements", id="a Deny's Sid"
        ),
        pytest.param(
            [*RIGHT[:3], deny("s3:*", Resource="arn:aws:s3:::two/*")],
            "the Deny statements",
            id="a Deny's resource",
        ),
        pytest.param([{**RIGHT[0], "Resource": ARN}, *RIGHT[1:]], "was added", id="a changed resource"),
        pytest.param([{**RIGHT[0], "Condition": MFA}, *RIGHT[1:]], "was added", id="an added condition"),
        pytest.param([RIGHT[0], allow("sqs:ReceiveMessage"), *RIGHT[2:]], "was added", id="a lost condition"),
        pytest.param(
            [RIGHT[0], {**RIGHT[1], "Condition": {"Bool": {}}}, *RIGHT[2:]],
            "was added",
            id="another condition",
        ),
        pytest.param([{**RIGHT[0], "Later": 1}, *RIGHT[1:]], "was added", id="an unknown element"),
        pytest.param(
            [not_action("sqs:*", "iam:*"), *RIGHT[1:]], "s3:putobject was to go", id="NotAction in its place"
        ),
        pytest.param(
            [not_action("s3:Put*", "sqs:*", "iam:*"), *RIGHT[1:]],
            "NotAction reaches further",
            id="NotAction of the same today",
        ),
        pytest.param([], "without a statement", id="an empty document"),
        pytest.param([{**RIGHT[0], "Action": []}, *RIGHT[1:]], "cannot be read", id="an empty list"),
        pytest.param(
            [{**RIGHT[0], "Effect": "Permit"}, *RIGHT[1:]], "cannot be read", id="an Effect of nobody's"
        ),
    ],
)
def test_a_planted_fault_is_named(after: list[dict[str, object]], says: str) -> None:
    """One thing is wrong in each."""
    found = disagreements(document(*BEFORE), document(*after), *CUT, SMALL)
    assert any(says in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("before", "after", "services", "actions", "hindered", "says"),
    [
        pytest.param([allow("s3:*")], None, ["s3"], [], [], "", id="all goes"),
        pytest.param([allow("s3:*")], None, ["S3"], [], [], "", id="all goes, in capitals"),
        pytest.param(
            [allow("s3:*")], None, [], ["s3:PutObject"], [], "s3:getbucket was lost", id="too much goes"
        ),
        pytest.param([deny("s3:*")], None, ["s3"], [], [], "the Deny statements", id="a lost Deny"),
        pytest.param([allow("s3:*")], [allow("s3:*")], ["s3"], [], ["s3"], "", id="a hindered service"),
        pytest.param(
            [allow("s3:*")],
            [allow("s3:*")],
            ["s3"],
            [],
            ["s3:PutObject"],
            "s3:getbucket was to go",
            id="one of it hindered",
        ),
        pytest.param(
            [allow("s3:*", "sqs:*")], [allow("s3:*")], ["s3", "sqs"], [], ["s3"], "", id="one of two hindered"
        ),
        pytest.param(
            [allow("s3:*")],
            [allow("s3:*")],
            [],
            ["s3:PutObject"],
            ["S3:putobject"],
            "",
            id="a hindered action",
        ),
        pytest.param(
            [allow("foo:*", "s3:*")],
            [allow("foo:*")],
            ["foo", "s3"],
            [],
            [],
            "foo:* was to go",
            id="an unknown service",
        ),
        pytest.param(
            [allow("foo:D*", "s3:*")],
            [allow("foo:D*")],
            ["foo", "s3"],
            [],
            [],
            "foo:d* was to go",
            id="a part of it",
        ),
        pytest.param([allow("foo:*")], None, ["foo"], [], [], "", id="an unknown service goes"),
        pytest.param(
            [allow("*")], [allow("*")], ["foo"], [], [], "* was to go", id="an unknown service of everything"
        ),
        pytest.param(
            [allow("*:D*")],
            [allow("*:D*")],
            ["foo"],
            [],
            [],
            "*:d* was to go",
            id="an unknown service of a kind",
        ),
        pytest.param([allow("*")], [allow("s3:*", "sqs:*")], ["iam"], [], [], "", id="everything but one"),
        pytest.param(
            [allow("*:*")],
            [allow("s3:*", "sqs:R*")],
            ["iam"],
            ["sqs:SendMessage"],
            [],
            "",
            id="everything but some",
        ),
        pytest.param(
            [allow("*")],
            [allow("s3:*")],
            ["iam"],
            [],
            [],
            "sqs:receivemessage was lost",
            id="everything but two",
        ),
        pytest.param(
            [not_action("iam:*")],
            [not_action("iam:*", "s3:*")],
            ["s3"],
            [],
            [],
            "",
            id="NotAction lengthened",
        ),
        pytest.param(
            [not_action("iam:*")],
            [not_action("s3:*")],
            ["s3"],
            [],
            [],
            "iam:getrole was added",
            id="NotAction replaced",
        ),
        pytest.param(
            [not_action("iam:*")],
            [not_action("iam:*")],
            ["foo"],
            [],
            [],
            "foo:* was to go",
            id="NotAction and an unknown service",
        ),
        pytest.param(
            [not_action("iam:*")],
            [not_action("iam:*", "foo:*")],
            ["foo"],
            [],
            [],
            "",
            id="NotAction without it",
        ),
        pytest.param(
            [not_action("iam:*", "foo:*")],
            [not_action("iam:*", "s3:*")],
            ["s3"],
            [],
            [],
            "NotAction reaches further",
            id="an unknown service let in",
        ),
        pytest.param(
            [not_action("iam:*")], [allow("sqs:*")], ["s3"], [], [], "", id="NotAction turned into a list"
        ),
        pytest.param(
            [allow("*")], [not_action("s3:*")], ["s3"], [], [], "", id="everything turned into NotAction"
        ),
        pytest.param(
            [allow("s3:[GP]*")], [allow("s3:[GP]*")], [], ["s3:PutObject"], [], "", id="a bracket is a letter"
        ),
        pytest.param(
            [allow("s3:L?")], [allow("s3:L*")], [], [], [], "s3:l* reaches further", id="a mark is no star"
        ),
        pytest.param([allow("s3:*"), allow("s3:")], [allow("s3:*")], [], [], [], "", id="no action at all"),
        pytest.param(
            [allow("s3:*")],
            [dict(reversed(allow("s3:*").items()))],
            [],
            [],
            [],
            "",
            id="elements in another order",
        ),
        pytest.param([allow("s3:GetObject?cl")], None, [], ["s3:GetObjectAcl"], [], "", id="a mark"),
    ],
)
def test_a_cut(
    before: list[dict[str, object]],
    after: list[dict[str, object]] | None,
    services: list[str],
    actions: list[str],
    hindered: list[str],
    says: str,
) -> None:
    """Small documents, with what the second opinion says of them; nothing where it agrees."""
    text = None if after is None else document(*after)
    found = disagreements(document(*before), text, services, actions, SMALL, hindered=hindered)
    assert any(says in sentence for sentence in found) if says else found == ()


def test_what_stands_around_the_statements_counts() -> None:
    """The Version decides how variables are read."""
    before, after = (
        json.dumps({"Version": v, "Statement": [allow("s3:*")]}) for v in ("2012-10-17", "2008-10-17")
    )
    assert disagreements(before, after, [], [], SMALL) == (
        "something beside the statements is not what it was",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"Statement":["x"]}',
        '{"Statement":null}',
        '{"Statement":[],"Statement":[]}',
        '{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":{"a":1,"a":2}}]}',
    ],
)
def test_what_cannot_be_read(text: str) -> None:
    """Nothing is right about it, unless it was left alone and said so."""
    assert "cannot be read" in disagreements(text, text, ["s3"], [], SMALL)[0]
    assert "cannot be read" in between(None, text, None, SMALL)[0]
    assert disagreements(text, text, ["s3"], ["iam:GetRole"], SMALL, hindered=["s3", "iam:GetRole"]) == ()


def test_only_the_first_few_are_named() -> None:
    """A reader needs no list of thousands."""
    found = disagreements(document(allow("s3:*", "sqs:*")), None, [], [], SMALL)
    assert len(found) == 6
    assert found[-1] == "and 1 more"


LOW, HIGH = [allow("s3:Get*"), deny("iam:*")], [allow("s3:*", "sqs:*"), deny("iam:*")]


@pytest.mark.parametrize(
    ("low", "middle", "high", "says"),
    [
        pytest.param(LOW, LOW, HIGH, "", id="the lower"),
        pytest.param(LOW, HIGH, HIGH, "", id="the upper"),
        pytest.param(LOW, [allow("s3:Get*", "sqs:*"), deny("iam:*")], HIGH, "", id="something between"),
        pytest.param(None, None, HIGH, "", id="nothing, where nothing need be"),
        pytest.param(None, HIGH, HIGH, "", id="all, where nothing need be"),
        pytest.param(None, None, None, "", id="nothing at all"),
        pytest.param(LOW, None, HIGH, "s3:getbucket is missing", id="nothing, where something should be"),
        pytest.param(
            LOW, [allow("s3:GetB*"), deny("iam:*")], HIGH, "s3:getobject is missing", id="too little"
        ),
        pytest.param(
            LOW, [allow("s3:*", "iam:*"), deny("iam:*")], HIGH, "iam:getrole was added", id="too much"
        ),
        pytest.param(None, HIGH, None, "was added", id="something, where nothing may be"),
        pytest.param(LOW, [allow("s3:*")], HIGH, "a Deny is missing", id="a Deny fewer"),
        pytest.param(LOW, [*LOW, deny("s3:*")], HIGH, "a Deny was added", id="a Deny more"),
        pytest.param(
            LOW, [allow("s3:Get*", Resource=ARN), deny("iam:*")], HIGH, "was added", id="another resource"
        ),
        pytest.param(
            LOW,
            [allow("s3:Get*"), allow("s3:Later*"), deny("iam:*")],
            HIGH,
            "",
            id="tomorrow's, of the upper",
        ),
        pytest.param(
            LOW,
            [allow("s3:Get*", "iam:Later*"), deny("iam:*")],
            HIGH,
            "reaches further",
            id="tomorrow's, of nobody",
        ),
    ],
)
def test_between(
    low: list[dict[str, object]] | None,
    middle: list[dict[str, object]] | None,
    high: list[dict[str, object]] | None,
    says: str,
) -> None:
    """At least what the lower document allows, at most what the upper one does."""
    found = between(*(None if d is None else document(*d) for d in (low, middle, high)), SMALL)
    assert any(says in sentence for sentence in found) if says else found == ()
