"""The product in one thread: the real parts, an executor that works at once, and a clock that a test moves."""

from __future__ import annotations

import http.client
import pickle
import re
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from slack_bolt import BoltRequest
from slack_sdk import WebClient

from advisor.edges.aws import PATIENCE
from advisor.edges.config import Config
from advisor.edges.parcels import pack, unpack
from advisor.edges.store import Store
from advisor.edges.store.rows import stamp
from bot import Bot, build
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.slack import Reply, Slack

Json = dict[str, Any]


class Died(BaseException):
    """The process is gone: nothing of ours may catch this."""


_PLAIN: Json = {"iam_audit_replay_seconds": 0, "iam_audit_hold_days": 0, "iam_audit_watch_days": 0}
"""Hundreds of tests open tickets; those of the second witness, and of holds and watches, turn them on."""


class AtOnce(Executor):
    """Does a task when it is handed over, in the same thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # type: ignore[override]
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Here:
    """Does what a sweep hands over in this very process, and looks for reports sooner than a real one need."""

    width = 2

    def submit(self, work: Callable[[Any], Any], value: Any) -> Future[Any]:
        value = pickle.loads(pickle.dumps(value))  # as if it went to another process
        if isinstance(value, tuple):
            quick = {"looks_after": 0.0, "looks_every": 0.01, "begins_for": 2.0}
            value = pack(replace(order, batch=replace(order.batch, **quick)) for order in unpack(value))
        return AtOnce().submit(lambda: pickle.loads(pickle.dumps(work(value))))


class Stage:
    """Drives one bot; `begin` after `kill` is a restart on the same database."""

    def __init__(self, aws: Aws, world: story.World, slack: Slack, path: Path, **settings: Any) -> None:
        self.aws, self.world, self.slack, self.path = aws, world, slack, path
        self.settings = settings
        self.now = datetime.now(UTC)
        self.starts = 0
        self.held = False
        self.bot: Bot | None = None
        aws.clock = lambda: self.now
        slack.clock = lambda: self.now.timestamp()  # noqa: PLW0108  # `now` moves
        slack.send_envelope = self._dispatch

    # -- life ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start (again)."""
        self.starts += 1
        self.bot = None
        config = Config(
            slack_bot_token=self.slack.bot_token,
            slack_app_token=self.slack.app_token,
            slack_api_url=self.slack.api_url,
            iam_audit_db=self.path,
            iam_audit_accounts=self.settings.get("accounts", f"prod={story.PROD}"),
            **_PLAIN | {k: v for k, v in self.settings.items() if k not in {"accounts", "lanes", "patience"}},
        )
        self.store = Store(self.path)
        self.held = True
        self.bot = build(
            config,
            self.store,
            team_id=self.slack.team_id,
            bot_user_id=self.slack.bot_user_id,
            clock=lambda: self.now,
            executors=None if self.settings.get("lanes") else lambda _lane: AtOnce(),
            boot=f"start{self.starts}",
            patience=self.settings.get("patience", PATIENCE),
            pace=0.0,
            elsewhere=Here(),
            wait=0,
        )

    def end(self) -> None:
        """Let go of the database, as the kernel does for a dead process."""
        if self.held:
            self.store.close()
        self.bot, self.held = None, False

    def restart(self, **settings: Any) -> None:
        self.end()
        self.settings |= settings
        self.begin()

    def _dispatch(self, _kind: str, payload: Json, _envelope: str, _wait: float) -> Json | None:
        """What the socket does: Bolt's own dispatcher, and its answer where it is a 200."""
        if self.bot is None:
            return None
        answer = self.bot.app.dispatch(BoltRequest(mode="socket_mode", body=payload))
        if answer.status != 200:
            return None
        import json

        return dict(json.loads(answer.body)) if answer.body.startswith("{") else {}

    def beat(self) -> None:
        """One beat of the tick and of the delivery."""
        assert self.bot is not None
        self.bot.listening.beat()
        self.bot.intake.beat()
        self.bot.deliver.beat()

    def settle(self, limit: float = 3600.0) -> None:
        """Beat and let time pass until nothing is left to do."""
        until = self.now + timedelta(seconds=limit)
        while self.now < until:
            for _ in range(6):
                self.beat()
            if not self.pending():
                return
            self.now += timedelta(seconds=0.5)
        raise AssertionError(f"still pending after {limit} s: {self.pending()}")

    def pending(self) -> list[str]:
        rows = self.store._db.rows(
            "SELECT 'request ' || id AS what FROM request WHERE state IN ('queued', 'running') UNION ALL "
            "SELECT 'job ' || id FROM job WHERE state IN ('queued', 'running') UNION ALL "
            "SELECT 'followup ' || id FROM followup WHERE state IN ('queued', 'running') UNION ALL "
            "SELECT 'sweep ' || id || ' ' || state FROM sweep WHERE state IN ('queued', 'running') UNION ALL "
            "SELECT 'question ' || id FROM question WHERE state IN ('queued', 'running') UNION ALL "
            "SELECT 'press ' || id FROM press WHERE state = 'queued' UNION ALL "
            "SELECT 'order ' || id FROM digest_order WHERE state = 'queued' UNION ALL "
            "SELECT 'posting ' || p.id FROM posting p LEFT JOIN sweep s ON s.id = p.sweep_id "
            "WHERE p.state IN ('due', 'collecting') AND coalesce(s.state, '') NOT IN ('queued', 'running') UNION ALL "
            "SELECT 'ticket ' || id || ' ' || state FROM ticket WHERE next_at IS NOT NULL "
            f"AND (state IN ('draft', 'approved', 'applying', 'rolling_back') OR state = 'held' "
            f"AND next_at <= '{stamp(self.now)}') UNION ALL "
            "SELECT 'notice ' || id || ' ' || surface FROM notice WHERE state IN ('due', 'sending')"
        )
        return [r["what"] for r in rows]

    # -- people --------------------------------------------------------------------------------------------------

    def say(self, text: str, user: str = story.ALICE, channel: str = story.SECURITY) -> Reply:
        """Type a command and let everything that follows from it happen."""
        reply = self.slack.command(user, channel, text)
        self.settle()
        return reply

    def press(
        self,
        action_id: str,
        *,
        user: str = story.ALICE,
        channel: str = story.SECURITY,
        ts: str = "",
        option: Any = None,
    ) -> Reply:
        reply = self.slack.click(user, channel, action_id, ts=ts or self.card(channel)["ts"], option=option)
        self.settle()
        return reply

    def open_form(self, action_id: str = "audit.ticket", user: str = story.ALICE, ts: str = "") -> Json:
        """Press a button that opens a form; the form as it was filled."""
        assert self.press(action_id, user=user, ts=ts).ok
        view = self.slack.view(user)
        assert view
        return view

    def send_form(self, user: str = story.ALICE, **values: Json) -> Reply:
        """Fill in the open form (what is not given keeps its initial value) and send it."""
        reply = self.slack.submit(user, {k.replace("__", "."): v for k, v in values.items()})
        self.settle()
        return reply

    def ticket(self, command: str = "role DBAdminRole", reason: str = "clean-up", **values: Json) -> Json:
        """Audit, open a ticket with what is ticked by itself, and hand back its card."""
        assert self.say(command).ok
        self.open_form()
        reply = self.send_form(reason={"value": reason}, **values)
        assert reply.ok and not reply.body, reply.body
        return self.card()

    def cards(self, channel: str = story.SECURITY) -> list[Json]:
        return self.slack.messages(channel)

    def card(self, channel: str = story.SECURITY) -> Json:
        return self.cards(channel)[-1]

    def thread(self, channel: str = story.SECURITY) -> list[Json]:
        return self.slack.thread(channel, self.card(channel)["ts"])

    def rows(self, sql: str) -> list[Any]:
        return self.store._db.rows(sql)


def words(message: Json) -> str:
    """Everything that a message shows, as one text."""

    def read(node: Any) -> str:
        if isinstance(node, list):
            return "".join(read(n) for n in node)
        if not isinstance(node, dict):
            return ""
        if node.get("type") == "emoji":
            return f":{node['name']}:"
        if node.get("type") == "user":
            return f"<@{node['user_id']}>"
        if node.get("type") == "date":
            return str(node["fallback"])
        text = node.get("text")
        own = text if isinstance(text, str) else read(text)
        return (
            own
            + "".join(read(node[k]) for k in ("elements", "rows", "fields") if k in node)
            + ("\n" if node.get("type") in {"rich_text_section", "header", "section", "context"} else " ")
        )

    return read(message.get("blocks", []))


class Points:
    """Counts the commits and calls of a flow; at the n-th point the process dies."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.count = 0
        self.trace: list[str] = []

    def reach(self, what: str) -> None:
        self.trace.append(what)
        self.count += 1
        if self.count == self.at:
            raise Died(what)


_CHANGES = re.compile(
    r"(Put|Delete|Attach|Detach|Create|Set|Generate|Assume)|(chat|views|files|conversations)\."
)


@contextmanager
def worlds(points: Points) -> Iterator[None]:
    """Every moment at which the world (database, AWS or Slack) is another than at the moment before is a point.

    A process that dies loses its memory, so two deaths in the same world are one case: what is left out of
    `watched` are the moments around calls that only read.
    """
    connect, aws, slack = sqlite3.connect, BaseClient._make_api_call, WebClient.api_call

    class Counting(sqlite3.Connection):
        def commit(self) -> None:
            points.reach("before commit")
            super().commit()
            points.reach("after commit")

    def connected(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        kwargs.setdefault("factory", Counting)
        return connect(*args, **kwargs)

    def watching(original: Any) -> Any:
        def calling(self: Any, operation: str, *args: Any, **kwargs: Any) -> Any:
            if not _CHANGES.match(operation):
                return original(self, operation, *args, **kwargs)
            points.reach(f"before {operation}")
            answer = original(self, operation, *args, **kwargs)
            points.reach(f"after {operation}")
            return answer

        return calling

    sqlite3.connect = connected  # type: ignore[assignment]
    BaseClient._make_api_call = watching(aws)
    WebClient.api_call = watching(slack)  # type: ignore[method-assign]
    try:
        yield
    finally:
        sqlite3.connect = connect
        BaseClient._make_api_call = aws
        WebClient.api_call = slack  # type: ignore[method-assign]


@contextmanager
def watched(points: Points) -> Iterator[None]:
    """Every commit (before and after) and every HTTP call (before and after) of this process is a point."""
    connect, put, get = (
        sqlite3.connect,
        http.client.HTTPConnection.putrequest,
        http.client.HTTPConnection.getresponse,
    )

    class Counting(sqlite3.Connection):
        def commit(self) -> None:
            points.reach("before commit")
            super().commit()
            points.reach("after commit")

    def connected(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        kwargs.setdefault("factory", Counting)
        return connect(*args, **kwargs)

    def putting(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        points.reach(f"before {method} {url.partition('?')[0]}")
        return put(self, method, url, *args, **kwargs)

    def getting(self: Any) -> Any:
        answer = get(self)
        points.reach("after call")
        return answer

    sqlite3.connect = connected  # type: ignore[assignment]
    http.client.HTTPConnection.putrequest = putting  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = getting  # type: ignore[method-assign]
    try:
        yield
    finally:
        sqlite3.connect = connect
        http.client.HTTPConnection.putrequest = put  # type: ignore[method-assign]
        http.client.HTTPConnection.getresponse = get  # type: ignore[method-assign]
