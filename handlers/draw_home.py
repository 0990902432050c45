"""A person's App Home: who they are by the settings of now, what Slack says of cards and channels, and its publishing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from advisor import homes
from advisor.core.home import HomeView, Place, Reader
from advisor.core.model import Notice
from advisor.desk import Desk
from handlers.access import People
from handlers.blocks import answers, home
from handlers.blocks.home_lines import Page
from handlers.blocks.kit import Json

log = logging.getLogger(__name__)

STILL = timedelta(hours=1)
"""A home that shows what it showed is published again after this, so that its line of when it was drawn is no lie."""

_MOST = 5000


@dataclass(frozen=True, slots=True)
class Ready:
    """A home that is to be published: whose, what, its print, and Slack's hash of the view that it replaces."""

    reader: Reader
    view: Json
    drawn: str
    hash: str


@dataclass(frozen=True, slots=True)
class DrawHome:
    """Draws and publishes homes."""

    desk: Desk
    people: People
    _links: dict[Place, str] = field(default_factory=dict)  # a permalink never changes

    def ready(self, notice: Notice, rung: int) -> Ready | None:
        """The home of the notice's person as it is to be published; None where the very same stands there."""
        store, user, now = self.desk.store.homes, notice.user, self.desk.clock()
        reader, view = self.view(user, rung)
        drawn = hashlib.sha256(home.print_of(view).encode()).hexdigest()
        before, view_hash, at = store.last(user)
        if drawn == before and at and now - at < STILL:
            store.said(user)
            return None
        return Ready(reader, view, drawn, view_hash)

    def publish(self, client: WebClient, made: Ready) -> None:
        """Publish a home. Raises what Slack answers.

        Slack refuses a view that replaces another one than we know of (its hash differs: an answer was lost): then
        it is sent once more, to replace whatever is there. Source: docs.slack.dev, views.publish, `hash`.
        """
        store, user = self.desk.store.homes, made.reader.user
        try:
            answer = client.views_publish(user_id=user, view=made.view, hash=made.hash or None)
        except SlackApiError as error:
            if not made.hash or error.response.get("error") != "hash_conflict":
                raise
            store.forget_hash(user)
            answer = client.views_publish(user_id=user, view=made.view)
        store.published(
            user,
            self.desk.clock(),
            drawn=made.drawn,
            view_hash=str((answer.get("view") or {}).get("hash") or ""),
            approver=made.reader.approver,
            tags=made.reader.tags,
        )
        log.info("home.published user=%s blocks=%d", user, len(made.view["blocks"]))

    def view(self, user: str, rung: int = 0) -> tuple[Reader, Json]:
        """Who this person is, and their home. Raises NoAnswer where Slack does not say who they are."""
        word = self.people.refusal(user)
        reader = Reader(user)
        if word in {"", "auditor"}:  # who decides need not be somebody who audits
            reader = Reader(user, not word, self.people.approver(user), self.people.admin(user))
        if not reader.auditor and not reader.approver:
            return reader, home.turned_away(answers.refused(word), self.desk.clock())
        reader = Reader(user, reader.auditor, reader.approver, reader.admin, self.people.tags_of(user))
        view = homes.gather(self.desk, reader, lambda channel: self.people.is_in(channel, user))
        page = Page(view, self._links_of(view), self._channels_of(view))
        return reader, home.home(page) if rung == 0 else home.minimal(page)

    def _channels_of(self, view: HomeView) -> dict[str, str]:
        return {s.channel: self.people.channel_name(s.channel) for s in view.schedules.rows}

    def _links_of(self, view: HomeView) -> dict[Place, str]:
        places = [line.card for line in (*view.waiting.rows, *view.tickets.rows)]
        places += [line.card for line in view.audits]
        places += [line.card for line in view.sweeps.rows]
        places += [line.ticket.card for line in view.owned.rows if line.ticket]
        return dict(self.linked(places))

    def linked(self, places: Iterable[Place]) -> Iterable[tuple[Place, str]]:
        """Cards with their addresses, as far as Slack tells them; each is asked once."""
        for place in set(places):
            if not place.ts:
                continue
            if place not in self._links:
                if len(self._links) > _MOST:
                    self._links.clear()
                link = self.people.permalink(place.channel, place.ts)
                if not link:
                    continue  # Slack did not say: it is asked again with the next drawing
                self._links[place] = link
            yield place, self._links[place]
