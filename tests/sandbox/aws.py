"""The sandbox AWS: moto's IAM, STS and Organizations, mended where moto is not IAM, plus Access Advisor.

Every request passes one gate that counts it, may fail it as a test wishes, and asks the caller's own policies.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.config import Config as BotoConfig
from moto.backends import get_backend
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.sandbox import (
    advisor,
    analyzer,
    aws_policies,
    callers,
    iam_authorization,
    iam_manners,
    iam_state,
    organizations,
    trail,
    wire,
)
from tests.sandbox.callers import Caller


@dataclass(slots=True)
class Fault:
    """What happens to a matching request: an AWS error, a dropped connection, a wait, half an answer."""

    operation: str  # an IAM operation's name, "*", or "write" for whatever changes IAM
    account: str | None = None
    arn: str = ""  # only requests that name this one
    error: str = ""
    status: int = 0
    drop: str = ""  # before | after
    hang: float = 0.0
    truncate: bool = False
    times: int | None = 1
    skip: int = 0
    until: float | None = None
    effect: bool = False  # with `error`: it is answered, and yet the effect took place

    def takes(self, operation: str, account: str, params: dict[str, str]) -> bool:
        kinds = {"*", operation, "" if iam_state.is_read(operation) or operation == "AssumeRole" else "write"}
        if self.operation not in kinds or self.account not in {None, account}:
            return False
        if self.arn and params.get("Arn") != self.arn:
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
    failing: dict[str, int] = field(default_factory=dict)  # so many jobs of an ARN end as FAILED
    job_every: int = 1  # so ends every so manieth job
    credential_polls: int = 1  # so many answers that a credential report is not ready
    page_size: int = 1000
    throttle: bool = False
    delay: float = 0.0
    stale_reads: int = 0  # so many reads of a thing do not see a write to it
    stale_seconds: float = 0.0  # nor do those so soon after it


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
    analyzer_faults: dict[str, str] = field(default_factory=dict)  # what an operation says instead of PASS
    trail: trail.Trail = field(default_factory=trail.Trail)
    hook: Callable[[str, str], Fault | None] | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    url: str = ""
    _server: Any = None
    _thread: threading.Thread | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _callers: dict[str, Caller] = field(default_factory=dict)  # by access key
    _ended: set[str] = field(default_factory=set)
    _lag: iam_state.Lag = field(default_factory=iam_state.Lag)

    def start(self, port: int = 0) -> Aws:
        self.begin_anew()
        inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", port, lambda e, s: self._gate(inner, e, s), threaded=True, request_handler=wire.Quiet
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
        iam_manners.install(self)
        iam_authorization.install(self)
        organizations.install(self)
        self._lag.forget()
        self.trail = trail.Trail()
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
        aws_policies.add(backend, account)
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
        self._callers[key["AccessKeyId"]] = Caller(account, arn)
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def state(self, account: str) -> dict[str, object]:
        """All that an account's IAM holds, to compare before and after."""
        with self._lag.lock:
            return iam_state.state(self.backend(account))

    def remember(self, *accounts: str) -> Callable[[], None]:
        """What puts these accounts back as they are now, as often as one likes."""
        undo = [iam_state.remember(self.backend(a)) for a in accounts]

        def put_back() -> None:
            with self._lag.lock:
                self._lag.forget()
                for one in undo:
                    one()

        return put_back

    def meddle(self, account: str, role: str) -> str:
        """An administrator adds a statement to a role's first inline policy, behind everybody's back; its Sid."""
        with self._lag.lock:
            holder = self.backend(account).get_role(role)
            name = min(holder.policies)
            document = json.loads(holder.policies[name])
            statements = document["Statement"]
            statements = statements if isinstance(statements, list) else [statements]
            sid = f"ByHand{len(statements)}"
            added = {"Sid": sid, "Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
            holder.policies[name] = json.dumps({**document, "Statement": [*statements, added]})
        return sid

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
            with self._lag.lock:
                return inner(environ, start)  # type: ignore[no-any-return]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = wire.Replay(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        params = {k: v[0] for k, v in parse_qs(body.decode(errors="replace")).items()} if not target else {}
        operation = target.rpartition(".")[2] or params.get("Action", "")
        sent = re.search(
            r"Credential=([A-Z0-9]+)/\d+/([\w-]+)/([\w-]+)/", environ.get("HTTP_AUTHORIZATION", "")
        )
        key, region, service = sent.groups() if sent else ("", "", "")
        environ["sandbox.region"], environ["sandbox.body"], environ["sandbox.service"] = region, body, service
        account = self._callers[key].account if key in self._callers else ""
        if service == "access-analyzer":
            operation, params = analyzer.read(environ, body)
        return self._answer(inner, environ, start, (account, service, operation, params, key))

    def _answer(
        self, inner: Any, environ: dict[str, Any], start: Any, what: tuple[str, str, str, dict[str, str], str]
    ) -> Iterable[bytes]:
        account, service, operation, params, key = what
        if self.knobs.delay:
            time.sleep(self.knobs.delay)
        fault = self._fault(operation, account, params, "before")
        refused = self._refusal(service, operation, params, key)
        status, body = 0, b""
        headers: list[tuple[str, str]] = []
        if fault and fault.hang:
            time.sleep(fault.hang)
        if fault and fault.drop == "before":
            self._note(account, service, operation, params, key, 0)
            wire.reset_connection(environ)
        if not refused and not (fault and fault.error and not fault.effect):
            status, headers, body = self._run(inner, environ, account, operation, params)
        elif refused and not (fault and fault.error):
            status, headers, body = refused
        if fault and fault.error:
            code = fault.status or wire.STATUS.get(fault.error, 400)
            status, headers, body = wire.error(code, fault.error, "by the test")
        if service == "ec2":
            status, headers, body = trail.as_ec2((status, headers, body))
        if environ.get("HTTP_X_AMZ_TARGET") or service == "access-analyzer":
            headers, body = wire.as_json(headers, body)
        self._note(account, service, operation, params, key, status)
        after = self._fault(operation, account, params, "after") if self.hook else None
        if (fault and fault.drop == "after") or (after and after.drop):
            wire.reset_connection(environ)
        if fault and fault.truncate:
            body = body[: len(body) // 2]
            headers = [(k, v) for k, v in headers if k.lower() != "content-length"]
        start(f"{status} X", headers)
        return [body]

    def _fault(self, operation: str, account: str, params: dict[str, str], phase: str) -> Fault | None:
        if self.hook:
            told = self.hook(operation, phase)
            if told or phase == "after":
                return told
        with self._lock:
            if self.knobs.throttle:
                return Fault(operation, error="Throttling")
            return next((f for f in self.faults if f.takes(operation, account, params)), None)

    def _note(
        self, account: str, service: str, operation: str, params: dict[str, str], key: str, status: int
    ) -> None:
        with self._lock:
            self.calls.append(Call(account, service, operation, params, key, status))

    def _run(
        self, inner: Any, environ: dict[str, Any], account: str, operation: str, params: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """One request at a time, so that a read that lags disturbs no other."""
        if operation in analyzer.OPERATIONS:
            return analyzer.answer(operation, params, self.knobs.page_size, self.analyzer_faults)
        if environ["sandbox.service"] == "sqs":  # it may wait for a message: nobody else waits with it
            return wire.run(inner, environ)
        if operation == "LookupEvents":
            return self.trail.lookup(self, account, environ["sandbox.region"], environ["sandbox.body"])
        if operation == "DescribeRegions":
            return self.trail.describe_regions()
        backend = self.backend(account)
        if operation.startswith("Simulate"):
            with self._lag.lock:
                return analyzer.simulate(operation, params, backend, self.knobs.page_size)
        with self._lag.lock:
            if iam_state.is_read(operation):
                with self._lag.reading(backend, operation, params):
                    return wire.run(inner, environ)
            before = self._lag.before(backend, params)
            status, headers, body = wire.run(inner, environ)
            if status < 300:
                self._lag.written(account, before, self.knobs.stale_reads, self.knobs.stale_seconds)
        self._learn(operation, params, body)
        return status, headers, body

    def _refusal(self, service: str, operation: str, params: dict[str, str], key: str) -> Any:
        if key in self._ended:
            return wire.error(403, "ExpiredToken", "The security token included in the request is expired")
        caller = self._callers.get(key)
        if caller is None:
            said = "The security token included in the request is invalid."
            return wire.error(403, "InvalidClientTokenId", said)
        if operation == "GetCallerIdentity":  # needs no permission (STS API Reference)
            return None
        owner = (params.get("Arn", "").split(":") + [""] * 5)[4]
        if (
            owner.isdigit() and owner != caller.account
        ):  # the model has no such error: moto could not answer it
            return wire.error(403, "AccessDenied", f"User: {caller} is not authorized for {params['Arn']}")
        with self._lag.lock:
            backend = self.backend(caller.account)
            action = f"{service}:{operation.removesuffix('Batch')}"  # a batch needs what its parts do
            said = callers.refusal(caller, self._policies(caller), action, params, backend)
        if operation == "AssumeRole" and not said:
            if not self._trusted(caller, params["RoleArn"]):
                said = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {params['RoleArn']}"
            elif fault := callers.session_fault(params):
                return wire.error(400, *fault)
        return wire.error(403, "AccessDenied", said) if said else None

    def _role(self, arn: str) -> Any:
        """moto's role of an ARN, or None."""
        return next((r for r in self.backend(arn.split(":")[4]).roles.values() if r.arn == arn), None)

    def _policies(self, caller: Caller) -> list[str]:
        """Read when they are asked for, so that a policy taken away is gone at once."""
        if ":user/" in caller.arn:
            backend = self.backend(caller.account)
            user = backend.users[caller.arn.rpartition("/")[2]]
            return advisor.texts_of(backend, "user", user)
        role = self._role(caller.arn)
        return advisor.texts(role) if role else []

    def _trusted(self, caller: Caller, role_arn: str) -> bool:
        role = self._role(role_arn)
        return role is not None and callers.trusted(caller, str(role.assume_role_policy_document))

    def _learn(self, operation: str, params: dict[str, str], body: bytes) -> None:
        if operation != "AssumeRole":
            return
        found = re.search(rb"<AccessKeyId>(\w+)</AccessKeyId>", body)
        if found:
            self._callers[found.group(1).decode()] = callers.assumed(params)

    @contextmanager
    def hanging(self, account: str) -> Iterator[None]:
        fault = self.fail("*", account=account, hang=30, times=None)
        try:
            yield
        finally:
            self.faults.remove(fault)


def _reset() -> None:
    for service in ("iam", "sts", "organizations", "sqs"):
        get_backend(service).reset()  # type: ignore[arg-type]
