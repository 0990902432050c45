"""Accounts, and one fixed set of credentials for each: a report can be read only by the session that made it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.session
from botocore.config import Config as BotoConfig
from botocore.handlers import json_decode_policies
from botocore.loaders import Loader, create_loader

from advisor.core.errors import AwsError, Invalid, Refused
from advisor.core.model import Account
from advisor.edges.aws.errors import call, whole

RENEW_BEFORE = timedelta(minutes=10)
"""A session is given up this long before its credentials end, so that no report is begun that it could not read."""

_LISTED_FOR = timedelta(minutes=15)

_CLIENTS = 32
"""Accounts whose boto3 client is kept: half a megabyte each, in objects that Python's collector walks again and again."""

PATIENCE = 20.0
"""Seconds that a call waits for its answer, three times."""


@cache
def _models() -> Loader:
    """AWS's models as botocore reads them from disk: megabytes of JSON, the same for every session of a process."""
    return create_loader()


def _boto() -> Any:
    """A boto3 session with no credentials but those that it finds itself."""
    core = botocore.session.Session()
    made = boto3.session.Session(botocore_session=core)
    core.register_component("data_loader", _models())
    return made


_ONCE = BotoConfig(retries={"mode": "standard", "total_max_attempts": 1})


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is at AWS (sts:GetCallerIdentity)."""

    account: str
    arn: str
    partition: str


@dataclass(frozen=True, slots=True)
class Access:
    """How a process comes into an account: by the read role, from whoever it is itself. No credentials.

    `own` is the account of the bot's identity, where no role is assumed. `patience` is seconds a call may take.
    """

    account: str
    own: str
    partition: str
    read_role: str
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Keys:
    """One fixed set of credentials. It stays in the process that asked for it."""

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an account's IAM is, and for which Region a call to it is signed."""

    url: str
    region: str


@dataclass(frozen=True, slots=True)
class Session:
    """One set of credentials in one account. `id` is what a job row remembers."""

    id: str
    account: str
    iam: Any
    keys: Keys | None = None  # none in the bot's own account, where botocore finds them

    @property
    def ends_at(self) -> datetime | None:
        """When its credentials end, where they do."""
        return self.keys.ends_at if self.keys else None


class Sessions:
    """Opens and keeps sessions; one lock an account, so that one that hangs stops nobody else."""

    def __init__(
        self,
        *,
        boot: str,
        named: tuple[Account, ...],
        organization: bool,
        read_role: str,
        clock: Callable[[], datetime],
        patience: float,
        identity: Identity | None = None,
    ) -> None:
        # Three tries with back-off and jitter by botocore itself; what is left over is retried by the job.
        self._calls = BotoConfig(
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=5,
            read_timeout=patience,
            max_pool_connections=8,
            user_agent_extra="iam-audit",
        )
        self._boot = boot
        self._named = named
        self._organization = organization
        self._read_role = read_role
        self._clock = clock
        self._making = threading.Lock()  # a boto3 session makes clients for one thread at a time
        self._locks: dict[str, threading.Lock] = {}
        self._open: dict[str, Session] = {}
        self._lately: dict[str, None] = {}  # accounts that were asked for, the last one last
        self._boto: Any = None
        self._identity = identity  # where it is known already, nobody is asked
        self._serial = 0
        self._listed: tuple[datetime, tuple[Account, ...]] | None = None

    def client(self, service: str, *, once: bool = False, region: str = "", **credentials: str | None) -> Any:
        """A boto3 client; policy documents come as the raw text that IAM sent, still percent-encoded.

        `once` leaves out every retry: a write whose answer was lost must not be repeated blindly.
        """
        with self._making:
            if self._boto is None:
                self._boto = _boto()
            region = region or self._boto.region_name or "us-east-1"
            calls = self._calls.merge(_ONCE) if once else self._calls
            made = self._boto.client(service, region_name=region, config=calls, **credentials)
        made.meta.events.register("before-parse", whole)
        if service == "iam":
            made.meta.events.unregister("after-call.iam", json_decode_policies)
        return made

    def identity(self) -> Identity:
        """Who the bot is; asked once."""
        if self._identity is None:
            answer = call(self.client("sts").get_caller_identity, "sts:GetCallerIdentity", "")
            arn = str(answer["Arn"])
            self._identity = Identity(str(answer["Account"]), arn, arn.split(":")[1])
        return self._identity

    def accounts(self) -> tuple[Account, ...]:
        """The accounts that are audited, by the settings. Suspended ones of an organisation are left out."""
        own = self.identity().account
        if self._named:
            return tuple(Account(a.id, a.alias, a.id == own) for a in self._named)
        if not self._organization:
            return (Account(own, own=True),)
        now = self._clock()
        if self._listed is None or now - self._listed[0] > _LISTED_FOR:
            self._listed = (now, self._list_organization(own))
        return self._listed[1]

    def _list_organization(self, own: str) -> tuple[Account, ...]:
        client = self.client("organizations")
        found: list[Account] = []
        token: dict[str, str] = {}
        while True:
            page = call(client.list_accounts, "organizations:ListAccounts", own, **token)
            found += [
                Account(str(a["Id"]), str(a.get("Name", "")), a["Id"] == own)
                for a in page["Accounts"]
                if a.get("State", a.get("Status")) == "ACTIVE"
            ]
            if not page.get("NextToken"):
                return tuple(sorted(found, key=lambda a: (not a.own, a.id)))
            token = {"NextToken": str(page["NextToken"])}

    def session(self, account: str) -> Session:
        """The account's session of now: a new one where there is none or it ends within ten minutes."""
        with self._making:
            lock = self._locks.setdefault(account, threading.Lock())
        with lock:
            known = self._open.get(account)
            if known is None or (known.ends_at and known.ends_at - RENEW_BEFORE <= self._clock()):
                known = self._begin(account)
            elif known.iam is None and known.keys:
                known = replace(known, iam=self._iam_of(known.keys))
            self._keep(account, known)
            return known

    def _keep(self, account: str, session: Session) -> None:
        """Let go of clients that nobody asked for lately. Their credentials stay: only those may read their reports."""
        with self._making:
            self._open[account] = session
            self._lately.pop(account, None)
            self._lately[account] = None
            while len(self._lately) > _CLIENTS:
                longest = next(iter(self._lately))
                del self._lately[longest]
                resting = self._open.get(longest)
                if resting and resting.keys:
                    self._open[longest] = replace(resting, iam=None)

    def forget(self, account: str) -> None:
        """Forget an account's session, and the boto3 session that read credentials for it."""
        self._open.pop(account, None)
        with self._making:
            self._boto = None

    def _begin(self, account: str) -> Session:
        identity = self.identity()
        if account == identity.account:
            return Session(self._next_id(account), account, self.client("iam"))
        keys = self._assume(account)
        return Session(self._next_id(account), account, self._iam_of(keys), keys)

    def keys(self, account: str) -> Keys:
        """One set of credentials in an account that nothing renews. Raises what AssumeRole raises."""
        if account != self.identity().account:
            return self._assume(account)
        with self._making:
            if self._boto is None:
                self._boto = _boto()
            found = self._boto.get_credentials()
            if found is None:
                raise Refused("sts:GetCallerIdentity", "the bot has no AWS credentials", account=account)
            frozen = found.get_frozen_credentials()
        return Keys(str(frozen.access_key), str(frozen.secret_key), str(frozen.token or ""))

    def place(self, keys: Keys) -> Place:
        """Asked of botocore itself, which knows partitions, settings and endpoints: a signed address says it all."""
        address = urlsplit(self._iam_of(keys).generate_presigned_url("get_user"))
        scope = parse_qs(address.query)["X-Amz-Credential"][0].split("/")
        return Place(f"{address.scheme}://{address.netloc}{address.path or '/'}", scope[2])

    def _iam_of(self, keys: Keys) -> Any:
        return self.client(
            "iam",
            aws_access_key_id=keys.id,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.token,
        )

    def _assume(self, account: str) -> Keys:
        role = f"arn:{self.identity().partition}:iam::{account}:role/{self._read_role}"
        try:
            answer = call(
                self.client("sts").assume_role,
                "sts:AssumeRole",
                account,
                RoleArn=role,
                RoleSessionName="iam-audit",
                DurationSeconds=3600,  # a chained role gets an hour at most (STS API Reference, AssumeRole)
            )
        except AwsError as error:
            error.role = role
            raise
        made = answer["Credentials"]
        return Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], made["Expiration"])

    def _next_id(self, account: str) -> str:
        with self._making:
            self._serial += 1
            return f"{account}/{self._boot}/{self._serial}"

    def remembered(self, word: str) -> str:
        """The number of the account that a word means, without asking anybody; empty where that is not known."""
        known = self._named or (self._listed[1] if self._listed else ())
        return next((a.id for a in known if a.matches(word)), "")

    def account(self, word: str) -> Account:
        """The account that somebody means by an alias or a number. Raises Invalid where there is none."""
        for account in self.accounts():
            if account.matches(word):
                return account
        raise Invalid("account", f"no account {word} is set", account=word)
