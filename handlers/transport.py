"""How Slack reaches the bot: Socket Mode or HTTP, and /healthz beside either."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from waitress.server import create_server

from advisor.edges.schedule import Beat, now

log = logging.getLogger(__name__)

FRESH = 30
"""Seconds since the last tick that still count as alive."""


_SILENT = 5
"""Pings without an answer after which a connection is dead."""

_LASTED = 2.0
"""Seconds after which a connection counts as made: one that ends sooner is followed by a longer wait."""

_OFF = "Socket Mode is switched off in the app's settings at api.slack.com; once it is on again, commands arrive again"


class Transport(Protocol):
    """Something that brings Slack's payloads in."""

    name: str

    def start(self) -> None:
        """Begin, without blocking."""

    def stop(self) -> None:
        """End within a few seconds."""


class _Client(SocketModeClient):
    """slack_sdk's builtin client; told that Socket Mode is switched off, it does not connect again by itself."""

    off = False

    def enqueue_message(self, message: str) -> None:
        if '"link_disabled"' in message and json.loads(message).get("type") == "disconnect":
            self.off = True
            self.disconnect()
            return
        super().enqueue_message(message)


class _Handler(SocketModeHandler):
    """Bolt's adapter on a client of our own."""

    def __init__(self, app: App, client: _Client) -> None:
        self.app, self.client = app, client
        client.socket_mode_request_listeners.append(self.handle)  # type: ignore[arg-type]  # as in Bolt's own


class Socket:
    """Socket Mode. Slack's "refresh" is the client's own work; every other connecting is done here, ever less often."""

    name = "socket"

    def __init__(self, app: App, app_token: str, base_url: str, *, ping: float = 1.0) -> None:
        # One ping a second: a dropped connection is noticed in at most six seconds instead of a minute.
        self._ping = ping
        self.client = _Client(
            app_token,
            app.logger,
            WebClient(base_url=base_url),
            auto_reconnect_enabled=False,
            ping_interval=ping,
        )
        self._handler = _Handler(app, self.client)
        self._ending = threading.Event()
        self._session = ""
        self._since = 0.0  # when that session began
        self._tries = 0

    def connected(self) -> bool:
        """Whether payloads can arrive now: Slack has answered one of the last pings."""
        session = self.client.current_session
        heard = session.last_ping_pong_time if session and session.is_active() else None
        return not self.client.off and heard is not None and time.time() - heard < _SILENT * self._ping

    def trouble(self) -> str:
        """Why nothing can arrive, or an empty string."""
        if self.client.off:
            return _OFF
        return "" if self.connected() else "not connected to Slack"

    def start(self) -> None:
        """Connect, and keep connected for as long as it takes."""
        threading.Thread(target=self._keep, name="socket", daemon=True).start()

    def _keep(self) -> None:
        while not self._ending.is_set():
            if self.client.is_connected():
                self._watch()
                self._ending.wait(0.2)
                continue
            if self.client.off:
                log.warning("socket.off why=%s", _OFF)
            if self._tries:
                self._ending.wait(min(2.0 ** (self._tries - 1), 30.0))
            self._tries += 1
            self._connect()

    def _connect(self) -> None:
        if self._ending.is_set():
            return
        try:
            self.client.connect_to_new_endpoint()
        except Exception as error:  # any fault here means: not connected yet
            word = error.response.get("error") if isinstance(error, SlackApiError) else type(error).__name__
            log.warning("socket.failed why=%s", word)
            return
        if self.client.is_connected():
            log.info("socket.connected")

    def _watch(self) -> None:
        """Forget the failures once a connection has lasted, and end one on which no ping was ever answered.

        One that was answered before, and is no more, ends by the client's own check.
        """
        session, now = self.client.current_session, time.monotonic()
        if session is None:
            return
        if session.session_id != self._session:
            self._session, self._since = session.session_id, now
        if session.last_ping_pong_time is None:
            if now - self._since > _SILENT * self._ping:
                log.warning("socket.silent")
                session.disconnect()
        elif now - self._since > _LASTED:
            self._tries, self.client.off = 0, False

    def stop(self) -> None:
        """Close the connection; what is not acknowledged is delivered again by Slack."""
        self._ending.set()
        self._handler.close()  # type: ignore[no-untyped-call]  # Bolt's adapter has no types


@dataclass(frozen=True, slots=True)
class Health:
    """What /healthz says."""

    beats: tuple[Beat, ...]
    socket: Socket | None

    def trouble(self) -> str:
        """Why the bot is not well, or an empty string."""
        for beat in self.beats:
            age = (now() - beat.last_at).total_seconds()
            if age > FRESH:
                return f"the {beat.name} beat has not run for {age:.0f} seconds"
        return self.socket.trouble() if self.socket else ""


class Http:
    """waitress: Slack's requests on /slack/events (where an app is given), and /healthz always."""

    name = "http"

    def __init__(self, app: App | None, host: str, port: int, health: Health) -> None:
        self._events = SlackRequestHandler(app, path="/slack/events") if app else None
        self._health = health
        # At waitress's default of 100 connections a burst loses requests.
        self._server = create_server(
            self._answer, host=host, port=port, threads=8, connection_limit=1000, ident=""
        )
        self._thread = threading.Thread(target=self._server.run, name="http", daemon=True)

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == "/healthz":
            trouble = self._health.trouble()
            status = "503 Service Unavailable" if trouble else "200 OK"
            start(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{trouble or 'ok'}\n".encode()]
        if self._events:
            return self._events(environ, start)
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not here\n"]

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.close()
        deadline = time.monotonic() + 2
        self._thread.join(max(0.0, deadline - time.monotonic()))
