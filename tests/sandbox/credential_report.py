"""IAM's credential report, which moto has only in outline: made in a while, once in four hours, with the root user.

Sources: IAM User Guide, "Generate credential reports for your AWS account" (rows, columns, N/A, no_information,
not_supported, four hours); IAM API Reference, GetCredentialReport (its errors; botocore's model has their status).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

GOOD_FOR = timedelta(hours=4)
HEAD = (
    "user arn user_creation_time password_enabled password_last_used password_last_changed password_next_rotation "
    "mfa_active access_key_1_active access_key_1_last_rotated access_key_1_last_used_date access_key_1_last_used_region "
    "access_key_1_last_used_service access_key_2_active access_key_2_last_rotated access_key_2_last_used_date "
    "access_key_2_last_used_region access_key_2_last_used_service cert_1_active cert_1_last_rotated cert_2_active "
    "cert_2_last_rotated"
).split()


class NotPresent(ServiceException):
    code = "ReportNotPresent"


class InProgress(ServiceException):
    code = "ReportInProgress"


@dataclass(slots=True)
class Made:
    """A report of one account, frozen when it was asked for."""

    at: datetime
    text: str
    polls: int  # so many answers more that it is not ready


def install(aws: Any, mend: Callable[[str, Any], None]) -> None:
    """Both operations, for this sandbox; what other sandboxes made is forgotten."""
    reports: dict[str, Made] = {}

    def generated(_original: Any) -> Any:
        def generate(self: IamResponse) -> ActionResult:
            account, now = self.current_account, aws.clock()
            made = reports.get(account)
            if made is None or now - made.at >= GOOD_FOR:
                made = reports[account] = Made(now, text_of(aws.backend(account)), aws.knobs.credential_polls)
                state = "STARTED"
            else:
                state = "INPROGRESS"
            made.polls -= 1
            return ActionResult({"State": state if made.polls >= 0 else "COMPLETE"})

        return generate

    def fetched(_original: Any) -> Any:
        def get(self: IamResponse) -> ActionResult:
            made = reports.get(self.current_account)
            if made is None:
                raise NotPresent("No report exists for the account")
            if made.polls > 0:
                raise InProgress("Report generation is in progress")
            return ActionResult(
                {
                    "Content": made.text,
                    "ReportFormat": "text/csv",
                    "GeneratedTime": made.at.replace(microsecond=0),
                }
            )

        return get

    mend("generate_credential_report", generated)
    mend("get_credential_report", fetched)


def text_of(backend: Any) -> str:
    """The root user first, then every user."""
    out = io.StringIO()
    writer = csv.DictWriter(out, HEAD, restval="N/A", lineterminator="\n")
    writer.writeheader()
    writer.writerow(_root(backend))
    writer.writerows(_user(user) for user in backend.users.values())
    return out.getvalue().removesuffix("\n")


def _root(backend: Any) -> dict[str, str]:
    return {
        **_keys([]),
        "user": "<root_account>",
        "arn": f"arn:aws:iam::{backend.account_id}:root",
        "user_creation_time": "2020-01-01T00:00:00+00:00",
        "password_enabled": "not_supported",
        "password_last_used": "no_information",
        "password_last_changed": "not_supported",
        "password_next_rotation": "not_supported",
        "mfa_active": "true",
    }


def _user(user: Any) -> dict[str, str]:
    row = {
        **_keys(list(user.access_keys)),
        "user": user.name,
        "arn": user.arn,
        "user_creation_time": _time(user.create_date),
        "password_enabled": str(bool(user.password)).lower(),
        "mfa_active": str(bool(user.mfa_devices)).lower(),
    }
    if user.password:
        used = getattr(user, "password_last_used", None)
        row["password_last_used"] = _time(used) if used else "no_information"
        row["password_last_changed"] = _time(user.create_date)
    return row


def _keys(keys: list[Any]) -> dict[str, str]:
    row = {"cert_1_active": "false", "cert_2_active": "false"}
    for number in (1, 2):
        prefix = f"access_key_{number}_"
        key = keys[number - 1] if len(keys) >= number else None
        row[f"{prefix}active"] = str(key is not None and key.status == "Active").lower()
        if key:
            row[f"{prefix}last_rotated"] = _time(key.create_date)
        if key and key.last_used:
            row[f"{prefix}last_used_date"] = _time(key.last_used.timestamp)
            row[f"{prefix}last_used_region"] = key.last_used.region
            row[f"{prefix}last_used_service"] = key.last_used.service
    return row


def _time(at: datetime) -> str:
    """moto's times are naive UTC."""
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
