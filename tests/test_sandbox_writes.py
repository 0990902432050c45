"""The sandbox's IAM held to what the real one says to writes: sizes, quotas, conflicts, counts, pages, documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from tests.accounts import AWS_POLICY, EC2, KINDS, S3, Place, refused, whose
from tests.sandbox.aws import Aws

Json = dict[str, Any]

SIZES = {"role": 10_240, "user": 2_048, "group": 5_120}
LIMIT, CONFLICT = (409, "LimitExceeded"), (409, "DeleteConflict")
MALFORMED, NOTHING = (400, "MalformedPolicyDocument"), (404, "NoSuchEntity")


@pytest.fixture
def account(aws: Aws) -> Iterator[Place]:
    with Place(aws) as place:
        yield place


def sized(size: int) -> str:
    """A document of so many characters, white space left out; of that it has plenty."""
    text = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "RRR"}]}
    )
    text = text.replace("RRR", "arn:aws:s3:::" + "a" * (size - len("".join(text.split())) - 10))
    return text.replace(", ", "," + " \n\t" * 50)


# -- documents ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_inline_sizes_are_summed_over_an_entity(account: Place, kind: str) -> None:
    """To the character; a policy that is replaced does not count twice."""
    account.make(kind)
    account.call("put", kind, PolicyName="a", PolicyDocument=sized(1_000))
    account.call("put", kind, PolicyName="b", PolicyDocument=sized(SIZES[kind] - 1_000))
    account.call("put", kind, PolicyName="b", PolicyDocument=sized(SIZES[kind] - 1_000))
    before = account.state()
    with pytest.raises(ClientError) as error:
        account.call("put", kind, PolicyName="a", PolicyDocument=sized(1_001))
    said = error.value.response
    assert said["Error"]["Code"] == "LimitExceeded"
    assert said["Error"]["Message"] == f"Maximum policy size of {SIZES[kind]} bytes exceeded for {kind} x"
    assert said["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert account.state() == before


def test_managed_sizes(account: Place) -> None:
    arn = account.policy(text=sized(6_144))
    account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=sized(6_144))
    assert refused(account.policy, "n", sized(6_145)) == LIMIT
    assert refused(account.iam.create_policy_version, PolicyArn=arn, PolicyDocument=sized(6_145)) == LIMIT


def _statement(**parts: Any) -> str:
    whole = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"} | parts
    kept = {k: v for k, v in whole.items() if v is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]}, ensure_ascii=False)


BAD = {
    "no JSON": "{",
    "an array": "[]",
    "no statement": '{"Version": "2012-10-17"}',
    "empty": '{"Version": "2012-10-17", "Statement": []}',
    "no action in the list": _statement(Action=[]),
    "no action": _statement(Action=None),
    "vendor": _statement(Action="s*:Get"),
    "no vendor": _statement(Action="GetObject"),
    "both": _statement(NotAction="s3:*"),
    "no resource": _statement(Resource=None),
    "effect": _statement(Effect="allow"),
    "a Sid that is no word": _statement(Sid="iam-audit 1"),
    "principal": _statement(Principal="*"),
    "version": '{"Version": "2025-01-01", "Statement": []}',
    "one Sid twice": json.dumps(
        {"Version": "2012-10-17", "Statement": [json.loads(_statement(Sid="A"))["Statement"][0]] * 2}
    ),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_malformed_documents(account: Place, text: str) -> None:
    """By every operation that takes one, and nothing is changed."""
    arn = account.policy()
    for kind in KINDS:
        account.make(kind)
    before = account.state()
    for kind in KINDS:
        assert refused(account.call, "put", kind, PolicyName="p", PolicyDocument=text) == MALFORMED
    assert refused(account.policy, "n", text) == MALFORMED
    assert refused(account.iam.create_policy_version, PolicyArn=arn, PolicyDocument=text) == MALFORMED
    assert account.state() == before


GOOD = {
    "no version": '{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}',
    "2008": S3.replace("2012", "2008"),
    "everything": _statement(Action="*"),
    "letters": _statement(Action="S3:gETobject", Sid=""),
    "odd": _statement(Resource="arn:aws:s3:::b%41/+ü&?=/${aws:username}").replace(", ", ",\r\n\t"),
    "escaped": json.dumps(json.loads(_statement(Resource="arn:aws:s3:::é"))),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_documents_come_back_as_they_were_put(account: Place, text: str) -> None:
    """Percent-encoded on the wire, the slash too; undone once it is the very text."""
    sent: list[str] = []
    account.iam.meta.events.register(
        "after-call.iam.*", lambda http_response, **_: sent.append(http_response.text), unique_id="sent"
    )
    arn = account.policy(text=text)
    for kind in KINDS:
        account.make(kind)
        account.call("put", kind, PolicyName="p", PolicyDocument=text)
    sent.clear()
    for kind in KINDS:
        assert account.call("get", kind, PolicyName="p")["PolicyDocument"] == json.loads(text)
    version = account.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    account.iam.meta.events.unregister("after-call.iam.*", unique_id="sent")
    assert version["Document"] == json.loads(text)
    for answer in sent:
        raw = re.findall(r"Document>(.*?)</", answer)[0]
        assert not set('{}"/ ') & set(raw)
        assert unquote(raw) == text


def test_names_and_characters(account: Place) -> None:
    account.make("role")
    bad = (400, "ValidationError")
    for name in ("a b", "a/b", "é", "n" * 129):
        assert refused(account.call, "put", "role", PolicyName=name, PolicyDocument=S3) == bad
        assert refused(account.policy, name) == bad
    text = S3.replace("s3:*", "s3:–")
    assert refused(account.call, "put", "role", PolicyName="p", PolicyDocument=text) == bad


# -- whose roles and policies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("AWSServiceRoleForX", "/aws-service-role/x.amazonaws.com/"),
        ("AWSReservedSSO_Ops_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/"),
        ("AWSReservedSSO_Ops_0123456789abcdef", "/"),
    ],
)
def test_roles_of_aws_are_nobodys_to_change(account: Place, name: str, path: str) -> None:
    account.make("role", name, path)
    arn = account.policy()
    before = account.state()
    iam, role = account.iam, {"RoleName": name}
    for call, more in (
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": S3}),
        (iam.delete_role_policy, {"PolicyName": "p"}),
        (iam.attach_role_policy, {"PolicyArn": arn}),
        (iam.detach_role_policy, {"PolicyArn": arn}),
        (iam.put_role_permissions_boundary, {"PermissionsBoundary": arn}),
        (iam.delete_role_permissions_boundary, {}),
        (iam.update_assume_role_policy, {"PolicyDocument": EC2}),
        (iam.delete_role, {}),
    ):
        assert refused(call, **role, **more) == (400, "UnmodifiableEntity")
    assert account.state() == before


def test_policies_of_aws_and_of_others(account: Place) -> None:
    """They can be attached and no more."""
    account.make("role")
    iam, denied = account.iam, (403, "AccessDenied")
    for arn in (AWS_POLICY, "arn:aws:iam::123456789012:policy/m"):
        assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=S3) == denied
        assert refused(iam.set_default_policy_version, PolicyArn=arn, VersionId="v1") == denied
        assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v1") == denied
        assert refused(iam.delete_policy, PolicyArn=arn) == denied
    account.call("attach", "role", PolicyArn=AWS_POLICY)
    assert account.state()["role/x"]["attached"] == [AWS_POLICY]


# -- versions ----------------------------------------------------------------------------------------------------


def test_versions(account: Place) -> None:
    """Five at most; the default one stays; a number is never given twice."""
    arn, iam = account.policy(), account.iam
    new = {"PolicyArn": arn, "PolicyDocument": S3}
    for _ in range(4):
        iam.create_policy_version(**new)
    assert refused(iam.create_policy_version, **new) == LIMIT
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    made = iam.create_policy_version(**new, SetAsDefault=True)["PolicyVersion"]
    assert (made["VersionId"], made["IsDefaultVersion"], "Document" in made) == ("v6", True, False)
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v6") == CONFLICT
    iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    assert iam.create_policy_version(**new)["PolicyVersion"]["VersionId"] == "v7"
    for _ in range(2):
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v3")
        rows = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        assert {r["VersionId"]: r["IsDefaultVersion"] for r in rows} == {
            "v1": False, "v3": True, "v4": False, "v6": False, "v7": False
        }  # fmt: skip
        assert not any("Document" in r for r in rows)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v3"
    for call in (iam.set_default_policy_version, iam.delete_policy_version, iam.get_policy_version):
        assert refused(call, PolicyArn=arn, VersionId="v2") == NOTHING
    assert refused(iam.create_policy_version, PolicyArn=arn + "q", PolicyDocument=S3) == NOTHING


def test_a_policy_in_use_is_not_deleted(account: Place) -> None:
    """While it is attached, a boundary, or has versions beside the default one."""
    arn, iam = account.policy(), account.iam
    for kind in KINDS:
        account.make(kind)
        account.call("attach", kind, PolicyArn=arn)
        assert refused(iam.delete_policy, PolicyArn=arn) == CONFLICT
        account.call("detach", kind, PolicyArn=arn)
    iam.put_role_permissions_boundary(RoleName="x", PermissionsBoundary=arn)
    assert refused(iam.delete_policy, PolicyArn=arn) == CONFLICT
    iam.delete_role_permissions_boundary(RoleName="x")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=S3)
    assert refused(iam.delete_policy, PolicyArn=arn) == CONFLICT
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.delete_policy, PolicyArn=arn) == NOTHING
    assert refused(iam.get_policy, PolicyArn=arn) == NOTHING


# -- attachments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_attachments(account: Place, kind: str) -> None:
    """Ten; a second time is no error and counts once; what is not there cannot be taken away."""
    account.make(kind)
    arns = [account.policy(f"m{n:02}") for n in range(11)]
    for arn in arns[:10]:
        account.call("attach", kind, PolicyArn=arn)
    account.call("attach", kind, PolicyArn=arns[0])
    assert account.iam.get_policy(PolicyArn=arns[0])["Policy"]["AttachmentCount"] == 1
    assert refused(account.call, "attach", kind, PolicyArn=arns[10]) == LIMIT
    assert account.state()[f"{kind}/x"]["attached"] == arns[:10]
    account.call("detach", kind, PolicyArn=arns[0])
    assert account.iam.get_policy(PolicyArn=arns[0])["Policy"]["AttachmentCount"] == 0
    for arn in (arns[0], arns[10], arns[0] + "q"):
        assert refused(account.call, "detach", kind, PolicyArn=arn) == NOTHING
    assert refused(account.call, "attach", kind, PolicyArn=arns[0] + "q") == NOTHING
    assert refused(account.call, "attach", kind, PolicyArn=arns[0], name="nobody") == NOTHING
    assert refused(account.call, "delete", kind, PolicyName="none") == NOTHING
    assert refused(account.call, "get", kind, PolicyName="none") == NOTHING
    assert refused(account.call, "put", kind, PolicyName="p", PolicyDocument=S3, name="nobody") == NOTHING


def test_counts(account: Place) -> None:
    """Attachments and boundaries are counted apart, and listed apart."""
    arn, iam = account.policy(), account.iam
    for kind in KINDS:
        account.make(kind)
        account.call("attach", kind, PolicyArn=arn)
    account.make("role", "bounded")
    iam.put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=arn)
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (policy["AttachmentCount"], policy["PermissionsBoundaryUsageCount"]) == (3, 1)
    both = iam.list_entities_for_policy(PolicyArn=arn)
    assert [r["RoleName"] for r in both["PolicyRoles"]] == ["x", "bounded"]
    only = iam.list_entities_for_policy(PolicyArn=arn, PolicyUsageFilter="PermissionsBoundary")
    assert ([r["RoleName"] for r in only["PolicyRoles"]], only["PolicyUsers"]) == (["bounded"], [])


def test_what_a_policy_keeps(account: Place) -> None:
    tags = [{"Key": "owner", "Value": "Ops"}]
    arn = account.policy("Mine", Path="/a/b/", Description="what for", Tags=tags)
    policy = account.iam.get_policy(PolicyArn=arn)["Policy"]
    assert arn.endswith(":policy/a/b/Mine")
    assert (policy["Path"], policy["Description"], policy["Tags"]) == ("/a/b/", "what for", tags)
    exists = (409, "EntityAlreadyExists")
    assert refused(account.policy, "Mine", Path="/a/b/") == exists
    assert refused(account.policy, "mine") == exists
    assert account.policy("AmazonS3ReadOnlyAccess")  # a name of AWS's is free


# -- pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", ["MaxItems", "page_size"])
def test_lists_come_in_pages(account: Place, bound: str) -> None:
    """Three of everything by twos: each row once, in the order of the whole."""
    iam = account.iam
    arns = [account.policy(f"m{n}") for n in range(3)]
    for kind in KINDS:
        account.make(kind)
        for n, arn in enumerate(arns):
            account.call("put", kind, PolicyName=f"p{n}", PolicyDocument=S3)
            account.call("attach", kind, PolicyArn=arn)
    for n in range(3):
        account.make("group", f"g{n}")
        iam.add_user_to_group(GroupName=f"g{n}", UserName="x")
    for _ in range(2):
        iam.create_policy_version(PolicyArn=arns[0], PolicyDocument=S3)
    lists: list[tuple[str, Json, list[str]]] = [
        ("list_policy_versions", {"PolicyArn": arns[0]}, ["Versions"]),
        ("list_entities_for_policy", {"PolicyArn": arns[0]}, ["PolicyGroups", "PolicyUsers", "PolicyRoles"]),
        ("list_groups_for_user", {"UserName": "x"}, ["Groups"]),
    ]
    lists += [(f"list_{k}_policies", whose(k), ["PolicyNames"]) for k in KINDS]
    lists += [(f"list_attached_{k}_policies", whose(k), ["AttachedPolicies"]) for k in KINDS]
    for method, asked, keys in lists:
        account.aws.knobs.page_size = 1000
        whole = getattr(iam, method)(**asked)
        account.aws.knobs.page_size = 2 if bound == "page_size" else 1000
        bounded = {"MaxItems": 2} if bound == "MaxItems" else {}
        first = getattr(iam, method)(**asked, **bounded)
        second = getattr(iam, method)(**asked, **bounded, Marker=first["Marker"])
        assert [first["IsTruncated"], whole["IsTruncated"], second["IsTruncated"]] == [True, False, False]
        assert "Marker" not in second
        assert [len([r for k in keys for r in a[k]]) for a in (first, second)] == [2, 1], method
        assert all(first[k] + second[k] == whole[k] for k in keys), method


def test_every_answer_has_its_own_number(account: Place) -> None:
    """Good ones and refusals."""
    told = {account.iam.list_roles()["ResponseMetadata"]["RequestId"] for _ in range(2)}
    for arn in (AWS_POLICY, f"arn:aws:iam::{account.number}:policy/none"):
        with pytest.raises(ClientError) as error:
            account.iam.delete_policy(PolicyArn=arn)
        told.add(error.value.response["ResponseMetadata"]["RequestId"])
    assert len(told) == 4
