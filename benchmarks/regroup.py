"""Regroup: made-up estates with planted groups and without any, AWS's own policies as a public set, and the store.

The public set is what AWS's managed policies grant, a row a policy and a column a service, as the package moto ships
them (Apache-2.0).
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from moto.iam.aws_managed_policies import aws_managed_policies_data

from advisor.core.alike import merges
from advisor.core.common import Common
from advisor.core.model import Entity, Granularity, Kind, Policy, PolicyKind, Report, ServiceRow
from advisor.core.policy import services_granted
from advisor.core.regroup import Grouping, regroup
from advisor.edges.catalogue import IamCatalogue
from advisor.edges.store import Store
from benchmarks.figures import Figure
from tests.groupings import Used, chance, planted

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USERS, SERVICES = 3500, 1600
"""Larger than almost any account; AWS had 457 services in October 2026."""

ESTATES = (
    # people, services, groups, services a group, own services at most, services of everyone
    ("60 users, 5 groups", 60, 40, 5, 8, 3, 2),
    ("400 users, 20 groups", 400, 120, 20, 10, 5, 3),
    ("3,500 users, 80 groups, 457 services", USERS, 457, 80, 12, 8, 3),
    ("3,500 users, 150 groups, 1,600 services", USERS, SERVICES, 150, 15, 10, 3),
)
CHANCES = ((20, 25, 0.2), (60, 40, 0.1), (60, 40, 0.3), (60, 40, 0.5), (150, 60, 0.2))
SEEDS = 40


def measure() -> list[Figure]:
    """The same estates every time."""
    return [*_planted(), *_chance(), *_policies(), *_public(), *_stored()]


def _timed(used: Mapping[str, frozenset[str]]) -> tuple[Grouping, float]:
    began = time.process_time()
    found = regroup(used)
    return found, time.process_time() - began


def _planted() -> list[Figure]:
    figures = []
    for what, people, services, groups, size, own, common in ESTATES:
        used, cores = planted(people, services, groups, size, own=own, common=common)
        found, took = _timed(used)
        _check(found, used)
        figures += [
            Figure(f"{what}: processor time", took, "s", 2),
            Figure(
                f"{what}: planted groups missed", sum(not _found(found, c, used) for c in cores), "groups", 0
            ),
            Figure(f"{what}: groups proposed", len(found.groups), "groups"),
            Figure(f"{what}: use that groups account for", 100 * found.covered / found.uses, "%"),
        ]
    began = time.process_time()
    merges(found)
    return [
        *figures,
        Figure("what merging look-alikes of these 150 would cost", time.process_time() - began, "s"),
    ]


def _found(found: Grouping, core: frozenset[str], used: Used) -> bool:
    """A planted group counts as found where one group has all its services, and nine of ten of its people."""
    members = {name for name, row in used.items() if core <= row}
    return any(
        core <= set(g.services) and len(members & set(g.members)) >= 0.9 * len(members) for g in found.groups
    )


def _check(found: Grouping, used: Used) -> None:
    assert found.used() == used
    assert all(set(g.services) <= used[m] for g in found.groups for m in g.members)


def _chance() -> list[Figure]:
    invented = sum(bool(regroup(chance(*shape, seed)).groups) for shape in CHANCES for seed in range(SEEDS))
    even, even_took = _timed(chance(USERS, SERVICES, 0.03))
    odd = random.Random(5)
    names = [f"service-{n:04}" for n in range(SERVICES)]
    popular = [1 / (n + 1) ** 0.8 for n in range(SERVICES)]
    skewed, skewed_took = _timed(
        {f"u{n}": frozenset(odd.choices(names, popular, k=odd.randint(5, 60))) for n in range(USERS)}
    )
    whole = len(CHANCES) * SEEDS
    return [
        Figure(f"of {whole} random matrices, groups invented in", invented, "matrices", 0.02 * whole),
        Figure("3,500 × 1,600 at random, few services popular: processor time", skewed_took, "s", 2),
        Figure("3,500 × 1,600 at random, all services alike: processor time", even_took, "s", 2),
        Figure("groups invented in these two", len(even.groups) + len(skewed.groups), "groups", 0),
    ]


def _policies() -> list[Figure]:
    """Everyone has a policy of their own, no two alike: the worst that intersecting can meet."""
    catalogue = IamCatalogue()
    names = sorted(catalogue.services())[:457]
    made, _ = planted(USERS, len(names), 80, 12, own=8, common=3)
    used = {n: frozenset(names[int(s.rpartition("-")[2])] for s in row) for n, row in made.items()}
    odd = random.Random(6)
    held = {}
    for name, row in used.items():
        entries: list[str] = []
        for service in sorted(row):
            every = sorted(catalogue.actions(service))
            some = [f"{service}:{a}" for a in odd.sample(every, min(5, len(every)))]
            entries += odd.choice([[f"{service}:*"], [f"{service}:Get*", f"{service}:List*"], some])
        text = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": entries, "Resource": "*"}]}
        )
        held[name] = (Policy("own", PolicyKind.INLINE, text),)
    found = regroup(used)
    common = Common(catalogue)
    began = time.process_time()
    for group in found.groups:
        common.propose(group.services, {m: held[m] for m in group.members})
    return [
        Figure(
            "policies of 80 groups of 3,500 users, each with another document",
            time.process_time() - began,
            "s",
        )
    ]


def _public() -> list[Figure]:
    """What AWS's managed policies grant. One that allows (nearly) everything has no row of its own to tell."""
    catalogue = IamCatalogue()
    used = {}
    for name, policy in json.loads(aws_managed_policies_data).items():
        text = json.dumps(policy["Document"])
        granted = services_granted([Policy(name, PolicyKind.AWS, text)], catalogue)
        if len(granted) < 400:
            used[name] = frozenset(granted)
    found, took = _timed(used)
    _check(found, used)
    services = len(frozenset().union(*used.values()))
    return [
        Figure(f"AWS managed policies × services, {len(used):,} × {services}: processor time", took, "s", 2),
        Figure("their different sets of services", found.distinct, "sets"),
        Figure("groups proposed", len(found.groups), "groups"),
        Figure("policies in a group", len(found.grouped), "policies"),
        Figure("grants that groups account for", 100 * found.covered / found.uses, "%"),
    ]


def _stored() -> list[Figure]:
    """3,500 users with a report of 42 services each, 20 of them used, beside as many older reports."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "usage.db")
        with store.transaction():
            for n in range(USERS):
                arn = f"arn:aws:iam::111111111111:user/u{n}"
                who = store.entities.see(Entity("111111111111", Kind.USER, f"u{n}", arn, f"AIDA{n:016}"), NOW)
                for _ in range(2):
                    rows = (ServiceRow(f"service-{s}", last_at=NOW if s < 20 else None) for s in range(42))
                    made = Report(who.id, Granularity.SERVICE, NOW, NOW, tuple(rows))
                    store.reports.show(store.reports.save(made, None))
        began = time.perf_counter()
        found = store.usage.of("111111111111", 90)
        took = time.perf_counter() - began
        assert len(found) == USERS
        assert all(len(u.services) == 20 for u in found)
        store.close()
    return [Figure("reading 3,500 users × 42 services from the store", took, "s")]
