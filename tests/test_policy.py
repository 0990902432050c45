"""advisor.core.policy: what documents grant, and what nobody can see being used."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.model import Policy, PolicyKind
from advisor.core.policy import (
    PASSING,
    actions_granted,
    allows_everything,
    matches,
    passes,
    services_granted,
    statements,
    uses_not_action,
)
from advisor.edges.catalogue import IamCatalogue
from tests.worlds import SmallCatalogue, allow, deny, document

SMALL = SmallCatalogue()


def held(*statements_: dict[str, object], name: str = "P") -> Policy:
    return Policy(name, PolicyKind.INLINE, document(*statements_))


def allow_not(*actions: str, **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "NotAction": list(actions), "Resource": "*", **more}


@pytest.mark.parametrize(
    ("pattern", "action", "fits"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObject", True),
        ("s3:*Object", "s3:GetObject", True),
        ("s3:G?tObject", "s3:GetObject", True),
        ("s3:G?tObject", "s3:GtObject", False),
        ("s3:Get*", "s3:PutObject", False),
        ("s3:[Gg]etObject", "s3:GetObject", False),
        ("s3:Get", "s3:GetObject", False),
        ("s3:.*", "s3:GetObject", False),
        ("*", "s3:GetObject", True),
        ("*:*", "s3:GetObject", True),
        ("s3:*", "s3:", True),
        ("s3", "s3:GetObject", False),
        ("s3-object-lambda:*", "s3:GetObject", False),
        ("", "s3:GetObject", False),
    ],
)
def test_patterns_have_two_wildcards_and_no_case(pattern: str, action: str, fits: bool) -> None:
    """`*` and `?` only; a bracket or a dot is a letter like any other."""
    assert matches(pattern, action) is fits


@given(st.text(max_size=40), st.text(max_size=40))
def test_matching_any_two_texts_never_raises(pattern: str, action: str) -> None:
    """AWS accepts patterns of services and actions that do not exist."""
    assert matches(pattern, action) in {True, False}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('{"Statement": []}', 0),
        ("{}", 0),
        ('{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}', 1),
        ('\ufeff{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}', 1),
        ('{"Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}, "x", null]}', 1),
        ('{"Version": "2008-10-17", "Statement": [{"Sid": "A", "Effect": "Deny", "NotAction": "s3:*"}]}', 1),
    ],
)
def test_documents_in_every_shape_that_iam_keeps(text: str, count: int) -> None:
    """One statement as an object, a single action as a string, a mark at the beginning."""
    assert len(statements(text)) == count


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "null", '"x"', "1", "{"])
def test_what_is_no_document_is_a_value_error(text: str) -> None:
    """The one exception that callers have to know."""
    with pytest.raises(ValueError):
        statements(text)


@pytest.mark.parametrize(
    ("document_of", "services"),
    [
        ([allow("s3:GetObject")], {"s3"}),
        ([allow("S3:GetObject", "Sqs:*")], {"s3", "sqs"}),
        ([allow("unheard-of:Do")], {"unheard-of"}),
        ([allow("*")], set(SMALL.table)),
        ([allow("*:*")], set(SMALL.table)),
        ([allow_not("iam:*")], set(SMALL.table) - {"iam"}),
        ([allow_not("iam:PassRole")], set(SMALL.table)),
        ([allow_not("*")], set()),
        ([allow("s3:*"), deny("s3:*")], set()),
        ([deny("s3:*"), allow("s3:*")], set()),
        ([allow("s3:*", "sqs:*"), deny("s3:*")], {"sqs"}),
        ([allow("s3:*"), deny("*")], set()),
        ([allow("s3:*"), deny("s3:PutObject")], {"s3"}),
        ([allow("s3:*"), deny("s3:*", Resource="arn:aws:s3:::one/*")], {"s3"}),
        ([allow("s3:*"), deny("s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})], {"s3"}),
        ([allow("s3:*", "iam:*"), {**allow_not("iam:*"), "Effect": "Deny"}], {"iam"}),
        ([allow("s3:*", "iam:*"), {**allow_not("iam:GetRole"), "Effect": "Deny"}], {"iam"}),
        ([deny("s3:*")], set()),
        ([allow("s3:*", Condition={"StringEquals": {"aws:PrincipalTag/x": "never"}})], {"s3"}),
        ([allow("s3:*", Resource="arn:aws:s3:::one/*")], {"s3"}),
        ([], set()),
    ],
)
def test_services_granted(document_of: list[dict[str, object]], services: set[str]) -> None:
    """A Deny of a whole service, on any resource and unconditionally, takes it out; any other Deny does not."""
    assert set(services_granted([held(*document_of)], SMALL)) == services


def test_a_deny_in_another_policy_takes_a_service_out() -> None:
    """Access Advisor leaves it out too: sqs allowed by one policy and denied by another is not listed."""
    assert services_granted([held(allow("sqs:*"), name="A"), held(deny("sqs:*"), name="B")], SMALL) == {}


def test_each_service_names_every_policy_that_grants_it_once() -> None:
    """Two statements of one policy are one name; the order of policies is kept."""
    found = services_granted(
        [held(allow("s3:GetObject"), allow("s3:PutObject"), name="A"), held(allow("s3:*"), name="B")], SMALL
    )
    assert found == {"s3": ("A", "B")}


@pytest.mark.parametrize(
    ("document_of", "actions"),
    [
        ([allow("s3:Get*")], {"GetObject"}),
        ([allow("s3:*"), deny("s3:*Bucket")], {"GetObject", "PutObject"}),
        (
            [allow("s3:*"), deny("s3:*Bucket", Resource="arn:aws:s3:::one")],
            {"GetObject", "PutObject", "ListBucket", "CreateBucket", "DeleteBucket"},
        ),
        ([allow("*"), deny("s3:*Object", "s3:Delete*")], {"ListBucket", "CreateBucket"}),
        ([allow_not("s3:*Bucket")], {"GetObject", "PutObject"}),
        ([allow("s3:Nonsense")], set()),
        ([allow("ec2:*")], set()),
    ],
)
def test_actions_granted(document_of: list[dict[str, object]], actions: set[str]) -> None:
    """What the catalogue knows of the allowed, without what is denied outright."""
    assert actions_granted([held(*document_of)], "s3", SMALL) == actions


@pytest.mark.parametrize(
    ("document_of", "service", "unseen"),
    [
        ([allow("iam:PassRole")], "iam", ("PassRole",)),
        ([allow("iam:pass*")], "iam", ("PassRole",)),
        ([allow("iam:*")], "iam", ("PassRole", "CreateServiceLinkedRole")),
        ([allow("iam:GetRole")], "iam", ()),
        ([allow_not("s3:*")], "iam", ("PassRole", "CreateServiceLinkedRole")),
        ([deny("iam:PassRole")], "iam", ()),
        ([allow("*")], "s3", ()),
        ([allow("lambda:*")], "lambda", ("PassCapacityProvider", "PassNetworkConnector")),
        ([], "iam", ()),
    ],
)
def test_passing_is_seen_in_documents(
    document_of: list[dict[str, object]], service: str, unseen: tuple[str, ...]
) -> None:
    """iam:PassRole and its kind leave no trace in any report."""
    assert passes([held(*document_of)], service) == unseen


def test_the_table_of_passing_is_the_catalogue_s() -> None:
    """Every `Pass…` action of AWS today stands in the table; each name in the table exists."""
    catalogue = IamCatalogue()
    today = {s: {a for a in catalogue.actions(s) if a.startswith("Pass")} for s in catalogue.services()}
    today = {s: names for s, names in today.items() if names}
    ours = {s: {n for n in names if n.startswith("Pass")} for s, names in PASSING.items()}
    assert ours == today
    assert "CreateServiceLinkedRole" in catalogue.actions("iam")


@pytest.mark.parametrize(
    ("statement", "everything"),
    [
        (allow("*"), True),
        (allow("*:*"), True),
        (allow("s3:*", "*"), True),
        (allow("*", Resource=["*"]), True),
        (allow("*", Resource="arn:aws:s3:::x"), False),
        (allow("*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), False),
        (deny("*"), False),
        (allow("s3:*"), False),
        (allow_not("iam:*"), False),
    ],
)
def test_an_administrator_s_line(statement: dict[str, object], everything: bool) -> None:
    """Allow every action on every resource, unconditionally."""
    assert allows_everything(document(statement)) is everything


def test_not_action_counts_where_it_allows() -> None:
    """A Deny with NotAction is nothing to be cut."""
    assert uses_not_action(document(allow_not("iam:*")))
    assert not uses_not_action(document({**allow_not("iam:*"), "Effect": "Deny"}, allow("s3:*")))


def test_the_catalogue_knows_no_stranger() -> None:
    """A service it has not heard of has no actions: callers read that as keep."""
    catalogue = IamCatalogue()
    assert catalogue.actions("no-such-service") == {}
    assert catalogue.actions("iam")["PassRole"]
    assert {"s3", "iam", "dynamodb"} <= catalogue.services()


_ACTION = st.sampled_from(
    ["*", "s3:*", "s3:Get*", "iam:PassRole", "sqs:SendMessage", "x:y", "nonsense", "", "S3:putobject", "*:*"]
)
_STATEMENT = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"])},
    optional={
        "Action": _ACTION | st.lists(_ACTION, max_size=3),
        "NotAction": _ACTION | st.lists(_ACTION, min_size=1, max_size=3),
        "Resource": st.sampled_from(["*", ["*"], "arn:aws:s3:::x"]),
        "Condition": st.sampled_from([{}, {"Bool": {"a": "b"}}]),
    },
)


@given(st.lists(_STATEMENT, max_size=4))
def test_an_added_deny_never_grants(found: list[dict[str, object]]) -> None:
    """More Deny statements mean fewer services and actions, never more."""
    before = Policy("P", PolicyKind.INLINE, json.dumps({"Statement": found}))
    after = Policy("P", PolicyKind.INLINE, json.dumps({"Statement": [*found, deny("s3:*")]}))
    assert services_granted([after], SMALL).keys() <= services_granted([before], SMALL).keys()
    assert "s3" not in services_granted([after], SMALL)
    assert actions_granted([after], "s3", SMALL) == frozenset()
