"""What the tests of the page share beside the browser: a small app that listens on the workspace's socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler

from tests.sandbox.slack import Slack


@contextmanager
def listening(ws: Slack, app: App) -> Iterator[None]:
    """The app, connected; gone before the workspace is."""
    handler = SocketModeHandler(app, ws.app_token, ping_interval=0.2)
    handler.connect()
    ws.wait(lambda: ws.sockets)
    yield
    handler.client.auto_reconnect_enabled = False
    ws.drop_socket("fin")  # the SDK reads in steps of three seconds
    handler.close()
