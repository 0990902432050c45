"""100 commands at once over Socket Mode: how long each waits for its acknowledgement, and whether one is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.figures import ROLES, Figure, percentile, results
from tests.sandbox import world as story
from tests.sandbox.__main__ import ROOT, Demo
from tests.sandbox.slack.workspace import Reply

COMMANDS = 100


class Busy(Demo):
    """The same world with `busy_bot` instead of the bot."""

    def start_bot(self) -> None:
        with (Path(self.folder.name) / "bot.log").open("ab") as log:
            self.bot = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.busy_bot"],
                env={**self.environment(), "PYTHONPATH": os.fspath(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder.name,
            )
        self.slack.wait(lambda: self.slack.sockets, 20)

    def begin_write(self) -> None:
        """Let the bot's process write 20,000 rows."""
        assert self.bot
        assert self.bot.stdin
        self.bot.stdin.write(b"\n")
        self.bot.stdin.flush()

    def seconds_of_write(self) -> float:
        """Wait for that write to end."""
        assert self.bot
        assert self.bot.stdout
        return float(self.bot.stdout.readline())

    def close(self) -> None:
        pipes = [self.bot.stdin, self.bot.stdout] if self.bot else []
        super().close()
        for pipe in pipes:
            if pipe:
                pipe.close()


def burst(demo: Demo) -> tuple[list[Reply], float]:
    """Everybody presses Enter at the same moment; the replies, and the seconds until the last of them."""
    gate = threading.Barrier(COMMANDS + 1)

    def one(n: int) -> Reply:
        gate.wait()
        return demo.slack.command(story.ALICE, story.SECURITY, f"role {ROLES[n % len(ROLES)]} account=prod")

    with ThreadPoolExecutor(COMMANDS) as people:
        futures = [people.submit(one, n) for n in range(COMMANDS)]
        gate.wait()
        began = time.perf_counter()
        replies = [future.result() for future in futures]
    return replies, time.perf_counter() - began


def measure() -> list[Figure]:
    """The burst alone, then the burst during a bulk write in the same process."""
    with Demo() as demo:
        demo.start_bot()
        time.sleep(3)  # the listing of the accounts at start is over
        alone, _ = burst(demo)
        figures = _figures(demo, alone, "")
    with Busy() as demo:
        demo.start_bot()
        time.sleep(3)
        demo.begin_write()
        during, took = burst(demo)
        figures += _figures(demo, during, " during a bulk write")
        figures += [
            Figure("that burst, first command to last ack", took, "s"),
            Figure("that bulk write of 20,000 rows", demo.seconds_of_write(), "s"),
        ]
    return figures


def _figures(demo: Demo, replies: list[Reply], when: str) -> list[Figure]:
    known = [reply.ms for reply in replies if reply.ok]
    try:
        demo.slack.wait(lambda: results(demo, story.SECURITY) >= COMMANDS, 120)
    except AssertionError:
        print(f"only {results(demo, story.SECURITY)} of {COMMANDS} results", file=sys.stderr)
    return [
        Figure(f"{COMMANDS} commands at once{when}: ack p50", percentile(known, 0.5), "ms"),
        Figure(f"{COMMANDS} commands at once{when}: ack p99", percentile(known, 0.99), "ms", 150),
        Figure(f"{COMMANDS} commands at once{when}: no ack", COMMANDS - len(known), "lost", 0),
        Figure(
            f"{COMMANDS} commands at once{when}: no result",
            COMMANDS - results(demo, story.SECURITY),
            "lost",
            0,
        ),
    ]
