"""Whether a post whose answer was lost stands in Slack: looked for by the outbox id in its metadata. Knows no table.

Source: docs.slack.dev, conversations.history and conversations.replies (`include_all_metadata`); the scopes are optional.
"""

from __future__ import annotations

from datetime import datetime

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from handlers.access import NoAnswer
from handlers.blocks.kit import Json
from handlers.refusals import refusal_of

_ROWS = 200
"""Messages that are looked through: those since it was sent, so a handful."""


def find(client: WebClient, place: Json, outbox_id: int, since: datetime) -> tuple[str, str] | None:
    """Its channel and timestamp; None where it is not there, or nobody may look.

    `place` is where it was to go: a channel, or a person, and perhaps a thread. Raises NoAnswer where Slack is silent.
    """
    try:
        channel = str(place["channel"])
        if channel.startswith(("U", "W")):
            channel = str(client.conversations_open(users=channel)["channel"]["id"])
        found = _read(client, channel, str(place.get("thread_ts") or ""), f"{since.timestamp():.6f}")
    except SlackApiError as error:
        word = refusal_of(error)
        if word.wait or word.unknown:
            raise NoAnswer(word.error) from error
        return None
    except Exception as error:
        raise NoAnswer(type(error).__name__) from error
    for message in found:
        payload = (message.get("metadata") or {}).get("event_payload") or {}
        if payload.get("outbox") == outbox_id:
            return channel, str(message["ts"])
    return None


def _read(client: WebClient, channel: str, thread: str, oldest: str) -> list[Json]:
    if thread:
        answer = client.conversations_replies(
            channel=channel, ts=thread, oldest=oldest, limit=_ROWS, include_all_metadata=True
        )
    else:
        answer = client.conversations_history(
            channel=channel, oldest=oldest, limit=_ROWS, include_all_metadata=True
        )
    return list(answer.get("messages") or [])
