"""The second witness, from the form to the write: what CloudTrail has calls of stays, and what it cannot say is said."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from advisor.core.removal import Plan
from tests.sandbox import world as story
from tests.sandbox.aws import Fault
from tests.scenarios.stage import Died, Points, Stage, words, worlds

ROLE = f"arn:aws:iam::{story.PROD}:role/deploy-service-01"
ADMIN = f"arn:aws:iam::{story.PROD}:role/DBAdminRole"
SMALL = "role deploy-service-01"  # ecs, ecr and logs, in one inline policy; nobody used any of them
GROUP_USER = f"arn:aws:iam::{story.PROD}:user/bjorn"


@pytest.fixture
def heard(writing: Stage) -> Stage:
    """The product with the witness turned on."""
    writing.restart(iam_audit_replay_seconds=60)
    return writing


def happen(stage: Stage, service: str, name: str, *, arn: str = ROLE, days: float = 20, **more: Any) -> None:
    at = stage.now - timedelta(days=days)
    stage.aws.trail.add(story.PROD, arn, f"{service}.amazonaws.com", name, at, **more)


def state(stage: Stage) -> str:
    return str(stage.rows("SELECT state FROM ticket ORDER BY id DESC LIMIT 1")[0]["state"])


def plan(stage: Stage) -> Plan:
    """That of the newest ticket."""
    ticket = stage.store.tickets.get(stage.rows("SELECT max(id) AS id FROM ticket")[0]["id"])
    assert ticket and ticket.plan
    return ticket.plan


def services(stage: Stage) -> set[str]:
    """What the newest ticket's plan takes."""
    return set(plan(stage).services)


def mrkdwn(node: Any) -> list[str]:
    """Every text that Slack reads as mrkdwn."""
    if isinstance(node, list):
        return [t for n in node for t in mrkdwn(n)]
    if not isinstance(node, dict):
        return []
    own = [str(node["text"])] if node.get("type") == "mrkdwn" else []
    return own + [t for n in node.values() for t in mrkdwn(n)]


def test_a_call_that_would_be_lost_stays(heard: Stage) -> None:
    """Its service is KEEP with the call as the reason; the others go."""
    happen(heard, "ecs", "ListClusters", session="<!channel> *x*", region="eu-north-1")
    card = heard.ticket(SMALL)
    assert services(heard) == {"ecr", "logs"}
    said = words(card)
    assert "ecs (CloudTrail has ecs:ListClusters on " in said
    assert "1 kind of call in 90 days: none would be lost, because what 1 of them needs stays" in said
    assert "reads and writes of log events are not visible here" in said
    (told,) = [m for m in heard.thread() if m["text"].startswith("Ticket 1, CloudTrail")]
    assert "ecs:ListClusters by role deploy-service-01, session <!channel> *x*, 1 time, last" in words(told)
    for message in (card, told):
        assert "<!channel>" not in message["text"]
        assert not [m for m in mrkdwn(message["blocks"]) if "<!channel>" in m]
    heard.press("ticket.approve", user=story.CAROL)
    assert state(heard) == "applied"


def test_a_detachment_stays_whole(heard: Stage) -> None:
    """One of the nine services of an AWS managed policy was called: the policy stays as it is."""
    happen(heard, "rds", "DescribeDBInstances", arn=ADMIN, region="eu-north-1")
    card = heard.ticket()
    assert services(heard).isdisjoint({"rds", "pi", "devops-guru"})
    assert "athena" in services(heard)
    assert "AmazonRDSFullAccess" not in " ".join(e.policy for e in plan(heard).edits)
    assert "none would be lost, because what 1 of them needs stays" in words(card)


def test_nothing_seen_is_said_as_that(heard: Stage) -> None:
    card = heard.ticket(SMALL)
    assert "CloudTrail:  no call seen in 90 days; " in words(card)
    assert {r for r, _, _ in heard.aws.trail.asked} == {"eu-north-1", "us-east-1"}


def test_denied_and_old_calls_and_those_of_others_take_nothing_back(heard: Stage) -> None:
    """And a call of a name that nobody knows is taken at its word: `logs:*` allowed it."""
    happen(heard, "ecs", "ListClusters", error="AccessDenied")
    happen(heard, "ecr", "DescribeRepositories", error="Client.UnauthorizedOperation")
    happen(heard, "ecr", "ListImages", days=100)
    happen(heard, "ecr", "ListImages", arn=ADMIN)
    happen(heard, "logs", "SomethingNew")
    card = heard.ticket(SMALL)
    assert services(heard) == {"ecr", "ecs"}
    assert "3 kinds of call in 90 days: none would be lost, because what 1 of them needs stays" in words(card)
    assert "2 kinds of call denied already" in words(heard.thread()[0])


def test_a_call_before_the_first_write_is_drift(heard: Stage) -> None:
    """It came to event history after the ticket was approved: nothing is written, and what was seen is said."""
    heard.restart(iam_audit_approvals=2)
    heard.ticket(SMALL)
    before = heard.aws.state(story.PROD)
    heard.press("ticket.approve", user=story.CAROL)
    happen(heard, "ecs", "ListClusters", days=0, session="night *x* <!here>")
    heard.aws.trail.asked.clear()
    heard.now += timedelta(minutes=1)
    heard.press("ticket.approve", user=story.BOB)
    assert state(heard) == "drifted"
    assert heard.aws.state(story.PROD) == before
    said = words(heard.card())
    assert "ecs:ListClusters was called by session night *x* <!here>" in said
    assert "CloudTrail" in said
    assert "was called, as CloudTrail has it" in heard.card()["text"]


def test_a_read_that_lags_silences_no_call(heard: Stage) -> None:
    """IAM says for a moment that the inline policy is not there: the call is judged by what was approved."""
    heard.ticket(SMALL)
    happen(heard, "ecs", "ListClusters", days=0)
    heard.now += timedelta(minutes=1)
    asked: list[str] = []

    def lagging(operation: str, phase: str) -> Fault | None:
        """The first read of the policy after event history was asked."""
        if phase == "before" and (asked or operation == "LookupEvents"):
            asked.append(operation)
        once = operation == "GetRolePolicy" and asked.count(operation) == 1 and phase == "before"
        return Fault(operation, error="NoSuchEntity") if once else None

    heard.aws.hook = lagging
    heard.press("ticket.approve", user=story.CAROL)
    heard.aws.hook = None
    assert state(heard) == "drifted"
    assert "ecs:ListClusters was called" in words(heard.card())


def test_a_late_event_is_found(heard: Stage) -> None:
    """It happened before the first look, and stood in event history only after it."""
    happen(heard, "ecs", "ListClusters", days=0.003, late=timedelta(minutes=9))
    heard.ticket(SMALL)
    assert "ecs" in services(heard)
    heard.now += timedelta(minutes=20)
    heard.press("ticket.approve", user=story.CAROL)
    assert state(heard) == "drifted"


def test_only_what_is_new_is_read(heard: Stage) -> None:
    """One look serves a second ticket of the account; before a write it is made again, from where it ended."""
    for n in range(120):
        happen(heard, "ecs", "ListClusters", arn=ADMIN, days=1 + n / 10)
    heard.ticket(SMALL)
    asked = [v for _, _, v in heard.aws.trail.asked]
    assert asked.count("ecs.amazonaws.com") == 1 + 3, "one in each Region, and two more pages in one of them"
    heard.aws.trail.asked.clear()
    heard.ticket("role deploy-service-02")
    assert heard.aws.trail.asked == []
    heard.press("ticket.approve", user=story.CAROL)
    assert state(heard) == "applied"
    assert [v for _, _, v in heard.aws.trail.asked].count("ecs.amazonaws.com") == 2


def test_without_the_permission_nobody_was_asked(heard: Stage) -> None:
    """Never "nothing found"; the ticket goes on."""
    heard.aws.fail("LookupEvents", error="AccessDenied", times=None)
    card = heard.ticket(SMALL)
    assert "CloudTrail:  not asked: cloudtrail:LookupEvents is not allowed" in words(card)
    assert not [m for m in heard.thread() if "CloudTrail" in m["text"]]
    heard.press("ticket.approve", user=story.CAROL)
    assert state(heard) == "applied"


def test_what_was_heard_before_the_permission_went_is_not_called_not_asked(heard: Stage) -> None:
    """In the middle of a look, or before a later one: what is known counts, the rest is a gap."""
    happen(heard, "ecs", "ListClusters")
    heard.aws.trail.regions = ("us-east-1",)
    heard.aws.fail("LookupEvents", error="AccessDenied", skip=2, times=None)
    said = words(heard.ticket(SMALL))
    assert "ecs (CloudTrail has ecs:ListClusters on " in said
    assert "not asked" not in said and "1 question of 3 without a whole answer" in said
    assert "us-east-1: 1 question without a whole answer, not allowed there" in words(heard.thread()[0])
    heard.now += timedelta(hours=1)
    heard.press("ticket.approve", user=story.CAROL)
    assert state(heard) == "applied"
    heard.now += timedelta(hours=1)
    heard.say("role deploy-service-01 refresh")
    assert "not asked" not in words(heard.ticket("role deploy-service-02"))


def test_without_the_regions_it_asks_where_the_entity_was_seen(heard: Stage) -> None:
    heard.aws.fail("DescribeRegions", error="AccessDenied", times=None)
    heard.ticket(SMALL)
    assert {r for r, _, _ in heard.aws.trail.asked} == {"us-east-1"}, "nobody saw it anywhere"
    assert "Which Regions the account has enabled is not known" in words(heard.thread()[0])


def test_a_region_without_an_answer_is_named(heard: Stage) -> None:
    """The time box ends, the ticket opens, and the card says how many questions have no whole answer."""
    heard.restart(iam_audit_replay_seconds=3)
    heard.aws.trail.hangs, heard.aws.trail.hang = {"eu-north-1"}, 4.0
    happen(heard, "ecs", "ListClusters")
    card = heard.ticket(SMALL)
    assert "ecs" not in services(heard), "what the other Region told counts"
    assert "3 questions of 6 without a whole answer" in words(card)
    assert "eu-north-1: " in words(heard.thread()[0])


def test_half_an_answer_is_no_answer(heard: Stage) -> None:
    """A page that ends in the middle is asked for again, and where that does not help it is a gap: never "no call"."""
    happen(heard, "ecs", "ListClusters")
    heard.aws.trail.regions = ("us-east-1",)
    heard.aws.fail("LookupEvents", truncate=True)
    heard.ticket(SMALL)
    assert services(heard) == {"ecr", "logs"}
    heard.aws.fail("LookupEvents", truncate=True, times=None)
    heard.now += timedelta(hours=1)
    said = words(heard.ticket("role deploy-service-02"))
    assert "3 questions of 3 without a whole answer" in said


def test_what_the_last_look_did_not_hear_is_said(heard: Stage) -> None:
    """It stops nobody, and the card is about the ticket's end by then: the thread has it, once, also after a retry."""
    heard.ticket(SMALL)
    heard.aws.trail.regions = ("us-east-1",)
    heard.aws.fail("LookupEvents", error="InternalError", status=500, times=None)
    heard.aws.fail("PutRolePolicy", error="AccessDenied")
    heard.aws.fail("DeleteRolePolicy", error="AccessDenied")
    heard.press("ticket.approve", user=story.CAROL)
    assert state(heard) == "approved"
    heard.press("ticket.retry", user=story.CAROL)
    assert state(heard) == "applied"
    told = [m for m in heard.thread() if "CloudTrail" in m["text"]]
    assert [m["text"].split(":")[0] for m in told] == [
        "Ticket 1, CloudTrail",
        "Ticket 1, CloudTrail before the first write",
    ]
    assert "3 questions of 3 without a whole answer" in words(told[1])


def test_zero_turns_it_off(writing: Stage) -> None:
    happen(writing, "ecs", "ListClusters")
    card = writing.ticket(SMALL)
    assert "CloudTrail" not in words(card)
    assert "ecs" in services(writing)
    assert writing.aws.trail.asked == []


def test_where_nothing_is_left_no_ticket_opens(heard: Stage) -> None:
    """Everything that was ticked was called; the person is told which calls there were."""
    names = {"ecs": "ListClusters", "ecr": "DescribeRepositories", "logs": "DescribeLogGroups"}
    for service, name in names.items():
        happen(heard, service, name)
    heard.say(SMALL)
    heard.open_form()
    heard.send_form(reason={"value": "clean-up"})
    assert state(heard) == "void"
    said = words(heard.slack.ephemerals(story.ALICE)[-1])
    assert "CloudTrail’s event history of 90 days has calls of what was ticked" in said
    assert all(f"{service}:{name} on " in said for service, name in names.items())


def test_a_quarantine_is_refused_where_somebody_calls(heard: Stage) -> None:
    arn = f"arn:aws:iam::{story.PROD}:role/TestRole-DeleteLater"
    happen(heard, "s3", "ListBuckets", arn=arn)
    heard.say("role TestRole-DeleteLater")
    view = heard.open_form()
    scope = next(b for b in view["blocks"] if b.get("block_id") == "scope")["element"]["options"][1]
    heard.send_form(reason={"value": "left over"}, scope={"selected_option": scope})
    assert state(heard) == "void"
    assert "s3:ListAllMyBuckets on " in heard.rows("SELECT failure FROM ticket")[0]["failure"]


def test_members_speak_for_their_group(heard: Stage) -> None:
    """A call of any member, through the group's policy or not, keeps what the group grants."""
    happen(heard, "elasticmapreduce", "ListClusters", arn=GROUP_USER)
    heard.ticket("group data-engineers")
    assert "elasticmapreduce" not in services(heard)
    assert "batch" in services(heard)


def test_the_file_has_every_kind_of_call(heard: Stage) -> None:
    happen(heard, "ecs", "ListClusters", session="=cmd()")
    happen(heard, "ecr", "DescribeRepositories", error="AccessDenied")
    heard.ticket(SMALL)
    heard.press("ticket.diff", user=story.CAROL)
    (file,) = [f for f in heard.slack.state.files.values() if "cloudtrail" in f["name"]]
    rows = list(csv.DictReader(io.StringIO(file["content"].decode("utf-8-sig"))))
    assert [(r["class"], r["actions"], r["times"]) for r in rows] == [
        ("stays", "ecs:ListClusters", "1"),
        ("denied", "ecr:DescribeRepositories", "1"),
    ]
    assert rows[0]["session"] == "'=cmd()"


def test_what_had_no_answer_is_asked_next_time(heard: Stage) -> None:
    """The credentials ended in the middle: the ticket opens and says so; the next one asks only what is missing."""
    happen(heard, "ecs", "ListClusters")
    heard.aws.trail.regions = ("us-east-1",)
    asked: list[str] = []

    def ends_at_the_third(operation: str, phase: str) -> Fault | None:
        if operation != "LookupEvents" or phase != "before":
            return None
        asked.append(operation)
        return Fault(operation, error="ExpiredTokenException") if len(asked) == 3 else None

    heard.aws.hook = ends_at_the_third
    heard.ticket(SMALL)
    assert "1 question of 3 without a whole answer" in words(heard.card())
    assert services(heard) == {"ecr", "logs"}
    heard.aws.hook = None
    heard.aws.trail.asked.clear()
    heard.restart()
    heard.ticket("role deploy-service-02")
    assert len(heard.aws.trail.asked) == 1, "the one that had no answer"


@pytest.mark.parametrize("at", [3, 8, 14, 20, 27, 35])
def test_a_death_while_the_ticket_is_planned(heard: Stage, at: int) -> None:
    """Wherever the process dies: after the start one ticket stands, without what was called."""
    happen(heard, "ecs", "ListClusters")
    heard.say(SMALL)
    heard.open_form()
    assert heard.slack.submit(story.ALICE, {"reason": {"value": "clean-up"}}).ok
    cards = len(heard.cards())
    heard.end()
    points = Points(at)
    try:
        with worlds(points):
            heard.begin()
            heard.settle()
    except Died:
        heard.restart()
        heard.settle()
    assert points.count >= at
    assert state(heard) == "open"
    assert services(heard) == {"ecr", "logs"}
    assert len(heard.cards()) == cards + 1
    assert len([m for m in heard.thread() if "CloudTrail" in m["text"]]) == 1
