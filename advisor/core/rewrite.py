"""Takes services and actions out of IAM policy documents. Knows texts and names; no entity, no report, no AWS.

Sources: IAM User Guide, "IAM JSON policy element reference" (actions match without regard to case; `*` and `?` are
the only wildcards) and "IAM and AWS STS quotas" (white space is not counted). The rules that hold here:

- Only `Action` and `NotAction` of Allow statements change; everything else is written back as it was read.
- A wildcard over something that goes and something that stays becomes a list of names and wildcards that covers what
  stays and nothing that goes. Each new wildcard is the old one with letters in front of its first star (`s3:*Object`
  → `s3:Get*Object`), so that it lies inside it, whatever AWS adds tomorrow. The list is the shortest of that kind, and
  takes the fewest letters that do, so that what nobody has listed yet is kept as far as possible.
- What the catalogue does not know stays: names written out, wildcards over services that it has not heard of.
- In doubt nothing changes, and the answer says what was hindered. A string becomes a list only where it has to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from math import isfinite

from advisor.core.policy import Catalogue, matches


@dataclass(frozen=True, slots=True)
class Cut:
    """What is to go from documents.

    `services` go whole; `actions` are `service:Action` in any casing. `not_action`: a person agreed that the lists of
    Allow with NotAction may be lengthened. `listed` are services known beside the catalogue: a `*` means them too.
    """

    services: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    not_action: bool = False
    listed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """A pattern here would take away more than its name says."""
        bad = [s for s in self.services if not re.fullmatch(r"[^*?:]+", s)]
        bad += [a for a in self.actions if not re.fullmatch(r"[^*?:]+:[^*?]+", a)]
        if bad:
            raise ValueError(f"{bad[0]!r} is not the name of one service or action")


class Hindrance(StrEnum):
    """Why something that was to go stays in a document."""

    NOT_ACTION = "not_action"
    """An Allow with NotAction grants it, and nobody agreed to lengthen that list."""
    UNREADABLE = "unreadable"
    """The document, or the entry, is nothing that IAM's grammar explains."""
    UNKNOWN = "unknown"
    """A wildcard over a service whose actions nobody has listed cannot lose single ones."""


@dataclass(frozen=True, slots=True)
class Change:
    """One statement that changes: its place in the original, and the list before and after (empty: it goes whole)."""

    index: int
    sid: str
    effect: str
    element: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A document before and after.

    `after` is None where no statement is left, and the very text of `before` where nothing changes. `untouched` are
    index, Sid and Effect of the statements that stay. `gone`: actions that no Allow of the document names any more, and
    `service:*` for services that the catalogue does not know. `hindered`: what was to go and stays, with the reason.
    """

    before: str
    after: str | None
    changes: tuple[Change, ...] = ()
    untouched: tuple[tuple[int, str, str], ...] = ()
    gone: frozenset[str] = frozenset()
    hindered: tuple[tuple[str, Hindrance], ...] = ()


def rewrite(text: str, cut: Cut, catalogue: Catalogue) -> Rewrite:
    """One document without what the cut names."""
    document = _document(text)
    if document is None:
        every = sorted(cut.services | cut.actions)
        return Rewrite(text, text, hindered=tuple((name, Hindrance.UNREADABLE) for name in every))
    raw = document.get("Statement", [])
    read = [s for s in (raw if isinstance(raw, list) else [raw]) if isinstance(s, dict)]
    whole = frozenset(s.lower() for s in cut.services)
    world = _World(catalogue, cut, _named(read), whole, _by_service(cut.actions))
    written: list[dict[str, object]] = []
    changes: list[Change] = []
    untouched: list[tuple[int, str, str]] = []
    for index, statement in enumerate(read):
        sid, effect = str(statement.get("Sid") or ""), str(statement["Effect"])
        element = "NotAction" if "NotAction" in statement else "Action"
        before = _strings(statement[element])
        after = before if effect != "Allow" else _EDITS[element](before, world)
        if after == before:
            untouched.append((index, sid, effect))
            written.append(statement)
            continue
        changes.append(Change(index, sid, effect, element, before, after))
        if after:
            single = isinstance(statement[element], str) and len(after) == 1
            written.append({**statement, element: after[0] if single else list(after)})
    found: str | None = text
    if changes:
        left = written if isinstance(raw, list) else next(iter(written), None)
        found = _written({**document, "Statement": left}, text) if left else None
    hindered = tuple(sorted(world.hindered))
    return Rewrite(text, found, tuple(changes), tuple(untouched), world.gone(), hindered)


def size(text: str) -> int:
    """The characters of a document as IAM counts them: without the white space between its parts."""
    return len(re.sub(rf"({_STRING})|[\s\ufeff]+", lambda m: m.group(1) or "", text))


_STRING = r'"(?:[^"\\]|\\.)*"'
_ELEMENTS = "Statement Sid Effect Action NotAction Resource NotResource Principal NotPrincipal Condition"


def _document(text: str) -> dict[str, object] | None:
    """A document that can be read in one way only; None for any other."""
    try:
        decoder = json.JSONDecoder(object_pairs_hook=_once, parse_float=_number, parse_constant=_number)
        found: object = decoder.decode(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not _spelt(found):
        return None
    raw = found.get("Statement", [])
    return found if all(_sound(s) for s in (raw if isinstance(raw, list) else [raw])) else None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _number(written: str) -> float:
    """A number that can be written back: neither `NaN`, which is no JSON, nor one beyond all bounds."""
    if not isfinite(number := float(written)):
        raise ValueError(f"{written} is no number")
    return number


def _spelt(found: Mapping[str, object]) -> bool:
    """Whether no element stands there in letters of another case, which one reader takes and another passes over."""
    return {k for k in found if k.lower() in _ELEMENTS.lower().split()} <= set(_ELEMENTS.split())


def _sound(statement: object) -> bool:
    if not isinstance(statement, dict) or not _spelt(statement):
        return False
    elements = [e for e in ("Action", "NotAction") if e in statement]
    if statement.get("Effect") not in ("Allow", "Deny") or len(elements) != 1:
        return False
    value = statement[elements[0]]
    return isinstance(value, str) or (isinstance(value, list) and {type(v) for v in value} == {str})


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, list) else (str(value),)


def _written(document: Mapping[str, object], like: str) -> str:
    """A document in the manner of another text: its indentation or its spaces, in characters that IAM takes."""
    bones = re.sub(_STRING, '""', like.strip("\ufeff \t\r\n"))
    if "\n" in bones:
        found = re.search(r"\n([ \t]+)\S", bones)
        text = json.dumps(document, ensure_ascii=False, indent=found.group(1) if found else 0)
    else:
        marks = (", " if ", " in bones else ",", ": " if ": " in bones else ":")
        text = json.dumps(document, ensure_ascii=False, separators=marks)
    return re.sub(r"[^\x00-\xff]", lambda m: json.dumps(m.group())[1:-1], text)


def _split(entry: str) -> tuple[str, str]:
    """Service, in lower case, and the rest of an entry; `*` for every service, empty where IAM would refuse it."""
    service, colon, body = entry.partition(":")
    if service and not service.strip("*"):
        return ("*", body if colon else "*")
    return ("", entry) if not colon or set("*?") & set(service) else (service.lower(), body)


def _wild(body: str) -> bool:
    return not set("*?").isdisjoint(body)


def _named(read: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """The actions that statements write out, Deny and NotAction among them: they exist, whoever knows them."""
    entries = {e for s in read for element in _EDITS if element in s for e in _strings(s[element])}
    return frozenset(e for e in entries if all(_split(e)) and not _wild(e))


@lru_cache(maxsize=16)
def _by_service(actions: frozenset[str]) -> Mapping[str, Mapping[str, str]]:
    """Names by service and lower case. Kept, as the same cut goes over every document of an entity."""
    found: dict[str, dict[str, str]] = {}
    for action in sorted(actions):
        service, _, name = action.partition(":")
        found.setdefault(service.lower(), {})[name.lower()] = name
    return found


@lru_cache(maxsize=1024)
def _covered(body: str, names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names) if body == "*" else frozenset(n for n in names if matches(body, n))


@lru_cache(maxsize=1024)
def _low(names: tuple[str, ...]) -> Mapping[str, str]:
    return {n.lower(): n for n in names}


@lru_cache(maxsize=1024)
def _full(service: str, names: frozenset[str]) -> frozenset[str]:
    return frozenset(f"{service}:{n}" for n in names)


@lru_cache(maxsize=1024)
def _cover(body: str, wanted: frozenset[str], goes: frozenset[str]) -> tuple[str, ...]:
    """The shortest list inside the pattern `body` that covers what is wanted and nothing that goes.

    A wildcard stands for two wanted names at least; `?` before the star gives way to letters.
    """
    head, star, tail = body.partition("*")
    names = sorted(wanted, key=str.lower)
    return tuple(_branch(0, len(head), names, sorted(goes), "*" + tail.lstrip("*")) if star else names)


def _branch(depth: int, least: int, wanted: list[str], goes: list[str], rest: str) -> Iterator[str]:
    """One branch of the tree of names, which share their first `depth` letters; `rest` may follow `least` of them."""
    fits = [n for n in wanted if matches(rest, n[depth:])]
    if len(fits) < 2:  # further down there are no more
        yield from wanted
        return
    if depth >= least and not any(matches(rest, n[depth:]) for n in goes):
        yield f"{wanted[0][:depth]}{rest}"
        yield from (n for n in wanted if n not in fits)
        return
    for letter in dict.fromkeys(n[depth : depth + 1].lower() for n in wanted):
        here, there = ([n for n in ns if n[depth : depth + 1].lower() == letter] for ns in (wanted, goes))
        yield from here if not letter else _branch(depth + 1, least, here, there, rest)


@dataclass(slots=True)
class _World:
    """What is known while one document is cut, and what is found out."""

    catalogue: Catalogue
    cut: Cut
    named: frozenset[str]
    services: frozenset[str]
    actions: Mapping[str, Mapping[str, str]]
    hindered: set[tuple[str, Hindrance]] = field(default_factory=set)
    _names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _went: set[str] = field(default_factory=set)
    _stays: set[str] = field(default_factory=set)

    def every(self) -> list[str]:
        """The services that a `*` means: of the catalogue, of the report, and those that are written out."""
        named = {*_by_service(self.named), *self.actions, *(s.lower() for s in self.cut.listed)}
        return sorted(self.catalogue.services() | named | self.services)

    def known(self, service: str) -> bool:
        return bool(self.catalogue.actions(service))

    def names(self, service: str) -> tuple[str, ...]:
        """Every action of a service that anybody has named, in the catalogue's casing if it has it."""
        if service not in self._names:
            known = tuple(self.catalogue.actions(service))
            low = _low(known)
            more = {**_by_service(self.named).get(service, {}), **self.actions.get(service, {})}
            self._names[service] = known + tuple(more[n] for n in sorted(more) if n not in low)
        return self._names[service]

    def covers(self, service: str, body: str) -> frozenset[str]:
        """The named actions that a pattern covers."""
        if _wild(body):
            return _covered(body, self.names(service))
        found = _low(self.names(service)).get(body.lower())
        return frozenset({found} if found else ())

    def goes(self, service: str, body: str) -> frozenset[str]:
        """What the cut takes from a pattern."""
        covered = self.covers(service, body)
        if service in self.services:
            return covered
        wanted = self.actions.get(service, {})
        return frozenset(n for n in covered if n.lower() in wanted)

    def touches(self, service: str, body: str) -> bool:
        """Whether an entry names anything that goes and can."""
        if service == "*":
            return any(self.touches(s, body) for s in {*self.services, *self.actions})
        cuttable = not _wild(body) or self.known(service)
        return service in self.services or (cuttable and bool(self.goes(service, body)))

    def went(self, service: str, names: frozenset[str]) -> None:
        self._went |= self._marks(service, names)

    def hinder(self, service: str, names: frozenset[str], why: Hindrance) -> None:
        """Something that was to go stays: a whole service, or actions of it."""
        whole = service in self.services
        self.hindered |= {(service, why)} if whole else {(a, why) for a in _full(service, names)}
        self._stays |= self._marks(service, names)

    def _marks(self, service: str, names: frozenset[str]) -> frozenset[str]:
        all_at_once = service in self.services and not self.known(service)
        return frozenset({f"{service}:*"}) if all_at_once else _full(service, names)

    def gone(self) -> frozenset[str]:
        return frozenset(self._went - self._stays)


def _action(entries: tuple[str, ...], world: _World) -> tuple[str, ...]:
    """The entries of an Allow's Action without what goes."""
    touched = {e for e in entries if world.touches(*_split(e))}
    kept = [e for e in entries if e not in touched]
    for entry in kept:
        _hindered(entry, world)
    held: dict[str, set[str]] = {}
    for service, body in map(_split, kept):
        held.setdefault(service, set()).update(world.covers(service, body))
    seen = {e.lower() for e in kept}
    after: list[str] = []
    for entry in entries:
        pieces = _pieces(entry, held, world) if entry in touched else ()
        after += [p for p in pieces if p.lower() not in seen] if entry in touched else [entry]
    return tuple(dict.fromkeys(after) if touched else after)


def _pieces(entry: str, held: dict[str, set[str]], world: _World) -> Iterator[str]:
    """What stands in the place of an entry that names something that goes."""
    service, body = _split(entry)
    for one in world.every() if service == "*" else [service]:
        written = one if service == "*" else entry.partition(":")[0]
        goes = world.goes(one, body)
        if one in world.services:
            world.went(one, goes)
        elif goes and not world.known(one) and _wild(body):
            world.hinder(one, goes, Hindrance.UNKNOWN)
            yield f"{written}:{body}"
        elif goes:
            world.went(one, goes)
            wanted = world.covers(one, body) - goes - held.get(one, set())
            held.setdefault(one, set()).update(wanted)
            yield from (f"{written}:{piece}" for piece in _cover(body, wanted, goes))
        elif body == "*" or not world.known(one) or world.covers(one, body):
            yield f"{written}:{body}"


def _hindered(entry: str, world: _World) -> None:
    """Notes what an entry that stays still grants of what was to go."""
    service, body = _split(entry)
    for one in {*world.services, *world.actions} if service in {"", "*"} else {service}:
        if service:
            if goes := world.goes(one, body):
                world.hinder(one, goes, Hindrance.UNKNOWN)
            continue
        every = world.goes(one, "*") or frozenset("*" if one in world.services else "")
        if goes := frozenset(n for n in every if matches(entry, f"{one}:{n}")):
            world.hinder(one, goes, Hindrance.UNREADABLE)


def _not_action(entries: tuple[str, ...], world: _World) -> tuple[str, ...]:
    """The entries of an Allow's NotAction, with what goes added where a person agreed: that only narrows it."""
    after = list(entries)
    for service in sorted({*world.services, *world.actions}):
        bodies = [body for s, body in map(_split, entries) if s in {service, "*"}]
        left = world.goes(service, "*").difference(*(world.covers(service, body) for body in bodies))
        whole = service in world.services
        if "*" in bodies or (not left and (world.known(service) or not whole)):
            continue
        if world.cut.not_action:
            world.went(service, left)
            after += [f"{service}:*"] if whole else sorted(_full(service, left))
        else:
            world.hinder(service, left, Hindrance.NOT_ACTION)
    return tuple(after)


_EDITS = {"Action": _action, "NotAction": _not_action}
