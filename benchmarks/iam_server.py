"""A lean IAM on a local port, in a process of its own: so little work a call that it is not what is measured.

It knows STS AssumeRole, GetAccountAuthorizationDetails, ListRoles, GetPolicy and the two calls of an Access Advisor
report. An account is told by its access key: ASIA and the account's number.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote_plus

OWN = "999999999999"
KINDS = (("role", 0.80), ("user", 0.12), ("group", 0.02), ("policy", 0.06))
"""Shares of an account's entities: 400 roles, 60 users, 10 groups, 30 policies of 500."""

_NS = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'
_META = "<ResponseMetadata><RequestId>7d2f0000-0000-4000-8000-000000000000</RequestId></ResponseMetadata>"
_KEY = re.compile(rb"Credential=(?:ASIA|AKIA)(\d{12})/")


@dataclass(frozen=True, slots=True)
class Scenario:
    """How the server behaves: seconds a job takes and a call waits, calls a second an account (0: any), entities."""

    job: float = 1.0
    latency: float = 0.0
    limit: float = 0.0
    burst: float = 20.0
    entities: int = 500

    def words(self) -> list[str]:
        return [str(v) for v in (self.job, self.latency, self.limit, self.burst, self.entities)]


def entities(count: int) -> Iterator[tuple[str, str]]:
    """Kind and name of every entity of an account."""
    for kind, share in KINDS:
        for n in range(round(count * share)):
            yield kind, f"{kind}-{n:05}"


def services(n: int) -> int:
    """How many services the report of the nth entity has: 42 in the mean."""
    return 30 + n % 25


def _document(n: int) -> str:
    names = ",".join(f'"service{(n + k) % 97}:*"' for k in range(services(n)))
    return f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{names}],"Resource":"*"}}]}}'


def _row(service: int, k: int) -> str:
    """Every third service was used."""
    used = (
        f"<LastAuthenticated>2026-11-0{1 + k % 9}T10:00:00Z</LastAuthenticated>"
        "<LastAuthenticatedEntity>arn:aws:iam::111111111111:role/role-00001</LastAuthenticatedEntity>"
        "<LastAuthenticatedRegion>eu-north-1</LastAuthenticatedRegion>"
    )
    return (
        f"<member><ServiceName>Amazon Service {service}</ServiceName>"
        f"<ServiceNamespace>service{service}</ServiceNamespace>{'' if k % 3 else used}"
        f"<TotalAuthenticatedEntities>{int(k % 3 == 0)}</TotalAuthenticatedEntities></member>"
    )


def _report(n: int) -> bytes:
    rows = "".join(_row((n + k) % 97, k) for k in range(services(n)))
    return (
        f"<GetServiceLastAccessedDetailsResponse {_NS}><GetServiceLastAccessedDetailsResult>"
        "<JobStatus>COMPLETED</JobStatus><JobType>SERVICE_LEVEL</JobType><IsTruncated>false</IsTruncated>"
        "<JobCreationDate>2026-11-24T09:00:00.120Z</JobCreationDate>"
        "<JobCompletionDate>2026-11-24T09:00:01.120Z</JobCompletionDate>"
        f"<ServicesLastAccessed>{rows}</ServicesLastAccessed></GetServiceLastAccessedDetailsResult>{_META}"
        "</GetServiceLastAccessedDetailsResponse>"
    ).encode()


_WAITING = (
    f"<GetServiceLastAccessedDetailsResponse {_NS}><GetServiceLastAccessedDetailsResult>"
    "<JobStatus>IN_PROGRESS</JobStatus><IsTruncated>false</IsTruncated>"
    "<JobCreationDate>2026-11-24T09:00:00.120Z</JobCreationDate></GetServiceLastAccessedDetailsResult>"
    f"{_META}</GetServiceLastAccessedDetailsResponse>"
).encode()


def _error(code: str, message: str) -> bytes:
    return (
        f"<ErrorResponse {_NS}><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>7d2f0000-0000-4000-8000-000000000000</RequestId></ErrorResponse>"
    ).encode()


@dataclass
class Iam:
    """Jobs, buckets and counts of every account."""

    scenario: Scenario
    jobs: dict[str, tuple[float, int]] = field(default_factory=dict)
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    reports: list[bytes] = field(default_factory=lambda: [_report(n) for n in range(97)])

    def admits(self, account: str) -> bool:
        if not self.scenario.limit:
            return True
        now = time.monotonic()
        tokens, at = self.buckets.get(account, (self.scenario.burst, now))
        tokens = min(self.scenario.burst, tokens + (now - at) * self.scenario.limit)
        self.buckets[account] = (tokens - (tokens >= 1), now)
        return tokens >= 1

    def answer(self, account: str, form: dict[str, str]) -> tuple[int, bytes]:
        action = form.get("Action", "")
        self.counts[action] += 1
        if action == "AssumeRole":
            return 200, _assumed(form["RoleArn"].split(":")[4])
        if action == "GetCallerIdentity":
            return 200, _caller()
        if not self.admits(account):
            self.counts["throttled"] += 1
            return 400, _error("Throttling", "Rate exceeded")
        if action == "GenerateServiceLastAccessedDetails":
            return 200, self.generate(form["Arn"])
        if action == "GetServiceLastAccessedDetails":
            made, n = self.jobs[form["JobId"]]
            ready = time.monotonic() - made >= self.scenario.job
            self.counts["waiting"] += not ready
            return 200, self.reports[n % 97] if ready else _WAITING
        if action == "GetAccountAuthorizationDetails":
            return 200, self.details(account, int(form.get("Marker") or 0))
        if action == "GetPolicy":
            return 200, _policy(form["PolicyArn"])
        if action == "ListRoles":
            return 200, (
                f"<ListRolesResponse {_NS}><ListRolesResult><IsTruncated>false</IsTruncated><Roles/>"
                f"</ListRolesResult>{_META}</ListRolesResponse>"
            ).encode()
        return 400, _error("InvalidInput", "not here")

    def generate(self, arn: str) -> bytes:
        job = f"{len(self.jobs):036}"
        self.jobs[job] = (time.monotonic(), int(arn[-5:]) if arn[-5:].isdigit() else 0)
        return (
            f"<GenerateServiceLastAccessedDetailsResponse {_NS}><GenerateServiceLastAccessedDetailsResult>"
            f"<JobId>{job}</JobId></GenerateServiceLastAccessedDetailsResult>{_META}"
            "</GenerateServiceLastAccessedDetailsResponse>"
        ).encode()

    def details(self, account: str, start: int) -> bytes:
        every = list(entities(self.scenario.entities))
        found: dict[str, list[str]] = {kind: [] for kind, _ in KINDS}
        for n, (kind, name) in enumerate(every[start : start + 1000], start):
            found[kind].append(_detail(account, kind, name, n))
        end = start + 1000
        more = f"<IsTruncated>true</IsTruncated><Marker>{end}</Marker>" if end < len(every) else ""
        return (
            f"<GetAccountAuthorizationDetailsResponse {_NS}><GetAccountAuthorizationDetailsResult>"
            f"{more or '<IsTruncated>false</IsTruncated>'}"
            f"<RoleDetailList>{''.join(found['role'])}</RoleDetailList>"
            f"<UserDetailList>{''.join(found['user'])}</UserDetailList>"
            f"<GroupDetailList>{''.join(found['group'])}</GroupDetailList>"
            f"<Policies>{''.join(found['policy'])}</Policies>"
            f"</GetAccountAuthorizationDetailsResult>{_META}</GetAccountAuthorizationDetailsResponse>"
        ).encode()


def _detail(account: str, kind: str, name: str, n: int) -> str:
    noun = kind.title()
    head = (
        f"<member><Path>/</Path><{noun}Name>{name}</{noun}Name><{noun}Id>A{kind[:3].upper()}{n:017}</{noun}Id>"
        f"<Arn>arn:aws:iam::{account}:{kind}/{name}</Arn><CreateDate>2020-01-01T00:00:00Z</CreateDate>"
    )
    text = quote(_document(n), safe="")
    if kind == "policy":
        return (
            f"{head}<DefaultVersionId>v1</DefaultVersionId><AttachmentCount>0</AttachmentCount><PolicyVersionList>"
            f"<member><Document>{text}</Document><VersionId>v1</VersionId><IsDefaultVersion>true</IsDefaultVersion>"
            "<CreateDate>2020-01-01T00:00:00Z</CreateDate></member></PolicyVersionList></member>"
        )
    inline = f"<{noun}PolicyList><member><PolicyName>own</PolicyName><PolicyDocument>{text}</PolicyDocument></member></{noun}PolicyList>"
    return f"{head}{inline}<AttachedManagedPolicies/></member>"


def _policy(arn: str) -> bytes:
    name = arn.rpartition("/")[2]
    return (
        f"<GetPolicyResponse {_NS}><GetPolicyResult><Policy><PolicyName>{name}</PolicyName><PolicyId>A{name}</PolicyId>"
        f"<Arn>{arn}</Arn><DefaultVersionId>v1</DefaultVersionId><AttachmentCount>0</AttachmentCount></Policy>"
        f"</GetPolicyResult>{_META}</GetPolicyResponse>"
    ).encode()


def _assumed(account: str) -> bytes:
    ends = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
        f"<SessionToken>token</SessionToken><Expiration>{ends}</Expiration></Credentials></AssumeRoleResult>"
        f"{_META}</AssumeRoleResponse>"
    ).encode()


def _caller() -> bytes:
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{OWN}:user/bot</Arn><UserId>AIDA</UserId><Account>{OWN}</Account>"
        f"</GetCallerIdentityResult>{_META}</GetCallerIdentityResponse>"
    ).encode()


class Wire(asyncio.Protocol):
    """HTTP/1.1, kept alive, one request after another."""

    def __init__(self, iam: Iam) -> None:
        self._iam = iam
        self._buffer = b""
        self._out: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            size = int(length[1]) if length else 0
            if not found or len(rest) < size:
                return
            self._buffer = rest[size:]
            self._ask(head, rest[:size])

    def _ask(self, head: bytes, body: bytes) -> None:
        assert self._out
        if head.startswith(b"GET /counts"):
            self._send(200, repr(dict(self._iam.counts)).encode())
            return
        key = _KEY.search(head)
        pairs = (p.partition("=") for p in body.decode().split("&"))
        form = {unquote_plus(k): unquote_plus(v) for k, _, v in pairs}
        status, answer = self._iam.answer(key[1].decode() if key else OWN, form)
        if self._iam.scenario.latency:
            asyncio.get_running_loop().call_later(self._iam.scenario.latency, self._send, status, answer)
        else:
            self._send(status, answer)

    def _send(self, status: int, answer: bytes) -> None:
        if self._out and not self._out.is_closing():
            self._out.write(
                b"HTTP/1.1 %d X\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
                % (status, len(answer))
                + answer
            )


async def _serve(iam: Iam) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Wire(iam), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    ending = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    await ending.wait()
    server.close()


@contextmanager
def serving(scenario: Scenario) -> Iterator[str]:
    """The server's URL, while it runs."""
    command = [sys.executable, "-m", "benchmarks.iam_server", *scenario.words()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.iam_server")
    for name in ("job", "latency", "limit", "burst"):
        parser.add_argument(name, type=float)
    parser.add_argument("entities", type=int)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(Iam(Scenario(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
