"""Listeners of tickets: forms that open at once and are filled by a worker, and verbs that a worker decides.

A verb is committed before it is acknowledged; who may is asked of Slack afterwards, at the moment of the press.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from slack_bolt import Ack
from slack_sdk import WebClient

from advisor import decisions, tickets
from advisor.core.lifecycle import Person
from advisor.core.removal import Press, Ticket, TicketState, Verb
from handlers.access import NoAnswer
from handlers.actions import Body, Listeners, row_of
from handlers.blocks import answers, ticket_form, ticket_new, ticket_private
from handlers.blocks.kit import Json, Message
from handlers.intake import FRONT
from handlers.opening import open_form

VERBS = {
    "ticket.approve": Verb.APPROVE,
    "ticket.cancel": Verb.CANCEL,
    "ticket.retry": Verb.RETRY,
    "ticket.finish": Verb.FINISH,
    "ticket.evidence": Verb.EVIDENCE,
}
"""Buttons that act; Slack's own dialog has asked before."""

FORMS = {
    "ticket.reject": Verb.REJECT,
    "ticket.keep": Verb.KEEP,
    "ticket.rollback": Verb.ROLLBACK,
    "ticket.notneeded": Verb.NOT_NEEDED,
}
"""Buttons that open a form; the view's callback id is the same."""

_MOST_KEEP = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class TicketListeners:
    """One method a thing that a person can do with a ticket. `on` has what all listeners share."""

    on: Listeners

    # -- a new ticket --------------------------------------------------------------------------------------------

    def on_open(self, ack: Ack, body: Body, client: WebClient) -> None:
        """Open a ticket…, on an audit card: the value is the request's row."""
        request = self.on.request_of(["", _value(body)])
        if request is None or request.report_id is None:
            self.on.press(body, lambda: self.on.say(body, "no_result" if request else "old_card"))
            ack()
            return
        self.open_form(client, body, request.id, request.report_id)
        ack()

    def on_replan(self, ack: Ack, body: Body, client: WebClient) -> None:
        """Plan again…, on a ticket that ended: the same form, from the newest report of the entity."""
        found = self._ticket(_value(body))
        report = None
        if found is not None:
            asked = self.on.desk.store.requests.get(found.request_id)
            deep = asked.asked.granularity if asked else None
            report = self.on.desk.store.reports.newest(found.entity_id, deep)
        if found is None or report is None:
            self.on.press(body, lambda: self.on.say(body, "no_result" if found else "old_card"))
            ack()
            return
        self.open_form(client, body, found.request_id, report.id)
        ack()

    def open_form(self, client: WebClient, body: Body, request_id: int, report_id: int) -> None:
        """Open the form of a new ticket from a stored report; a worker fills it."""
        user = str(body["user"]["id"])
        row = f"{request_id}:{report_id}"

        def filled() -> Json:
            word = self.on.people.refusal(user)
            if word:
                return ticket_form.turned_away("ticket.new", row, answers.refused(word))
            made = self.on.drawing.tickets.new_form(request_id, report_id, user)
            if made is not None:
                return made
            thinned = Message("", answers.said("thinned").blocks)
            return ticket_form.turned_away("ticket.new", row, thinned)

        open_form(self.on.desk, client, body, "ticket.new", row, filled)

    def on_new(self, ack: Ack, body: Body) -> None:
        """The form of a new ticket was sent: a draft is committed, a worker plans it."""
        view = body["view"]
        keys, reason, errors = ticket_new.chosen(view["state"]["values"])
        request_id, _, report_id = str(view["private_metadata"]).partition(":")
        request = self.on.request_of(["", request_id])
        if not errors and request is None:
            errors = {"reason": "This card is older than what is kept. Audit again, then open a ticket."}
        if errors or request is None:
            ack(response_action="errors", errors=errors)
            return
        report = row_of(report_id) or request.report_id or 0
        store, user = self.on.desk.store, str(body["user"]["id"])

        def effect() -> Json:
            ticket = tickets.draft(
                self.on.desk,
                request_id=request.id,
                report_id=report,
                user=user,
                channel=store.outbox.place(request.card_id) or request.channel,
                reason=reason,
                keys=keys,
            )
            return {"ticket": ticket}

        self.on.once(f"view:{view['id']}:{view.get('hash', '')}", effect)
        ack()

    # -- verbs ---------------------------------------------------------------------------------------------------

    def on_verb(self, ack: Ack, body: Body) -> None:
        """Approve, Cancel, Retry."""
        verb = VERBS[str(body["actions"][0]["action_id"])]
        found = self._ticket(_value(body))
        self.on.press(body, lambda: self._pressed(body, found, verb))
        ack()

    def _pressed(self, body: Body, found: Ticket | None, verb: Verb, services: tuple[str, ...] = ()) -> None:
        if found is None:
            self.on.say(body, "old_card")
            return
        channel = str((body.get("channel") or {}).get("id") or body["user"]["id"])
        self.on.desk.store.presses.add(
            found.id, verb, str(body["user"]["id"]), channel, self.on.desk.clock(), services=services
        )

    def on_give_back(self, ack: Ack, body: Body) -> None:
        """Give back, under what was denied: the value is the ticket's row and that of a hit."""
        number, _, row = _value(body).partition(":")
        found = self._ticket(number)
        hit = self.on.desk.store.watches.hit(row_of(row) or 0)
        known = found if hit and found and hit.ticket == found.id else None
        services = hit.things if hit else ()
        self.on.press(body, lambda: self._pressed(body, known, Verb.GIVE_BACK, services))
        ack()

    def on_form(self, ack: Ack, body: Body, client: WebClient) -> None:
        """Reject…, Keep, because…, Roll back…: a form, or in it the reason why not."""
        callback = str(body["actions"][0]["action_id"])
        found = self._ticket(_value(body))
        if found is None:
            self.on.press(body, lambda: self.on.say(body, "old_card"))
            ack()
            return
        user = str(body["user"]["id"])
        open_form(
            self.on.desk,
            client,
            body,
            callback,
            str(found.id),
            lambda: self._filled(callback, found.id, user),
        )
        ack()

    def _filled(self, callback: str, ticket_id: int, user: str) -> Json:
        verb, people = FORMS[callback], self.on.people
        found = self.on.desk.store.tickets.get(ticket_id)
        assert found is not None  # tickets are never deleted
        people.forget(user)
        word = people.refusal(user)
        if word in {"", "auditor"}:
            person = Person(approver=people.approver(user), admin=people.admin(user))
            word = decisions.allowed(self.on.desk, verb, found, user, person)
        if word:
            return ticket_form.turned_away(callback, str(found.id), self._refused(found, verb, user, word))
        made = self.on.drawing.tickets.form(callback, found)
        if made is None:
            return ticket_form.turned_away(callback, str(found.id), answers.said("old_card"))
        return made

    def _refused(self, found: Ticket, verb: Verb, user: str, word: str) -> Message:
        store, now = self.on.desk.store, self.on.desk.clock()
        store.log.add(user, f"ticket.{verb}.refused", f"ticket {found.id}", now, why=word)
        view = self.on.drawing.tickets.view(found)
        if view is None:
            return answers.said("old_card")
        return ticket_private.answer(view, Press(0, found.id, verb, user, "", now, outcome=word))

    def on_form_sent(self, ack: Ack, body: Body) -> None:
        """Reject, Keep or Roll back was sent."""
        view = body["view"]
        verb = FORMS[str(view["callback_id"])]
        found = self._ticket(str(view["private_metadata"]))
        values: Json = view["state"]["values"]
        if found is None:
            ack(response_action="errors", errors={"reason": "This ticket is not known here."})
            return
        services, words, until, errors = self._read(verb, found, values)
        if errors:
            ack(response_action="errors", errors=errors)
            return
        user = str(body["user"]["id"])
        store = self.on.desk.store

        def effect() -> Json:
            press = store.presses.add(
                found.id,
                verb,
                user,
                store.outbox.place(found.card_id) or user,
                self.on.desk.clock(),
                words=words,
                services=services,
                until=until,
            )
            return {"press": press}

        self.on.once(f"view:{view['id']}:{view.get('hash', '')}", effect)
        ack()

    def _read(
        self, verb: Verb, found: Ticket, values: Json
    ) -> tuple[tuple[str, ...], str, datetime | None, dict[str, str]]:
        """Services, reason and day of a sent form, or what is wrong with it by block."""
        if verb is Verb.ROLLBACK:
            view = self.on.drawing.tickets.view(found)
            if view is None:
                return (), "", None, {"reason": "This ticket has no plan."}
            services, words, errors = ticket_form.given_back(view, values)
            return services, words, None, errors
        field: Json = next(iter((values.get("reason") or {}).values()), {})
        words = str(field.get("value") or "").strip()
        if not words:
            return (), "", None, {"reason": "Say why, in a few words."}
        if verb in {Verb.REJECT, Verb.NOT_NEEDED}:
            return (), words, None, {}
        picked = (values.get("services") or {}).get("ticket.keep.services", {}).get("selected_options") or []
        services = tuple(str(o["value"])[2:] for o in picked if str(o["value"]).startswith("s:"))
        day = str((values.get("until") or {}).get("ticket.keep.until", {}).get("selected_date") or "")
        until = _day(day)
        now = self.on.desk.clock()
        if until is None or not now < until <= now + _MOST_KEEP:
            return services, words, None, {"until": "A day from tomorrow to one year from now."}
        return services, words, until, {}

    def on_keep_options(self, ack: Ack, body: Body) -> None:
        """The services of the ticket's report."""
        found = self._ticket(str((body.get("view") or {}).get("private_metadata") or ""))
        report = self.on.desk.store.reports.get(found.report_id) if found else None
        services = [s.namespace for s in report.services] if report else []
        if found and not services and found.plan:
            services = list(found.plan.services)
        ack(**ticket_form.service_options(services, str(body.get("value") or "").strip()))

    # -- the diff ------------------------------------------------------------------------------------------------

    def on_diff(self, ack: Ack, body: Body) -> None:
        """Show the diff: once in the thread, with the files; afterwards where it stands."""
        found = self._ticket(_value(body))
        if found is None or found.plan is None:
            self.on.press(body, lambda: self.on.say(body, "old_card"))
            ack()
            return
        user = str(body["user"]["id"])
        channel = str((body.get("channel") or {}).get("id") or user)
        self.on.desk.lanes.submit(
            FRONT,
            ("diff", str(body.get("trigger_id"))),
            lambda: self._show_diff(found, user, channel),
            self.on.desk.store.work,
        )
        ack()

    def _show_diff(self, found: Ticket, user: str, channel: str) -> None:
        try:
            word = self.on.people.refusal(user)
            if word == "auditor" and self.on.people.approver(user):
                word = ""
        except NoAnswer:
            word = "unknown"
        if word:
            self.on.privately("refused", channel, user, found.id, why=word)
        elif not tickets.show_diff(self.on.desk, found):
            self.on.privately("ticket.diff_is_there", channel, user, found.id)

    def _ticket(self, text: str) -> Ticket | None:
        row = row_of(text)
        found = None if row is None else self.on.desk.store.tickets.get(row)
        return None if found is None or found.state in {TicketState.DRAFT, TicketState.VOID} else found


def _value(body: Body) -> str:
    return str(body["actions"][0].get("value") or "")


def _day(text: str) -> datetime | None:
    """The end of a day, in UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(hour=23, minute=59, tzinfo=UTC)
    except ValueError:
        return None
