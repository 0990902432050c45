"""CloudTrail's event history as AWS answers it, fed by the record of use; and the Regions that an account has enabled.

Sources: CloudTrail API Reference, LookupEvents (one attribute, 50 events a page, newest first, two calls a second per
account and Region, 90 days); CloudTrail User Guide, "CloudTrail record contents" and "userIdentity element"; EC2 API
Reference, DescribeRegions. moto has no LookupEvents, and as many Regions as there are.
"""

from __future__ import annotations

import hashlib
import html
import json
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from advisor.core import events as told  # only to see what is a data event; the names here are AWS's
from tests.sandbox import iam_rules, wire

Answer = tuple[int, list[tuple[str, str]], bytes]

AGENTS = ("aws-cli/2.27.1", "Boto3/1.40.1 *bold* <!channel>", "<https://evil.example|click> @here")


@dataclass(frozen=True, slots=True)
class Happened:
    """One event; `seen_at` is when event history has it: late ones come later than they happened."""

    account: str
    region: str
    at: datetime
    seen_at: datetime
    record: dict[str, Any]


@dataclass(slots=True)
class Trail:
    """The events of every account, and how this CloudTrail behaves."""

    regions: tuple[str, ...] = ("eu-north-1", "us-east-1")
    rate: float = 0.0  # calls a second; 0: as many as one likes
    hangs: set[str] = field(default_factory=set)  # Regions that give no answer
    hang: float = 5.0
    page: int = 50
    events: list[Happened] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # Region, attribute, value
    refused: int = 0  # calls over the rate
    _sizes: tuple[int, int] = (-1, -1)
    _index: dict[tuple[str, str, str, str], list[Happened]] = field(default_factory=dict)
    _calls: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        account: str,
        arn: str,
        source: str,
        name: str,
        at: datetime,
        *,
        region: str = "us-east-1",
        error: str = "",
        session: str = "nightly",
        late: timedelta = timedelta(0),
        message: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        """An event as CloudTrail would have recorded it."""
        record = {
            "eventVersion": "1.11",
            "userIdentity": _identity(account, arn, session),
            "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": "203.0.113.7",
            "userAgent": AGENTS[len(self.events) % len(AGENTS)],
            "eventID": str(uuid.uuid4()),
            "recipientAccountId": account,
            **(
                {"errorCode": error, "errorMessage": message or f"User: {arn} is not authorized"}
                if error
                else {}
            ),
            **more,
        }
        self.events.append(Happened(account, region, at.replace(microsecond=0), at + late, record))
        return record

    def rewind(self, events: list[Happened]) -> None:
        """Only these have happened."""
        self.events[:], self._sizes = events, (-1, -1)

    def lookup(self, aws: Any, account: str, region: str, body: bytes) -> Answer:
        """LookupEvents."""
        if region in self.hangs:
            time.sleep(self.hang)
        if not self._within_rate(account, region):
            self.refused += 1
            return _json(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
        asked = json.loads(body)
        attributes = asked.get("LookupAttributes") or [{"AttributeKey": "", "AttributeValue": ""}]
        now = aws.clock()
        start = asked.get("StartTime", (now - timedelta(days=90)).timestamp())
        end = asked.get("EndTime", now.timestamp())
        if len(attributes) > 1:
            return _json(400, {"__type": "InvalidLookupAttributesException", "message": "One attribute"})
        if start > end:
            return _json(
                400, {"__type": "InvalidTimeRangeException", "message": "The times are the wrong way"}
            )
        key, value = attributes[0]["AttributeKey"], attributes[0]["AttributeValue"]
        self.asked.append((region, key, value))
        oldest = max(float(start), (now - timedelta(days=90)).timestamp())
        found = [
            h
            for h in self._of(aws, account, region, key, value)
            if oldest <= h.at.timestamp() <= end and h.seen_at <= now
        ]
        mark = hashlib.sha256(f"{account}{region}{key}{value}{start}{end}".encode()).hexdigest()[:16]
        token = str(asked.get("NextToken") or f"{mark}-0")
        if not token.startswith(mark):
            return _json(
                400, {"__type": "InvalidNextTokenException", "message": "A token of another question"}
            )
        at = int(token.rpartition("-")[2])
        size = min(int(asked.get("MaxResults") or 50), self.page)
        answer: dict[str, Any] = {"Events": [_row(h) for h in found[at : at + size]]}
        if at + size < len(found):
            answer["NextToken"] = f"{mark}-{at + size}"
        return _json(200, answer)

    def _within_rate(self, account: str, region: str) -> bool:
        if not self.rate:
            return True
        now = time.monotonic()
        held = [t for t in self._calls.get((account, region), []) if now - t < 1]
        fits = len(held) < self.rate
        self._calls[(account, region)] = [*held, now] if fits else held
        return fits

    def _of(self, aws: Any, account: str, region: str, key: str, value: str) -> list[Happened]:
        """By an index that is made anew when something was added."""
        sizes = (len(self.events), len(aws.uses))
        with self._lock:
            if sizes != self._sizes:
                self._index, self._sizes = self._indexed(aws), sizes
            return self._index.get((account, region, key, value), [])

    def _indexed(self, aws: Any) -> dict[tuple[str, str, str, str], list[Happened]]:
        index: dict[tuple[str, str, str, str], list[Happened]] = {}
        for one in [*self.events, *_used(aws.uses)]:
            for k, v in (("EventSource", "eventSource"), ("EventName", "eventName")):
                index.setdefault((one.account, one.region, k, one.record[v]), []).append(one)
            index.setdefault((one.account, one.region, "", ""), []).append(one)
        for rows in index.values():
            rows.sort(key=lambda h: (h.at, h.record["eventID"]), reverse=True)
        return index

    def describe_regions(self) -> Answer:
        """DescribeRegions without AllRegions: those that are enabled."""
        rows = "".join(
            f"<item><regionName>{r}</regionName><regionEndpoint>ec2.{r}.amazonaws.com</regionEndpoint>"
            "<optInStatus>opt-in-not-required</optInStatus></item>"
            for r in self.regions
        )
        text = (
            '<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            f"<requestId>{uuid.uuid4()}</requestId><regionInfo>{rows}</regionInfo></DescribeRegionsResponse>"
        )
        return 200, [("Content-Type", "text/xml")], text.encode()


def _identity(account: str, arn: str, session: str) -> dict[str, Any]:
    name = arn.rpartition("/")[2]
    if ":role/" not in arn:
        return {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": arn,
            "accountId": account,
            "userName": name,
        }
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        "accountId": account,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": arn, "accountId": account, "userName": name},
            "attributes": {"mfaAuthenticated": "false"},
        },
    }


def _used(uses: Iterable[Any]) -> Iterable[Happened]:
    """Every use is a call, and every call that is no data event is an event."""
    for n, use in enumerate(uses):
        action = use.action or usual(use.service)
        if not action or told.hidden(f"{use.service}:{action}"):
            continue
        named = (e.partition(":")[2] for e, a in told.ACTIONS.items() if a == (f"{use.service}:{action}",))
        name = next(named, action) if use.service == "s3" else action
        at = use.at.replace(microsecond=0)
        record = {
            "eventVersion": "1.11",
            "userIdentity": _identity(use.account, use.arn, "session-1"),
            "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": told.sources(use.service)[0],
            "eventName": name,
            "awsRegion": use.region,
            "userAgent": AGENTS[n % len(AGENTS)],
            "eventID": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{n} {use.arn} {use.service} {use.action}")),
        }
        yield Happened(use.account, use.region, at, use.at, record)


def usual(service: str) -> str:
    """A call that is usual for a service of which only the use is known."""
    found = [a for a in iam_rules.actions(service) if a.startswith(("List", "Describe", "Get"))]
    return next((a for a in found if not told.hidden(f"{service}:{a}")), "")


def _row(one: Happened) -> dict[str, Any]:
    identity = one.record["userIdentity"]
    return {
        "EventId": one.record["eventID"],
        "EventName": one.record["eventName"],
        "EventSource": one.record["eventSource"],
        "EventTime": one.at.timestamp(),
        "Username": identity["arn"].rpartition("/")[2] if isinstance(identity.get("arn"), str) else "",
        "Resources": [],
        "CloudTrailEvent": json.dumps(one.record),
    }


def _json(status: int, answer: dict[str, Any]) -> Answer:
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", str(uuid.uuid4()))]
    return status, headers, json.dumps(answer).encode()


def as_ec2(answer: Answer) -> Answer:
    """The gate's own errors in EC2's words, which has names and a shape of its own."""
    status, headers, body = answer
    text = body.decode()
    if "<ErrorResponse" not in text:
        return answer
    code = text.partition("<Code>")[2].partition("</Code>")[0]
    said = html.unescape(text.partition("<Message>")[2].partition("</Message>")[0])
    code = {"AccessDenied": "UnauthorizedOperation", "Throttling": "RequestLimitExceeded"}.get(code, code)
    body = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{html.escape(said)}</Message></Error></Errors>"
        f"<RequestID>{uuid.uuid4()}</RequestID></Response>"
    ).encode()
    return wire.STATUS.get(code, status), [("Content-Type", "text/xml")], body
