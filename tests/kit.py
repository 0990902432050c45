"""Small Block Kit payloads, written by hand, and how the app posts them: for the tests of the page."""

from __future__ import annotations

from typing import Any

from slack_sdk import WebClient

Json = dict[str, Any]
ROOM = "C0SECURITY1"


def plain(text: str, **more: Any) -> Json:
    return {"type": "plain_text", "text": text, **more}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def button(action: str, text: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action, "text": plain(text), "value": "7", **more}


def option(text: str, about: str = "") -> Json:
    return {"text": plain(text), "value": text, **({"description": plain(about)} if about else {})}


def form(*blocks: Json, **more: Any) -> Json:
    view = {
        "type": "modal",
        "callback_id": "form",
        "title": plain("A form"),
        "close": plain("Cancel"),
        "blocks": list(blocks),
    }
    return view | more


def post(ws: Any, *blocks: Json, **more: Any) -> str:
    """A message of the app's."""
    client = WebClient(token=ws.bot_token, base_url=ws.api_url)
    return str(client.chat_postMessage(channel=ROOM, text="posted", blocks=list(blocks), **more)["ts"])
