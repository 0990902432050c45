"""Listeners of questions: history, org, regroup, and the buttons of their cards. A row and an answer, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slack_bolt import Ack

from advisor import questions
from advisor.core.estate import QuestionKind, SweepState
from advisor.desk import Desk
from handlers.actions import Body, Listeners, row_of

EXPORT, RETRY = "question.export", "question.retry"
BUTTONS = (EXPORT, RETRY)


@dataclass(frozen=True, slots=True)
class QuestionListeners:
    """One method a thing that a person can do with a question. `on` has what all listeners share."""

    on: Listeners

    def on_export(self, ack: Ack, body: Body) -> None:
        """Export CSV, on an answered card: the value is the question's row."""
        self._press(body, QuestionKind.EXPORT, lambda s: "" if s in _ANSWERED else "no_result")
        ack()

    def on_retry(self, ack: Ack, body: Body) -> None:
        """Retry, on a failed card."""
        self._press(body, QuestionKind.RETRY, lambda s: "" if s is SweepState.FAILED else "question_running")
        ack()

    def _press(self, body: Body, kind: QuestionKind, wrong: Callable[[SweepState], str]) -> None:
        row = row_of(str(body["actions"][0].get("value") or ""))
        desk: Desk = self.on.desk
        question = None if row is None else desk.store.questions.get(row)
        said = wrong(question.state) if question else "old_card"

        def effect() -> None:
            if said or question is None:
                self.on.say(body, said)
                return
            user, channel = str(body["user"]["id"]), str((body.get("channel") or {}).get("id") or "")
            words = {"question": str(question.id)}
            questions.ask(desk, kind, user, channel or user, words)

        self.on.press(body, effect)


_ANSWERED = {SweepState.DONE, SweepState.PARTIAL}
