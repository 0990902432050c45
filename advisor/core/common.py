"""The policy that a group would need: what every member is allowed today within the group's services. Pure.

The intersection is the one policy by which nobody gains anything: `service:*` would give most members more than they
have. An Allow counts only in its own context, which is the rest of its statement (Resource, NotResource, Condition):
two people who may read two different buckets share nothing. An Allow on every resource without a condition holds in
every context. A Deny of a member stays where it stands, and what it denies outright is not in the policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

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
class Common:
    """Builds policies; documents are read once, however many people have them."""

    catalogue: Catalogue
    read: dict[tuple[str, str], tuple[_Service, frozenset[str]]] = field(default_factory=dict)
    parsed: dict[str, list[Mapping[str, object]]] = field(default_factory=dict)

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

    def _statements(self, text: str) -> list[Mapping[str, object]]:
        if text not in self.parsed:
            document = json.loads(text.lstrip("\ufeff"))
            if not isinstance(document, dict):
                raise ValueError("a policy document is a JSON object")
            found = [
                cast("Mapping[str, object]", s)
                for s in _listed(document.get("Statement"))
                if isinstance(s, dict)
            ]
            # Before 2012-10-17 a variable is letters; in a document of ours it would be a variable.
            if document.get("Version") != "2012-10-17":
                found = [s for s in found if s.get("Effect") != "Allow" or "${" not in json.dumps(s)]
            self.parsed[text] = found
        return self.parsed[text]

    def _denies(self, text: str) -> bool:
        return any(s.get("Effect") != "Allow" for s in self._statements(text))

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
            each.names -= denied
            each.entries = {
                e for e in each.entries if not any(matches(e, d) or matches(d, e) for d in denied)
            }
        return found

    def _document(self, text: str, service: str) -> tuple[_Service, frozenset[str]]:
        if (text, service) not in self.read:
            allows: _Service = {}
            denied: set[str] = set()
            for statement in self._statements(text):
                entries, names = self._entries(statement, service)
                if statement.get("Effect") == "Allow":
                    if entries or names:
                        here = allows.setdefault(_context(statement), _Allow())
                        here.entries |= entries
                        here.names |= names
                elif _context(statement) == BLANKET:
                    denied |= names | entries
            self.read[text, service] = (allows, frozenset(denied))
        return self.read[text, service]

    def _entries(self, statement: Mapping[str, object], service: str) -> tuple[set[str], set[str]]:
        """The entries of a statement that speak of one service alone, and all its actions that the statement names."""
        every = {f"{service}:{name}" for name in self.catalogue.actions(service)}
        if "NotAction" in statement:
            spared = [str(a) for a in _listed(statement["NotAction"])]
            return set(), {a for a in every if not any(matches(p, a) for p in spared)}
        entries: set[str] = set()
        names: set[str] = set()
        for entry in (str(a) for a in _listed(statement.get("Action"))):
            prefix, colon, rest = entry.partition(":")
            if set(entry) <= {"*", ":"} and entry:
                entries.add(f"{service}:*")
                names |= every
            elif colon and prefix.lower() == service:
                entries.add(f"{service}:{rest}")
                found = {a for a in every if matches(entry, a)}
                names |= found if found or set("*?") & set(rest) else {f"{service}:{rest}"}
            elif set("*?") & set(prefix):
                names |= {a for a in every if matches(entry, a)}
        return entries, names


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
        entries = {e for e in set().union(*written) if all(_within(e, others) for others in written)}
        entries |= {n for n in names if not any(matches(e, n) for e in entries)}
        everywhere = found.get(BLANKET, _Allow())
        names -= everywhere.names
        entries = {e for e in _widest(entries) if not _within(e, everywhere.entries)}
        if entries:
            found[context] = _Allow(entries, names)
    return found


def _widest(entries: Iterable[str]) -> list[str]:
    """Without those for which another one stands; of two that differ by case alone the first stays."""
    kept: list[str] = []
    for entry in sorted(entries):
        if not _within(entry, kept):
            kept = [k for k in kept if not _covers(entry, k)] + [entry]
    return kept


def _within(entry: str, others: Iterable[str]) -> bool:
    return any(_covers(o, entry) for o in others)


def _covers(wide: str, narrow: str) -> bool:
    """Whether an entry stands for all that another does. `?` stands for one letter, and never for a star."""
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
