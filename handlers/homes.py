"""Listeners of App Home: that it was opened, and its buttons. Each writes a row and answers, as all listeners do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slack_bolt import Ack
from slack_sdk import WebClient

from advisor.core.model import Asked
from handlers.actions import Body, Listeners, row_of
from handlers.blocks.kit import Json

HOME = (
    "home.new",
    "home.digest_new",
    "home.refresh",
    "home.ticket",
    "home.audit",
    "home.digest",
    "home.keep_end",
)
"""Ids of its buttons; those that name a row have its number after a point (`home.ticket.12`)."""

OpenDigest = Callable[[WebClient, Body, int], None]
"""Opens the form of a digest: the client, the payload (for its trigger_id), and a schedule's row, 0 for a new one."""


@dataclass(frozen=True, slots=True)
class HomeListeners:
    """One method a thing that a person can do in their home. `on` has what all listeners share."""

    on: Listeners
    open_digest: OpenDigest

    def on_opened(self, body: Body) -> None:
        """Somebody looks at the app: the home tab is drawn, the tab of messages needs nothing.

        Slack says so again where our answer was late: the event's id makes it one.
        Source: docs.slack.dev, events, app_home_opened.
        """
        event: Json = body["event"]
        if event.get("tab") != "home":
            return
        user = str(event["user"])

        def effect() -> Json:
            self.on.desk.store.homes.opened(user, self.on.desk.clock())
            return {}

        self.on.once(f"event:{body['event_id']}", effect)

    def on_refresh(self, ack: Ack, body: Body) -> None:
        """Refresh: draw it again, with a fresh look at who this person is."""
        user = str(body["user"]["id"])
        self.on.people.forget(user)
        self.on.press(body, lambda: self.on.desk.store.homes.opened(user, self.on.desk.clock()))
        ack()

    def on_ticket(self, ack: Ack, body: Body) -> None:
        """Go to ticket: Slack follows the button's address; where it has none, the ticket is told privately."""
        row = row_of(_value(body))
        if not _has_address(body):
            user = str(body["user"]["id"])
            self.on.press(body, lambda: self.on.privately("ticket.one", user, user, row or 0))
        ack()

    def on_audit(self, ack: Ack, body: Body) -> None:
        """Audit an entity that one owns; the result comes by direct message."""
        row, user = row_of(_value(body)), str(body["user"]["id"])
        desk = self.on.desk
        entity = None if row is None else desk.store.entities.get(row)
        if entity is None:
            self.on.press(body, lambda: self.on.say(body, "old_card"))
            ack()
            return
        asked = Asked(entity.kind, entity.name, entity.account, days=desk.config.iam_audit_window_days)

        def effect() -> None:
            desk.store.requests.add(user, user, "home", asked, desk.clock(), entity.id)

        self.on.press(body, effect)
        ack()

    def on_keep_end(self, ack: Ack, body: Body) -> None:
        """End it: what `keep end N` does; who may is asked of Slack by the worker, now."""
        user, row = str(body["user"]["id"]), row_of(_value(body)) or 0
        desk = self.on.desk

        def effect() -> None:
            desk.store.orders.add("keep.end", user, user, row, {}, desk.clock())

        self.on.press(body, effect)
        ack()

    def on_digest(self, ack: Ack, body: Body, client: WebClient) -> None:
        """New digest… and Change…: the form of a digest."""
        self.open_digest(client, body, row_of(_value(body)) or 0)
        ack()


def _value(body: Body) -> str:
    return str(body["actions"][0].get("value") or "")


def _has_address(body: Body) -> bool:
    """Whether the pressed button led somewhere: the payload of a press brings the whole view, or message, along."""
    pressed = body["actions"][0]["action_id"]
    blocks = (body.get("view") or body.get("message") or {}).get("blocks") or []
    return any((b.get("accessory") or {}).get("url") for b in blocks if _id(b) == pressed)


def _id(block: Json) -> str:
    return str((block.get("accessory") or {}).get("action_id") or "")
