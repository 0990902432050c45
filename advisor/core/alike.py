"""Which people and groups look alike: average linkage on Jaccard distance. Orders and compares; it groups nobody. Pure.

Sources: P. Jaccard, "The distribution of the flora in the alpine zone", 1912; R. Sokal, C. Michener, "A statistical
method for evaluating systematic relationships", 1958 (average linkage); F. Murtagh, "A survey of recent advances in
hierarchical clustering algorithms", 1983 (the chain of nearest neighbours, quadratic in time).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from advisor.core.regroup import Group, Grouping

LINKED = 300
"""More things than so many are not linked: the work grows with their square."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What one group of two would cost: `gains` pairs of a person and a service that they would get unused.

    `people` would gain something; `distance` is 0 for equal services and 1 for none in common.
    """

    left: int
    right: int
    distance: float
    people: int
    gains: int


def distance(a: AbstractSet[str], b: AbstractSet[str]) -> float:
    """The Jaccard distance of two sets: 1 − what both have / what one of them has; 0 for two empty ones."""
    either = len(a | b)
    return 1 - len(a & b) / either if either else 0.0


def linked(sets: Sequence[AbstractSet[str]]) -> tuple[list[int], list[tuple[int, int]]]:
    """The places of sets in an order that puts look-alikes side by side, and the pairs of single sets that join first.

    Beyond LINKED sets they stay in their order, without pairs.
    """
    if not 1 < len(sets) <= LINKED:
        return list(range(len(sets))), []
    apart = [[distance(a, b) for b in sets] for a in sets]
    leaves = [[i] for i in range(len(sets))]
    alive, chain, pairs = set(range(len(sets))), list[int](), list[tuple[int, int]]()
    while len(alive) > 1:
        if not chain:
            chain.append(min(alive))
        here = chain[-1]
        before = chain[-2] if len(chain) > 1 else -1
        # At the same distance the one that it came from goes first: the chain would walk in a ring otherwise.
        near = min(alive - {here}, key=lambda k: (apart[here][k], k != before, k))
        if near != before:
            chain.append(near)
            continue
        del chain[-2:]
        a, b = min(here, near), max(here, near)
        if len(leaves[a]) == len(leaves[b]) == 1:
            pairs.append((a, b))
        for k in alive - {a, b}:
            whole = len(leaves[a]) * apart[a][k] + len(leaves[b]) * apart[b][k]
            apart[a][k] = apart[k][a] = whole / (len(leaves[a]) + len(leaves[b]))
        leaves[a] = leaves[a] + leaves[b]
        alive.discard(b)
    return leaves[alive.pop()], pairs


def merges(grouping: Grouping) -> tuple[Merge, ...]:
    """The groups that look alike most, in pairs, with what it would cost to make one of each; the cheapest first."""
    groups, used = grouping.groups, grouping.used()
    _, pairs = linked([frozenset(g.services) for g in groups])
    found = [_merge(groups[a], groups[b], used) for a, b in pairs]
    return tuple(sorted(found, key=lambda m: (m.gains, m.distance, m.left, m.right)))


def _merge(left: Group, right: Group, used: Mapping[str, frozenset[str]]) -> Merge:
    services = frozenset(left.services) | frozenset(right.services)
    new = [len(services - used[m]) for m in {*left.members, *right.members}]
    apart = distance(frozenset(left.services), frozenset(right.services))
    return Merge(left.number, right.number, apart, sum(n > 0 for n in new), sum(new))


def in_order(grouping: Grouping) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    """Everyone who used anything, and every service, so that groups are blocks and look-alikes stand together.

    Beside each name stands the number of the group whose block it is in, or 0.
    """
    used = grouping.used()
    walk, _ = linked([frozenset(g.services) for g in grouping.groups])
    groups = [grouping.groups[g] for g in walk]
    block: dict[str, int] = {}
    column: dict[str, int] = {}
    for place, group in enumerate(groups):
        block |= {m: group.number for m in group.members if m not in block}
        column |= {s: place for s in group.services if s not in column}
    people: list[tuple[str, int]] = []
    for number in [*(g.number for g in groups), 0]:
        names = [o.name for o in grouping.own if block.get(o.name, 0) == number]
        order, _ = linked([used[name] for name in names])
        people += [(names[i], number) for i in order]
    users = Counter(s for services in used.values() for s in services)
    columns = sorted(users, key=lambda s: (column.get(s, len(groups)), -users[s], s))
    return tuple(people), tuple(columns)
