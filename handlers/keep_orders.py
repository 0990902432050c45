"""`keep end N` and the button of App Home that does the same: who may, asked of Slack afresh; then the row. Decided like orders of digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor import decisions
from advisor.core.digest import Order
from advisor.core.lifecycle import Person

if TYPE_CHECKING:
    from handlers.digest_work import DigestWork

VERB = "keep.end"
ENDED = "ended:"


def end(work: DigestWork, order: Order, word: str) -> str | None:
    """End a keep before its day, by its entity's owner or an approver."""
    store = work.desk.store
    keep = store.keeps.get(order.row_id)
    entity = store.entities.get(keep.entity_id) if keep else None
    problem = work.may_keep(order.user, word, entity) if entity else word
    if problem not in {"", "auditor", "not_owner"}:
        return problem
    with store.transaction():
        person = Person(owner=problem == "")
        work.answer(order, decisions.end_keep(work.desk, order.row_id, order.user, person) or ENDED)
    return None


def answer(work: DigestWork, order: Order, outcome: str) -> None:
    """Say it to this person; in the transaction that settles the order."""
    work.desk.store.outbox.add(
        "ephemeral",
        "keep.ended",
        order.row_id,
        channel=order.channel,
        user=order.user,
        now=work.desk.clock(),
        detail={"why": "" if outcome == ENDED else outcome},
    )
