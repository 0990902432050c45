"""What AWS said of a ticket's plan: the line on the card, and each answer in the thread. Pure."""

from __future__ import annotations

from typing import Any

from advisor.core.proof import ANALYZER, Answer, Proof, Source
from handlers.blocks import kit, words
from handlers.blocks.kit import Message
from handlers.blocks.ticket_view import TicketView

LEAD = "Proved: "
_NAMES = (("Access Analyzer", ANALYZER), ("IAM’s simulator", frozenset({Source.SIMULATE})))
_SHOWN = 25
_MARK = {True: "agrees", None: "not told", False: "disagrees"}


def line(view: TicketView, *, brief: bool = False) -> str:
    """by 3 of 3: a second evaluator, Access Analyzer, IAM’s simulator; empty where nobody was asked."""
    proof = view.proof
    if proof is None:
        return ""
    agreed = ["a second evaluator", *(n for n, s in _NAMES if proof.of(s))]
    silent = [n for n, s in _NAMES if proof.of(s) is None]
    if brief:
        return f"by {len(agreed)} of {len(_NAMES) + 1}"
    tail = f"; {' and '.join(silent)} did not tell" if silent else ""
    return f"by {len(agreed)} of {len(_NAMES) + 1}: {', '.join(agreed)}{tail}"


def thread(view: TicketView, proof: Proof) -> Message:
    """Each answer, and what was charged for."""
    own = kit.section(
        kit.text("agrees", bold=True), kit.text(" · second evaluator: adds nothing, loses nothing that stays")
    )
    ranked = sorted(proof.answers, key=lambda a: a.agrees is True)  # what was not told first
    shown = ranked[:_SHOWN]
    lines = [own, *(_answer(a) for a in shown)]
    more = len(proof.answers) - len(shown)
    if more:
        lines.append(kit.section(kit.text(f"and {words.some(more, 'more answer')} in the evidence")))
    title = f"Ticket {view.ticket.id}: what AWS says of the new documents, {line(view)}"
    note = (
        f"Asked {kit.minute(proof.at)}. AWS charges for custom policy checks: {proof.charged:,} were made. "
        "The simulator knows neither resource policies nor the conditions that calls come with."
    )
    return Message(
        title, [kit.rich(kit.section(kit.text(title, bold=True)), kit.bullets(lines)), kit.small(note)]
    )


def _answer(answer: Answer) -> Any:
    of = f" of {kit.clip(answer.policy, kit.NAME)}" if answer.policy else ""
    said = f" · {answer.source}{of}: {kit.clip(answer.said, 200)}"
    return kit.section(kit.text(_MARK[answer.agrees], bold=True), kit.text(said))
