"""IAM over asyncio, for the two calls that a sweep makes by the ten thousand.

Signing, endpoints, credentials and the reading of errors are botocore's; what is left out are its dictionaries, which
cost ten times the call (benchmarks/README.md). Knows no pacing and repeats nothing.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

import aiohttp
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import get_cert_path
from botocore.parsers import ResponseParserError, create_parser
from botocore.utils import get_environ_proxies, parse_timestamp

from advisor.core.errors import AwsError, ReportFailed, Unreachable
from advisor.core.model import ActionRow, ServiceRow
from advisor.edges.aws.errors import translated
from advisor.edges.aws.sessions import Keys, Place

GENERATE = "iam:GenerateServiceLastAccessedDetails"
GET = "iam:GetServiceLastAccessedDetails"
CONNECTIONS = 64
_VERSION = "2010-05-08"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"

Fields = dict[str, ET.Element]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a COMPLETED report. `marker` is empty on the last."""

    created_at: datetime
    completed_at: datetime
    services: tuple[ServiceRow, ...]
    marker: str = ""


class Iam:
    """One account's IAM, by one set of credentials. An async context: connections are kept until it ends."""

    def __init__(self, account: str, keys: Keys, place: Place, patience: float) -> None:
        self._account = account
        self._place = place
        self._signer = SigV4Auth(Credentials(keys.id, keys.secret, keys.token or None), "iam", place.region)
        self._patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=patience)
        self._errors = create_parser("query")
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=CONNECTIONS, ssl=_trust() if self._place.url[:5] == "https" else True
        )
        # The proxy of HTTPS_PROXY and NO_PROXY, found once: aiohttp itself would ask a thread before every call.
        proxy = get_environ_proxies(self._place.url).get(urlsplit(self._place.url).scheme)
        self._http = aiohttp.ClientSession(connector=connector, timeout=self._patience, proxy=proxy)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def generate(self, arn: str, granularity: str) -> str:
        """Start a report; its JobId. Raises Missing where the ARN is nobody's."""
        body = await self._ask(GENERATE, Arn=arn, Granularity=granularity)
        found = _result(body, GENERATE, self._account).get("JobId")
        if found is None or not found.text:
            raise Unreachable(GENERATE, "an answer without a JobId", account=self._account)
        return found.text

    async def page(self, job_id: str, marker: str) -> Page | None:
        """One page of a report, None while IN_PROGRESS. Raises ReportFailed, Missing for another session's job."""
        following = {"Marker": marker} if marker else {}
        return page(await self._ask(GET, JobId=job_id, MaxItems="1000", **following), self._account)

    async def _ask(self, permission: str, **parameters: str) -> bytes:
        form = urlencode({"Action": permission.removeprefix("iam:"), "Version": _VERSION, **parameters})
        request = AWSRequest("POST", self._place.url, data=form, headers={"Content-Type": _FORM})
        self._signer.add_auth(request)
        try:
            async with self._http.post(self._place.url, data=form, headers=dict(request.headers)) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:  # the words name no secret
            raise Unreachable(permission, type(error).__name__, account=self._account) from error
        if answer.status < 300:  # HTTP's own line
            return body
        raise self._error(answer.status, dict(answer.headers), body, permission)

    def _error(self, status: int, headers: dict[str, str], body: bytes, permission: str) -> AwsError:
        try:
            told = self._errors.parse({"status_code": status, "headers": headers, "body": body}, None)
        except ResponseParserError:
            return Unreachable(permission, f"HTTP {status} without IAM's words", account=self._account)
        told["ResponseMetadata"] = {**told.get("ResponseMetadata", {}), "HTTPStatusCode": status}
        return translated(told, permission, self._account)


def _trust() -> ssl.SSLContext:
    """The certificates that botocore trusts: AWS_CA_BUNDLE, the profile's ca_bundle, or its own."""
    bundle = botocore.session.get_session().get_config_variable("ca_bundle")
    return ssl.create_default_context(cafile=get_cert_path(bundle or True))


def page(body: bytes, account: str) -> Page | None:
    """The answer of GetServiceLastAccessedDetails as botocore's parser and `Aws.read` would give it."""
    try:
        found = _result(body, GET, account)
        status = _text(found, "JobStatus")
        if status == "IN_PROGRESS":
            return None
        if status != "COMPLETED":
            error = _fields(found["Error"]) if "Error" in found else {}
            said = f"{_text(error, 'Code', status)}: {_text(error, 'Message')}"
            raise ReportFailed(GET, said, account=account)
        created = _time(found["JobCreationDate"].text)
        completed = found.get("JobCompletionDate")
        listed = found.get("ServicesLastAccessed")
        services = tuple(_service(row) for row in (() if listed is None else listed))
        marker = _text(found, "Marker") if _text(found, "IsTruncated") == "true" else ""
        if _text(found, "IsTruncated") == "true" and not marker:
            raise Unreachable(GET, "a page without a way to the next", account=account)
        return Page(created, created if completed is None else _time(completed.text), services, marker)
    except (KeyError, ValueError) as error:  # something that every report has is missing or no such value
        raise Unreachable(GET, f"an answer that cannot be read: {error}", account=account) from error


def _result(body: bytes, permission: str, account: str) -> Fields:
    """The elements within an answer's result."""
    try:
        return _fields(_fields(ET.fromstring(body))[f"{permission.removeprefix('iam:')}Result"])  # noqa: S314  # as botocore reads it
    except (ET.ParseError, KeyError) as error:
        raise Unreachable(permission, "half an answer", account=account) from error


def _fields(node: Iterable[ET.Element]) -> Fields:
    """Child elements by their names, without the namespace."""
    return {child.tag.rpartition("}")[2]: child for child in node}


def _text(fields: Fields, name: str, default: str = "") -> str:
    node = fields.get(name)
    # Interned: forty services have the same few names in every report, and go from process to process.
    return default if node is None else sys.intern(node.text or "")


def _time(text: str | None) -> datetime:
    """A moment, aware and in UTC. IAM writes ISO 8601; what else botocore takes it reads itself."""
    try:
        at = datetime.fromisoformat(text or "")
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except ValueError:
        pass
    read: Any = parse_timestamp(text)
    return read.astimezone(UTC)  # type: ignore[no-any-return]


def _maybe_time(fields: Fields, name: str) -> datetime | None:
    node = fields.get(name)
    return None if node is None else _time(node.text)


def _service(row: ET.Element) -> ServiceRow:
    fields = _fields(row)
    actions = fields.get("TrackedActionsLastAccessed")
    return ServiceRow(
        namespace=sys.intern(fields["ServiceNamespace"].text or ""),
        name=_text(fields, "ServiceName"),
        last_at=_maybe_time(fields, "LastAuthenticated"),
        last_by=_text(fields, "LastAuthenticatedEntity"),
        region=_text(fields, "LastAuthenticatedRegion"),
        entities=int(_text(fields, "TotalAuthenticatedEntities", "0") or 0),
        actions=None if actions is None else tuple(_action(_fields(a)) for a in actions),
    )


def _action(fields: Fields) -> ActionRow:
    return ActionRow(
        sys.intern(fields["ActionName"].text or ""),
        _maybe_time(fields, "LastAccessedTime"),
        _text(fields, "LastAccessedEntity"),
        _text(fields, "LastAccessedRegion"),
    )
