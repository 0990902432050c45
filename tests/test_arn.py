"""advisor.core.arn: names and ARNs as people paste them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.arn import PARTITIONS, Arn, parse, valid_name
from advisor.core.model import Kind

ACCOUNT = "111111111111"


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("kind", list(Kind))
def test_an_arn_of_every_partition_and_kind_is_taken_apart(partition: str, kind: Kind) -> None:
    """Each partition, each kind: the parts, and the same text back."""
    text = f"arn:{partition}:iam::{ACCOUNT}:{kind}/Name"
    assert parse(text) == Arn(partition, ACCOUNT, kind, "/", "Name")
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("resource", "path", "name"),
    [
        ("role/a/b/R", "/a/b/", "R"),
        (
            "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            "/aws-service-role/ecs.amazonaws.com/",
            "AWSServiceRoleForECS",
        ),
        ("role/<!channel>/*x*/R", "/<!channel>/*x*/", "R"),
        ("user/with:colon/u", "/with:colon/", "u"),
    ],
)
def test_the_path_is_all_between_the_kind_and_the_name(resource: str, path: str, name: str) -> None:
    """AWS allows nearly any printable character in a path, colons included."""
    arn = parse(f"arn:aws:iam::{ACCOUNT}:{resource}")
    assert isinstance(arn, Arn)
    assert (arn.path, arn.name) == (path, name)
    assert str(arn).endswith(resource)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
@pytest.mark.parametrize("session", ["alice@example.com", "i-0abc", "a/b", ""])
def test_an_assumed_role_means_its_role(partition: str, session: str) -> None:
    """STS names a session; what can be audited is the role behind it."""
    text = f"arn:{partition}:sts::{ACCOUNT}:assumed-role/DBAdminRole/{session}"
    assert str(parse(text)) == f"arn:{partition}:iam::{ACCOUNT}:role/DBAdminRole"


def test_only_policies_belong_to_aws_itself() -> None:
    """`aws` stands where the account does in AWS managed policies, and nowhere else."""
    arn = parse("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess")
    assert isinstance(arn, Arn)
    assert (arn.account, arn.path, arn.name) == ("aws", "/job-function/", "ViewOnlyAccess")
    for kind in ("role", "user", "group"):
        assert parse(f"arn:aws:iam::aws:{kind}/X") == "only policies belong to AWS itself"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "whole"),
        ("arn:", "whole"),
        ("arn:aws:iam::111111111111", "whole"),
        ("urn:aws:iam::111111111111:role/R", "whole"),
        ("arn:azure:iam::111111111111:role/R", "partition"),
        ("arn:AWS:iam::111111111111:role/R", "partition"),
        ("arn:aws:iam:us-east-1:111111111111:role/R", "12 digits"),
        ("arn:aws:iam::11111111111:role/R", "12 digits"),
        ("arn:aws:iam::1111111111111:role/R", "12 digits"),
        ("arn:aws:iam:::role/R", "12 digits"),
        ("arn:aws:iam::１１１１１１１１１１１１:role/R", "12 digits"),
        ("arn:aws:s3::111111111111:role/R", "IAM"),
        ("arn:aws:sts::111111111111:federated-user/bob", "IAM"),
        ("arn:aws:iam::111111111111:root", "root"),
        ("arn:aws:iam::111111111111:instance-profile/P", "no role, user"),
        ("arn:aws:iam::111111111111:mfa/bob", "no role, user"),
        ("arn:aws:iam::111111111111:Role/R", "no role, user"),
        ("arn:aws:iam::111111111111:role", "name"),
        ("arn:aws:iam::111111111111:role/", "name"),
        ("arn:aws:iam::111111111111:role/a/", "name"),
        ("arn:aws:iam::111111111111:role/R R", "name"),
        ("arn:aws:iam::111111111111:role/<!channel>", "name"),
        ("arn:aws:iam::111111111111:role/" + "x" * 129, "name"),
        ("arn:aws:sts::111111111111:assumed-role/", "name"),
    ],
)
def test_what_cannot_be_audited_is_refused_in_words(text: str, reason: str) -> None:
    """The reason is a text that a usage error can carry."""
    answer = parse(text)
    assert isinstance(answer, str)
    assert reason in answer


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("DBAdminRole", True),
        ("a", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("_+=,.@-", True),
        ("ünïcode", False),
        ("a b", False),
        ("a/b", False),
        ("a:b", False),
        ("a\n", False),
        ("\u0661", False),
        ("*", False),
    ],
)
def test_valid_name(name: str, good: bool) -> None:
    """Letters, digits and _+=,.@- of ASCII, 1 to 128 of them."""
    assert valid_name(name) is good


@given(st.text(max_size=200) | st.text("arn:aws-iamstrolepolicy/0123456789", max_size=80))
def test_parse_never_raises_and_what_it_takes_reads_back(text: str) -> None:
    """Any text: an ARN whose text gives the same ARN again, or a reason."""
    answer = parse(text)
    if isinstance(answer, Arn):
        assert parse(str(answer)) == answer
        assert valid_name(answer.name)
    else:
        assert answer
