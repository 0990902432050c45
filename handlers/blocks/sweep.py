"""The card of a sweep, by its state. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from advisor.core.estate import ALL, Part, Score, Sweep, SweepState, SweptAccount, Totals
from advisor.core.model import Account, Entity, Failure
from handlers.blocks import kit, words
from handlers.blocks.kit import Message

SHOWN = 5
"""The worst offenders that the card lists; the rest is in the file."""

_REASONS = 3
"""Accounts that the card names one by one with why they were not read."""


@dataclass(frozen=True, slots=True)
class SweepView:
    """What a sweep's card is drawn from."""

    sweep: Sweep
    now: datetime
    window_days: int
    parts: tuple[SweptAccount, ...] = ()
    totals: Totals = field(default_factory=Totals)
    worst: tuple[tuple[Entity, Score], ...] = ()
    failures: tuple[tuple[Entity, Failure], ...] = ()
    behind: int = 0  # the sweep that reads one of its accounts now
    next_at: datetime | None = None  # of a scheduled sweep

    @property
    def total(self) -> int:
        """Entities that are known of."""
        return sum(p.total for p in self.parts)

    @property
    def read(self) -> int:
        """Entities that were read."""
        return sum(p.done for p in self.parts)

    @property
    def unread(self) -> int:
        """Entities that were not read and are not gone."""
        return sum(p.left + p.failed for p in self.parts)

    @property
    def what(self) -> str:
        """3 accounts; prod (111111111111)"""
        if len(self.parts) == 1:
            part = self.parts[0]
            return words.account_name(Account(part.account, part.alias))
        if self.parts:
            return words.some(len(self.parts), "account")
        return {"": "the bot’s own account", ALL: "all accounts"}.get(
            self.sweep.asked, f"account {kit.clip(self.sweep.asked, 40)}"
        )


def card(view: SweepView) -> Message:
    """The card of a sweep."""
    match view.sweep.state:
        case SweepState.QUEUED | SweepState.RUNNING:
            return _under_way(view)
        case SweepState.FAILED:
            return _failed(view)
        case _:
            return _ended(view)


def minimal(view: SweepView) -> Message:
    """The card in plain words, for a Slack that refuses the full one."""
    full = card(view)
    row = view.sweep.id
    buttons = [kit.button("Export CSV", "sweep.export", row)] if view.sweep.state.ended and view.read else []
    blocks: list[Any] = [kit.rich(kit.section(kit.text(full.text)))]
    return Message(full.text, [*blocks, *([kit.actions(*buttons)] if buttons else [])])


# -- under way -------------------------------------------------------------------------------------------------------


def _under_way(view: SweepView) -> Message:
    running = view.sweep.state is SweepState.RUNNING and any(p.state is not Part.QUEUED for p in view.parts)
    word, more, told = _progress(view) if running else ("Queued", f" · {_waits_for(view)}", "")
    blocks = [
        kit.header(f"Sweep of {view.what}"),
        kit.rich(
            kit.section(
                kit.emoji("hourglass_flowing_sand"),
                kit.text(f" {word}", bold=True),
                kit.text(more + (f"\n{told}" if told else "")),
            )
        ),
        kit.context(*_whose(view)),
        kit.actions(kit.button("Stop", "sweep.cancel", view.sweep.id)),
    ]
    said = f"{word[0].lower()}{word[1:]}{more}".replace(" ·", ",")
    return Message(f"Sweep of {view.what}: {said}. This message becomes the result.", blocks)


def _waits_for(view: SweepView) -> str:
    if view.behind:
        return f"behind sweep {view.behind}, which reads one of these accounts now"
    return "finding out who is in " + ("it" if len(view.parts) == 1 else "them")


def _progress(view: SweepView) -> tuple[str, str, str]:
    listed = [p for p in view.parts if p.state is not Part.QUEUED or p.begun_at]
    left = _time_left(view)
    word = f"Running, {view.read:,} of {words.some(view.total, 'entity', 'entities')} read"
    more = f" · {left} to go" if left else ""
    if len(view.parts) < 2:
        return word, more, ""
    waiting = len(view.parts) - len(listed)
    busy = [p for p in listed if p.state in {Part.RUNNING, Part.QUEUED}]
    told = [_so_far(p) for p in busy[: words.NAMES_OF_MANY]]
    ended = sum(p.state in {Part.DONE, Part.FAILED} for p in view.parts)
    told += [f"{words.some(ended, 'account')} of {len(view.parts)} read to the end"] if ended else []
    told += (
        [f"{words.some(waiting, 'account')} {'waits its' if waiting == 1 else 'wait their'} turn"]
        if waiting
        else []
    )
    return word, more, " · ".join(told)


def _so_far(part: SweptAccount) -> str:
    name = kit.clip(part.alias, 40) or part.account
    if part.state is Part.QUEUED:
        return f"{name} is being listed"
    note = ", some not read" if part.failed else ""
    return f"{name} {part.done:,} of {part.total:,}{note}"


def _time_left(view: SweepView) -> str:
    """about 2 minutes, from what was read since the sweep began; empty where that says nothing yet."""
    began, read = view.sweep.begun_at, sum(p.total - p.left for p in view.parts)
    if began is None or read < 20 or any(p.state is Part.QUEUED for p in view.parts):
        return ""
    left = (view.now - began) * sum(p.left for p in view.parts if p.state is Part.RUNNING) / read
    if left > timedelta(minutes=90):
        return f"about {words.some(round(left / timedelta(hours=1)), 'hour')}"
    if left > timedelta(seconds=50):
        return f"about {words.some(max(1, round(left / timedelta(minutes=1))), 'minute')}"
    return "less than a minute" if left else ""


def _whose(view: SweepView) -> list[Any]:
    sweep = view.sweep
    names = [kit.clip(p.alias, 24) or p.account for p in view.parts]
    shown = ", ".join(names[: words.NAMES_OF_MANY])
    more = f" and {len(names) - words.NAMES_OF_MANY} more" if len(names) > words.NAMES_OF_MANY else ""
    listed = f"{words.some(len(names), 'account')}: {shown}{more}" if len(names) > 1 else view.what
    asked = "Scheduled by" if sweep.schedule_id else "Asked by"
    return [
        kit.plain(listed[:1].upper() + listed[1:]),
        kit.fixed(f"{asked} <@{sweep.user}>, {kit.token(sweep.created_at)}"),
        kit.plain(f"{view.window_days}-day window. A sweep changes nothing."),
    ]


# -- without a result ------------------------------------------------------------------------------------------------


def _failed(view: SweepView) -> Message:
    failure = (
        view.sweep.failure or next((p.failure for p in view.parts if p.failure), None) or Failure("unknown")
    )
    why = because(failure)
    head = "no account could be read: " if view.parts else ""
    command = f"/iam-audit sweep{f' account={view.sweep.asked}' if view.sweep.asked else ''}"
    blocks = [
        kit.header(f"No result for the sweep of {view.what}"),
        kit.rich(
            kit.section(
                kit.emoji("warning"),
                kit.text(" Failed", bold=True),
                kit.text(f" · {head}{why}\nNothing is known either way, and nothing was changed."),
            )
        ),
        kit.context(*_whose(view)),
        kit.rich(
            kit.section(
                kit.text("What helps: ", bold=True),
                kit.text(f"{_helps(failure)} Then type "),
                kit.code(command),
                kit.text("."),
            )
        ),
    ]
    text = f"Sweep of {view.what} failed: {head}{why}. Nothing is known and nothing was changed."
    return Message(text, blocks)


def because(failure: Failure) -> str:
    """Why an account or an entity was not read."""
    match failure.code:
        case "refused" if failure.call == "sts:AssumeRole":
            role = failure.role.rpartition("/")[2]
            return (
                f"AWS refused to let the bot in (sts:AssumeRole of {kit.clip(role, 64) or 'the read role'})"
            )
        case "refused":
            return f"AWS refused {failure.call}"
        case "unreachable":
            return f"AWS gave no answer to {failure.call}"
        case "invalid" if failure.call == "account":
            return kit.clip(failure.message, 120)
        case _:
            return _BECAUSE.get(failure.code) or words.because(failure, "it", None)


_BECAUSE = {
    "forbidden": "the person who asked for it may not audit",
    "throttled": "AWS kept limiting the rate",
    "expired": "the bot’s credentials ended in the middle, again and again",
    "stuck": "AWS did not finish the report in time",
    "report_failed": "AWS ended the report as failed",
    "worker_lost": "the process that read it went away again and again",
    "recreated": "deleted and created again meanwhile; the next sweep reads the new one",
    "unexpected": "something went wrong inside IAM Audit; its log says what",
}


def _helps(failure: Failure) -> str:
    match failure.code:
        case "refused":
            return "an AWS administrator allows it; python bot.py check says when it works."
        case "forbidden":
            return "somebody who may audit asks for it; /iam-audit whoami says who."
        case "invalid":
            return "/iam-audit accounts lists the accounts there are."
        case "throttled":
            return "waiting: other tools in the account share the same limit."
        case _:
            return "trying again; python bot.py check says what the bot can reach."


# -- with a result ---------------------------------------------------------------------------------------------------


def _ended(view: SweepView) -> Message:
    sweep, totals, row = view.sweep, view.totals, view.sweep.id
    of = f"{totals.entities:,}" if sweep.state is SweepState.DONE else f"{totals.entities:,} entities read"
    some = f"{totals.with_some:,} of {of}"
    tail = "have services that could go" if totals.with_some != 1 else "has services that could go"
    title = f"{some} entities {tail}" if sweep.state is SweepState.DONE else f"{some} {tail}"
    blocks: list[Any] = [
        kit.header(title),
        kit.rich(_state(view)),
        *([kit.rich(kit.bullets(_unread(view)))] if sweep.state is SweepState.PARTIAL else []),
        kit.context(*_whose(view)),
    ]
    if view.worst:
        shown = f" · {min(SHOWN, len(view.worst))} of {totals.with_some:,}, all are in the CSV"
        blocks += [
            kit.rich(kit.section(kit.text("Most risk to take away", bold=True), kit.text(shown))),
            _table(view),
        ]
    if view.read:
        picks = [
            kit.type_ahead("sweep.audit", "Show the audit of…"),
            kit.type_ahead("sweep.ticket", "Open a ticket for…"),
        ]
        export = kit.button("Export CSV", "sweep.export", row)
        blocks.append(kit.actions(*picks, export, block_id=f"sweep:{row}:{sweep.revision}"))
    if note := _note(view):
        blocks.append(kit.small(note))
    return Message(_spoken(view), blocks)


def _state(view: SweepView) -> Any:
    sweep, totals = view.sweep, view.totals
    parts: list[Any]
    unknown = f"About those {view.unread:,} nothing is known: they are not “clean”." if view.unread else ""
    at = [kit.date(sweep.ended_at, time=True)] if sweep.ended_at else []
    if sweep.state is SweepState.CANCELLED:
        parts = [kit.emoji("no_entry"), kit.text(" Stopped", bold=True)]
        parts += [kit.text(" by "), kit.person(sweep.by)] if sweep.by else []
        not_read = (
            f"{view.unread:,} of {view.total:,} entities were not read"
            if view.total
            else "nobody was listed yet"
        )
        return kit.section(*parts, kit.text(f", {not_read}\n{unknown}".rstrip()))
    if sweep.state is SweepState.PARTIAL:
        silent = sum(p.state is Part.FAILED and not p.total for p in view.parts)
        said = [words.some(view.unread, "entity was", "entities were") + " not read"] if view.unread else []
        said += [words.some(silent, "account") + " could not be listed at all"] if silent else []
        said += [_UNSURE] if any(p.is_unsure for p in view.parts) else []
        parts = [
            kit.emoji("warning"),
            kit.text(" Partial", bold=True),
            kit.text(f", {' and '.join(said)} · "),
            *at,
        ]
        more = unknown or "About who is in there nothing is known: that is not “clean”."
        return kit.section(*parts, kit.text(f"\n{more}"))
    parts = [
        kit.emoji("white_check_mark"),
        kit.text(" Done", bold=True),
        kit.text(", everything read · "),
        *at,
    ]
    idle = f" {_idle(totals)}." if totals.idle else ""
    told = f"{words.some(totals.could_go, 'service')} could go in all.{idle}"
    return kit.section(*parts, kit.text(f"\n{told}"))


_UNSURE = "not certain whose the reports are"


def _idle(totals: Totals) -> str:
    return f"{words.some(totals.idle, 'role or user', 'roles and users')} used nothing in the window"


def _unread(view: SweepView) -> list[Any]:
    """A line an account that was not read to its end, with why."""
    silent = [p for p in view.parts if p.failure or p.failed]
    lines = [_line(view, p) for p in silent[:_REASONS]]
    if left := len(silent) - _REASONS:
        lines += (
            [kit.section(kit.text(f"{words.some(left, 'more account')}, in the CSV"))] if left > 0 else []
        )
    return lines


def _line(view: SweepView, part: SweptAccount) -> Any:
    name = words.account_name(Account(part.account, kit.clip(part.alias, 24)))
    if part.failure:
        unread = words.some(part.left + part.failed, "entity", "entities")
        count = "nobody is listed" if not part.total else _UNSURE if part.is_unsure else unread
        return kit.section(kit.text(f"{name}, {count}: ", bold=True), kit.text(because(part.failure)))
    mine = [(e, f) for e, f in view.failures if e.account == part.account]
    reasons = sorted({because(f) for _, f in mine})
    names = words.listed([kit.clip(e.name, 40) for e, _ in mine][:4], "in the CSV")
    names += f" and {part.failed - 4:,} more in the CSV" if part.failed > 4 else ""
    count = words.some(part.failed, "entity", "entities")
    return kit.section(
        kit.text(f"{name}, {count}: ", bold=True), kit.text(f"{names} ({'; '.join(reasons[:2])})")
    )


def _table(view: SweepView) -> kit.Json:
    alias = {p.account: p.alias for p in view.parts}
    rows = [
        (
            kit.cell(e.name, 48),
            kit.cell(e.kind.value),
            kit.cell(alias.get(e.account) or e.account, 24),
            kit.number(s.could_go),
            kit.number(s.granted),
            kit.number(s.used),
        )
        for e, s in view.worst[:SHOWN]
    ]
    heads = ("Entity", "Kind", "Account", "Could go", "Granted", "Used")
    return kit.table(heads, rows, (kit.WIDE, kit.WIDE, kit.WIDE, kit.RIGHT, kit.RIGHT, kit.RIGHT))


def _note(view: SweepView) -> str:
    totals, parts = view.totals, []
    if view.sweep.state is SweepState.PARTIAL:
        return "The next sweep tries them again. What AWS refuses, an AWS administrator can allow before."
    if totals.protected:
        parts.append(f"{totals.protected:,} service-linked and protected ones")
    if totals.young:
        parts.append(f"{totals.young:,} that are too young")
    if totals.whole:
        parts.append(f"{totals.whole:,} kept whole")
    gone = sum(p.gone for p in view.parts)
    left = f"Left out: {', '.join(parts)}. " if parts else ""
    deleted = f"{words.some(gone, 'entity was', 'entities were')} deleted meanwhile. " if gone else ""
    return f"{left}{deleted}Young reports came from the store.".strip()


def _spoken(view: SweepView) -> str:
    sweep, totals = view.sweep, view.totals
    some = f"{totals.with_some:,} of them have services that could go, {totals.could_go:,} in all"
    worst = ", ".join(f"{kit.clip(e.name, 64)} {s.could_go}" for e, s in view.worst[:3])
    tail = f" Most risk in: {worst}." if worst else ""
    if sweep.state is SweepState.CANCELLED:
        return f"Sweep of {view.what} was stopped after {view.read:,} of {view.total:,} entities. {some}."
    if sweep.state is SweepState.PARTIAL:
        silent = [p for p in view.parts if p.state is Part.FAILED]
        names = _names([words.account_name(Account(p.account, p.alias)) for p in silent])
        could = f" {names} could not be read." if silent else ""
        return f"Sweep of {view.what} is partial: {view.read:,} of {view.total:,} entities read.{could} {some}.{tail}"
    idle = f"; {_idle(totals)}" if totals.idle else ""
    return f"Sweep of {view.what} is done: {words.some(view.read, 'entity', 'entities')} read. {some}{idle}.{tail}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
