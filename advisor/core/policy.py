"""What IAM policy documents grant. Reads only; knows no entity and no report.

Source for the language: IAM User Guide, "IAM JSON policy element reference". Actions match without regard to case,
with `*` and `?` as the only wildcards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from advisor.core.model import Grant, Policy, PolicyKind

PASSING = {
    "bedrock-agentcore": ("PassCapacityProvider",),
    "cleanrooms": ("PassCollaboration", "PassMembership"),
    "codeconnections": ("PassConnection", "PassRepository"),
    "codestar-connections": ("PassConnection", "PassRepository"),
    "glue": ("PassConnection",),
    "iam": ("PassRole", "CreateServiceLinkedRole"),
    "lambda": ("PassCapacityProvider", "PassNetworkConnector"),
    "q": ("PassRequest",),
    "quicksight": ("PassDataSet", "PassDataSource", "PassTopic"),
    "sqlworkbench": ("PassAccountSettings",),
}
"""Actions that are no API calls of their own and so leave no trace at any level.

Source: IAM User Guide, "Refine permissions using last accessed information" (iam:PassRole is not tracked); the others
are of the same kind by the Service Authorization Reference. A test holds the table against the catalogue.
"""


class Catalogue(Protocol):
    """Every service and action that AWS has today, as far as somebody keeps a list."""

    def services(self) -> frozenset[str]:
        """All service prefixes, in lower case."""

    def actions(self, service: str) -> Mapping[str, frozenset[str]]:
        """The actions of one service with their access levels; empty where the service is not known."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, read with single values as lists. `resources` is empty where it has none, or NotResource.

    `passed_to` are the services that iam:PassedToService names, where nothing else is a condition.
    """

    allow: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditional: bool
    passed_to: tuple[str, ...] = ()

    @property
    def blanket(self) -> bool:
        """Whether it speaks of any resource, unconditionally."""
        return "*" in self.resources and not self.conditional

    def services(self, catalogue: Catalogue) -> frozenset[str]:
        """The services of which this statement names at least one action."""
        if self.not_actions:
            whole = {p.partition(":")[0].lower() for p in self.not_actions if p.endswith(":*")}
            return frozenset() if _everything(self.not_actions) else catalogue.services() - whole
        if _everything(self.actions):
            return catalogue.services()
        return frozenset(p.partition(":")[0].lower() for p in self.actions if ":" in p)

    def whole_services(self, catalogue: Catalogue) -> frozenset[str]:
        """The services that this statement covers to the last action, on any resource and unconditionally."""
        if not self.blanket:
            return frozenset()
        if self.not_actions:
            touched = {p.partition(":")[0].lower() for p in self.not_actions}
            return frozenset() if _everything(self.not_actions) else catalogue.services() - touched
        if _everything(self.actions):
            return catalogue.services()
        return frozenset(p[:-2].lower() for p in self.actions if p.endswith(":*"))

    def names(self, action: str) -> bool:
        """Whether `service:Action` is one that this statement speaks of."""
        if self.not_actions:
            return not any(matches(p, action) for p in self.not_actions)
        return any(matches(p, action) for p in self.actions)


@lru_cache(maxsize=256)
def statements(text: str) -> tuple[Statement, ...]:
    """The statements of a policy document. Raises ValueError where the text is no JSON object.

    Remembered: a report asks the same few documents once for every service.
    """
    document = json.loads(text.lstrip("\ufeff"))
    if not isinstance(document, dict):
        raise ValueError("a policy document is a JSON object")
    return tuple(_statement(s) for s in _listed(document.get("Statement")) if isinstance(s, dict))


def _statement(raw: dict[str, object]) -> Statement:
    return Statement(
        allow=raw.get("Effect") == "Allow",
        actions=tuple(str(a) for a in _listed(raw.get("Action"))),
        not_actions=tuple(str(a) for a in _listed(raw.get("NotAction"))),
        resources=tuple(str(r) for r in _listed(raw.get("Resource"))),
        conditional=bool(raw.get("Condition")),
        passed_to=_passed_to(raw.get("Condition")),
    )


def _passed_to(condition: object) -> tuple[str, ...]:
    """The values of a condition that is this one only, which compares for equality."""
    if not isinstance(condition, dict) or len(condition) != 1:
        return ()
    operator, keys = next(iter(condition.items()))
    if operator not in {"StringEquals", "StringLike"} or not isinstance(keys, dict) or len(keys) != 1:
        return ()
    key, values = next(iter(keys.items()))
    return tuple(str(v) for v in _listed(values)) if str(key).lower() == "iam:passedtoservice" else ()


def _listed(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _everything(patterns: Iterable[str]) -> bool:
    return any(p in {"*", "*:*"} for p in patterns)


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern[str]:
    body = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.compile(body, re.IGNORECASE | re.DOTALL)


def matches(pattern: str, action: str) -> bool:
    """Whether an Action pattern covers `service:Action`."""
    return pattern == "*" or _regex(pattern).fullmatch(action) is not None


def services_granted(policies: Iterable[Policy], catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """Services that these documents allow, each with the names of the policies that do.

    A service that is denied whole somewhere is left out, as Access Advisor leaves it out.
    """
    granted: dict[str, list[str]] = {}
    denied: set[str] = set()
    for policy in policies:
        for statement in statements(policy.text):
            if not statement.allow:
                denied |= statement.whole_services(catalogue)
                continue
            for service in statement.services(catalogue):
                names = granted.setdefault(service, [])
                if policy.name not in names:
                    names.append(policy.name)
    return {s: tuple(names) for s, names in sorted(granted.items()) if s not in denied}


def grants(
    policies: Iterable[Policy], services: Iterable[str], allowed_by: Callable[[str], frozenset[str]]
) -> dict[str, tuple[Grant, ...]]:
    """Which policies allow each of these services, as ListPoliciesGrantingServiceAccess says it.

    Each document is judged by itself: a Deny in another one hides nothing. Only inline policies name the group that a
    user has them through. `allowed_by` is `allowed_services` of a text, which the caller may remember.
    """
    found: dict[str, set[Grant]] = {service: set() for service in services}
    for policy in policies:
        inline = policy.kind is PolicyKind.INLINE
        grant = Grant(policy.name, policy.kind, policy.arn, policy.group if inline else "")
        for service in allowed_by(policy.text) & found.keys():
            found[service].add(grant)
    return {s: tuple(sorted(g, key=lambda g: (g.kind, g.policy, g.group))) for s, g in found.items()}


def allowed_services(text: str, catalogue: Catalogue) -> frozenset[str]:
    """Services that one document allows and does not itself deny whole; none where it cannot be read."""
    try:
        read = statements(text)
    except ValueError:
        return frozenset()
    allowed = frozenset(x for s in read if s.allow for x in s.services(catalogue))
    return allowed - frozenset(x for s in read if not s.allow for x in s.whole_services(catalogue))


def denied_above(policies: Iterable[Policy], catalogue: Catalogue) -> frozenset[str]:
    """Services that one of these documents allows and one denies to the last action, on any resource."""
    read = [s for p in policies for s in statements(p.text)]
    allowed = frozenset(x for s in read if s.allow for x in s.services(catalogue))
    return allowed & frozenset(x for s in read if not s.allow for x in s.whole_services(catalogue))


def actions_granted(policies: Iterable[Policy], service: str, catalogue: Catalogue) -> frozenset[str]:
    """The actions of one service (without its prefix) that these documents allow and do not deny outright."""
    read = [s for p in policies for s in statements(p.text)]
    allows = [s for s in read if s.allow]
    denies = [s for s in read if not s.allow and s.blanket]
    return frozenset(
        name
        for name in catalogue.actions(service)
        if any(s.names(f"{service}:{name}") for s in allows)
        and not any(s.names(f"{service}:{name}") for s in denies)
    )


def passes(policies: Iterable[Policy], service: str) -> tuple[str, ...]:
    """The actions of a service that these documents allow and that nobody can see being used."""
    names = PASSING.get(service, ())
    allows = [s for p in policies for s in statements(p.text) if s.allow] if names else []
    return tuple(n for n in names if any(s.names(f"{service}:{n}") for s in allows))


def allows_everything(text: str) -> bool:
    """Whether one statement allows every action on every resource: an administrator's line."""
    return any(s.allow and s.blanket and _everything(s.actions) for s in statements(text))


def denies(text: str) -> bool:
    """Whether a document denies anything: without it, its holder could do more."""
    return any(not s.allow for s in statements(text))


def trusted(text: str) -> tuple[str, ...]:
    """Whom a trust policy lets in: services, accounts, principals, as they are written; empty where it is not read."""
    try:
        document = json.loads(text)
    except ValueError:
        return ()
    found: list[str] = []
    for statement in _listed(document.get("Statement") if isinstance(document, dict) else None):
        principal = statement.get("Principal") if isinstance(statement, dict) else None
        if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
            continue
        groups = principal.values() if isinstance(principal, dict) else [principal]
        found += [str(p) for group in groups for p in _listed(group)]
    return tuple(dict.fromkeys(found))


def uses_not_action(text: str) -> bool:
    """Whether a document allows by NotAction, which cannot be cut without freezing a list."""
    return any(s.allow and bool(s.not_actions) for s in statements(text))
