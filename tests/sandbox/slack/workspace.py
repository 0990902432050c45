"""A Slack workspace in memory: people, channels, messages, views, files; and what a person can do in it."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.slack import views
from tests.sandbox.slack.limits import check_options
from tests.sandbox.slack.states import field_of, state_of, values_of

Json = dict[str, Any]
TEAM, BOT_USER, BOT_TOKEN, APP_TOKEN, SECRET = (
    "T0SANDBOX01",
    "U0IAMAUDIT1",
    "xoxb-sandbox-token",
    "xapp-sandbox-token",
    "s3cr3t-for-signing",
)
SCOPES = "commands chat:write users:read channels:read groups:read files:write usergroups:read channels:history groups:history im:history im:write"


@dataclass(slots=True)
class Fault:
    """What happens to a call: an error word, a status, a lost answer."""

    method: str
    error: str = ""
    status: int = 0
    retry_after: int = 0
    drop: str = ""  # before | after
    hang: float = 0.0
    body: bytes = b""
    times: int = 1
    skip: int = 0
    when: Callable[[Json], bool] | None = None

    def takes(self, method: str, args: Json) -> bool:
        if self.method not in {"*", method} or (self.when and not self.when(args)):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass(frozen=True, slots=True)
class Call:
    """One Web API call as it arrived, and what was answered."""

    method: str
    args: Json
    answer: Json


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for something that a person did."""

    ok: bool
    body: Json | None
    ms: float
    sent: tuple[str, Json]  # the type and payload, to deliver again
    envelope_id: str = ""


@dataclass(slots=True)
class State:
    """Everything that Slack remembers."""

    users: dict[str, Json] = field(default_factory=dict)
    channels: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    messages: dict[str, list[Json]] = field(default_factory=dict)
    ephemerals: list[Json] = field(default_factory=list)
    views: dict[str, Json] = field(default_factory=dict)
    open_views: dict[str, list[str]] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)
    triggers: dict[str, tuple[float, str]] = field(default_factory=dict)
    response_urls: dict[str, Json] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    scopes: set[str] = field(default_factory=lambda: set(SCOPES.split()))
    refuse_blocks: set[str] = field(default_factory=set)
    files_allowed: bool = True
    last_ts: float = 0.0
    changes: int = 0


class Workspace:
    """The state with its doors: seeding, acting, looking, faults. `server.py` puts it on a port."""

    team_id, bot_user_id, bot_token, app_token, signing_secret = TEAM, BOT_USER, BOT_TOKEN, APP_TOKEN, SECRET

    def __init__(self) -> None:
        self.state = State()
        self.clock: Callable[[], float] = time.time
        self.changed = threading.Condition()
        self.faults: list[Fault] = []
        self.hook: Callable[[str, str], Fault | None] | None = None
        self.url = ""
        self.http_url = ""
        self.send_envelope: Callable[[str, Json, str, float], Json | None] = lambda *_: None
        self.add_user(BOT_USER, "iam-audit", bot=True)

    # -- seeding -------------------------------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    def add_user(
        self,
        user: str,
        name: str,
        *,
        restricted: bool = False,
        bot: bool = False,
        deleted: bool = False,
        team_id: str = TEAM,
    ) -> None:
        self.state.users[user] = {
            "id": user, "name": name, "real_name": name.title(), "team_id": team_id, "deleted": deleted, "is_bot": bot,
            "is_restricted": restricted, "is_ultra_restricted": False, "tz": "Europe/Stockholm",
        }  # fmt: skip

    def add_channel(
        self,
        channel: str,
        name: str,
        *,
        members: list[str],
        bot: bool = True,
        private: bool = False,
        shared: bool = False,
        archived: bool = False,
    ) -> None:
        self.state.channels[channel] = {
            "id": channel, "name": name, "members": [*members, *([BOT_USER] if bot else [])], "is_private": private,
            "is_ext_shared": shared, "is_archived": archived,
        }  # fmt: skip

    def add_usergroup(self, group: str, handle: str, users: list[str]) -> None:
        self.state.groups[group] = {"id": group, "handle": handle, "users": users}

    def dm_of(self, user: str) -> str:
        """The id of the bot's direct message with a person."""
        channel = f"D{user[1:]}"
        self.state.channels.setdefault(
            channel, {"id": channel, "name": user, "members": [user, BOT_USER], "is_im": True, "user": user}
        )
        return channel

    def touch(self) -> None:
        """Something changed: wake whoever waits."""
        with self.changed:
            self.state.changes += 1
            self.changed.notify_all()

    def next_ts(self) -> str:
        self.state.last_ts = max(self.clock(), self.state.last_ts + 0.00001)
        return f"{self.state.last_ts:.6f}"

    def trigger(self, user: str) -> str:
        made = f"{len(self.state.triggers) + 1}.{uuid.uuid4().hex[:12]}"
        self.state.triggers[made] = (time.monotonic(), user)
        return made

    def fail(self, method: str, **fault: Any) -> Fault:
        made = Fault(method, **fault)
        self.faults.append(made)
        return made

    # -- looking -------------------------------------------------------------------------------------------------

    def messages(self, channel: str) -> list[Json]:
        return [
            m
            for m in copy.deepcopy(self.state.messages.get(channel, []))
            if m.get("thread_ts") in {None, m["ts"]}
        ]

    def thread(self, channel: str, ts: str) -> list[Json]:
        return [
            m
            for m in copy.deepcopy(self.state.messages.get(channel, []))
            if m.get("thread_ts") == ts and m["ts"] != ts
        ]

    def dms(self, user: str) -> list[Json]:
        return self.messages(self.dm_of(user))

    def ephemerals(self, user: str) -> list[Json]:
        return [e for e in copy.deepcopy(self.state.ephemerals) if e["to"] == user]

    def view(self, user: str) -> Json | None:
        stack = self.state.open_views.get(user) or []
        return copy.deepcopy(self.state.views[stack[-1]]) if stack else None

    def methods(self) -> list[str]:
        return [c.method for c in self.state.calls]

    def wait(self, found: Callable[[], Any], timeout: float = 8.0) -> Any:
        """What `found` returns once it is something. It may ask the app: nothing is held while it looks."""
        until = time.monotonic() + timeout
        while True:
            seen = self.state.changes
            value = found()
            if value:
                return value
            left = until - time.monotonic()
            if left <= 0:
                tail = "\n".join(
                    f"{c.method} {str(c.args.get('text', ''))[:120]} -> {c.answer.get('ok')} {c.answer.get('error', '')}"
                    for c in self.state.calls[-12:]
                )
                raise AssertionError(f"not within {timeout} s; the last calls:\n{tail}")
            with self.changed:
                if self.state.changes == seen:
                    self.changed.wait(min(left, 0.2))

    # -- acting --------------------------------------------------------------------------------------------------

    def command(self, user: str, channel: str, text: str, wait: float = 3.0) -> Reply:
        payload = {
            "token": "t", "team_id": self.state.users[user]["team_id"], "team_domain": "sandbox", "channel_id": channel,
            "channel_name": "directmessage" if channel.startswith("D") else self.state.channels[channel]["name"],
            "user_id": user, "user_name": self.state.users[user]["name"], "command": "/iam-audit", "text": text,
            "api_app_id": "A0SANDBOX", "is_enterprise_install": "false",
            "response_url": self._response_url(channel, user), "trigger_id": self.trigger(user),
        }  # fmt: skip
        reply = self.deliver("slash_commands", payload, wait)
        if reply.body and (reply.body.get("text") or reply.body.get("blocks")):
            self.say_privately(user, channel, reply.body)
        return reply

    def _response_url(self, channel: str, user: str) -> str:
        key = uuid.uuid4().hex
        self.state.response_urls[key] = {"channel": channel, "user": user, "left": 5}
        return f"{self.url}/respond/{key}"

    def say_privately(self, user: str, channel: str, body: Json) -> None:
        made = {
            "to": user,
            "channel": channel,
            "ts": self.next_ts(),
            "text": body.get("text", ""),
            "blocks": body.get("blocks", []),
            "ephemeral": True,
        }
        if body.get("thread_ts"):
            made["thread_ts"] = body["thread_ts"]
        self.state.ephemerals.append(made)
        self.touch()

    def _person(self, user: str) -> Json:
        known = self.state.users[user]
        return {"id": user, "name": known["name"], "username": known["name"], "team_id": known["team_id"]}

    def click(
        self,
        user: str,
        place: str,
        action_id: str,
        *,
        ts: str = "",
        option: Any = None,
        block_id: str = "",
        entered: dict[str, Json] | None = None,
    ) -> Reply:
        """Press the element with this action id in a message (of a channel) or in an open view.

        `entered` is what the view's fields hold: {block_id: {action_id: value}}.
        """
        holder, container = self._holder(user, place, ts)
        block, element = self._element(holder, action_id, block_id)
        action: Json = {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "type": element["type"],
            "action_ts": self.next_ts(),
        }
        if element["type"] == "button":
            action |= {"value": element.get("value", ""), "text": element["text"]}
        elif field_of(element) == "selected_option" and not isinstance(option, dict):
            action["selected_option"] = {"text": {"type": "plain_text", "text": "x"}, "value": str(option)}
        else:
            action |= state_of(element, option)
        payload: Json = {
            "type": "block_actions", "user": self._person(user), "team": {"id": self.state.users[user]["team_id"], "domain": "sandbox"},
            "api_app_id": "A0SANDBOX", "token": "t", "trigger_id": self.trigger(user), "container": container, "actions": [action],
            "response_url": self._response_url(place, user),
        }  # fmt: skip
        if "view_id" in container:
            payload["view"] = {**holder, "state": {"values": values_of(holder, entered)}}
        else:
            payload |= {"channel": {"id": place, "name": "x"}, "message": holder}
        return self.deliver("interactive", payload)

    def _holder(self, user: str, place: str, ts: str) -> tuple[Json, Json]:
        if place in self.state.views:
            return self.state.views[place], {"type": "view", "view_id": place}
        pool = [
            *self.state.messages.get(place, []),
            *(e for e in self.state.ephemerals if e["to"] == user and e["channel"] == place),
        ]
        found = next(m for m in reversed(pool) if not ts or m["ts"] == ts)
        return found, {
            "type": "message",
            "message_ts": found["ts"],
            "channel_id": place,
            "is_ephemeral": bool(found.get("ephemeral")),
        }

    @staticmethod
    def _element(holder: Json, action_id: str, block_id: str = "") -> tuple[Json, Json]:
        for n, block in enumerate(holder["blocks"]):
            block.setdefault("block_id", f"b{n}")
            if block_id and block["block_id"] != block_id:
                continue
            parts = [
                *block.get("elements", []),
                *([block["accessory"]] if "accessory" in block else []),
                *([block["element"]] if "element" in block else []),
            ]
            for part in parts:
                if part.get("action_id") == action_id or (
                    action_id.endswith("*") and str(part.get("action_id", "")).startswith(action_id[:-1])
                ):
                    return block, part
        raise AssertionError(f"no {action_id} among {[b.get('type') for b in holder['blocks']]}")

    def suggest(
        self, user: str, place: str, action_id: str, text: str, *, ts: str = "", block_id: str = ""
    ) -> Reply:
        holder, container = self._holder(user, place, ts)
        block, element = self._element(holder, action_id, block_id)
        payload: Json = {
            "type": "block_suggestion", "user": self._person(user), "team": {"id": self.state.users[user]["team_id"], "domain": "sandbox"},
            "api_app_id": "A0SANDBOX", "token": "t", "container": container, "action_id": element["action_id"],
            "block_id": block["block_id"], "value": text,
        }  # fmt: skip
        if "view_id" in container:
            payload["view"] = {**holder, "state": {"values": values_of(holder)}}
        reply = self.deliver("interactive", payload)
        self.state.problems += [f"options of {action_id}: {p}" for p in check_options(reply.body or {})]
        return reply

    def shortcut(self, user: str, callback_id: str) -> Reply:
        payload = {
            "type": "shortcut", "callback_id": callback_id, "user": self._person(user), "trigger_id": self.trigger(user), "token": "t",
            "team": {"id": self.state.users[user]["team_id"], "domain": "sandbox"}, "action_ts": self.next_ts(),
        }  # fmt: skip
        return self.deliver("interactive", payload)

    def submit(self, user: str, values: dict[str, Json]) -> Reply:
        """Send the top view; `values` is {block_id: the element's state}."""
        view = self.view(user)
        assert view is not None, "no view is open"
        state: Json = {}
        for block in view["blocks"]:
            if block["type"] == "input":
                element = block["element"]
                state[block["block_id"]] = {
                    element["action_id"]: {
                        "type": element["type"],
                        **state_of(element),
                        **values.get(block["block_id"], {}),
                    }
                }
        payload = {
            "type": "view_submission", "user": self._person(user), "team": {"id": self.state.users[user]["team_id"], "domain": "sandbox"},
            "api_app_id": "A0SANDBOX", "token": "t", "trigger_id": self.trigger(user), "view": {**view, "state": {"values": state}},
        }  # fmt: skip
        reply = self.deliver("interactive", payload)
        if reply.ok:
            views.after_submit(self, user, view["id"], reply.body or {})
        return reply

    def close_view(self, user: str) -> None:
        stack = self.state.open_views.get(user) or []
        if stack:
            stack.pop()
        self.touch()

    def deliver(self, kind: str, payload: Json, wait: float = 3.0, envelope_id: str = "") -> Reply:
        """Over the socket, or signed over HTTP where `http_url` is set."""
        envelope_id = envelope_id or str(uuid.uuid4())
        started = time.perf_counter()
        body = (
            self._by_http(kind, payload, wait)
            if self.http_url
            else self.send_envelope(kind, payload, envelope_id, wait)
        )
        ms = (time.perf_counter() - started) * 1000
        return Reply(body is not None, body, ms, (kind, payload), envelope_id)

    def redeliver(self, reply: Reply) -> Reply:
        """The same thing once more."""
        return self.deliver(*reply.sent, envelope_id=reply.envelope_id)

    def _by_http(self, kind: str, payload: Json, wait: float) -> Json | None:
        fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
        event = kind == "events_api"  # events come as JSON, everything else as a form
        body = json.dumps(payload).encode() if event else urllib.parse.urlencode(fields).encode()
        stamp = str(int(time.time()))
        signed = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            self.http_url,
            data=body,
            headers={
                "Content-Type": "application/json" if event else "application/x-www-form-urlencoded",
                "X-Slack-Request-Timestamp": stamp,
                "X-Slack-Signature": f"v0={signed}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=wait) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        return dict(json.loads(text)) if text.startswith("{") else {}
