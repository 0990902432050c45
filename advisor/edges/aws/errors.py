"""Foreign errors to ours, once. Nobody outside this package names botocore."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)

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
    "NoSuchEntity": Missing,
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
        raise _translated(error, permission, account) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise Refused(permission, "the bot has no AWS credentials", account=account) from error
    except BotoCoreError as error:  # timeouts, resets, half a body: the words name no secret
        raise Unreachable(permission, f"{type(error).__name__}", account=account) from error


def _translated(error: ClientError, permission: str, account: str) -> AwsError:
    details = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
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
