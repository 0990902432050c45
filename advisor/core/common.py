"""The policy that a group would need: what every member is allowed today within the group's services. Pure.

The intersection is the one policy by which nobody gains anything: `service:*` would give most members more than they
have. An Allow counts only in its own context, which is the rest of its statement (Resource, NotResource, Condition):
two people who may read two different buckets share nothing. An Allow on every resource without a condition holds in
every context. A Deny of a member stays where it stands, and what it denies outright is not in the policy.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from advisor.core.model import Policy
from advisor.core.policy import Catalogue, matches
from advisor.core.rewrite import size

MANAGED = 6144
"""Characters of a managed policy at most, white space not counted (IAM User Guide, "IAM and AWS STS quotas")."""

SHOWN = 50
"""Names of missing actions that are kept; an administrator misses thousands."""

_CHUNK = 100
"""Actions of one statement at most, so that a document can always be split."""

BLANKET = '{"Resource": "*"}'
_ENTRIES = ("Action", "NotAction", "Effect", "Sid")


@dataclass(frozen=True, slots=True)
class Missing:
    """What members are allowed today within the services of the group, and the group's policy does not grant.

    They all miss the same `count` actions; `actions` are the first SHOWN of them.
    """

    members: tuple[str, ...]
    count: int
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Documents (more than one where a managed policy would be too long), and what they do not do.

    `empty` are services in which the members share no action, `unread` members whose policies are not stored or cannot
    be read: where there is one, no document is made. `denied` are members with a Deny of their own.
    """

    documents: tuple[str, ...] = ()
    actions: int = 0
    empty: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    unread: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


@dataclass(slots=True)
class _Allow:
    """What somebody is allowed in one context within one service: entries as written, and the actions they come to."""

    entries: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


_Service = dict[str, _Allow]  # by context


@dataclass(frozen=True, slots=True)
class _Statement:
    """One statement, its entries by the service that they name; `wide` has those that name several or all.

    `spared` are the entries of a NotAction, None where there is none.
    """

    allow: bool
    context: str
    named: Mapping[str, list[str]]
    wide: tuple[str, ...]
    spared: tuple[str, ...] | None

    @classmethod
    def of(cls, raw: Mapping[str, object]) -> _Statement:
        named: dict[str, list[str]] = {}
        wide: list[str] = []
        for entry in (str(a) for a in _listed(raw.get("Action"))):
            prefix, colon, _ = entry.partition(":")
            if colon and not _wild(prefix):
                named.setdefault(prefix.lower(), []).append(entry)
            elif _wild(prefix):
                wide.append(entry)
        spared = tuple(str(a) for a in _listed(raw["NotAction"])) if "NotAction" in raw else None
        return cls(raw.get("Effect") == "Allow", _context(raw), named, tuple(wide), spared)


@dataclass(frozen=True, slots=True)
class Common:
    """Builds policies; a document and an entry are read once, however many people have them.

    What documents say of a service is only kept while that service is looked at: together it would be gigabytes.
    """

    catalogue: Catalogue
    read: dict[str, tuple[_Service, frozenset[str]]] = field(default_factory=dict)
    named: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    parsed: dict[str, list[_Statement]] = field(default_factory=dict)

    def propose(self, services: Sequence[str], held: Mapping[str, Sequence[Policy] | None]) -> Proposal:
        """The intersection of what `held` has, member by member; None stands for policies that are not known."""
        unread = tuple(
            sorted(m for m, policies in held.items() if policies is None or self._broken(policies))
        )
        if unread:
            return Proposal(unread=unread)
        texts = {m: tuple(sorted({p.text for p in policies or ()})) for m, policies in held.items()}
        kinds = sorted(set(texts.values()))
        units: list[tuple[str, list[str]]] = []
        empty: list[str] = []
        lacks: dict[tuple[str, ...], set[str]] = {kind: set() for kind in kinds}
        names: set[str] = set()
        for service in services:
            self.read.clear()
            allowed = [self._of(kind, service) for kind in kinds]
            common = _shared(allowed)
            units += [(context, sorted(each.entries)) for context, each in sorted(common.items())]
            empty += [] if common else [service]
            names |= {n for each in common.values() for n in each.names}
            for kind, mine in zip(kinds, allowed, strict=True):
                lacks[kind] |= _lacking(mine, common)
        denied = tuple(sorted(m for m, kind in texts.items() if any(self._denies(t) for t in kind)))
        return Proposal(_documents(units), len(names), tuple(empty), _missing(texts, lacks), denied=denied)

    def _broken(self, policies: Iterable[Policy]) -> bool:
        try:
            for policy in policies:
                self._statements(policy.text)
        except (ValueError, RecursionError):
            return True
        return False

    def _statements(self, text: str) -> list[_Statement]:
        if text not in self.parsed:
            document = json.loads(text.lstrip("\ufeff"))
            if not isinstance(document, dict):
                raise ValueError("a policy document is a JSON object")
            found = [s for s in _listed(document.get("Statement")) if isinstance(s, dict)]
            # Before 2012-10-17 a variable is letters; in a document of ours it would be a variable.
            if document.get("Version") != "2012-10-17":
                found = [s for s in found if s.get("Effect") != "Allow" or "${" not in json.dumps(s)]
            self.parsed[text] = [_Statement.of(s) for s in found]
        return self.parsed[text]

    def _denies(self, text: str) -> bool:
        return any(not s.allow for s in self._statements(text))

    def _of(self, texts: Sequence[str], service: str) -> _Service:
        """What these documents allow within a service, by context, without what they deny outright."""
        found: _Service = {}
        denied: set[str] = set()
        for text in texts:
            allows, denies = self._document(text, service)
            denied |= denies
            for context, each in allows.items():
                here = found.setdefault(context, _Allow())
                here.entries |= each.entries
                here.names |= each.names
        for each in found.values() if denied else ():
            each.names -= denied | _within(each.names, denied)
            reached = {e for e in each.entries if _wild(e) and any(matches(e, d) for d in denied)}
            each.entries -= reached | _within(each.entries, denied)
        return found

    def _document(self, text: str, service: str) -> tuple[_Service, frozenset[str]]:
        if text not in self.read:
            allows: _Service = {}
            denied: set[str] = set()
            for statement in self._statements(text):
                entries, names = self._entries(statement, service)
                if statement.allow and (entries or names):
                    here = allows.setdefault(statement.context, _Allow())
                    here.entries |= entries
                    here.names |= names
                elif not statement.allow and statement.context == BLANKET:
                    denied |= names | entries
            self.read[text] = (allows, frozenset(denied))
        return self.read[text]

    def _entries(self, statement: _Statement, service: str) -> tuple[set[str], set[str]]:
        """The entries of a statement that speak of one service alone, and all its actions that the statement names."""
        if statement.spared is not None:
            spared = (self._named(service, entry) for entry in statement.spared)
            return set(), set(self._named(service, "*").difference(*spared))
        entries: set[str] = set()
        names: set[str] = set()
        for entry in statement.named.get(service, ()):
            rest = entry.partition(":")[2]
            entries.add(f"{service}:{rest}")
            names |= self._named(service, entry) or ({f"{service}:{rest}"} if not _wild(rest) else set())
        for entry in statement.wide:
            names |= self._named(service, entry)
            if set(entry) <= {"*", ":"}:
                entries.add(f"{service}:*")
        return entries, names

    def _named(self, service: str, entry: str) -> frozenset[str]:
        """The actions of a service that an entry names."""
        prefix, colon, rest = entry.partition(":")
        if colon and prefix.lower() != service and not _wild(prefix):
            return frozenset()
        if (service, entry) not in self.named:
            names = self.catalogue.actions(service)
            if rest == "*" and not _wild(prefix):
                found = [f"{service}:{n}" for n in names]
            elif _wild(entry):
                found = [a for n in names if matches(entry, a := f"{service}:{n}")]
            else:
                found = [f"{service}:{n}" for n in names if n.lower() == rest.lower()]
            self.named[service, entry] = frozenset(found)
        return self.named[service, entry]


def _context(statement: Mapping[str, object]) -> str:
    """The rest of a statement as one text; every resource without a condition is BLANKET."""
    rest = {k: v for k, v in statement.items() if k not in _ENTRIES}
    if "*" in _listed(rest.get("Resource")):
        rest["Resource"] = "*"
    if not rest.get("Condition"):
        rest.pop("Condition", None)
    return json.dumps(rest, sort_keys=True)


def _shared(allowed: Sequence[_Service]) -> _Service:
    """By context, what all of these allow: in the context itself or, of whoever has it there, everywhere."""
    found: _Service = {}
    contexts = {c for each in allowed for c in each}
    for context in [BLANKET, *sorted(contexts - {BLANKET})]:
        mine = [[a for c in (BLANKET, context) if (a := each.get(c))] for each in allowed]
        if not all(mine):
            continue
        names = set.intersection(*(set().union(*(a.names for a in some)) for some in mine))
        written = [{e for a in some for e in a.entries} for some in mine]
        entries = set().union(*written)
        for each in written:
            entries = _within(entries, each)
        entries |= names - _within(names, entries)
        everywhere = found.get(BLANKET, _Allow())
        names -= everywhere.names
        entries = _widest(entries)
        entries -= _within(entries, everywhere.entries)
        if entries:
            found[context] = _Allow(entries, names)
    return found


def _widest(entries: Iterable[str]) -> set[str]:
    """Without those for which another one stands; of two that differ by case alone the first stays."""
    kept = {e.lower(): e for e in sorted(entries, reverse=True)}
    wild = [e for e in kept.values() if _wild(e)]
    return {e for e in kept.values() if not any(_covers(w, e) and (w < e or not _covers(e, w)) for w in wild)}


def _within(entries: Iterable[str], others: Collection[str]) -> set[str]:
    """Those for which one of the others stands."""
    same = {o.lower() for o in others}
    wild = [o for o in others if _wild(o)]
    return {e for e in entries if e.lower() in same or any(_covers(w, e) for w in wild)}


def _wild(entry: str) -> bool:
    return "*" in entry or "?" in entry


def _covers(wide: str, narrow: str) -> bool:
    """Whether a pattern stands for all that an entry does. `?` stands for one letter, and never for a star."""
    return matches(wide, narrow) and not ("?" in wide and "*" in narrow and wide.lower() != narrow.lower())


def _lacking(mine: _Service, common: _Service) -> set[str]:
    """The actions that somebody has in a context in which the policy does not grant them."""
    everywhere = common.get(BLANKET, _Allow()).names
    return {n for c, each in mine.items() for n in each.names - everywhere - common.get(c, _Allow()).names}


def _missing(
    texts: Mapping[str, tuple[str, ...]], lacks: Mapping[tuple[str, ...], set[str]]
) -> tuple[Missing, ...]:
    alike: dict[frozenset[str], list[str]] = {}
    for member in sorted(texts):
        if lacks[texts[member]]:
            alike.setdefault(frozenset(lacks[texts[member]]), []).append(member)
    return tuple(
        Missing(tuple(members), len(actions), tuple(sorted(actions)[:SHOWN]))
        for actions, members in alike.items()
    )


def _documents(units: Iterable[tuple[str, list[str]]]) -> tuple[str, ...]:
    """Statements packed into as few documents as their order allows, each within a managed policy's length."""
    found: list[list[dict[str, object]]] = []
    for context, actions in units:
        for start in range(0, len(actions), _CHUNK):
            statement = {"Effect": "Allow", "Action": actions[start : start + _CHUNK], **json.loads(context)}
            if found and size(_document([*found[-1], statement])) <= MANAGED:
                found[-1].append(statement)
            else:
                found.append([statement])
    return tuple(map(_document, found))


def _document(statements: list[dict[str, object]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


def _listed(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
