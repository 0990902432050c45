"""Tickets in any order of presses, kills, edits by others and passing time, against a small model of what may be true."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from advisor.core.hold import INLINE
from advisor.core.lifecycle import TABLE
from advisor.core.removal import TicketState
from tests.sandbox import world as story
from tests.sandbox.aws import Aws, Fault
from tests.scenarios.changes import NAME, ROLE, Rehearsal, held_inline, inline
from tests.scenarios.stage import Died, Points, Stage, worlds

WRITES = ("Put", "Delete", "Attach", "Detach", "Create", "Set")


def documents(state: dict[str, Any]) -> dict[str, str]:
    return dict(state[ROLE]["inline"])


class Tickets(RuleBasedStateMachine):
    """One ticket on one role, prepared before: what IAM holds is always what its state says."""

    rehearsal: Rehearsal
    goal: dict[str, Any]

    @initialize()
    def again(self) -> None:
        self.rehearsal.again()
        self.stage.begin()
        self.meddled: str | None = None
        self.seen = [TicketState.OPEN]

    @property
    def stage(self) -> Stage:
        return self.rehearsal.stage

    @property
    def aws(self) -> Aws:
        return self.rehearsal.aws

    def press(self, action: str, user: str, died_at: int | None) -> None:
        """Press a button if the card has it; where a number is given, the process dies at that point and starts again."""
        buttons = [e.get("action_id") for b in self.rehearsal.card["blocks"] for e in b.get("elements", [])]
        if action not in buttons:
            return
        if action in {"ticket.rollback", "ticket.reject"}:
            view = self.stage.open_form(action, user=user, ts=self.rehearsal.ts)
            if "submit" not in view:
                self.stage.slack.close_view(user)
                return
        try:
            with worlds(Points(died_at)):
                if action in {"ticket.rollback", "ticket.reject"}:
                    self.stage.send_form(user=user, reason={"value": "because"})
                else:
                    self.stage.press(action, user=user, ts=self.rehearsal.ts)
        except Died:
            self.stage.restart()
            self.stage.settle()

    @rule(
        action=st.sampled_from(["ticket.approve", "ticket.approve", "ticket.approve", "ticket.rollback", "ticket.rollback", "ticket.finish", "ticket.retry", "ticket.reject", "ticket.cancel"]),
        user=st.sampled_from([story.CAROL, story.CAROL, story.BOB, story.BOB, story.ALICE]),
        died_at=st.none() | st.integers(1, 60),
    )  # fmt: skip
    def somebody_presses(self, action: str, user: str, died_at: int | None) -> None:
        self.press(action, user, died_at)

    @rule(
        error=st.sampled_from(["AccessDenied", "Throttling", "ServiceFailure", "drop"]), nth=st.integers(1, 3)
    )
    def a_write_will_fail(self, error: str, nth: int) -> None:
        count = 0

        def at(operation: str, phase: str) -> Fault | None:
            nonlocal count
            if not operation.startswith(WRITES) or phase != "before":
                return None
            count += 1
            if count != nth:
                return None
            if error == "drop":
                return Fault("*", drop="before")
            return Fault("*", error=error, status=500 if error == "ServiceFailure" else 0)

        self.aws.hook = at

    @precondition(lambda self: self.meddled is None)
    @rule(now=st.sampled_from([True, False, False, False, False]))
    def somebody_edits(self, now: bool) -> None:
        if not now:
            return
        text = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
        )
        self.aws.client("iam", story.PROD).put_role_policy(
            RoleName=NAME, PolicyName="base", PolicyDocument=text
        )
        self.meddled = text

    @rule(days=st.sampled_from([1, 7]))
    def days_pass(self, days: int) -> None:
        if self.rehearsal.state == "held":
            self.stage.now += timedelta(days=days)
            self.stage.settle()

    @rule()
    def a_restart(self) -> None:
        self.stage.restart()
        self.stage.settle()

    @invariant()
    def the_state_is_one_that_the_table_reaches(self) -> None:
        if not hasattr(self, "seen"):
            return
        now = TicketState(self.rehearsal.state)
        if now is not self.seen[-1]:
            reachable, todo = {self.seen[-1]}, [self.seen[-1]]
            while todo:
                state = todo.pop()
                for (was, _), (to, _) in TABLE.items():
                    if was is state and to not in reachable:
                        reachable.add(to)
                        todo.append(to)
            assert now in reachable, (self.seen, now)
            self.seen.append(now)

    @invariant()
    def iam_holds_what_the_ticket_says(self) -> None:
        if not hasattr(self, "seen"):
            return
        before, goal = documents(self.rehearsal.before), documents(self.goal)
        now, state = documents(self.rehearsal.after), self.rehearsal.state
        for name in before.keys() | now.keys():
            one = now.get(name)
            if self.meddled is not None and name == "base" and one == self.meddled:
                continue  # somebody else's work is never written over
            if name == f"{INLINE}1":
                assert one is None or state in {"held", "applying", "rolling_back", "needs_human"}, state
                continue
            assert one in {before.get(name), goal.get(name)}, (state, name)
            if self.meddled is not None and name == "base":
                continue
            if state in {"open", "rejected", "cancelled", "expired", "drifted"}:
                assert one == before.get(name), (state, name)
            if state == "applied":
                assert one == goal.get(name), (state, name)
            if state == "rolled_back":
                assert one == before.get(name), (state, name)

    @invariant()
    def the_card_says_the_state(self) -> None:
        if hasattr(self, "seen"):
            assert self.rehearsal.card["metadata"]["event_payload"]["state"] == self.rehearsal.state

    def teardown(self) -> None:
        self.aws.hook = None
        self.stage.end()


def in_any_order(rehearsal: Rehearsal, examples: int) -> None:
    """Carried out once to know the goal, then anything in any order."""
    stage = rehearsal.stage
    rehearsal.again()
    stage.begin()
    stage.press("ticket.approve", user=story.CAROL, ts=rehearsal.ts)
    if rehearsal.state == "held":
        stage.now += timedelta(days=7)
        stage.settle()
    assert rehearsal.state == "applied"
    Tickets.rehearsal, Tickets.goal = rehearsal, rehearsal.after
    run_state_machine_as_test(
        Tickets,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    rehearsal.again()
    stage.begin()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_any_order(writing: Stage, aws: Aws, tmp_path: Any) -> None:
    """Whatever happens in whatever order, IAM holds what the ticket says, and the card says what the ticket is."""
    in_any_order(Rehearsal(writing, aws, tmp_path, inline), 25)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_any_order_with_a_hold(writing: Stage, aws: Aws, tmp_path: Any) -> None:
    """The same where what goes is denied first: nothing is denied without the ticket saying so."""
    writing.restart(iam_audit_hold_days=7)
    in_any_order(Rehearsal(writing, aws, tmp_path, held_inline), 20)
