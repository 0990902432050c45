"""What Slack answers instead of ok: its words sorted by what helps, and the SDK's errors read as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError

PLAINER = {
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "invalid_attachments",
    "invalid_arguments",
    "metadata_too_large",
    "invalid_metadata_format",
    "no_text",
}
"""Words after which a message is drawn plainer."""

ELSEWHERE = {
    "channel_not_found": "not_joined",
    "not_in_channel": "not_joined",
    "restricted_action": "not_joined",
    "restricted_action_read_only_channel": "not_joined",
    "restricted_action_thread_only_channel": "not_joined",
    "is_archived": "archived",
    "user_not_in_channel": "not_joined",
    "channel_type_not_supported": "not_joined",
    "team_access_not_granted": "shared",
}
"""Words after which it goes elsewhere, and why, as a word of ours."""


GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}
"""Words that say that the message is not there any more."""

PASSING = {
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
    "message_limit_exceeded",
}
"""Words that may pass: the effect may have taken place."""

TOKEN = {
    "invalid_auth",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_authed",
    "missing_scope",
    "no_permission",
}
"""Words that say that nothing can be said until the operator mends the app."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Slack answered instead of ok: its word, seconds to wait, and whether the effect may have happened."""

    error: str
    wait: float = 0.0
    unknown: bool = False


def refusal_of(error: Exception) -> Refusal:
    """Read an SDK error."""
    if not isinstance(error, SlackApiError):
        # Nothing was sent where no connection was made; everything else may have arrived.
        refused = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
        return Refusal(type(error).__name__, unknown=not refused)
    response: Any = error.response
    status = getattr(response, "status_code", 200)
    if status == 429:  # HTTP's own number
        return Refusal("ratelimited", wait=_seconds(getattr(response, "headers", {})))
    if status >= 500:
        return Refusal(f"http {status}", unknown=True)
    try:
        word = str(response.get("error") or "unknown_error")
    except (AttributeError, TypeError, ValueError):
        return Refusal("unreadable answer", unknown=True)
    if word == "ratelimited":
        return Refusal(word, wait=30.0)
    # The SDK writes a sentence where Slack's word should be when it could not read the answer: it may be done.
    return Refusal(word, unknown=word in PASSING or word == "unknown_error" or not word.isidentifier())


def _seconds(headers: Any) -> float:
    found = {str(k).lower(): v for k, v in dict(headers).items()}.get("retry-after", "30")
    value = found[0] if isinstance(found, list) else found
    return max(1.0, float(value)) if str(value).replace(".", "", 1).isdigit() else 30.0
