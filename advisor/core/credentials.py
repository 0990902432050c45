"""Access keys, passwords and MFA of an account's users: what IAM's credential report says, and what follows from it. Pure.

Access Advisor is not the source of any of this. Source: IAM User Guide, "Generate credential reports for your AWS
account": AWS makes a new report at most once in four hours, so ages count from the report's own time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ROOT = "<root_account>"
"""How the report names the root user."""


@dataclass(frozen=True, slots=True)
class Key:
    """One of the two access keys that a user can have. `number` is 1 or 2: the report has no key ids.

    `used_at` None means no use since tracking began on 22 April 2015 where `use_known`, else that AWS did not tell.
    """

    number: int
    active: bool
    made_at: datetime | None = None  # created or last changed
    used_at: datetime | None = None
    use_known: bool = True
    region: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """One row of the report. `password` and `mfa` are None where AWS did not tell (`not_supported`).

    `password_used_at` None means no sign-in since tracking began on 20 October 2014 where `password_use_known`.
    """

    user: str
    arn: str
    created_at: datetime | None = None
    password: bool | None = False
    password_used_at: datetime | None = None
    password_use_known: bool = True
    password_changed_at: datetime | None = None
    mfa: bool | None = None
    keys: tuple[Key, ...] = ()

    @property
    def root(self) -> bool:
        """Whether this is the account's root user."""
        return self.user == ROOT

    @property
    def last_at(self) -> datetime | None:
        """The last use of the password or of a key, switched off meanwhile or not."""
        return max(
            (at for at in (self.password_used_at, *(k.used_at for k in self.keys)) if at), default=None
        )


@dataclass(frozen=True, slots=True)
class CredentialReport:
    """IAM's credential report of one account, and when AWS made it."""

    generated_at: datetime
    logins: tuple[Login, ...] = ()


class Held(StrEnum):
    """What a user holds, and what is to be said of it."""

    KEY = "access_key"
    PASSWORD = "password"  # noqa: S105 - the word, not one
    NO_MFA = "no_mfa"


class Flaw(StrEnum):
    """Why it is said."""

    NO_USE = "no_use"  # none since tracking began, and older than the window
    BEFORE_WINDOW = "before_window"
    OLD = "old"  # used (or not told), and not changed for longer than it should be
    ROOT_KEY = "root_key"  # the root user should have none
    NO_MFA = "no_mfa"  # a password without a second factor


@dataclass(frozen=True, slots=True)
class Weakness:
    """One credential with the heaviest thing to say of it. `age_days` is that of the key, or of the password."""

    held: Held
    arn: str
    user: str
    flaw: Flaw
    key: int = 0
    last_at: datetime | None = None
    age_days: int | None = None
    service: str = ""  # that the key was last used with


def weaknesses(report: CredentialReport, window_days: int, key_days: int) -> Iterator[Weakness]:
    """What a person should look at, in the report's order. A key that is switched off opens nothing and is left out.

    `key_days`: a key older than that should be changed. AWS says 90 days (AWS Security Hub User Guide, control IAM.3;
    AWS Config, rule access-keys-rotated).
    """
    for login in report.logins:
        for key in login.keys:
            flaw = _of_key(login, key, report.generated_at, window_days, key_days)
            if flaw:
                age = _days(key.made_at, report.generated_at)
                yield Weakness(
                    Held.KEY, login.arn, login.user, flaw, key.number, key.used_at, age, key.service
                )
        age = _days(login.password_changed_at or login.created_at, report.generated_at)
        flaw = _of_password(login, report.generated_at, window_days)
        if flaw:
            yield Weakness(
                Held.PASSWORD, login.arn, login.user, flaw, last_at=login.password_used_at, age_days=age
            )
        if login.mfa is False and _signs_in(login):
            last = login.password_used_at
            yield Weakness(Held.NO_MFA, login.arn, login.user, Flaw.NO_MFA, last_at=last, age_days=age)


def counted(report: CredentialReport) -> tuple[int, int]:
    """How many active keys of users there are, and how many users (root among them) can sign in by a password."""
    keys = sum(k.active for login in report.logins for k in login.keys if not login.root)
    return keys, sum(_signs_in(login) for login in report.logins)


def _signs_in(login: Login) -> bool:
    """The root user has a password unless AWS says that it has none."""
    return bool(login.password) or (login.root and login.password is None)


def untold(report: CredentialReport) -> int:
    """How many active keys and passwords there are of whose use AWS says nothing."""
    keys = sum(k.active and not k.use_known for login in report.logins for k in login.keys)
    return keys + sum(bool(login.password) and not login.password_use_known for login in report.logins)


def _of_key(login: Login, key: Key, now: datetime, window_days: int, key_days: int) -> Flaw | None:
    if not key.active:
        return None
    if login.root:
        return Flaw.ROOT_KEY
    if key.used_at and _before(key.used_at, now, window_days):
        return Flaw.BEFORE_WINDOW
    if key.used_at is None and key.use_known and _before(key.made_at, now, window_days):
        return Flaw.NO_USE
    return Flaw.OLD if _before(key.made_at, now, key_days) else None


def _of_password(login: Login, now: datetime, window_days: int) -> Flaw | None:
    if not login.password or login.root:  # nobody should sign in as root from day to day
        return None
    if login.password_used_at:
        return Flaw.BEFORE_WINDOW if _before(login.password_used_at, now, window_days) else None
    set_at = login.password_changed_at or login.created_at
    return Flaw.NO_USE if login.password_use_known and _before(set_at, now, window_days) else None


def _before(at: datetime | None, now: datetime, days: int) -> bool:
    """Whether it was more than so many days ago; a time that is not known was not."""
    return at is not None and now - at > timedelta(days=days)


def _days(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else max(0, (now - at).days)
