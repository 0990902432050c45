"""Rows to messages and files of questions: gathers what a surface is drawn from, then lets `blocks/` draw it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from advisor import questions, readings, regroups
from advisor.core import trend as past
from advisor.core import why
from advisor.core.estate import Question, QuestionKind, SweepState
from advisor.core.model import Entity, Kind, Notice
from advisor.desk import Desk
from advisor.edges.chart import Mark, Trend, draw
from handlers import files, regroup_files, regroup_picture
from handlers.blocks import question, question_history, question_org, question_why, regroup, trend
from handlers.blocks.kit import Message
from handlers.blocks.question import QuestionView
from handlers.blocks.regroup import RegroupView
from handlers.files import File


@dataclass(frozen=True, slots=True)
class Face:
    """How one kind of answer is shown: its card, its table by rungs, the rows of its files, and its picture.

    `picture` gives PNGs and their alt texts; it may raise NoChart. `chart` is what stands in the thread where Slack takes
    no picture. `files` are those of a kind whose rows do not say everything.
    """

    card: Callable[[QuestionView], Message]
    table: Callable[[QuestionView, int], Message]
    rows: Callable[[QuestionView], list[dict[str, str]]]
    columns: tuple[str, ...]
    picture: Callable[[QuestionView], list[tuple[bytes, str]]] = lambda _view: []
    chart: Callable[[QuestionView, int], Message | None] = lambda _view, _rung: None
    files: Callable[[QuestionView], list[File]] | None = None


def _trend(view: QuestionView) -> list[tuple[bytes, str]]:
    points = question_history.points(view)
    if not points:
        return []
    title = question_history.picture_title(view)
    marks = tuple(Mark(day, label) for day, label in question_history.marks(view))
    return [(draw(Trend(title, points, trend.note(points), marks)), trend.sentence(title, points))]


def _groups(view: QuestionView) -> RegroupView:
    found = regroups.read(view.question.result)
    return RegroupView(found, view.account(found.account), view.question.user)


def _who_uses_what(view: QuestionView) -> list[tuple[bytes, str]]:
    of = _groups(view)
    sides = [s for s in (of.found.users, of.found.roles) if s.grouping.own]
    return [
        (draw(regroup_picture.picture(of.found, s, of.where)), regroup_picture.alt(s, of.where))
        for s in sides
    ]


def _group_rows(view: QuestionView) -> list[dict[str, str]]:
    found = _groups(view).found
    return [
        dict(zip(regroup_files.COLUMNS, (found.account, *row), strict=True))
        for side in (found.users, found.roles)
        for row in regroup_files.rows(side)
    ]


FACES: dict[QuestionKind, Face] = {
    QuestionKind.ORG: Face(question_org.card, question_org.table, question_org.rows, question_org.COLUMNS),
    QuestionKind.HISTORY: Face(
        question_history.card,
        question_history.table,
        question_history.rows,
        question_history.COLUMNS,
        _trend,
        question_history.chart,
    ),
    QuestionKind.WHY: Face(
        question_why.card,
        lambda view, _rung: question_why.card(view),
        question_why.rows,
        question_why.COLUMNS,
    ),
    QuestionKind.REGROUP: Face(
        lambda view: regroup.card(_groups(view)),
        lambda view, _rung: regroup.minimal(_groups(view)),
        _group_rows,
        regroup_files.COLUMNS,
        _who_uses_what,
        files=lambda view: regroup_files.files(_groups(view).found, view.question.id),
    ),
}


@dataclass(frozen=True, slots=True)
class DrawQuestions:
    """Draws any notice of a question."""

    desk: Desk

    def message(self, notice: Notice, rung: int) -> Message | None:
        """The message of a notice, or None where there is nothing to say (any more)."""
        found = self.desk.store.questions.get(notice.row_id)
        if found is None:
            return None
        view = self.view(found)
        face = FACES.get(found.kind) if found.state in _ANSWERED else None
        match notice.surface:
            case "question.card":
                return face.card(view) if face else _unanswered(view)
            case "question.answer":
                return question.private(view, self._nearest(view))
            case "question.elsewhere":
                return question.elsewhere(view, notice.detail["why"])
        if face is None:  # asked again meanwhile
            return None
        match notice.surface:
            case "question.table":
                return face.table(view, rung)
            case "question.chart":
                return face.chart(view, rung)
            case "question.exported":
                return question.exported(view, len(face.rows(view)))
            case _:
                return question.file_refused(view, len(face.rows(view)), notice.detail["why"])

    def view(self, found: Question) -> QuestionView:
        """Everything that a surface of a question is drawn from."""
        return QuestionView(
            found,
            questions.words_of(found),
            self.desk.clock(),
            readings.accounts(self.desk),
            self._entity(found),
        )

    def _entity(self, found: Question) -> Entity | None:
        """Whose history it is, or whose permission."""
        if found.state not in _ANSWERED:
            return None
        if found.kind is QuestionKind.WHY:
            return self.desk.store.entities.get(why.load(found.result).entity_id)
        if found.kind is not QuestionKind.HISTORY:
            return None
        answered = past.load(found.result)
        if isinstance(answered, past.AccountPast):
            return None
        return self.desk.store.entities.get(answered.entity_id)

    def files(self, notice: Notice) -> list[File]:
        """The files of an upload. Raises NoChart where a picture cannot be drawn."""
        found = self.desk.store.questions.get(notice.row_id)
        face = FACES.get(found.kind) if found and found.state in _ANSWERED else None
        if found is None or face is None:
            return []
        view = self.view(found)
        if notice.surface == "question.picture":
            stem = f"iam-audit-question-{found.id}"
            return [
                File(f"{stem}{f'-{n}' if n else ''}.png", "IAM Audit chart", png, alt)
                for n, (png, alt) in enumerate(face.picture(view))
            ]
        if face.files:
            return face.files(view)
        stem = f"iam-audit-{found.kind}-{found.id}"
        return files.of_rows(stem, f"IAM Audit question {found.id}", face.rows(view), face.columns)

    def _nearest(self, view: QuestionView) -> list[str]:
        """Names like the one that nobody bears."""
        failure = view.question.failure
        kind = view.asked.get("kind")
        if not kind or failure is None or failure.code != "not_found":
            return []
        names = {n.casefold(): n for n in self.desk.store.entities.names(Kind(kind), None)}
        near = difflib.get_close_matches(view.asked.get("name", "").casefold(), names, n=3, cutoff=0.5)
        return [names[n] for n in near]


_ANSWERED = {SweepState.DONE, SweepState.PARTIAL}


def _unanswered(view: QuestionView) -> Message:
    if view.question.state is SweepState.FAILED:
        return question.failed(view)
    return question.under_way(view)


SURFACES = frozenset(
    f"question.{what}"
    for what in ("card", "answer", "elsewhere", "table", "chart", "exported", "file_refused")
)
