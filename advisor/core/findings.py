"""What a sweep finds beyond single services: of all entities of one account together. Pure; nothing here is ever carried out.

Absence is not evidence here either: who is young, protected, kept, unread or not told of is no finding, and is counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from advisor.core import credentials, scp
from advisor.core.credentials import CredentialReport, Weakness
from advisor.core.model import Failure, Kind, PolicyKind, Report, Snapshot
from advisor.core.policy import PASSING, Catalogue, services_granted
from advisor.core.report import Rules, protected
from advisor.core.scp import Unneeded

COPIES = 3
"""From so many roles on the same inline policy is worth one managed policy."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """The newest report of an entity, as far as it matters here: when it was made, and each listed service's last attempt."""

    as_of: datetime
    services: tuple[tuple[str, datetime | None], ...] = ()

    @classmethod
    def of(cls, report: Report) -> Attempts:
        """The same of a whole report."""
        return cls(report.created_at, tuple((s.namespace, s.last_at) for s in report.services))


@dataclass(frozen=True, slots=True)
class Observed:
    """An entity, and its newest report: None where there is none. Groups and policies need no report here."""

    snapshot: Snapshot
    attempts: Attempts | None = None


class Idle(StrEnum):
    """Why an entity is named."""

    NO_ATTEMPT = "no_attempt"  # none seen in the tracking period, at any listed service
    BEFORE_WINDOW = "before_window"  # the last one was before the window
    GRANTS_NOTHING = "grants_nothing"  # it has no policy at all
    NO_MEMBERS = "no_members"  # a group
    NOT_ATTACHED = "attached_to_nobody"  # a policy, no boundary either
    EMPTY_GROUPS = "only_empty_groups"  # a policy that only groups without members have


@dataclass(frozen=True, slots=True)
class IdleEntity:
    """A role, user, group or policy that nobody seems to need.

    `last_at` is its last attempt or (a user) sign-in or use of a key. `untold` are services that its policies allow
    and that Access Advisor does not tell of: it may live by them.
    """

    kind: Kind
    name: str
    arn: str
    why: Idle
    age_days: int | None = None
    last_at: datetime | None = None
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Copies:
    """One inline document in several roles, told by its meaning. `holders` are (role's ARN, the policy's name there)."""

    digest: str
    holders: tuple[tuple[str, str], ...]
    size: int  # characters of its canonical text


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Entities that are no finding because something stands against judging them."""

    young: int = 0
    protected: int = 0  # service-linked, the bot's own, by the settings
    kept: int = 0  # by a person
    unread: int = 0  # no report, or nothing at all
    untold: int = 0  # no listed service, or an age that is not known


@dataclass(frozen=True, slots=True)
class AccountFindings:
    """Everything of one account. `credentials_at` is None where the credential report is missing: `failure` says why."""

    account: str
    alias: str
    at: datetime
    window_days: int
    key_days: int
    seen: tuple[tuple[Kind, int], ...] = ()  # entities of each kind that were looked at
    active_keys: int = 0  # of users
    passwords: int = 0  # users, root among them, that can sign in
    idle: tuple[IdleEntity, ...] = ()
    weaknesses: tuple[Weakness, ...] = ()
    credentials_at: datetime | None = None
    credentials_untold: int = 0
    failure: Failure | None = None
    copies: tuple[Copies, ...] = ()
    unneeded: Unneeded = field(default_factory=Unneeded)
    left_out: LeftOut = field(default_factory=LeftOut)

    def of(self, kind: Kind) -> int:
        """How many of a kind were looked at."""
        return dict(self.seen).get(kind, 0)


def find(
    observed: Iterable[Observed],
    rules: Rules,
    catalogue: Catalogue,
    *,
    account: str,
    at: datetime,
    alias: str = "",
    logins: CredentialReport | Failure | None = None,
    unread: int = 0,
    kept: Collection[str] = (),
    key_days: int | None = None,
) -> AccountFindings:
    """All findings of one account; `observed` is gone through once.

    `logins` is the credential report, or why there is none. `unread` counts the entities that the account lists and
    that are not among the observed. `kept` are ARNs that a person keeps whole. `key_days` is the window unless said.
    """
    told = logins if isinstance(logins, CredentialReport) else None
    gathered = _Gathering(rules, catalogue, told, frozenset(kept))
    for one in observed:
        gathered.add(one)
    keys, passwords = credentials.counted(told) if told else (0, 0)
    key_age = rules.window_days if key_days is None else key_days
    return AccountFindings(
        account=account,
        alias=alias,
        at=at,
        window_days=rules.window_days,
        key_days=key_age,
        seen=tuple(gathered.seen.items()),
        active_keys=keys,
        passwords=passwords,
        idle=tuple(sorted(gathered.idle, key=_order)),
        weaknesses=tuple(credentials.weaknesses(told, rules.window_days, key_age)) if told else (),
        credentials_at=told.generated_at if told else None,
        credentials_untold=credentials.untold(told) if told else 0,
        failure=logins if isinstance(logins, Failure) else None,
        copies=gathered.copies(),
        unneeded=gathered.unneeded(unread),
        left_out=gathered.left_out(unread),
    )


def _order(idle: IdleEntity) -> tuple[int, int, str]:
    """Kind, then the oldest first."""
    return (list(Kind).index(idle.kind), -(idle.age_days or 0), idle.arn)


class _Gathering:
    """What is known after each entity."""

    def __init__(
        self, rules: Rules, catalogue: Catalogue, logins: CredentialReport | None, kept: frozenset[str]
    ) -> None:
        self._rules = rules
        self._catalogue = catalogue
        self._kept = kept
        self._logins = logins
        people = logins.logins if logins else ()
        self._last_login = {p.arn: p.last_at for p in people}
        self.seen = dict.fromkeys(Kind, 0)
        self.idle: list[IdleEntity] = []
        self._out = dict.fromkeys(("young", "protected", "kept", "unread", "untold"), 0)
        self._documents: dict[str, tuple[int, list[tuple[str, str]]]] = {}
        self._granted: set[str] = set()
        self._untold = set(PASSING)  # each has an action that leaves no trace
        self._young: set[str] = set()
        self._blind = 0  # roles and users of which nothing is known
        self._used = {k.service for p in people for k in p.keys if k.service}

    def add(self, one: Observed) -> None:
        """One entity more."""
        entity = one.snapshot.entity
        if one.attempts:
            self._used |= {s for s, last in one.attempts.services if last}
        if entity.aws_managed:
            return
        self.seen[entity.kind] += 1
        untold: tuple[str, ...] = ()
        if entity.kind in {Kind.ROLE, Kind.USER}:
            untold = self._grants(one)
        shield = protected(one.snapshot, self._rules)
        if entity.kind is Kind.ROLE and not shield:
            self._copy(one.snapshot)
        why = self._idle(one)
        if why is None:
            return
        if not isinstance(why, Idle):
            self._out[why] += 1
        elif shield:
            self._out["protected"] += 1
        elif entity.arn in self._kept:
            self._out["kept"] += 1
        elif self._age(one) is None:
            self._out["untold"] += 1
        elif self._is_young(one):
            self._out["young"] += 1
        else:
            last = self._last(one)
            self.idle.append(
                IdleEntity(entity.kind, entity.name, entity.arn, why, self._age(one), last, untold)
            )

    def _idle(self, one: Observed) -> Idle | str | None:
        """Why it seems idle; "unread" or "untold" where that cannot be judged; None where it is in use."""
        snapshot = one.snapshot
        match snapshot.entity.kind:
            case Kind.GROUP:
                return None if snapshot.members else Idle.NO_MEMBERS
            case Kind.POLICY if snapshot.holders:
                return None if snapshot.reach or snapshot.boundary_of else Idle.EMPTY_GROUPS
            case Kind.POLICY:
                return None if snapshot.boundary_of else Idle.NOT_ATTACHED
            case _:
                return self._idle_principal(one)

    def _idle_principal(self, one: Observed) -> Idle | str | None:
        if one.attempts is None:
            return "unread"
        last = self._last(one)
        if last and self._now(one) - last <= timedelta(days=self._rules.window_days):
            return None
        if not one.attempts.services and one.snapshot.policies:
            return "untold"
        if last:
            return Idle.BEFORE_WINDOW
        return Idle.NO_ATTEMPT if one.attempts.services else Idle.GRANTS_NOTHING

    def _last(self, one: Observed) -> datetime | None:
        """The last attempt at any service, or a user's last sign-in or use of a key."""
        times = [last for _, last in one.attempts.services] if one.attempts else []
        times.append(self._last_login.get(one.snapshot.entity.arn))
        return max((t for t in times if t), default=None)

    def _now(self, one: Observed) -> datetime:
        return one.attempts.as_of if one.attempts else one.snapshot.read_at

    def _age(self, one: Observed) -> int | None:
        born = one.snapshot.entity.created_at
        return None if born is None else max(0, (self._now(one) - born).days)

    def _is_young(self, one: Observed) -> bool:
        """Also where the age is not known."""
        born = one.snapshot.entity.created_at
        grown = timedelta(days=self._rules.min_age_days)
        return bool(self._rules.min_age_days) and (born is None or self._now(one) - born < grown)

    def _grants(self, one: Observed) -> tuple[str, ...]:
        """Note what a role or user is granted; the services that cannot be told of it."""
        if one.attempts is None:
            self._blind += 1
            return ()
        listed = {s for s, _ in one.attempts.services}
        try:
            allowed = services_granted(one.snapshot.policies, self._catalogue)
        except (ValueError, RecursionError):  # a document that cannot be read may grant anything
            self._blind += 1
            return ()
        untold = allowed.keys() - listed
        self._granted |= listed
        self._untold |= untold
        if self._is_young(one):
            self._young |= listed
        return tuple(sorted(untold))

    def _copy(self, snapshot: Snapshot) -> None:
        for policy in snapshot.policies:
            if policy.kind is PolicyKind.INLINE and not policy.group:
                text = canonical(policy.text)
                digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
                _, holders = self._documents.setdefault(digest, (len(text), []))
                holders.append((snapshot.entity.arn, policy.name))

    def copies(self) -> tuple[Copies, ...]:
        """Documents that many roles have, the most frequent first."""
        found = [
            Copies(digest[:16], tuple(sorted(holders)), size)
            for digest, (size, holders) in self._documents.items()
            if len({arn for arn, _ in holders}) >= COPIES
        ]
        return tuple(sorted(found, key=lambda c: (-len(c.holders), c.digest)))

    def unneeded(self, unread: int) -> Unneeded:
        """Services that nobody tried."""
        return scp.unneeded(
            self._granted,
            used=self._used,
            untold=self._untold,
            young=self._young,
            unread=unread + self._blind,
        )

    def left_out(self, unread: int) -> LeftOut:
        """Whom nothing is said of."""
        return LeftOut(**{**self._out, "unread": self._out["unread"] + unread})


def canonical(text: str) -> str:
    """A policy document by its meaning: two that read the same are the same text.

    Keys are sorted, a single value is a list of one, actions and resources are sorted (actions without regard to case),
    Sids and the Id are left out, statements keep their order. Text that is no JSON object stays as it is.
    """
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return text
    if not isinstance(document, dict):
        return text
    statements = document.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    # Without a Version it is the older language, which knows no policy variables (IAM User Guide, Version).
    version = document.get("Version", "2008-10-17")
    said = {"Version": version, "Statement": [_statement(s) for s in statements]}
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _statement(statement: object) -> object:
    if not isinstance(statement, Mapping):
        return statement
    found: dict[str, object] = {}
    for key, value in statement.items():
        if key in {"Action", "NotAction"}:
            found[key] = sorted({str(v).lower() for v in _listed(value)})
        elif key in {"Resource", "NotResource"}:
            found[key] = sorted({str(v) for v in _listed(value)})
        elif key == "Condition" and isinstance(value, Mapping):
            found[key] = {operator: _tests(tests) for operator, tests in value.items()}
        elif key != "Sid":
            found[key] = value
    return found


def _tests(tests: object) -> object:
    """The keys of one operator, each with its values; "true" and true are one to IAM."""
    if not isinstance(tests, Mapping):
        return tests
    return {key: sorted({_word(v) for v in _listed(value)}) for key, value in tests.items()}


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
