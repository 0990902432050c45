"""Rows to messages and files of digests: gathers what a surface is drawn from, then lets `blocks/` draw it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from advisor import digest_words, digests, readings
from advisor.core.digest import Digest, Waiting
from advisor.core.estate import PostingState, Schedule
from advisor.core.model import Account, Notice
from advisor.core.removal import Ticket, TicketState
from advisor.desk import Desk
from advisor.edges.chart import NoChart, Trend, draw
from handlers.access import NoAnswer, People
from handlers.blocks import answers, digest, digest_answers, digest_thread, trend
from handlers.blocks.digest_said import Stand
from handlers.blocks.digest_view import DigestView
from handlers.blocks.kit import Json, Message
from handlers.blocks.ticket_view import TicketView
from handlers.blocks.words import place_of
from handlers.draw_tickets import DrawTickets
from handlers.files import File

log = logging.getLogger(__name__)

_LINKED = 4
"""Tickets of a card that are linked: each link is a question to Slack."""

_STANDING = 20
"""Tickets of a card of which it is looked up how they stand: more than it has room for."""

_ROWS = 20_000
"""Clean-ups that the file of a digest lists."""


def shown_whole(desk: Desk, ticket: Ticket, shown: Waiting) -> bool:
    """Whether a ticket is what a digest showed: the same plan, as many approvals, still undecided."""
    same = (
        ticket.plan is not None and bool(shown.fingerprint) and ticket.plan.fingerprint == shown.fingerprint
    )
    counted = len(desk.store.tickets.approvals(ticket.id)) == shown.approvals
    return same and counted and ticket.state is TicketState.OPEN and not ticket.advice


@dataclass(frozen=True, slots=True)
class DrawDigests:
    """Draws any notice of a digest."""

    desk: Desk
    people: People
    tickets: DrawTickets

    def message(self, notice: Notice, rung: int) -> Message | None:
        """The message of a notice, or None where there is nothing to say."""
        return SURFACES[notice.surface](self, notice, rung)

    def metadata(self, posting_id: int, card_id: int) -> Json:
        """Slack metadata of a digest's card: ids and a state."""
        posting = self.desk.store.postings.get(posting_id)
        state = posting.state.value if posting else ""
        return {
            "event_type": "iam_audit.digest",
            "event_payload": {"id": posting_id, "state": state, "outbox": card_id},
        }

    def view(self, posting_id: int) -> DigestView | None:
        """Everything that a digest's surfaces are drawn from."""
        store = self.desk.store
        posting = store.postings.get(posting_id)
        schedule = store.schedules.get(posting.schedule_id) if posting else None
        if posting is None or schedule is None:
            return None
        told = store.postings.told(posting)
        parts = store.sweeps.parts(posting.sweep_id) if posting.sweep_id else []
        return DigestView(
            posting=posting,
            schedule=schedule,
            now=self.desk.clock(),
            digest=told,
            accounts=self._accounts(schedule),
            window_days=self.desk.config.iam_audit_window_days,
            done=sum(p.done + p.failed + p.gone for p in parts),
            total=sum(p.total for p in parts),
            read_at=self._read_at(schedule) if posting.state is PostingState.FAILED else None,
            tickets=self._approvable(told) if told else {},
            links=self._links(told) if told else {},
            stands=self._stands(told) if told else {},
        )

    def _accounts(self, schedule: Schedule) -> tuple[Account, ...]:
        known = readings.accounts(self.desk)
        return tuple(
            a for a in known if not schedule.accounts or any(a.matches(w) for w in schedule.accounts)
        )

    def _read_at(self, schedule: Schedule) -> datetime | None:
        times = [t for a in self._accounts(schedule) if (t := self.desk.store.sweeps.last_done(a.id))]
        return max(times) if times else None

    def _approvable(self, told: Digest) -> dict[int, TicketView]:
        found = {}
        for one in told.waiting:
            ticket = self.desk.store.tickets.get(one.ticket_id) if one.fingerprint else None
            view = self.tickets.view(ticket) if ticket and shown_whole(self.desk, ticket, one) else None
            if view and digest.whole(view):
                found[one.ticket_id] = view
        return found

    def _stands(self, told: Digest) -> dict[int, Stand]:
        """How the tickets that waited stand now."""
        store, found = self.desk.store.tickets, {}
        for one in told.waiting[:_STANDING]:
            ticket = store.get(one.ticket_id)
            if ticket:
                found[one.ticket_id] = Stand(ticket.state, len(store.approvals(ticket.id)))
        return found

    def _links(self, told: Digest) -> dict[int, str]:
        found = {}
        for one in told.waiting[:_LINKED]:
            ticket = self.desk.store.tickets.get(one.ticket_id)
            link = self.tickets.link(ticket) if ticket else ""
            if link:
                found[one.ticket_id] = link
        return found

    # -- surfaces ------------------------------------------------------------------------------------------------

    def card(self, notice: Notice, rung: int) -> Message | None:
        """The digest's card."""
        view = self.view(notice.row_id)
        if view is None:
            return None
        return digest.card(view) if rung == 0 else digest.minimal(view)

    def details(self, notice: Notice, _rung: int) -> Message | None:
        """The rest, in the thread."""
        view = self.view(notice.row_id)
        return digest_thread.details(view) if view else None

    def elsewhere(self, notice: Notice, _rung: int) -> Message | None:
        """Why a digest went to whoever set it up."""
        return digest_thread.elsewhere(notice.detail["why"])

    def no_file(self, notice: Notice, _rung: int) -> Message | None:
        """Slack took no file."""
        return digest_thread.no_file(notice.detail["why"])

    def opened(self, notice: Notice, _rung: int) -> Message | None:
        """Tickets that were opened together."""
        store = self.desk.store
        order = store.orders.get(notice.row_id)
        if order is None:
            return None
        rows = [
            (t, e, readings.account(self.desk, e.account))
            for i in json.loads(order.outcome or "[]")
            if (t := store.tickets.get(int(i))) and (e := store.entities.get(t.entity_id))
        ]
        return digest_thread.opened(order.user, rows)

    def said(self, notice: Notice, _rung: int) -> Message | None:
        """A short answer to a press."""
        return digest_answers.answer(notice.detail["word"])

    def answer(self, notice: Notice, _rung: int) -> Message | None:
        """What came of what somebody asked."""
        store = self.desk.store
        order = store.orders.get(notice.row_id)
        if order is None:
            return None
        verb, colon, rest = order.outcome.partition(":")
        schedule = store.schedules.get(int(rest)) if verb in {"made", "edited", "off"} else None
        if schedule and verb == "off":
            return digest_answers.ended(schedule)
        if schedule:
            return digest_answers.made(schedule, self._named(schedule), changed=verb == "edited")
        if verb == "kept":
            return digest_answers.kept(int(rest))
        if verb == "which" and colon:
            found = [
                s
                for s in store.schedules.of_channel("digest", place_of(order.channel, order.user))
                if self._may(s, order.user)
            ]
            return digest_answers.which([(s, self._named(s)) for s in found])
        return digest_answers.answer(order.outcome)

    def _may(self, schedule: Schedule, user: str) -> bool:
        return schedule.user == user or self.people.admin(user)

    def _named(self, schedule: Schedule) -> Sequence[Account]:
        return self._accounts(schedule) if schedule.accounts else ()

    def elsewhere_of_tickets(self, notice: Notice, _rung: int) -> Message | None:
        """Where the card that lists several new tickets goes instead."""
        return answers.elsewhere(notice.detail["why"], "the tickets")

    def listed(self, notice: Notice, _rung: int) -> Message | None:
        """The digests of this channel, and this person's own."""
        try:
            word = self.people.refusal(notice.user)
        except NoAnswer:
            word = "unknown"
        if word:
            return answers.refused(word)
        store = self.desk.store
        found = {s.id: s for s in store.schedules.of_channel("digest", notice.channel)}
        found |= {s.id: s for s in store.schedules.of_user("digest", notice.user)}
        return digest_answers.listed([(s, self._named(s)) for _, s in sorted(found.items())])

    def keep_ends(self, notice: Notice, _rung: int) -> Message | None:
        """A keep ends soon; nothing where it was ended meanwhile."""
        keep = self.desk.store.keeps.get(notice.row_id)
        entity = self.desk.store.entities.get(keep.entity_id) if keep else None
        if keep is None or entity is None or keep.ended_at:
            return None
        account = readings.account(self.desk, entity.account)
        return digest_thread.keep_ends(keep, entity, account, self.desk.clock())

    # -- files ---------------------------------------------------------------------------------------------------

    def files(self, notice: Notice) -> list[File]:
        """Every clean-up of a digest's scope, and the trend as a picture."""
        view = self.view(notice.row_id)
        if view is None or view.digest is None:
            return []
        accounts = [Account(i, alias) for i, alias in view.digest.accounts]
        scope = digest_words.scope_of(view.schedule, accounts)
        found, _ = self.desk.store.digests.next(scope, view.digest.until, _ROWS)
        return [digest_thread.export(view.posting.id, found), *self._picture(view)]

    def _picture(self, view: DigestView) -> list[File]:
        """Granted against used, day by day; none where there is one day only, or the picture cannot be drawn."""
        accounts = [i for i, _ in view.digest.accounts] if view.digest else []
        points = self.desk.store.trends.of_accounts(accounts, view.schedule.tag)
        if len(points) < digests.DAYS:
            return []
        title = f"Granted and used in {view.covered}"
        try:
            drawn = draw(Trend(title, points, trend.note(points)))
        except NoChart as error:
            log.warning("chart.failed posting=%d why=%s", view.posting.id, error)
            return []
        name = f"iam-audit-digest-{view.posting.id}.png"
        return [File(name, "IAM Audit chart", drawn, trend.sentence(title, points))]


SURFACES: dict[str, Callable[[DrawDigests, Notice, int], Message | None]] = {
    "digest.card": DrawDigests.card,
    "digest.details": DrawDigests.details,
    "digest.elsewhere": DrawDigests.elsewhere,
    "digest.file_refused": DrawDigests.no_file,
    "tickets.opened": DrawDigests.opened,
    "tickets.elsewhere": DrawDigests.elsewhere_of_tickets,
    "digest.said": DrawDigests.said,
    "digest.answer": DrawDigests.answer,
    "digest.list": DrawDigests.listed,
    "keep.ends": DrawDigests.keep_ends,
}
