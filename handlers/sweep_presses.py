"""Listeners of sweeps: the command, the buttons of the card, and what its selects offer."""

from __future__ import annotations

from dataclasses import dataclass

from slack_bolt import Ack
from slack_sdk import WebClient

from advisor import readings
from advisor.core.estate import Sweep
from advisor.core.model import Asked, Entity, Granularity
from handlers.actions import Body, Listeners, row_of
from handlers.blocks import forms, sweep_small
from handlers.presses import TicketListeners


@dataclass(frozen=True, slots=True)
class SweepListeners:
    """One method a thing that a person can do with a sweep."""

    on: Listeners
    tickets: TicketListeners

    def on_off(self, ack: Ack, body: Body) -> None:
        """Turn off, where several scheduled sweeps come to a channel."""
        row = row_of(str(body["actions"][0].get("value") or "")) or 0
        user, desk = str(body["user"]["id"]), self.on.desk
        channel = str((body.get("channel") or {}).get("id") or user)

        def effect() -> None:
            desk.store.orders.add("sweep.off", user, channel, row, {}, desk.clock())

        self.on.press(body, effect)
        ack()

    def on_cancel(self, ack: Ack, body: Body) -> None:
        """Stop: whether this person may is found out by a worker."""
        sweep = self._sweep(str(body["actions"][0].get("value") or ""))
        user = str(body["user"]["id"])

        def effect() -> None:
            if sweep is None:
                self.on.say(body, "old_card")
            elif not self.on.desk.store.sweeps.want_stop(sweep.id, user):
                self.on.say(body, "sweep_ended")

        self.on.press(body, effect)
        ack()

    def on_export(self, ack: Ack, body: Body) -> None:
        """Export CSV: the files go to the card's thread; whether this person may is asked before they are drawn."""
        sweep = self._sweep(str(body["actions"][0].get("value") or ""))

        def effect() -> None:
            if sweep is None or sweep.card_id is None:
                self.on.say(body, "old_card")
                return
            store = self.on.desk.store
            store.outbox.add(
                "upload",
                "sweep.files",
                sweep.id,
                channel=sweep.channel,
                user=str(body["user"]["id"]),
                now=self.on.desk.clock(),
                parent_id=sweep.card_id,
            )

        self.on.press(body, effect)
        ack()

    def on_audit(self, ack: Ack, body: Body) -> None:
        """Show the audit of…: an audit of its own, in this channel."""
        found = self._picked(body)
        if found is None:
            ack()
            return
        sweep, entity = found
        user, now = str(body["user"]["id"]), self.on.desk.clock()
        channel = str((body.get("channel") or {}).get("id") or sweep.channel)

        def effect() -> None:
            self.on.desk.store.requests.add(user, channel, "sweep", self._asked(entity), now, entity.id)

        self.on.press(body, effect)
        ack()

    def on_ticket(self, ack: Ack, body: Body, client: WebClient) -> None:
        """Open a ticket for…: the form of a ticket, from the report that the sweep stored."""
        found = self._picked(body)
        report = self.on.desk.store.reports.newest(found[1].id, Granularity.SERVICE) if found else None
        if found is None or report is None:
            if found:
                self.on.press(body, lambda: self.on.say(body, "no_result"))
            ack()
            return
        sweep, entity = found
        user, now = str(body["user"]["id"]), self.on.desk.clock()
        channel = str((body.get("channel") or {}).get("id") or sweep.channel)
        request = self.on.desk.store.requests.served(
            user, channel, "sweep", self._asked(entity), now, entity.id, report.id
        )
        self.tickets.open_form(client, body, request, report.id)
        ack()

    def _asked(self, entity: Entity) -> Asked:
        days = self.on.desk.config.iam_audit_window_days
        return Asked(entity.kind, entity.name, entity.account, days=days)

    def on_options(self, ack: Ack, body: Body) -> None:
        """The entities of a sweep, those with the most risk first."""
        user = str(body["user"]["id"])
        refusal = self.on.people.known_refusal(user)
        if refusal is None:
            self.on.ask_who(ack, user, "Open the list again")
            return
        sweep = self._of_block(str(body.get("block_id") or ""))
        if refusal or sweep is None:
            ack(**forms.hint_option("Nothing to pick from", "Only who may audit sees the names"))
            return
        typed = str(body.get("value") or "").strip()
        found = self.on.desk.store.scores.find(sweep.id, typed, 100)
        rows = [(e, readings.account(self.on.desk, e.account), s) for e, s in found]
        ack(**sweep_small.options(rows, typed))

    def _picked(self, body: Body) -> tuple[Sweep, Entity] | None:
        """The sweep of a select and the entity that was picked in it; None where there is none, which is then said."""
        action = body["actions"][0]
        picked = str((action.get("selected_option") or {}).get("value") or "")
        if picked == forms.HINT:
            return None
        sweep, row = self._of_block(str(action.get("block_id") or "")), row_of(picked)
        entity = self.on.desk.store.entities.get(row) if row is not None else None
        if sweep is None or entity is None:
            self.on.press(body, lambda: self.on.say(body, "old_card"))
            return None
        return sweep, entity

    def _of_block(self, block_id: str) -> Sweep | None:
        words = block_id.split(":")
        return self._sweep(words[1]) if len(words) > 1 else None

    def _sweep(self, text: str) -> Sweep | None:
        row = row_of(text)
        return None if row is None else self.on.desk.store.sweeps.get(row)
