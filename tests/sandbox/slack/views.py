"""Forms and Homes: how the workspace keeps them, and what a submission's answer does to them."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from tests.sandbox.slack.limits import check_view

Json = dict[str, Any]


def hold(ws: Any, view: Json, view_id: str = "") -> Json:
    """Keep a view as Slack does, under a new id or in the place of an old one."""
    made = {
        **copy.deepcopy(view),
        "id": view_id or f"V{uuid.uuid4().hex[:10].upper()}",
        "hash": uuid.uuid4().hex[:8],
        "team_id": ws.team_id,
    }
    for n, block in enumerate(made["blocks"]):
        block.setdefault("block_id", f"b{n}{uuid.uuid4().hex[:4]}")
    ws.state.views[made["id"]] = made
    return made


def after_submit(ws: Any, user: str, view_id: str, body: Json) -> None:
    """What the acknowledgement asks for: https://docs.slack.dev/surfaces/modals#response_actions."""
    how, stack = body.get("response_action"), ws.state.open_views.setdefault(user, [])
    if how in {"update", "push"}:
        ws.state.problems += check_view(body["view"])
        made = hold(ws, body["view"], view_id if how == "update" else "")
        if how == "push":
            stack.append(made["id"])
    elif how == "clear":
        stack.clear()
    elif not how and view_id in stack:
        stack.remove(view_id)
    ws.touch()


def home(ws: Any, user: str) -> Json | None:
    """The Home that the app has published for a person."""
    found = ws.state.homes.get(user)
    return copy.deepcopy(ws.state.views[found]) if found else None


def open_home(ws: Any, user: str) -> Any:
    """A person looks at the app's Home: the app hears of it."""
    event = {
        "type": "app_home_opened",
        "user": user,
        "channel": ws.dm_of(user),
        "tab": "home",
        "event_ts": ws.next_ts(),
    }
    payload = {
        "type": "event_callback",
        "token": "t",
        "team_id": ws.team_id,
        "api_app_id": "A0SANDBOX",
        "event": event,
        "event_id": f"Ev{uuid.uuid4().hex[:8].upper()}",
    }
    return ws.deliver("events_api", payload)
