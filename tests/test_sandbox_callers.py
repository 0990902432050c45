"""The sandbox's AWS: who may do what to which thing, reads that lag behind writes, and effects under errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.accounts import AWS_POLICY, S3, Json, Place, document, refused, statement
from tests.sandbox.aws import Aws

DENIED = (403, "AccessDenied")
EVERYTHING = statement("*")


@pytest.fixture
def place(aws: Aws) -> Iterator[Place]:
    with Place(aws) as place:
        yield place


def sentence(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    assert error.value.response["Error"]["Code"] == "AccessDenied"
    return str(error.value.response["Error"]["Message"])


def may(call: Any, **parameters: Any) -> bool:
    try:
        call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


# -- resources ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "good"),
    [
        ("*", True),
        ("arn:aws:iam::{}:role/team/x", True),
        ("arn:aws:iam::{}:role/team/*", True),
        ("arn:aws:iam::{}:role/*", True),
        ("arn:aws:iam::*:role/team/?", True),
        ("arn:aws:iam::{}:role/x", False),
        ("arn:aws:iam::{}:role/team/??", False),
        ("arn:aws:iam::{}:user/*", False),
        ("arn:aws:iam::{}:role/TEAM/x", False),
        (["arn:aws:iam::{}:role/none", "arn:aws:iam::{}:role/team/x"], True),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_role_is_its_arn_with_its_path(place: Place, resource: Any, good: bool, effect: str) -> None:
    place.make("role", path="/team/")
    patterns = [r.format(place.number) for r in ([resource] if isinstance(resource, str) else resource)]
    base = [] if effect == "Allow" else [EVERYTHING]
    iam = place.caller(*base, statement("iam:PutRolePolicy", resource=patterns, effect=effect))
    done = may(iam.put_role_policy, RoleName="x", PolicyName="p", PolicyDocument=S3)
    assert done is (good if effect == "Allow" else not good)
    assert place.state()["role/x"]["inline"] == ({"p": S3} if done else {})


def test_policies_users_and_groups_are_resources_too(place: Place) -> None:
    """A policy that is to be is known by its name and path; a member is put into a group."""
    for kind in ("user", "group"):
        place.make(kind)
        place.make(kind, "y")
    mine, other = place.policy("mine-1"), place.policy("other")
    ours = [place.arn(r) for r in ("policy/mine-*", "policy/p/mine-*", "user/x", "group/x")]
    iam = place.caller(statement("iam:*", resource=ours))
    assert may(iam.create_policy_version, PolicyArn=mine, PolicyDocument=S3)
    assert not may(iam.create_policy_version, PolicyArn=other, PolicyDocument=S3)
    assert may(iam.create_policy, PolicyName="mine-2", PolicyDocument=S3)
    assert may(iam.create_policy, PolicyName="mine-3", PolicyDocument=S3, Path="/p/")
    assert not may(iam.create_policy, PolicyName="mine-4", PolicyDocument=S3, Path="/q/")
    assert not may(iam.create_policy, PolicyName="yours", PolicyDocument=S3)
    assert may(iam.put_user_policy, UserName="x", PolicyName="p", PolicyDocument=S3)
    assert not may(iam.put_user_policy, UserName="y", PolicyName="p", PolicyDocument=S3)
    assert may(iam.add_user_to_group, GroupName="x", UserName="y")
    assert not may(iam.add_user_to_group, GroupName="y", UserName="x")
    assert not may(iam.list_roles)


def test_not_action_and_not_resource(place: Place) -> None:
    place.make("role")
    place.make("role", "safe")
    safe = {"Effect": "Deny", "Action": "iam:*", "NotResource": place.arn("role/x")}
    iam = place.caller({"Effect": "Allow", "NotAction": "iam:Delete*", "Resource": "*"}, safe)
    put = {"PolicyName": "p", "PolicyDocument": S3}
    assert may(iam.put_role_policy, RoleName="x", **put)
    assert not may(iam.put_role_policy, RoleName="safe", **put)
    assert not may(iam.delete_role_policy, RoleName="x", PolicyName="p")


def test_groups_give_their_members(place: Place) -> None:
    iam = place.caller(statement("iam:GetRole"))
    place.make("role")
    place.make("group")
    assert not may(iam.list_roles)
    place.iam.put_group_policy(GroupName="x", PolicyName="p", PolicyDocument=document(statement("iam:List*")))
    place.iam.add_user_to_group(GroupName="x", UserName="caller")
    assert may(iam.list_roles)


CONDITIONS = [
    ({"ArnEquals": {"iam:PolicyARN": AWS_POLICY}}, True),
    ({"ArnLike": {"iam:PolicyArn": "arn:aws:iam::aws:policy/AmazonS3*"}}, True),
    ({"ArnEquals": {"iam:PolicyARN": ["arn:aws:iam::aws:policy/none", "arn:aws:iam::aws:policy/*"]}}, True),
    ({"ArnLike": {"iam:PolicyARN": "arn:*:policy/AmazonS3*"}}, False),
    ({"StringEquals": {"iam:policyarn": AWS_POLICY}}, True),
    ({"StringEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/*"}}, False),
    ({"StringLike": {"iam:PolicyARN": "arn:aws:iam:*ReadOnlyAccess"}}, True),
    ({"ArnNotEquals": {"iam:PolicyARN": AWS_POLICY}}, False),
    ({"ArnNotLike": {"iam:PolicyARN": "arn:aws:iam::aws:policy/Admin*"}}, True),
    ({"ArnEquals": {"iam:PolicyARN": AWS_POLICY}, "StringEquals": {"iam:PolicyARN": "no"}}, False),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS, ids=str)
@pytest.mark.parametrize("where", ["Allow", "Deny", "session"])
def test_which_policy_may_be_attached(place: Place, condition: Json, holds: bool, where: str) -> None:
    """In the caller's own policy, as a Deny, and in a session policy."""
    place.make("role")
    attach = statement("iam:AttachRolePolicy", "iam:DetachRolePolicy", Condition=condition)
    if where == "session":
        iam = place.session(EVERYTHING, policy=document(attach))
    elif where == "Allow":
        iam = place.caller(attach)
    else:
        iam = place.caller(EVERYTHING, attach | {"Effect": "Deny"})
    good = holds if where != "Deny" else not holds
    assert may(iam.attach_role_policy, RoleName="x", PolicyArn=AWS_POLICY) is good
    assert place.state()["role/x"]["attached"] == ([AWS_POLICY] if good else [])


def test_a_condition_on_what_a_call_has_not(place: Place) -> None:
    """iam:PolicyARN is missing where nothing is attached; an unknown key helps nobody."""
    place.make("role")
    put = {"RoleName": "x", "PolicyName": "p", "PolicyDocument": S3}
    for n, (condition, good) in enumerate(
        [
            ({"ArnLike": {"iam:PolicyARN": "*"}}, False),
            ({"ArnNotLike": {"iam:PolicyARN": "arn:aws:iam::aws:policy/x"}}, True),
            ({"ArnLikeIfExists": {"iam:PolicyARN": "arn:aws:iam::aws:policy/x"}}, True),
            ({"StringEquals": {"aws:Something": "x"}}, False),
        ]
    ):
        own = place.caller(statement("iam:PutRolePolicy", Condition=condition), name=f"a{n}")
        assert may(own.put_role_policy, **put) is good
    unknown = {"StringEquals": {"aws:Something": "x"}}
    iam = place.caller(EVERYTHING, statement("iam:*", effect="Deny", Condition=unknown))
    assert not may(iam.put_role_policy, **put)


# -- sessions ----------------------------------------------------------------------------------------------------


def test_a_session_may_what_both_allow(place: Place) -> None:
    for name in ("x", "y", "z"):
        place.make("role", name)
    own = statement("iam:PutRolePolicy", "iam:GetRole", resource=[place.arn("role/x"), place.arn("role/y")])
    both = statement(
        "iam:PutRolePolicy", "iam:CreateUser", resource=[place.arn("role/x"), place.arn("role/z")]
    )
    iam = place.session(own, policy=document(both))
    put = {"PolicyName": "p", "PolicyDocument": S3}
    assert [may(iam.put_role_policy, RoleName=n, **put) for n in ("x", "y", "z")] == [True, False, False]
    assert not may(iam.get_role, RoleName="x")
    assert not may(iam.create_user, UserName="u")
    free = place.session(policy=None)
    assert may(free.put_role_policy, RoleName="y", **put)
    denied = place.session(policy=document(EVERYTHING, statement("iam:Put*", effect="Deny")))
    assert may(denied.get_role, RoleName="x")
    assert not may(denied.put_role_policy, RoleName="x", **put)


def test_what_a_refusal_says(place: Place) -> None:
    """Who, what, on what, and which kind of policy is the reason."""
    place.make("role")
    me = f"User: arn:aws:sts::{place.number}:assumed-role/worker/req-7 is not authorized to perform: "
    put = {"RoleName": "x", "PolicyName": "p", "PolicyDocument": S3}
    narrow = place.session(EVERYTHING, policy=document(statement("iam:Get*")), name="req-7")
    on = "iam:PutRolePolicy on resource: role x "
    assert sentence(narrow.put_role_policy, **put) == (
        f"{me}{on}because no session policy allows the iam:PutRolePolicy action"
    )
    never = place.session(policy=document(EVERYTHING, statement("iam:Put*", effect="Deny")), name="req-7")
    assert sentence(never.put_role_policy, **put) == f"{me}{on}with an explicit deny in a session policy"
    poor = place.session(statement("s3:*"), name="req-7")
    assert sentence(poor.create_policy_version, PolicyArn=AWS_POLICY, PolicyDocument=S3) == (
        f"{me}iam:CreatePolicyVersion on resource: policy {AWS_POLICY} "
        "because no identity-based policy allows the iam:CreatePolicyVersion action"
    )
    held = place.session(EVERYTHING, statement("iam:Put*", effect="Deny"), name="req-7")
    assert sentence(held.put_role_policy, **put).endswith("with an explicit deny in an identity-based policy")


def test_a_session_says_its_name(place: Place) -> None:
    """And needs no permission for that."""
    sts = place.session(statement("s3:*"), policy=document(statement("s3:*")), name="req-7", service="sts")
    told = sts.get_caller_identity()
    assert told["Arn"] == f"arn:aws:sts::{place.number}:assumed-role/worker/req-7"
    assert told["Account"] == place.number


def test_session_policies_that_sts_refuses(place: Place) -> None:
    place.session(EVERYTHING)
    role = {"RoleArn": place.arn("role/w/worker"), "RoleSessionName": "s1"}
    for text in ("{", "{}", document(statement("s*:Get")), document()):
        assert refused(place.sts.assume_role, **role, Policy=text) == (400, "MalformedPolicyDocument")
    long = document(statement("s3:Get*", resource="arn:aws:s3:::" + "a" * 2_048))
    assert refused(place.sts.assume_role, **role, Policy=long)[0] == 400
    assert refused(place.sts.assume_role, **role | {"RoleArn": place.arn("role/worker")}) == DENIED


# -- reads that lag ----------------------------------------------------------------------------------------------


def test_reads_lag_by_number(place: Place) -> None:
    """So many reads of the thing see the world of before; reads of other things neither see it nor count."""
    iam = place.caller()
    for name in ("x", "y"):
        place.make("role", name)
        place.call("put", "role", name=name, PolicyName="old", PolicyDocument=S3)
    place.aws.knobs.stale_reads = 3
    iam.put_role_policy(RoleName="x", PolicyName="new", PolicyDocument=S3)
    iam.delete_role_policy(RoleName="x", PolicyName="old")
    assert iam.list_role_policies(RoleName="y")["PolicyNames"] == ["old"]
    assert iam.list_role_policies(RoleName="x")["PolicyNames"] == ["old"]
    assert refused(iam.get_role_policy, RoleName="x", PolicyName="new") == (404, "NoSuchEntity")
    assert iam.get_role_policy(RoleName="x", PolicyName="old")["PolicyName"] == "old"
    assert iam.list_role_policies(RoleName="x")["PolicyNames"] == ["new"]
    assert place.state()["role/x"]["inline"] == {"new": S3}


def test_an_administrators_eyes_do_not_lag(place: Place) -> None:
    """Nor do the checks of writes: a test sees what is."""
    iam = place.caller()
    place.make("role")
    place.aws.knobs.stale_reads = 9
    iam.put_role_policy(RoleName="x", PolicyName="p", PolicyDocument=S3)
    assert place.call("list", "role", "policies")["PolicyNames"] == ["p"]
    iam.delete_role_policy(RoleName="x", PolicyName="p")
    assert refused(iam.delete_role_policy, RoleName="x", PolicyName="p") == (404, "NoSuchEntity")


def test_policies_and_attachments_lag(place: Place) -> None:
    """A new one is not there yet, one that is gone still is; both ends of an attachment lag together."""
    iam = place.caller()
    place.make("role")
    arn = place.policy("m")
    place.aws.knobs.stale_reads = 1
    made = place.arn("policy/n")
    iam.create_policy(PolicyName="n", PolicyDocument=S3)
    assert refused(iam.get_policy, PolicyArn=made) == (404, "NoSuchEntity")
    assert iam.get_policy(PolicyArn=made)["Policy"]["DefaultVersionId"] == "v1"
    iam.create_policy_version(PolicyArn=made, PolicyDocument=S3, SetAsDefault=True)
    rows = iam.list_policy_versions(PolicyArn=made)["Versions"]
    assert [(r["VersionId"], r["IsDefaultVersion"]) for r in rows] == [("v1", True)]
    rows = iam.list_policy_versions(PolicyArn=made)["Versions"]
    assert [(r["VersionId"], r["IsDefaultVersion"]) for r in rows] == [("v1", False), ("v2", True)]
    iam.attach_role_policy(RoleName="x", PolicyArn=arn)
    assert iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"] == []
    assert iam.list_attached_role_policies(RoleName="x")["AttachedPolicies"] != []
    iam.detach_role_policy(RoleName="x", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0
    iam.delete_policy(PolicyArn=arn)
    assert arn in [p["Arn"] for p in iam.list_policies(Scope="Local")["Policies"]]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn
    assert refused(iam.get_policy, PolicyArn=arn) == (404, "NoSuchEntity")


def test_reads_lag_by_time(place: Place) -> None:
    iam = place.caller()
    place.make("role")
    place.aws.knobs.stale_seconds = 0.6
    iam.put_role_policy(RoleName="x", PolicyName="p", PolicyDocument=S3)
    for _ in range(3):
        assert iam.list_role_policies(RoleName="x")["PolicyNames"] == []
    time.sleep(0.7)
    assert iam.list_role_policies(RoleName="x")["PolicyNames"] == ["p"]


# -- the state, and faults ---------------------------------------------------------------------------------------


def test_the_state_is_all_that_counts(place: Place) -> None:
    """Each write shows in it, and what is put back is the same again."""
    iam, arn = place.iam, place.policy(Tags=[{"Key": "a", "Value": "b"}])
    for kind in ("role", "user", "group"):
        place.make(kind)
    before = place.state()
    assert before[f"policy/{arn}"]["tags"] == {"a": "b"}
    for do, undo in (
        (lambda: place.call("put", "user", PolicyName="p", PolicyDocument=S3), lambda: place.call("delete", "user", PolicyName="p")),
        (lambda: place.call("attach", "group", PolicyArn=arn), lambda: place.call("detach", "group", PolicyArn=arn)),
        (lambda: iam.put_role_permissions_boundary(RoleName="x", PermissionsBoundary=arn), lambda: iam.delete_role_permissions_boundary(RoleName="x")),
        (lambda: iam.add_user_to_group(GroupName="x", UserName="x"), lambda: iam.remove_user_from_group(GroupName="x", UserName="x")),
        (lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=S3), lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v2")),
        (lambda: iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "c", "Value": "d"}]), lambda: iam.untag_policy(PolicyArn=arn, TagKeys=["c"])),
        (lambda: place.make("role", "r"), lambda: iam.delete_role(RoleName="r")),
    ):  # fmt: skip
        do()
        assert place.state() != before
        undo()
        assert place.state() == before


def test_an_edit_behind_its_back(place: Place) -> None:
    """One statement more, each time under another Sid."""
    place.make("role")
    place.call("put", "role", PolicyName="b", PolicyDocument=S3)
    place.call("put", "role", PolicyName="a", PolicyDocument=document(statement("s3:*")))
    sids = [place.aws.meddle(place.number, "x") for _ in range(2)]
    seen = place.call("get", "role", PolicyName="a")["PolicyDocument"]["Statement"]
    assert [s.get("Sid") for s in seen] == [None, *sids]
    assert place.state()["role/x"]["inline"]["b"] == S3


@pytest.mark.parametrize("effect", [False, True])
def test_an_error_after_the_effect(place: Place, effect: bool) -> None:
    """500 says nothing of what has happened."""
    iam = place.caller()
    place.make("role")
    place.aws.fail("PutRolePolicy", error="ServiceFailure", status=500, effect=effect)
    put = {"RoleName": "x", "PolicyName": "p", "PolicyDocument": S3}
    assert refused(iam.put_role_policy, **put) == (500, "ServiceFailure")
    assert place.state()["role/x"]["inline"] == ({"p": S3} if effect else {})


def test_a_fault_gives_no_rights(place: Place) -> None:
    """What the caller may not do has no effect under an error either, nor under a lost answer."""
    iam = place.caller(statement("iam:Get*"))
    place.make("role")
    before = place.state()
    put = {"RoleName": "x", "PolicyName": "p", "PolicyDocument": S3}
    place.aws.fail("PutRolePolicy", error="ServiceFailure", effect=True)
    assert refused(iam.put_role_policy, **put) == (500, "ServiceFailure")
    place.aws.fail("PutRolePolicy", drop="after")
    with pytest.raises(ConnectionClosedError):
        iam.put_role_policy(**put)
    assert place.state() == before
