"""The database is copied while the bot writes, as docs/operations.md says, and the copy is a whole one."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from advisor.edges.store import Store

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def test_a_copy_made_while_rows_are_written_is_whole(tmp_path: Path) -> None:
    """Each transaction is in it or not; the chain of the log holds; the copy opens and is written on."""
    store = Store(tmp_path / "audit.db")
    ending, wrote = threading.Event(), threading.Event()

    def write() -> None:
        n = 0
        while not ending.is_set() or n < 50:
            with store.transaction():
                store.log.add("bot", "first", f"pair {n}", NOW + timedelta(seconds=n))
                store.log.add("bot", "second", f"pair {n}", NOW + timedelta(seconds=n))
            n += 1
            wrote.set()

    writer = threading.Thread(target=write)
    writer.start()
    wrote.wait(10)
    with (
        closing(sqlite3.connect(tmp_path / "audit.db")) as source,
        closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
    ):
        source.backup(copy, pages=5)  # what the command line's .backup does
    ending.set()
    writer.join()
    store.close()
    restored = Store(tmp_path / "copy.db")
    try:
        (whole,) = restored._db.rows("PRAGMA integrity_check")
        assert whole[0] == "ok"
        count, _, broken = restored.log.verify()
        assert count > 0
        assert count % 2 == 0
        assert not broken
        restored.log.add("bot", "after", "the restore", NOW)
        assert restored.log.verify()[0] == count + 1
    finally:
        restored.close()
