"""Statements cut up by service, so that many actions can be asked about at once. Pure.

An entity may have forty documents with thousands of names; a question about one service then looks at its own only.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.core.policy import Statement, matches


@dataclass(frozen=True, slots=True)
class View:
    """A statement as far as one service is concerned. `whole`: its list names every action of the service."""

    inverted: bool
    whole: bool
    exact: frozenset[str]  # "service:name", in lower case
    prefixes: tuple[str, ...]  # of patterns with a star at their end only: most of them
    globs: tuple[str, ...]

    def covers(self, action: str) -> bool:
        """Whether the statement speaks of `service:action`, in lower case."""
        named = (
            self.whole
            or action in self.exact
            or action.startswith(self.prefixes)
            or any(matches(g, action) for g in self.globs)
        )
        return named is not self.inverted


class Lists:
    """The patterns of a statement by the service that they are of, so that each service sees its own only."""

    def __init__(self, statement: Statement) -> None:
        self._inverted = bool(statement.not_actions)
        self._of: dict[str, list[str]] = {}
        self._everywhere: list[str] = []
        for pattern in statement.not_actions or statement.actions:
            service, colon, _ = pattern.partition(":")
            everywhere = not colon or _wild(service)
            found = self._everywhere if everywhere else self._of.setdefault(service.lower(), [])
            found.append(pattern)

    def view(self, service: str) -> View | None:
        """What it says of a service; None where it says nothing."""
        patterns = [*self._of.get(service, ()), *self._everywhere]
        if not patterns and not self._inverted:
            return None
        whole = {"*", "*:*", f"{service}:*"}
        lowered = {p.lower() for p in patterns}
        exact = frozenset(p for p in lowered if not _wild(p))
        prefixes = frozenset(p for p in lowered - exact if p.endswith("*") and not _wild(p[:-1]))
        return View(
            self._inverted,
            bool(whole & lowered),
            exact,
            tuple(p[:-1] for p in prefixes),
            tuple(lowered - exact - prefixes),
        )


def _wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern
