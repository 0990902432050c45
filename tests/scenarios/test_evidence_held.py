"""The evidence of a ticket that was held: its hold, what was denied, what was given back, and that only approved writes hold."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from handlers import bundle
from tests.sandbox import world as story
from tests.scenarios.stage import Stage
from tests.scenarios.test_evidence import handed_out, told
from tests.scenarios.test_evidence_history import forged
from tests.scenarios.test_watch import denied, later, press, state
from tests.scenarios.test_watch import told as told_of

ADMIN = f"arn:aws:iam::{story.PROD}:role/DBAdminRole"


@pytest.fixture
def held(writing: Stage) -> Stage:
    """DBAdminRole is held for seven days, and watched."""
    writing.restart(iam_audit_watch_days=14, iam_audit_hold_days=7)
    writing.aws.trail.regions = ("us-east-1",)
    writing.ticket()
    writing.press("ticket.approve", user=story.CAROL)
    assert state(writing) == "held"
    return writing


def said(stage: Stage) -> list[str]:
    """What holds of the bundle that is handed out now; all of it must."""
    stage.press("ticket.evidence", ts=stage.cards()[-1]["ts"])
    found = bundle.checked(handed_out(stage))
    assert all(c.holds for c in found), found
    return [c.said for c in found]


def over(stage: Stage) -> None:
    """The quiet days pass."""
    stage.now += timedelta(days=7)
    stage.settle()
    assert state(stage) == "applied"


def test_a_hold_and_its_end(held: Stage) -> None:
    """Laid, then lifted after the writes of the plan."""
    assert "0 of 2 steps were carried out, a hold was laid by 1 and lifted by 0, all of the plan" in said(
        held
    )
    found = told(handed_out(held))["hold"]
    assert found["policy"] == "iam-audit-hold-1" and found["days"] == 7 and "redshift:*" in found["denied"]
    over(held)
    assert "2 of 2 steps were carried out, a hold was laid by 1 and lifted by 1, all of the plan" in said(
        held
    )


def test_what_was_given_back_is_told_and_taken_from_nobody(held: Stage) -> None:
    """The document that is written keeps more than the approved one, and verify says so."""
    held.now += timedelta(minutes=1)
    denied(held, "redshift:DescribeClusters", arn=ADMIN)
    later(held)
    press(held, told_of(held)[0], "redshift")
    over(held)
    line = next(s for s in said(held) if "steps were carried out" in s)
    assert line.startswith("2 of 2 steps were carried out, 1 of them take less, as something was given back")
    (hit,) = told(handed_out(held))["denied_since"]
    assert hit["actions"] == ["redshift:DescribeClusters"] and hit["cause"] == "hold"


def text(step: dict[str, Any], *actions: str) -> None:
    document = json.loads(step["step"]["after"])
    document["Statement"][0]["Action"] = list(actions)
    step["step"]["after"] = json.dumps(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: text(t["steps"][-3], "s3:*", "iam:*"),  # more than stood
        lambda t: text(t["steps"][-3], "s3:*"),  # less than was approved to stay
        lambda t: t["steps"][-1]["step"].update(name="other"),  # another policy deleted
        lambda t: t["ticket"].update(given_back=[]),
    ],
    ids=["more", "less", "another", "nothing back"],
)
def test_a_write_that_nobody_approved_is_found(held: Stage, change: Any) -> None:
    held.now += timedelta(minutes=1)
    denied(held, "redshift:DescribeClusters", arn=ADMIN)
    later(held)
    press(held, told_of(held)[0], "redshift")
    over(held)
    held.press("ticket.evidence", ts=held.cards()[-1]["ts"])
    content = handed_out(held)
    steps = [s["step"]["operation"] for s in told(content)["steps"] if not s["way_back"]]
    assert steps[-3:] == ["put_inline", "detach", "delete_inline"]
    found = bundle.checked(forged(content, "evidence.json", change))
    assert not all(c.holds for c in found), found
