"""Tickets for several entities of a digest at once: each is judged first, then all drafts are committed together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from advisor import tickets
from advisor.core.digest import Order
from advisor.core.model import Asked, Entity
from advisor.core.removal import TicketState
from advisor.desk import Desk

if TYPE_CHECKING:
    from handlers.digest_work import DigestWork

_PLAN = timedelta(seconds=1)
"""How often it is looked whether they are planned."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to become of one entity: what its report alone says can go."""

    entity: Entity
    report_id: int
    keys: tuple[str, ...]


def several(work: DigestWork, order: Order, word: str) -> str | None:
    """A draft for each entity; when all are planned, one card lists them."""
    if word:
        return word
    if not order.outcome:
        return _begin(work.desk, order)
    store, now = work.desk.store, work.desk.clock()
    planned = [t for i in json.loads(order.outcome) if (t := store.tickets.get(int(i)))]
    if any(t.state is TicketState.DRAFT for t in planned):
        store.orders.again(order.id, now + _PLAN, failed=False)
        return None
    with store.transaction():
        if store.orders.settle(order.id, order.outcome):
            store.outbox.add(
                "post", "tickets.opened", order.id, channel=order.channel, user=order.user, now=now
            )
    return None


def _begin(desk: Desk, order: Order) -> str | None:
    """Judge each report, which takes its time and may ask AWS who the bot is; then commit every draft at once."""
    named = order.words.get("entities")
    ids = [int(str(e)) for e in named] if isinstance(named, list) else []
    wishes = [w for i in ids if (w := _judged(desk, i))]
    if not wishes:
        return "old"
    store, now = desk.store, desk.clock()
    with store.transaction():
        made = [_draft(desk, order, wish) for wish in wishes]
        store.orders.note(order.id, json.dumps(made))
        store.orders.again(order.id, now + _PLAN, failed=False)
    return None


def _judged(desk: Desk, entity_id: int) -> _Wish | None:
    """None where there is no report (any more)."""
    entity, report_id = desk.store.entities.get(entity_id), desk.store.digests.newest_report(entity_id)
    if entity is None or report_id is None:
        return None
    filled = tickets.form(desk, report_id, desk.config.iam_audit_window_days)
    if filled is None:
        return None
    return _Wish(entity, report_id, tuple(filled.proposed))


def _draft(desk: Desk, order: Order, wish: _Wish) -> int:
    request = serve(desk, wish.entity, wish.report_id, order.user, order.channel)
    return tickets.draft(
        desk,
        request_id=request,
        report_id=wish.report_id,
        user=order.user,
        channel=order.channel,
        reason=str(order.words.get("reason")),
        keys=wish.keys,
    )


def serve(desk: Desk, entity: Entity, report_id: int, user: str, channel: str) -> int:
    """A request that a stored report has answered: what a ticket is opened from."""
    asked = Asked(entity.kind, entity.name, entity.account, days=desk.config.iam_audit_window_days)
    return desk.store.requests.served(user, channel, "digest", asked, desk.clock(), entity.id, report_id)
