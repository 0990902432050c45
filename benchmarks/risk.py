"""Weighing: the processor time of an ordinary role, an administrator, and of the ways that a large plan closes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from advisor.core.escalation import closes
from advisor.core.model import ActionRow, Granularity, Policy
from advisor.core.report import Rules, summarise
from advisor.core.risk import weigh
from advisor.edges.catalogue import IamCatalogue
from benchmarks.figures import Figure
from tests.worlds import allow, document, policy, report, service, snapshot

SERVICES = 42
ALWAYS = ("ec2", "iam", "lambda", "s3")
DOCUMENTS = 40


def measure() -> list[Figure]:
    """The same documents every time; the fastest of five, as the machine has other work."""
    catalogue = IamCatalogue()
    every = sorted(catalogue.services())
    for name in every:
        catalogue.actions(name)
    odd = random.Random(3)
    others = [s for s in every if catalogue.actions(s) and s not in ALWAYS]
    some = sorted([*ALWAYS, *odd.sample(others, SERVICES - len(ALWAYS))])
    entries = [entry for name in some for entry in _entries(odd, name, catalogue)]
    ordinary, admin = policy("own", *entries), policy("admin", "*")
    names = [f"{s}:{a}" for s in every for a in catalogue.actions(s)]
    large = [document(allow(*names[n::DOCUMENTS])) for n in range(DOCUMENTS)]
    left = [document(allow(*names[n::DOCUMENTS])) for n in range(0, DOCUMENTS, 2)]
    return [
        Figure(
            f"weighed: {len(some)} services, {len(entries)} entries",
            _weighed(ordinary, some, catalogue),
            "ms",
            3,
        ),
        Figure("the same, of actions", _weighed(ordinary, some, catalogue, deep=True), "ms"),
        Figure("weighed: an administrator, 457 services", _weighed(admin, every, catalogue), "ms", 50),
        Figure("the same, of all 22,321 actions", _weighed(admin, every, catalogue, deep=True), "ms"),
        Figure("closed ways: 42 services", _least(lambda: closes([ordinary.text], [])), "ms"),
        Figure(
            "closed ways: 40 documents, 22,321 actions, half goes", _least(lambda: closes(large, left)), "ms"
        ),
    ]


def _entries(odd: random.Random, service_: str, catalogue: IamCatalogue) -> list[str]:
    """A handful of names and two or three wildcards, as people write them."""
    names = sorted(catalogue.actions(service_))
    picked = [f"{service_}:{n}" for n in odd.sample(names, min(5, len(names)))]
    wide = "*" if odd.random() < 0.3 else "Get*"
    return [*picked, *(f"{service_}:{p}" for p in (wide, "Describe*", "List*"))]


def _weighed(own: Policy, services: list[str], catalogue: IamCatalogue, *, deep: bool = False) -> float:
    rows = [
        service(s, by=[own], actions=[ActionRow(a) for a in catalogue.actions(s)] if deep else None)
        for s in services
    ]
    shot = snapshot(own)
    made = report(*rows, granularity=Granularity.ACTION if deep else Granularity.SERVICE)
    summary = summarise(made, shot, Rules(), catalogue)
    return _least(lambda: weigh(summary, shot, catalogue))


def _least(work: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    took = []
    for _ in range(5):
        began = time.process_time()
        work()
        took.append((time.process_time() - began) * 1000)
    return min(took)
