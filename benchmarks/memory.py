"""Resident memory of the bot's process: idle, and over many audits."""

from __future__ import annotations

import contextlib
import statistics
import time

from benchmarks.figures import ROLES, Figure, resident, results
from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo

BATCH = 20
FRESH = 3
"""Of every 20 audits 3 are made anew at AWS: 300 of 2,000."""


def measure(audits: int = 2000) -> list[Figure]:
    """Audits in batches, the memory noted after each."""
    with Demo() as demo:
        demo.start_bot()
        assert demo.bot
        pid = demo.bot.pid
        time.sleep(10)  # listings read, connection quiet
        idle = resident(pid)
        for role in ROLES:  # every report is in the store before the counting
            _ask(demo, [f"role {role} account=prod"])
        noted, lost = [], 0
        for batch in range(audits // BATCH):
            lost += _ask(demo, _commands(batch))
            noted.append(resident(pid))
    quarter = max(1, len(noted) // 4)
    first, last = statistics.mean(noted[:quarter]), statistics.mean(noted[-quarter:])
    return [
        Figure("resident memory, idle", idle, "MB", 120),
        Figure(f"resident memory after {len(noted) * BATCH:,} audits", noted[-1], "MB"),
        Figure("of these made anew at AWS", len(noted) * FRESH, "audits"),
        Figure("of these without a result", lost, "lost", 0),
        Figure("mean of the last quarter / of the first", last / first, "×"),
    ]


def _commands(batch: int) -> list[str]:
    names = [ROLES[(batch * FRESH + n) % len(ROLES)] for n in range(BATCH)]
    return [f"role {name} account=prod{' fresh' if n < FRESH else ''}" for n, name in enumerate(names)]


def _ask(demo: Demo, commands: list[str]) -> int:
    """Ask, wait for every result and list, and let the sandbox forget them; how many never showed a result."""
    for command in commands:
        assert demo.slack.command(story.ALICE, story.SECURITY, command).ok

    def shown() -> bool:
        posted = demo.slack.state.messages.get(story.SECURITY, [])
        return results(demo, story.SECURITY) >= len(commands) and len(posted) >= 2 * len(commands)

    with contextlib.suppress(AssertionError):  # one that is lost is counted below
        demo.slack.wait(shown, 15)
    lost = len(commands) - results(demo, story.SECURITY)
    demo.slack.state.messages.clear()
    demo.slack.state.calls.clear()
    demo.aws.calls.clear()
    demo.aws.jobs.clear()
    return lost
