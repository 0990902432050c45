"""The one writer and the many readers of the database file; knows SQLite, and no table but its own."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from sqlite_utils import Database

from advisor.core.errors import Held, NewerDatabase, StoreError
from advisor.edges.migrations import migrations

BATCH = 500
"""Rows a transaction at most, so that an acknowledgement never waits for a bulk write."""

Row = sqlite3.Row
Value = str | int | float | bytes | None


class Connection:
    """One write connection behind one lock, a read connection a thread.

    `mail` is set by a commit that left something to say, `work` by one that left something to do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mail = threading.Event()
        self.work = threading.Event()
        self._lock = threading.RLock()
        self._owner = 0  # the thread whose transaction is open, or 0
        self._wakes: set[threading.Event] = set()
        self._local = threading.local()
        self._readers: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._reading = threading.Lock()  # of that list alone: a first read never waits for a write
        self._held = _hold(path)
        try:
            self._write = _open(path)
        except BaseException:
            self._held.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is one commit. Reentrant: a method's own unit of work joins the caller's.

        Starts IMMEDIATE: a deferred transaction that reads and then writes fails with "database is locked".
        """
        with self._lock:
            if self._owner:
                yield
                return
            self._write.execute("BEGIN IMMEDIATE")
            self._owner = threading.get_ident()
            self._wakes.clear()
            try:
                yield
                self._write.commit()
            except (
                BaseException
            ):  # a full disk makes the commit itself fail: the next transaction must still begin
                if self._write.in_transaction:
                    self._write.rollback()
                raise
            finally:
                self._owner = 0
            for event in self._wakes:
                event.set()

    def wake(self, event: threading.Event) -> None:
        """Set an event when the current transaction has committed."""
        self._wakes.add(event)

    def run(self, sql: str, values: Sequence[Value] = ()) -> sqlite3.Cursor:
        """Write (and read what is being written). Only inside `transaction()`."""
        if self._owner != threading.get_ident():
            raise RuntimeError("a write outside a transaction")
        return self._write.execute(sql, values)

    def bulk(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Write many rows in transactions of at most BATCH, with a pause outside the lock between them."""
        batch: list[Sequence[Value]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                self._batch(sql, batch)
                batch = []
                self.breathe()
        if batch:
            self._batch(sql, batch)

    @staticmethod
    def breathe() -> None:
        """A pause outside the lock, which is not fair: without one, a bulk writer would take it again at once."""
        time.sleep(0.001)

    def _batch(self, sql: str, batch: list[Sequence[Value]]) -> None:
        with self.transaction():
            self._write.executemany(sql, batch)

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Read. Inside a transaction of this thread it sees what is being written, else what is committed."""
        if self._owner == threading.get_ident():
            return self._write.execute(sql, values).fetchall()
        return self._reader().execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Value] = ()) -> Row | None:
        """The first row, or None."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def _reader(self) -> sqlite3.Connection:
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
            reader.row_factory = sqlite3.Row
            reader.execute("PRAGMA query_only = ON")
            self._local.reader = reader
            with self._reading:
                for thread, left in self._readers:
                    if not thread.is_alive():
                        left.close()
                self._readers = [(t, r) for t, r in self._readers if t.is_alive()]
                self._readers.append((threading.current_thread(), reader))
        return reader

    def close(self) -> None:
        """Close the writer and every reader that nobody uses, then let the lock go.

        A reader whose thread still runs ends with it: closing one under a thread that reads is a crash in SQLite.
        """
        with self._lock, self._reading:
            for thread, reader in self._readers:
                if thread is threading.current_thread() or not thread.is_alive():
                    reader.close()
            self._readers.clear()
            self._local = threading.local()
            self._write.close()
            self._held.close()


def _hold(path: Path) -> IO[str]:
    """Take the lock file beside the database for as long as this process lives.

    Held from before the migrations to the end; the kernel lets it go when the process dies.
    """
    if not path.parent.is_dir():
        raise StoreError(f"{path}: the folder {path.parent} does not exist")
    try:
        handle = os.fdopen(os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise StoreError(f"{path}.lock cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = handle.read().strip() or "another process"
        handle.close()
        raise Held(f"{path} is held by {holder}") from error
    try:
        handle.truncate(0)
        # Past the handle's buffer: what it could not write, its close would try to write again.
        os.write(handle.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())
    except OSError as error:
        handle.close()
        raise StoreError(f"{path}.lock cannot be written: {error.strerror}") from error
    return handle


def _open(path: Path) -> sqlite3.Connection:
    """Open for writing, refuse what a newer release wrote, and migrate. Nothing is overwritten on failure."""
    try:
        known = path.exists()
        # A read-only file SQLite would open for reading, and leave read-only -wal and -shm files beside it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if known:
            look(path)
        # autocommit, so that every transaction is the one we begin ourselves
        conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be used as a database: {error}") from error
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "recursive_triggers = ON",
        ):
            conn.execute(f"PRAGMA {pragma}")
        conn.execute("BEGIN IMMEDIATE")
        migrations.apply(Database(conn))
        conn.commit()
    except BaseException as error:
        conn.close()
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"{path} cannot be used as a database: {error}") from error
        raise
    conn.row_factory = sqlite3.Row
    return conn


def look(path: Path) -> None:
    """Look at a file without writing: raises where it is no database of ours, or of a newer release.

    `check` uses it beside a running bot: it takes no lock and migrates nothing.
    """
    try:
        conn = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be used as a database: {error}") from error
    try:
        conn.execute("PRAGMA query_only = ON")
        conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(":memory:")) as empty:
            known = {m.name for m in migrations.pending(Database(empty))}
        newer = [m.name for m in migrations.applied(Database(conn)) if m.name not in known]
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be used as a database: {error}") from error
    finally:
        conn.close()
    if newer:
        raise NewerDatabase(
            f"{path} was written by a newer release of IAM Audit ({newer[0]}). It was left as it is: install that "
            "release, or set IAM_AUDIT_DB to another file."
        )
