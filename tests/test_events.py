"""advisor.core.events: every entry is AWS's own, against the catalogue and AWS's service models."""

from __future__ import annotations

import re
from pathlib import Path

import botocore
import pytest
from botocore.session import get_session

from advisor.core import events
from advisor.core.policy import PASSING, matches
from advisor.edges.catalogue import IamCatalogue

CATALOGUE = IamCatalogue()


def in_catalogue(action: str) -> bool:
    """Whether the catalogue has an action, however it is spelled."""
    prefix, _, name = action.partition(":")
    return name.lower() in {known.lower() for known in CATALOGUE.actions(prefix)}


@pytest.fixture(scope="module")
def heads() -> list[tuple[str, str]]:
    """endpointPrefix and signingName of every service, read from the file's end without parsing it all."""
    from gzip import open as unzip

    found = []
    for folder in sorted((Path(botocore.__file__).parent / "data").iterdir()):
        path = max(folder.glob("*/service-2.json*"), default=None)
        if path is None:
            continue
        with unzip(path, "rt") if path.suffix == ".gz" else path.open() as file:
            head = file.read(4_000)
        endpoint = re.search(r'"endpointPrefix":\s*"([^"]+)"', head)
        signing = re.search(r'"signingName":\s*"([^"]+)"', head)
        if endpoint:
            found.append((endpoint[1], (signing or endpoint)[1]))
    return found


@pytest.mark.parametrize("host", events.SOURCES)
def test_every_source_means_services_that_there_are(host: str) -> None:
    assert set(events.SOURCES[host]) <= CATALOGUE.services()


def test_sources_agree_with_the_models(heads: list[tuple[str, str]]) -> None:
    """Where a host's first word is no prefix, its signing name is, and the table has it."""
    assert len(heads) > 300
    for host, signing in heads:
        if "." in host or signing not in CATALOGUE.services():
            continue
        if host in events.SOURCES or host not in CATALOGUE.services():
            assert signing in events.prefixes(f"{host}.amazonaws.com"), (host, signing)


@pytest.mark.parametrize("event", events.ACTIONS)
def test_every_action_of_the_table_is_in_the_catalogue(event: str) -> None:
    """And no event is in it that has an action of its own name."""
    assert all(in_catalogue(a) for a in events.ACTIONS[event])
    assert not in_catalogue(event)
    assert {a.partition(":")[0] for a in events.ACTIONS[event]} == {event.partition(":")[0]}


@pytest.mark.parametrize("service", events.UNSEEN)
def test_everything_unseen_is_in_the_catalogue(service: str) -> None:
    known = CATALOGUE.actions(service)
    assert known
    for pattern in events.UNSEEN[service][1]:
        assert any(matches(pattern, name) for name in known), pattern


def test_the_methods_of_api_gateway_are_those_of_its_models() -> None:
    wanted = {"apigateway", "apigatewayv2"}
    loader = get_session().get_component("data_loader")
    for model in (loader.load_service_model(name, "service-2") for name in wanted):
        for name, operation in model["operations"].items():
            if in_catalogue(f"apigateway:{name}"):
                continue
            said = events.actions("apigateway.amazonaws.com", name, CATALOGUE)
            assert f"apigateway:{operation['http']['method']}" in said, name


@pytest.mark.parametrize(
    ("source", "name", "actions"),
    [
        ("ec2.amazonaws.com", "DescribeInstances", ("ec2:DescribeInstances",)),
        ("s3.amazonaws.com", "ListBuckets", ("s3:ListAllMyBuckets",)),
        ("s3.amazonaws.com", "GetBucketLocation", ("s3:GetBucketLocation",)),
        ("s3.amazonaws.com.cn", "DeleteBucketTagging", ("s3:PutBucketTagging",)),
        ("monitoring.amazonaws.com", "DescribeAlarms", ("cloudwatch:DescribeAlarms",)),
        ("lambda.amazonaws.com", "CreateFunction20150331", ("lambda:CreateFunction",)),
        ("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", ("lambda:UpdateFunctionCode",)),
        ("cloudfront.amazonaws.com", "CreateDistribution2020_05_31", ("cloudfront:CreateDistribution",)),
        ("autoscaling.amazonaws.com", "DescribeAutoScalingGroups", ("autoscaling:DescribeAutoScalingGroups",)),
        ("autoscaling.amazonaws.com", "DescribeScalableTargets", ("application-autoscaling:DescribeScalableTargets",)),
        ("kms.amazonaws.com", "ReEncrypt", ("kms:ReEncryptFrom", "kms:ReEncryptTo")),
        ("cassandra.amazonaws.com", "CreateTable", ("cassandra:Create",)),
        ("tagging.amazonaws.com", "GetResources", ("tag:GetResources",)),
        ("cloudcontrolapi.amazonaws.com", "ListResources", ("cloudformation:ListResources",)),
        ("email.amazonaws.com", "SendEmail", ("ses:SendEmail",)),
        ("apigateway.amazonaws.com", "CreateRestApi", ("apigateway:POST",)),
        ("apigateway.amazonaws.com", "ImportApi", ("apigateway:POST", "apigateway:PUT")),
        ("s3.amazonaws.com", "getbucketacl", ("s3:GetBucketAcl",)),
        ("newservice.amazonaws.com", "DoThing", ("newservice:DoThing",)),
        ("s3.amazonaws.com", "20150331", ("s3:20150331",)),
    ],
)  # fmt: skip
def test_actions(source: str, name: str, actions: tuple[str, ...]) -> None:
    assert events.actions(source, name, CATALOGUE) == actions


@pytest.mark.parametrize(
    ("action", "hidden"),
    [
        ("iam:PassRole", True),
        ("s3:GetObject", True),
        ("s3:GetBucketAcl", False),
        ("dynamodb:BatchWriteItem", True),
        ("dynamodb:CreateTable", False),
        ("rds-db:connect", True),
        ("kms:Decrypt", False),
        ("lambda:InvokeFunction", True),
        ("s3:ListAccessPointsForObjectLambda", False),
    ],
)
def test_what_leaves_no_event(action: str, hidden: bool) -> None:
    assert events.hidden(action) is hidden


def test_what_is_asked_for_an_action() -> None:
    assert events.names("s3:ListAllMyBuckets") == ("ListAllMyBuckets", "ListBuckets")
    assert events.names("ec2:RunInstances") == ("RunInstances",)
    assert events.names("lambda:CreateFunction") == (), "its names bear versions"
    assert events.sources("cloudwatch")[0] == "cloudwatch.amazonaws.com"
    assert "monitoring.amazonaws.com" in events.sources("cloudwatch")
    assert events.sources("application-autoscaling")[-1] == "autoscaling.amazonaws.com"


def test_every_name_that_is_asked_for_is_understood() -> None:
    """What a look by name finds is read as the action that it was made for."""
    for told in events.ACTIONS.values():
        for action in told:
            source = events.sources(action.partition(":")[0])[0]
            read = [events.actions(source, n, CATALOGUE) for n in events.names(action)]
            assert all(action in r for r in read), action


def test_what_a_plan_takes_unseen_is_said_once() -> None:
    said = events.unseen(
        {"s3", "iam", "athena"}, {"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:CreateQueue"}
    )
    assert set(said) == {
        "S3 object reads and writes",
        "SQS messages",
        *(f"iam:{n}" for n in PASSING["iam"]),
    }
    assert len(said) == len(set(said))
