"""The bot's process on Socket Mode: cut connections, two at once, a hundred commands at once, an account that hangs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.scenarios.stage import words

Json = dict[str, Any]
S = story.SECURITY

ENTITIES = {
    "role DBAdminRole account=prod": ("DBAdminRole", "2 of 25 services used"),
    "role TestRole-DeleteLater account=prod": ("TestRole-DeleteLater", "0 of 3 services used"),
    "user anna account=prod": ("anna", "5 of 18 services used"),
    "group data-engineers account=prod": ("data-engineers", "6 members"),
    "policy DataLakeAccess account=prod": ("DataLakeAccess", "A change reaches 10 users and roles."),
    "policy OldTools account=prod": ("OldTools", "attached to nothing"),
    "role report-writer account=prod": ("report-writer", "too young to judge, 1 of 6 used so far"),
    "role denied-sqs account=prod": ("denied-sqs", "0 of 1 services used"),
    "role passes-roles-only account=prod": ("passes-roles-only", "includes iam:PassRole"),
    "role dev-deployer account=dev": ("dev-deployer", "dev (222222222222)"),
}
"""Ten commands, with the name and a sentence that only its own card has."""

_SEEN: set[str] = set()
"""The cards of earlier tests: taken away, they would be posted again."""


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """One bot for all of them: what one test cuts, the next one finds mended."""
    with Demo() as demo:
        demo.start_bot()
        yield demo


@pytest.fixture(autouse=True)
def _quiet(demo: Demo) -> Iterator[None]:
    """Before a test the bot is connected; a test sees its own cards only, and ends when all of them are results."""
    demo.slack.wait(lambda: demo.slack.sockets, 10)
    _SEEN.update(c["ts"] for c in _cards(demo))
    yield
    demo.slack.faults.clear()
    demo.aws.faults.clear()
    try:
        demo.slack.wait(lambda: _states(demo) <= {"done"}, 20)
    except AssertionError as error:
        raise AssertionError(
            f"{Counter(words(c)[:90] for c in _cards(demo))}\n{demo.log()[-3000:]}"
        ) from error
    assert demo.bot is not None
    assert demo.bot.poll() is None, demo.log()[-2000:]
    assert not demo.slack.state.problems, demo.slack.state.problems
    ours = [e for e in map(json.loads, demo.log().splitlines()) if not e["logger"].startswith("slack_")]
    assert not [e for e in ours if e["level"] == "error"]


def _cards(demo: Demo) -> list[Json]:
    return [m for m in demo.slack.messages(S) if m.get("metadata") and m["ts"] not in _SEEN]


def _states(demo: Demo) -> set[str]:
    return {c["metadata"]["event_payload"]["state"] for c in _cards(demo)}


def _done(demo: Demo, count: int, timeout: float) -> list[Json]:
    """The cards, once so many are results."""

    def found() -> list[Json]:
        return [c for c in _cards(demo) if c["metadata"]["event_payload"]["state"] == "done"]

    return demo.slack.wait(lambda: found() if len(found()) >= count else None, timeout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("how", ["rst", "fin", "refresh_requested", "warning", "link_disabled"])
def test_a_cut_socket(demo: Demo, how: str) -> None:
    """Whatever ends the connection, there is a new one within ten seconds and a command works."""
    old = list(demo.slack.sockets)
    began = time.monotonic()
    demo.slack.drop_socket(how)
    demo.slack.wait(lambda: demo.slack.sockets and not any(s in old for s in demo.slack.sockets), 15)
    assert time.monotonic() - began < 10
    assert demo.slack.command(story.ALICE, S, "role TestRole-DeleteLater account=prod").ok
    [card] = _done(demo, 1, 15)
    assert "0 of 3 services used" in words(card)


def test_a_command_while_there_is_no_socket(demo: Demo) -> None:
    """What Slack could not deliver it delivers again, maybe more than once: one effect, once the connection is back."""
    old = list(demo.slack.sockets)
    demo.slack.drop_socket("rst")
    lost = demo.slack.command(story.BOB, S, "user anna account=prod")
    demo.slack.wait(lambda: demo.slack.sockets and not any(s in old for s in demo.slack.sockets), 15)
    assert demo.slack.redeliver(lost).ok
    assert demo.slack.redeliver(lost).ok
    _done(demo, 1, 15)
    time.sleep(1.5)
    assert len(_cards(demo)) == 1


def test_a_hundred_commands_at_once(demo: Demo) -> None:
    """All are acknowledged in Slack's three seconds; ten different entities have ten right cards, each ten times."""
    asked = [(text, story.ALICE if n % 2 else story.BOB) for n in range(10) for text in ENTITIES]
    with ThreadPoolExecutor(100) as hands:
        replies = list(hands.map(lambda a: demo.slack.command(a[1], S, a[0]), asked))
    assert [r.ok for r in replies] == [True] * 100
    assert max(r.ms for r in replies) < 3000
    cards = [words(c) for c in _done(demo, 100, 40)]
    found = Counter(
        name for text in cards for name, says in ENTITIES.values() if f"{name}:" in text and says in text
    )
    assert found == {name: 10 for name, _ in ENTITIES.values()}
    assert not demo.slack.ephemerals(story.CAROL)


def test_an_account_that_hangs_delays_nobody_else(demo: Demo) -> None:
    """While one account answers nothing, another one's card is there in a few seconds, and every command is acknowledged."""
    hang = demo.aws.fail("*", account=story.DEV, hang=4, times=None)
    for _ in range(12):  # more than a lane has hands
        assert demo.slack.command(story.BOB, S, "role DBAdminRole account=dev").ok
    began = time.monotonic()
    reply = demo.slack.command(story.ALICE, S, "user bjorn account=prod")
    assert reply.ok
    assert reply.ms < 3000
    [card] = _done(demo, 1, 12)
    assert words(card).startswith("bjorn:")
    assert time.monotonic() - began < 4
    demo.aws.faults.remove(hang)
    assert len(_done(demo, 13, 25)) == 13
    assert len(_cards(demo)) == 13  # one each, also where it was posted before its entity was found
