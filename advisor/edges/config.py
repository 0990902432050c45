"""Settings, from the environment and a `.env` file. Every fault is reported at once, and never a value."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from advisor.core.errors import ConfigError
from advisor.core.model import Account
from advisor.core.reminders import quiet

PREFIX = "IAM_AUDIT_"
_ROLE = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,}")
_QUEUE = re.compile(r"https?://[^/\s]+/\d{12}/[\w-]{1,80}(\.fifo)?", re.ASCII)
_PERSON = re.compile(r"[UWS][A-Z0-9]{2,}")


def _split(value: object) -> object:
    """Comma-separated text to a tuple of trimmed words."""
    return tuple(w.strip() for w in value.split(",") if w.strip()) if isinstance(value, str) else value


def _people(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_PERSON.fullmatch(v) for v in value):
        raise ValueError("takes Slack ids of people (U…) and user groups (S…), separated by commas")
    return value


def _role(value: str | None) -> str | None:
    if value and not _ROLE.fullmatch(value):
        raise ValueError("takes the name of an IAM role, not its ARN")
    return value or None


def _channel(value: str | None) -> str | None:
    if value and not _CHANNEL.fullmatch(value):
        raise ValueError("takes the id of a channel (C…), not its name")
    return value or None


def _accounts(value: str) -> str:
    if value in {"self", "organization"}:
        return value
    pairs = [p.strip().partition("=") for p in value.split(",") if p.strip()]
    if not pairs or not all(
        alias.strip() and re.fullmatch(r"[0-9]{12}", number.strip()) for alias, _, number in pairs
    ):
        raise ValueError(
            "takes self, organization, or ALIAS=ACCOUNT pairs such as prod=111111111111,dev=222222222222"
        )
    aliases = [alias.strip().casefold() for alias, _, _ in pairs]
    numbers = [number.strip() for _, _, number in pairs]
    if len(set(aliases)) < len(aliases) or len(set(numbers)) < len(numbers):
        raise ValueError("names an account or an alias twice")
    return value


def _quiet(value: str) -> str:
    quiet(value)  # raises where it cannot be read
    return value


def _queue(value: str | None) -> str | None:
    if value and not _QUEUE.fullmatch(value):
        raise ValueError("takes the URL of an SQS queue, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    return value or None


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("takes an http or https URL")
    return value if value.endswith("/") else value + "/"


Ids = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_people)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
RoleName = Annotated[str | None, AfterValidator(_role)]


class Config(BaseSettings):
    """Everything that can be set. Field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    slack_bot_token: SecretStr
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_url: Annotated[str, AfterValidator(_url)] = "https://slack.com/api/"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None

    iam_audit_db: Path = Path("iam-audit.db")
    iam_audit_accounts: Annotated[str, AfterValidator(_accounts)] = "self"
    iam_audit_read_role: RoleName = "iam-audit-read"
    iam_audit_write_role: RoleName = None
    iam_audit_auditors: Ids = ()
    iam_audit_approvers: Ids = ()
    iam_audit_admins: Ids = ()
    iam_audit_approvals: Annotated[int, Field(ge=1, le=20)] = 1
    iam_audit_self_approval: bool = False
    iam_audit_ticket_channel: Annotated[str | None, AfterValidator(_channel)] = None
    iam_audit_window_days: Annotated[int, Field(ge=1, le=400)] = 90
    iam_audit_min_age_days: Annotated[int, Field(ge=0, le=3650)] = 90
    iam_audit_cache_hours: Annotated[float, Field(ge=0, le=8760)] = 4
    iam_audit_ticket_days: Annotated[int, Field(ge=1, le=365)] = 7
    iam_audit_protect: Words = ()
    iam_audit_owner_tag: str = "owner"
    iam_audit_iac_tags: Words = ("aws:cloudformation:stack-name", "terraform", "managed-by")
    iam_audit_hold_days: Annotated[int, Field(ge=0, le=365)] = 7
    iam_audit_watch_days: Annotated[int, Field(ge=0, le=365)] = 14
    iam_audit_replay_seconds: Annotated[int, Field(ge=0, le=3600)] = 120
    iam_audit_denied_queue: Annotated[str | None, AfterValidator(_queue)] = None
    iam_audit_access_analyzer: Annotated[str, Field(pattern="^(on|off)$")] = "off"
    iam_audit_escalate: Ids = ()
    iam_audit_remind_hours: Annotated[int, Field(ge=0, le=168)] = 24
    iam_audit_escalate_hours: Annotated[int, Field(ge=1, le=8760)] = 72
    iam_audit_quiet: Annotated[str, AfterValidator(_quiet)] = "20:00-08:00,sat,sun"
    iam_audit_retention_days: Annotated[int, Field(ge=1, le=36500)] = 730
    iam_audit_dask: str | None = None
    iam_audit_job_minutes: Annotated[float, Field(gt=0, le=1440)] = 15
    iam_audit_poll_seconds: Annotated[float, Field(gt=0, le=60)] = 1

    @property
    def named_accounts(self) -> tuple[Account, ...]:
        """The accounts of a list setting; empty for `self` and `organization`."""
        if self.iam_audit_accounts in {"self", "organization"}:
            return ()
        pairs = (p.strip().partition("=") for p in self.iam_audit_accounts.split(",") if p.strip())
        return tuple(Account(id=number.strip(), alias=alias.strip()) for alias, _, number in pairs)


def load(env_file: Path | None = Path(".env")) -> Config:
    """Read the settings. Raises ConfigError naming every fault: wrong values, missing ones, unknown names."""
    names = _names(env_file)
    faults = _unknown(names)
    if not names & {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}:
        faults.append(
            "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP mode): one of them is needed"
        )
    try:
        config = Config(_env_file=env_file)  # type: ignore[call-arg]  # read from the environment
    except ValidationError as error:
        # Only places and messages: pydantic's `input` holds the whole dictionary of settings, tokens included.
        faults += [_fault(str(e["loc"][0]) if e["loc"] else "", e["type"], e["msg"]) for e in error.errors()]
    else:
        if not faults:
            return config
    raise ConfigError(sorted(faults))


def _fault(name: str, kind: str, message: str) -> str:
    text = "is not set" if kind == "missing" else message.removeprefix("Value error, ")
    return f"{name.upper()}: {text[:1].lower()}{text[1:]}"


def _names(env_file: Path | None) -> set[str]:
    """The names that are set to something, in upper case as pydantic reads them."""
    given = dict(os.environ)
    if env_file and env_file.is_file():
        given |= {k: v or "" for k, v in dotenv_values(env_file).items()} | dict(os.environ)
    return {name.upper() for name, value in given.items() if value}


def _unknown(names: set[str]) -> list[str]:
    known = {name.upper() for name in Config.model_fields}
    return [f"{name}: no such setting" for name in names if name.startswith(PREFIX) and name not in known]
