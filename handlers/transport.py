"""How Slack reaches the bot: Socket Mode or HTTP, and /healthz beside either."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk.socket_mode import SocketModeClient
from waitress.server import create_server

from advisor.edges.schedule import Beat, now

log = logging.getLogger(__name__)

FRESH = 30
"""Seconds since the last tick that still count as alive."""


class Transport(Protocol):
    """Something that brings Slack's payloads in."""

    name: str

    def start(self) -> None:
        """Begin, without blocking."""

    def stop(self) -> None:
        """End within a few seconds."""


class Socket:
    """Socket Mode by slack_sdk's builtin client."""

    name = "socket"

    def __init__(self, app: App, app_token: str, base_url: str) -> None:
        # One ping a second: a dropped connection is noticed in at most six seconds instead of a minute.
        self._handler = SocketModeHandler(app, app_token, ping_interval=1)
        self._handler.client.web_client.base_url = base_url
        self._ending = threading.Event()

    @property
    def client(self) -> SocketModeClient:
        """The SDK's client."""
        return self._handler.client

    def connected(self) -> bool:
        """Whether payloads can arrive now."""
        return bool(self.client.is_connected())

    def start(self) -> None:
        """Connect, and keep trying where Slack is away; reconnecting later is the SDK's own work."""
        threading.Thread(target=self._connect, name="socket", daemon=True).start()

    def _connect(self) -> None:
        wait = 1.0
        while not self._ending.is_set():
            try:
                self._handler.connect()  # type: ignore[no-untyped-call]  # Bolt's adapter has no types
            except Exception as error:  # any fault here means: not connected yet
                log.warning("socket.failed why=%s", type(error).__name__)
                self._ending.wait(wait)
                wait = min(wait * 2, 30.0)
                continue
            log.info("socket.connected")
            return

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
        if self.socket and not self.socket.connected():
            return "not connected to Slack"
        return ""


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
