"""Rows to messages and files: gathers what a surface is drawn from, then lets `blocks/` draw it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from advisor import readings
from advisor.core.estate import Question, Sweep
from advisor.core.model import (
    TRACKED_DAYS,
    Account,
    EntityUse,
    Failure,
    Followup,
    FollowupKind,
    JobState,
    Notice,
    Report,
    Request,
    RequestState,
    Snapshot,
    Usage,
)
from advisor.core.removal import Ticket
from advisor.core.report import attempts_seen, difference
from advisor.desk import Desk
from advisor.edges.chart import Bar, Chart, draw
from handlers import files
from handlers.access import NoAnswer, People
from handlers.blocks import answers, audit, kit, thread
from handlers.blocks.kit import Json, Message
from handlers.blocks.view import AuditView
from handlers.draw_digests import SURFACES as DIGESTS
from handlers.draw_digests import DrawDigests
from handlers.draw_home import DrawHome
from handlers.draw_questions import SURFACES as QUESTIONS
from handlers.draw_questions import DrawQuestions
from handlers.draw_reminders import SURFACE as REMINDER
from handlers.draw_reminders import DrawReminders
from handlers.draw_sweeps import SURFACES as SWEEPS
from handlers.draw_sweeps import DrawSweeps
from handlers.draw_tickets import SURFACES as TICKETS
from handlers.draw_tickets import DrawTickets
from handlers.files import File

log = logging.getLogger(__name__)

RUNGS = {
    "audit.card": 1,
    "ticket.card": 1,
    "digest.card": 1,
    "sweep.card": 1,
    "audit.services": 2,
    "audit.chart": 1,
    "audit.followup": 2,
    "question.table": 2,
    "question.chart": 1,
}
"""How many plainer forms a surface has besides its richest; below the last one stands its bare text."""

_BARS = 40
"""Services that a picture can hold and still be read."""

_REPORTS = 100
"""Earlier reports whose attempts a picture shows."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Draws any notice of the outbox."""

    desk: Desk
    people: People
    tickets: DrawTickets
    sweeps: DrawSweeps
    homes: DrawHome

    @property
    def digests(self) -> DrawDigests:
        """What draws digests."""
        return DrawDigests(self.desk, self.people, self.tickets)

    def metadata(self, notice: Notice) -> Json | None:
        """Slack metadata of a post: ids, of a card also a state, nothing private. By it a lost one is found again."""
        store = self.desk.store
        found: Request | Ticket | Sweep | Question | None
        match notice.surface:
            case "audit.card":
                found = store.requests.get(notice.row_id)
            case "ticket.card":
                found = store.tickets.get(notice.row_id)
            case "digest.card":
                return self.digests.metadata(notice.row_id, notice.parent_id or notice.id)
            case "sweep.card":
                found = store.sweeps.get(notice.row_id)
            case "question.card":
                found = store.questions.get(notice.row_id)
            case "reminder":
                found = None  # it has no state; it is found again by its outbox id
            case "ticket.denied" if notice.parent_id is None:
                found = None  # the same: a direct message
            case _:
                if notice.kind != "post":
                    return None
                return {"event_type": "iam_audit.post", "event_payload": {"outbox": notice.id}}
        card = notice.parent_id or notice.id
        payload = {"id": notice.row_id, "state": str(found.state) if found else "", "outbox": card}
        return {"event_type": f"iam_audit.{notice.surface.partition('.')[0]}", "event_payload": payload}

    def message(self, notice: Notice, rung: int) -> Message | None:
        """The message of a notice, or None where there is nothing to say (any more)."""
        known = _SURFACES.get(notice.surface)
        if known is not None:
            message = known(self, notice, rung)
        elif notice.surface in TICKETS:
            message = self.tickets.message(notice, rung)
        elif notice.surface in DIGESTS:
            message = self.digests.message(notice, rung)
        elif notice.surface in SWEEPS:
            message = self.sweeps.message(notice, rung)
        elif notice.surface == REMINDER:
            message = DrawReminders(self.desk, self.people, self.homes).message(notice)
        elif notice.surface in QUESTIONS:
            message = DrawQuestions(self.desk).message(notice, rung)
        else:
            return None
        if message and rung > RUNGS.get(notice.surface, 0):
            return Message(message.text, [kit.rich(kit.section(kit.text(message.text)))])
        return message

    # -- views ---------------------------------------------------------------------------------------------------

    def view(self, request: Request, report: Report | None = None) -> AuditView:
        """Everything that a card of this request, or an answer in its thread, is drawn from."""
        store, desk = self.desk.store, self.desk
        entity = store.entities.get(request.entity_id) if request.entity_id else None
        report = report or (store.reports.get(request.report_id) if request.report_id else None)
        job = store.jobs.get(request.job_id) if request.job_id else None
        view = AuditView(
            request=request,
            account=readings.account(self.desk, entity.account) if entity else Account(""),
            now=desk.clock(),
            entity=entity,
            ahead=store.requests.ahead(request.id, entity.account)
            if entity and request.state is RequestState.QUEUED
            else 0,
            gives_up_at=job.deadline_at
            if job
            else request.created_at + timedelta(minutes=desk.config.iam_audit_job_minutes),
            waiting_for_rate=bool(job and job.tries > 1 and desk.clock() - job.created_at > audit.SLOW),
            owner_key=desk.config.iam_audit_owner_tag,
        )
        if request.state is RequestState.FAILED and entity:
            last = store.reports.newest(entity.id, request.asked.granularity)
            return replace(view, last_good_at=last.created_at if last else None)
        return self._with_report(view, report) if report and entity else view

    def _with_report(self, view: AuditView, report: Report) -> AuditView:
        snapshot = readings.snapshot_of(self.desk, report.id)
        assert view.entity is not None  # asked by the only caller
        snapshot = snapshot or Snapshot(view.entity, report.created_at)
        asked = replace(view.request.asked, granularity=report.granularity)
        tag = snapshot.tag(view.owner_key)
        summary = readings.judge(self.desk, report, snapshot, view.days)
        return replace(
            view,
            request=replace(view.request, asked=asked),
            report=report,
            snapshot=snapshot,
            summary=summary,
            risk=readings.weighed(self.desk, summary, snapshot),
            owner_tag=tag,
            owner_id=self.people.owner(tag),
        )

    # -- surfaces ------------------------------------------------------------------------------------------------

    def card(self, notice: Notice, rung: int) -> Message | None:
        """The audit card."""
        request = self.desk.store.requests.get(notice.row_id)
        if request is None:
            return None
        view = self.view(request)
        return audit.card(view) if rung == 0 else audit.minimal(view)

    def services(self, notice: Notice, rung: int) -> Message | None:
        """The full list."""
        request = self.desk.store.requests.get(notice.row_id)
        view = self.view(request) if request else None
        return thread.services(view, rung) if view and view.report else None

    def answer(self, notice: Notice, _rung: int) -> Message | None:
        """Why a request became no audit."""
        request = self.desk.store.requests.get(notice.row_id)
        if request is None or request.failure is None:
            return None
        failure, asked = request.failure, request.asked
        if failure.code == "forbidden":
            return answers.refused(failure.message)
        if failure.code == "ambiguous":
            found = [self.desk.store.entities.get(int(i)) for i in failure.message.split(",")]
            pairs = [(e, readings.account(self.desk, e.account)) for e in found if e]
            return answers.ambiguous(request.id, asked.name, pairs)
        accounts = readings.accounts(self.desk)
        chosen = [a for a in accounts if a.matches(asked.account)] if asked.account else accounts
        return answers.ended(failure, asked.kind, asked.name.rpartition("/")[2], chosen or accounts)

    def elsewhere(self, notice: Notice, _rung: int) -> Message | None:
        """Where the result goes instead."""
        request = self.desk.store.requests.get(notice.row_id)
        return (
            answers.elsewhere(notice.detail["why"], request.asked.name.rpartition("/")[2])
            if request
            else None
        )

    def said(self, notice: Notice, _rung: int) -> Message | None:
        """A short answer to a press."""
        return answers.said(notice.detail["what"])

    def refused(self, notice: Notice, _rung: int) -> Message | None:
        """A refusal of a press."""
        return answers.refused(notice.detail["why"])

    def whoami(self, notice: Notice, _rung: int) -> Message | None:
        """What the person may do."""
        try:
            refusal = self.people.refusal(notice.user)
            approver, admin = self.people.approver(notice.user), self.people.admin(notice.user)
        except NoAnswer:
            return answers.refused("unknown")
        settings = self.desk.config
        groups = [
            g for g in (*settings.iam_audit_auditors, *settings.iam_audit_approvers) if g.startswith("S")
        ]
        return answers.whoami(
            auditor=refusal,
            groups=groups,
            approver=approver,
            admin=admin,
            approvals=settings.iam_audit_approvals,
            own=settings.iam_audit_self_approval,
            writes=self.desk.aws.writer.may_write,
        )

    def accounts(self, notice: Notice, _rung: int) -> Message | None:
        """What was found when the accounts were asked."""
        rows = json.loads(notice.detail["rows"])
        return answers.accounts([(Account(i, alias, own), state, at) for i, alias, own, state, at in rows])

    def followup(self, notice: Notice, rung: int) -> Message | None:
        """The answer to a pressed button."""
        store = self.desk.store
        followup = store.followups.get(notice.row_id)
        request = store.requests.get(followup.request_id) if followup else None
        if followup is None or request is None:
            return None
        report = store.reports.get(followup.report_id) if followup.report_id else None
        if followup.state is JobState.FAILED and followup.failure:
            return thread.failed(self.view(request, report), followup.failure, _PRESSED[followup.kind])
        return self._answered(followup, request, report, rung)

    def _answered(
        self, followup: Followup, request: Request, report: Report | None, rung: int
    ) -> Message | None:
        store = self.desk.store
        result = json.loads(followup.result or "{}")
        if followup.kind in {FollowupKind.BREAKDOWN, FollowupKind.ACTIONS}:
            report = store.reports.get(result["report"] or 0) or report
        view = self.view(request, report)
        if followup.kind is FollowupKind.HISTORY:
            return self._history(view, report)
        if view.report is None:
            return thread.failed(view, Failure("thinned"), _PRESSED[followup.kind])
        if followup.kind is FollowupKind.ACTIONS:
            return thread.actions(view, rung)
        if followup.kind is FollowupKind.BREAKDOWN:
            users = [EntityUse(u["arn"], u["name"], u["kind"], _when(u["last_at"])) for u in result["users"]]
            return thread.breakdown(view, followup.service, users, result["reach"])
        if followup.kind is FollowupKind.POLICIES:
            snapshot = store.entities.snapshot(result["snapshot"])
            grants = {s: [(str(p), str(g)) for p, g in found] for s, found in result["grants"].items()}
            return thread.policies(view, snapshot, grants, result["others"]) if snapshot else None
        return thread.exported(view, len(files.rows(view)))

    def _history(self, view: AuditView, report: Report | None) -> Message | None:
        if view.entity is None:
            return None
        granularity = report.granularity if report else view.request.asked.granularity
        newest = report or self.desk.store.reports.newest(view.entity.id, granularity)
        reports = (
            self.desk.store.reports.history(view.entity.id, granularity, newest.id, 20) if newest else []
        )
        count = self.desk.store.reports.count(view.entity.id, granularity)
        changed = difference(reports[1], reports[0], view.days) if len(reports) > 1 else None
        return thread.history(view, reports, count, changed)

    def chart(self, notice: Notice, rung: int) -> Message | None:
        """The picture's numbers, where Slack takes no picture."""
        view = self._view_of(notice)
        return thread.chart(view, rung) if view and view.report else None

    def file_refused(self, notice: Notice, _rung: int) -> Message | None:
        """Slack took no file."""
        view = self._view_of(notice)
        return thread.file_refused(view, len(files.rows(view)), notice.detail["why"]) if view else None

    def log_export(self, _notice: Notice, _rung: int) -> Message | None:
        """The message above an exported log."""
        count, last, broken = self.desk.store.log.verify()
        return answers.log_export(count, last, broken)

    def log_refused(self, notice: Notice, _rung: int) -> Message | None:
        """Slack took no log file."""
        return answers.log_refused(notice.detail["why"])

    def exported(self, notice: Notice, _rung: int) -> Message | None:
        """The line beside the files."""
        view = self._view_of(notice)
        return thread.exported(view, len(files.rows(view))) if view and view.report else None

    # -- files ---------------------------------------------------------------------------------------------------

    def _view_of(self, notice: Notice) -> AuditView | None:
        """The view of a notice whose row is a request or a follow-up."""
        store = self.desk.store
        if notice.detail.get("of") == "request" or notice.surface == "audit.csv":
            request = store.requests.get(notice.row_id)
            return self.view(request) if request else None
        followup = store.followups.get(notice.row_id)
        request = store.requests.get(followup.request_id) if followup else None
        if followup is None or request is None:
            return None
        report = store.reports.get(followup.report_id) if followup.report_id else None
        return self.view(request, report)

    def files(self, notice: Notice) -> list[File]:
        """The files of an upload. Raises NoChart where a picture cannot be drawn."""
        if notice.surface == "ticket.files":
            return self.tickets.files(notice)
        if notice.surface == "ticket.evidence_file":
            return self.tickets.evidence(notice)
        if notice.surface == "sweep.findings_files":
            return self.sweeps.files(notice)
        if notice.surface.startswith("question."):
            return DrawQuestions(self.desk).files(notice)
        if notice.surface == "digest.files":
            return self.digests.files(notice)
        if notice.surface == "log.files":
            return [File("iam-audit-log.jsonl", "IAM Audit log", self.desk.store.log.lines().encode())]
        view = self._view_of(notice)
        if view is None or view.report is None:
            return []
        if self.is_picture(notice):
            newest = view.report
            reports = self.desk.store.reports.history(
                newest.entity_id, newest.granularity, newest.id, _REPORTS
            )
            earlier = attempts_seen(reports, newest)
            return [
                File(
                    f"iam-audit-{view.request.id}.png",
                    "IAM Audit chart",
                    draw(_chart(view, earlier)),
                    thread.chart_words(view),
                )
            ]
        return files.exports(view)

    def is_picture(self, notice: Notice) -> bool:
        """Whether an upload is a picture."""
        if notice.surface == "question.picture":
            return True
        followup = (
            self.desk.store.followups.get(notice.row_id) if notice.surface == "audit.followup" else None
        )
        return bool(followup and followup.kind is FollowupKind.PICTURE)


def _chart(view: AuditView, earlier: dict[str, tuple[int, ...]]) -> Chart:
    report = view.report
    assert report is not None  # asked by the only caller
    findings = view.summary.findings
    shown = findings[:_BARS]
    left = len(findings) - len(shown)
    more = f" {left} more services are not drawn; they are in the CSV." if left else ""
    kinds = {u: u.value for u in Usage}
    return Chart(
        title=f"{view.name} {view.where}: last attempt of each service",
        note=f"Report of {kit.minute(report.created_at)}. Green: within {view.days} days. Small dots: seen by earlier reports.{more}",
        window_days=view.days,
        tracked_days=TRACKED_DAYS,
        bars=tuple(Bar(f.service, f.days, kinds[f.usage], earlier.get(f.service, ())) for f in shown),
    )


def _when(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


_PRESSED = {
    FollowupKind.BREAKDOWN: "Who used…",
    FollowupKind.ACTIONS: "Action level",
    FollowupKind.POLICIES: "What grants it",
    FollowupKind.HISTORY: "History",
    FollowupKind.PICTURE: "Chart",
    FollowupKind.EXPORT: "Export CSV",
    FollowupKind.REFRESH: "Refresh",
    FollowupKind.RETRY: "Retry",
}

_SURFACES: dict[str, Callable[[Draw, Notice, int], Message | None]] = {
    "audit.card": Draw.card,
    "audit.services": Draw.services,
    "audit.answer": Draw.answer,
    "audit.elsewhere": Draw.elsewhere,
    "audit.followup": Draw.followup,
    "audit.chart": Draw.chart,
    "audit.exported": Draw.exported,
    "audit.file_refused": Draw.file_refused,
    "say": Draw.said,
    "refused": Draw.refused,
    "whoami": Draw.whoami,
    "accounts": Draw.accounts,
    "log.export": Draw.log_export,
    "log.file_refused": Draw.log_refused,
}
