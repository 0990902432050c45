"""Questions: commands that are answered by a card of their own after work. From the committed row to the answer.

An answer is a function of the desk and the words: it returns JSON that the card is drawn from, or raises NotYet,
Unanswered or an error of AWS. A kind of question is offered when it stands in ANSWERS.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from advisor import history, jobs, org, regroups, why
from advisor.core.errors import AwsError, NotYet, Throttled, Transient, Unanswered
from advisor.core.estate import Question, QuestionKind, SweepState
from advisor.core.model import Failure
from advisor.desk import Desk

log = logging.getLogger(__name__)

LANE = "questions"

Answer = Callable[[Desk, dict[str, str]], str]

ANSWERS: dict[QuestionKind, Answer] = {
    QuestionKind.HISTORY: history.answer,
    QuestionKind.ORG: org.answer,
    QuestionKind.REGROUP: regroups.regroup,
    QuestionKind.WHY: why.answer,
}

PROMPT = frozenset({QuestionKind.HISTORY, QuestionKind.WHY})
"""Answered from the store (or one reading of AWS) at once: no card before the answer, and what is wrong is told to one person."""

BELOW: dict[QuestionKind, tuple[tuple[str, str], ...]] = {
    QuestionKind.HISTORY: (("post", "question.table"), ("upload", "question.picture")),
    QuestionKind.ORG: (("post", "question.table"),),
    QuestionKind.REGROUP: (("upload", "question.picture"), ("upload", "question.files")),
}
"""What is said in the thread of an answered question."""


def ask(desk: Desk, kind: QuestionKind, user: str, channel: str, words: dict[str, str]) -> int:
    """Commit a question."""
    now = desk.clock()
    return desk.store.questions.add(kind, user, channel, words, now, now + jobs.deadline(desk))


def run(desk: Desk, question_id: int) -> None:
    """Answer one question, or take it a step further. Whoever asked may."""
    question = desk.store.questions.get(question_id)
    if question is None or question.state.ended:
        return
    if question.kind in {QuestionKind.EXPORT, QuestionKind.RETRY}:
        _pressed(desk, question)
        return
    answer = ANSWERS.get(question.kind)
    if answer is None:  # of another release
        end(desk, question, Failure("not_offered"))
        return
    _begin(desk, question)
    try:
        result = answer(desk, words_of(question))
    except NotYet as error:
        _wait(desk, question, error)
    except Unanswered as error:
        end(desk, question, error.failure)
    except Transient as error:
        desk.aws.forget_ended(error.account, error)
        _again(desk, question, error)
    except AwsError as error:
        end(desk, question, error.failure(question.tries + 1))
    else:
        _finish(desk, question, result)


def words_of(question: Question) -> dict[str, str]:
    """What was asked, and what earlier tries found out."""
    notes = json.loads(question.result) if question.result and not question.state.ended else {}
    asked: dict[str, str] = json.loads(question.words)
    return asked | notes


def _begin(desk: Desk, question: Question) -> None:
    store = desk.store
    with store.transaction():
        if store.questions.begin(question.id) and question.kind not in PROMPT:
            redraw(desk, question)


def _wait(desk: Desk, question: Question, error: NotYet) -> None:
    now = desk.clock()
    if now >= question.deadline_at:
        end(desk, question, error.late)
        return
    store, before = desk.store, words_of(question)
    with store.transaction():
        store.questions.wait(question.id, error.notes, min(now + error.pause, question.deadline_at))
        if before.get("waits", "") != error.notes.get("waits", "") or question.tries > 1:
            redraw(desk, question)


def _again(desk: Desk, question: Question, error: Transient) -> None:
    now, tries = desk.clock(), question.tries + 1
    if now >= question.deadline_at or (tries >= jobs.TRIES and not isinstance(error, Throttled)):
        end(desk, question, error.failure(tries))
        return
    log.info("question.again question=%d call=%s why=%s", question.id, error.call, error.code)
    later(desk, question)
    if tries > 1:
        redraw(desk, question)


def later(desk: Desk, question: Question) -> None:
    """Try the same step again after a growing pause."""
    pause = jobs.patience(f"question {question.id}", question.tries)
    desk.store.questions.again(question.id, desk.clock() + pause)


def _finish(desk: Desk, question: Question, result: str) -> None:
    """An answer that says of itself that it is partial is shown as such."""
    store = desk.store
    state = SweepState.PARTIAL if json.loads(result).get("partial") else SweepState.DONE
    with store.transaction():
        if not store.questions.finish(question.id, result, state):
            return
        redraw(desk, question)
        for kind, surface in BELOW.get(question.kind, ()):
            _below(desk, question, kind, surface, question.user)
    log.info("question.done question=%d kind=%s state=%s", question.id, question.kind, state)


def end(desk: Desk, question: Question, failure: Failure) -> None:
    """End a question without an answer: privately where no card stands yet, else on the card."""
    store = desk.store
    with store.transaction():
        if not store.questions.fail(question.id, failure):
            return
        fresh = store.questions.get(question.id) or question
        if fresh.card_id is not None:
            redraw(desk, fresh)
        else:
            store.outbox.add(
                "ephemeral",
                "question.answer",
                fresh.id,
                channel=fresh.channel,
                user=fresh.user,
                now=desk.clock(),
            )
    log.info("question.ended question=%d kind=%s code=%s", question.id, question.kind, failure.code)


def redraw(desk: Desk, question: Question) -> None:
    """Say that a question's card has changed; posts the card where there is none yet."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        fresh = store.questions.get(question.id) or question
        if fresh.card_id is not None:
            store.outbox.redraw(fresh.card_id, now)
            return
        card = store.outbox.add(
            "post", "question.card", fresh.id, channel=fresh.channel, user=fresh.user, now=now
        )
        store.questions.set_card(fresh.id, card)


def _below(desk: Desk, question: Question, kind: str, surface: str, user: str) -> None:
    fresh = desk.store.questions.get(question.id) or question
    desk.store.outbox.add(
        kind,
        surface,
        fresh.id,
        channel=fresh.channel,
        user=user,
        now=desk.clock(),
        parent_id=fresh.card_id,
    )


def _pressed(desk: Desk, press: Question) -> None:
    """A button of a card: its files, or the same question once more."""
    store, now = desk.store, desk.clock()
    question = store.questions.get(int(json.loads(press.words)["question"]))
    with store.transaction():
        if not store.questions.finish(press.id, "") or question is None:
            return
        if press.kind is QuestionKind.EXPORT:
            _below(desk, question, "upload", "question.files", press.user)
        elif store.questions.reopen(question.id, now, now + jobs.deadline(desk)):
            redraw(desk, question)


def refuse(desk: Desk, question: Question, why: str) -> None:
    """Whoever asked, or pressed, may not."""
    end(desk, question, Failure("forbidden", message=why))
