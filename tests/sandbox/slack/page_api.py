"""What the page asks of the workspace: who am I, what stands where, and what a person does. Local callers only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.sandbox.slack.workspace import BOT_USER, Json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


class PageApi:
    """Routes under /sandbox and the three files of the page."""

    def __init__(self, slack: Any, knobs: list[Json]) -> None:
        self.slack = slack
        self.knobs = knobs

    def routes(self) -> list[web.RouteDef]:
        posts = ("command", "click", "suggest", "submit", "close", "shortcut", "dismiss", "knob")
        gets = ("state", "messages", "thread", "view", "events", "file")
        return [
            *(web.post(f"/sandbox/{name}", self._guarded(getattr(self, name))) for name in posts),
            *(web.get(f"/sandbox/{name}", self._guarded(getattr(self, name))) for name in gets),
            web.get("/", self.page),
            web.get("/{name:app.js|blocks.js|style.css}", self.page),
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

        path = PAGE / request.match_info.get("name", "index.html")
        return web.Response(
            body=path.read_bytes(),
            content_type=_TYPES[path.suffix],
            charset="utf-8",
            headers={"Cache-Control": "no-store"},
        )

    # -- looking -------------------------------------------------------------------------------------------------

    async def state(self, request: web.Request) -> web.StreamResponse:
        user = request.query["user"]
        state = self.slack.state
        self.slack.dm_of(user)
        channels = [
            {
                "id": c["id"],
                "name": "IAM Audit" if c.get("is_im") else c["name"],
                "kind": "dm" if c.get("is_im") else "private" if c.get("is_private") else "channel",
                "bot": BOT_USER in c["members"],
                "shared": bool(c.get("is_ext_shared")),
                "archived": bool(c.get("is_archived")),
            }
            for c in state.channels.values()
            if user in c["members"]
        ]
        users = [
            {k: u[k] for k in ("id", "name", "real_name", "deleted", "is_bot", "is_restricted")}
            for u in state.users.values()
        ]
        knobs = [
            {k: v for k, v in knob.items() if k not in {"get", "set"}} | {"value": knob["get"]()}
            for knob in self.knobs
        ]
        groups = {g["id"]: g["handle"] for g in state.groups.values()}
        return web.json_response(
            {
                "me": user,
                "channels": channels,
                "users": users,
                "groups": groups,
                "knobs": knobs,
                "bot": bool(self.slack.sockets or self.slack.http_url),
            }
        )

    async def messages(self, request: web.Request) -> web.StreamResponse:
        user, channel = request.query["user"], request.query["channel"]
        rows = self.slack.messages(channel)
        for row in rows:
            row["replies"] = len(self.slack.thread(channel, row["ts"]))
        rows += [e for e in self.slack.ephemerals(user) if e["channel"] == channel]
        return web.json_response({"messages": sorted(rows, key=lambda m: float(m["ts"]))})

    async def thread(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        parent = [m for m in self.slack.messages(query["channel"]) if m["ts"] == query["ts"]]
        return web.json_response({"messages": [*parent, *self.slack.thread(query["channel"], query["ts"])]})

    async def view(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"view": self.slack.view(request.query["user"])})

    async def file(self, request: web.Request) -> web.StreamResponse:
        found = self.slack.state.files[request.query["id"]]
        kind = {"png": "image/png", "csv": "text/csv", "json": "application/json"}[
            found["name"].rpartition(".")[2]
        ]
        disposition = "inline" if kind == "image/png" else f'attachment; filename="{found["name"]}"'
        return web.Response(
            body=found["content"], content_type=kind, headers={"Content-Disposition": disposition}
        )

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
                    await answer.write(f"data: {seen}\n\n".encode())
                await asyncio.sleep(0.1)
        except (ConnectionError, asyncio.CancelledError):
            return answer

    # -- acting --------------------------------------------------------------------------------------------------

    async def _act(self, work: Callable[[], Any]) -> web.StreamResponse:
        """The workspace acts as a person would, in a thread: this loop has to carry the answer."""
        try:
            reply = await asyncio.to_thread(work)
        except AssertionError as error:
            return web.json_response({"ok": False, "error": str(error)})
        return web.json_response({"ok": reply.ok, "body": reply.body, "ms": round(reply.ms)})

    async def command(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = str(body["text"]).strip()
        if not text.startswith("/iam-audit"):
            self.slack.state.messages.setdefault(body["channel"], []).append(
                {"user": body["user"], "ts": self.slack.next_ts(), "text": text, "blocks": [], "plain": True}
            )
            self.slack.touch()
            return web.json_response({"ok": True})
        return await self._act(
            lambda: self.slack.command(body["user"], body["channel"], text.removeprefix("/iam-audit").strip())
        )

    async def click(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return await self._act(
            lambda: self.slack.click(
                body["user"],
                body["place"],
                body["action_id"],
                ts=body.get("ts", ""),
                option=body.get("option"),
            )
        )

    async def suggest(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return await self._act(
            lambda: self.slack.suggest(
                body["user"], body["place"], body["action_id"], body["text"], ts=body.get("ts", "")
            )
        )

    async def submit(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return await self._act(lambda: self.slack.submit(body["user"], body["values"]))

    async def close(self, request: web.Request) -> web.StreamResponse:
        self.slack.close_view((await request.json())["user"])
        return web.json_response({"ok": True})

    async def shortcut(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return await self._act(lambda: self.slack.shortcut(body["user"], body["callback_id"]))

    async def dismiss(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        state = self.slack.state
        state.ephemerals[:] = [
            e for e in state.ephemerals if not (e["to"] == body["user"] and e["ts"] == body["ts"])
        ]
        self.slack.touch()
        return web.json_response({"ok": True})

    async def knob(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        knob = next(k for k in self.knobs if k["id"] == body["id"])
        await asyncio.to_thread(knob["set"], body["value"])
        self.slack.touch()
        return web.json_response({"ok": True})
