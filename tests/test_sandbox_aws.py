"""The sandbox's AWS held to what IAM is known to do: Access Advisor, pages, documents, permissions, and its own faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.world import DATA, DEV, PROD, World

Json = dict[str, Any]
ROLE = f"arn:aws:iam::{PROD}:role/"


@pytest.fixture
def world(seeded: tuple[Aws, World]) -> World:
    return seeded[1]


def _client(environment: dict[str, str], service: str = "iam", session_token: str | None = None) -> Any:
    return boto3.session.Session().client(
        service,
        region_name="us-east-1",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=session_token,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=4, connect_timeout=2),
    )


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Any]]:
    """Clients are slow to make, so they are kept."""
    made: dict[str, Any] = {}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture
def iam(aws: Aws, world: World, clients: dict[str, Any]) -> Any:
    """IAM as the bot's own user sees it."""
    key = world.bot["AWS_ACCESS_KEY_ID"]
    return clients.get(key) or clients.setdefault(key, _client(world.bot))


@pytest.fixture
def admin(aws: Aws, clients: dict[str, Any]) -> Any:
    """IAM as the test that arranges things sees it."""
    return clients.get("admin") or clients.setdefault("admin", aws.client("iam", PROD))


def _code(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return str(refused.value.response["Error"]["Code"])


def _report(iam: Any, arn: str, level: str = "SERVICE_LEVEL") -> tuple[str, Json]:
    """A finished report, whole."""
    job = iam.generate_service_last_accessed_details(Arn=arn, Granularity=level)["JobId"]
    for _ in range(9):
        answer = iam.get_service_last_accessed_details(JobId=job, MaxItems=1000)
        if answer["JobStatus"] != "IN_PROGRESS":
            return job, dict(answer)
    raise AssertionError("the report is never done")


def _row(answer: Json, service: str) -> Json | None:
    return next((r for r in answer["ServicesLastAccessed"] if r["ServiceNamespace"] == service), None)


@pytest.fixture
def role(admin: Any) -> Iterator[Callable[..., str]]:
    """Makes roles with one inline policy, and takes them away again."""
    made: list[str] = []

    def make(name: str, *statements: Json) -> str:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        arn = admin.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        made.append(name)
        text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        admin.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=text)
        return str(arn)

    yield make
    for name in made:
        admin.delete_role_policy(RoleName=name, PolicyName="p")
        admin.delete_role(RoleName=name)


def _allow(*actions: str, **more: Any) -> Json:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


# -- what an absence means -------------------------------------------------------------------------------------------


def test_a_service_without_use_is_listed_without_a_date(iam: Any) -> None:
    """Granted and not tried: a row with 0 entities and no date, nobody's name and no Region."""
    _, answer = _report(iam, ROLE + "DBAdminRole")
    row = _row(answer, "kms")
    assert row is not None
    assert row["TotalAuthenticatedEntities"] == 0
    assert not {"LastAuthenticated", "LastAuthenticatedEntity", "LastAuthenticatedRegion"} & set(row)


def test_a_service_with_use(iam: Any, world: World) -> None:
    """The newest attempt, whose it was and where."""
    _, answer = _report(iam, ROLE + "DBAdminRole")
    row = _row(answer, "dynamodb")
    assert row is not None
    assert row["LastAuthenticated"] == world.now - timedelta(days=3)
    assert row["LastAuthenticatedEntity"] == ROLE + "DBAdminRole"
    assert row["LastAuthenticatedRegion"] == "eu-north-1"
    assert row["TotalAuthenticatedEntities"] == 1


@pytest.mark.parametrize(
    ("statements", "listed", "actions"),
    [
        pytest.param([_allow("iam:PassRole")], {"iam"}, {"iam": None}, id="untracked-action-only"),
        pytest.param([_allow("s3:GetObject")], {"s3"}, {"s3": None}, id="data-plane-only"),
        pytest.param(
            [_allow("sqs:*", "sns:*"), {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}],
            {"sns"},
            {},
            id="cancelled-by-a-deny",
        ),
        pytest.param([_allow("s3:Nonsense")], set(), {}, id="unknown-action"),
        pytest.param(
            [_allow("s3:ListAllMyBuckets", Condition={"StringEquals": {"aws:PrincipalTag/x": "never"}})],
            {"s3"},
            {"s3": ["ListAllMyBuckets"]},
            id="a-condition-that-never-matches",
        ),
        pytest.param([_allow("S3:listallmybuckets")], {"s3"}, {"s3": ["ListAllMyBuckets"]}, id="any-case"),
        pytest.param(
            [_allow("sqs:*"), {"Effect": "Deny", "Action": "sqs:*", "Resource": "arn:aws:sqs:::one"}],
            {"sqs"},
            {},
            id="a-deny-of-one-resource-takes-nothing-away",
        ),
    ],
)
def test_what_is_listed(
    iam: Any, role: Callable[..., str], statements: list[Json], listed: set[str], actions: Json
) -> None:
    """Services and tracked actions of policies of which a live account's report was recorded."""
    _, answer = _report(iam, role("probe", *statements), "ACTION_LEVEL")
    assert {r["ServiceNamespace"] for r in answer["ServicesLastAccessed"]} == listed
    for service, expected in actions.items():
        found = (_row(answer, service) or {}).get("TrackedActionsLastAccessed")
        assert (None if found is None else [a["ActionName"] for a in found]) == expected


def test_not_action_grants_all_the_rest(iam: Any) -> None:
    """NotAction under Allow: every service but those named."""
    _, answer = _report(iam, ROLE + "not-action-role")
    found = {r["ServiceNamespace"] for r in answer["ServicesLastAccessed"]}
    assert len(found) > 300
    assert not {"iam", "organizations"} & found


def test_action_rows(iam: Any, world: World) -> None:
    """A tracked action without use has no time; one with use has time, entity and Region."""
    _, answer = _report(iam, ROLE + "DBAdminRole", "ACTION_LEVEL")
    assert answer["JobType"] == "ACTION_LEVEL"
    row = _row(answer, "s3")
    assert row is not None
    by_name = {a["ActionName"]: a for a in row["TrackedActionsLastAccessed"]}
    assert by_name["ListAllMyBuckets"]["LastAccessedTime"] == world.now - timedelta(days=21)
    assert set(by_name["CreateBucket"]) == {"ActionName"}
    assert "GetObject" not in by_name


def test_service_level_has_no_actions(iam: Any) -> None:
    _, answer = _report(iam, ROLE + "DBAdminRole")
    assert answer["JobType"] == "SERVICE_LEVEL"
    assert not any("TrackedActionsLastAccessed" in r for r in answer["ServicesLastAccessed"])


def test_rows_sort_by_namespace(iam: Any) -> None:
    _, answer = _report(iam, ROLE + "OrgAdmin")
    names = [r["ServiceNamespace"] for r in answer["ServicesLastAccessed"]]
    assert names == sorted(names)


# -- jobs ------------------------------------------------------------------------------------------------------------


def test_in_progress_has_three_keys(iam: Any, aws: Aws) -> None:
    """While it runs the answer holds no list and no end, though the model calls both required."""
    aws.knobs.job_polls = 2
    job = iam.generate_service_last_accessed_details(Arn=ROLE + "DBAdminRole")["JobId"]
    for method, more in (
        (iam.get_service_last_accessed_details, {}),
        (iam.get_service_last_accessed_details_with_entities, {"ServiceNamespace": "s3"}),
    ):
        answer = method(JobId=job, **more)
        answer.pop("ResponseMetadata")
        assert set(answer) == {"JobStatus", "JobCreationDate", "IsTruncated"}
        assert (answer["JobStatus"], answer["IsTruncated"]) == ("IN_PROGRESS", False)
    assert iam.get_service_last_accessed_details(JobId=job)["JobStatus"] == "COMPLETED"


def test_a_failed_job_says_why(iam: Any, aws: Aws) -> None:
    aws.knobs.job_result, aws.knobs.job_polls = "fail", 0
    job = iam.generate_service_last_accessed_details(Arn=ROLE + "DBAdminRole")["JobId"]
    answer = iam.get_service_last_accessed_details(JobId=job)
    assert answer["JobStatus"] == "FAILED"
    assert set(answer["Error"]) == {"Code", "Message"}


def test_a_report_is_frozen(iam: Any, admin: Any, role: Callable[..., str]) -> None:
    """A later change of the policies changes no report that was asked for before."""
    arn = role("probe", _allow("s3:*"))
    job = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
    text = json.dumps({"Version": "2012-10-17", "Statement": [_allow("sqs:*")]})
    admin.put_role_policy(RoleName="probe", PolicyName="p", PolicyDocument=text)
    iam.get_service_last_accessed_details(JobId=job)
    answer = iam.get_service_last_accessed_details(JobId=job)
    assert [r["ServiceNamespace"] for r in answer["ServicesLastAccessed"]] == ["s3"]


def test_a_job_belongs_to_its_session(world: World, aws: Aws) -> None:
    """Another session of the same role, even of the same name, gets 404 on both Get calls; its own may read."""
    sts = _client(world.bot, "sts")
    sessions = []
    for _ in range(2):
        told = sts.assume_role(RoleArn=f"arn:aws:iam::{DEV}:role/{story.READ_ROLE}", RoleSessionName="same")
        keys = told["Credentials"]
        environment = world.bot | {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        }
        sessions.append(_client(environment, session_token=keys["SessionToken"]))
    own, other = sessions
    job, _ = _report(own, f"arn:aws:iam::{DEV}:role/DBAdminRole")
    for reader in (other, _client(world.bot)):
        for method, more in (
            (reader.get_service_last_accessed_details, {}),
            (reader.get_service_last_accessed_details_with_entities, {"ServiceNamespace": "s3"}),
        ):
            with pytest.raises(ClientError) as refused:
                method(JobId=job, **more)
            said = refused.value.response
            assert said["Error"]["Code"] == "NoSuchEntity"
            assert said["Error"]["Message"] == f"Job {job} does not exist."
            assert said["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert own.get_service_last_accessed_details(JobId=job)["JobStatus"] == "COMPLETED"


@pytest.mark.parametrize(
    ("arn", "code", "status"),
    [
        (f"arn:aws:iam::{PROD}:role/missing", "NoSuchEntity", 404),
        (f"arn:aws:iam::{PROD}:policy/missing", "NoSuchEntity", 404),
        (f"arn:aws:iam::{DEV}:role/DBAdminRole", "AccessDenied", 403),
        (f"arn:aws:iam::{PROD}:root", "InvalidInput", 400),
        (f"arn:nowhere:iam::{PROD}:role/DBAdminRole", "ValidationError", 400),
        ("arn:aws:s3:::some-bucket-of-ours", "ValidationError", 400),
        ("not-an-arn-but-long-enough", "ValidationError", 400),
    ],
)
def test_arns_that_generate_refuses(iam: Any, arn: str, code: str, status: int) -> None:
    with pytest.raises(ClientError) as refused:
        iam.generate_service_last_accessed_details(Arn=arn)
    said = refused.value.response
    assert (said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


@pytest.mark.parametrize("path", ["wrong/path/", "", "a/"])
def test_a_wrong_path_resolves_by_name(iam: Any, path: str) -> None:
    _, answer = _report(iam, f"arn:aws:iam::{PROD}:user/{path}anna")
    row = _row(answer, "s3")
    assert row is not None
    assert row["LastAuthenticatedEntity"] == f"arn:aws:iam::{PROD}:user/anna"


# -- pages -----------------------------------------------------------------------------------------------------------


def test_pages_of_a_report(iam: Any) -> None:
    """200 rows where nothing is said; markers lead through all of them, each once."""
    job, whole = _report(iam, ROLE + "OrgAdmin")
    first = iam.get_service_last_accessed_details(JobId=job)
    assert (len(first["ServicesLastAccessed"]), first["IsTruncated"]) == (200, True)
    assert "sts" not in {r["ServiceNamespace"] for r in first["ServicesLastAccessed"]}
    rows, marker = [], {}
    while True:
        answer = iam.get_service_last_accessed_details(JobId=job, MaxItems=150, **marker)
        rows += answer["ServicesLastAccessed"]
        if not answer["IsTruncated"]:
            break
        marker = {"Marker": answer["Marker"]}
    assert "Marker" not in answer
    assert rows == whole["ServicesLastAccessed"]


def test_markers_are_not_interchangeable(iam: Any) -> None:
    job, _ = _report(iam, f"arn:aws:iam::{PROD}:group/data-engineers")
    services = iam.get_service_last_accessed_details(JobId=job, MaxItems=1)["Marker"]
    entities = iam.get_service_last_accessed_details_with_entities(
        JobId=job, ServiceNamespace="s3", MaxItems=1
    )["Marker"]
    assert _code(iam.get_service_last_accessed_details, JobId=job, Marker=entities) == "InvalidInput"
    wrong = {"JobId": job, "ServiceNamespace": "s3", "Marker": services}
    assert _code(iam.get_service_last_accessed_details_with_entities, **wrong) == "InvalidInput"


_LISTS = [
    ("list_roles", "Roles", {}),
    ("list_users", "Users", {}),
    ("list_policies", "Policies", {"Scope": "Local"}),
    ("list_attached_role_policies", "AttachedPolicies", {"RoleName": "DBAdminRole"}),
    ("list_role_policies", "PolicyNames", {"RoleName": "DBAdminRole"}),
    ("list_groups", "Groups", {}),
    ("list_groups_for_user", "Groups", {"UserName": "anna"}),
]


@pytest.mark.parametrize("bound", ["MaxItems", "page_size"])
@pytest.mark.parametrize(("method", "key", "parameters"), _LISTS)
def test_lists_come_in_pages(iam: Any, aws: Aws, method: str, key: str, parameters: Json, bound: str) -> None:
    """By MaxItems, and by a service that gives less than was asked for: the pages together are the whole."""
    call = getattr(iam, method)
    whole = call(**parameters, MaxItems=1000)
    assert whole["IsTruncated"] is False
    asked = dict(parameters)
    if bound == "MaxItems":
        asked["MaxItems"] = 2
    else:
        aws.knobs.page_size = 2
    rows: list[Any] = []
    while True:
        answer = call(**asked)
        assert len(answer[key]) <= 2
        rows += answer[key]
        if not answer["IsTruncated"]:
            break
        asked["Marker"] = answer["Marker"]
    assert rows == whole[key]
    assert rows


# -- entities and policies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arn", "service", "names"),
    [
        (f"{ROLE}DBAdminRole", "s3", ["DBAdminRole"]),
        (f"arn:aws:iam::{PROD}:user/anna", "s3", ["anna"]),
        (f"arn:aws:iam::{PROD}:group/data-engineers", "redshift", ["bjorn"]),
    ],
)
def test_who_used_a_service(iam: Any, arn: str, service: str, names: list[str]) -> None:
    """Newest first; who did not use it carries no date; a group's report has its members."""
    job, _ = _report(iam, arn)
    rows = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace=service)["EntityDetailsList"]  # fmt: skip
    dates = [r["LastAuthenticated"] for r in rows if "LastAuthenticated" in r]
    assert dates == sorted(dates, reverse=True)
    assert [r["EntityInfo"]["Name"] for r in rows[: len(dates)]] == names
    assert not any("LastAuthenticated" in r for r in rows[len(dates) :])
    assert {"Arn", "Name", "Type", "Id"} <= set(rows[0]["EntityInfo"])


def test_a_policy_reaches_users_and_roles(iam: Any) -> None:
    """Members of a group with the policy are in its report; one attached to nobody lists services with 0 entities."""
    job, _ = _report(iam, f"arn:aws:iam::{PROD}:policy/DataLakeAccess")
    rows = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="s3")["EntityDetailsList"]  # fmt: skip
    assert {r["EntityInfo"]["Type"] for r in rows} == {"ROLE", "USER"}
    assert len(rows) == 10
    _, answer = _report(iam, f"arn:aws:iam::{PROD}:policy/OldTools")
    assert {(r["ServiceNamespace"], r["TotalAuthenticatedEntities"]) for r in answer["ServicesLastAccessed"]} == {("sns", 0), ("sqs", 0)}  # fmt: skip


def test_an_unknown_service(iam: Any) -> None:
    job, _ = _report(iam, ROLE + "DBAdminRole")
    method = iam.get_service_last_accessed_details_with_entities
    assert _code(method, JobId=job, ServiceNamespace="nonsense") == "InvalidInput"


def test_what_grants_a_service(iam: Any) -> None:
    """Each document alone: a Deny elsewhere hides nothing; a group's policies are a user's; a policy is not asked."""
    call = iam.list_policies_granting_service_access
    [answer] = call(Arn=f"arn:aws:iam::{PROD}:user/anna", ServiceNamespaces=["s3"])[
        "PoliciesGrantingServiceAccess"
    ]
    kinds = {(p["PolicyName"], p["PolicyType"]) for p in answer["Policies"]}
    assert kinds == {("data", "INLINE"), ("DataLakeAccess", "MANAGED")}
    inline = next(p for p in answer["Policies"] if p["PolicyType"] == "INLINE")
    assert (inline["EntityType"], inline["EntityName"]) == ("GROUP", "data-engineers")
    assert _code(call, Arn=f"arn:aws:iam::{PROD}:policy/OldTools", ServiceNamespaces=["s3"]) == "InvalidInput"


@pytest.mark.parametrize("bad", ["nonsense", "end-user-messaging"])
def test_one_bad_namespace_fails_all(iam: Any, bad: str) -> None:
    call = iam.list_policies_granting_service_access
    assert _code(call, Arn=ROLE + "DBAdminRole", ServiceNamespaces=["s3", bad]) == "InvalidInput"


# -- where moto is laxer ---------------------------------------------------------------------------------------------


def test_documents_are_percent_encoded(admin: Any, aws: Aws) -> None:
    """The wire carries RFC 3986; what a client reads is what was written, also with odd characters."""
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [_allow("s3:*", Sid="a100", Condition={"StringLike": {"aws:x": "a+b %41/&="}})],
        }
    )
    sent: list[str] = []
    admin.meta.events.register("after-call.iam.*", lambda http_response, **_: sent.append(http_response.text))
    arn = admin.create_policy(PolicyName="odd-text", PolicyDocument=text)["Policy"]["Arn"]
    try:
        sent.clear()
        answer = admin.get_policy_version(PolicyArn=arn, VersionId="v1")
    finally:
        admin.delete_policy(PolicyArn=arn)
    raw = sent[0].split("<Document>")[1].split("</Document>")[0]
    assert "{" not in raw
    assert unquote(raw) == text
    assert answer["PolicyVersion"]["Document"] == json.loads(text)


@pytest.mark.parametrize("kind", ["role", "user", "group"])
def test_inline_documents(iam: Any, aws: Aws, kind: str) -> None:
    """An inline policy is given back as it is stored."""
    name, policy = {"role": ("DBAdminRole", "db-admin-inline"), "user": ("alice-cli", "own"), "group": ("data-engineers", "data")}[kind]  # fmt: skip
    answer = getattr(iam, f"get_{kind}_policy")(**{f"{kind.title()}Name": name, "PolicyName": policy})
    holders = getattr(aws.backend(PROD), f"{kind}s").values()
    stored = next(h for h in holders if h.name == name).policies[policy]
    assert answer["PolicyDocument"] == json.loads(stored)


def test_a_service_linked_role_is_nobodys_to_change(admin: Any) -> None:
    name = "AWSServiceRoleForSupport"
    text = json.dumps({"Version": "2012-10-17", "Statement": [_allow("s3:*")]})
    assert (
        _code(admin.put_role_policy, RoleName=name, PolicyName="p", PolicyDocument=text)
        == "UnmodifiableEntity"
    )
    assert _code(admin.delete_role_policy, RoleName=name, PolicyName="support") == "UnmodifiableEntity"
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    assert _code(admin.attach_role_policy, RoleName=name, PolicyArn=arn) == "UnmodifiableEntity"


@pytest.mark.parametrize(("size", "fits"), [(10_240, True), (10_241, False)])
def test_inline_policies_of_a_role_have_a_size(
    admin: Any, role: Callable[..., str], size: int, fits: bool
) -> None:
    """10,240 characters in all, white space left out."""
    role("probe", _allow("s3:*"))
    empty = json.dumps({"Version": "2012-10-17", "Statement": [_allow("s3:*", Sid="")]}, indent=4)
    text = empty.replace('"Sid": ""', f'"Sid": "{"a" * (size - len("".join(empty.split())))}"')
    try:
        admin.put_role_policy(RoleName="probe", PolicyName="p", PolicyDocument=text)
    except ClientError as error:
        assert not fits
        assert error.response["Error"]["Code"] == "LimitExceeded"
    else:
        assert fits


# -- who may ---------------------------------------------------------------------------------------------------------


def test_a_role_is_assumed_only_where_it_trusts(world: World) -> None:
    sts = _client(world.bot, "sts")
    told = sts.assume_role(RoleArn=f"arn:aws:iam::{DEV}:role/{story.READ_ROLE}", RoleSessionName="test")
    assert set(told["Credentials"]) >= {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    for arn in (f"arn:aws:iam::{DATA}:role/{story.READ_ROLE}", f"arn:aws:iam::{DEV}:role/missing"):
        with pytest.raises(
            ClientError, match="is not authorized to perform: sts:AssumeRole on resource: " + arn
        ):
            sts.assume_role(RoleArn=arn, RoleSessionName="test")
    sts.close()


def test_callers_are_held_to_their_policies(iam: Any) -> None:
    """In IAM's own sentence; a key that nobody has is no caller at all."""
    with pytest.raises(ClientError) as refused:
        iam.create_user(UserName="evil")
    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert error["Message"].startswith(f"User: arn:aws:iam::{PROD}:user/iam-audit-bot is not authorized to perform: iam:CreateUser on resource: ")  # fmt: skip
    assert error["Message"].endswith("because no identity-based policy allows the iam:CreateUser action")


def test_strangers_and_ended_sessions(world: World, aws: Aws) -> None:
    stranger = _client(world.bot | {"AWS_ACCESS_KEY_ID": "AKIANOBODY"})
    assert _code(stranger.list_roles) == "InvalidClientTokenId"
    stranger.close()
    sts = _client(world.bot, "sts")
    keys = sts.assume_role(RoleArn=f"arn:aws:iam::{DEV}:role/{story.READ_ROLE}", RoleSessionName="test")[
        "Credentials"
    ]
    sts.close()
    session = _client(
        world.bot | {"AWS_ACCESS_KEY_ID": keys["AccessKeyId"]}, session_token=keys["SessionToken"]
    )
    assert session.list_roles()["Roles"]
    aws.expire_sessions()
    assert _code(session.list_roles) == "ExpiredToken"
    session.close()


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ({"error": "Throttling"}, ClientError),
        ({"error": "ServiceFailure"}, ClientError),
        ({"drop": "before"}, ConnectionClosedError),
        ({"drop": "after"}, ConnectionClosedError),
        ({"truncate": True}, ResponseParserError),
        ({"hang": 4.6}, ReadTimeoutError),
    ],
)
def test_a_fault_strikes_once(iam: Any, aws: Aws, fault: Json, raised: type[Exception]) -> None:
    """It is what a client sees, and the next call is well again."""
    aws.fail("GetRole", **fault)
    with pytest.raises(raised):
        iam.get_role(RoleName="DBAdminRole")
    assert iam.get_role(RoleName="DBAdminRole")["Role"]["RoleName"] == "DBAdminRole"


def test_what_throttling_looks_like(iam: Any, aws: Aws) -> None:
    aws.knobs.throttle = True
    with pytest.raises(ClientError) as refused:
        iam.list_roles()
    said = refused.value.response
    assert said["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert (said["Error"]["Code"], said["Error"]["Message"]) == ("Throttling", "Rate exceeded")


@pytest.mark.parametrize(("drop", "made"), [("before", 0), ("after", 1)])
def test_a_drop_is_before_or_after_the_effect(iam: Any, aws: Aws, drop: str, made: int) -> None:
    aws.fail("GenerateServiceLastAccessedDetails", drop=drop)
    with pytest.raises(ConnectionClosedError):
        iam.generate_service_last_accessed_details(Arn=ROLE + "DBAdminRole")
    assert len(aws.jobs) == made


def test_faults_choose(iam: Any, aws: Aws) -> None:
    """By account, by operation, after so many calls."""
    aws.fail("*", account=DEV, error="Throttling", times=None)
    aws.fail("GetUser", error="Throttling", skip=1)
    assert iam.get_user(UserName="anna")
    assert _code(iam.get_user, UserName="anna") == "Throttling"
    assert iam.get_role(RoleName="DBAdminRole")
