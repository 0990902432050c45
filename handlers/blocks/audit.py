"""The audit card by its state; what a finished one says stands in `result`. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from advisor.core.model import (
    RequestState,
)
from handlers.blocks import kit, result, words
from handlers.blocks.kit import Message, Part
from handlers.blocks.view import AuditView, refresh, whose

SLOW = timedelta(minutes=1)
"""From then on a card says that it takes long, and why."""


def card(view: AuditView) -> Message:
    """The card of a request, by its state."""
    match view.request.state:
        case RequestState.DONE if view.report:
            return result.done(view)
        case RequestState.FAILED:
            return _failed(view)
        case RequestState.DONE:
            return _not_kept(view)
        case _:
            return _under_way(view)


def _not_kept(view: AuditView) -> Message:
    """A card whose result is older than what is kept."""
    line = "Its result is older than what is kept. Refresh asks AWS for a new one."
    blocks = [
        kit.header(f"{view.name}: no result is kept"),
        kit.rich(kit.section(kit.text(line))),
        kit.actions(refresh(view), kit.button("History", "audit.history", view.request.id)),
        kit.context(*whose(view)),
    ]
    return Message(f"{view.name} {view.where}: {line}", blocks)


def minimal(view: AuditView) -> Message:
    """The card in plain words, for a Slack that refuses the full one."""
    if view.request.state is not RequestState.DONE or not view.report:
        full = card(view)
        return Message(full.text, [kit.rich(kit.section(kit.text(full.text)))])
    line = result.headline(view) + ". " + ", ".join(result.counts(view)) + "."
    blocks = [
        kit.rich(kit.section(kit.text(line))),
        kit.actions(kit.button("Export CSV", "audit.export", view.request.id), refresh(view)),
        kit.small("Slack refused the full card, so this is the short one. The CSV has everything."),
    ]
    return Message(result.fallback(view), blocks)


# -- under way -----------------------------------------------------------------------------------------------


def _under_way(view: AuditView) -> Message:
    word, note = _progress(view)
    title = f"Auditing {view.name}…"
    blocks: list[Any] = [
        kit.header(title),
        kit.rich(
            kit.section(
                kit.emoji("hourglass_flowing_sand"), kit.text(f" {word}", bold=True), kit.text(f" · {note}")
            )
        ),
    ]
    if view.waiting_for_rate and view.gives_up_at:
        blocks.append(
            kit.words(
                "You need not ask again. If there is no report by "
                f"{kit.token(view.gives_up_at, '{time}')}, this card says so and offers a retry."
            )
        )
    blocks.append(
        kit.context(*whose(view), kit.plain("This card becomes the result. An audit changes nothing."))
    )
    return Message(
        f"Auditing {view.name} {view.where}: {word.lower()}, {note}. This message becomes the result.", blocks
    )


def _progress(view: AuditView) -> tuple[str, str]:
    age = view.now - view.request.created_at
    if view.waiting_for_rate or (age > SLOW and view.request.state is RequestState.RUNNING):
        minutes = words.some(max(1, int(age.total_seconds() // 60)), "minute")
        note = (
            "AWS is limiting the rate; the bot waits and tries again"
            if view.waiting_for_rate
            else "AWS still builds the report"
        )
        return f"Running for {minutes}", note
    if view.request.state is RequestState.RUNNING:
        return "Running", "AWS is building the report, usually 2 to 10 seconds"
    if view.entity is None:
        return "Queued", "looking for it in AWS"
    if view.ahead:
        return "Queued", f"{words.some(view.ahead, 'audit')} ahead of it in this account"
    return "Queued", "the report is asked for now"


# -- failed --------------------------------------------------------------------------------------------------


def _failed(view: AuditView) -> Message:
    failure = view.request.failure
    assert failure is not None  # the state FAILED is only ever written with one
    reason = words.because(failure, view.name, view.account if view.account.id else None)
    help_line: list[Part] = [kit.text("What helps: ", bold=True), kit.text(words.helps(failure))]
    if view.last_good_at:
        help_line += [
            kit.text(" The last good report is of "),
            kit.date(view.last_good_at),
            kit.text(": see History."),
        ]
    told: list[Any] = [kit.section(*help_line)]
    if failure.code == "refused" and failure.call.count(":"):
        on = f"on {view.entity.arn}" if view.entity else ""
        whom = f"refused to {failure.role}" if failure.role else on
        told.append(kit.preformatted("\n".join(line for line in (failure.call, whom) if line)))
    elif failure.message and failure.code in {"report_failed", "invalid", "throttled", "unreachable"}:
        told += [kit.section(kit.text("AWS’s own words:")), kit.quote(failure.message)]
    buttons = [kit.button("Retry", "audit.retry", view.request.id, style="primary")]
    if view.entity:
        buttons.append(kit.button("History", "audit.history", view.request.id))
    note = f"Audit {view.request.id}" + (f", AWS request {failure.request_id}" if failure.request_id else "")
    note += f", tried {words.some(failure.tries, 'time')}" if failure.tries > 1 else ""
    blocks = [
        kit.header(f"No result for {view.name}"),
        kit.rich(
            kit.section(
                kit.emoji("warning"),
                kit.text(" Failed", bold=True),
                kit.text(
                    f" · {reason}\nNothing is known either way: this is not “unused”. Nothing was changed."
                ),
            )
        ),
        kit.rich(*told),
        kit.actions(*buttons),
        kit.context(*whose(view), kit.plain(note)),
    ]
    call = f" ({failure.call})" if failure.call and failure.call not in reason else ""
    said = f"No result for {view.name} {view.where}: {reason}{call}. Nothing is known either way and nothing was changed."
    return Message(f"{said} Retry is offered.", blocks)
