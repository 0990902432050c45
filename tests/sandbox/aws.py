"""The sandbox AWS: moto's IAM, STS and Organizations, mended where moto is not IAM, plus Access Advisor.

Every request passes one gate that counts it, may fail it as a test wishes, and asks the caller's own policies.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.config import Config as BotoConfig
from moto.backends import get_backend
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.sandbox import advisor, iam_rules

_AWS_POLICIES = {
    "AdministratorAccess": ("/", ["*"]),
    "AWSDenyAll": ("/", None),
    "AmazonS3ReadOnlyAccess": ("/", ["s3:Get*", "s3:List*", "s3:Describe*"]),
    "AmazonRDSFullAccess": (
        "/",
        [
            "rds:*",
            "application-autoscaling:*",
            "cloudwatch:*",
            "ec2:Describe*",
            "sns:*",
            "logs:*",
            "outposts:*",
            "devops-guru:*",
            "pi:*",
        ],
    ),
}


@dataclass(slots=True)
class Fault:
    """What happens to a matching request: an AWS error, a dropped connection, a wait, half an answer."""

    operation: str  # an IAM operation's name, or "*"
    account: str | None = None
    error: str = ""
    status: int = 0
    drop: str = ""  # before | after
    hang: float = 0.0
    truncate: bool = False
    times: int | None = 1
    skip: int = 0
    until: float | None = None

    def takes(self, operation: str, account: str) -> bool:
        if self.operation not in {"*", operation} or self.account not in {None, account}:
            return False
        if self.until is not None and time.monotonic() > self.until:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived."""

    account: str
    service: str
    operation: str
    params: dict[str, str]
    key: str
    status: int


@dataclass(slots=True)
class Knobs:
    """How this AWS behaves."""

    job_polls: int = 1
    job_result: str = "ok"  # ok | fail | stick
    page_size: int = 1000
    throttle: bool = False
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Use:
    """Somebody tried something."""

    account: str
    arn: str
    service: str
    at: datetime
    region: str
    action: str = ""
    via: str = ""


@dataclass(slots=True)
class Aws:
    """A whole AWS on one port."""

    knobs: Knobs = field(default_factory=Knobs)
    calls: list[Call] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    jobs: dict[str, Any] = field(default_factory=dict)
    hook: Callable[[str, str], Fault | None] | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    url: str = ""
    _server: Any = None
    _thread: threading.Thread | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _callers: dict[str, tuple[str, str]] = field(default_factory=dict)  # key -> account, role or user ARN
    _ended: set[str] = field(default_factory=set)

    def start(self, port: int = 0) -> Aws:
        self.begin_anew()
        inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", port, lambda e, s: self._gate(inner, e, s), threaded=True, request_handler=_Quiet
        )
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def begin_anew(self) -> None:
        """An empty AWS. moto keeps its state for the whole process, so the newest sandbox in it is the only one."""
        _reset()
        advisor.install(self)
        self.uses.clear()
        self._callers.clear()
        self._ended.clear()

    def is_newest(self) -> bool:
        """Whether no other sandbox of this process has begun or ended since."""
        return advisor.newest is self

    def stop(self) -> None:
        advisor.newest = None
        self._server.shutdown()
        self._server.server_close()
        if self._thread:
            self._thread.join()
        _reset()

    def __enter__(self) -> Aws:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- looking and seeding -------------------------------------------------------------------------------------

    def client(self, service: str, account: str) -> Any:
        """An administrator's client in an account; passes the gate uncounted."""
        made = boto3.session.Session().client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="AKIAADMIN",
            aws_secret_access_key="admin",
            config=BotoConfig(retries={"total_max_attempts": 1}),
        )

        def admin(request: Any, **_: object) -> None:
            request.headers["x-moto-account-id"] = account

        made.meta.events.register("before-sign.*.*", admin)
        return made

    def backend(self, account: str) -> Any:
        """moto's IAM of an account, with AWS's own policies in it."""
        backend = iam_backends[account]["aws"]
        if not any(isinstance(p, AWSManagedPolicy) for p in backend.managed_policies.values()):
            for name, (path, patterns) in _AWS_POLICIES.items():
                _add_aws_policy(backend, account, name, path, patterns)
        return backend

    def use(
        self,
        account: str,
        arn: str,
        service: str,
        at: datetime,
        *,
        region: str = "eu-north-1",
        action: str = "",
        via: str = "",
    ) -> None:
        with self._lock:
            self.uses.append(Use(account, arn, service, at, region, action, via))

    def identity(self, account: str, name: str, document: dict[str, Any]) -> dict[str, str]:
        """A user for the bot, held to its policy; its environment."""
        iam = self.client("iam", account)
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        iam.put_user_policy(UserName=name, PolicyName="bot", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self._callers[key["AccessKeyId"]] = (account, arn)
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    # -- faults --------------------------------------------------------------------------------------------------

    def fail(self, operation: str, **fault: Any) -> Fault:
        made = Fault(operation, **fault)
        with self._lock:
            self.faults.append(made)
        return made

    def expire_sessions(self) -> None:
        with self._lock:
            self._ended |= {k for k in self._callers if k.startswith("ASIA")}

    def operations(self) -> list[str]:
        return [c.operation for c in self.calls]

    # -- the gate ------------------------------------------------------------------------------------------------

    def _gate(self, inner: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ.get("HTTP_X_MOTO_ACCOUNT_ID"):
            return inner(environ, start)  # type: ignore[no-any-return]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = _Replay(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        params = {k: v[0] for k, v in parse_qs(body.decode(errors="replace")).items()} if not target else {}
        operation = target.rpartition(".")[2] or params.get("Action", "")
        sent = re.search(r"Credential=([A-Z0-9]+)/\d+/[\w-]+/(\w+)/", environ.get("HTTP_AUTHORIZATION", ""))
        key, service = (sent.group(1), sent.group(2)) if sent else ("", "")
        account = self._callers.get(key, ("", ""))[0]
        return self._answer(inner, environ, start, (account, service, operation, params, key))

    def _answer(
        self, inner: Any, environ: dict[str, Any], start: Any, what: tuple[str, str, str, dict[str, str], str]
    ) -> Iterable[bytes]:
        account, service, operation, params, key = what
        if self.knobs.delay:
            time.sleep(self.knobs.delay)
        fault = self._fault(operation, account, "before")
        refused = self._refusal(account, service, operation, params, key)
        status, headers, body = 0, [], b""
        if fault and fault.hang:
            time.sleep(fault.hang)
        if fault and fault.drop == "before":
            self._note(account, service, operation, params, key, 0)
            _reset_connection(environ)
        if fault and fault.error:
            status, headers, body = _error(
                fault.status or _STATUS.get(fault.error, 400), fault.error, "by the test"
            )
        elif refused:
            status, headers, body = refused
        else:
            status, headers, body = _run(inner, environ)
            self._learn(operation, params, body)
        self._note(account, service, operation, params, key, status)
        after = self._fault(operation, account, "after") if self.hook else None
        if (fault and fault.drop == "after") or (after and after.drop):
            _reset_connection(environ)
        if fault and fault.truncate:
            body = body[: len(body) // 2]
            headers = [(k, v) for k, v in headers if k.lower() != "content-length"]
        start(f"{status} X", headers)
        return [body]

    def _fault(self, operation: str, account: str, phase: str) -> Fault | None:
        if self.hook:
            told = self.hook(operation, phase)
            if told or phase == "after":
                return told
        with self._lock:
            if self.knobs.throttle:
                return Fault(operation, error="Throttling")
            return next((f for f in self.faults if f.takes(operation, account)), None)

    def _note(
        self, account: str, service: str, operation: str, params: dict[str, str], key: str, status: int
    ) -> None:
        with self._lock:
            self.calls.append(Call(account, service, operation, params, key, status))

    def _refusal(self, account: str, service: str, operation: str, params: dict[str, str], key: str) -> Any:
        if key in self._ended:
            return _error(403, "ExpiredToken", "The security token included in the request is expired")
        caller = self._callers.get(key)
        if caller is None:
            return _error(
                403, "InvalidClientTokenId", "The security token included in the request is invalid."
            )
        if operation == "AssumeRole" and not self._trusted(caller, params["RoleArn"]):
            return _error(
                403,
                "AccessDenied",
                f"User: {caller[1]} is not authorized to perform: sts:AssumeRole on resource: {params['RoleArn']}",
            )
        if operation == "GetCallerIdentity":
            return None
        owner = (params.get("Arn", "").split(":") + [""] * 5)[4]
        if owner.isdigit() and owner != account:  # the model has no such error, so moto could not answer it
            return _error(403, "AccessDenied", f"User: {caller[1]} is not authorized for {params['Arn']}")
        if not iam_rules.may(self._policies(caller), f"{service}:{operation}"):
            return _error(
                403,
                "AccessDenied",
                f"User: {caller[1]} is not authorized to perform: {service}:{operation} on resource: * "
                f"because no identity-based policy allows the {service}:{operation} action",
            )
        return None

    def _policies(self, caller: tuple[str, str]) -> list[str]:
        account, arn = caller
        backend = self.backend(account)
        name = arn.rpartition("/")[2]
        if ":user/" in arn:
            return advisor.texts(backend.users[name])
        role = next((r for r in backend.roles.values() if r.name == name), None)
        return advisor.texts(role) if role else []

    def _trusted(self, caller: tuple[str, str], role_arn: str) -> bool:
        account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
        role = next(
            (r for r in self.backend(account).roles.values() if r.name == name and r.arn == role_arn), None
        )
        trust = str(role.assume_role_policy_document) if role else ""
        return caller[1] in trust or f":{caller[0]}:root" in trust

    def _learn(self, operation: str, params: dict[str, str], body: bytes) -> None:
        if operation != "AssumeRole":
            return
        found = re.search(rb"<AccessKeyId>(\w+)</AccessKeyId>", body)
        if found:
            arn = params["RoleArn"]
            self._callers[found.group(1).decode()] = (arn.split(":")[4], arn)

    @contextmanager
    def hanging(self, account: str) -> Iterator[None]:
        fault = self.fail("*", account=account, hang=30, times=None)
        try:
            yield
        finally:
            self.faults.remove(fault)


_STATUS = {
    "AccessDenied": 403,
    "ExpiredToken": 403,
    "NoSuchEntity": 404,
    "ServiceFailure": 500,
    "InternalFailure": 500,
}


class _Quiet(MotoRequestHandler):
    def log_request(self, *_: object) -> None:
        """Nothing on stderr."""


class _Replay:
    """A request body that can be read once more."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, _size: int = -1) -> bytes:
        body, self._body = self._body, b""
        return body


def _reset_connection(environ: dict[str, Any]) -> None:
    sock: socket.socket = environ["werkzeug.socket"]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(sock.detach())  # files made of the socket hold it open, so the descriptor itself is closed
    raise ConnectionResetError


def _run(inner: Any, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    told: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], _exc: object = None) -> None:
        told[:] = [int(status.split()[0]), headers]

    body = b"".join(inner(environ, start))
    return told[0], told[1], body


def _error(status: int, code: str, message: str) -> tuple[int, list[tuple[str, str]], bytes]:
    if code == "Throttling":
        message = "Rate exceeded"
    body = (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    ).encode()
    return status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))], body


def _reset() -> None:
    for service in ("iam", "sts", "organizations"):
        get_backend(service).reset()  # type: ignore[arg-type]


def _add_aws_policy(backend: Any, account: str, name: str, path: str, patterns: list[str] | None) -> None:
    statement = {"Effect": "Allow", "Action": patterns, "Resource": "*"}
    if patterns is None:
        statement = {"Effect": "Deny", "Action": ["*"], "Resource": "*"}
    data = {
        "Arn": f"arn:aws:iam::aws:policy{path}{name}",
        "Path": path,
        "CreateDate": "2015-02-06T18:40:00+00:00",
        "DefaultVersionId": "v1",
        "UpdateDate": "2015-02-06T18:40:00+00:00",
        "Document": {"Version": "2012-10-17", "Statement": [statement]},
    }
    policy = AWSManagedPolicy.from_data(name, account, "us-east-1", data)
    backend.managed_policies[policy.arn] = policy
