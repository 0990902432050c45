"""What every message that we draw must be: within Block Kit’s limits, and inert where a stranger’s word stands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest

from handlers import ACTIONS
from handlers.blocks.kit import Message
from tests.sandbox.slack import limits

_OURS = re.compile(r"<@U\w+>|<!date\^\d+\^[^|<>]*\|[^|<>]*>")
_BUTTON = re.compile(r"audit\.choose(\.\d+)?")


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a payload."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def strings(node: Any) -> Iterator[str]:
    """Every text of a payload."""
    for found in nodes(node):
        yield from (v for v in found.values() if isinstance(v, str))


def safe(payload: dict[str, Any]) -> None:
    """Strangers' words stand where Slack reads no markup, and can be seen as what they are."""
    for found in nodes(payload):
        if found.get("type") == "mrkdwn":
            assert "EVIL" not in found["text"]
            assert found["verbatim"] is True
            assert not set("<>") & set(_OURS.sub("", found["text"])), found["text"]
        if found.get("type") == "plain_text":
            assert found["emoji"] is False
        for key in ("value", "block_id", "action_id", "url"):
            assert "EVIL" not in str(found.get(key, ""))
        if found.get("type") in {"link", "broadcast", "channel", "usergroup"}:
            pytest.fail(f"{found['type']} is never drawn")
    for text in strings(payload):
        assert not any(unicodedata.category(c) in {"Cf", "Cc"} and c != "\n" for c in text), ascii(text)


def checked(message: Message) -> dict[str, Any]:
    """The payload of a message that Slack takes and nobody can abuse."""
    payload = message.payload()
    assert limits.check_message(payload) == []
    safe(payload)
    assert not set("<>") & set(payload["text"])
    assert not re.search(r"&(?!amp;|lt;|gt;)", payload["text"])
    assert 0 < len(payload["text"]) <= 4000
    assert payload["unfurl_links"] is False
    assert payload["unfurl_media"] is False
    for found in nodes(payload["blocks"]):
        if found.get("type") == "button":
            assert found["action_id"] in ACTIONS or _BUTTON.fullmatch(found["action_id"])
            assert found["value"].isdigit()
            assert len(found["text"]["text"]) <= 75
        if found.get("type") == "external_select":
            assert found["action_id"] in ACTIONS
    return payload


def weight(node: Any) -> int:
    """Characters of all texts."""
    return sum(len(n["text"]) for n in nodes(node) if isinstance(n.get("text"), str))
