"""advisor.core.testimony: what CloudTrail said as JSON, and that its hash outlives a way through a file."""

from __future__ import annotations

import json
from dataclasses import replace

from advisor.core import testimony
from advisor.core.replay import KEPT_CALLS, Because, Fate, Gap, Judged, Replay, told
from tests.worlds import NOW, ago

CALLS = [
    Judged("arn:role/a", ("s3:ListAllMyBuckets",), Fate.LOST, ago(days=3), 2, event="ListBuckets", session="\ud800x"),
    Judged("arn:role/b", ("ec2:RunInstances",), Fate.UNKNOWN, ago(days=4), because=Because.NARROWER, region="eu-north-1"),
]  # fmt: skip
SAID = replace(
    told(CALLS, NOW), regions=("eu-north-1",), looks=2, asked=("EventSource s3",), gaps=(Gap("x", 1, "time"),)
)


def test_what_is_read_back_has_the_same_hash() -> None:
    found = testimony.tree(SAID)
    assert testimony.sha256(json.loads(json.dumps(found, indent=1))) == testimony.sha256(found)
    assert [c["because"] for c in found["calls"]] == [None, "narrower"]
    assert testimony.sha256(testimony.tree(replace(SAID, looks=3))) != testimony.sha256(found)


def test_what_is_only_counted_is_said() -> None:
    many = [replace(CALLS[0], principal=f"arn:role/{n}") for n in range(KEPT_CALLS + 3)]
    found = testimony.tree(told(many, NOW))
    assert (found["calls_that_are_only_counted"], found["kinds_of_call"]["lost"]) == (3, KEPT_CALLS + 3)


def test_in_a_line() -> None:
    assert testimony.summary(testimony.tree(SAID)) == (
        "kinds of call: 2; would be lost: 1; unknown: 1; something stays for: 0; "
        "questions without a whole answer: 1 of 2"
    )
    assert testimony.summary(testimony.tree(None)).startswith("not asked, turned off")
    refused = testimony.tree(Replay(NOW, not_asked="cloudtrail:LookupEvents"))
    assert testimony.summary(refused) == "not asked, cloudtrail:LookupEvents is not allowed"
