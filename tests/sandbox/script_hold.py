"""The story of a ticket that is held first: somebody is hurt, gets just that back, and the rest is taken in the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.sandbox import denials
from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.sandbox.script_people import (
    audit,
    card_in,
    card_of,
    denied,
    iam,
    inputs,
    number_of,
    open_form,
    press,
    reply,
    writes,
)
from tests.scenarios.stage import words

A, S = story.ALICE, story.SECURITY
NAME = "deploy-service-03"
ROLE = f"prod role/{NAME}"


class Held:
    """A method a step; its docstring is what happens, what it returns is what the world showed."""

    def __init__(self) -> None:
        self.number = 0
        self.before: dict[str, Any] = {}
        self.job: Callable[..., str] = str  # what a nightly job does

    @property
    def steps(self) -> tuple[Callable[[Demo], str], ...]:
        """In this order."""
        return (self.held, self.denied, self.one_back, self.finished)

    def held(self, demo: Demo) -> str:
        """with IAM_AUDIT_HOLD_DAYS=7 the form proposes a hold; carol approves: one policy denies what goes, nothing else is written"""
        demo.stop_bot()
        demo.settings["IAM_AUDIT_HOLD_DAYS"] = "7"
        demo.start_bot()
        self.before = iam(demo)[ROLE]
        view = open_form(demo, A, "audit.ticket", audit(demo, NAME))
        proposed = next(b for b in inputs(view) if b["block_id"] == "hold")["element"]["initial_option"]
        assert demo.slack.submit(A, {"reason": {"value": "Nothing was deployed by it for a year"}}).body in (
            {},
            None,
        )
        newest = max(number_of(c) for c in (card_of(demo, n) for n in self._numbers(demo)))
        opened = card_in(demo, "open", after=newest)
        self.number = number_of(opened)
        assert "Held first" in words(opened), words(opened)
        done = len(demo.aws.calls)
        press(demo, story.CAROL, "ticket.approve", self.number)
        card = card_in(demo, "held", self.number)
        assert self._holds(demo) == ["ecr:*", "ecs:*", "logs:*"], self._holds(demo)
        assert {n: t for n, t in iam(demo)[ROLE]["inline"].items() if n != self._name} == self.before[
            "inline"
        ]
        wrote = writes(demo, done)
        assert len(wrote) == 1, wrote
        return "\n".join([f"proposed: {proposed['text']['text']}", *wrote, str(card["text"])])

    def denied(self, demo: Demo) -> str:
        """a pipeline calls ecs as that role and is denied by the hold: the ticket's thread says so, with a button"""
        arn = f"arn:aws:iam::{story.PROD}:role/{NAME}"
        self.job = partial(denials.attempt, demo.aws, story.PROD, arn, "ecs:ListClusters")
        time.sleep(1.1)  # CloudTrail tells whole seconds, and the hold was laid a moment ago
        said = self.job(session="pipeline", url=demo.settings["IAM_AUDIT_DENIED_QUEUE"])
        assert "explicit deny in an identity-based policy" in said, said
        ts = card_of(demo, self.number)["ts"]
        told = demo.slack.wait(lambda: denied(demo.slack.thread(S, ts)), 30)[-1]
        assert "the hold of this ticket denied it" in words(told), words(told)
        return f"{said}\n{told['text']}"

    def one_back(self, demo: Demo) -> str:
        """carol presses “Give back ecs”: the hold denies the other two on, and the pipeline works again"""
        done = len(demo.aws.calls)
        ts = card_of(demo, self.number)["ts"]
        post = denied(demo.slack.thread(S, ts))[-1]
        assert demo.slack.click(story.CAROL, S, "ticket.giveback", ts=post["ts"]).ok
        reply(demo, self.number, "Partly back")
        assert self._holds(demo) == ["ecr:*", "logs:*"], self._holds(demo)
        assert not self.job(), "the pipeline works again"
        return "\n".join([*writes(demo, done), str(card_in(demo, "held", self.number)["text"])])

    def finished(self, demo: Demo) -> str:
        """bob ends the quiet days early: what nobody missed is taken, what came back stays, and the hold goes last"""
        done = len(demo.aws.calls)
        press(demo, story.BOB, "ticket.finish", self.number)
        demo.slack.wait(lambda: self._applied(demo), 60)
        card = card_of(demo, self.number)
        (text,) = iam(demo)[ROLE]["inline"].values()
        assert json.loads(text)["Statement"][0]["Action"] in ("ecs:*", ["ecs:*"]), text
        wrote = writes(demo, done)
        assert len(wrote) == 2 and wrote[-1].endswith(self._name), wrote
        demo.stop_bot()
        demo.settings["IAM_AUDIT_HOLD_DAYS"] = "0"
        demo.start_bot()
        return "\n".join([*wrote, str(card["text"])])

    # -- what the world shows ----------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return f"iam-audit-hold-{self.number}"

    def _holds(self, demo: Demo) -> list[str]:
        text = iam(demo)[ROLE]["inline"].get(self._name)
        return list(json.loads(text)["Statement"][0]["Action"]) if text else []

    def _applied(self, demo: Demo) -> bool:
        return "Applied" in words(card_of(demo, self.number))

    def _numbers(self, demo: Demo) -> list[int]:
        found = [m.get("metadata", {}) for m in demo.slack.messages(S)]
        return [int(m["event_payload"]["id"]) for m in found if m.get("event_type") == "iam_audit.ticket"]
