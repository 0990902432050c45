"""Listeners of digests: buttons, menus and forms. Each writes a row and answers; who may is decided by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from slack_bolt import Ack
from slack_sdk import WebClient

from advisor import readings
from advisor.core.model import Asked, Entity, Usage
from advisor.core.removal import TicketState, Verb
from advisor.decisions import KEPT_FOR
from handlers.actions import Body, Listeners, row_of
from handlers.blocks import answers, digest_answers, digest_form, ticket_form
from handlers.blocks.kit import Json
from handlers.digest_commands import NEW, filled
from handlers.digest_tickets import serve
from handlers.digest_work import DigestWork, words_of
from handlers.draw_digests import shown_whole
from handlers.opening import open_form
from handlers.presses import TicketListeners

KEEP, SEVERAL = "digest.keep", "digest.tickets"
ACTIONS = ("digest.audit", "digest.ticket", SEVERAL, KEEP, "digest.approve", "digest.edit", "digest.off")
VIEWS = (NEW, KEEP, SEVERAL)

_MOST_KEEP = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class DigestListeners:
    """One method a thing that a person can do with a digest. `on` has what all listeners share."""

    on: Listeners

    # -- clean-ups -----------------------------------------------------------------------------------------------

    def on_audit(self, ack: Ack, body: Body) -> None:
        """Show the audit of…: an audit of the picked entity, as if it was typed."""
        entity = self._entity(body)
        if entity is None:
            self.on.press(body, lambda: self._tell(body, "old"))
            ack()
            return
        user, channel = str(body["user"]["id"]), _channel(body)
        asked = Asked(
            entity.kind, entity.name, entity.account, days=self.on.desk.config.iam_audit_window_days
        )

        def effect() -> None:
            self.on.desk.store.requests.add(user, channel, "digest", asked, self.on.desk.clock(), entity.id)

        self.on.press(body, effect)
        ack()

    def on_ticket(self, ack: Ack, body: Body, client: WebClient) -> None:
        """Open a ticket…: the form of a ticket, from the entity's newest report."""
        entity, store = self._entity(body), self.on.desk.store
        report_id = store.digests.newest_report(entity.id) if entity else None
        if entity is None or report_id is None:
            self.on.press(body, lambda: self._tell(body, "old"))
            ack()
            return
        request = serve(self.on.desk, entity, report_id, str(body["user"]["id"]), _channel(body))
        TicketListeners(self.on).open_form(client, body, request, report_id)
        ack()

    def on_several(self, ack: Ack, body: Body, client: WebClient) -> None:
        """Tickets for several…: a box for each clean-up of the digest."""
        block = str(body["actions"][0].get("block_id") or "").split(":")
        posting = self.on.desk.store.postings.get(row_of(block[1]) or 0) if len(block) > 1 else None
        told = self.on.desk.store.postings.told(posting) if posting else None
        if posting is None or told is None:
            self.on.press(body, lambda: self._tell(body, "old"))
            ack()
            return
        user, channel = str(body["user"]["id"]), _channel(body)

        def made() -> Json:
            word = self.on.people.refusal(user)
            if word:
                return ticket_form.turned_away(SEVERAL, channel, answers.refused(word))
            return digest_form.several(channel, told.next)

        open_form(self.on.desk, client, body, SEVERAL, channel, made)
        ack()

    def on_several_sent(self, ack: Ack, body: Body) -> None:
        """Open the tickets."""
        values: Json = body["view"]["state"]["values"]
        picked = (values.get("entities") or {}).get("digest.tickets.entities", {}).get(
            "selected_options"
        ) or []
        entities = [row for o in picked if (row := row_of(str(o.get("value") or ""))) is not None]
        reason = str((values.get("reason") or {}).get("digest.tickets.reason", {}).get("value") or "").strip()
        errors = {} if entities else {"entities": "Choose at least one."}
        errors |= {} if reason else {"reason": "Say why, in a few words."}
        if errors:
            ack(response_action="errors", errors=errors)
            return
        channel = str(body["view"].get("private_metadata") or "") or str(body["user"]["id"])
        self._sent(body, "tickets", channel, 0, {"entities": entities[:10], "reason": reason[:500]})
        ack()

    # -- keep ----------------------------------------------------------------------------------------------------

    def on_keep(self, ack: Ack, body: Body, client: WebClient) -> None:
        """Keep for…: a form, or in it the reason why not."""
        entity = self._entity(body)
        if entity is None:
            self.on.press(body, lambda: self._tell(body, "old"))
            ack()
            return
        user = str(body["user"]["id"])
        open_form(self.on.desk, client, body, KEEP, str(entity.id), lambda: self._keep_form(entity, user))
        ack()

    def _keep_form(self, entity: Entity, user: str) -> Json:
        self.on.people.forget(user)
        word = DigestWork(self.on.desk, self.on.people).may_keep(user, self.on.people.refusal(user), entity)
        if word:
            return ticket_form.turned_away(KEEP, str(entity.id), digest_answers.answer(word))
        desk = self.on.desk
        report_id = desk.store.digests.newest_report(entity.id)
        reading = readings.read(desk, report_id, desk.config.iam_audit_window_days) if report_id else None
        unused = [f.service for f in reading.summary.findings if f.usage is not Usage.USED] if reading else []
        until = (desk.clock() + KEPT_FOR).date()
        return digest_form.keep(entity, readings.account(desk, entity.account), unused, until)

    def on_keep_sent(self, ack: Ack, body: Body) -> None:
        """Keep."""
        view = body["view"]
        values: Json = view["state"]["values"]
        picked = (values.get("services") or {}).get("digest.keep.services", {}).get("selected_options") or []
        services = [str(o["value"])[2:] for o in picked if str(o.get("value") or "").startswith("s:")]
        until = str((values.get("until") or {}).get("digest.keep.until", {}).get("selected_date") or "")
        reason = str((values.get("reason") or {}).get("digest.keep.reason", {}).get("value") or "").strip()
        errors = {} if reason else {"reason": "Say why, in a few words."}
        today = self.on.desk.clock().date().isoformat()
        last = (self.on.desk.clock() + _MOST_KEEP).date().isoformat()
        if not today < until <= last:
            errors["until"] = "A day from tomorrow to one year from now."
        row = row_of(str(view.get("private_metadata") or ""))
        if row is None:
            errors["reason"] = "This entity is not known here."
        if errors or row is None:
            ack(response_action="errors", errors=errors)
            return
        words = {"services": services, "until": until, "reason": reason[:500]}
        self._sent(body, "keep", str(body["user"]["id"]), row, words)
        ack()

    # -- approve -------------------------------------------------------------------------------------------------

    def on_approve(self, ack: Ack, body: Body) -> None:
        """Approve: the very plan and the very count that the digest showed, or nothing; then as on the ticket's card."""
        self.on.press(body, lambda: self._approve(body))
        ack()

    def _approve(self, body: Body) -> None:
        store, action = self.on.desk.store, body["actions"][0]
        block = str(action.get("block_id") or "").split(":")
        ticket = store.tickets.get(row_of(str(action.get("value") or "")) or 0)
        posting = store.postings.get(row_of(block[1]) or 0) if len(block) > 1 else None
        told = store.postings.told(posting) if posting else None
        shown = next((w for w in told.waiting if ticket and w.ticket_id == ticket.id), None) if told else None
        if ticket is None or shown is None or ticket.state in {TicketState.DRAFT, TicketState.VOID}:
            self._tell(body, "old")
        elif ticket.state is TicketState.OPEN and not shown_whole(self.on.desk, ticket, shown):
            self._tell(body, "moved")
        else:
            user = str(body["user"]["id"])
            store.presses.add(ticket.id, Verb.APPROVE, user, _channel(body), self.on.desk.clock())

    # -- the schedule --------------------------------------------------------------------------------------------

    def on_edit(self, ack: Ack, body: Body, client: WebClient) -> None:
        """Change…: the form, filled."""
        schedule = self.on.desk.store.schedules.get(row_of(_value(body)) or 0)
        if schedule is None:
            self.on.press(body, lambda: self._tell(body, "old"))
            ack()
            return
        self.open(client, body, schedule.id)
        ack()

    def open(self, client: WebClient, body: Body, schedule_id: int) -> None:
        """The form of a digest, filled; 0: of a new one."""
        user, schedule = str(body["user"]["id"]), self.on.desk.store.schedules.get(schedule_id)
        row = str(schedule.id) if schedule else ""
        open_form(self.on.desk, client, body, NEW, row, lambda: filled(self.on, user, schedule))

    def on_form(self, ack: Ack, body: Body) -> None:
        """The form of a digest was sent."""
        view, user = body["view"], str(body["user"]["id"])
        made, errors = digest_form.wanted(view["state"]["values"], user, "UTC")
        if errors:
            ack(response_action="errors", errors=errors)
            return
        row = row_of(str(view.get("private_metadata") or "")) or 0
        self._sent(body, "edit" if row else "make", made.channel, row, words_of(made))
        ack()

    def on_off(self, ack: Ack, body: Body) -> None:
        """Turn off; Slack's dialog has asked before."""
        row, user = row_of(_value(body)) or 0, str(body["user"]["id"])

        def effect() -> None:
            if not row:
                self._tell(body, "old")
                return
            self.on.desk.store.orders.add("off", user, _channel(body), row, {}, self.on.desk.clock())

        self.on.press(body, effect)
        ack()

    # -- shared --------------------------------------------------------------------------------------------------

    def _sent(self, body: Body, verb: str, channel: str, row: int, words: Mapping[str, object]) -> None:
        view, user = body["view"], str(body["user"]["id"])

        def effect() -> Json:
            return {
                "order": self.on.desk.store.orders.add(verb, user, channel, row, words, self.on.desk.clock())
            }

        self.on.once(f"view:{view['id']}:{view.get('hash', '')}", effect)

    def _entity(self, body: Body) -> Entity | None:
        row = row_of(_value(body))
        return None if row is None else self.on.desk.store.entities.get(row)

    def _tell(self, body: Body, word: str) -> None:
        self.on.privately("digest.said", _channel(body), str(body["user"]["id"]), word=word)


def _value(body: Body) -> str:
    """A button's value, or that of the picked option."""
    action = body["actions"][0]
    return str((action.get("selected_option") or {}).get("value") or action.get("value") or "")


def _channel(body: Body) -> str:
    return str((body.get("channel") or {}).get("id") or body["user"]["id"])
