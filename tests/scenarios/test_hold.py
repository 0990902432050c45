"""Hold first: what goes is denied for some quiet days, then rewritten, and the hold goes last. What IAM holds is asserted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from advisor.core.hold import INLINE, MANAGED
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.changes import NAME, ROLE, held
from tests.scenarios.stage import Stage, words

ADMIN = f"arn:aws:iam::{story.PROD}:role/DBAdminRole"


@pytest.fixture
def holding(writing: Stage) -> Stage:
    """The product, proposing seven quiet days."""
    writing.restart(iam_audit_hold_days=7, iam_audit_replay_seconds=60)
    return writing


def state(stage: Stage) -> str:
    return str(stage.rows("SELECT state FROM ticket ORDER BY id DESC LIMIT 1")[0]["state"])


def actions(aws: Aws, role: str = "role/DBAdminRole", ticket: int = 1) -> list[str]:
    """What the hold on a role denies; nothing where there is none."""
    text = aws.state(story.PROD)[role]["inline"].get(f"{INLINE}{ticket}")
    if text is None:
        return []
    (statement,) = json.loads(text)["Statement"]
    assert statement["Effect"] == "Deny" and statement["Resource"] == "*"
    return list(statement["Action"])


def without_hold(aws: Aws, role: str = "role/DBAdminRole") -> dict[str, Any]:
    row = aws.state(story.PROD)[role]
    return {**row, "inline": {n: t for n, t in row["inline"].items() if not n.startswith(INLINE)}}


def tries(stage: Stage, service: str, name: str, days: float, arn: str = ADMIN) -> None:
    """Somebody calls it so many days from now, and is denied."""
    at = stage.now + timedelta(days=days)
    stage.aws.trail.add(story.PROD, arn, f"{service}.amazonaws.com", name, at, error="AccessDenied")


def later(stage: Stage, days: float) -> None:
    """Time passes, and what is due is done."""
    stage.now += timedelta(days=days)
    assert stage.bot
    stage.bot.housekeeping()
    stage.settle()


def test_the_whole_way(holding: Stage, aws: Aws) -> None:
    """Held for seven days, then rewritten, the hold gone; the card counts the days; rolled back to the byte."""
    stage, before = holding, aws.state(story.PROD)
    card = stage.ticket()
    assert (
        "Held first:  iam-audit-hold-1, one inline policy, denies just what goes for 7 quiet days"
        in words(card)
    )
    assert aws.state(story.PROD) == before
    stage.press("ticket.approve", user=story.CAROL)
    assert state(stage) == "held", words(stage.card())
    assert len(actions(aws)) == 20 and "rds:*" in actions(aws)
    assert without_hold(aws) == before["role/DBAdminRole"]
    assert "20 of 25 services of DBAdminRole are held" in words(stage.card())
    assert "Held, day 1 of 7" in words(stage.card())
    later(stage, 2)
    assert "Held, day 3 of 7" in words(stage.card())
    later(stage, 5)
    assert state(stage) == "applied", words(stage.card())
    after = aws.state(story.PROD)
    assert INLINE + "1" not in after["role/DBAdminRole"]["inline"]
    assert "lost 20 of 25 services" in words(stage.card())
    stage.open_form("ticket.rollback", user=story.BOB)
    stage.send_form(user=story.BOB)
    assert state(stage) == "rolled_back"
    assert aws.state(story.PROD) == before


def test_the_fingerprint_covers_the_hold(holding: Stage) -> None:
    """Two tickets that differ by the hold alone are two plans."""
    holding.ticket()
    first = holding.rows("SELECT fingerprint FROM ticket")[0]["fingerprint"]
    holding.press("ticket.cancel")
    view = holding.open_form("audit.ticket", ts=holding.cards()[0]["ts"])
    now = next(b for b in view["blocks"] if b.get("block_id") == "hold")["element"]["options"][1]
    holding.send_form(reason={"value": "again"}, hold={"selected_option": now})
    assert holding.rows("SELECT fingerprint FROM ticket WHERE id = 2")[0]["fingerprint"] != first
    assert "Held first" not in words(holding.card())


def test_roll_back_lifts_it_by_one_call(holding: Stage, aws: Aws) -> None:
    before = aws.state(story.PROD)
    holding.ticket()
    holding.press("ticket.approve", user=story.CAROL)
    aws.calls.clear()
    holding.open_form("ticket.rollback", user=story.BOB)
    holding.send_form(user=story.BOB)
    assert state(holding) == "rolled_back", words(holding.card())
    assert aws.state(story.PROD) == before
    writes = [c.operation for c in aws.calls if c.operation.startswith(("Put", "Delete", "Attach", "Detach"))]
    assert writes == ["DeleteRolePolicy"]


def test_an_approver_finishes_it_early(holding: Stage, aws: Aws) -> None:
    """Whoever is none may not."""
    holding.ticket()
    holding.press("ticket.approve", user=story.CAROL)
    holding.press("ticket.finish", user=story.ALICE)
    assert state(holding) == "held"
    later(holding, 1)
    holding.press("ticket.finish", user=story.BOB)
    assert state(holding) == "applied", words(holding.card())
    assert actions(aws) == []


def test_use_during_the_hold_stops_it_and_asks(holding: Stage, aws: Aws) -> None:
    """A try counts as use; nothing is rewritten until an approver says so, and a later try asks again."""
    before = aws.state(story.PROD)
    holding.ticket()
    holding.press("ticket.approve", user=story.CAROL)
    tries(holding, "redshift", "DescribeClusters", 3)
    later(holding, 7)
    assert state(holding) == "held"
    said = words(holding.card())
    assert (
        "Held, day 7 of 7, stopped" in said
        and "redshift:DescribeClusters was called by session nightly" in said
    )
    assert without_hold(aws) == before["role/DBAdminRole"]
    assert any("Held, stopped" in words(m) and "<@" in words(m) for m in holding.thread())
    later(holding, 2)
    assert state(holding) == "held"
    tries(holding, "athena", "ListWorkGroups", -0.1)
    holding.press("ticket.finish", user=story.BOB)
    assert state(holding) == "held", "what nobody was asked about is not waved through"
    assert "athena:ListWorkGroups was called" in words(holding.card())
    holding.press("ticket.finish", user=story.BOB)
    assert state(holding) == "applied", words(holding.card())
    assert actions(aws) == []


def test_whoever_may_not_ask_cloudtrail_says_so_and_asks(holding: Stage, aws: Aws) -> None:
    """That nobody tried is not proven then: a person decides."""
    holding.ticket()
    holding.press("ticket.approve", user=story.CAROL)
    aws.fail("LookupEvents", error="AccessDenied", times=None)
    later(holding, 7)
    assert state(holding) == "held"
    assert "what was tried is not known: cloudtrail:LookupEvents is not allowed" in words(holding.card())
    holding.press("ticket.finish", user=story.BOB)
    assert state(holding) == "applied", words(holding.card())


def test_a_history_that_is_not_read_to_the_end_is_read_again(holding: Stage, aws: Aws) -> None:
    """Hour by hour for a day; then a person is told which Region gave no answer."""
    holding.ticket("role deploy-service-01")
    holding.press("ticket.approve", user=story.CAROL)
    holding.restart(iam_audit_replay_seconds=1, patience=0.2)
    aws.trail.hangs, aws.trail.hang = {"eu-north-1"}, 0.4
    later(holding, 7)
    assert state(holding) == "held"
    assert "the last look failed; the bot tries again" in words(holding.card())
    later(holding, 1.1)
    assert "what was tried is not known: CloudTrail gave no whole answer in eu-north-1" in words(
        holding.card()
    )
    aws.trail.hangs = set()
    holding.press("ticket.finish", user=story.BOB)
    assert state(holding) == "applied", words(holding.card())


def test_drift_lifts_the_hold(holding: Stage, aws: Aws) -> None:
    """What was approved is not there any more: nothing is rewritten, and nothing stays denied."""
    holding.ticket()
    holding.press("ticket.approve", user=story.CAROL)
    iam = aws.client("iam", story.PROD)
    iam.put_role_policy(RoleName="DBAdminRole", PolicyName="new", PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}')  # fmt: skip
    later(holding, 7)
    assert state(holding) == "drifted", words(holding.card())
    assert actions(aws) == []
    said = words(holding.card())
    assert "its hold is lifted" in said and "new is new" in said


def test_somebody_else_changes_the_hold(holding: Stage, aws: Aws) -> None:
    """Other people's work is never written over: a person is asked."""
    holding.ticket()
    holding.press("ticket.approve", user=story.CAROL)
    iam = aws.client("iam", story.PROD)
    other = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:*","Resource":"*"}]}'
    iam.put_role_policy(RoleName="DBAdminRole", PolicyName=f"{INLINE}1", PolicyDocument=other)
    later(holding, 7)
    assert state(holding) == "needs_human", words(holding.card())
    assert aws.state(story.PROD)["role/DBAdminRole"]["inline"][f"{INLINE}1"] == other


def test_the_entity_goes_while_it_is_held(holding: Stage, aws: Aws) -> None:
    holding.ticket("role deploy-service-01")
    holding.press("ticket.approve", user=story.CAROL)
    assert state(holding) == "held"
    iam = aws.client("iam", story.PROD)
    for name in iam.list_role_policies(RoleName="deploy-service-01")["PolicyNames"]:
        iam.delete_role_policy(RoleName="deploy-service-01", PolicyName=name)
    iam.delete_role(RoleName="deploy-service-01")
    later(holding, 7)
    assert state(holding) == "drifted", words(holding.card())


def test_no_second_ticket_on_what_is_held(holding: Stage) -> None:
    holding.ticket()
    holding.press("ticket.approve", user=story.CAROL)
    first = holding.cards()[0]["ts"]
    holding.open_form(ts=first)
    holding.send_form(reason={"value": "more"})
    said = holding.slack.ephemerals(story.ALICE)[-1]
    assert "Ticket 1 holds DBAdminRole" in words(said)


def test_a_part_is_given_back_while_it_is_held(holding: Stage, aws: Aws) -> None:
    """The hold gets narrower by one write; what came back is not taken at the end either."""
    holding.ticket()
    holding.press("ticket.approve", user=story.CAROL)
    denied = actions(aws)
    view = holding.open_form("ticket.rollback", user=story.BOB)
    block = next(b for b in view["blocks"] if b.get("block_id") == "services")["element"]["options"]
    scope = next(b for b in view["blocks"] if b.get("block_id") == "scope")["element"]["options"][1]
    redshift = next(o for o in block if o["value"] == "s:redshift")
    rds = next(o for o in block if o["value"] == "s:rds")
    holding.send_form(
        user=story.BOB, scope={"selected_option": scope}, services={"selected_options": [redshift, rds]}
    )
    assert state(holding) == "held", words(holding.card())
    assert set(denied) - set(actions(aws)) == {"redshift:*", "rds:*"}
    assert "2 given back : rds, redshift · 18 still held" in words(holding.card())
    said = words(holding.card())
    assert "18 of 25 services of DBAdminRole are held" in said
    assert "Stays whole, as a part was given back:  AmazonRDSFullAccess" in said
    assert "Detach AmazonRDS" not in said
    later(holding, 7)
    assert state(holding) == "applied", words(holding.card())
    row = aws.state(story.PROD)["role/DBAdminRole"]
    assert "redshift:*" in row["inline"]["db-admin-inline"]
    assert any("RDSFullAccess" in a for a in row["attached"]), "it goes only whole, so it stays"
    assert actions(aws) == []
    said = words(holding.card())
    assert "DBAdminRole lost 10 of 25 services" in said, said
    assert "10 given back : AmazonRDSFullAccess, rds, redshift" in said, said
    assert "Detached" not in said, said


def test_everything_given_back_is_a_roll_back(holding: Stage, aws: Aws) -> None:
    before = aws.state(story.PROD)
    holding.ticket("role deploy-service-01")
    holding.press("ticket.approve", user=story.CAROL)
    view = holding.open_form("ticket.rollback", user=story.BOB)
    block = next(b for b in view["blocks"] if b.get("block_id") == "services")["element"]["options"]
    scope = next(b for b in view["blocks"] if b.get("block_id") == "scope")["element"]["options"][1]
    holding.send_form(user=story.BOB, scope={"selected_option": scope}, services={"selected_options": block})
    assert state(holding) == "rolled_back"
    assert aws.state(story.PROD) == before


def test_a_quarantine_is_a_hold_of_the_whole(holding: Stage, aws: Aws) -> None:
    """Watched for its days, then it counts as done; one detach gives everything back."""
    before = aws.state(story.PROD)
    assert holding.say("role TestRole-DeleteLater").ok
    view = holding.open_form()
    scope = next(b for b in view["blocks"] if b.get("block_id") == "scope")["element"]["options"][1]
    holding.send_form(reason={"value": "left over"}, scope={"selected_option": scope})
    holding.press("ticket.approve", user=story.CAROL)
    assert state(holding) == "held"
    assert any("AWSDenyAll" in a for a in aws.state(story.PROD)["role/TestRole-DeleteLater"]["attached"])
    later(holding, 7)
    assert state(holding) == "applied"
    holding.open_form("ticket.rollback", user=story.BOB)
    holding.send_form(user=story.BOB)
    assert state(holding) == "rolled_back"
    assert aws.state(story.PROD) == before


def test_every_kind_of_edit_after_a_hold(holding: Stage, aws: Aws) -> None:
    """Documents edited and deleted, a new version, a replacement; then everything back to the byte."""
    held(holding)
    before = aws.state(story.PROD)
    holding.press("ticket.approve", user=story.CAROL)
    assert state(holding) == "held", words(holding.card())
    assert without_hold(aws, ROLE) == before[ROLE]
    later(holding, 7)
    assert state(holding) == "applied", words(holding.card())
    after = aws.state(story.PROD)[ROLE]
    assert not [n for n in after["inline"] if n.startswith(INLINE)]
    assert "old" not in after["inline"]
    assert NAME in ROLE


def test_a_user_without_room_gets_a_managed_policy(holding: Stage, aws: Aws) -> None:
    """Made and attached; lifted by one detach, and gone afterwards."""
    iam = aws.client("iam", story.PROD)
    name = "full-inline"
    made = iam.create_user(UserName=name)["User"]["Arn"]
    user = next(u for u in aws.backend(story.PROD).users.values() if u.name == name)
    user.create_date = holding.now - timedelta(days=900)
    pad = ",".join(f'"s3:Get{"x" * 40}{n:02}"' for n in range(38))
    text = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","sqs:*",'
        + pad
        + '],"Resource":"*"}]}'
    )
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=text)
    aws.use(story.PROD, made, "s3", holding.now - timedelta(days=2))
    before = aws.state(story.PROD)
    holding.ticket(f"user {name}")
    holding.press("ticket.approve", user=story.CAROL)
    assert state(holding) == "held", words(holding.card())
    arn = f"arn:aws:iam::{story.PROD}:policy/{MANAGED}1"
    assert arn in aws.state(story.PROD)[f"user/{name}"]["attached"]
    aws.calls.clear()
    holding.open_form("ticket.rollback", user=story.BOB)
    holding.send_form(user=story.BOB)
    assert state(holding) == "rolled_back", words(holding.card())
    assert aws.state(story.PROD) == before
    writes = [c.operation for c in aws.calls if c.operation.startswith(("Delete", "Detach"))]
    assert writes == ["DetachUserPolicy", "DeletePolicy"]


def test_single_actions_are_held_too(holding: Stage, aws: Aws) -> None:
    """Each by its name; the service goes on."""
    card = holding.ticket("role DBAdminRole actions")
    single = set(plan_actions(holding))
    assert single, words(card)
    holding.press("ticket.approve", user=story.CAROL)
    assert state(holding) == "held", words(holding.card())
    assert single <= set(actions(aws))
    services = {a.partition(":")[0] for a in single}
    assert not {f"{s}:*" for s in services} & set(actions(aws))
    later(holding, 7)
    assert state(holding) == "applied", words(holding.card())
    assert actions(aws) == []


def plan_actions(stage: Stage) -> tuple[str, ...]:
    ticket = stage.store.tickets.get(1)
    assert ticket and ticket.plan
    return ticket.plan.actions


def test_why_says_what_is_held(holding: Stage) -> None:
    """And what came back of it."""
    holding.ticket("role deploy-service-01")
    holding.press("ticket.approve", user=story.CAROL)
    ticket = holding.card()["ts"]
    holding.say("why role deploy-service-01 ecs:ListClusters account=prod")
    assert "denies the whole service for now: it is held before it is taken away" in words(holding.card())
    view = holding.open_form("ticket.rollback", user=story.BOB, ts=ticket)
    scope, services = (
        next(b for b in view["blocks"] if b.get("block_id") == name)["element"]["options"]
        for name in ("scope", "services")
    )
    ecs = next(o for o in services if o["value"] == "s:ecs")
    holding.send_form(
        user=story.BOB, scope={"selected_option": scope[1]}, services={"selected_options": [ecs]}
    )
    holding.say("why role deploy-service-01 ecs:ListClusters account=prod")
    assert "and gave it back since" in words(holding.card())
