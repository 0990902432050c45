"""What CloudTrail said, in the evidence of a ticket: what was asked, what came, what was not seen; and that it is its word."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from handlers import bundle
from tests.sandbox import world as story
from tests.scenarios.pressing import said_in_log
from tests.scenarios.stage import Stage
from tests.scenarios.test_evidence import forged, handed_out, told
from tests.scenarios.test_replay import SMALL, happen, heard, state

__all__ = ["heard"]  # a fixture

HOSTILE = "<!channel> \u202e =cmd() 💥"


def history(stage: Stage) -> dict[str, Any]:
    """That of the newest bundle; the bundle holds."""
    stage.press("ticket.evidence")
    found = bundle.checked(handed_out(stage))
    assert all(c.holds for c in found), found
    return dict(told(handed_out(stage))["event_history"])


def line(stage: Stage) -> str:
    """What `verify` says of it."""
    found = [c.said for c in bundle.checked(handed_out(stage)) if "CloudTrail" in c.said]
    return found[0] if found else ""


def test_what_was_asked_and_what_came(heard: Stage) -> None:
    """Window, Regions and questions; classes with their counts, each kind of call, what stays for it, what no event tells."""
    happen(heard, "ecs", "ListClusters", session=HOSTILE, region="eu-north-1")
    happen(heard, "ecr", "DescribeRepositories", error="AccessDenied")
    heard.ticket(SMALL)
    found = history(heard)
    assert found["not_asked"] is None
    asked = found["asked"]
    since, until = (datetime.fromisoformat(asked[k]) for k in ("since", "until"))
    assert until - since == timedelta(days=90) and found["at"] == asked["until"]
    assert asked["regions"] == ["eu-north-1", "us-east-1"] and asked["all_enabled_regions_are_known"]
    assert "EventSource ecs.amazonaws.com" in asked["in_each_region"]
    assert asked["looks"] == len(asked["in_each_region"]) * 2 == len(set(heard.aws.trail.asked))
    assert found["kinds_of_call"] == {"allowed": 0, "lost": 0, "denied": 1, "unknown": 0}
    assert [(c["class"], c["actions"], c["times"]) for c in found["calls"]] == [
        ("denied", ["ecr:DescribeRepositories"], 1)
    ]
    (stays,) = found["stays_because_of"]
    assert (stays["actions"], stays["session"], stays["last_in"]) == (
        ["ecs:ListClusters"],
        HOSTILE,
        "eu-north-1",
    )
    assert found["not_visible"] == ["reads and writes of log events"]
    assert found["without_a_whole_answer"] == [] and found["calls_that_are_only_counted"] == 0
    assert "kinds of call: 2; would be lost: 0; unknown: 0; something stays for: 1" in line(heard)


def test_the_newest_look_counts(heard: Stage) -> None:
    """It is asked again before the first write: the log has a row of each, the bundle the words of the last."""
    heard.ticket(SMALL)
    first = history(heard)["at"]
    heard.now += timedelta(minutes=40)
    heard.press("ticket.approve", user=story.CAROL)
    assert state(heard) == "applied"
    assert history(heard)["at"] > first
    assert said_in_log(heard).count("ticket.event_history") == 2


def test_a_stopped_ticket_has_what_stopped_it(heard: Stage) -> None:
    heard.ticket(SMALL)
    happen(heard, "ecs", "ListClusters", days=0)
    heard.now += timedelta(minutes=1)
    heard.press("ticket.approve", user=story.CAROL)
    assert state(heard) == "drifted"
    assert history(heard)["kinds_of_call"]["lost"] == 1
    assert "would be lost: 1" in line(heard)


def test_a_gap_is_in_it(heard: Stage) -> None:
    heard.restart(iam_audit_replay_seconds=3)
    heard.aws.trail.hangs, heard.aws.trail.hang = {"eu-north-1"}, 4.0
    heard.ticket(SMALL)
    (gap,) = history(heard)["without_a_whole_answer"]
    assert (gap["region"], gap["looks"]) == ("eu-north-1", 3)
    assert "questions without a whole answer: 3 of 6" in line(heard)


def test_not_asked_is_said_as_that(heard: Stage) -> None:
    """A permission that is missing by its name; turned off: as that, and there is nothing to check."""
    heard.aws.fail("LookupEvents", error="AccessDenied", times=None)
    heard.ticket(SMALL)
    found = history(heard)
    assert found["not_asked"] == "cloudtrail:LookupEvents is not allowed"
    assert "calls" not in found and "kinds_of_call" not in found
    assert line(heard).endswith("not asked, cloudtrail:LookupEvents is not allowed")


def test_turned_off(writing: Stage) -> None:
    writing.ticket(SMALL)
    assert history(writing)["not_asked"] == "turned off: IAM_AUDIT_REPLAY_SECONDS=0"
    assert line(writing) == ""


def _fewer(tree: dict[str, Any]) -> None:
    tree["event_history"]["stays_because_of"] = []


def _another_day(tree: dict[str, Any]) -> None:
    tree["event_history"]["asked"]["since"] = "2020-01-01T00:00:00+00:00"


def _off(tree: dict[str, Any]) -> None:
    tree["event_history"] = {
        "source": tree["event_history"]["source"],
        "not_asked": "turned off: IAM_AUDIT_REPLAY_SECONDS=0",
    }


@pytest.mark.parametrize("change", [_fewer, _another_day, _off])
def test_other_words_are_found(heard: Stage, change: Any) -> None:
    """Its hash stands in the log since it was said: where the sums fit again, that one does not."""
    happen(heard, "ecs", "ListClusters")
    heard.ticket(SMALL)
    heard.press("ticket.evidence")
    found = bundle.checked(forged(handed_out(heard), "evidence.json", change))
    assert [c.said for c in found if not c.holds] == [
        "what CloudTrail's event history said is not what the log has"
    ]


def test_a_row_of_the_log_taken_away_is_found(heard: Stage) -> None:
    """The words are there, and the log does not know them."""
    heard.ticket(SMALL)
    heard.press("ticket.evidence")

    def without(tree: dict[str, Any]) -> None:
        tree["rows"] = [r for r in tree["rows"] if r["verb"] != "ticket.event_history"]

    found = bundle.checked(forged(handed_out(heard), "log.json", without))
    assert any("is not what the log has" in c.said for c in found if not c.holds), found
