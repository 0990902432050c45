"""Rows to messages, forms and files of tickets: gathers what a surface is drawn from, then lets `blocks/` draw it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from advisor import decisions, evidence, readings, tickets
from advisor.core.model import Notice
from advisor.core.removal import Ticket, TicketState
from advisor.desk import Desk
from handlers import bundle, exports
from handlers.access import NoAnswer, People
from handlers.blocks import (
    answers,
    diff,
    kit,
    ticket,
    ticket_answers,
    ticket_form,
    ticket_new,
    ticket_private,
    ticket_proof,
    ticket_replay,
    ticket_watch,
)
from handlers.blocks.kit import Json, Message
from handlers.blocks.ticket_view import TicketView
from handlers.files import File

_LINKED = 10
"""Tickets of a list whose cards are linked: each link is a question to Slack."""


@dataclass(frozen=True, slots=True)
class DrawTickets:
    """Draws any notice of a ticket, and its forms."""

    desk: Desk
    people: People

    def view(self, found: Ticket | None) -> TicketView | None:
        """Everything that a surface of a ticket is drawn from; None while there is no plan."""
        store, config = self.desk.store, self.desk.config
        entity = store.entities.get(found.entity_id) if found else None
        report = store.reports.head(found.report_id) if found else None
        if found is None or found.plan is None or entity is None or report is None:
            return None
        tags = dict(found.plan.basis.tags)
        code = next((k for k in config.iam_audit_iac_tags if k in tags), "")
        return TicketView(
            ticket=found,
            plan=found.plan,
            entity=entity,
            account=readings.account(self.desk, entity.account),
            now=self.desk.clock(),
            report_at=report.created_at,
            approvals=store.tickets.approvals(found.id),
            entries=store.steps.of(found.id),
            needed=config.iam_audit_approvals,
            approvers=config.iam_audit_approvers,
            owner_tag=tags.get(config.iam_audit_owner_tag, ""),
            owner_key=config.iam_audit_owner_tag,
            managed_by=code,
            proof=store.proofs.of(found.id),
            replay=store.trail.of_ticket(found.id),
            watch=store.watches.get(found.id),
            hits=store.watches.hits(found.id),
        )

    def of_row(self, row_id: int) -> TicketView | None:
        """The view of a ticket's row."""
        return self.view(self.desk.store.tickets.get(row_id))

    def message(self, notice: Notice, rung: int) -> Message | None:
        """The message of a notice, or None where there is nothing to say."""
        return SURFACES[notice.surface](self, notice, rung)

    # -- surfaces ------------------------------------------------------------------------------------------------

    def card(self, notice: Notice, rung: int) -> Message | None:
        """The ticket's card."""
        view = self.of_row(notice.row_id)
        if view is None:
            return None
        return ticket.card(view) if rung == 0 else ticket.minimal(view)

    def said(self, notice: Notice, _rung: int) -> Message | None:
        """A decision, in the thread."""
        press = self.desk.store.presses.get(notice.row_id)
        view = self.of_row(press.ticket_id) if press else None
        return ticket_answers.said(view, press) if view and press else None

    def event(self, notice: Notice, _rung: int) -> Message | None:
        """What happened to it, in the thread."""
        view = self.of_row(notice.row_id)
        return ticket_answers.event(view, notice.detail["what"]) if view else None

    def owner(self, notice: Notice, _rung: int) -> Message | None:
        """What is planned about, or was done to, somebody's entity."""
        view = self.of_row(notice.row_id)
        return ticket_answers.owner(view, notice.detail["what"]) if view else None

    def answer(self, notice: Notice, _rung: int) -> Message | None:
        """Why a press had no effect."""
        press = self.desk.store.presses.get(notice.row_id)
        view = self.of_row(press.ticket_id) if press else None
        return ticket_private.answer(view, press) if view and press else None

    def void(self, notice: Notice, _rung: int) -> Message | None:
        """Why a form became no ticket."""
        found = self.desk.store.tickets.get(notice.row_id)
        entity = self.desk.store.entities.get(found.entity_id) if found else None
        if found is None or entity is None or found.failure is None:
            return None
        if found.failure.code == "forbidden":
            return answers.refused(found.failure.message)
        return ticket_private.void(entity.name, readings.account(self.desk, entity.account), found.failure)

    def diff(self, notice: Notice, _rung: int) -> Message | None:
        """What it writes, statement by statement."""
        view = self.of_row(notice.row_id)
        return diff.diff(view) if view else None

    def replay(self, notice: Notice, _rung: int) -> Message | None:
        """What CloudTrail's event history says of the plan."""
        view = self.of_row(notice.row_id)
        again = notice.surface == "ticket.replayed"
        return ticket_replay.thread(view, again=again) if view else None

    def elsewhere(self, notice: Notice, _rung: int) -> Message | None:
        """Where the card went instead."""
        view = self.of_row(notice.row_id)
        return answers.elsewhere(notice.detail["why"], view.name) if view else None

    def no_file(self, notice: Notice, _rung: int) -> Message | None:
        """Slack took no file."""
        why = kit.clip(notice.detail["why"], 200)
        text = f"The files of ticket {notice.row_id} are not here: {why}. Press the button again for another try."
        return Message(text, [kit.rich(kit.section(kit.emoji("warning"), kit.text(f" {text}")))])

    def listed(self, notice: Notice, _rung: int) -> Message | None:
        """Tickets that are not finished, or those of a person or an entity."""
        store, user, which = self.desk.store, notice.user, notice.detail["which"]
        refused = self._refused(user)
        if refused:
            return refused
        mine = user if which == "mine" else ""
        entity_id = int(notice.detail.get("entity") or 0)
        rows = [v for t in store.tickets.listed(user=mine, entity_id=entity_id) if (v := self.view(t))]
        if which == "waiting":
            try:
                may = self.people.approver(user)
            except NoAnswer:
                return answers.refused("unknown")
            rows = [v for v in rows if may and self._waits_on(v, user)]
        titles = {
            "open": "not finished",
            "mine": "yours",
            "waiting": "waiting for you",
            "entity": "of this entity",
        }
        told = ticket_answers.tickets(rows, titles[which])
        links = [f"<{link}|ticket {v.ticket.id}>" for v in rows[:_LINKED] if (link := self.link(v.ticket))]
        more = [kit.context(kit.fixed(f"Cards: {' · '.join(links)}"))] if links else []
        return Message(told.text, [*told.blocks, *more])

    def _waits_on(self, view: TicketView, user: str) -> bool:
        own = user in view.ticket.requesters and not self.desk.config.iam_audit_self_approval
        done = any(a.user == user for a in view.approvals)
        if view.ticket.state is TicketState.OPEN:
            return not own and not done and not view.ticket.advice
        return view.ticket.state is TicketState.NEEDS_HUMAN or view.ticket.asks

    def one(self, notice: Notice, _rung: int) -> Message | None:
        """One ticket, privately: what its card says, without the buttons that decide."""
        refused = self._refused(notice.user)
        if refused:
            return refused
        view = self.of_row(notice.row_id)
        if view is None:
            return ticket_private.no_such("ticket", notice.row_id)
        card = ticket.card(view)
        blocks = [b for b in card.payload()["blocks"] if b["type"] != "actions"]
        link = self.link(view.ticket)
        line = f"<{link}|Open its card> to decide. Only you see this." if link else "Only you see this."
        return Message(card.text, [*blocks, kit.context(kit.fixed(line))])

    def link(self, found: Ticket) -> str:
        """Where a ticket's card stands; empty where it is not posted, or Slack does not say."""
        card = self.desk.store.outbox.get(found.card_id) if found.card_id else None
        if card is None or not card.ts:
            return ""
        return self.people.permalink(card.sent_to, card.ts)

    def diff_is_there(self, notice: Notice, _rung: int) -> Message | None:
        """The diff was posted before: where it stands."""
        found = self.desk.store.tickets.get(notice.row_id)
        link = self.link(found) if found else ""
        line = "The diff is in the ticket’s thread already."
        more = [kit.context(kit.fixed(f"<{link}|Open the card>"))] if link else []
        return Message(line, [kit.rich(kit.section(kit.text(line))), *more])

    def keeps(self, notice: Notice, _rung: int) -> Message | None:
        """Every keep that stands."""
        refused = self._refused(notice.user)
        if refused:
            return refused
        store = self.desk.store
        rows = [
            (k, e, readings.account(self.desk, e.account))
            for k in store.keeps.standing(self.desk.clock())
            if (e := store.entities.get(k.entity_id))
        ]
        return ticket_answers.keeps(rows)

    def keep_ended(self, notice: Notice, _rung: int) -> Message | None:
        """What came of `keep end N`."""
        word = notice.detail["why"]
        keep = self.desk.store.keeps.get(notice.row_id)
        entity = self.desk.store.entities.get(keep.entity_id) if keep else None
        if word == "no_keep" or keep is None or entity is None:
            return ticket_private.no_such("keep", notice.row_id)
        if word == "not_owner":
            return ticket_private.keep_refused(keep.id)
        if word:
            return answers.refused(word)
        return ticket_private.keep_ended(keep, entity, readings.account(self.desk, entity.account))

    def _refused(self, user: str) -> Message | None:
        try:
            word = self.people.refusal(user)
        except NoAnswer:
            word = "unknown"
        return answers.refused(word) if word else None

    # -- forms and files -----------------------------------------------------------------------------------------

    def new_form(self, request_id: int, report_id: int, user: str) -> Json | None:
        """The form of a new ticket; None where its report is not kept any more."""
        desk, config = self.desk, self.desk.config
        request = desk.store.requests.get(request_id)
        filled = tickets.form(desk, report_id, request.asked.days) if request else None
        if request is None or filled is None:
            return None
        entity = filled.reading.snapshot.entity
        try:
            able = self.people.able(user)
        except NoAnswer:  # whether somebody can approve is only advice here
            able = config.iam_audit_approvals
        row = str(request_id) if report_id == request.report_id else f"{request_id}:{report_id}"
        return ticket_new.new(
            ticket_new.NewTicket(
                row=row,
                entity=entity,
                account=readings.account(self.desk, entity.account),
                offered=filled.offered,
                report=filled.reading.report,
                days=request.asked.days,
                keeps=desk.store.keeps.standing(desk.clock(), entity.id),
                approvers=config.iam_audit_approvers,
                able=able,
                needed=config.iam_audit_approvals,
                expires_days=config.iam_audit_ticket_days,
                advice=not desk.aws.writer.may_write,
                snapshot=filled.reading.snapshot,
                sizes=filled.sizes,
                hold_days=filled.hold_days,
                hold_fits=filled.hold_fits,
                open=filled.open,
                open_approvals=len(desk.store.tickets.approvals(filled.open.id)) if filled.open else 0,
            )
        )

    def form(self, callback: str, found: Ticket) -> Json | None:
        """The form that a button of a ticket opens."""
        view = self.view(found)
        if view is None:
            return None
        if callback == "ticket.reject":
            return ticket_form.reject(found)
        if callback == "ticket.notneeded":
            return ticket_watch.not_needed(view)
        if callback == "ticket.keep":
            return ticket_form.keep(view, (self.desk.clock() + decisions.KEPT_FOR).date())
        newer = decisions.later_change(self.desk, found)
        return ticket_form.blocked(found, newer) if newer else ticket_form.roll_back(view)

    def denied(self, notice: Notice, _rung: int) -> Message | None:
        """What was denied since, with the counts of now; nothing where all of it is settled by now."""
        view = self.of_row(notice.row_id)
        named = {int(n) for n in notice.detail["hits"].split(",")}
        hits = [h for h in view.hits if h.id in named and h.closed_at is None] if view else []
        return ticket_watch.denied(view, hits) if view and hits else None

    def asked_back(self, notice: Notice, _rung: int) -> Message | None:
        """Somebody asks for what was denied: the approvers, or a word to who asked."""
        press = self.desk.store.presses.get(notice.row_id)
        view = self.of_row(press.ticket_id) if press else None
        hit = next((h for h in view.hits if press and h.things == press.services), None) if view else None
        if view is None or press is None or hit is None:
            return None
        if notice.kind == "ephemeral":
            return ticket_watch.asked_for(view, press.services)
        return ticket_watch.asked(view, press.user, press.services, hit)

    def watch_ended(self, notice: Notice, _rung: int) -> Message | None:
        """The watch is over."""
        view = self.of_row(notice.row_id)
        return ticket_watch.ended(view) if view else None

    def proof(self, notice: Notice, _rung: int) -> Message | None:
        """What AWS said of the plan, answer by answer."""
        view = self.of_row(notice.row_id)
        return ticket_proof.thread(view, view.proof) if view and view.proof else None

    def evidenced(self, notice: Notice, _rung: int) -> Message | None:
        """How to check the evidence above."""
        view = self.of_row(notice.row_id)
        return ticket_answers.evidence(view, notice.detail["name"], notice.detail["sha256"]) if view else None

    def evidence(self, notice: Notice) -> list[File]:
        """The evidence that a press asked for, of now."""
        found = self.desk.store.tickets.get(notice.row_id)
        view, of = self.view(found), evidence.gather(self.desk, found, notice.user) if found else None
        return [bundle.bundle(of, view)] if of and view else []

    def files(self, notice: Notice) -> list[File]:
        """The files of a ticket's diff."""
        view = self.of_row(notice.row_id)
        return [*exports.files(view), *ticket_replay.files(view)] if view else []


SURFACES: dict[str, Callable[[DrawTickets, Notice, int], Message | None]] = {
    "ticket.card": DrawTickets.card,
    "ticket.said": DrawTickets.said,
    "ticket.event": DrawTickets.event,
    "ticket.owner": DrawTickets.owner,
    "ticket.answer": DrawTickets.answer,
    "ticket.void": DrawTickets.void,
    "ticket.diff": DrawTickets.diff,
    "ticket.replay": DrawTickets.replay,
    "ticket.replayed": DrawTickets.replay,
    "ticket.diff_is_there": DrawTickets.diff_is_there,
    "ticket.elsewhere": DrawTickets.elsewhere,
    "ticket.file_refused": DrawTickets.no_file,
    "ticket.one": DrawTickets.one,
    "ticket.proof": DrawTickets.proof,
    "ticket.denied": DrawTickets.denied,
    "ticket.asked_back": DrawTickets.asked_back,
    "ticket.watch_ended": DrawTickets.watch_ended,
    "ticket.evidenced": DrawTickets.evidenced,
    "tickets": DrawTickets.listed,
    "keeps": DrawTickets.keeps,
    "keep.ended": DrawTickets.keep_ended,
}
