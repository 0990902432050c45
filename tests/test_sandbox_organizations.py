"""The sandbox’s organisation: what SCPs allow, whose use counts, and AWS’s manners about its reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox import organizations
from tests.sandbox import world as story
from tests.sandbox.aws import Aws


@pytest.fixture
def made(aws: Aws, seeded: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    organizations.none()
    now = datetime.now(UTC)
    aws.clock = lambda: now
    yield organizations.found(aws, story.PROD, {story.DEV: "workloads", story.DATA: ""})
    organizations.none()


@pytest.fixture
def iam(aws: Aws, seeded: tuple[Aws, story.World], made: dict[str, str]) -> Any:
    """The bot’s own client."""
    import boto3

    keys = seeded[1].bot
    return boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=aws.url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )


def rows(iam: Any, path: str) -> dict[str, dict[str, Any]]:
    job = iam.generate_organizations_access_report(EntityPath=path)["JobId"]
    assert iam.get_organizations_access_report(JobId=job)["JobStatus"] == "IN_PROGRESS"
    found = iam.get_organizations_access_report(JobId=job, MaxItems=1000)
    assert found["JobStatus"] == "COMPLETED"
    assert found["NumberOfServicesAccessible"] == len(found["AccessDetails"])
    return {r["ServiceNamespace"]: r for r in found["AccessDetails"]}


def test_a_deny_above_takes_a_service_out(aws: Aws, iam: Any, made: dict[str, str]) -> None:
    """At the root for everybody, at an OU for what stands in it."""
    root = f"{made['o']}/{made['root']}"
    organizations.limit(aws, story.PROD, made["workloads"], "sqs:*")
    assert "sqs" in rows(iam, root)
    below = rows(iam, f"{root}/{made['workloads']}/{story.DEV}")
    assert "sqs" not in below and "s3" in below
    assert below["s3"]["EntityPath"] == f"{root}/{made['workloads']}/{story.DEV}"
    assert below["s3"]["TotalAuthenticatedEntities"] == 1
    assert "LastAuthenticatedTime" not in below["sns"] and "EntityPath" not in below["sns"]


def test_the_management_account_counts_for_itself_alone(iam: Any, made: dict[str, str]) -> None:
    """dynamodb is used in prod, which is the management account."""
    root = f"{made['o']}/{made['root']}"
    assert "LastAuthenticatedTime" not in rows(iam, root)["dynamodb"]
    assert "LastAuthenticatedTime" in rows(iam, f"{root}/{story.PROD}")["dynamodb"]


def refused(call: Any, **parameters: str) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_one_at_a_time(aws: Aws, iam: Any, made: dict[str, str]) -> None:
    """The same path within a minute is the same job; another path has to wait."""
    root = f"{made['o']}/{made['root']}"
    ask = iam.generate_organizations_access_report
    first = ask(EntityPath=root)["JobId"]
    assert ask(EntityPath=root)["JobId"] == first
    assert refused(ask, EntityPath=f"{root}/{story.DATA}") == "ReportGenerationLimitExceeded"
    iam.get_organizations_access_report(JobId=first)
    assert ask(EntityPath=f"{root}/{story.DATA}")["JobId"] != first
    now = aws.clock()
    aws.clock = lambda: now + timedelta(seconds=61)
    assert ask(EntityPath=root)["JobId"] != first


def test_what_is_no_path_and_no_job(aws: Aws, iam: Any, made: dict[str, str]) -> None:
    """Errors by AWS’s own words."""
    assert refused(iam.generate_organizations_access_report, EntityPath=made["root"] * 5) == "ValidationError"
    assert refused(iam.get_organizations_access_report, JobId="0" * 36) == "NoSuchEntity"
    job = iam.generate_organizations_access_report(EntityPath=f"{made['o']}/{made['root']}/")["JobId"]
    iam.get_organizations_access_report(JobId=job)
    assert iam.get_organizations_access_report(JobId=job)["JobStatus"] == "FAILED"
    client = aws.client("organizations", story.PROD)
    assert refused(client.list_parents, ChildId="999999999999") == "ChildNotFoundException"
    organizations.none()
    assert (
        refused(iam.generate_organizations_access_report, EntityPath="o-abcdefghij/r-ab12") == "AccessDenied"
    )
