"""An account that hangs through all of botocore's tries: real threads, a clock that runs fast, and little patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.stage import Stage, words

Json = dict[str, Any]
PATIENCE = 0.2


def _until(stage: Stage, found: Callable[[], Any], seconds: float) -> float:
    """Beat until something is so; says how long it took. The product's clock runs ten times as fast."""
    began = time.monotonic()
    while not found():
        assert time.monotonic() - began < seconds, [words(c) for c in stage.cards()]
        stage.beat()
        time.sleep(0.05)
        stage.now += timedelta(seconds=0.5)
    return time.monotonic() - began


def _card(stage: Stage, name: str, state: str) -> list[Json]:
    return [
        c
        for c in stage.cards()
        if name in words(c) and c["metadata"]["event_payload"]["state"] == state and c["blocks"]
    ]


def _actions(card: Json) -> list[str]:
    found = [e for b in card["blocks"] for e in [*b.get("elements", []), b.get("accessory") or {}]]
    return [e["action_id"] for e in found if "action_id" in e]


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("*", "iam:GetRole"),
        ("GenerateServiceLastAccessedDetails", "iam:GenerateServiceLastAccessedDetails"),
        ("GetServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails"),
    ],
)
def test_an_account_that_hangs_to_the_end(stage: Stage, aws: Aws, operation: str, call: str) -> None:
    """The others go on; its own card fails, names the call and offers Retry, which works once it answers again."""
    stage.restart(accounts=story.ACCOUNTS, lanes=True, patience=PATIENCE)
    fault = aws.fail(operation, account=story.DEV, hang=PATIENCE * 3, times=None)
    assert stage.slack.command(story.BOB, story.SECURITY, "role dev-deployer account=dev").ok
    stage.beat()
    for n, (name, says) in enumerate([("DBAdminRole", "2 of 25"), ("TestRole-DeleteLater", "0 of 3")]):
        assert stage.slack.command(story.ALICE, story.SECURITY, f"role {name} account=prod").ok
        took = _until(stage, lambda name=name: _card(stage, name, "done"), 6)
        assert took < 5, n
        assert says in words(_card(stage, name, "done")[0])
    assert not _card(stage, "dev-deployer", "done")
    _until(stage, lambda: _card(stage, "dev-deployer", "failed"), 40)
    [failed] = _card(stage, "dev-deployer", "failed")
    assert call in words(failed)
    assert "audit.retry" in _actions(failed)
    hung = [c for c in aws.calls if c.account == story.DEV and operation in {"*", c.operation}]
    assert len(hung) >= 9  # botocore's three, and again
    aws.faults.remove(fault)
    stage.slack.click(story.BOB, story.SECURITY, "audit.retry", ts=failed["ts"])
    _until(stage, lambda: _card(stage, "dev-deployer", "done"), 10)
    assert len(stage.cards()) == 3
    assert not stage.rows("SELECT id FROM report WHERE complete = 0")
    _until(stage, lambda: not stage.bot or not stage.bot.desk.lanes.busy(), 10)
