"""`bot.py check` about the witnesses of tickets: what it tries, what it leaves, and what a failing line says to do."""

from __future__ import annotations

import pytest

from handlers.check import check
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.stage import Stage
from tests.scenarios.test_proof import ALL, permit


@pytest.fixture
def ready(writing: Stage, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Settings of one account, by the environment, as an operator has them."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", writing.slack.bot_token)
    monkeypatch.setenv("SLACK_APP_TOKEN", writing.slack.app_token)
    monkeypatch.setenv("SLACK_API_URL", writing.slack.api_url)
    monkeypatch.setenv("IAM_AUDIT_DB", str(writing.path))
    monkeypatch.setenv("IAM_AUDIT_ACCOUNTS", f"prod={story.PROD}")
    aws.calls.clear()
    return monkeypatch


def checked(code: int, *words: str) -> list[str]:
    """The lines that have one of these words."""
    lines: list[str] = []
    assert check(lines.append) == code, lines
    return [line for line in lines if any(w in line for w in words)]


def test_event_history(ready: pytest.MonkeyPatch, aws: Aws) -> None:
    """One call, where it is turned on; turned off, nothing is."""
    assert checked(0, "LookupEvents", "DescribeRegions") == [
        "ok    AWS prod: cloudtrail:LookupEvents",
        "ok    AWS prod: ec2:DescribeRegions",
    ]
    assert aws.operations().count("LookupEvents") == 1
    aws.calls.clear()
    ready.setenv("IAM_AUDIT_REPLAY_SECONDS", "0")
    assert checked(0, "LookupEvents", "DescribeRegions") == []
    assert "LookupEvents" not in aws.operations()


@pytest.mark.parametrize(
    ("operation", "permission"),
    [("LookupEvents", "cloudtrail:LookupEvents"), ("DescribeRegions", "ec2:DescribeRegions")],
)
def test_event_history_that_is_not_allowed(
    ready: pytest.MonkeyPatch, aws: Aws, operation: str, permission: str
) -> None:
    aws.fail(operation, error="AccessDenied", times=None)
    (line,) = checked(1, operation)
    assert line.startswith(f"FAIL  AWS prod: {permission}: ")
    assert line.endswith(". Allow it as docs/iam-read-policy.json does, or set IAM_AUDIT_REPLAY_SECONDS=0")


def test_no_answer_is_no_missing_permission(ready: pytest.MonkeyPatch, aws: Aws) -> None:
    """The line fails, and does not say that anything is to be allowed."""
    aws.fail("LookupEvents", error="Throttling", times=None)
    (line,) = checked(1, "LookupEvents")
    assert line.startswith("FAIL") and "Allow it" not in line


NAMES = ("access-analyzer", "Simulate")


def test_access_analyzer(ready: pytest.MonkeyPatch, aws: Aws) -> None:
    """Only where it is on; what AWS charges for is named and not called."""
    permit(aws, *ALL)
    assert checked(0, *NAMES) == []
    ready.setenv("IAM_AUDIT_ACCESS_ANALYZER", "on")
    assert checked(0, *NAMES) == [
        "ok    AWS prod: access-analyzer:ValidatePolicy",
        "ok    AWS prod: iam:SimulateCustomPolicy",
        "ok    AWS prod: iam:SimulatePrincipalPolicy",
        "ok    AWS prod: access-analyzer:CheckNoNewAccess, CheckAccessNotGranted: not tried, because AWS charges for each call",
    ]
    assert not [o for o in aws.operations() if o.startswith("Check")]


def test_access_analyzer_that_is_not_allowed(ready: pytest.MonkeyPatch, aws: Aws) -> None:
    """Each by its name, by the rights that the bot really has."""
    ready.setenv("IAM_AUDIT_ACCESS_ANALYZER", "on")
    permit(aws, "iam:SimulateCustomPolicy")
    validate, custom, principal, _ = checked(1, *NAMES)
    assert custom == "ok    AWS prod: iam:SimulateCustomPolicy"
    for line, permission in (
        (validate, "access-analyzer:ValidatePolicy"),
        (principal, "iam:SimulatePrincipalPolicy"),
    ):
        assert line.startswith(f"FAIL  AWS prod: {permission}: "), line
        assert line.endswith(
            ". Allow it as docs/iam-analyzer-policy.json does, or set IAM_AUDIT_ACCESS_ANALYZER=off"
        )
