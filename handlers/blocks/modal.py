"""Parts of every form: Slack's modal views, input blocks and options, as dictionaries. Pure."""

from __future__ import annotations

from handlers.blocks import kit
from handlers.blocks.kit import Json


def plain(text: str) -> Json:
    """A plain text object as a dictionary."""
    return {"type": "plain_text", "text": kit.clip(text, 3000), "emoji": False}


def view(
    callback: str,
    title: str,
    blocks: list[Json],
    *,
    submit: str = "",
    close: str = "Close",
    metadata: str = "",
) -> Json:
    """A modal view (Slack's reference, modal views: a title of 24 characters at most)."""
    made: Json = {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title[:24]),
        "close": plain(close),
        "blocks": blocks,
    }
    if metadata:
        made["private_metadata"] = metadata
    return {**made, "submit": plain(submit)} if submit else made


def without_notes(message: kit.Message) -> list[Json]:
    """A message's blocks for a form that its opener may not have: there "only you see this" goes without saying."""
    return [b for b in message.payload()["blocks"] if b["type"] != "context"]


def field(block_id: str, label: str, element: Json, *, hint: str = "", optional: bool = False) -> Json:
    """An input block."""
    block: Json = {"type": "input", "block_id": block_id, "label": plain(label[:2000]), "element": element}
    if hint:
        block["hint"] = plain(hint)
    return {**block, "optional": True} if optional else block


def option(text: str, value: str, description: str = "") -> Json:
    """An option; its label and its description are clipped to what Slack shows."""
    made: Json = {"text": plain(kit.clip(text, 75)), "value": value}
    return {**made, "description": plain(kit.clip(description, 75))} if description else made
