"""bot.py as a process of its own: how it starts, what it refuses, how it ends, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from advisor.edges.store import Store
from tests.sandbox import world as story
from tests.sandbox.__main__ import ROOT, Demo
from tests.scenarios.stage import words

Json = dict[str, Any]
BOT = [sys.executable, str(ROOT / "bot.py")]
PROD_ONLY = {"IAM_AUDIT_ACCOUNTS": f"prod={story.PROD}"}


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """One AWS and one workspace for all these processes."""
    with Demo() as demo:
        yield demo


@pytest.fixture(autouse=True)
def _healed(demo: Demo) -> Iterator[None]:
    """Every test finds a world without faults and without old messages."""
    state = demo.slack.state
    state.messages.clear()
    state.ephemerals.clear()
    yield
    demo.slack.hook = None
    demo.slack.faults.clear()
    demo.slack.http_url = ""
    demo.aws.faults.clear()
    demo.aws.hook = None
    assert not state.problems, state.problems


def _environment(demo: Demo, folder: Path, **changes: str | None) -> dict[str, str]:
    settings = demo.environment() | {"IAM_AUDIT_DB": str(folder / "bot.db")} | changes
    return {k: v for k, v in settings.items() if v is not None}


def _run(
    demo: Demo, folder: Path, *arguments: str, **changes: str | None
) -> subprocess.CompletedProcess[str]:
    """A start that ends by itself."""
    return subprocess.run(
        [*BOT, *arguments],
        env=_environment(demo, folder, **changes),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def _begin(demo: Demo, folder: Path, **changes: str | None) -> subprocess.Popen[bytes]:
    """A start that goes on; it is ready and, in Socket Mode, connected when this returns."""
    log = folder / "bot.log"
    before = log.read_text().count("bot.ready") if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(BOT, env=_environment(demo, folder, **changes), cwd=folder, stderr=output)
    demo.slack.wait(lambda: process.poll() is not None or log.read_text().count("bot.ready") > before, 30)
    assert process.poll() is None, log.read_text()
    if not demo.slack.http_url:
        demo.slack.wait(lambda: demo.slack.sockets, 15)
    return process


@contextmanager
def _bot(demo: Demo, folder: Path, **changes: str | None) -> Iterator[subprocess.Popen[bytes]]:
    process = _begin(demo, folder, **changes)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        demo.slack.wait(lambda: not demo.slack.sockets, 10)


def _cards(demo: Demo, channel: str = story.SECURITY) -> list[Json]:
    return [m for m in demo.slack.messages(channel) if m.get("metadata")]


def _done(demo: Demo, count: int = 1) -> list[Json]:
    """The cards, once so many are results."""

    def found() -> list[Json]:
        return [c for c in _cards(demo) if c["metadata"]["event_payload"].get("state") == "done"]

    return demo.slack.wait(lambda: found() if len(found()) >= count else None, 25)  # type: ignore[no-any-return]


def _free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _get(url: str, request: urllib.request.Request | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request or url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


# -- starts that end by themselves -----------------------------------------------------------------------------------


def test_the_version(demo: Demo, tmp_path: Path) -> None:
    """--version says one line and needs no settings."""
    ended = _run(demo, tmp_path, "--version", SLACK_BOT_TOKEN=None, SLACK_APP_TOKEN=None)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("iam-audit ")
    assert ended.stdout.count("\n") == 1


@pytest.mark.parametrize("arguments", [("start",), ("--help-me",), ("check", "twice")])
def test_an_unknown_argument(demo: Demo, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What it does not know it refuses, and says what it knows; no database is made."""
    ended = _run(demo, tmp_path, *arguments)
    assert ended.returncode == 2
    assert "python bot.py check" in ended.stderr
    assert not (tmp_path / "bot.db").exists()


def test_wrong_settings_are_named_together(demo: Demo, tmp_path: Path) -> None:
    """Every fault by its name, never with its value, and never a token."""
    ended = _run(
        demo,
        tmp_path,
        SLACK_APP_TOKEN=None,
        IAM_AUDIT_WINDOW_DAYS="9000-odd",
        IAM_AUDIT_APPROVERS="not-an-id",
        IAM_AUDIT_ACCOUNTS="prod=12",
        IAM_AUDIT_WINDOWS_DAYS="mistyped",
        PORT="no-port",
    )
    assert ended.returncode == 2
    for name in (
        "SLACK_APP_TOKEN",
        "IAM_AUDIT_WINDOW_DAYS",
        "IAM_AUDIT_APPROVERS",
        "IAM_AUDIT_ACCOUNTS",
        "IAM_AUDIT_WINDOWS_DAYS: no such setting",
        "PORT",
    ):
        assert name in ended.stderr
    told = ended.stdout + ended.stderr
    for value in ("9000-odd", "not-an-id", "prod=12", "mistyped", "no-port", "xoxb-", "xapp-"):
        assert value not in told
    assert "Traceback" not in told


def test_a_refused_token(demo: Demo, tmp_path: Path) -> None:
    """A token that Slack refuses ends the start, without the token being shown."""
    ended = _run(demo, tmp_path, SLACK_BOT_TOKEN="xoxb-somebody-elses")
    assert ended.returncode == 2
    assert "SLACK_BOT_TOKEN: invalid_auth" in ended.stderr
    assert "somebody-elses" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def _newer(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path)) as conn:
        named = "SELECT name FROM sqlite_master WHERE name LIKE '%migration%' AND type = 'table'"
        [(table,)] = conn.execute(named)
        columns = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
        row = dict(zip(columns, conn.execute(f"SELECT * FROM {table} LIMIT 1").fetchone(), strict=True))
        row |= {"name": "m9999_of_next_year"} | ({"id": 9999} if "id" in row else {})
        marks = ",".join("?" * len(row))
        conn.execute(f"INSERT INTO {table} ({','.join(row)}) VALUES ({marks})", tuple(row.values()))
        conn.commit()


def _corrupt(path: Path) -> None:
    Store(path).close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * (4096 - 100)  # the schema's page
    path.write_bytes(content)


def _text(path: Path) -> None:
    path.write_text("Not a database, but somebody's notes.\n" * 100)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_newer, "m9999_of_next_year"),
        (_corrupt, "cannot be used as a database"),
        (_text, "cannot be used as a database"),
    ],
)
def test_a_database_that_is_not_ours_to_touch(demo: Demo, tmp_path: Path, make: Any, says: str) -> None:
    """It is refused with a sentence, and not a byte of it changes."""
    path = tmp_path / "bot.db"
    make(path)
    before = path.read_bytes()
    ended = _run(demo, tmp_path)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert str(path) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert path.read_bytes() == before


def test_a_missing_folder(demo: Demo, tmp_path: Path) -> None:
    """The folder of the database is not made up."""
    ended = _run(demo, tmp_path, IAM_AUDIT_DB=str(tmp_path / "nowhere" / "bot.db"))
    assert ended.returncode == 2
    assert f"the folder {tmp_path / 'nowhere'} does not exist" in ended.stderr
    assert not (tmp_path / "nowhere").exists()


# -- running ---------------------------------------------------------------------------------------------------------


def test_one_process_a_database_and_no_secret_anywhere(demo: Demo, tmp_path: Path) -> None:
    """A second one is refused by the first one's pid; `check` may look meanwhile; logs are JSON; nothing holds a token."""
    with _bot(demo, tmp_path, **PROD_ONLY) as process:
        second = _run(demo, tmp_path)
        assert second.returncode == 3
        assert f"process {process.pid} " in second.stderr
        checked = _run(demo, tmp_path, "check", **PROD_ONLY)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert demo.slack.command(story.ALICE, story.SECURITY, "role DBAdminRole").ok
        [card] = _done(demo)
        assert "2 of 25 services used" in words(card)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(15) == 0
        assert time.monotonic() - began < 10
    log = (tmp_path / "bot.log").read_text()
    for line in log.splitlines():
        assert {"at", "level", "logger", "event"} <= set(json.loads(line)), line
    assert "bot.stopped" in log
    kept = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    secrets = (
        "xoxb-",
        "xapp-",
        demo.slack.bot_token,
        demo.slack.app_token,
        demo.slack.signing_secret,
        demo.world.bot["AWS_SECRET_ACCESS_KEY"],
    )
    for name, content in kept.items():
        for secret in secrets:
            assert secret.encode() not in content, f"{secret[:5]} in {name}"
    for secret in secrets:
        assert secret not in checked.stdout + checked.stderr + second.stdout + second.stderr


def test_the_end_while_an_account_hangs(demo: Demo, tmp_path: Path) -> None:
    """SIGTERM ends it within ten seconds, whatever AWS does."""
    with _bot(demo, tmp_path, **PROD_ONLY) as process, demo.aws.hanging(story.PROD):
        assert demo.slack.command(story.ALICE, story.SECURITY, "role DBAdminRole").ok
        time.sleep(1.0)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - began < 10


def test_health(demo: Demo, tmp_path: Path) -> None:
    """200 while connected, 503 with the reason once the socket is gone, 200 again after it came back."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/healthz"
    with _bot(demo, tmp_path, PORT=str(port), **PROD_ONLY):
        assert demo.slack.wait(lambda: _get(url) == (200, "ok\n"), 10)
        assert _get(f"http://127.0.0.1:{port}/slack/events")[0] == 404
        refusing = demo.slack.fail("apps.connections.open", error="internal_error", times=1000)
        demo.slack.drop_socket("rst")
        demo.slack.wait(lambda: _get(url)[0] == 503, 12)
        assert _get(url) == (503, "not connected to Slack\n")
        demo.slack.faults.remove(refusing)
        demo.slack.wait(lambda: _get(url)[0] == 200, 20)


def test_http_mode(demo: Demo, tmp_path: Path) -> None:
    """A signed command works end to end; a wrong signature is refused and starts nothing."""
    port = _free_port()
    demo.slack.http_url = f"http://127.0.0.1:{port}/slack/events"
    settings = {
        "SLACK_APP_TOKEN": None,
        "SLACK_SIGNING_SECRET": demo.slack.signing_secret,
        "PORT": str(port),
        **PROD_ONLY,
    }
    with _bot(demo, tmp_path, **settings):
        assert _get(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
        assert demo.slack.command(story.ALICE, story.SECURITY, "role TestRole-DeleteLater").ok
        [card] = _done(demo)
        assert "0 of 3 services used" in words(card)
        calls = len(demo.aws.calls)
        for status, headers in (
            (401, {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=" + "0" * 64}),
            (401, {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=" + "0" * 64}),
            (401, {}),
        ):  # fmt: skip
            form = {
                "command": "/iam-audit",
                "text": "role DBAdminRole",
                "user_id": story.ALICE,
                "channel_id": story.SECURITY,
                "team_id": demo.slack.team_id,
                "trigger_id": "1.2",
                "response_url": demo.slack.url,
            }
            forged = urllib.request.Request(
                demo.slack.http_url, data=urllib.parse.urlencode(form).encode(), headers=headers
            )
            assert _get("", forged)[0] == status
        time.sleep(0.5)
        assert len(_cards(demo)) == 1
        assert len(demo.aws.calls) == calls


def test_killed_while_a_report_is_made(demo: Demo, tmp_path: Path) -> None:
    """After kill -9 in the middle, the next start brings exactly one card, with the right result."""
    polls, demo.aws.knobs.job_polls = demo.aws.knobs.job_polls, 10_000
    try:
        with _bot(demo, tmp_path, **PROD_ONLY) as process:
            asked = demo.aws.operations().count("GenerateServiceLastAccessedDetails")
            assert demo.slack.command(story.ALICE, story.SECURITY, "role DBAdminRole").ok
            demo.slack.wait(
                lambda: demo.aws.operations().count("GenerateServiceLastAccessedDetails") > asked, 15
            )
            demo.slack.wait(lambda: _cards(demo), 15)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
    finally:
        demo.aws.knobs.job_polls = polls
    with _bot(demo, tmp_path, **PROD_ONLY):
        [card] = _done(demo)
        assert "2 of 25 services used" in words(card)
        time.sleep(1.5)
        assert len(_cards(demo)) == 1


# -- check -----------------------------------------------------------------------------------------------------------


def test_check(demo: Demo, tmp_path: Path) -> None:
    """One line each, all good; nothing is made or changed by looking."""
    demo.aws.calls.clear()
    ended = _run(demo, tmp_path, "check", **PROD_ONLY, IAM_AUDIT_WRITE_ROLE="")
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert all(line.startswith("ok    ") for line in lines)
    for part in (
        "settings",
        "Slack bot token",
        "Slack app token",
        "database",
        "AWS identity",
        "AWS organisation: o-",
        "AWS prod: iam:GetRole",
        "AWS prod: iam:ListPolicyVersions",
    ):
        assert any(line.startswith(f"ok    {part}") for line in lines), part  # fmt: skip
    assert "write role" not in ended.stdout, "none is set, so none is tried"
    assert not (tmp_path / "bot.db").exists()
    assert {
        o
        for o in demo.aws.operations()
        if not o.startswith(("Get", "List", "Describe", "Generate", "Lookup", "AssumeRole"))
    } == set()


def test_check_of_the_write_role(demo: Demo, tmp_path: Path) -> None:
    """Entered by a session that may do nothing, in the own account too; where there is none, said by name."""
    demo.aws.calls.clear()
    ended = _run(demo, tmp_path, "check", IAM_AUDIT_WRITE_ROLE=story.WRITE_ROLE)
    lines = [line for line in ended.stdout.splitlines() if "write role" in line]
    assert ended.returncode == 1
    assert [line.split(": ")[0] for line in lines] == ["ok    AWS prod", "ok    AWS dev", "FAIL  AWS data"]
    assert f"role/{story.WRITE_ROLE}" in lines[-1]
    assert not [
        o
        for o in demo.aws.operations()
        if not o.startswith(("Get", "List", "Describe", "Generate", "Lookup", "AssumeRole"))
    ]
    entered = [c.params for c in demo.aws.calls if c.params.get("RoleArn", "").endswith(story.WRITE_ROLE)]
    nothing = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    assert entered
    assert all(json.loads(p["Policy"])["Statement"] == [nothing] for p in entered)


def test_check_where_an_account_refuses(demo: Demo, tmp_path: Path) -> None:
    """The account whose role does not trust the bot fails by name; the others stand."""
    ended = _run(demo, tmp_path, "check")
    assert ended.returncode == 1
    failed = [line for line in ended.stdout.splitlines() if not line.startswith("ok ")]
    assert failed
    assert all(line.startswith("FAIL  AWS data") for line in failed)
    assert "sts:AssumeRole" in failed[0]
    assert "ok    AWS dev: iam:GetRole" in ended.stdout


def test_check_with_wrong_settings(demo: Demo, tmp_path: Path) -> None:
    """Exit 2 with a line for each fault."""
    ended = _run(demo, tmp_path, "check", IAM_AUDIT_WINDOW_DAYS="many", IAM_AUDIT_APPROVERS="x")
    assert ended.returncode == 2
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == ["FAIL  settings"] * 2
    assert "many" not in ended.stdout
