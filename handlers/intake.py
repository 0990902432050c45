"""What follows an acknowledgement: who may, then the story. Runs on lanes, never in a listener."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from advisor import (
    audits,
    changes,
    decisions,
    digests,
    followups,
    holds,
    jobs,
    questions,
    replays,
    tickets,
)
from advisor.core.errors import AwsError
from advisor.core.estate import Question, SweepState
from advisor.core.lifecycle import Person, refusal
from advisor.core.model import Account, Failure, Followup, Request
from advisor.core.removal import Press, Ticket, TicketState, Verb
from advisor.desk import Desk
from handlers import sweep_intake, watch_work
from handlers.access import NoAnswer, People
from handlers.digest_work import DigestWork
from handlers.reminder_work import ReminderWork

log = logging.getLogger(__name__)

FRONT = audits.FRONT

LISTED_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Intake:
    """Admits requests and pressed buttons, and hands out every due piece of work."""

    desk: Desk
    people: People

    def beat(self) -> float | None:
        """Claim what is due and hand it to lanes; calls neither AWS nor Slack itself.

        Says in how many seconds the next report is to be looked at.
        """
        desk = self.desk
        now = desk.clock()
        for request in desk.store.requests.due(now):
            self._submit(audits.lane(desk, request), ("request", request.id), partial(self.admit, request))
        for followup in desk.store.followups.due(now):
            lane = followups.lane(desk, followup)
            self._submit(lane, ("followup", followup.id), partial(self.follow, followup))
        jobs.tick(desk)
        self._tickets()
        sweep_intake.beat(desk, self.people)
        for question in desk.store.questions.due(now):
            self._submit(questions.LANE, ("question", question.id), partial(self.answer, question))
        tables = (desk.store.jobs, desk.store.tickets, desk.store.questions, desk.store.sweeps)
        times = [table.next_at(now) for table in tables]
        soon = [t for t in times if t]
        soon += DigestWork(desk, self.people).beat()
        soon += ReminderWork(desk, self.people).beat()
        soon += watch_work.beat(desk)
        return max(0.05, (min(soon) - desk.clock()).total_seconds()) if soon else None

    def _tickets(self) -> None:
        """Pressed verbs, tickets to plan, to check and to write, and those whose time is over."""
        desk = self.desk
        for press in desk.store.presses.due(desk.clock()):
            self._submit(FRONT, ("press", press.id), partial(self.decide, press))
        tickets.expire(desk)
        tickets.notice_done_by_hand(desk)
        for ticket in desk.store.tickets.due(desk.clock()):
            entity = desk.store.entities.get(ticket.entity_id)
            account = entity.account if entity else ""
            if ticket.state is TicketState.DRAFT:
                # Reading event history may take minutes: audits of the account do not wait behind it.
                self._submit(f"plan {account}", ("plan", ticket.id), partial(self.plan, ticket))
            else:
                # A lane of its own: a change never waits behind a hundred audits of its account.
                lane = f"change {account}"
                self._submit(lane, ("ticket", ticket.id), partial(changes.advance, desk, ticket.id))

    def plan(self, ticket: Ticket) -> None:
        """Whether this person may open a ticket, then the plan."""
        try:
            self.people.forget(ticket.requesters[0])
            word = self.people.refusal(ticket.requesters[0])
            if word == "auditor" and self.desk.store.tickets.replaces(ticket.id):
                word = ""  # what is left beside a keep: whoever may keep need not be somebody who audits
        except NoAnswer:
            if ticket.tries + 1 < jobs.TRIES:
                pause = jobs.patience(f"ticket {ticket.id}", ticket.tries)
                self.desk.store.tickets.later(ticket.id, self.desk.clock() + pause)
                return
            word = "unknown"
        if word:
            self._log(ticket.requesters[0], "ticket.open.refused", f"ticket {ticket.id}", why=word)
            tickets.void(self.desk, ticket, Failure("forbidden", message=word))
            return
        tickets.plan(self.desk, ticket.id, self._owner(ticket.entity_id))

    def decide(self, press: Press) -> None:
        """Who this person is now, asked afresh; then what was pressed. Without an answer of Slack nobody may."""
        store = self.desk.store
        fresh, ticket = store.presses.get(press.id), store.tickets.get(press.ticket_id)
        if fresh is None or ticket is None or fresh.state != "queued":
            return
        try:
            self.people.forget(press.user)
            word = self.people.refusal(press.user)
            person = Person(
                approver=self.people.approver(press.user),
                admin=self.people.admin(press.user),
                auditor=not word,
                lapsed=self._lapsed(ticket) if press.verb is Verb.APPROVE else frozenset(),
            )
        except NoAnswer:
            if fresh.tries + 1 < jobs.TRIES:
                pause = jobs.patience(f"press {press.id}", fresh.tries)
                store.presses.again(press.id, self.desk.clock() + pause)
                return
            word, person = "unknown", Person()
        if word not in {"", "auditor"}:  # who decides need not be somebody who audits
            decisions.refuse(self.desk, fresh, ticket, word)
            return
        decisions.act(self.desk, press.id, person)

    def _lapsed(self, ticket: Ticket) -> frozenset[str]:
        """Who approved a ticket and, by the settings and groups of now, could not any more."""
        gone = set()
        for one in self.desk.store.tickets.approvals(ticket.id):
            self.people.forget(one.user)
            person = Person(requester=one.user in ticket.requesters, approver=self.people.approver(one.user))
            word = refusal(Verb.APPROVE, person, self_approval=self.desk.config.iam_audit_self_approval)
            if word or self.people.refusal(one.user) not in {"", "auditor"}:
                gone.add(one.user)
        return frozenset(gone)

    def _submit(self, lane: str, task: tuple[str, int], work: Callable[[], None]) -> None:
        self.desk.lanes.submit(lane, task, work, self.desk.store.work)

    def admit(self, request: Request) -> None:
        """Whether this person may, then what they asked for."""
        fresh = self.desk.store.requests.get(request.id)
        if fresh is None or fresh.state != "queued" or fresh.job_id is not None:
            return
        try:
            refusal = self.people.refusal(fresh.user)
        except NoAnswer as error:
            self._slack_is_silent(fresh, error)
            return
        if refusal:
            self._log(fresh.user, "audit.refused", f"request {fresh.id}", why=refusal)
            audits.end(self.desk, fresh, Failure("forbidden", message=refusal))
            return
        if fresh.tries == 0 and fresh.report_id is None:
            self._log(fresh.user, "audit", f"request {fresh.id}", name=fresh.asked.name)
        audits.resolve(self.desk, fresh)

    def _slack_is_silent(self, request: Request, error: NoAnswer) -> None:
        log.warning("access.unknown request=%d why=%s", request.id, error)
        if request.tries + 1 >= jobs.TRIES:
            audits.end(self.desk, request, Failure("forbidden", message="unknown"))
            return
        until = self.desk.clock() + jobs.patience(f"request {request.id}", request.tries)
        self.desk.store.requests.wait(request.id, until)

    def follow(self, followup: Followup) -> None:
        """Whether this person may press, then the answer."""
        store, now = self.desk.store, self.desk.clock()
        try:
            refusal = self.people.refusal(followup.user)
        except NoAnswer:
            if followup.tries + 1 < jobs.TRIES:
                store.followups.again(
                    followup.id, now + jobs.patience(f"followup {followup.id}", followup.tries)
                )
                return
            refusal = "unknown"
        if not refusal:
            followups.run(self.desk, followup.id)
            return
        self._log(followup.user, f"{followup.kind}.refused", f"request {followup.request_id}", why=refusal)
        request = store.requests.get(followup.request_id)
        with store.transaction():
            if store.followups.fail(followup.id, Failure("forbidden", message=refusal)) and request:
                store.outbox.add(
                    "ephemeral",
                    "refused",
                    followup.id,
                    channel=store.outbox.place(request.card_id) or request.channel,
                    user=followup.user,
                    now=now,
                    detail={"why": refusal},
                )

    def answer(self, question: Question) -> None:
        """Whether this person may ask, or press, then the answer. A question under way has been admitted."""
        fresh = self.desk.store.questions.get(question.id)
        if fresh is None or fresh.state.ended:
            return
        word = ""
        if fresh.state is SweepState.QUEUED:
            try:
                word = self.people.refusal(fresh.user)
            except NoAnswer:
                if fresh.tries + 1 < jobs.TRIES:
                    questions.later(self.desk, fresh)
                    return
                word = "unknown"
            verb = f"{fresh.kind}.refused" if word else fresh.kind.value
            self._log(fresh.user, verb, f"question {fresh.id}", why=word)
        if word:
            questions.refuse(self.desk, fresh, word)
            return
        questions.run(self.desk, fresh.id)

    def _owner(self, entity_id: int) -> str:
        """The owner of an entity, by its tag when it was read last."""
        snapshot = self.desk.store.entities.newest_snapshot(entity_id)
        return self.people.owner(snapshot.tag(self.desk.config.iam_audit_owner_tag)) if snapshot else ""

    def accounts(self, answer_id: int, user: str, channel: str) -> None:
        """Ask every account whether it can be read, and answer privately."""
        store, now = self.desk.store, self.desk.clock()
        try:
            refusal = self.people.refusal(user)
        except NoAnswer:
            refusal = "unknown"
        surface, detail = "refused", {"why": refusal}
        if not refusal:
            surface, detail = "accounts", {"rows": json.dumps(self._probed(), ensure_ascii=False)}
        store.outbox.add("ephemeral", surface, answer_id, channel=channel, user=user, now=now, detail=detail)

    def _probed(self) -> list[tuple[str, str, bool, str, str]]:
        try:
            accounts = self.desk.aws.accounts()
        except AwsError as error:
            return [("–", "", False, f"no: {error.call}: {error.message[:80]}", "never")]
        asked = {self.desk.lanes.call(a.id, partial(self._probe, a)): a for a in accounts}
        wait(asked, timeout=5.0)
        listings = self.desk.store.entities.listings()
        rows = []
        for future, account in asked.items():
            state = future.result() if future.done() else "no: no answer in 5 seconds"
            at, failure = listings.get(account.id, (None, "never"))
            listed = f"{at:%Y-%m-%d %H:%M}" if at and not failure else "never"
            rows.append((account.id, account.alias, account.own, state, listed))
        return rows

    def _probe(self, account: Account) -> str:
        try:
            self.desk.aws.probe(self.desk.aws.session(account.id))
        except AwsError as error:
            what = {"refused": "access denied"}.get(error.code, error.code)
            return f"no: {what}, {error.call}" + (f" on {error.role}" if error.role else "")
        return "yes"

    def _log(self, actor: str, verb: str, subject: str, **detail: str) -> None:
        self.desk.store.log.add(actor, verb, subject, self.desk.clock(), **detail)


_THINNED = 200
"""Times that some hundred old reports are thinned in an hour: more than the largest sweep makes in one."""


def housekeeping(desk: Desk) -> None:
    """Once an hour: thin old reports, forget old deliveries, list the accounts anew."""
    now = desk.clock()
    before, thinned = now - timedelta(days=desk.config.iam_audit_retention_days), 0
    for _ in range(_THINNED):
        some = desk.store.reports.thin(before)
        thinned += some
        if not some:
            break
    desk.store.deliveries.forget(now - timedelta(days=7))
    desk.store.trail.forget(now - replays.HISTORY)
    desk.store.watches.forget(now - replays.HISTORY)
    audits.refresh_listings(desk, LISTED_FOR)
    digests.remind(desk)
    holds.count_days(desk)
    if thinned:
        log.info("reports.thinned count=%d", thinned)
