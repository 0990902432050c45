"""The sandbox AWS on the wire: running a request, IAM's errors, and connections that break."""

from __future__ import annotations

import html
import json
import os
import re
import socket
import struct
import uuid
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

STATUS = {
    "AccessDenied": 403,
    "ExpiredToken": 403,
    "NoSuchEntity": 404,
    "ServiceFailure": 500,
    "InternalFailure": 500,
}


class Quiet(MotoRequestHandler):
    def log_request(self, *_: object) -> None:
        """Nothing on stderr."""


class Replay:
    """A request body that can be read once more."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, _size: int = -1) -> bytes:
        body, self._body = self._body, b""
        return body


def reset_connection(environ: dict[str, Any]) -> None:
    sock: socket.socket = environ["werkzeug.socket"]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(sock.detach())  # files made of the socket hold it open, so the descriptor itself is closed
    raise ConnectionResetError


def run(inner: Any, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    told: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], _exc: object = None) -> None:
        told[:] = [int(status.split()[0]), headers]

    body = b"".join(inner(environ, start))
    return told[0], told[1], body


def error(status: int, code: str, message: str) -> tuple[int, list[tuple[str, str]], bytes]:
    if code == "Throttling":
        message = "Rate exceeded"
    request = str(uuid.uuid4())
    body = (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{html.escape(message, quote=False)}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>"
    ).encode()
    headers = [
        ("Content-Type", "text/xml"),
        ("x-amzn-RequestId", request),
        ("Content-Length", str(len(body))),
    ]
    return status, headers, body


def as_json(headers: list[tuple[str, str]], body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """The gate's own errors for a service that speaks JSON (Organizations), whose codes end in "Exception"."""
    told = re.search(rb"<Code>(\w+)</Code><Message>(.*?)</Message>", body)
    if not body.startswith(b"<ErrorResponse") or not told:
        return headers, body
    code = told[1].decode().removesuffix("Exception") + "Exception"
    body = json.dumps({"__type": code, "Message": html.unescape(told[2].decode())}).encode()
    kept = [h for h in headers if h[0] == "x-amzn-RequestId"]
    return [*kept, ("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))], body
