"""What the page asks of the workspace: who am I, what stands where, and what a person does. Local callers only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.sandbox.slack import views
from tests.sandbox.slack.states import field_of, values_of
from tests.sandbox.slack.workspace import BOT_USER, Json, Reply

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
COMMAND = "/iam-audit"
_PAGE = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FILES = {"png": "image/png", "csv": "text/csv", "json": "application/json"}
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class PageApi:
    """Routes under /sandbox and the files of the page."""

    def __init__(self, slack: Any, knobs: list[Json]) -> None:
        self.slack = slack
        self.knobs = knobs

    def routes(self) -> list[web.RouteDef]:
        posts = ("command", "click", "suggest", "submit", "close", "shortcut", "home", "dismiss", "knob")
        gets = ("state", "messages", "thread", "view", "events")
        return [
            *(web.post(f"/sandbox/{name}", self._guarded(getattr(self, name))) for name in posts),
            *(web.get(f"/sandbox/{name}", self._guarded(getattr(self, name))) for name in gets),
            web.get("/sandbox/knobs", self._guarded(self.turns)),
            web.get("/sandbox/home", self._guarded(self.home_view)),
            web.get("/sandbox/file/{id}", self._guarded(self.file)),
            web.get("/{name:[a-z]*(?:\\.[a-z]+)?}", self._guarded(self.page)),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        """Only this machine, and no page of another origin."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            origin = request.headers.get("Origin")
            local = (request.host or "").partition(":")[0] in {"127.0.0.1", "localhost"}
            if not local or (origin and origin != f"http://{request.host}"):
                return web.Response(status=403, text="local only")
            return await handler(request)

        return guarded

    async def page(self, request: web.Request) -> web.StreamResponse:
        from tests.sandbox.slack.server import PAGE

        path = PAGE / (request.match_info["name"] or "index.html")
        if path.suffix not in _PAGE or not path.is_file():
            raise web.HTTPNotFound
        return web.Response(
            body=path.read_bytes(), content_type=_PAGE[path.suffix], charset="utf-8", headers=_HEADERS
        )

    # -- looking -------------------------------------------------------------------------------------------------

    async def state(self, request: web.Request) -> web.StreamResponse:
        user, state = request.query["user"], self.slack.state
        if user not in state.users:
            return web.json_response({"error": f"there is no person {user}"}, status=404)
        self.slack.dm_of(user)
        people = [_person(u, self.slack.team_id) for u in state.users.values() if not u["is_bot"]]
        told = {
            "team": {"id": self.slack.team_id, "name": "Sandbox"},
            "me": _person(state.users[user], self.slack.team_id),
            "users": people,
            "usergroups": [
                {"id": g["id"], "handle": g["handle"], "mine": user in g["users"]}
                for g in state.groups.values()
            ],
            "channels": [_channel(c) for c in state.channels.values() if user in c["members"]],
            "bot": {
                "id": BOT_USER,
                "name": "IAM Audit",
                "connected": bool(self.slack.sockets or self.slack.http_url),
            },
        }
        return web.json_response(told)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        user, channel = request.query["user"], request.query["channel"]
        self._visible(user, channel)
        counted = [
            m | {"reply_count": len(self.slack.thread(channel, m["ts"]))}
            for m in self.slack.messages(channel)
        ]
        private = self._private(user, channel, None)
        rows = sorted([*counted, *private], key=lambda m: float(m["ts"]))
        return web.json_response({"messages": [_message(m) for m in rows]})

    async def thread(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        self._visible(query["user"], query["channel"])
        parent = [m for m in self.slack.messages(query["channel"]) if m["ts"] == query["ts"]]
        replies = [
            *self.slack.thread(query["channel"], query["ts"]),
            *self._private(query["user"], query["channel"], query["ts"]),
        ]
        rows = [*parent, *sorted(replies, key=lambda m: float(m["ts"]))]
        return web.json_response({"messages": [_message(m) for m in rows]})

    def _private(self, user: str, channel: str, thread: str | None) -> list[Json]:
        """What only this person sees there, outside of threads or in one."""
        return [
            e for e in self.slack.ephemerals(user) if e["channel"] == channel and e.get("thread_ts") == thread
        ]

    def _visible(self, user: str, channel: str) -> None:
        if user not in self.slack.state.channels.get(channel, {"members": []})["members"]:
            raise web.HTTPNotFound

    async def view(self, request: web.Request) -> web.StreamResponse:
        view = self.slack.view(request.query["user"])
        if view is None:
            return web.json_response(None)
        depth = len(self.slack.state.open_views[request.query["user"]])
        return web.json_response(view | {"state": {"values": values_of(view)}, "depth": depth})

    async def home_view(self, request: web.Request) -> web.StreamResponse:
        view = views.home(self.slack, request.query["user"])
        return web.json_response(view and view | {"state": {"values": values_of(view)}})

    async def file(self, request: web.Request) -> web.StreamResponse:
        found = self.slack.state.files.get(request.match_info["id"])
        if found is None or not found["shared"]:
            raise web.HTTPNotFound
        self._visible(request.query["user"], found["channel"])
        kind = _FILES.get(found["name"].rpartition(".")[2], "application/octet-stream")
        return web.Response(body=found["content"], content_type=kind, headers=_HEADERS)

    async def events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await answer.prepare(request)
        seen = -1
        try:
            while True:
                if self.slack.state.changes != seen:
                    seen = self.slack.state.changes
                    await answer.write(f"data: {json.dumps({'kind': 'change', 'count': seen})}\n\n".encode())
                await asyncio.sleep(0.1)
        except (ConnectionError, asyncio.CancelledError):
            return answer

    # -- acting --------------------------------------------------------------------------------------------------

    async def _do(self, work: Callable[[], Reply]) -> Json:
        """The workspace acts as a person would, in a thread: this loop has to carry the answer."""
        try:
            reply = await asyncio.to_thread(work)
        except AssertionError as error:
            return {"ok": False, "body": None, "error": str(error)}
        told: Json = {"ok": reply.ok, "body": reply.body, "ms": round(reply.ms)}
        return told if reply.ok else told | {"error": "operation_timeout"}

    async def command(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()
        user, channel, text = told["user"], told["channel"], str(told["text"]).strip()
        name, _, rest = text.partition(" ")
        if not text.startswith("/"):
            plain = {"user": user, "ts": self.slack.next_ts(), "text": text, "blocks": [], "plain": True}
            self.slack.state.messages.setdefault(channel, []).append(plain)
            self.slack.touch()
            return web.json_response({"ok": True})
        if name != COMMAND:
            return web.json_response({"ok": False, "error": f"{name} is not a valid command"})
        done = await self._do(lambda: self.slack.command(user, channel, rest.strip()))
        return web.json_response(
            done if done["ok"] else done | {"error": f"{name} failed with {done['error']}"}
        )

    def _place(self, told: Json) -> str:
        if told.get("home"):
            return str(self.slack.state.homes[told["user"]])
        view_id = told.get("view_id")
        if view_id and view_id not in self.slack.state.open_views.get(told["user"], []):
            raise web.HTTPNotFound  # a form is one person's
        return str(view_id or told["channel"])

    async def click(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()
        more = {"ts": told.get("ts") or "", "block_id": told.get("block_id") or ""}
        place, option, entered = self._place(told), told.get("option"), told.get("values")
        done = await self._do(
            lambda: self.slack.click(
                told["user"], place, told["action_id"], option=option, entered=entered, **more
            )
        )
        return web.json_response(done)

    async def suggest(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()
        more = {"ts": told.get("ts") or "", "block_id": told.get("block_id") or ""}
        place, text = self._place(told), told["text"]
        done = await self._do(
            lambda: self.slack.suggest(told["user"], place, told["action_id"], text, **more)
        )
        return web.json_response(done["body"] if done["ok"] else {"error": done["error"]})

    async def submit(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()
        view = self.slack.view(told["user"])
        if view is None or view["id"] != told["view_id"]:
            return web.json_response({"ok": False, "error": "this form is not open any more"})
        held = values_of(view, told["values"])
        inputs = {b["block_id"]: b for b in view["blocks"] if b["type"] == "input"}
        values = {name: held[name][block["element"]["action_id"]] for name, block in inputs.items()}
        missing = {
            name: "Please complete this required field."
            for name, block in inputs.items()
            if not block.get("optional") and not values[name][field_of(block["element"])]
        }
        if missing:  # Slack's client says so itself and sends nothing
            return web.json_response({"ok": False, "errors": missing})
        done = await self._do(lambda: self.slack.submit(told["user"], values))
        body = done["body"] or {}
        wrong = body.get("errors") if body.get("response_action") == "errors" else None
        return web.json_response(done | ({"ok": False, "errors": wrong} if wrong else {}))

    async def close(self, request: web.Request) -> web.StreamResponse:
        self.slack.close_view((await request.json())["user"])
        return web.json_response({"ok": True})

    async def shortcut(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()
        return web.json_response(
            await self._do(lambda: self.slack.shortcut(told["user"], told["callback_id"]))
        )

    async def home(self, request: web.Request) -> web.StreamResponse:
        """The app is told that its Home is looked at. Nobody is told when it does not hear: so does Slack."""
        told = await request.json()
        await self._do(lambda: views.open_home(self.slack, told["user"]))
        return web.json_response({"ok": True})

    async def dismiss(self, request: web.Request) -> web.StreamResponse:
        told, state = await request.json(), self.slack.state
        state.ephemerals[:] = [
            e for e in state.ephemerals if (e["to"], e["ts"]) != (told["user"], told["ts"])
        ]
        self.slack.touch()
        return web.json_response({"ok": True})

    def _seen(self, knob: Json) -> Json:
        seen = {k: v() if k == "options" else v for k, v in knob.items() if k not in {"get", "set"}}
        return seen | {"value": knob["get"]()}

    async def turns(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(await asyncio.to_thread(lambda: [self._seen(k) for k in self.knobs]))

    async def knob(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()
        knob = next(k for k in self.knobs if k["id"] == told["id"])
        try:
            done = await asyncio.to_thread(knob["set"], told["value"])
        except ValueError as error:
            return web.json_response({"ok": False, "error": str(error)})
        self.slack.touch()
        return web.json_response({"ok": True, "result": done if isinstance(done, str) else ""})


def _person(user: Json, team: str) -> Json:
    flags = {
        "deactivated": user["deleted"],
        "guest": user["is_restricted"],
        "other company": user["team_id"] != team,
    }
    hint = next((word for word, told in flags.items() if told), "")
    return {k: user[k] for k in ("id", "name", "real_name", "tz", "deleted")} | {"role": hint}


def _channel(channel: Json) -> Json:
    kind = "dm" if channel.get("is_im") else "private" if channel.get("is_private") else "channel"
    return {
        "id": channel["id"],
        "name": channel["name"],
        "kind": kind,
        "bot": BOT_USER in channel["members"],
        "shared": bool(channel.get("is_ext_shared")),
        "archived": bool(channel.get("is_archived")),
    }


def _message(message: Json) -> Json:
    return message | {
        "bot": message.get("user", BOT_USER) == BOT_USER,
        "ephemeral": bool(message.get("ephemeral")),
    }
