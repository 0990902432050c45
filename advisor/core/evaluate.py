"""A second opinion on a rewritten document: whether it lost what was to go, and nothing else.

On purpose it shares no code with `policy` and `rewrite`, so that one mistake is not made twice: actions are expanded
service by service with a matcher of its own, and two documents are compared by what each allows. It works within one
context at a time. A context is the rest of a statement (its Resource, Condition and whatever else stands there), as
nobody can say offline which resources and conditions a request will come with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.core.policy import Catalogue

_FEW = 5
"""So many differences are named; a reader needs the first ones."""


def disagreements(
    before: str,
    after: str | None,
    cut_services: Collection[str],
    cut_actions: Collection[str],
    catalogue: Catalogue,
    *,
    hindered: Collection[str] = (),
) -> tuple[str, ...]:
    """What is wrong with a rewrite, in sentences; nothing where the documents differ by the cut alone.

    `hindered` are the services and actions of the cut that were said to stay.
    """
    if after == before and {s.lower() for s in (*cut_services, *cut_actions)} <= _lowered(hindered):
        return ()  # also where the text is nothing that can be read
    try:
        old, new = _Reading.of(before), _Reading.of(after)
    except (ValueError, RecursionError) as error:
        return (f"a document cannot be read: {error}",)
    names = _Names(catalogue, [*old.written(), *new.written(), *cut_actions])
    found = [] if old.denies == new.denies else ["the Deny statements are not what they were"]
    if after is not None:
        found += [] if old.around == new.around else ["something beside the statements is not what it was"]
        found += [] if new.allows or new.denies or not old.allows else ["a document without a statement"]
    found += _gained(old, new, names)
    cut = _Cut(_lowered(cut_services), _lowered(cut_actions))
    excused = _lowered(hindered)
    for context, lists in old.allows.items():
        had, has = names.allowed(lists), names.allowed(new.allows.get(context, []))
        found += [f"{a} was lost, though nobody cut it" for a in sorted(had - has) if not cut.holds(a)]
        stays = {a for a in had & has if cut.holds(a)} | names.traces(new.allows.get(context, []), cut)
        found += [f"{a} was to go and is still allowed" for a in sorted(stays) if not _excused(a, excused)]
    return _first(found)


def between(low: str | None, middle: str | None, high: str | None, catalogue: Catalogue) -> tuple[str, ...]:
    """What is wrong with a document that should allow at least what `low` does and at most what `high` does.

    None is a document that is not there and allows nothing.
    """
    try:
        least, held, most = _Reading.of(low), _Reading.of(middle), _Reading.of(high)
    except (ValueError, RecursionError) as error:
        return (f"a document cannot be read: {error}",)
    names = _Names(catalogue, [*least.written(), *held.written(), *most.written()])
    found = _gained(most, held, names)
    for context, lists in least.allows.items():
        missing = names.allowed(lists) - names.allowed(held.allows.get(context, []))
        found += [f"{a} is missing" for a in sorted(missing)]
    if held.allows:
        found += [f"a Deny is missing: {d}" for d in most.denies if d not in held.denies]
    if least.allows:
        found += [f"a Deny was added: {d}" for d in held.denies if d not in least.denies]
    return _first(found)


class Allowing:
    """Documents together, read once and asked about one action after another. Raises ValueError where one cannot be read."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._lists: dict[str, list[_List]] = {}
        for text in texts:
            for context, lists in _Reading.of(text).allows.items():
                self._lists.setdefault(context, []).extend(lists)
        self._known: dict[str, frozenset[str]] = {}

    def contexts(self, action: str) -> frozenset[str]:
        """The contexts in which the documents allow `service:Action`; none where nothing does."""
        low = action.lower()
        if low not in self._known:
            self._known[low] = frozenset(
                c for c, lists in self._lists.items() if any(map(_allows(low), lists))
            )
        return self._known[low]


def _allows(action: str) -> Callable[[_List], bool]:
    def allows(each: _List) -> bool:
        return any(set(e) <= set("*:") or _glob(e, action) for e in each.entries) is not each.inverted

    return allows


def _gained(old: _Reading, new: _Reading, names: _Names) -> list[str]:
    """What is allowed that was not: by name, or by a pattern that reaches further than any that stood there."""
    found: list[str] = []
    for context, lists in new.allows.items():
        stood = old.allows.get(context, [])
        added = sorted(names.allowed(lists) - names.allowed(stood))
        found += [f"{a} was added" for a in added]
        found += [] if added else [f"{e} reaches further than what stood there" for e in _far(lists, stood)]
    return found


def _far(lists: Iterable[_List], stood: Collection[_List]) -> list[str]:
    far = []
    for each in lists:
        if each.inverted:
            if not any(_narrower(each, other) for other in stood):
                far.append("NotAction")
            continue
        for entry in each.entries:
            inside = any(any(_glob(e, entry) for e in other.entries) is not other.inverted for other in stood)
            if not inside:
                far.append(entry)
    return far


def _narrower(each: _List, other: _List) -> bool:
    """Whether a NotAction list excludes all that another one does, or stands where everything was allowed."""
    if not other.inverted:
        return any(set(e) <= set("*:") for e in other.entries)
    return all(any(_glob(mine, theirs) for mine in each.entries) for theirs in other.entries)


@dataclass(frozen=True)
class _Cut:
    """What is to go, in lower case."""

    services: frozenset[str]
    actions: frozenset[str]

    def holds(self, action: str) -> bool:
        return action in self.actions or action.partition(":")[0] in self.services


@dataclass(frozen=True)
class _List:
    """One Action or NotAction list, in lower case."""

    entries: tuple[str, ...]
    inverted: bool


@dataclass(frozen=True)
class _Reading:
    """A document as lists by context; its Deny statements in order, and what stands around them, in canonical JSON."""

    allows: Mapping[str, list[_List]] = field(default_factory=dict)
    denies: tuple[str, ...] = ()
    around: str = ""

    @classmethod
    def of(cls, text: str | None) -> _Reading:
        if text is None:
            return cls()
        document: object = json.loads(text.lstrip("\ufeff"), object_pairs_hook=_each_once)
        if not isinstance(document, dict):
            raise ValueError("a document is an object")
        found = document.get("Statement", [])
        allows: dict[str, list[_List]] = {}
        denies: list[str] = []
        for statement in found if isinstance(found, list) else [found]:
            if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
                raise ValueError("a statement allows or denies")
            if statement["Effect"] == "Deny":
                denies.append(json.dumps(statement, sort_keys=True))
                continue
            rest = {k: v for k, v in statement.items() if k not in {"Action", "NotAction", "Sid"}}
            inverted = "NotAction" in statement
            value = statement.get("NotAction" if inverted else "Action", [])
            entries = tuple(str(e).lower() for e in (value if isinstance(value, list) else [value]))
            if not entries:
                raise ValueError("a statement names an action")
            allows.setdefault(json.dumps(rest, sort_keys=True), []).append(_List(entries, inverted))
        around = {k: v for k, v in document.items() if k != "Statement"}
        return cls(allows, tuple(denies), json.dumps(around, sort_keys=True))

    def written(self) -> list[str]:
        """Every entry of the Allow statements."""
        return [e for lists in self.allows.values() for each in lists for e in each.entries]


@dataclass
class _Names:
    """The actions of the catalogue and those that are written out, by service, in lower case."""

    catalogue: Catalogue
    extra: Iterable[str]
    named: dict[str, set[str]] = field(default_factory=dict)
    table: dict[str, frozenset[str]] = field(
        default_factory=dict
    )  # by service, read when it is first asked for
    expansions: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.extra:
            service, colon, name = entry.lower().partition(":")
            if colon and name and not set("*?") & set(entry):
                self.named.setdefault(service, set()).add(name)

    def services(self) -> frozenset[str]:
        """Every service that is known or written out."""
        return self.catalogue.services() | self.named.keys()

    def of(self, service: str) -> frozenset[str]:
        """The actions of one service."""
        if service not in self.table:
            known = {name.lower() for name in self.catalogue.actions(service)}
            self.table[service] = frozenset(f"{service}:{n}" for n in known | self.named.get(service, set()))
        return self.table[service]

    def allowed(self, lists: Iterable[_List]) -> frozenset[str]:
        """Every action that one of the lists allows."""
        found: set[str] = set()
        for each in lists:
            named = frozenset().union(*map(self._expand, each.entries))
            if each.inverted:
                named = frozenset().union(*map(self.of, self.services())) - named
            found |= named
        return frozenset(found)

    def traces(self, lists: Iterable[_List], cut: _Cut) -> set[str]:
        """Entries that still speak of a service that was to go whole, whether or not anybody knows an action."""
        found: set[str] = set()
        for each in lists:
            if each.inverted:
                probes = {f"{s}:*" for s in cut.services if not self.catalogue.actions(s)}
                found |= {p for p in probes if not any(_glob(e, p) for e in each.entries)}
            else:
                found |= {e for e in each.entries if ":" in e and e.partition(":")[0] in cut.services}
                found |= {
                    e for e in each.entries if cut.services and e and not e.partition(":")[0].strip("*")
                }
        return found

    def _expand(self, entry: str) -> frozenset[str]:
        if entry not in self.expansions:
            service, colon, name = entry.partition(":")
            one = bool(colon) and not set("*?") & set(service)
            some = [service] if one or service in self.services() else self.services()
            whole = set(entry) <= set("*:") or (one and name == "*")
            self.expansions[entry] = frozenset(
                a for s in some for a in self.of(s) if whole or _glob(entry, a)
            )
        return self.expansions[entry]


def _glob(pattern: str, text: str) -> bool:
    """Whether a pattern of `*` and `?` covers a text, or covers all that another pattern covers.

    Two fingers walk along; a star remembers where to come back to. `?` does not stand for a star in the text.
    """
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    p = t = back = 0
    star = -1
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, back = p, t
            p += 1
        elif p < len(pattern) and (pattern[p] == text[t] or (pattern[p] == "?" and text[t] != "*")):
            p, t = p + 1, t + 1
        elif star >= 0:
            back += 1
            p, t = star + 1, back
        else:
            return False
    return not pattern[p:].strip("*")


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON, unless one reader would take one value of it and the next another."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key} stands twice")
        found[key] = value
    return found


def _lowered(names: Iterable[str]) -> frozenset[str]:
    return frozenset(n.lower() for n in names)


def _excused(action: str, hindered: frozenset[str]) -> bool:
    return action in hindered or action.partition(":")[0] in hindered


def _first(found: list[str]) -> tuple[str, ...]:
    more = (f"and {len(found) - _FEW} more",) if len(found) > _FEW else ()
    return (*dict.fromkeys(found[:_FEW]), *more)
