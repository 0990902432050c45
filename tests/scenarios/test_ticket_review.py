"""What a review of changes found: each test is a world in which something wrong was written, or said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from advisor import jobs
from advisor.changes import _used
from advisor.core.model import PolicyKind
from advisor.core.removal import Verb
from tests.removals import estate, shared
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.changes import approve
from tests.scenarios.pressing import state
from tests.scenarios.stage import Stage, words
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
    assert _used(plan, made.report, made.report) == ()
    services = tuple(
        replace(s, last_at=ago(days=0)) if s.namespace == "athena" else s for s in made.report.services
    )
    assert [m.name for m in _used(plan, made.report, replace(made.report, services=services))] == ["athena"]
