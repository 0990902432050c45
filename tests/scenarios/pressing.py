"""Presses of buttons that the card does not show (any more), and forms that somebody held open: old windows have both."""

from __future__ import annotations

import uuid
from datetime import timedelta

from tests.sandbox import world as story
from tests.sandbox.slack import Reply
from tests.scenarios.stage import Json, Stage, words

FORMS = ("ticket.reject", "ticket.keep", "ticket.rollback")
STATE_OF_A_TICKET = "SELECT * FROM ticket ORDER BY id"


def button(
    stage: Stage,
    action_id: str,
    row: int | str,
    user: str,
    channel: str = story.SECURITY,
    *,
    settle: bool = True,
) -> Reply:
    """Press a button of an old card; `row` is the ticket (or request) that it names."""
    slack = stage.slack
    payload = {
        "type": "block_actions", "user": slack._person(user), "team": {"id": slack.state.users[user]["team_id"], "domain": "x"},
        "api_app_id": "A0SANDBOX", "token": "t", "trigger_id": slack.trigger(user),
        "container": {"type": "message", "message_ts": "1.0", "channel_id": channel},
        "channel": {"id": channel, "name": "x"}, "message": {"ts": "1.0", "blocks": []}, "response_url": f"{slack.url}/respond/none",
        "actions": [{"action_id": action_id, "block_id": "b", "type": "button", "action_ts": slack.next_ts(), "value": str(row),
                     "text": {"type": "plain_text", "text": "x"}}],
    }  # fmt: skip
    reply = slack.deliver("interactive", payload)
    if settle:
        stage.settle()
    return reply


def until(stage: Stage, days: int = 30) -> str:
    return (stage.now + timedelta(days=days)).date().isoformat()


def form(
    stage: Stage, callback: str, row: int | str, user: str, *, reason: str = "because", day: str = "",
    services: tuple[str, ...] = (), settle: bool = True,
) -> Reply:  # fmt: skip
    """Send a form that was opened before: Slack checks nothing of it."""
    slack = stage.slack
    values: Json = {"reason": {f"{callback}.reason": {"type": "plain_text_input", "value": reason}}}
    if callback == "ticket.keep":
        picked = [{"text": {"type": "plain_text", "text": s}, "value": f"s:{s}"} for s in services]
        values["services"] = {"ticket.keep.services": {"selected_options": picked}}
        values["until"] = {"ticket.keep.until": {"selected_date": day or until(stage)}}
    view = {
        "id": f"V{uuid.uuid4().hex[:10].upper()}", "hash": "h", "type": "modal", "callback_id": callback,
        "private_metadata": str(row), "blocks": [], "state": {"values": values},
    }  # fmt: skip
    payload = {
        "type": "view_submission", "user": slack._person(user), "team": {"id": slack.state.users[user]["team_id"], "domain": "x"},
        "api_app_id": "A0SANDBOX", "token": "t", "trigger_id": slack.trigger(user), "view": view,
    }  # fmt: skip
    reply = slack.deliver("interactive", payload)
    if settle:
        stage.settle()
    return reply


def told(stage: Stage, user: str, since: int = 0) -> str:
    """Everything that only this person was told, as one text: in a channel, or by direct message."""
    heard = [*stage.slack.ephemerals(user), *stage.slack.dms(user)]
    return "\n".join(f"{words(m)} {m['text']}" for m in heard[since:])


def heard(stage: Stage, user: str) -> int:
    """How often this person was told something alone."""
    return len(stage.slack.ephemerals(user)) + len(stage.slack.dms(user))


def last_told(stage: Stage, user: str) -> str:
    """The last thing that only this person was told."""
    found = [*stage.slack.ephemerals(user), *stage.slack.dms(user)]
    last = max(found, key=lambda m: float(m["ts"]))
    return f"{words(last)} {last['text']}"


def state(stage: Stage, ticket: int = 0) -> str:
    """The state of a ticket; of the newest one unless said."""
    rows = stage.rows("SELECT id, state FROM ticket ORDER BY id")
    return str(next(r["state"] for r in reversed(rows) if not ticket or r["id"] == ticket))


def said_in_log(stage: Stage) -> list[str]:
    return [str(r["verb"]) for r in stage.rows("SELECT verb FROM log ORDER BY id")]
