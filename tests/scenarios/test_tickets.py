"""The life of a ticket, through Bolt's dispatcher, boto3 and SQLite: what IAM holds afterwards, all of it."""

from __future__ import annotations

import json
from typing import Any

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.stage import Stage, words

ROLE = "role/DBAdminRole"


def differences(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """What is not as it was."""
    return {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}


def services(state: dict[str, Any], policy: str = "db-admin-inline", role: str = ROLE) -> set[str]:
    """The services of a role's inline policy."""
    text = state[role]["inline"].get(policy)
    return (
        {a.partition(":")[0] for s in json.loads(text)["Statement"] for a in s["Action"]} if text else set()
    )


def state_of(card: dict[str, Any]) -> str:
    return str(card["metadata"]["event_payload"]["state"])


def test_the_whole_way_and_back(writing: Stage, aws: Aws) -> None:
    """Opened, approved by another, carried out as planned; the next audit shows it; rolled back to the byte."""
    stage, before = writing, aws.state(story.PROD)
    card = stage.ticket()
    assert state_of(card) == "open"
    assert "remove 20 of 25 services from DBAdminRole" in words(card)
    assert aws.state(story.PROD) == before

    stage.press("ticket.approve", user=story.ALICE)
    assert state_of(stage.card()) == "open"
    stage.press("ticket.approve", user=story.CAROL)
    assert state_of(stage.card()) == "applied", words(stage.card())
    after = aws.state(story.PROD)
    assert differences(before, after) == {ROLE}
    assert services(after) == {"dynamodb", "s3", "secretsmanager"}
    assert after[ROLE]["attached"] == [a for a in before[ROLE]["attached"] if "RDSFullAccess" not in a]

    ticket = stage.card()["ts"]
    stage.say("role DBAdminRole")
    assert "2 of 5 services used" in words(stage.card()), words(stage.card())

    stage.open_form("ticket.rollback", user=story.BOB, ts=ticket)
    stage.send_form(user=story.BOB)
    assert state_of(next(c for c in stage.cards() if c["ts"] == ticket)) == "rolled_back"
    assert aws.state(story.PROD) == before
    stage.say("role DBAdminRole")
    assert "2 of 25 services used" in words(stage.card())
