"""Users by services as a picture whose blocks can be seen: the values that the drawing process is given. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from advisor.core.alike import in_order
from advisor.core.model import Kind
from advisor.core.regroup import Grouping
from advisor.core.regrouped import Regrouped, Side
from advisor.edges.chart import Matrix, Rectangle
from handlers.blocks import kit, words

PEOPLE, SERVICES = 400, 90
"""So many rows and columns can be told apart; what is beyond stands in the CSV."""

NAMED = 80
"""Up to so many rows have their names; beyond, runs of rows say what group they are."""

_NAME = 32


def picture(found: Regrouped, side: Side, where: str) -> Matrix:
    """Who used what, in the order in which look-alikes stand together."""
    people, services = in_order(side.grouping)
    shown, columns = people[:PEOPLE], services[:SERVICES]
    rows = [name for name, _ in shown]
    group = _cells(side.grouping, rows, columns)
    left = _left(len(people) - len(rows), len(services) - len(columns), side.kind)
    return Matrix(
        title=f"{words.some(len(people), side.kind.value)} by service used {where}",
        note=f"Used within {found.days} days before each report. {_legend(side)}{left}",
        rows=tuple(kit.clip(r, _NAME) for r in rows),
        columns=tuple(kit.clip(c, _NAME) for c in columns),
        cells=group,
        blocks=tuple(_blocks(side.grouping, rows, columns)),
        spans=() if len(rows) <= NAMED else tuple(_spans(shown)),
    )


def alt(side: Side, where: str) -> str:
    """The picture in words."""
    grouping = side.grouping
    return (
        f"{words.some(len(grouping.own), side.kind.value)} {where} by service used: "
        f"{len(grouping.grouped):,} of them in {words.some(len(grouping.groups), 'group')} of equal use, which are "
        f"outlined and numbered blocks; groups account for {grouping.covered:,} of {grouping.uses:,} uses."
    )


def _legend(side: Side) -> str:
    if not side.grouping.groups:
        return "Grey: used. White: not used. No groups were found."
    return "Coloured, outlined, with a number: used, in that group. Grey: used, in no group. White: not used."


def _left(people: int, services: int, kind: Kind) -> str:
    found = [words.some(people, f"more {kind.value}")] if people else []
    found += [words.some(services, "more service")] if services else []
    return f"\n{' and '.join(found)} are not drawn; they are in the CSV." if found else ""


def _cells(grouping: Grouping, rows: Sequence[str], columns: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    used = grouping.used()
    group: dict[tuple[str, str], int] = {}
    for each in grouping.groups:
        for member in each.members:
            for service in each.services:
                group.setdefault((member, service), each.number)
    return tuple(tuple(group.get((r, c), -1) if c in used[r] else 0 for c in columns) for r in rows)


def _blocks(grouping: Grouping, rows: Sequence[str], columns: Sequence[str]) -> Iterable[Rectangle]:
    row, column = ({name: n for n, name in enumerate(names)} for names in (rows, columns))
    for each in grouping.groups:
        across = _runs([column[s] for s in each.services if s in column])
        for top, bottom in _runs([row[m] for m in each.members if m in row]):
            yield from (Rectangle(top, bottom, left, right, each.number) for left, right in across)


def _runs(found: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as runs without a gap: first and last."""
    runs: list[tuple[int, int]] = []
    for n in sorted(found):
        if runs and runs[-1][1] == n - 1:
            runs[-1] = (runs[-1][0], n)
        else:
            runs.append((n, n))
    return runs


def _spans(people: Sequence[tuple[str, int]]) -> Iterable[tuple[int, int, str]]:
    """Runs of people who stand together for one group, named by it."""
    first = 0
    for n, (_, group) in enumerate(people):
        if n + 1 == len(people) or people[n + 1][1] != group:
            run = f"Group {group}" if group else "In no group"
            yield first, n, f"{run} · {n + 1 - first:,}"
            first = n + 1
