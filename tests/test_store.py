"""advisor.edges.store: the file, its lock, its transactions; what stands in it is in test_store_rows."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.core.errors import Held, NewerDatabase, StoreError
from advisor.core.model import Asked, Kind
from advisor.edges.store import Store, look
from tests.worlds import NOW, ago, entity, report, service

ROOT = Path(__file__).parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    made = Store(path)
    yield made
    made.close()


def ask(store: Store, name: str = "R") -> int:
    return store.requests.add("U1", "C1", f"role {name}", Asked(Kind.ROLE, name), NOW)


def count(path: Path, table: str = "request") -> int:
    """Rows as another process sees them: what is committed."""
    conn = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return int(conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        conn.close()


# -- transactions


def test_everything_inside_is_one_commit(store: Store, path: Path) -> None:
    """Inner units of work join the outer one."""
    with store.transaction():
        ask(store)
        with store.transaction():
            ask(store)
        assert count(path) == 0
    assert count(path) == 2


def test_a_fault_takes_everything_back(store: Store, path: Path) -> None:
    """Also what an inner unit had finished; the next transaction begins as ever."""

    def fails_at_the_end() -> None:
        with store.transaction():
            ask(store)
            with store.transaction():
                ask(store)
            raise ValueError

    with pytest.raises(ValueError):
        fails_at_the_end()
    assert count(path) == 0
    ask(store)
    assert count(path) == 1


def test_a_fault_caught_half_way_does_not_end_the_outer_unit(store: Store, path: Path) -> None:
    """There are no savepoints: what was written stays with the outer commit."""
    with store.transaction():
        ask(store)
        with pytest.raises(sqlite3.IntegrityError):
            store.jobs.join(999, "x", report().granularity, NOW, NOW)  # no such entity
        ask(store)
    assert count(path) == 2


def test_a_transaction_sees_itself_and_others_do_not(store: Store) -> None:
    """Until it commits."""
    seen: list[object] = []
    with store.transaction():
        made = ask(store)
        assert store.requests.get(made) is not None
        other = threading.Thread(target=lambda: seen.append(store.requests.get(made)))
        other.start()
        other.join(2)
    assert seen == [None]
    assert store.requests.get(made) is not None


def test_a_write_outside_a_transaction_is_refused(store: Store) -> None:
    """Each verb opens its own."""
    with pytest.raises(RuntimeError, match="outside a transaction"):
        store._db.run("DELETE FROM request")


def test_a_reader_cannot_write(store: Store) -> None:
    """Read connections are query-only."""
    with pytest.raises(sqlite3.OperationalError):
        store._db.rows("DELETE FROM request")


def test_threads_that_read_then_write_all_get_through(store: Store, path: Path) -> None:
    """Deferred transactions would fail with “database is locked”."""
    faults: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                with store.transaction():
                    store.requests.due(NOW)
                    ask(store)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert faults == []
    assert count(path) == 80


def test_what_waits_is_woken_after_the_commit_and_not_before(store: Store) -> None:
    """`work` for something to do, `mail` for something to say; a rollback wakes nobody."""

    def fails_at_the_end() -> None:
        with store.transaction():
            ask(store)
            store.outbox.add("post", "audit.card", 1, channel="C1", user="U1", now=NOW)
            raise ValueError

    with pytest.raises(ValueError):
        fails_at_the_end()
    assert not store.work.is_set()
    assert not store.mail.is_set()
    with store.transaction():
        ask(store)
        assert not store.work.is_set()
    assert store.work.is_set()
    assert not store.mail.is_set()


def test_readers_and_acknowledgements_do_not_wait_for_a_bulk_write(store: Store) -> None:
    """A report of 20,000 rows is written in small commits."""
    who = store.entities.see(entity(), NOW)
    big = report(*(service(f"s{n}", ago(days=1)) for n in range(20_000)), entity_id=who.id)
    writer = threading.Thread(target=store.reports.save, args=(big, None))
    slowest = times = 0
    writer.start()
    while writer.is_alive():
        begun = time.perf_counter()
        store.requests.get(1)
        ask(store)
        slowest = max(slowest, time.perf_counter() - begun)
        times += 1
        time.sleep(0.001)
    writer.join()
    assert times > 5
    assert slowest < 0.5


# -- the file


def test_the_file_is_its_owner_s_alone(store: Store, path: Path) -> None:
    """It holds policies and tokens of nobody, but who uses what is private."""
    for name in (path, Path(f"{path}.lock")):
        assert stat.S_IMODE(name.stat().st_mode) == 0o600


def test_reopening_keeps_everything(path: Path) -> None:
    """And what was half-written is gone."""
    store = Store(path)
    who = store.entities.see(entity(), NOW)
    made = ask(store)
    whole = store.reports.save(report(service("s3"), entity_id=who.id), None)
    store.reports.show(whole)
    store.reports.save(report(service("ec2"), entity_id=who.id), None)
    store.log.add("U1", "audit", "R", NOW)
    before = store.requests.get(made)
    store.close()
    again = Store(path)
    assert again.requests.get(made) == before
    assert again.entities.get(who.id) == who
    assert [s.namespace for s in again.reports.get(whole).services] == ["s3"]
    assert again.log.verify()[0] == 1
    again.close()
    assert count(path, "report") == 1
    assert count(path, "service") == 1


def test_two_processes_never_hold_one_file(store: Store, path: Path) -> None:
    """The second says who does, and has changed nothing."""
    code = f"from pathlib import Path\nfrom advisor.edges.store import Store\nStore(Path({str(path)!r}))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert "Held" in ran.stderr
    assert f"process {os.getpid()} on " in ran.stderr
    with pytest.raises(Held, match=f"process {os.getpid()}"):
        Store(path)
    ask(store)
    assert count(path) == 1


def test_the_lock_ends_with_the_store_and_with_its_process(path: Path) -> None:
    """A killed process leaves no lock behind."""
    code = f"import os\nfrom pathlib import Path\nfrom advisor.edges.store import Store\nStore(Path({str(path)!r}))\nos._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=30, check=False).returncode == 9
    for _ in range(2):
        Store(path).close()


def test_a_database_of_a_newer_release_is_left_alone(path: Path) -> None:
    """Named, untouched, and its lock let go."""
    Store(path).close()
    conn = sqlite3.connect(path)
    conn.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('iam-audit', 'm999_future', 'x')"
    )
    conn.commit()
    conn.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(NewerDatabase, match="m999_future"):
            Store(path)
    assert path.read_bytes() == before
    with pytest.raises(NewerDatabase):
        look(path)


@pytest.mark.parametrize(
    "content",
    [b"just text, no database at all\n" * 40, b"SQLite format 3\0" + b"\xff" * 5000, b"IAM_AUDIT_DB=x\n\n\n"],
)
def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    """Text, a broken head, one line."""
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be used as a database"):
            Store(path)
    assert path.read_bytes() == content


def test_a_damaged_database_is_a_store_error(path: Path) -> None:
    """Its first pages overwritten: said so, not overwritten further."""
    Store(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xee" * 8000)
    before = path.read_bytes()
    with pytest.raises(StoreError):
        Store(path)
    assert path.read_bytes() == before


def test_somebody_else_s_database_is_not_taken_over(path: Path) -> None:
    """A SQLite file of another program that has a table of one of our names."""
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE entity (x)")
    conn.commit()
    conn.close()
    with pytest.raises(StoreError):
        Store(path)
    conn = sqlite3.connect(path)
    assert conn.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%migrations%'"
    ).fetchall() == [("entity",)]
    conn.close()


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    """As `touch` leaves it."""
    path.touch()
    Store(path).close()
    assert count(path) == 0


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """The bot makes no folders; nor does it open one."""
    with pytest.raises(StoreError, match="does not exist"):
        Store(tmp_path / "no" / "audit.db")
    with pytest.raises(StoreError):
        Store(tmp_path)


def test_a_look_takes_no_lock_and_changes_nothing(store: Store, path: Path) -> None:
    """`check` runs beside the bot."""
    ask(store)
    look(path)
    ask(store)
    with pytest.raises(StoreError):
        look(path.with_name("missing.db"))
    assert not path.with_name("missing.db").exists()


def test_a_name_with_odd_letters_is_a_name(tmp_path: Path) -> None:
    """Spaces, percent signs and question marks of a path are no URI."""
    odd = tmp_path / "a b%20?mode=x#y.db"
    Store(odd).close()
    Store(odd).close()
    look(odd)
    assert odd.exists()


def test_a_store_that_is_closed_gives_its_files_back(path: Path) -> None:
    """No handle stays open: neither a reader's of another thread nor the lock's."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    store = Store(path)
    for _ in range(3):
        t = threading.Thread(target=lambda: store.requests.get(1))
        t.start()
        t.join()
    store.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
