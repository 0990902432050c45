"""`log export`: who may, asked of Slack afresh; then the whole log by direct message. Decided like orders of digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.core.digest import Order

if TYPE_CHECKING:
    from handlers.digest_work import DigestWork

VERB = "log.export"
EXPORTED = "exported:"


def export(work: DigestWork, order: Order, word: str) -> str:
    """Admins may."""
    if word not in {"", "auditor"}:
        return word
    return EXPORTED if work.people.admin(order.user) else "admin"


def answer(work: DigestWork, order: Order, outcome: str) -> None:
    """The file, or why there is none; every try is in the log. In the transaction that settles the order."""
    store, now, user = work.desk.store, work.desk.clock(), order.user
    store.log.add(user, VERB if outcome == EXPORTED else f"{VERB}.refused", "log", now)
    if outcome != EXPORTED:
        detail = {"why": outcome}
        store.outbox.add("ephemeral", "refused", 0, channel=order.channel, user=user, now=now, detail=detail)
        return
    parent = store.outbox.add("post", "log.export", 0, channel=user, user=user, now=now)
    store.outbox.add("upload", "log.files", 0, channel=user, user=user, now=now, parent_id=parent)
