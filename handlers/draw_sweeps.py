"""Rows to messages and files of sweeps: gathers what a surface is drawn from, then lets `blocks/` draw it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from advisor import readings
from advisor.core.estate import Sweep, SweepState
from advisor.core.model import Account, Notice
from advisor.desk import Desk
from handlers import findings_files, sweep_files
from handlers.blocks import answers, findings, sweep, sweep_answers, sweep_small
from handlers.blocks.kit import Message
from handlers.blocks.sweep import SweepView
from handlers.blocks.words import place_of
from handlers.files import File

_WORST = 30
"""Entities with the most risk that the thread lists; the card shows the first few."""


@dataclass(frozen=True, slots=True)
class DrawSweeps:
    """Draws any notice of a sweep."""

    desk: Desk

    def view(self, found: Sweep) -> SweepView:
        """Everything that a sweep's card is drawn from."""
        store = self.desk.store
        parts = tuple(store.sweeps.parts(found.id))
        view = SweepView(
            sweep=found,
            now=self.desk.clock(),
            window_days=self.desk.config.iam_audit_window_days,
            parts=parts,
        )
        if found.state is SweepState.QUEUED:
            busy = store.sweeps.busy()
            behind = next((busy[p.account] for p in parts if busy.get(p.account, found.id) != found.id), 0)
            return replace(view, behind=behind)
        if not found.state.ended:
            return view
        return replace(
            view,
            totals=store.scores.totals(found.id),
            worst=tuple(store.scores.worst(found.id, _WORST)),
            failures=tuple(store.sweeps.failures(found.id)),
        )

    def message(self, notice: Notice, rung: int) -> Message | None:
        """The message of a notice, or None where there is nothing to say."""
        return SURFACES[notice.surface](self, notice, rung)

    def card(self, notice: Notice, rung: int) -> Message | None:
        """The card."""
        found = self.desk.store.sweeps.get(notice.row_id)
        if found is None:
            return None
        view = self.view(found)
        return sweep.card(view) if rung == 0 else sweep.minimal(view)

    def joined(self, notice: Notice, _rung: int) -> Message | None:
        """The same sweep is under way already."""
        return sweep_small.joined(notice.row_id)

    def elsewhere(self, notice: Notice, _rung: int) -> Message | None:
        """Where the result goes instead."""
        found = self.desk.store.sweeps.get(notice.row_id)
        return (
            answers.elsewhere(notice.detail["why"], f"the sweep of {self.view(found).what}")
            if found
            else None
        )

    def exported(self, notice: Notice, _rung: int) -> Message | None:
        """The line beside the files."""
        return sweep_small.exported(int(notice.detail["rows"]), int(notice.detail["entities"]))

    def no_file(self, notice: Notice, _rung: int) -> Message | None:
        """Slack took no file."""
        return sweep_small.file_refused(notice.detail["why"])

    def answer(self, notice: Notice, _rung: int) -> Message | None:
        """What came of scheduling a sweep, or of ending one."""
        store = self.desk.store
        order = store.orders.get(notice.row_id)
        if order is None:
            return None
        word, _, row = order.outcome.partition(":")
        schedule = store.schedules.get(int(row)) if row.isdigit() else None
        if word == "which":
            place = place_of(order.channel, order.user)
            mine = [s for s in store.schedules.of_channel("sweep", place) if s.user == order.user]
            return sweep_answers.which(mine)
        if schedule and word == "made":
            return sweep_answers.made(schedule)
        return sweep_answers.ended(schedule) if schedule else sweep_answers.answer(order.outcome)

    def findings(self, notice: Notice, _rung: int) -> Message | None:
        """What the whole of the accounts shows, beside single entities."""
        found = self.desk.store.sweeps.findings(notice.row_id)
        return findings.thread(found) if found else None

    # -- files ---------------------------------------------------------------------------------------------------

    def files(self, notice: Notice) -> list[File]:
        """What was found beside single entities, whole, and the documents that could be proposed."""
        return findings_files.files(self.desk.store.sweeps.findings(notice.row_id), notice.row_id)

    def write(self, notice: Notice, folder: Path) -> sweep_files.Written:
        """The files of a sweep, written a row at a time: they may be larger than what memory should hold."""
        stem = f"iam-audit-sweep-{notice.row_id}"
        return sweep_files.write(folder, stem, self._rows(notice.row_id))

    def _rows(self, sweep_id: int) -> Iterator[list[dict[str, str]]]:
        """The rows of each entity that was read, judged by the settings of now; then those that were not read."""
        store, days = self.desk.store, self.desk.config.iam_audit_window_days
        for part in store.sweeps.parts(sweep_id):
            account = Account(part.account, part.alias)
            for entity, report_id, _ in store.sweeps.reports(sweep_id, part.account):
                reading = readings.read(self.desk, report_id, days)
                if reading is not None:
                    yield sweep_files.rows(account, entity, reading.summary)
            if part.failure:
                yield [sweep_files.unread_account(account, sweep.because(part.failure))]
        for entity, failure in store.sweeps.failures(sweep_id, 1_000_000):
            yield [sweep_files.unread(entity, sweep.because(failure))]


SURFACES: dict[str, Callable[[DrawSweeps, Notice, int], Message | None]] = {
    "sweep.card": DrawSweeps.card,
    "sweep.joined": DrawSweeps.joined,
    "sweep.answer": DrawSweeps.answer,
    "sweep.findings": DrawSweeps.findings,
    "sweep.elsewhere": DrawSweeps.elsewhere,
    "sweep.exported": DrawSweeps.exported,
    "sweep.file_refused": DrawSweeps.no_file,
}
