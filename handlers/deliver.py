"""The outbox's only reader: posts, updates, uploads. Nothing is lost, and nothing said twice where it can be avoided.

chat.postMessage has no key that makes a repeat harmless, so posts go out without the SDK's own retries: a refused
one is known not to be there, one whose answer was lost is looked for first (by the outbox id in its metadata).
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from advisor import jobs
from advisor.core.model import Notice
from advisor.desk import Desk
from advisor.edges.chart import NoChart
from handlers import lookback, uploads
from handlers.access import NoAnswer, People
from handlers.blocks.kit import Json, Message
from handlers.draw import RUNGS, Draw
from handlers.files import File
from handlers.refusals import ELSEWHERE, GONE, PLAINER, TOKEN, Refusal, refusal_of

log = logging.getLogger(__name__)

LANE = "slack"

HOMES = "homes"
"""A lane of their own: hundreds of homes never keep a card waiting."""


_BY_URL = {"audit": "", "whoami": "", "accounts": "", "question": "question"}
"""Families of private answers that go by a command's own URL, and what they are remembered under."""


@dataclass(slots=True)
class Deliver:
    """Sends what the outbox holds. `client` is the one for posts: without retries of its own."""

    desk: Desk
    people: People
    drawing: Draw
    client: WebClient
    _rungs: dict[str, int] = field(default_factory=dict)
    _replies: dict[tuple[str, int], tuple[float, str]] = field(default_factory=dict)
    _held: dict[str, datetime] = field(default_factory=dict)  # kinds that Slack limits, and until when
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remember(self, row_id: int, url: str, family: str = "") -> None:
        """Keep a command's response_url in memory for its half hour: it lets a private answer into any channel.

        The row is a request's, or of the family of surfaces that is named.
        It is a key of sorts, so it is never stored; after a restart the answer goes by direct message.
        """
        if not url:
            return
        with self._lock:
            if len(self._replies) > 1000:  # a bound, so that it cannot grow for ever
                self._replies.clear()
            self._replies[family, row_id] = (time.monotonic() + 1700, url)

    def beat(self) -> float | None:
        """Hand out everything that can be said now, one thing a card at a time."""
        store, now = self.desk.store, self.desk.clock()
        for notice in store.outbox.waiting(now):
            if self._held.get(notice.kind, now) > now:
                continue
            root = notice.parent_id or notice.id
            lane = HOMES if notice.kind == "home" else LANE
            self.desk.lanes.submit(lane, ("card", root), partial(self.send, notice.id), store.mail)
        return None

    def send(self, notice_id: int) -> None:
        """Say one thing."""
        notice = self.desk.store.outbox.get(notice_id)
        if notice is None or notice.state not in {"due", "sending"}:
            return
        try:
            if notice.state == "sending" and self._already(notice):
                return
            _HOW[notice.kind](self, notice)
        except NoAnswer as error:
            # What may be there already stays marked so, or it would be said again without looking.
            self._later(notice, Refusal(str(error), unknown=notice.state == "sending"))
        except (
            Exception
        ) as error:  # the delivery loop must outlive any fault of a drawing; the stack goes to the log
            log.exception("notice.failed notice=%d surface=%s", notice.id, notice.surface)
            self._plainer(notice, type(error).__name__)

    def _already(self, notice: Notice) -> bool:
        """Settle what was being sent when its answer was lost; True where it need not be sent (again)."""
        if notice.kind == "upload":
            self._no_file(notice, "Slack did not answer, so it may be there already")
            return True
        if notice.kind != "post":
            return False
        place = self._thread(notice) if notice.parent_id else {"channel": notice.channel}
        since = (notice.sending_at or notice.created_at) - timedelta(minutes=5)
        ts_of = lookback.find(self.people.client, place, notice.id, since) if place else None
        if ts_of is None:
            return False
        channel, ts = ts_of
        store = self.desk.store
        with store.transaction():
            store.outbox.sent(notice.id, channel, ts)
            if notice.parent_id is None:
                store.outbox.redraw(notice.id, self.desk.clock())  # it was drawn from the state of then
        log.info("notice.found notice=%d", notice.id)
        return True

    # -- kinds ---------------------------------------------------------------------------------------------------

    def post(self, notice: Notice) -> None:
        """Post a message to its channel, or into the thread of its card."""
        place = self._thread(notice)
        if place is None:
            return
        message = self._drawn(notice)
        if message is None:
            return
        arguments = {**message.payload(), **place, "metadata": self.drawing.metadata(notice)}
        try:
            answer = self.client.chat_postMessage(**{k: v for k, v in arguments.items() if v is not None})
        except Exception as error:  # whatever the SDK raises is read by refusal_of
            self._refused(notice, refusal_of(error))
            return
        self.desk.store.outbox.sent(notice.id, str(answer["channel"]), str(answer["ts"]))

    def _thread(self, notice: Notice) -> Json | None:
        """Where a post goes: its channel, or its card's thread. None where it has just been sent elsewhere."""
        if notice.parent_id is None:
            state = self.people.place(notice.channel)
            if state == "open":
                return {"channel": notice.channel}
            self._redirect(notice, state)
            return None
        parent = self.desk.store.outbox.get(notice.parent_id)
        if parent is None or not parent.ts:
            return {"channel": notice.user}
        if self.people.place(parent.sent_to) == "shared":
            return {"channel": notice.user}
        return {"channel": parent.sent_to, "thread_ts": parent.ts}

    def _redirect(self, notice: Notice, why: str) -> None:
        """Send it to the person instead, and say so where it was asked for."""
        store, now = self.desk.store, self.desk.clock()
        with store.transaction():
            store.outbox.redirect(notice.id, notice.user, why)
            store.outbox.add(
                "ephemeral",
                f"{notice.surface.partition('.')[0]}.elsewhere",
                notice.row_id,
                channel=notice.channel,
                user=notice.user,
                now=now,
                detail={"why": why},
            )

    def update(self, notice: Notice) -> None:
        """Redraw a card where it stands."""
        store = self.desk.store
        parent = store.outbox.get(notice.parent_id or 0)
        if parent is None or not parent.ts:
            store.outbox.drop(notice.id, "dropped", "its card was never posted")
            return
        if self.people.place(parent.sent_to) == "shared":
            with store.transaction():
                store.outbox.drop(notice.id, "dropped", "the channel is shared now")
                store.outbox.repost(parent.id)
                store.outbox.redirect(parent.id, parent.user, "shared")
            return
        message = self._drawn(notice)
        if message is None:
            return
        arguments = {**message.payload(), "channel": parent.sent_to, "ts": parent.ts}
        arguments = {k: v for k, v in arguments.items() if not k.startswith("unfurl")}
        try:
            self.client.chat_update(**arguments, metadata=self.drawing.metadata(notice))
        except Exception as error:  # read by refusal_of
            self._refused(notice, refusal_of(error))
            return
        store.outbox.sent(notice.id, parent.sent_to, parent.ts)

    def ephemeral(self, notice: Notice) -> None:
        """Answer one person."""
        message = self._drawn(notice)
        if message is None:
            return
        if self._by_response_url(notice, message):
            return
        here = self.people.place(notice.channel) == "open" and not notice.channel.startswith(("U", "W"))
        try:
            if here and "redirected" not in notice.detail:
                self.client.chat_postEphemeral(channel=notice.channel, user=notice.user, **_quiet(message))
            else:
                self.client.chat_postMessage(channel=notice.user, **message.payload())
        except Exception as error:  # read by refusal_of
            self._refused(notice, refusal_of(error))
            return
        self.desk.store.outbox.sent(notice.id, notice.channel)

    def _by_response_url(self, notice: Notice, message: Message) -> bool:
        """Answer through the command's own URL where it is still good: it reaches any channel."""
        family, _, what = notice.surface.partition(".")
        if family not in _BY_URL or what not in {"", "answer", "elsewhere"}:
            return False
        # A request's own number; what is in no table has a made-up one below zero.
        row_id = -notice.row_id if not what else notice.row_id
        with self._lock:
            until, url = self._replies.get((_BY_URL[family], row_id), (0.0, ""))
        if not url or time.monotonic() > until:
            return False
        try:
            answer = WebhookClient(url, timeout=10).send_dict(message.answer())
        except Exception as error:  # any fault of this shortcut leads to the long way
            log.info("response_url.failed notice=%d why=%s", notice.id, type(error).__name__)
            return False
        if answer.status_code != 200:  # HTTP's own number
            return False
        self.desk.store.outbox.sent(notice.id, notice.channel)
        return True

    def upload(self, notice: Notice) -> None:
        """Upload files to the thread of a card."""
        store = self.desk.store
        parent = store.outbox.get(notice.parent_id or 0)
        if parent is None or not parent.ts:
            self._no_file(notice, "the card that it belongs to is not in Slack")
            return
        if self.people.place(parent.sent_to) == "shared":
            self._no_file(notice, "the channel is shared with another company")
            return
        if notice.surface == "sweep.files":
            self._stream(notice, parent)
            return
        try:
            found = self.drawing.files(notice)
        except NoChart as error:
            log.warning("chart.failed notice=%d why=%s", notice.id, error)
            self._no_file(notice, "the picture could not be drawn")
            return
        if not found:
            store.outbox.drop(notice.id, "dropped", "nothing to upload")
            return
        store.outbox.sending(notice.id, self.desk.clock())
        uploads = [
            {"content": f.content, "filename": f.name, "title": f.title, "alt_txt": f.alt or None}
            for f in found
        ]
        try:
            self.client.files_upload_v2(channel=parent.sent_to, thread_ts=parent.ts, file_uploads=uploads)
        except Exception as error:  # read by refusal_of
            self._file_refused(notice, refusal_of(error))
            return
        with store.transaction():
            store.outbox.sent(notice.id, parent.sent_to)
            family = notice.surface.partition(".")[0]
            if notice.surface == "ticket.evidence_file":
                self._evidenced(notice, found[0])
            if family in {"audit", "question"} and not self.drawing.is_picture(notice):
                self._say_below(notice, f"{family}.exported")

    def _evidenced(self, notice: Notice, file: File) -> None:
        """Which bytes were handed out: in the log, and below the file."""
        store, sha256 = self.desk.store, hashlib.sha256(file.content).hexdigest()
        subject = f"ticket {notice.row_id}"
        store.log.add(
            "bot", "ticket.evidence_made", subject, self.desk.clock(), file=file.name, sha256=sha256
        )
        self._say_below(notice, "ticket.evidenced", name=file.name, sha256=sha256)

    def _stream(self, notice: Notice, parent: Notice) -> None:
        """Write the files of a sweep to disk and upload them from there, if this person may have them."""
        store = self.desk.store
        if word := self.people.refusal(notice.user):
            with store.transaction():
                store.outbox.drop(notice.id, "failed", word)
                self.desk.store.outbox.add(
                    "ephemeral",
                    "refused",
                    notice.row_id,
                    channel=parent.sent_to,
                    user=notice.user,
                    now=self.desk.clock(),
                    detail={"why": word},
                )
            return
        store.outbox.sending(notice.id, self.desk.clock())
        with TemporaryDirectory(prefix="iam-audit-") as folder:
            written = self.drawing.sweeps.write(notice, Path(folder))
            files = [
                (path, f"IAM Audit sweep {notice.row_id} ({path.suffix[1:].upper()})")
                for path in written.paths
            ]
            try:
                uploads.send(self.client, parent.sent_to, parent.ts, files)
            except Exception as error:  # read by refusal_of
                self._file_refused(notice, refusal_of(error))
                return
        with store.transaction():
            store.outbox.sent(notice.id, parent.sent_to)
            self._say_below(notice, "sweep.exported", rows=str(written.rows), entities=str(written.entities))

    def home(self, notice: Notice) -> None:
        """Publish a person's App Home."""
        store, now = self.desk.store, self.desk.clock()
        until = self._held.get("home", now)
        if until > now:  # Slack has just said so to another home of the same beat
            store.outbox.later(notice.id, until)
            return
        store.outbox.sending(notice.id, now)
        ready = self.drawing.homes.ready(notice, notice.rung)
        if ready is None:
            return
        try:
            self.drawing.homes.publish(self.client, ready)
        except Exception as error:  # read by refusal_of
            self._refused(notice, refusal_of(error))

    def _file_refused(self, notice: Notice, refusal: Refusal) -> None:
        if refusal.wait:
            self._later(notice, refusal)
        elif refusal.unknown:
            self._no_file(notice, "Slack did not answer, so it may be there already")
        else:
            self._no_file(notice, f"Slack says {refusal.error}")

    def _no_file(self, notice: Notice, why: str) -> None:
        """Say in the thread that there is no file; a picture becomes a chart block."""
        store = self.desk.store
        with store.transaction():
            store.outbox.drop(notice.id, "failed", why)
            family = notice.surface.partition(".")[0]
            surface = f"{family}.{'chart' if self.drawing.is_picture(notice) else 'file_refused'}"
            self._say_below(notice, surface, why)

    def _say_below(self, notice: Notice, surface: str, why: str = "", **more: str) -> None:
        detail = {"why": why, "of": "request" if notice.surface == "audit.csv" else "followup", **more}
        self.desk.store.outbox.add(
            "post",
            surface,
            notice.row_id,
            channel=notice.channel,
            user=notice.user,
            now=self.desk.clock(),
            parent_id=notice.parent_id,
            detail=detail,
        )

    # -- refusals ------------------------------------------------------------------------------------------------

    def _drawn(self, notice: Notice) -> Message | None:
        """Mark it as being sent, then draw it: a change after the mark asks for another drawing, one before is in this."""
        self.desk.store.outbox.sending(notice.id, self.desk.clock())
        rung = max(notice.rung, self._rungs.get(notice.surface, 0))
        message = self.drawing.message(notice, rung)
        if message is None:
            self.desk.store.outbox.drop(notice.id, "dropped", "nothing to say")
        return message

    def _refused(self, notice: Notice, refusal: Refusal) -> None:
        store = self.desk.store
        if refusal.wait or refusal.unknown or refusal.error in TOKEN:
            self._later(notice, refusal)
        elif refusal.error in PLAINER:
            self._plainer(notice, refusal.error)
        elif refusal.error in ELSEWHERE and notice.kind == "update":
            self._move_card(notice, ELSEWHERE[refusal.error])
        elif refusal.error in ELSEWHERE and notice.channel != notice.user:
            self.people.forget_place(notice.channel)
            if notice.kind == "post" and notice.parent_id is None:
                self._redirect(notice, ELSEWHERE[refusal.error])
            else:
                store.outbox.redirect(notice.id, notice.user, refusal.error)
        elif refusal.error in GONE and notice.kind == "update":
            with store.transaction():
                store.outbox.drop(notice.id, "dropped", refusal.error)
                store.outbox.repost(notice.parent_id or 0)
        elif refusal.error in GONE:
            store.outbox.redirect(notice.id, notice.user, refusal.error)
        elif not refusal.error.isidentifier():
            self._later(notice, refusal)
        else:
            log.error(
                "notice.refused notice=%d surface=%s error=%s", notice.id, notice.surface, refusal.error
            )
            store.outbox.drop(notice.id, "failed", refusal.error)

    def _move_card(self, notice: Notice, why: str) -> None:
        """A card's channel takes nothing any more: the card is posted anew as a direct message."""
        store = self.desk.store
        with store.transaction():
            store.outbox.drop(notice.id, "dropped", why)
            store.outbox.repost(notice.parent_id or 0)
            store.outbox.redirect(notice.parent_id or 0, notice.user, why)

    def _later(self, notice: Notice, refusal: Refusal) -> None:
        wait = (
            timedelta(seconds=refusal.wait)
            if refusal.wait
            else jobs.patience(f"notice {notice.id}", min(notice.attempts, 5))
        )
        if refusal.error in TOKEN:
            wait = timedelta(minutes=1)
            log.error(
                "slack.token_refused error=%s: nothing can be said until the token or its scopes are mended",
                refusal.error,
            )
        else:
            log.info("notice.later notice=%d why=%s attempts=%d", notice.id, refusal.error, notice.attempts)
        until = self.desk.clock() + wait
        if refusal.wait:  # the limit is the method's, not this message's
            self._held[notice.kind] = until
        self.desk.store.outbox.later(notice.id, until, unknown=refusal.unknown)

    def _plainer(self, notice: Notice, why: str) -> None:
        last = RUNGS.get(notice.surface, 0) + 1
        if notice.rung >= last:
            log.error("notice.undrawable notice=%d surface=%s why=%s", notice.id, notice.surface, why)
            self.desk.store.outbox.drop(notice.id, "failed", why)
            return
        log.warning("notice.plainer notice=%d surface=%s why=%s", notice.id, notice.surface, why)
        if notice.surface in {"audit.services", "audit.chart", "question.table", "question.chart"}:
            self._rungs[notice.surface] = min(notice.rung + 1, RUNGS[notice.surface])
        self.desk.store.outbox.lower(notice.id)


def _quiet(message: Message) -> Json:
    """postEphemeral takes no unfurl flags."""
    return {k: v for k, v in message.payload().items() if not k.startswith("unfurl")}


_HOW = {
    "post": Deliver.post,
    "update": Deliver.update,
    "ephemeral": Deliver.ephemeral,
    "upload": Deliver.upload,
    "home": Deliver.home,
}
