"""With the real bot: from an event in the queue of denied calls to the owner's message, and from Give back to given back."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import Any

from benchmarks.figures import Figure
from tests.sandbox import denials
from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.worlds import allow, document

TICKETS = 5
SERVICES = ("athena", "dax", "redshift")
CALLS = {"athena": "ListWorkGroups", "dax": "DescribeClusters", "redshift": "DescribeClusters"}


def measure() -> list[Figure]:
    """Tickets one after the other, each on a role of its own that dave owns."""
    heard, back, ends = [], [], 0.0
    with Demo(IAM_AUDIT_WATCH_DAYS="14", IAM_AUDIT_HOLD_DAYS="0") as demo:
        url = demo.with_queue()
        demo.start_bot()
        for n in range(TICKETS):
            name = f"watched-{n}"
            _carried_out(demo, name)
            told, given = _denied(demo, name, url)
            heard.append(told)
            back.append(given)
        began = time.perf_counter()
        demo.stop_bot()
        ends = time.perf_counter() - began
    return [
        Figure(
            f"a denied call in the queue to the owner's message, median of {TICKETS}",
            statistics.median(heard),
            "s",
        ),
        Figure(f"the slowest of {TICKETS}", max(heard), "s", 60),
        Figure(f"Give back to given back, read back twice, slowest of {TICKETS}", max(back), "s", 10),
        Figure("SIGTERM to the end, while the queue is asked", ends, "s", 10),
    ]


def _carried_out(demo: Demo, name: str) -> None:
    """A role that used s3 alone; a ticket takes the rest from it."""
    iam = demo.aws.client("iam", story.PROD)
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    tags = [{"Key": "owner", "Value": story.DAVE}]
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags)["Role"]["Arn"]
    role = next(r for r in demo.aws.backend(story.PROD).roles.values() if r.name == name)
    role.create_date = demo.aws.clock() - timedelta(days=900)
    text = document(allow("s3:*", *(f"{s}:*" for s in SERVICES)))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=text)
    demo.aws.use(story.PROD, arn, "s3", demo.aws.clock() - timedelta(days=3))
    slack, channel = demo.slack, story.SECURITY
    assert slack.command(story.ALICE, channel, f"role {name} account=prod").ok
    slack.wait(lambda: _last(demo) == ("iam_audit.audit", "done"), 60)
    slack.click(story.ALICE, channel, "audit.ticket", ts=slack.messages(channel)[-1]["ts"])
    slack.wait(lambda: (slack.view(story.ALICE) or {}).get("submit"), 30)
    slack.submit(story.ALICE, {"reason": {"value": "measured"}})
    slack.wait(lambda: _last(demo) == ("iam_audit.ticket", "open"), 30)
    slack.click(story.CAROL, channel, "ticket.approve", ts=slack.messages(channel)[-1]["ts"])
    slack.wait(lambda: _last(demo) == ("iam_audit.ticket", "applied"), 60)


def _denied(demo: Demo, name: str, url: str) -> tuple[float, float]:
    """Three calls are denied at once; dave hears it, and carol gives the first of them back."""
    arn, slack = f"arn:aws:iam::{story.PROD}:role/{name}", demo.slack
    time.sleep(1.5)  # CloudTrail tells whole seconds, and the change was a moment ago
    known = len(slack.dms(story.DAVE))
    began = time.perf_counter()
    for service in SERVICES:
        assert denials.attempt(demo.aws, story.PROD, arn, f"{service}:{CALLS[service]}", url=url)
    slack.wait(lambda: _told(slack.dms(story.DAVE)[known:]), 90)
    heard = time.perf_counter() - began
    card = slack.messages(story.SECURITY)[-1]
    post = slack.wait(lambda: _told(slack.thread(story.SECURITY, card["ts"])), 30)[-1]
    row = next(b for b in post["blocks"] if b["type"] == "actions")
    began = time.perf_counter()
    slack.click(story.CAROL, story.SECURITY, "ticket.giveback", ts=post["ts"], block_id=row["block_id"])
    thread = lambda: slack.thread(story.SECURITY, card["ts"])  # noqa: E731
    slack.wait(lambda: [m for m in thread() if "partly back" in m["text"]], 30)
    return heard, time.perf_counter() - began


def _told(messages: list[Any]) -> list[Any]:
    return [m for m in messages if "Give back is offered" in m["text"]]


def _last(demo: Demo) -> tuple[str, str]:
    """What the newest card of the channel is, and its state."""
    cards = demo.slack.messages(story.SECURITY)
    told = (cards[-1].get("metadata") if cards else None) or {}
    return str(told.get("event_type")), str((told.get("event_payload") or {}).get("state"))
