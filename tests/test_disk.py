"""The bot's process where the disk does not take what it writes: read-only, full at the start, full while it runs."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from advisor.edges.store import Store
from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.scenarios.stage import words
from tests.test_bot import BOT, PROD_ONLY, _bot, _cards, _done, _environment

# Root ignores file modes by two capabilities (1 and 2 in capability.h): given up, the modes bind root as everybody.
_BOUND_BY_MODES = """
import ctypes, os, sys
if os.getuid() == 0:
    for capability in (1, 2):
        assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
# No file may grow beyond so many bytes: what a process meets on a full disk, by another number.
_FULL = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, {bytes}))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with Demo() as demo:
        yield demo


def _start(demo: Demo, folder: Path, launcher: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A start by way of a launcher that gives something up first."""
    return subprocess.run(
        [sys.executable, "-c", launcher, *BOT, *arguments],
        env=_environment(demo, folder, **PROD_ONLY),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


@contextmanager
def _modes(folder: Path, *, of_files: int, of_folder: int) -> Iterator[None]:
    files = [p for p in folder.iterdir() if p.is_file()]
    kept = {p: p.stat().st_mode for p in [*files, folder]}
    for path in files:
        path.chmod(of_files)
    folder.chmod(of_folder)
    try:
        yield
    finally:
        for path, mode in kept.items():
            path.chmod(mode)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def _one_sentence(ended: subprocess.CompletedProcess[str], path: Path) -> None:
    """Exit 2, and one fault that names the file and no stack."""
    assert ended.returncode == 2, ended.stderr
    title, fault = ended.stderr.splitlines()
    assert title == "IAM Audit: the database cannot be used:"
    assert str(path) in fault
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("of_files", "of_folder"),
    [(0o444, 0o555), (0o444, 0o755), (0o644, 0o555)],
    ids=["both", "the file", "the folder"],
)
@pytest.mark.parametrize("lock", [True, False], ids=["ran before", "never ran"])
def test_a_read_only_database(
    demo: Demo, tmp_path: Path, of_files: int, of_folder: int, *, lock: bool
) -> None:
    """It is refused with a sentence and exit 2, and not a byte of it changes."""
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "bot.db"
    Store(path).close()
    if not lock:
        Path(f"{path}.lock").unlink()
    before = _bytes(folder)
    with _modes(folder, of_files=of_files, of_folder=of_folder):
        ended = _start(demo, folder, _BOUND_BY_MODES)
    _one_sentence(ended, path)
    after = _bytes(folder)
    assert after["bot.db"] == before["bot.db"]
    assert set(after) <= {"bot.db", "bot.db.lock"}, ended.stderr
    with _bot(demo, folder, **PROD_ONLY):  # once it is writable, it starts
        assert demo.slack.command(story.ALICE, story.SECURITY, "whoami").ok


def test_check_of_a_read_only_database(demo: Demo, tmp_path: Path) -> None:
    """`check` only looks, so it can; and it leaves nothing behind."""
    folder = tmp_path / "data"
    folder.mkdir()
    Store(folder / "bot.db").close()
    before = _bytes(folder)
    with _modes(folder, of_files=0o444, of_folder=0o555):
        ended = _start(demo, folder, _BOUND_BY_MODES, "check")
    assert "Traceback" not in ended.stderr + ended.stdout
    assert any("database" in line for line in ended.stdout.splitlines()), ended.stdout
    assert _bytes(folder) == before


@pytest.mark.parametrize("room", [0, 8192])
@pytest.mark.parametrize("old", [True, False], ids=["an old one", "a new one"])
def test_a_start_on_a_full_disk(demo: Demo, tmp_path: Path, room: int, *, old: bool) -> None:
    """The start ends with a sentence; an old database stays as it was, and with room again the bot starts."""
    path = tmp_path / "bot.db"
    if old:
        Store(path).close()
    before = path.read_bytes() if old else b""
    ended = _start(demo, tmp_path, _FULL.format(bytes=room))
    _one_sentence(ended, path)
    if old:
        assert path.read_bytes() == before
    with closing(Store(path)), closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_disk_too_full_to_clear_up(demo: Demo, tmp_path: Path) -> None:
    """A database that opens, and has no room for clearing what a stopped process left: the same sentence."""
    path = tmp_path / "bot.db"
    Store(path).close()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("INSERT INTO entity VALUES (1, 'a', 'role', 'n', 'arn', 'u', '/', NULL, '2026', NULL)")
        conn.executemany(
            "INSERT INTO report (entity_id, granularity, created_at, completed_at) VALUES (1, ?, '2026', '2026')",
            [("SERVICE_LEVEL" * 20,)] * 500,
        )
        conn.commit()
    ended = _start(demo, tmp_path, _FULL.format(bytes=40_000))
    _one_sentence(ended, path)
    with closing(Store(path)), closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT count(*) FROM report").fetchone() == (0,)
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_disk_is_full_while_it_runs(demo: Demo, tmp_path: Path) -> None:
    """Nothing is acknowledged that is not kept: a number for the person, and with room again all goes on."""
    with _bot(demo, tmp_path, **PROD_ONLY) as process:
        assert demo.slack.command(story.ALICE, story.SECURITY, "role DBAdminRole").ok
        _done(demo)
        limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(
            process.pid, resource.RLIMIT_FSIZE, (1, limits[1])
        )  # the log of the bot has no room either
        refused = demo.slack.command(story.ALICE, story.SECURITY, "role TestRole-DeleteLater")
        assert refused.ok
        assert "Reference e-" in (refused.body or {})["text"]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
        assert demo.slack.command(story.ALICE, story.SECURITY, "user anna").ok
        assert "5 of 18 services used" in words(_done(demo, 2)[-1])
        assert len(_cards(demo)) == 2
        assert process.poll() is None
    with closing(sqlite3.connect(tmp_path / "bot.db")) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert conn.execute("SELECT count(*) FROM request").fetchone() == (2,)
