"""A queue of denied calls: EventBridge puts CloudTrail's records into SQS, within seconds of the call.

The queue is read by the bot's own identity. What is read is handed over first and deleted afterwards, so a death
between the two makes it come again; whoever keeps it counts it once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from advisor.edges.aws.errors import call
from advisor.edges.aws.sessions import Sessions
from advisor.edges.aws.trail import Event, event_of

WAIT = 10
"""Seconds that a question waits for a message: SQS allows 20 (SQS API Reference, ReceiveMessage)."""

MOST = 10
"""Messages an answer, and deletions a call (the same page, and DeleteMessageBatch)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A call that the queue told of, denied or not, with the account and Region that recorded it."""

    account: str
    region: str
    event: Event


@dataclass(frozen=True, slots=True)
class Received:
    """One answer of the queue: what to delete afterwards, what it told, and how much was no record of a call."""

    handles: tuple[str, ...]
    heard: tuple[Heard, ...]
    garbage: int


class Denials:
    """Reads one queue; long polling, so that nothing is asked in vain."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def receive(self, url: str, wait: int = WAIT) -> Received:
        """What waits in the queue, at most MOST; empty after so many seconds without any. Raises AwsError."""
        answer = call(
            self._client(url).receive_message,
            "sqs:ReceiveMessage",
            "",
            QueueUrl=url,
            MaxNumberOfMessages=MOST,
            WaitTimeSeconds=wait,
        )
        messages: Sequence[Mapping[str, Any]] = answer.get("Messages") or []
        found = [heard(str(m.get("Body") or "")) for m in messages]
        known = tuple(h for h in found if h is not None)
        return Received(tuple(str(m["ReceiptHandle"]) for m in messages), known, len(found) - len(known))

    def delete(self, url: str, handles: Sequence[str]) -> None:
        """What was kept is not needed in the queue any more. Raises AwsError."""
        entries = [{"Id": str(n), "ReceiptHandle": h} for n, h in enumerate(handles)]
        call(self._client(url).delete_message_batch, "sqs:DeleteMessage", "", QueueUrl=url, Entries=entries)

    def probe(self, url: str) -> int:
        """How many messages wait, about: tells whether the queue is there and may be read. Raises AwsError."""
        answer = call(
            self._client(url).get_queue_attributes,
            "sqs:GetQueueAttributes",
            "",
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages"],
        )
        return int((answer.get("Attributes") or {}).get("ApproximateNumberOfMessages") or 0)

    def _client(self, url: str) -> Any:
        """A client in the queue's own Region, as its URL names it."""
        named = re.match(r"https?://(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.", url)
        return self._sessions.client("sqs", region=next(filter(None, named.groups()), "") if named else "")


def heard(body: str) -> Heard | None:
    """A message of EventBridge; None where it is none that tells of a call.

    Source: Amazon EventBridge User Guide, "AWS service events delivered via AWS CloudTrail": `detail` is the record.
    """
    try:
        message = json.loads(body)
        record = message["detail"]
        at = datetime.strptime(str(record["eventTime"]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        account = str(record.get("recipientAccountId") or message.get("account") or "")
        region = str(record.get("awsRegion") or message.get("region") or "")[:32]
        event = event_of(record, "", at)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Heard(account, region, event) if event and event.id and account else None
