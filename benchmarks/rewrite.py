"""Cutting documents: 10,000 made-up cases judged by a plain evaluator, and the time of a large entity.

A star means 40 services in the made-up cases, as two evaluators over all 457 take ten minutes; the times are over all.
"""

from __future__ import annotations

import json
import random
import time

from advisor.core.evaluate import disagreements
from advisor.core.rewrite import Cut, Rewrite, rewrite, size
from advisor.edges.catalogue import IamCatalogue
from benchmarks.figures import Figure, percentile
from tests import brute
from tests.worlds import SmallCatalogue

CASES = 10_000
KNOWN = 40
DOCUMENTS = 40
"""More than almost any entity has: 20 attached policies are AWS's limit."""
PREFIXES = ("Get", "List", "Describe", "Create", "Delete", "Put", "Update", "Tag", "Batch")


def measure() -> list[Figure]:
    """The same cases every time."""
    catalogue = IamCatalogue()
    for service in sorted(catalogue.services()):
        catalogue.actions(service)
    known = tuple(random.Random(10).sample(sorted(catalogue.services()), KNOWN))
    small = SmallCatalogue({s: tuple(catalogue.actions(s)) for s in known})
    return [*_judged(small), *_timed(catalogue)]


def _judged(catalogue: SmallCatalogue) -> list[Figure]:
    odd = random.Random(11)
    wrong = disagreeing = longer = 0
    took = []
    for _ in range(CASES):
        services = odd.sample(sorted(catalogue.services()), 3)
        text, cut = _case(odd, services, catalogue)
        began = time.perf_counter()
        done = rewrite(text, cut, catalogue)
        took.append((time.perf_counter() - began) * 1000)
        wrong += bool(_faults(done, cut, tuple(catalogue.table)))
        hindered = [name for name, _ in done.hindered]
        disagreeing += bool(
            disagreements(text, done.after, cut.services, cut.actions, catalogue, hindered=hindered)
        )
        longer += done.after is not None and size(done.after) > size(text)
    return [
        Figure(f"cases of {CASES:,} with a fault, by the plain evaluator", wrong, "cases", 0),
        Figure(f"cases of {CASES:,} with a fault, by the product's second opinion", disagreeing, "cases", 0),
        Figure("cases that are longer than before", longer, "cases"),
        Figure("a rewrite, median", percentile(took, 0.5), "ms"),
        Figure("a rewrite, 99 of 100", percentile(took, 0.99), "ms"),
    ]


def _faults(done: Rewrite, cut: Cut, known: tuple[str, ...]) -> list[str]:
    hindered = [name for name, _ in done.hindered]
    return brute.faults(done.before, done.after, cut.services, cut.actions, hindered, known)


def _case(odd: random.Random, services: list[str], catalogue: SmallCatalogue) -> tuple[str, Cut]:
    statements = [
        {
            "Effect": odd.choice(["Allow", "Allow", "Allow", "Deny"]),
            odd.choice(["Action"] * 9 + ["NotAction"]): [
                _entry(odd, odd.choice(services), catalogue) for _ in range(odd.randint(1, 5))
            ],
            "Resource": odd.choice(["*", "arn:aws:s3:::one/*"]),
        }
        for _ in range(odd.randint(1, 4))
    ]
    whole = frozenset(odd.sample(services, odd.choice([0, 0, 1])))
    share = odd.random()
    actions = frozenset(
        f"{s}:{a}" for s in services[:2] for a in sorted(catalogue.actions(s)) if odd.random() < share
    )
    return json.dumps({"Statement": statements}), Cut(whole, actions, not_action=odd.random() < 0.5)


def _entry(odd: random.Random, service: str, catalogue: SmallCatalogue) -> str:
    """A star, a prefix, a name, a pattern with a star or a mark somewhere."""
    name = odd.choice(sorted(catalogue.actions(service)))
    at = odd.randint(0, len(name) - 1)
    end = odd.randint(at, len(name))
    shapes = [
        "*",
        name,
        f"{odd.choice(PREFIXES)}*",
        f"{name[:at]}*",
        f"{name[:at]}*{name[end:]}",
        f"*{name[at:]}",
        f"{name[:at]}?{name[at + 1 :]}",
        f"{'?' * at}*",
        name.upper(),
        "Tomorrow",
    ]
    return odd.choice(["*"] + [f"{service}:{odd.choice(shapes)}"] * 40)


def _timed(catalogue: IamCatalogue) -> list[Figure]:
    """Every action of AWS in 40 documents of which each loses half, then in 40 that allow everything."""
    odd = random.Random(12)
    services = sorted(catalogue.services())
    every = [f"{s}:{a}" for s in services for a in sorted(catalogue.actions(s))]
    gone = frozenset(a for a in every if odd.random() < 0.5)
    names = [json.dumps({"Statement": [_allow(every[n::DOCUMENTS])]}) for n in range(DOCUMENTS)]
    stars = [
        json.dumps({"Statement": [_allow([f"{s}:*" for s in services[n::DOCUMENTS]])]})
        for n in range(DOCUMENTS)
    ]
    whole = [json.dumps({"Statement": [_allow(["*"])]})] * DOCUMENTS
    return [
        Figure(
            f"{DOCUMENTS} documents, {len(every):,} names, half of them go",
            _cpu(names, gone, catalogue),
            "s",
            1,
        ),
        Figure(f"{DOCUMENTS} documents, a star a service, half goes", _cpu(stars, gone, catalogue), "s", 1),
        Figure(
            f"{DOCUMENTS} documents that allow everything, half goes", _cpu(whole, gone, catalogue), "s", 1
        ),
    ]


def _allow(actions: list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": "*"}


def _cpu(texts: list[str], gone: frozenset[str], catalogue: IamCatalogue) -> float:
    began = time.process_time()
    cut = Cut(actions=gone)
    for text in texts:
        rewrite(text, cut, catalogue)
    return time.process_time() - began
