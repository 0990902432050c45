"""Somebody calls something: asked of the policies that really stand, told by event history, and by the queue where one is.

Sources: IAM User Guide, "Troubleshoot access denied error messages" (the sentences); EventBridge User Guide, "AWS service
events delivered via AWS CloudTrail" (the message). A permissions boundary or an SCP of somebody else is a sentence that a
test gives.
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from advisor.core import events as told  # only for the name of a source; the calls are AWS's
from tests.sandbox import advisor, callers

QUEUE = "iam-audit-denied"


def queue(aws: Any, account: str) -> str:
    """Make a queue as the template of the documents makes it, but what was not deleted comes again at once; its URL."""
    name, at_once = f"{QUEUE}-{uuid.uuid4().hex[:8]}", {"VisibilityTimeout": "0"}
    made = aws.client("sqs", account).create_queue(QueueName=name, Attributes=at_once)
    return f"{aws.url}/{account}/{made['QueueUrl'].rpartition('/')[2]}"


def attempt(
    aws: Any,
    account: str,
    arn: str,
    action: str,
    *,
    event: str = "",
    region: str = "us-east-1",
    session: str = "nightly",
    late: timedelta = timedelta(0),
    said: str = "",
    url: str = "",
    code: str = "AccessDenied",
    ago: timedelta = timedelta(0),
    heard: bool = True,
) -> str:
    """One call by a role or user: IAM's sentence where it is denied, else nothing. `url` is the queue's."""
    service, _, name = action.partition(":")
    backend = aws.backend(account)
    kind, _, who = arn.rpartition(":")[2].partition("/")
    who = who.rpartition("/")[2]
    if kind == "user":
        texts = advisor.texts_of(backend, "user", backend.users[who])
        caller = callers.Caller(account, arn)
    else:
        texts = advisor.texts(next(r for r in backend.roles.values() if r.name == who))
        caller = callers.Caller(account, arn, f"arn:aws:sts::{account}:assumed-role/{who}/{session}")
    said = said or callers.refusal(caller, texts, action, {}, backend)
    record = aws.trail.add(
        account,
        arn,
        told.sources(service)[0],
        event or name,
        aws.clock() - ago,
        region=region,
        error=code if said else "",
        message=said,
        session=session,
        late=late if heard else timedelta(days=400),
    )
    if said and url:
        send(aws, url, record)
    return said


def send(aws: Any, url: str, record: dict[str, Any] | str) -> None:
    """What the rule puts into the queue; or anything else that somebody does."""
    account = url.split("/")[-2]
    body = record if isinstance(record, str) else json.dumps(message(account, record))
    aws.client("sqs", account).send_message(QueueUrl=url, MessageBody=body)


def message(account: str, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{record['eventSource'].partition('.')[0]}",
        "account": account,
        "time": record["eventTime"],
        "region": record["awsRegion"],
        "resources": [],
        "detail": record,
    }
