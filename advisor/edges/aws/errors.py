"""Foreign errors to ours, once. Nobody outside this package names botocore."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from advisor.core.errors import AwsError, Busy, Expired, Invalid, Missing, Refused, Throttled, Unreachable

_CODES: dict[str, type[AwsError]] = {
    # Source: IAM API Reference, Common Errors, and each operation's own list.
    "AccessDenied": Refused,
    "AccessDeniedException": Refused,
    "UnauthorizedOperation": Refused,
    "OptInRequired": Refused,
    "InvalidClientTokenId": Refused,
    "UnrecognizedClientException": Refused,
    "SignatureDoesNotMatch": Refused,
    "NotAuthorized": Refused,
    "AWSOrganizationsNotInUseException": Refused,
    "ExpiredToken": Expired,
    "ExpiredTokenException": Expired,
    "RequestExpired": Expired,
    "Throttling": Throttled,
    "ThrottlingException": Throttled,
    "ThrottledException": Throttled,
    "RequestLimitExceeded": Throttled,
    "TooManyRequestsException": Throttled,
    "PriorRequestNotComplete": Throttled,
    "SlowDown": Throttled,
    "ReportGenerationLimitExceeded": Throttled,
    "EntityTemporarilyUnmodifiable": Busy,
    "ConcurrentModification": Busy,
    "ReportInProgress": Busy,
    "NoSuchEntity": Missing,
    "ReportNotPresent": Missing,
    "ReportExpired": Missing,
    "ChildNotFoundException": Missing,
    "InvalidInput": Invalid,
    "ValidationError": Invalid,
    "MalformedInput": Invalid,
}

_WHO = re.compile(r"User: (arn:\S+)")


def call(
    method: Callable[..., dict[str, Any]], permission: str, account: str, **parameters: object
) -> dict[str, Any]:
    """Make one call; raise one of our errors naming the permission that it needs."""
    try:
        return method(**parameters)
    except ClientError as error:
        raise translated(error.response, permission, account) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise Refused(permission, "the bot has no AWS credentials", account=account) from error
    except (BotoCoreError, ResponseParserError) as error:  # timeouts, resets, half a body
        raise Unreachable(permission, f"{type(error).__name__}", account=account) from error


def whole(operation_model: Any, response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse half an answer in JSON. botocore would read one as an answer in which nothing stands; of XML it raises.

    A hook of botocore's: `before-parse`.
    """
    if "json" not in operation_model.service_model.resolved_protocol or response_dict["status_code"] >= 300:
        return
    try:
        json.loads(response_dict["body"] or b"{}")
    except ValueError as error:
        raise ResponseParserError(f"half an answer to {operation_model.name}") from error


def translated(answer: Mapping[str, Any], permission: str, account: str) -> AwsError:
    """An error as botocore's parsers hand it out (Error, ResponseMetadata), as one of ours."""
    details = answer.get("Error", {})
    meta = answer.get("ResponseMetadata", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    kind = _CODES.get(code)
    if kind is None:
        kind = Unreachable if int(meta.get("HTTPStatusCode", 0)) >= 500 else Invalid  # HTTP's own line
    who = _WHO.search(message)
    return kind(
        permission,
        f"{code}: {message}",
        account=account,
        role=who.group(1) if who else "",
        request_id=str(meta.get("RequestId", "")),
    )
