"""The bot's own process with one more thread, which writes a report of 20,000 rows for every line on its stdin."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime

import bot
from advisor.core.model import Entity, Granularity, Kind, Report, ServiceRow
from advisor.edges import config as settings
from advisor.edges.store import Store

ROWS = 20_000


def write(store: Store) -> None:
    """Save on every line, and answer with the seconds it took."""
    at = datetime.now(UTC)
    entity = Entity("999999999999", Kind.ROLE, "bulk", "arn:aws:iam::999999999999:role/bulk", "AROABULK")
    known = store.entities.see(entity, at)
    rows = tuple(ServiceRow(f"service-{n}", f"Service {n}", at, region="eu-north-1") for n in range(ROWS))
    report = Report(known.id, Granularity.SERVICE, at, at, rows)
    for _ in sys.stdin:
        began = time.perf_counter()
        store.reports.save(report, None)
        print(time.perf_counter() - began, flush=True)


def main() -> None:
    bot._logging()
    config = settings.load()
    store = Store(config.iam_audit_db)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.Thread(target=write, args=(store,), daemon=True).start()
    bot._serve(config, store, ending)
    store.close()
    os._exit(0)  # as bot.py ends


if __name__ == "__main__":
    main()
