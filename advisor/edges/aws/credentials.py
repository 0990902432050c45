"""IAM's credential report: asked for, waited for, read. Not Access Advisor: it knows nothing of keys and passwords.

Source: IAM API Reference, GenerateCredentialReport and GetCredentialReport; IAM User Guide, "Generate credential reports
for your AWS account" (the columns, and that AWS makes a new one at most once in four hours).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from advisor.core.credentials import CredentialReport, Key, Login
from advisor.core.errors import Busy, Missing, Unreachable
from advisor.edges.aws.errors import call
from advisor.edges.aws.sessions import Session

GENERATE = "iam:GenerateCredentialReport"
GET = "iam:GetCredentialReport"

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between two looks; the last again and again."""

_NEVER = {"N/A", "no_information"}
_COLUMNS = (
    *("user", "arn", "user_creation_time", "mfa_active"),
    *(f"password_{c}" for c in ("enabled", "last_used", "last_changed")),
    *(f"access_key_{n}_{c}" for n in (1, 2) for c in ("active", "last_rotated", "last_used_date")),
)


def read(
    session: Session,
    *,
    deadline: datetime,
    clock: Callable[[], datetime],
    pause: Callable[[float], object],
) -> CredentialReport:
    """The account's newest report; one is made where there is none younger than four hours.

    Waits with `pause` (seconds) between looks, never past `deadline`, then raises Busy: ask again later, AWS goes on
    making it. Raises Refused, Throttled, Expired, Unreachable as every read does.
    """
    looks = 0
    while True:
        if generate(session):
            try:
                return fetch(session)
            except (Missing, Busy):  # it expired between the two calls, or is being made again
                pass
        wait = PAUSES[min(looks, len(PAUSES) - 1)]
        if clock() + timedelta(seconds=wait) > deadline:
            raise Busy(GENERATE, "the credential report is not ready yet", account=session.account)
        pause(wait)
        looks += 1


def generate(session: Session) -> bool:
    """Ask for a report; whether one can be fetched now. AWS answers STARTED, INPROGRESS or COMPLETE."""
    answer = call(session.iam.generate_credential_report, GENERATE, session.account)
    return answer.get("State") == "COMPLETE"


def fetch(session: Session) -> CredentialReport:
    """The report that AWS has. Raises Missing where there is none or it has expired, Busy while it is being made."""
    answer = call(session.iam.get_credential_report, GET, session.account)
    try:
        text = bytes(answer["Content"]).decode("utf-8-sig")
        return parse(text, answer["GeneratedTime"].astimezone(UTC))
    except (KeyError, ValueError, csv.Error) as error:
        raise Unreachable(GET, f"not a credential report: {error}", account=session.account) from error


def parse(text: str, generated_at: datetime) -> CredentialReport:
    """The CSV text as values. Columns are found by name, more of them do no harm; raises ValueError where one is missing."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = set(_COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"no column {min(missing)}")
    return CredentialReport(generated_at, tuple(_login(row) for row in reader))


def _login(row: Mapping[str, str | None]) -> Login:
    if any(row[c] is None for c in _COLUMNS):  # half a line
        raise ValueError("a row ends early")
    used_at, known = _last_use(row["password_last_used"])
    return Login(
        user=str(row["user"]),
        arn=str(row["arn"]),
        created_at=_time(row["user_creation_time"]),
        password=_yes(row["password_enabled"]),
        password_used_at=used_at,
        password_use_known=known,
        password_changed_at=_time(row["password_last_changed"]),
        mfa=_yes(row["mfa_active"]),
        keys=tuple(key for n in (1, 2) if (key := _key(row, n))),
    )


def _key(row: Mapping[str, str | None], number: int) -> Key | None:
    """One key, or None where there is none (which a key that is off and has no dates looks like, too)."""
    prefix = f"access_key_{number}_"
    active, made_at = _yes(row[f"{prefix}active"]), _time(row[f"{prefix}last_rotated"])
    used_at, known = _last_use(row[f"{prefix}last_used_date"])
    if not active and made_at is None and used_at is None:
        return None
    region, service = (_word(row.get(f"{prefix}last_used_{what}")) for what in ("region", "service"))
    return Key(number, bool(active), made_at, used_at, known, region, service)


def _last_use(value: str | None) -> tuple[datetime | None, bool]:
    """When, and whether AWS tells at all: N/A and no_information mean never since tracking began."""
    at = _time(value)
    return at, at is not None or value in _NEVER


def _time(value: str | None) -> datetime | None:
    """ISO 8601, as UTC; None for N/A, no_information, not_supported and whatever else is no time."""
    try:
        at = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _yes(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get((value or "").lower())


def _word(value: str | None) -> str:
    return "" if value is None or value in {*_NEVER, "not_supported"} else value
