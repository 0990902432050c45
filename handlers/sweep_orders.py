"""Scheduled sweeps: who may make or end one, asked of Slack afresh; then the row. Decided like orders of digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor import sweeps
from advisor.core.digest import Order
from advisor.core.errors import AwsError
from advisor.core.estate import ALL, Schedule

if TYPE_CHECKING:
    from handlers.digest_work import DigestWork

SWEEP = "sweep"


def make(work: DigestWork, order: Order, word: str) -> str | None:
    """A weekly sweep with a card in a channel, by one of its members."""
    asked = str(order.words.get("account") or "")
    wanted = work.wanted(order)
    problem = word or work.why_not_there(wanted.channel, order.user) or _unknown(work, asked)
    if problem:
        return problem
    with work.desk.store.transaction():
        made = sweeps.schedule(work.desk, order.user, wanted, asked)
        work.answer(order, f"made:{made}")
    return None


def off(work: DigestWork, order: Order, word: str) -> str | None:
    """End one: the one that a button names, or the only one of this person's in the channel."""
    named = work.desk.store.schedules.get(order.row_id) if order.row_id else None
    mine = [named] if named and named.what == SWEEP else work.mine(order.user, word, order.channel, SWEEP)
    if len(mine) > 1:
        return "which:"
    if not mine:
        return word if word not in {"", "auditor"} else "none"
    schedule: Schedule = mine[0]
    problem = work.may_change(order.user, word, schedule)
    if problem:
        return problem
    with work.desk.store.transaction():
        ended = sweeps.unschedule(work.desk, schedule.id, order.user)
        work.answer(order, f"off:{schedule.id}" if ended else "ended")
    return None


def _unknown(work: DigestWork, asked: str) -> str:
    """An account that nobody knows."""
    if asked in {"", ALL}:
        return ""
    try:
        known = work.desk.aws.accounts()
    except AwsError:
        return "silent"
    return "" if any(a.matches(asked) for a in known) else f"no_account:{asked}"
