"""A workspace on a port: Web API, Socket Mode, uploads, response URLs, and the page with its own small API."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from concurrent.futures import TimeoutError as Late
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from tests.sandbox.slack.page_api import PageApi
from tests.sandbox.slack.web import Web
from tests.sandbox.slack.workspace import APP_TOKEN, BOT_TOKEN, Call, Fault, Json, Workspace

PAGE = Path(__file__).resolve().parent.parent / "page"


class Slack(Workspace):
    """A workspace that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.api = Web(self)
        self.sockets: list[web.WebSocketResponse] = []
        self.transports: list[Any] = []
        self.waiting: dict[str, asyncio.Future[Json]] = {}
        self.send_envelope = self._send_envelope
        self.silent = False  # connections are accepted, and nothing is answered on any of them
        self.everywhere = False  # an envelope goes to every connection instead of any one
        self.socket_mode = True  # as in the app's settings
        self.acks: list[tuple[str, Json]] = []
        self._loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0
        self.knobs: list[Json] = []

    def start(self, port: int = 0) -> Slack:
        self._port = port
        self._thread.start()
        self._ready.wait(10)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self) -> Slack:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()

    async def _open(self) -> None:
        app = web.Application(client_max_size=32 * 2**20)
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._api),
                web.get("/link", self._link),
                web.post("/upload/{file}", self._uploaded),
                web.post("/respond/{key}", self._respond),
                *PageApi(self, self.knobs).routes(),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.url = f"http://127.0.0.1:{port}"

    async def _close(self) -> None:
        for ws in list(self.sockets):
            await ws.close()
        await self._runner.cleanup()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    # -- Web API -------------------------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args = await _arguments(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or str(args.get("token", ""))
        headers = {"x-oauth-scopes": ",".join(sorted(self.state.scopes))}
        if token != (APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN):
            return web.json_response(
                {"ok": False, "error": "invalid_auth" if token else "not_authed"}, headers=headers
            )
        fault = self._fault(method, args, "before")
        if fault:
            answered = await self._faulty(fault, request, method, args)
            if answered is not None:
                return answered
        if method == "apps.connections.open" and not self.socket_mode:
            answer: Json = {"ok": False, "error": "access_denied"}
        elif method == "apps.connections.open":
            answer = {"ok": True, "url": f"{self.url.replace('http', 'ws')}/link?ticket={time.time()}"}
        else:
            answer = self.api.call(method, args)
        self.state.calls.append(Call(method, args, answer))
        after = self._fault(method, args, "after") if self.hook else None
        lost = fault if fault and fault.drop == "after" else after
        if lost and lost.body:  # it was done, and the answer cannot be read
            self.touch()
            return web.Response(body=lost.body, content_type="application/json")
        if lost and lost.drop:
            _reset(request)
        self.touch()
        return web.json_response(answer, headers=headers)

    def _fault(self, method: str, args: Json, phase: str) -> Fault | None:
        if self.hook and method != "apps.connections.open":
            told = self.hook(method, phase)
            if told or phase == "after":
                return told
        return next((f for f in self.faults if f.takes(method, args)), None)

    async def _faulty(
        self, fault: Fault, request: web.Request, method: str, args: Json
    ) -> web.StreamResponse | None:
        if fault.hang:
            await asyncio.sleep(fault.hang)
        if fault.drop == "before":
            _reset(request)
        if fault.drop == "after" or fault.hang:
            return None
        self.state.calls.append(
            Call(method, args, {"ok": False, "error": fault.error or f"http {fault.status or 429}"})
        )
        self.touch()
        if fault.retry_after:
            return web.json_response(
                {"ok": False, "error": "ratelimited"},
                status=429,
                headers={"Retry-After": str(fault.retry_after)},
            )
        if fault.status:
            return web.Response(
                status=fault.status, text="<html>upstream trouble</html>", content_type="text/html"
            )
        if fault.body:
            return web.Response(body=fault.body, content_type="application/json")
        return web.json_response({"ok": False, "error": fault.error})

    async def _uploaded(self, request: web.Request) -> web.Response:
        self.state.files[request.match_info["file"]]["content"] = await request.read()
        return web.Response(text="OK")

    async def _respond(self, request: web.Request) -> web.Response:
        known = self.state.response_urls.get(request.match_info["key"])
        if known is None or known["left"] <= 0:
            return web.Response(status=404, text="expired_url")
        known["left"] -= 1
        self.say_privately(known["user"], known["channel"], await request.json())
        return web.Response(text="ok")

    # -- Socket Mode ---------------------------------------------------------------------------------------------

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        hello = {
            "type": "hello",
            "num_connections": len(self.sockets) + 1,
            "connection_info": {"app_id": "A0SANDBOX"},
            "debug_info": {"host": "sandbox"},
        }
        if not self.silent:
            await ws.send_json(hello)
        self.sockets.append(ws)
        self.transports.append(request.transport)
        self.touch()
        try:
            async for message in ws:
                if message.type == WSMsgType.PING and not self.silent:
                    await ws.pong(message.data)
                if message.type == WSMsgType.TEXT and message.data.startswith("{") and not self.silent:
                    told = json.loads(message.data)
                    self.acks.append((told.get("envelope_id", ""), told.get("payload") or {}))
                    future = self.waiting.pop(told.get("envelope_id", ""), None)
                    if future and not future.done():
                        future.set_result(told.get("payload") or {})
        finally:
            at = self.sockets.index(ws)
            del self.sockets[at], self.transports[at]
        return ws

    def _send_envelope(self, kind: str, payload: Json, envelope_id: str, wait: float) -> Json | None:
        until = time.monotonic() + wait
        while not self.sockets and time.monotonic() < until:
            time.sleep(0.02)
        job = asyncio.run_coroutine_threadsafe(
            self._envelope(kind, payload, envelope_id, max(0.1, until - time.monotonic())), self._loop
        )
        try:
            return job.result(wait + 2)
        except (Late, OSError):
            return None

    async def _envelope(self, kind: str, payload: Json, envelope_id: str, wait: float) -> Json | None:
        if not self.sockets:
            return None
        chosen = [self.sockets[hash(envelope_id) % len(self.sockets)]]
        future: asyncio.Future[Json] = self._loop.create_future()
        self.waiting[envelope_id] = future
        try:
            envelope = {
                "envelope_id": envelope_id,
                "type": kind,
                "accepts_response_payload": True,
                "payload": payload,
            }
            for ws in [] if self.silent else self.sockets if self.everywhere else chosen:
                await ws.send_json(envelope)
            return await asyncio.wait_for(future, wait)
        except (TimeoutError, ConnectionError):
            return None
        finally:
            self.waiting.pop(envelope_id, None)

    def drop_socket(self, how: str = "rst") -> None:
        """Cut every connection: rst, fin, or disconnect messages by Slack's own words."""

        async def cut() -> None:
            for ws, transport in zip(list(self.sockets), list(self.transports), strict=True):
                if how in {"refresh_requested", "warning", "link_disabled"}:
                    await ws.send_json(
                        {"type": "disconnect", "reason": how, "debug_info": {"host": "sandbox"}}
                    )
                    # "warning" comes about ten seconds ahead; after the other two the end is near.
                    self._loop.call_later(
                        {"warning": 10.0, "refresh_requested": 1.0, "link_disabled": 0.1}[how],
                        lambda ws=ws: self._loop.create_task(ws.close()),
                    )
                elif how == "rst":
                    _abort(transport)
                else:
                    transport.close()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result(5)


async def _arguments(request: web.Request) -> Json:
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json() if request.can_read_body else {}
    elif request.can_read_body:
        args |= dict(await request.post())
    for key in ("blocks", "metadata", "view", "files"):
        if isinstance(args.get(key), str):
            args[key] = json.loads(args[key])
    return args


def _abort(transport: Any) -> None:
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _reset(request: web.Request) -> None:
    _abort(request.transport)
    raise asyncio.CancelledError
