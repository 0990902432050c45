"""Requests and jobs in any order hypothesis can think of: asking, time, faults, kills, double deliveries, buttons."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.sandbox import world as story
from tests.sandbox.aws import Aws, Knobs
from tests.sandbox.slack import Reply
from tests.scenarios.stage import Died, Points, Stage, watched, words

Json = dict[str, Any]
ENTITIES = {
    "DBAdminRole": "role DBAdminRole",
    "TestRole-DeleteLater": "role TestRole-DeleteLater",
    "anna": "user anna",
}
LEVELS = ("", " actions")
PEOPLE = (story.ALICE, story.BOB)
FAULTS: tuple[Json, ...] = (
    {"error": "Throttling"},
    {"error": "ServiceFailure", "status": 500},
    {"error": "ExpiredToken"},
    {"error": "AccessDenied"},
    {"drop": "before"},
    {"drop": "after"},
)
CALLS = ("*", "GetRole", "GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails")


def _headline(card: Json) -> str:
    return words(card).strip().partition("\n")[0]


def _state(card: Json) -> str:
    return str(card["metadata"]["event_payload"]["state"])


def _name(text: str) -> str:
    return next((n for n in ENTITIES if n in text), "")


def _buttons(card: Json) -> set[str]:
    found = [e for b in card["blocks"] for e in [*b.get("elements", []), b.get("accessory") or {}]]
    return {str(e["action_id"]) for e in found if "action_id" in e} & {"audit.refresh", "audit.retry"}


class Machine(RuleBasedStateMachine):
    """One database from its first start to its last; `acknowledged` and `maybe` count what was asked, by name."""

    def __init__(self, stage: Stage, path: Path, right: set[str]) -> None:
        super().__init__()
        self.stage, self.aws, self.slack, self.right = stage, stage.aws, stage.slack, right
        self.began = stage.now
        self.acknowledged: Counter[str] = Counter()
        self.maybe: Counter[str] = Counter()
        self.replies: list[Reply] = []
        self.pressed: Counter[str] = Counter()
        self.shown: dict[str, str] = {}
        self.read = 0
        stage.end()
        stage.path = path
        stage.begin()

    # -- what happens --------------------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(sorted(ENTITIES)),
        level=st.sampled_from(LEVELS),
        fresh=st.booleans(),
        person=st.sampled_from(PEOPLE),
    )
    def ask(self, name: str, level: str, person: str, *, fresh: bool) -> None:
        text = ENTITIES[name] + level + (" fresh" if fresh else "")
        self.maybe[name] += 1  # where the process dies meanwhile, nobody knows
        reply = self.slack.command(person, story.SECURITY, text)
        self.maybe[name] -= 1
        self.acknowledged[name] += reply.ok
        if reply.ok:
            self.replies.append(reply)

    @rule(beats=st.integers(1, 3))
    def tick(self, beats: int) -> None:
        for _ in range(beats):
            self.stage.beat()

    @rule(seconds=st.sampled_from((0.5, 2, 20, 120, 1200, 7 * 3600)))
    def time_passes(self, seconds: float) -> None:
        self.stage.now += timedelta(seconds=seconds)

    @rule(fault=st.sampled_from(FAULTS), call=st.sampled_from(CALLS), times=st.integers(1, 4))
    def aws_fails(self, fault: Json, call: str, times: int) -> None:
        self.aws.fail(call, times=times, **fault)

    @rule(result=st.sampled_from(("ok", "ok", "fail", "stick")), polls=st.integers(1, 4))
    def jobs_will(self, result: str, polls: int) -> None:
        self.aws.knobs.job_result, self.aws.knobs.job_polls = result, polls

    @rule(at=st.integers(1, 70), name=st.sampled_from(sorted(ENTITIES)))
    def die(self, at: int, name: str) -> None:
        """Start again, ask and work on; at the n-th commit or call the process is gone."""
        try:
            with watched(Points(at)):
                self.stage.restart()
                self.ask(name, "", story.ALICE, fresh=True)
                for _ in range(3):
                    self.stage.beat()
                    self.stage.now += timedelta(seconds=1)
        except Died:
            pass
        self.stage.restart()

    @precondition(lambda self: self.replies)
    @rule(which=st.integers(0, 50))
    def deliver_again(self, which: int) -> None:
        reply = self.replies[which % len(self.replies)]
        assert self.slack.redeliver(reply).body == reply.body

    @precondition(lambda self: any(_buttons(c) for c in self.stage.cards()))
    @rule(which=st.integers(0, 50), person=st.sampled_from(PEOPLE))
    def press(self, which: int, person: str) -> None:
        cards = [c for c in self.stage.cards() if _buttons(c)]
        card = cards[which % len(cards)]
        self.pressed[card["ts"]] += 1
        reply = self.slack.click(person, story.SECURITY, min(_buttons(card)), ts=card["ts"])
        assert reply.ok
        self.replies.append(reply)

    # -- what stays true -----------------------------------------------------------------------------------------

    @invariant()
    def one_job_for_a_report(self) -> None:
        assert not self.stage.rows(
            "SELECT entity_id FROM job WHERE state IN ('queued', 'running') "
            "GROUP BY entity_id, granularity HAVING count(*) > 1"
        )
        assert not self.stage.rows(
            "SELECT report_id FROM job WHERE report_id IS NOT NULL GROUP BY report_id HAVING count(*) > 1"
        )
        assert not self.stage.rows(
            "SELECT id FROM report WHERE complete = 1 AND id NOT IN "
            "(SELECT report_id FROM job WHERE report_id IS NOT NULL)"
        )

    @invariant()
    def a_result_stays_until_a_button_is_pressed(self) -> None:
        calls = self.slack.state.calls
        for call in calls[self.read :]:
            metadata = call.args.get("metadata")
            if metadata and "state" not in metadata["event_payload"]:  # no card
                continue
            if call.method not in {"chat.postMessage", "chat.update"} or not (call.answer["ok"] and metadata):
                continue
            ts, state = str(call.answer["ts"]), _state({"metadata": metadata})
            if self.shown.get(ts) == "done" and state != "done":
                assert self.pressed[ts], f"a result became {state}"
                self.pressed[ts] -= 1
            self.shown[ts] = state
        self.read = len(calls)

    def teardown(self) -> None:
        """Everybody who was acknowledged has one answer: the right result, or a failure with its name."""
        try:
            self.aws.faults.clear()
            self.aws.knobs.job_result = "ok"
            self._drain()
            self._check()
        finally:
            self.aws.faults.clear()
            self.aws.knobs, self.stage.now = Knobs(), self.began
            self.aws.jobs.clear()
            self.slack.state.last_ts = 0.0
            for kept in (self.slack.state.messages, self.slack.state.ephemerals, self.slack.state.calls):
                kept.clear()  # type: ignore[attr-defined]

    def _drain(self) -> None:
        """As the stage settles, in longer strides: a report that sticks is waited for a quarter of an hour."""
        for _ in range(1000):
            for _ in range(3):
                self.stage.beat()
            if not self.stage.pending():
                return
            self.stage.now += timedelta(seconds=5)
        raise AssertionError(f"still pending: {self.stage.pending()}")

    def _check(self) -> None:
        cards = self.stage.cards()
        private = [e for p in PEOPLE for e in self.slack.ephemerals(p) if _name(words(e))]
        for card in cards:
            assert _state(card) in {"done", "failed"}, words(card)
            if _state(card) == "done":
                assert _headline(card) in self.right, words(card)
            else:
                assert f"No result for {_name(words(card))}" in words(card)
        for answer in private:
            assert "Nothing was started" in words(answer)
        answers = Counter(_name(words(c)) for c in [*cards, *private])
        for name in ENTITIES:
            assert self.acknowledged[name] <= answers[name] <= self.acknowledged[name] + self.maybe[name], (
                name,
                self.acknowledged,
                self.maybe,
                [words(c) for c in cards],
                self.slack.state.ephemerals,
            )
        assert not self.stage.rows("SELECT id FROM report WHERE complete = 0")
        self.one_job_for_a_report()
        self.a_result_stays_until_a_button_is_pressed()


def test_any_order(stage: Stage, aws: Aws, tmp_path: Path) -> None:
    """Whatever comes in whatever order: one answer each, one job a report, and no result is taken back."""
    right = set()
    for text in ENTITIES.values():
        for level in LEVELS:
            stage.say(text + level)
            right.add(_headline(stage.card()))
    assert len(right) == 6, right
    stage.slack.state.messages.clear()
    stage.slack.state.calls.clear()
    numbers = count()
    run_state_machine_as_test(
        lambda: Machine(stage, tmp_path / f"{next(numbers)}.db", right),
        settings=settings(
            max_examples=10,
            stateful_step_count=15,
            derandomize=True,
            phases=(Phase.generate,),  # shrinking so many kills takes minutes
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_credentials_that_aws_refuses(stage: Stage, aws: Aws) -> None:
    """Before any account is known there is none to name: the answer is a whole sentence all the same."""
    stage.restart()
    aws.fail("GetCallerIdentity", error="InvalidClientTokenId", times=None)
    stage.say("role DBAdminRole")
    shown = words(stage.slack.ephemerals(story.ALICE)[-1])
    assert "AWS refuses the bot's own credentials" in shown
    assert "sts:GetCallerIdentity" in shown
    assert not stage.cards()
