"""Who could be grouped: people by used services, factorised into groups in which nobody gets what they did not use. Pure.

A group is a formal concept: all who used these services, and all services that these people used. The search is
GreConD (R. Belohlavek, V. Vychodil, "Discovery of optimal factors in binary data via a novel method of matrix
decomposition", Journal of Computer and System Sciences 76, 2010): of all concepts, greedily the one that covers most of
what is not covered yet. Ours differs in what IAM asks for: a person joins at most three groups, a group of one is none,
and a group that chance explains is none either (`evident`).

Rows that are equal are one row with a weight; a row and a column are Python integers, one bit a service or a row.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_

MOST_GROUPS = 3
"""Groups that one person joins at most. IAM allows ten (IAM User Guide, "IAM and AWS STS quotas")."""

LEAST_MEMBERS = 2
CHANCE = 0.2
"""A group is evident when fewer than so many of its size are expected in a matrix of the same sums."""

DISTINCT = 0.9
"""Rows are said to be distinct where more than so many of all are: equal ones are no evidence then."""

NEARLY_ALL = 0.8
"""A group of so many of all people is evident: whatever explains it, they all do use it."""


@dataclass(frozen=True, slots=True)
class Group:
    """These people all used exactly these services in common. Both are sorted, and nobody gets anything new."""

    number: int
    members: tuple[str, ...]
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Own:
    """What one person used outside their groups."""

    name: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The answer. `own` has everyone who used anything, `idle` those who used nothing; all by name.

    `distinct` counts different sets of used services among those who used any, `set_aside` the largest sets of people
    that were looked at and could be chance. `partial`: the time ended before the search did.
    """

    groups: tuple[Group, ...]
    own: tuple[Own, ...]
    idle: tuple[str, ...] = ()
    distinct: int = 0
    partial: bool = False
    set_aside: int = 0

    @property
    def people(self) -> int:
        """Everyone that was looked at."""
        return len(self.own) + len(self.idle)

    @property
    def grouped(self) -> frozenset[str]:
        """Those who are in a group."""
        return frozenset(m for g in self.groups for m in g.members)

    @property
    def uses(self) -> int:
        """Pairs of a person and a service that was used."""
        return sum(len(s) for s in self.used().values())

    @property
    def covered(self) -> int:
        """The pairs that groups account for."""
        return self.uses - sum(len(o.services) for o in self.own)

    def used(self) -> dict[str, frozenset[str]]:
        """What everyone used: the matrix that the answer is of."""
        found = {o.name: set(o.services) for o in self.own} | {name: set() for name in self.idle}
        for group in self.groups:
            for member in group.members:
                found[member] |= set(group.services)
        return {name: frozenset(found[name]) for name in sorted(found)}


def regroup(used: Mapping[str, Iterable[str]], go_on: Callable[[], bool] = lambda: True) -> Grouping:
    """Propose groups for people by what each used.

    `go_on` is asked before every step of the search; once it says no, the answer is what was found, and says that it
    is partial. The order of people and services does not matter.
    """
    whole = {name: frozenset(services) for name, services in used.items()}
    table = _Table.of(whole)
    search = _Search(table)
    partial = search.run(go_on)
    groups = _without_idlers(table, search.found)
    covered = [0] * len(table.rows)
    for rows, services in groups:
        for i in rows:
            covered[i] |= services
    numbered = sorted(
        (tuple(sorted(n for i in rows for n in table.names[i])), table.words(services))
        for rows, services in groups
    )
    numbered.sort(key=lambda g: (-len(g[0]) * len(g[1]), g))
    own = (
        Own(name, table.words(row & ~done))
        for row, done, names in zip(table.rows, covered, table.names, strict=True)
        for name in names
    )
    return Grouping(
        groups=tuple(Group(n, *group) for n, group in enumerate(numbered, 1)),
        own=tuple(sorted(own, key=lambda o: o.name)),
        idle=tuple(sorted(n for n, services in whole.items() if not services)),
        distinct=len(table.rows),
        partial=partial,
        set_aside=len(search.set_aside),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """The matrix with equal rows as one: `rows[i]` has a bit a service, `columns[j]` a bit a row."""

    services: tuple[str, ...]
    rows: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]
    columns: tuple[int, ...]
    weights: tuple[int, ...]

    @classmethod
    def of(cls, whole: Mapping[str, frozenset[str]]) -> _Table:
        services = tuple(sorted(frozenset().union(*whole.values())))
        place = {s: 1 << j for j, s in enumerate(services)}
        alike: dict[frozenset[str], list[str]] = {}
        for name in sorted(whole):
            if whole[name]:
                alike.setdefault(whole[name], []).append(name)
        rows = tuple(sum(place[s] for s in row) for row in alike)
        columns = dict.fromkeys(services, 0)
        for i, row in enumerate(alike):
            for service in row:
                columns[service] |= 1 << i
        names = tuple(map(tuple, alike.values()))
        return cls(services, rows, names, tuple(columns.values()), tuple(map(len, names)))

    def words(self, bits: int) -> tuple[str, ...]:
        """The services of a set of bits, sorted."""
        return tuple(self.services[j] for j in places(bits))

    def shared(self, rows: Iterable[int]) -> int:
        """The services that all of these rows have."""
        return reduce(and_, map(self.rows.__getitem__, rows))


def places(bits: int) -> Iterator[int]:
    """The places of the ones, from the lowest."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


@dataclass(slots=True)
class _Search:
    """GreConD with open rows: `left[i]` is what row i has and no group gives yet; 0 where it may join no more.

    The gain of what one column alone leads to only falls, so a heap finds the best without looking at all
    (lazy greedy: M. Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", 1978).
    """

    table: _Table
    left: list[int] = field(init=False)
    joined: list[int] = field(init=False)
    open: list[list[int]] = field(init=False)  # the columns of each row that a concept may still add
    chance: _Chance = field(init=False)
    found: list[tuple[list[int], int]] = field(default_factory=list)
    set_aside: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.left = list(self.table.rows)
        self.joined = [0] * len(self.left)
        self.open = [list(places(row)) for row in self.left]
        self.chance = _Chance.of(self.table)

    def run(self, go_on: Callable[[], bool]) -> bool:
        """Search until nothing is left to find; says whether it was stopped before."""
        heap: list[tuple[int, int]] = []
        closures: list[int] = []
        for j, column in enumerate(self.table.columns):
            if not go_on():
                return True
            rows = list(places(column))
            closures.append(self.table.shared(rows))
            heap.append((-self._gain(rows, closures[j]), j))
        heapq.heapify(heap)
        while heap:
            if not go_on():
                return True
            _, j = heap[0]
            gain = self._gain(list(places(self.table.columns[j])), closures[j])
            if len(heap) > 1 and -gain > min(heap[1:3])[0]:
                heapq.heapreplace(heap, (-gain, j))
                continue
            if not gain or not self._take(*self._grown(j)):
                heapq.heappop(heap)  # nothing begins with this one any more, and no other concept adds it
                for i in places(self.table.columns[j]):
                    self.open[i].remove(j)
            else:
                heapq.heapreplace(heap, (-gain, j))
        return self._equals(go_on)

    def _equals(self, go_on: Callable[[], bool]) -> bool:
        """Groups of people of equal use, of whom a larger concept that chance explains has led away."""
        rows, weights = self.table.rows, self.table.weights
        several = [i for i, weight in enumerate(weights) if weight >= LEAST_MEMBERS]
        for i in sorted(several, key=lambda i: (-weights[i] * rows[i].bit_count(), i)):
            if not go_on():
                return True
            whole = list(places(reduce(and_, (self.table.columns[j] for j in places(rows[i])))))
            if self.left[i] and not self._take(whole, rows[i]):
                self._take([i], rows[i])
        return False

    def _gain(self, rows: Iterable[int], services: int) -> int:
        left, weights = self.left, self.table.weights
        return sum(weights[i] * (left[i] & services).bit_count() for i in rows)

    def _grown(self, j: int) -> tuple[list[int], int]:
        """The concept that a column leads to among those who may still join: services are added while that covers more."""
        extent = [i for i in places(self.table.columns[j]) if self.left[i]]
        services = self.table.shared(extent)
        gain = self._gain(extent, services)
        heaviest = max(self.table.weights[i] for i in extent)
        row = self.table.rows.__getitem__
        while True:
            better = None
            for rows in self._narrower(extent, services, gain):
                closed = reduce(and_, map(row, rows))
                if closed.bit_count() * len(rows) * heaviest <= gain:
                    continue  # it cannot come to more: most columns end here
                found = self._gain(rows, closed)
                if found > gain:
                    better, gain = (rows, closed), found
            if better is None:
                return extent, services
            extent, services = better

    def _narrower(self, rows: list[int], services: int, gain: int) -> list[list[int]]:
        """The rows that stay for each column that could be added; without those that cannot come to more than `gain`."""
        holders: defaultdict[int, list[int]] = defaultdict(list)
        for i in rows:  # row by row: the rows of a column one by one would be far more to look at
            for j in self.open[i]:
                holders[j].append(i)
        most = max(self.table.weights[i] * self.left[i].bit_count() for i in rows)
        least = gain // most if most else len(rows)
        return [held for j, held in holders.items() if len(held) > least and not services >> j & 1]

    def _freed(self, rows: Iterable[int], services: int) -> int:
        """Memberships that this group would make needless: of its members in groups that it contains."""
        mine = set(rows)
        inner = (held for held, given in self.found if not given & ~services)
        return sum(self.table.weights[i] for held in inner for i in held if i in mine)

    def _take(self, extent: list[int], services: int) -> bool:
        """Make a group of a concept, of those that it gives something and that may still join."""
        rows = [i for i in extent if self.left[i] & services]
        if not rows:
            return False
        services = self.table.shared(rows)
        members = sum(self.table.weights[i] for i in rows)
        lines = members - self._freed(rows, services) + services.bit_count() - 1
        if members < LEAST_MEMBERS or self._gain(rows, services) < lines:
            return False  # more to maintain than everyone's own lines
        if not self.chance.evident(rows, members, services):
            self.set_aside.add(services)
            return False
        self.found.append((rows, services))
        for i in rows:
            self.joined[i] += 1
            self.left[i] &= ~services
            if self.joined[i] == MOST_GROUPS:
                self.left[i] = 0
        return True


@dataclass(frozen=True, slots=True)
class _Chance:
    """What chance would do in a matrix whose people and services are used as often as here.

    Person i uses service j with r(i)·c(j)/N: the model of independent margins. `degrees` counts people by r.
    """

    people: int
    width: int
    weights: tuple[int, ...]
    share: tuple[float, ...]  # c(j)/N
    degrees: tuple[tuple[int, int], ...]
    alike: bool  # rows are often equal

    @classmethod
    def of(cls, table: _Table) -> _Chance:
        uses = sum(w * r.bit_count() for r, w in zip(table.rows, table.weights, strict=True))
        share = (sum(table.weights[i] for i in places(c)) / uses for c in table.columns)
        degrees: Counter[int] = Counter()
        for row, weight in zip(table.rows, table.weights, strict=True):
            degrees[row.bit_count()] += weight
        people = sum(table.weights)
        alike = len(table.rows) <= DISTINCT * people
        return cls(
            people, len(table.columns), table.weights, tuple(share), tuple(sorted(degrees.items())), alike
        )

    def evident(self, rows: list[int], members: int, services: int) -> bool:
        """Whether a group is there by more than chance.

        It is where each set of used services is that of two or more on average; or where nearly all belong to it; or
        where fewer than CHANCE groups of so many people and services are to be expected.
        The expected number is at most C(people, members) · C(services, size) · (mean chance of one person)^members
        (linearity of expectation, and Maclaurin's inequality for people who use unequally much).
        """
        if (self.alike and 2 * len(rows) <= members) or members >= NEARLY_ALL * self.people:
            return True
        chosen = [self.share[j] for j in places(services)]
        one = sum(n * math.prod(min(1.0, r * c) for c in chosen) for r, n in self.degrees) / self.people
        if one <= 0:  # too small for a float: no chance
            return True
        ways = _log_ways(self.people, members) + _log_ways(self.width, len(chosen))
        return ways + members * math.log(one) <= math.log(CHANCE)


def _log_ways(of: int, some: int) -> float:
    """The logarithm of how many ways there are to choose some of a number."""
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


def _without_idlers(table: _Table, found: list[tuple[list[int], int]]) -> list[tuple[list[int], int]]:
    """Drop who got everything of a group elsewhere too, and groups that are none without them; close what is left."""
    groups = [(list(rows), services) for rows, services in found]
    for g, (rows, services) in enumerate(groups):
        stay = []
        for i in rows:
            others = (s for k, (r, s) in enumerate(groups) if k != g and i in r)
            if services & ~reduce(or_, others, 0):
                stay.append(i)
        if sum(table.weights[i] for i in stay) < LEAST_MEMBERS:
            stay = []
        groups[g] = (stay, table.shared(stay) if stay else 0)
    return [group for group in groups if group[0]]
