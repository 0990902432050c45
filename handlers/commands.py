"""The grammar of /iam-audit: text to a request or a usage error. Pure."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass, replace

from advisor.core.arn import parse as parse_arn
from advisor.core.arn import valid_name
from advisor.core.model import TRACKED_DAYS, Asked, Granularity, Kind
from handlers import estate_words
from handlers.estate_words import Estate, Wrong

KINDS = tuple(k.value for k in Kind)
LONE = ("help", "whoami", "accounts", "keeps")
NUMBERED = ("ticket", "keep end")
WHICH = ("open", "mine", "waiting")
OTHERS = ("tickets", "ticket", "keep", "log")
FLAGS = ("actions", "fresh")
KEYS = ("account", "days")

_QUOTES = "\"'`“”‘’"


@dataclass(frozen=True, slots=True)
class Form:
    """Nothing was typed: open the form."""


@dataclass(frozen=True, slots=True)
class Lone:
    """Words that stand alone: help, whoami, accounts, keeps, log export."""

    word: str


@dataclass(frozen=True, slots=True)
class Tickets:
    """tickets [open | mine | waiting | role NAME …]"""

    which: str = "open"
    of: Asked | None = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """ticket N, keep end N"""

    word: str
    number: int


@dataclass(frozen=True, slots=True)
class UsageError:
    """What is wrong, what would be right, and the nearest commands."""

    typed: str
    wrong: str
    hint: str
    near: tuple[str, ...] = ()


Parsed = Form | Lone | Tickets | Numbered | Asked | Estate | UsageError


@dataclass(frozen=True, slots=True)
class _Options:
    account: str = ""
    days: int | None = None
    actions: bool = False
    fresh: bool = False


def parse(text: str, window_days: int = 90) -> Parsed:
    """Understand what was typed after /iam-audit. `window_days` is what `days=` is without being said."""
    words = _words(text)
    if not words:
        return Form()
    first = words[0].casefold()
    if first in LONE:
        if len(words) == 1:
            return Lone(first)
        return UsageError(text, words[1], f"{first} stands alone.", (f"/iam-audit {first}",))
    if first in OTHERS:
        return _other(text, words)
    if first in estate_words.FIRST:
        return _estate(text, words, window_days)
    options, rest, error = _options(text, words)
    if error:
        return error
    return _entity(text, rest, options, window_days)


def _estate(text: str, words: list[str], window_days: int) -> Parsed:
    """sweep, digest, history, org, regroup, why."""

    def entity(rest: list[str]) -> Asked | Wrong:
        found = parse(" ".join(rest), window_days)
        if isinstance(found, Asked):
            return found
        if isinstance(found, UsageError):
            lines = [line.removeprefix("/iam-audit ") for line in found.near]
            of_entities = [f"/iam-audit history {line}" for line in lines if isinstance(parse(line), Asked)]
            return Wrong(found.wrong, found.hint, tuple(of_entities))
        return Wrong(rest[0], "Say which entity, or which account:", ("/iam-audit history role DBAdminRole",))

    found = estate_words.parse(words, entity)
    return UsageError(text, found.word, found.hint, found.near) if isinstance(found, Wrong) else found


def _other(text: str, words: list[str]) -> Parsed:
    """tickets, ticket N, keep end N, log export."""
    folded = [w.casefold() for w in words]
    match folded:
        case ["tickets"]:
            return Tickets()
        case ["tickets", which] if which in WHICH:
            return Tickets(which)
        case ["tickets", *rest] if rest[0] in KINDS or rest[0].startswith("arn:"):
            asked = parse(" ".join(words[1:]))
            return Tickets("entity", asked) if isinstance(asked, Asked) else asked
        case ["tickets", which, *_]:
            near = difflib.get_close_matches(which, WHICH, n=1, cutoff=0.5)
            lines = tuple(f"/iam-audit tickets {n}" for n in near or WHICH)
            return UsageError(text, words[1], "Nearest:", (*lines, "/iam-audit tickets role DBAdminRole"))
        case ["ticket", number] | ["keep", "end", number] if re.fullmatch(r"#?[0-9]{1,15}", number):
            return Numbered("ticket" if len(folded) == _PAIR else "keep end", int(number.lstrip("#")))
        case ["ticket", *rest]:
            hint = "Say its number, as it stands on its card:"
            return UsageError(text, rest[0] if rest else "ticket", hint, ("/iam-audit ticket 12",))
        case ["keep", *rest]:
            hint = "A keep is made on a ticket’s card; here it can be ended, by its number:"
            return UsageError(
                text, rest[-1] if rest else "keep", hint, ("/iam-audit keep end 5", "/iam-audit keeps")
            )
        case ["log", "export"]:
            return Lone("log export")
        case _:
            return UsageError(text, words[-1], "Nearest:", ("/iam-audit log export",))


_PAIR = 2
"""A word and its number."""


def _words(text: str) -> list[str]:
    """Words between any white space, without quotes around them and without invisible characters."""
    visible = "".join(" " if c.isspace() else c for c in text if unicodedata.category(c) != "Cf")
    return [w for w in (word.strip(_QUOTES) for word in visible.split()) if w]


def _options(text: str, words: list[str]) -> tuple[_Options, list[str], UsageError | None]:
    options = _Options()
    rest: list[str] = []
    plain = [w for w in words if "=" not in w and w.casefold() not in FLAGS]
    for word in words:
        key, equals, value = word.partition("=")
        key, value = key.casefold(), value.strip(_QUOTES)
        named = bool(rest) and rest[0].casefold() in KINDS and len(rest) > 1
        if equals and key in KEYS:
            options, error = _keyed(text, options, word, key, value, words)
            if error:
                return options, rest, error
        elif (
            key in FLAGS
            and not equals
            and (named or len(plain) > 1 or (plain and plain[0].startswith("arn:")))
        ):
            options = replace(
                options, actions=options.actions or key == "actions", fresh=options.fresh or key == "fresh"
            )
        elif equals and named:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
            hint = (
                f"Did you mean {near[0]}=?" if near else "The options are account=, actions, days= and fresh."
            )
            return (
                options,
                rest,
                UsageError(text, word, hint, _corrected(words, word, f"{near[0]}={value}" if near else "")),
            )
        else:
            rest.append(word)
    return options, rest, None


def _keyed(
    text: str, options: _Options, word: str, key: str, value: str, words: list[str]
) -> tuple[_Options, UsageError | None]:
    if key == "account":
        if not value:
            hint = "account= takes an alias or a number of 12 digits; /iam-audit accounts lists them."
            return options, UsageError(text, word, hint, _corrected(words, word, "account=prod"))
        return replace(options, account=value), None
    if re.fullmatch(r"[0-9]{1,4}", value) and 1 <= int(value) <= TRACKED_DAYS:
        return replace(options, days=int(value)), None
    hint = f"days takes a number from 1 to {TRACKED_DAYS}. Nearest:"
    return options, UsageError(text, word, hint, _corrected(words, word, "days=90"))


def _corrected(words: list[str], wrong: str, right: str) -> tuple[str, ...]:
    """The command as typed, with one word put right."""
    kept = [right if w == wrong else w for w in words]
    line = " ".join(["/iam-audit", *(w for w in kept if w)])
    return (line,) if len(line) <= 200 else ()  # a longer one helps nobody


def _entity(text: str, rest: list[str], options: _Options, window_days: int) -> Parsed:
    if not rest:
        return UsageError(text, text.strip()[:80], "Say which entity.", ("/iam-audit role DBAdminRole",))
    first = rest[0]
    if first.casefold().startswith("arn:"):
        return _by_arn(text, None, first, rest[1:], options, window_days)
    kind = first.casefold()
    if kind not in KINDS:
        return _unknown(text, rest)
    if len(rest) == 1:
        return UsageError(
            text, first, f"Say which {kind}, for example:", (f"/iam-audit {kind} {_EXAMPLE[kind]}",)
        )
    name = rest[1]
    if name.casefold().startswith("arn:"):
        return _by_arn(text, Kind(kind), name, rest[2:], options, window_days)
    if len(rest) > 2:  # kind and name
        return _extra(text, rest)
    if not valid_name(name):
        hint = f"IAM allows no {kind} of that name: letters, digits and + = , . @ - _ only, 128 at most."
        return UsageError(text, name, hint, (f"/iam-audit {kind} {_EXAMPLE[kind]}",))
    return _asked(Kind(kind), name, options, window_days)


_EXAMPLE = {"role": "DBAdminRole", "user": "alice", "group": "data-engineers", "policy": "DataLakeAccess"}


def _by_arn(
    text: str, kind: Kind | None, arn: str, extra: list[str], options: _Options, window_days: int
) -> Parsed:
    parsed = parse_arn(arn)
    if isinstance(parsed, str):
        hint = f"This ARN cannot be audited: {parsed}. For example:"
        return UsageError(text, arn, hint, ("/iam-audit arn:aws:iam::111111111111:role/DBAdminRole",))
    if kind is not None and kind is not parsed.kind:
        hint = f"That is the ARN of a {parsed.kind}. Nearest:"
        return UsageError(text, kind, hint, (f"/iam-audit {parsed.kind} {parsed.name}",))
    if extra:
        return _extra(text, [arn, *extra])
    return _asked(parsed.kind, str(parsed), options, window_days)


def _extra(text: str, rest: list[str]) -> UsageError:
    at = 2 if len(rest) > 2 and not rest[0].startswith("arn:") else len(rest) - 1
    extra = rest[at]
    near = difflib.get_close_matches(extra.casefold(), FLAGS, n=1, cutoff=0.6)
    kept = " ".join(w for n, w in enumerate(rest) if n < at)
    hint = "One entity at a time; the options are account=, actions, days= and fresh. Nearest:"
    line = f"/iam-audit {kept}{' ' + near[0] if near else ''}"
    return UsageError(text, extra, hint, (line,) if len(line) <= 200 else ())


def _unknown(text: str, rest: list[str]) -> UsageError:
    """A first word that is none of ours: the nearest one, or the usual commands."""
    first = rest[0]
    near = difflib.get_close_matches(
        first.casefold(), (*KINDS, *LONE, *estate_words.FIRST, "tickets"), n=2, cutoff=0.6
    )
    if near and valid_name(first):
        tail = f" {rest[1]}" if len(rest) > 1 and valid_name(rest[1]) else ""
        lines = tuple(f"/iam-audit {n}{(tail or f' {_EXAMPLE[n]}') if n in KINDS else ''}" for n in near)
        return UsageError(text, first, "Nearest:", lines)
    if len(rest) == 1 and valid_name(first):
        lines = tuple(f"/iam-audit {kind} {first}" for kind in KINDS)
        return UsageError(text, first, "Say what it is:", lines)
    usual = ("/iam-audit role NAME", "/iam-audit user NAME")
    return UsageError(text, "", "No command is near that. These are the usual ones:", usual)


def _asked(kind: Kind, name: str, options: _Options, window_days: int) -> Asked:
    return Asked(
        kind=kind,
        name=name,
        account=options.account,
        granularity=Granularity.ACTION if options.actions else Granularity.SERVICE,
        days=window_days if options.days is None else options.days,
        fresh=options.fresh,
    )
