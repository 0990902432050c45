"""From the start of the process to its connection with Slack."""

from __future__ import annotations

import statistics
import time

from benchmarks.figures import Figure
from tests.sandbox.__main__ import Demo

STARTS = 5


def measure() -> list[Figure]:
    """Start the bot again and again; the first start also makes the database."""
    seconds = []
    with Demo() as demo:
        for _ in range(STARTS):
            began = time.perf_counter()
            demo.start_bot()
            seconds.append(time.perf_counter() - began)
            demo.stop_bot(kill=True)
            demo.slack.wait(lambda: not demo.slack.sockets)
    return [
        Figure(f"process start to connected, median of {STARTS}", statistics.median(seconds), "s", 2),
        Figure("process start to connected, slowest", max(seconds), "s", 2),
    ]
