"""What a review of changes found: each test is a world in which something wrong was written, or said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from advisor import changes, jobs, readings
from advisor.core.model import PolicyKind
from advisor.core.removal import Verb
from advisor.lastlook import used_since
from tests.removals import estate, shared
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.changes import allow, approve, everything, replacement, roll_back
from tests.scenarios.pressing import form, state
from tests.scenarios.stage import Stage, words
from tests.scenarios.test_ticket_deaths import same
from tests.worlds import ago, policy


def stuck(stage: Stage) -> None:
    """The second write was refused: one is written."""
    stage.ticket()
    stage.aws.fail("DetachRolePolicy", error="AccessDenied")
    approve(stage)
    assert state(stage) == "needs_human"


def test_a_change_that_is_stuck_half_way_goes_back_whole_and_never_reads_as_applied(
    writing: Stage, aws: Aws
) -> None:
    """Giving back a part of a half would end as “applied”, which it never was."""
    before = aws.state(story.PROD)
    stuck(writing)
    view = writing.open_form("ticket.rollback", user=story.BOB)
    assert "scope" not in {b.get("block_id") for b in view["blocks"]}
    assert "Everything goes back" in words(view)
    writing.send_form(user=story.BOB)
    assert state(writing) == "rolled_back"
    assert aws.state(story.PROD) == before


def test_a_choice_of_services_that_comes_when_the_change_is_stuck_is_late(writing: Stage) -> None:
    stuck(writing)
    writing.store.presses.add(1, Verb.ROLLBACK, story.BOB, story.SECURITY, writing.now, services=["athena"])
    writing.settle()
    assert state(writing) == "needs_human"


def test_a_report_from_before_a_standstill_is_not_fresh(writing: Stage, aws: Aws) -> None:
    """Approved, the report is made, and the bot stands still for a week, in which a service was used."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    role = next(r for r in aws.backend(story.PROD).roles.values() if r.name == "DBAdminRole")
    assert stage.bot
    stage.slack.click(story.CAROL, story.SECURITY, "ticket.approve", ts=stage.card()["ts"])
    desk = stage.bot.intake.desk
    stage.bot.intake._tickets()
    while not stage.rows("SELECT 1 FROM job WHERE id = (SELECT job_id FROM ticket) AND state = 'done'"):
        if not stage.rows("SELECT 1 FROM ticket WHERE job_id IS NOT NULL"):
            stage.bot.intake._tickets()
        jobs.tick(desk)
        stage.now += timedelta(seconds=0.5)
    assert state(stage) == "approved"
    stage.now += timedelta(days=7)
    aws.use(story.PROD, role.arn, "athena", stage.now - timedelta(days=1))
    stage.restart()
    stage.settle()
    assert state(stage) == "drifted", words(stage.card())
    assert aws.state(story.PROD) == before


def test_a_service_that_goes_from_one_policy_counts_as_used_though_another_still_grants_it() -> None:
    """What still grants it may be limited to other resources."""
    rds = policy("AmazonRDSFullAccess", "rds:*", "athena:*", kind=PolicyKind.AWS)
    team = shared(policy("Team", "s3:*", "athena:*", kind=PolicyKind.CUSTOMER), 2)
    held: dict[str, tuple[str, ...]] = {team.arn: ("role/DBAdminRole", "role/x", "role/y")}
    made = estate(rds, team, used={"s3": ago(days=3), "rds": ago(days=3)}, holders=held)
    plan = made.plan(keys=["r0"])
    assert plan.services == ()
    assert used_since(plan, made.report, made.report) == ()
    services = tuple(
        replace(s, last_at=ago(days=0)) if s.namespace == "athena" else s for s in made.report.services
    )
    assert [m.name for m in used_since(plan, made.report, replace(made.report, services=services))] == [
        "athena"
    ]


def test_a_copy_that_somebody_edited_is_seen_before_the_way_back_writes_anything(
    writing: Stage, aws: Aws
) -> None:
    """What was added to the policy that a ticket made is somebody's work: it is neither detached nor lost."""
    stage = writing
    replacement(stage)
    approve(stage)
    assert state(stage) == "applied", words(stage.card())
    iam = aws.client("iam", story.PROD)
    [ours] = [
        p for p in iam.list_policies(Scope="Local")["Policies"] if p["PolicyName"].startswith("IAMAudit-")
    ]
    iam.create_policy_version(
        PolicyArn=ours["Arn"], PolicyDocument=allow("rds:*", "sns:Publish"), SetAsDefault=True
    )
    before = aws.state(story.PROD)
    roll_back(stage)
    assert state(stage) == "needs_human", words(stage.card())
    assert aws.state(story.PROD) == before


def test_a_way_back_looks_at_what_every_run_before_it_left_unknown(writing: Stage, aws: Aws) -> None:
    """The change stopped, and so did its first way back, whose write took place late: it is not made twice."""
    stage = writing
    everything(stage)
    before = aws.state(story.PROD)
    aws.fail("DetachRolePolicy", error="AccessDenied")
    approve(stage)
    assert state(stage) == "needs_human"
    aws.fail("CreatePolicyVersion", error="AccessDenied")
    form(stage, "ticket.rollback", 1, story.BOB)
    assert state(stage) == "needs_human"
    iam = aws.client("iam", story.PROD)
    [own] = [p for p in iam.list_policies(Scope="Local")["Policies"] if p["PolicyName"] == "ManyOwn"]
    first = before[f"policy/{own['Arn']}"]["versions"]["v1"]  # type: ignore[index]
    iam.create_policy_version(PolicyArn=own["Arn"], PolicyDocument=first)
    form(stage, "ticket.rollback", 1, story.BOB)
    assert state(stage) == "rolled_back", [words(m) for m in stage.thread()]
    assert same(aws.state(story.PROD)) == same(before)


def test_a_standstill_before_the_first_write_asks_for_another_last_look(
    writing: Stage, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal was written and nothing else; a week later a service is used: nothing is written."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    role = next(r for r in aws.backend(story.PROD).roles.values() if r.name == "DBAdminRole")
    with monkeypatch.context() as patch:
        patch.setattr(changes, "_carry", lambda *_: False)
        stage.slack.click(story.CAROL, story.SECURITY, "ticket.approve", ts=stage.card()["ts"])
        for _ in range(60):
            stage.beat()
            stage.now += timedelta(seconds=0.5)
    assert state(stage) == "applying"
    stage.now += timedelta(days=7)
    aws.use(story.PROD, role.arn, "athena", stage.now - timedelta(days=1))
    stage.restart()
    stage.settle()
    assert state(stage) == "drifted", words(stage.card())
    assert aws.state(story.PROD) == before


def test_a_standstill_before_the_first_write_is_caught_up_with(
    writing: Stage, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = writing
    stage.ticket()
    with monkeypatch.context() as patch:
        patch.setattr(changes, "_carry", lambda *_: False)
        stage.slack.click(story.CAROL, story.SECURITY, "ticket.approve", ts=stage.card()["ts"])
        for _ in range(60):
            stage.beat()
            stage.now += timedelta(seconds=0.5)
    stage.now += timedelta(hours=2)
    stage.restart()
    stage.settle()
    assert state(stage) == "applied", words(stage.card())


def test_the_roles_of_the_bot_are_known_where_aws_does_not_list_accounts(
    writing: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert writing.bot
    desk = writing.bot.intake.desk
    monkeypatch.setattr(readings, "accounts", lambda _desk: ())
    write = desk.config.iam_audit_write_role
    assert f"arn:aws:iam::444444444444:role/{write}" in readings.rules(desk, 90, "444444444444").own_arns
