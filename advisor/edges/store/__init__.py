"""SQLite, the only memory. The only user of sqlite_utils and sqlite3; everything else sees values."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from advisor.core.errors import StoreError
from advisor.edges.store.connection import Connection, look
from advisor.edges.store.decisions import Keeps, Presses
from advisor.edges.store.digest_queries import Digests
from advisor.edges.store.entities import Entities
from advisor.edges.store.homes import Homes
from advisor.edges.store.journal import Deliveries, Log, exported_rows, verify, verify_lines
from advisor.edges.store.namesakes import Namesakes
from advisor.edges.store.numbers import Counted
from advisor.edges.store.outbox import Outbox
from advisor.edges.store.postings import Orders, Postings
from advisor.edges.store.proofs import Proofs
from advisor.edges.store.questions import Questions
from advisor.edges.store.reminders import Reminders
from advisor.edges.store.reports import Reports
from advisor.edges.store.requests import Followups, Jobs, Requests
from advisor.edges.store.schedules import Schedules
from advisor.edges.store.scores import Scores
from advisor.edges.store.steps import Steps
from advisor.edges.store.sweeps import Sweeps
from advisor.edges.store.tickets import Tickets
from advisor.edges.store.trail import Trails
from advisor.edges.store.trends import Trends
from advisor.edges.store.usage import Usage
from advisor.edges.store.watches import Watches

__all__ = ["Store", "exported_rows", "look", "verify", "verify_lines"]


class Store:
    """The tables, each group with its verbs. Opening takes the file's lock, migrates, and clears half-written rows.

    Raises Held, NewerDatabase or StoreError, and then has changed nothing.
    """

    def __init__(self, path: Path) -> None:
        self._db = Connection(path)
        self.entities = Entities(self._db)
        self.reports = Reports(self._db)
        self.requests = Requests(self._db)
        self.jobs = Jobs(self._db)
        self.followups = Followups(self._db)
        self.tickets = Tickets(self._db)
        self.steps = Steps(self._db)
        self.proofs = Proofs(self._db)
        self.presses = Presses(self._db)
        self.keeps = Keeps(self._db)
        self.sweeps = Sweeps(self._db)
        self.namesakes = Namesakes(self._db)
        self.scores = Scores(self._db)
        self.questions = Questions(self._db)
        self.trends = Trends(self._db)
        self.usage = Usage(self._db)
        self.schedules = Schedules(self._db)
        self.postings = Postings(self._db)
        self.orders = Orders(self._db)
        self.digests = Digests(self._db)
        self.outbox = Outbox(self._db)
        self.deliveries = Deliveries(self._db)
        self.log = Log(self._db)
        self.homes = Homes(self._db)
        self.reminders = Reminders(self._db)
        self.trail = Trails(self._db)
        self.watches = Watches(self._db)
        self.counted = Counted(self._db)
        try:
            self.reports.sweep_unfinished()
            self.sweeps.begin_anew()
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.Error):  # no room for what the sweep writes
                raise StoreError(f"{path} cannot be used as a database: {error}") from error
            raise

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside is one commit."""
        return self._db.transaction()

    @property
    def mail(self) -> threading.Event:
        """Set when there may be something to say."""
        return self._db.mail

    @property
    def work(self) -> threading.Event:
        """Set when there may be something to do."""
        return self._db.work

    def close(self) -> None:
        """Close the file and let its lock go."""
        self._db.close()
