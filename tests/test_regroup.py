"""advisor.core.regroup and alike: groups of equal use. What must hold for any matrix, and a table worked out by hand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core import alike
from advisor.core.alike import distance, in_order, linked, merges
from advisor.core.regroup import LEAST_MEMBERS, MOST_GROUPS, Group, Grouping, regroup
from tests.groupings import chance, planted

Sets = Mapping[str, frozenset[str]]

_ROW = st.frozensets(st.sampled_from("abcdefgh"), max_size=8)
MATRICES = st.dictionaries(st.sampled_from([f"p{n}" for n in range(14)]), _ROW, max_size=14) | st.lists(
    # few sets and many people: most of these have groups
    st.sampled_from(
        [frozenset("abc"), frozenset("cde"), frozenset("abcf"), frozenset("gh"), frozenset("h"), frozenset()]
    ),
    max_size=14,
).map(lambda rows: {f"p{n:02}": row for n, row in enumerate(rows)})


def holds(found: Grouping, used: Sets) -> None:
    """What is promised of every answer, whole or partial."""
    for group in found.groups:
        assert len(group.members) >= LEAST_MEMBERS
        assert list(group.members) == sorted(set(group.members))
        assert list(group.services) == sorted(set(group.services))
        # nobody gets what they did not use, and these are exactly what they have in common
        assert frozenset(group.services) == frozenset.intersection(*(used[m] for m in group.members))
    assert [g.number for g in found.groups] == list(range(1, len(found.groups) + 1))
    joined = [m for g in found.groups for m in g.members]
    assert all(joined.count(m) <= MOST_GROUPS for m in joined)
    given_to: dict[str, set[str]] = {name: set() for name in used}
    for group in found.groups:
        for member in group.members:
            given_to[member] |= set(group.services)
    assert {o.name: frozenset(o.services) for o in found.own} == {
        name: row - given_to[name] for name, row in used.items() if row
    }
    assert list(found.idle) == sorted(name for name, row in used.items() if not row)
    assert found.used() == used
    assert found.people == len(used)
    assert found.uses == sum(map(len, used.values()))
    assert found.covered == sum(map(len, given_to.values()))
    assert found.distinct == len({row for row in used.values() if row})


@given(MATRICES)
def test_nobody_gains_and_nothing_is_lost(used: Sets) -> None:
    """Groups and what stays own are together what was used, and no more."""
    found = regroup(used)
    holds(found, used)
    assert not found.partial


@given(MATRICES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(used: Sets, odd: random.Random) -> None:
    """The same people and services, told in another order, are the same answer."""
    people = list(used)
    odd.shuffle(people)
    assert regroup({name: sorted(used[name], key=lambda s: odd.random()) for name in people}) == regroup(used)


@given(MATRICES, st.integers(0, 40))
def test_a_time_box_gives_what_was_found(used: Sets, steps: int) -> None:
    """Stopped anywhere, the answer is true and says that it is partial; its groups are those that a longer run has found."""
    left = iter(range(steps))
    found = regroup(used, lambda: next(left, None) is not None)
    holds(found, used)
    if not found.partial:
        assert found == regroup(used)


def test_no_time_at_all_is_everybody_alone() -> None:
    """Partial, and nothing is said that was not found."""
    used, _ = planted(30, 20, 3, 5)
    found = regroup(used, lambda: False)
    holds(found, used)
    assert found.partial
    assert found.groups == ()
    assert not regroup({}, lambda: False).partial  # there was nothing to do


def test_more_time_finds_more() -> None:
    """Steps are asked for one by one."""
    used, _ = planted(60, 40, 5, 8)
    covered = []
    for steps in range(200):
        left = iter(range(steps))
        found = regroup(used, lambda left=left: next(left, None) is not None)  # type: ignore[misc]
        covered.append(found.covered)
        if not found.partial:
            break
    assert covered[0] == 0
    assert covered[-1] == regroup(used).covered
    assert len(set(covered)) > 3


# -- worked out by hand ------------------------------------------------------------------------------------------------


def rows(text: str) -> dict[str, frozenset[str]]:
    """`anna: s3 ec2; bela: s3`"""
    pairs = (line.partition(":") for line in text.split(";"))
    return {name.strip(): frozenset(services.split()) for name, _, services in pairs}


BY_HAND = {
    "nobody": ({}, []),
    "one person is no group": (rows("anna: s3 ec2"), []),
    "nobody used anything": ({"anna": frozenset(), "bela": frozenset()}, []),
    "two of equal use": (rows("anna: s3 ec2; bela: s3 ec2"), [("anna bela", "ec2 s3")]),
    "two pairs apart": (
        rows("anna: s3 ec2 sqs; bela: s3 ec2 sqs; cem: kms sns ssm; dora: kms sns ssm"),
        [("anna bela", "ec2 s3 sqs"), ("cem dora", "kms sns ssm")],
    ),
    "all different, nothing in common": (rows("anna: s3; bela: ec2; cem: kms"), []),
    "one person more has a service of their own": (
        rows("anna: s3 ec2 sqs; bela: s3 ec2 sqs; cem: s3 ec2 sqs kms"),
        [("anna bela cem", "ec2 s3 sqs")],
    ),
    "two who share one service more stay in the larger group": (
        rows("a: s3 ec2 sqs sns; b: s3 ec2 sqs sns; c: s3 ec2 sqs sns kms; d: s3 ec2 sqs sns kms"),
        [("a b c d", "ec2 s3 sns sqs")],
    ),
    "halves that differ in one service are two groups, not three": (
        {f"x{n}": frozenset("abcx") for n in range(6)} | {f"y{n}": frozenset("abcy") for n in range(6)},
        [("x0 x1 x2 x3 x4 x5", "a b c x"), ("y0 y1 y2 y3 y4 y5", "a b c y")],
    ),
    "one service, many people who used nothing else": (
        {f"p{n}": frozenset({"s3"}) for n in range(5)} | rows("z: ec2 kms"),
        [("p0 p1 p2 p3 p4", "s3")],
    ),
    "a person in two groups": (
        rows(
            "a: s3 ec2 sqs; b: s3 ec2 sqs; c: s3 ec2 sqs kms sns ssm; d: kms sns ssm; e: kms sns ssm; f: s3 ec2 sqs; g: kms sns ssm"
        ),
        [("a b c f", "ec2 s3 sqs"), ("c d e g", "kms sns ssm")],
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case: str) -> None:
    """Small matrices whose groups can be seen."""
    used, wanted = BY_HAND[case]
    found = regroup(used)
    holds(found, used)
    assert [(" ".join(g.members), " ".join(g.services)) for g in found.groups] == wanted


def test_nobody_joins_more_than_three() -> None:
    """Anna used what five groups use: three are hers, the rest stays her own."""
    used = {f"{g}{n}": frozenset(f"{g}{k}" for k in range(4)) for g in "abcde" for n in range(6)}
    used["anna"] = frozenset().union(*used.values())
    found = regroup(used)
    holds(found, used)
    assert len(found.groups) == 5
    assert sum("anna" in g.members for g in found.groups) == 3
    assert len(next(o.services for o in found.own if o.name == "anna")) == 8


def test_what_nearly_all_used_is_a_group() -> None:
    """Though chance would explain it: each service alone is used by nearly everyone."""
    used = {f"p{n:02}": frozenset({"s3", "sts", "logs", f"own-{n}"}) for n in range(20)}
    (group,) = regroup(used).groups
    assert group == Group(1, tuple(sorted(used)), ("logs", "s3", "sts"))


# -- structure or none -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("people", "services", "share"),
    [(12, 18, 0.3), (60, 40, 0.1), (60, 40, 0.3), (60, 40, 0.5), (150, 60, 0.15)],
)
def test_chance_is_no_structure(people: int, services: int, share: float, seed: int) -> None:
    """Sets of services that are as different as people give no group, whatever two of them share."""
    found = regroup(chance(people, services, share, seed))
    assert found.groups == ()
    assert found.distinct > 0.9 * len(found.own)
    assert found.set_aside > 0


@pytest.mark.parametrize("seed", range(4))
def test_planted_groups_are_found_though_everyone_is_different(seed: int) -> None:
    """Everybody has something of their own: the groups are there all the same."""
    used, cores = planted(120, 60, 6, 8, own=4, common=2, seed=seed)
    found = regroup(used)
    holds(found, used)
    for core in cores:
        members = {name for name, row in used.items() if core <= row}
        best = max(found.groups, key=lambda g: len(set(g.members) & members) * len(core & set(g.services)))
        assert core <= set(best.services)
        assert len(set(best.members) & members) >= 0.8 * len(members)


# -- another implementation --------------------------------------------------------------------------------------------


def concepts(used: Sets) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Every formal concept of a small matrix, by trying every set of people."""
    people = [name for name, row in used.items() if row]
    for some in chain.from_iterable(combinations(people, n) for n in range(1, len(people) + 1)):
        services = frozenset.intersection(*(used[m] for m in some))
        if services and frozenset(some) == {m for m in people if services <= used[m]}:
            yield frozenset(some), services


def greedy(used: Sets) -> int:
    """How much the best concepts cover, one after the other, when all of them are tried at every step."""
    left = {name: set(row) for name, row in used.items()}
    joined = dict.fromkeys(used, 0)
    every, covered = list(concepts(used)), 0
    while True:
        best, gain = None, 0
        for members, services in every:
            inside = [m for m in members if left[m] & services and joined[m] < MOST_GROUPS]
            if len(inside) >= LEAST_MEMBERS and (n := sum(len(left[m] & services) for m in inside)) > gain:
                best, gain = (inside, services), n
        if best is None:
            return covered
        for m in best[0]:
            left[m] -= best[1]
            joined[m] += 1
        covered += gain


TINY = st.lists(
    st.sampled_from(
        [frozenset("abc"), frozenset("cde"), frozenset("abcd"), frozenset("de"), frozenset("ef")]
    ),
    max_size=7,
)


@given(TINY)
def test_every_group_is_a_concept(rows: list[frozenset[str]]) -> None:
    """Its services are closed; its members are some of all who have them, and who could be in none is in none."""
    used = {f"p{n}": row for n, row in enumerate(rows)}
    found = regroup(used)
    every = [(m, s) for m, s in concepts(used) if len(m) >= LEAST_MEMBERS]
    for group in found.groups:
        assert any(s == frozenset(group.services) and m >= set(group.members) for m, s in every)
    reach = {(m, service) for members, services in every for m in members for service in services}
    assert found.covered <= len(reach)


def test_it_covers_what_trying_every_concept_does() -> None:
    """Beside an implementation that shares nothing with ours, tries all, and asks neither for evidence nor for lines."""
    odd = random.Random(3)  # noqa: S311  # the same matrices every time
    ours = theirs = 0
    for _ in range(150):
        kinds = [frozenset(odd.sample("abcdefgh", odd.randint(2, 4))) for _ in range(3)]
        used = {f"p{n}": odd.choice(kinds) for n in range(8)}
        ours += regroup(used).covered
        theirs += greedy(used)
    assert ours >= 0.95 * theirs


# -- look-alikes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [("ab", "ab", 0), ("ab", "cd", 1), ("abc", "abd", 0.5), ("", "", 0), ("a", "", 1), ("ab", "a", 0.5)],
)
def test_jaccard(a: str, b: str, apart: float) -> None:
    """1 − shared / either."""
    assert distance(frozenset(a), frozenset(b)) == apart


def plainly(sets: list[frozenset[str]]) -> list[frozenset[int]]:
    """Average linkage as it is defined: of all pairs of clusters, join the nearest; every cluster that came to be."""
    clusters = [frozenset({i}) for i in range(len(sets))]
    made = []
    while len(clusters) > 1:
        pairs = combinations(clusters, 2)
        a, b = min(
            pairs,
            key=lambda p: (
                sum(distance(sets[i], sets[j]) for i in p[0] for j in p[1]) / (len(p[0]) * len(p[1]))
            ),
        )
        clusters = [c for c in clusters if c not in {a, b}] + [a | b]
        made.append(a | b)
    return made


@given(
    st.lists(
        st.frozensets(st.integers(0, 60), min_size=3, max_size=12).map(lambda s: frozenset(map(str, s))),
        max_size=8,
    )
)
def test_linkage_is_average_linkage(sets: list[frozenset[str]]) -> None:
    """The chain of nearest neighbours makes the same tree, where no two distances are alike."""
    order, pairs = linked(sets)
    assert sorted(order) == list(range(len(sets)))
    apart = [distance(a, b) for a, b in combinations(sets, 2)]
    if len(set(apart)) == len(apart) and len(sets) > 1 and 1.0 not in apart:
        made = plainly(sets)
        place = {i: n for n, i in enumerate(order)}
        for cluster in made[:1]:
            assert max(place[i] for i in cluster) - min(place[i] for i in cluster) == len(cluster) - 1
            assert tuple(sorted(cluster)) in pairs


def test_too_many_are_not_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work would grow with their square."""
    monkeypatch.setattr(alike, "LINKED", 2)
    assert linked([frozenset("a"), frozenset("b"), frozenset("a")]) == ([0, 1, 2], [])
    assert linked([]) == ([], [])
    assert linked([frozenset("a")]) == ([0], [])


def test_what_a_merge_would_cost() -> None:
    """Three people would get kms, three would get sns and ssm; who has one of these already counts for the other alone."""
    used = rows(
        "a: s3 ec2 sqs kms; b: s3 ec2 sqs kms; c: s3 ec2 sqs kms; d: s3 ec2 sqs sns ssm; e: s3 ec2 sqs sns ssm; f: s3 ec2 sqs sns ssm"
    )
    found = regroup(used)
    assert [len(g.members) for g in found.groups] == [3, 3]
    (merge,) = merges(found)
    assert (merge.left, merge.right, merge.people, merge.gains) == (1, 2, 6, 3 * 1 + 3 * 2)
    assert merge.distance == pytest.approx(1 - 3 / 6)


@given(MATRICES)
def test_the_picture_has_everyone_once(used: Sets) -> None:
    """Blocks are runs: whoever stands for a group stands together."""
    found = regroup(used)
    people, services = in_order(found)
    assert sorted(name for name, _ in people) == [o.name for o in found.own]
    assert sorted(services) == sorted(frozenset().union(*used.values()))
    blocks = [group for _, group in people]
    runs = [b for n, b in enumerate(blocks) if n == 0 or blocks[n - 1] != b]
    assert len(runs) == len(set(runs))
    for name, group in people:
        assert (group == 0) == (name not in found.grouped)
    for merge in merges(found):
        left, right = (found.groups[n - 1] for n in (merge.left, merge.right))
        both = set(left.services) | set(right.services)
        lacking = [len(both - used[m]) for m in set(left.members) | set(right.members)]
        assert (merge.gains, merge.people) == (sum(lacking), sum(n > 0 for n in lacking))
