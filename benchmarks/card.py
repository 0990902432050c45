"""From the report's completion at AWS, or from a command that the store can answer, to the card in the channel."""

from __future__ import annotations

import random
import statistics
import time

from benchmarks.figures import ROLES, Figure, results
from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo

AUDITS = 30
BIG = "OrgAdmin"
"""A role with 453 services."""


def measure() -> list[Figure]:
    """Fresh audits one after the other, whose reports complete at odd moments; then answers from the store."""
    odd = random.Random(7)  # the same moments every time
    roles = [ROLES[n % len(ROLES)] for n in range(AUDITS)]
    with Demo() as demo:
        demo.start_bot()
        demo.aws.knobs.job_polls = 0
        time.sleep(3)  # the listing of the accounts at start is over
        fresh = [_fresh(demo, role, odd.uniform(0.4, 2.0)) for role in roles]
        cached = [_cached(demo, role) for role in roles]
        big = _fresh(demo, BIG, 1.0)
        big_cached = _cached(demo, BIG)
    return [
        Figure(f"completion to card, median of {AUDITS}", statistics.median(fresh), "s", 1),
        Figure(f"completion to card, slowest of {AUDITS}", max(fresh), "s", 1.5),
        Figure(f"from the store: command to card, median of {AUDITS}", statistics.median(cached), "s", 0.5),
        Figure(f"from the store: command to card, slowest of {AUDITS}", max(cached), "s", 0.5),
        Figure("completion to card, 453 services (one audit)", big, "s"),
        Figure("from the store: command to card, 453 services", big_cached, "s"),
    ]


def _fresh(demo: Demo, role: str, makes: float) -> float:
    """One audit; AWS takes so many seconds to make its report."""
    before, jobs = results(demo, story.SECURITY), len(demo.aws.jobs)
    demo.aws.knobs.job_result = "stick"
    assert demo.slack.command(story.ALICE, story.SECURITY, f"role {role} account=prod fresh").ok
    while len(demo.aws.jobs) == jobs:
        time.sleep(0.005)
    time.sleep(makes)
    demo.aws.knobs.job_result = "ok"
    completed = time.perf_counter()
    demo.slack.wait(lambda: results(demo, story.SECURITY) > before, 60)
    took = time.perf_counter() - completed
    time.sleep(0.5)  # the full list follows into the thread
    return took


def _cached(demo: Demo, role: str) -> float:
    before = results(demo, story.SECURITY)
    began = time.perf_counter()
    assert demo.slack.command(story.ALICE, story.SECURITY, f"role {role} account=prod").ok
    demo.slack.wait(lambda: results(demo, story.SECURITY) > before, 60)
    took = time.perf_counter() - began
    time.sleep(0.5)
    return took
