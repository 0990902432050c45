"""The grammar of what concerns more than one audit: sweep, digest, history, org, regroup, why. Text to a value. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from advisor.core.estate import WEEKDAYS, Cadence, QuestionKind, Rhythm
from advisor.core.model import Asked

DIGEST_WORDS = ("now", "list", "off", "edit")
SWEEP_WORDS = ("weekly", "off")
_CADENCES = tuple(c.value for c in Cadence)
_TIME = re.compile(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?")
_TARGET = re.compile(r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|[0-9]{12}|[^\s=]{1,128}")


@dataclass(frozen=True, slots=True)
class SweepNow:
    """sweep [account=ALIAS|ID|all]; empty: the bot's own account."""

    account: str = ""


@dataclass(frozen=True, slots=True)
class SweepEvery:
    """sweep weekly DAY HH:MM [account=…]; the zone is its maker's, and not in the words."""

    rhythm: Rhythm
    account: str = ""


@dataclass(frozen=True, slots=True)
class SweepOff:
    """sweep off: ends the scheduled sweep of this channel."""


@dataclass(frozen=True, slots=True)
class DigestEvery:
    """digest daily|weekly|monthly …; the zone is its maker's, and not in the words."""

    rhythm: Rhythm
    accounts: tuple[str, ...] = ()
    tag: str = ""


@dataclass(frozen=True, slots=True)
class DigestWord:
    """digest (the form), now, list, off, edit."""

    word: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """history of an entity, or of an account; both empty: of the bot's own account."""

    of: Asked | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class Org:
    """org [ROOT|OU|ACCOUNT]; empty: the root."""

    target: str = ""


@dataclass(frozen=True, slots=True)
class Regroup:
    """regroup [account=…]; empty: the bot's own account."""

    account: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """why role|user|group|policy NAME ACTION, or why ARN ACTION."""

    of: Asked
    action: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """The word that is wrong, what would be right, and lines that could be typed instead."""

    word: str
    hint: str
    near: tuple[str, ...] = ()


Estate = SweepNow | SweepEvery | SweepOff | DigestEvery | DigestWord | History | Org | Regroup | Why
FIRST = ("sweep", "digest", "history", "org", "regroup", "why")
"""The first words that are understood here."""


def question(asked: History | Org | Regroup | Why) -> tuple[QuestionKind, dict[str, str]]:
    """The kind of question that was typed, and its words as they are stored."""
    match asked:
        case Org(target):
            return QuestionKind.ORG, {"target": target}
        case Regroup(account):
            return QuestionKind.REGROUP, {"account": account}
        case History(None, account):
            return QuestionKind.HISTORY, {"account": account}
        case History(Asked() as of, account):
            words = {"kind": of.kind.value if of.kind else "", "name": of.name, "account": account}
            return QuestionKind.HISTORY, {**words, "days": str(of.days)}
        case Why(of, action):
            words = {"kind": of.kind.value if of.kind else "", "name": of.name, "account": of.account}
            return QuestionKind.WHY, {**words, "action": action, "fresh": "yes" if of.fresh else ""}
    raise AssertionError(asked)  # pragma: no cover


def parse(words: list[str], entity: Callable[[list[str]], Asked | Wrong]) -> Estate | Wrong:
    """Understand a command that begins with one of FIRST. `entity` reads what an audit would read."""
    first, rest = words[0].casefold(), words[1:]
    if first == "history":
        return _history(rest, entity)
    if first == "why":
        return _why(rest, entity)
    accounts, tag, plain, wrong = _options(rest, tagged=first == "digest", of=first)
    if wrong:
        return wrong
    account = accounts[0] if accounts else ""
    match first:
        case "sweep":
            return _sweep(plain, account)
        case "digest":
            return _digest(plain, accounts, tag)
        case "org":
            return _org(plain, account)
        case _:
            if plain:
                return Wrong(plain[0], "regroup takes account= only.", ("/iam-audit regroup account=prod",))
            return Regroup(account)


def _options(
    words: list[str], *, tagged: bool, of: str
) -> tuple[tuple[str, ...], str, list[str], Wrong | None]:
    """account= (several with a comma for a digest) and tag:K=V, wherever they stand; the rest in order."""
    accounts: tuple[str, ...] = ()
    tag, plain = "", []
    for word in words:
        key, equals, value = word.partition("=")
        if key.casefold() == "account" and equals:
            accounts = tuple(v for v in value.split(",") if v)
            if not accounts or (len(accounts) > 1 and not tagged):
                hint = (
                    "account= takes one alias, a number of 12 digits, or all; /iam-audit accounts lists them."
                )
                return (), "", [], Wrong(word, hint, (f"/iam-audit {of} account=all",))
        elif tagged and word.casefold().startswith("tag:"):
            tag = word[len("tag:") :]
            if not equals or not tag.partition("=")[0] or not tag.partition("=")[2]:
                hint = "tag: takes a key and a value."
                return (), "", [], Wrong(word, hint, ("/iam-audit digest weekly mon tag:team=payments",))
        else:
            plain.append(word)
    return accounts, tag, plain, None


def _sweep(plain: list[str], account: str) -> Estate | Wrong:
    if not plain:
        return SweepNow(account)
    first = plain[0].casefold()
    if first == "off" and len(plain) == 1:
        return SweepOff()
    example = "/iam-audit sweep weekly sun 02:00"
    if first == "weekly":
        rhythm = _rhythm(Cadence.WEEKLY, plain[1:], example, at="02:00")
        return rhythm if isinstance(rhythm, Wrong) else SweepEvery(rhythm, account)
    near = difflib.get_close_matches(first, SWEEP_WORDS, n=1, cutoff=0.6)
    lines = {"weekly": (example,), "off": ("/iam-audit sweep off",)}.get(near[0] if near else "", ())
    usual = ("/iam-audit sweep account=all", example)
    return Wrong(plain[0], "A sweep takes account=, or a day and a time:", lines or usual)


def _digest(plain: list[str], accounts: tuple[str, ...], tag: str) -> Estate | Wrong:
    if not plain:
        return DigestWord()
    first = plain[0].casefold()
    if first in DIGEST_WORDS:
        if len(plain) == 1 and not accounts and not tag:
            return DigestWord(first)
        return Wrong(plain[-1], f"digest {first} stands alone.", (f"/iam-audit digest {first}",))
    if first in _CADENCES:
        cadence = Cadence(first)
        rhythm = _rhythm(cadence, plain[1:], f"/iam-audit digest {_EXAMPLE[cadence]}", at="09:00")
        return rhythm if isinstance(rhythm, Wrong) else DigestEvery(rhythm, accounts, tag)
    near = difflib.get_close_matches(first, (*_CADENCES, *DIGEST_WORDS), n=2, cutoff=0.6)
    lines = tuple(f"/iam-audit digest {_EXAMPLE.get(n, n)}" for n in near)
    usual = ("/iam-audit digest weekly mon 09:00", "/iam-audit digest list")
    return Wrong(plain[0], "Nearest:" if lines else "These are the usual ones:", lines or usual)


_EXAMPLE: dict[str, str] = {
    Cadence.DAILY: "daily 09:00",
    Cadence.WEEKLY: "weekly mon 09:00",
    Cadence.MONTHLY: "monthly 1 09:00",
}


def _rhythm(cadence: Cadence, words: list[str], example: str, at: str) -> Rhythm | Wrong:
    """A day where the cadence has one, then a time; both may be left out."""
    rest = list(words)
    day = {Cadence.WEEKLY: "mon", Cadence.MONTHLY: "1"}.get(cadence, "")
    if rest and cadence is not Cadence.DAILY and not _is_time(rest[0], cadence):
        found = _day(cadence, rest[0].casefold())
        if not found:
            what = "a day from mon to sun" if cadence is Cadence.WEEKLY else "a day from 1 to 28, or last"
            return Wrong(rest[0], f"{cadence.value} takes {what}.", (example,))
        day = found
        rest = rest[1:]
    if rest:
        found_time = _TIME.fullmatch(rest[0])
        if not found_time:
            return Wrong(rest[0], "A time is written as 09:00, in your own time zone.", (example,))
        at = f"{int(found_time[1]):02d}:{found_time[2] or '00'}"
        rest = rest[1:]
    return Wrong(rest[0], "That is one word too many.", (example,)) if rest else Rhythm(cadence, day, at)


def _is_time(word: str, cadence: Cadence) -> bool:
    """Whether the day was left out: a bare number is a day of the month, with a colon it is a time."""
    return bool(_TIME.fullmatch(word)) and (":" in word or cadence is Cadence.WEEKLY)


def _day(cadence: Cadence, word: str) -> str:
    if cadence is Cadence.WEEKLY:
        full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        return next(
            (
                d
                for d, f in zip(WEEKDAYS, full, strict=True)
                if word == d or (len(word) >= 3 and f.startswith(word))
            ),
            "",
        )
    if word == "last":
        return word
    return str(int(word)) if re.fullmatch(r"[0-9]{1,2}", word) and 1 <= int(word) <= 28 else ""


def _history(words: list[str], entity: Callable[[list[str]], Asked | Wrong]) -> Estate | Wrong:
    plain = [w for w in words if not w.casefold().startswith("account=")]
    if not plain:
        accounts, _, _, wrong = _options(words, tagged=False, of="history")
        return wrong or History(account=accounts[0] if accounts else "")
    asked = entity(words)
    return asked if isinstance(asked, Wrong) else History(asked, asked.account)


_ACTION = re.compile(r"[A-Za-z0-9-]{1,64}:[A-Za-z0-9]{1,128}", re.ASCII)
_WHY = "/iam-audit why role DBAdminRole s3:GetObject"


def _why(words: list[str], entity: Callable[[list[str]], Asked | Wrong]) -> Estate | Wrong:
    plain = [n for n, w in enumerate(words) if "=" not in w and w.casefold() not in {"fresh", "actions"}]
    needed = 2 if plain and words[plain[0]].casefold().startswith("arn:") else 3
    if len(plain) < needed:
        return Wrong(words[-1] if words else "why", "Say which entity and which action:", (_WHY,))
    place = next((n for n in plain[needed - 1 :] if ":" in words[n]), plain[-1])
    action, rest = words[place], [w for n, w in enumerate(words) if n != place]
    asked = entity(rest)
    if isinstance(asked, Wrong):
        near = tuple(f"{n.replace('/iam-audit history', '/iam-audit why', 1)} {action}" for n in asked.near)
        return Wrong(asked.word, asked.hint, near if _ACTION.fullmatch(action) else (_WHY,))
    if not _ACTION.fullmatch(action):
        return Wrong(action, "An action is one service and one name, without wildcards:", (_WHY,))
    return Why(asked, action)


def _org(plain: list[str], account: str) -> Estate | Wrong:
    example = ("/iam-audit org", "/iam-audit org ou-ab12-cdefgh34")
    if account and not plain:
        return Org(account)
    if len(plain) > 1 or account:
        return Wrong(plain[-1], "org takes one root, organisational unit or account.", example)
    if plain and not _TARGET.fullmatch(plain[0]):
        return Wrong(plain[0], "That is no root (r-…), organisational unit (ou-…) or account.", example)
    return Org(plain[0] if plain else "")
