"""The process where Slack is silent, switches Socket Mode off or delivers twice, and where AWS hangs at its end."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.scenarios.stage import words
from tests.test_bot import PROD_ONLY, _bot, _cards, _done, _free_port, _get

S = story.SECURITY


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with Demo() as demo:
        yield demo


@pytest.fixture(autouse=True)
def _healed(demo: Demo) -> Iterator[None]:
    slack = demo.slack
    slack.state.messages.clear()
    slack.acks.clear()
    yield
    slack.silent, slack.everywhere, slack.socket_mode = False, False, True
    slack.faults.clear()
    demo.aws.faults.clear()
    assert not slack.state.problems, slack.state.problems


def _log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "bot.log").read_text().splitlines()]


def _events(folder: Path, word: str) -> list[str]:
    return [e["event"] for e in _log(folder) if e["event"].startswith(word)]


def _answered_once(demo: Demo) -> None:
    """A command now works, and has one card."""
    assert demo.slack.command(story.ALICE, S, "role TestRole-DeleteLater").ok
    [card] = _done(demo)
    assert "0 of 3 services used" in words(card)
    time.sleep(1.0)
    assert len(_cards(demo)) == 1


@pytest.mark.parametrize("since", [pytest.param("the beginning", marks=pytest.mark.long), "some time"])
def test_a_silent_socket(demo: Demo, tmp_path: Path, since: str) -> None:
    """Accepted, and nothing is answered on it: noticed in seconds, 503 meanwhile, and mended without a restart."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/healthz"
    with _bot(demo, tmp_path, PORT=str(port), **PROD_ONLY):
        demo.slack.wait(lambda: _get(url)[0] == 200, 10)
        demo.slack.silent = True
        if since == "the beginning":
            demo.slack.drop_socket("rst")
        demo.slack.wait(lambda: _get(url) == (503, "not connected to Slack\n"), 9)
        for _ in range(10):  # new ones are as silent: that stays trouble
            assert _get(url)[0] == 503
            time.sleep(0.2)
        assert not demo.slack.command(story.BOB, S, "user anna", wait=0.3).ok
        demo.slack.wait(lambda: "socket.silent" in _events(tmp_path, "socket.silent"), 12)
        demo.slack.silent = False
        demo.slack.wait(lambda: _get(url)[0] == 200, 20)
        _answered_once(demo)


def test_socket_mode_is_switched_off_and_on(demo: Demo, tmp_path: Path) -> None:
    """No hot loop, a line that says what to do, 503 meanwhile; once it is on again, it works."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/healthz"
    slack = demo.slack
    with _bot(demo, tmp_path, PORT=str(port), **PROD_ONLY):
        slack.wait(lambda: _get(url)[0] == 200, 10)
        slack.state.calls.clear()
        slack.socket_mode = False
        slack.drop_socket("link_disabled")
        slack.wait(lambda: _get(url)[0] == 503, 5)
        assert _get(url)[1].startswith("Socket Mode is switched off in the app's settings")
        time.sleep(8)
        assert 2 <= slack.methods().count("apps.connections.open") <= 5  # at once, after 1, 2 and 4 seconds
        assert _get(url)[0] == 503
        lines = _events(tmp_path, "socket.off")
        assert lines
        assert "api.slack.com" in lines[0]
        assert "socket.failed why=access_denied" in _events(tmp_path, "socket.failed")
        assert not [e for e in _log(tmp_path) if "stack" in e]
        slack.socket_mode = True
        slack.wait(lambda: _get(url)[0] == 200, 15)
        _answered_once(demo)


@pytest.mark.long
def test_connections_that_are_given_and_taken_at_once(demo: Demo, tmp_path: Path) -> None:
    """Slack gives a connection each time, and ends each at once: ever longer waits, and 503 throughout."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/healthz"
    slack = demo.slack
    with _bot(demo, tmp_path, PORT=str(port), **PROD_ONLY):
        slack.wait(lambda: _get(url)[0] == 200, 10)
        time.sleep(2.5)
        slack.state.calls.clear()
        seen, until = set(), time.monotonic() + 8
        while time.monotonic() < until:
            if slack.sockets:
                slack.drop_socket("link_disabled")
            seen.add(_get(url)[0])
            time.sleep(0.1)
        assert 503 in seen
        assert slack.methods().count("apps.connections.open") <= 5
        slack.wait(lambda: _get(url)[0] == 200, 20)
        _answered_once(demo)


def test_commands_while_a_connection_is_refreshed(demo: Demo, tmp_path: Path) -> None:
    """A new connection is opened before the old one ends; what comes on both meanwhile has one effect."""
    with _bot(demo, tmp_path, **PROD_ONLY):
        time.sleep(0.5)
        demo.slack.everywhere = True
        old = list(demo.slack.sockets)
        demo.slack.drop_socket("refresh_requested")
        demo.slack.wait(lambda: len(demo.slack.sockets) > 1, 5)
        replies = [demo.slack.command(story.ALICE, S, f"role {n}") for n in ("DBAdminRole", "OrgAdmin")]
        assert all(r.ok for r in replies)
        demo.slack.wait(lambda: demo.slack.sockets and not any(s in old for s in demo.slack.sockets), 6)
        replies.append(demo.slack.command(story.ALICE, S, "user anna"))
        assert replies[-1].ok
        _done(demo, 3)
        time.sleep(1.0)
        assert len(_cards(demo)) == 3
        assert len({words(c).partition(":")[0] for c in _cards(demo)}) == 3


@pytest.mark.long
@pytest.mark.parametrize("operation", ["GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails"])
def test_the_end_while_a_report_hangs(demo: Demo, tmp_path: Path, operation: str) -> None:
    """SIGTERM while AWS is silent about one account's report: done in ten seconds, and the next start finishes it."""
    accounts = {"IAM_AUDIT_ACCOUNTS": story.ACCOUNTS}
    with _bot(demo, tmp_path, **accounts) as process:
        demo.aws.fail(operation, account=story.DEV, hang=30, times=None)
        assert demo.slack.command(story.BOB, S, "role dev-deployer account=dev").ok
        demo.slack.wait(lambda: _cards(demo), 10)
        time.sleep(1.5)
        assert demo.slack.command(story.ALICE, S, "role DBAdminRole account=prod").ok
        assert words(_done(demo)[0]).startswith("DBAdminRole:")  # the other account goes on meanwhile
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - began < 10
    demo.aws.faults.clear()
    with _bot(demo, tmp_path, **accounts):
        assert any(words(c).startswith("dev-deployer:") for c in _done(demo, 2))
        assert len(_cards(demo)) == 2
