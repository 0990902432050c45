"""Tickets ask again: goes through everybody once an hour, then looks at each person when something is due to them.

What is due stands in tables, so a restart loses nothing and says nothing twice. Knows nothing of Slack: who people are is
an argument.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from advisor.core import reminders as core
from advisor.core.reminders import About, Audience, Rules, Say, Wait
from advisor.desk import Desk
from advisor.edges.schedule import known

log = logging.getLogger(__name__)

LANE = "reminders"

EVERY = timedelta(hours=1)
"""How often everybody is gone through: settings, groups, tickets and zones change."""


def rules(desk: Desk) -> Rules:
    """The settings of now."""
    config = desk.config
    return Rules(
        again=timedelta(hours=config.iam_audit_remind_hours),
        escalate=timedelta(hours=config.iam_audit_escalate_hours),
        quiet=core.quiet(config.iam_audit_quiet),
        self_approval=config.iam_audit_self_approval,
    )


def go_through(desk: Desk, approvers: Collection[str], next_in_line: Collection[str]) -> None:
    """Find out for everybody whom a ticket concerns when something is due to them, by the zone that they had last.

    Whose zone is not known is looked at an hour after something begins to wait on them, to learn it.
    """
    store, now = desk.store.reminders, desk.clock()
    tickets, found = store.waiting(), {}
    if tickets:
        heard, zones, by = store.heard(), store.zones(), rules(desk)
        people = {*approvers, *next_in_line, *(r for t in tickets for r in t.requesters)}
        for user in sorted(people):
            zone = ZoneInfo(zones[user]) if known(zones.get(user, "")) else UTC
            who = Audience(user, zone, user in approvers, user in next_in_line)
            decided = core.decide(tickets, who, by, heard.get(user, ()), now)
            if decided is None:
                continue
            found[user] = decided.until if isinstance(decided, Wait) else now
            if user not in zones and user not in heard:
                begun = min(t.since for t in tickets if core.concerns((t,), who, by))
                found[user] = max(now, begun + EVERY)
    store.round(now, now + EVERY, found)


def look(desk: Desk, who: Audience, zone: str) -> None:
    """Tell one person what is due to them, in one message, or find out when to look again."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        store.reminders.reached(who.user)
        tickets, heard = store.reminders.waiting(), store.reminders.heard(who.user)
        decided = core.decide(tickets, who, rules(desk), heard.get(who.user, ()), now)
        store.reminders.looked(who.user, decided.until if isinstance(decided, Wait) else None, zone=zone)
        if not isinstance(decided, Say):
            return
        day = now.astimezone(who.zone).date()
        made = store.reminders.say(who.user, now, day, decided.lines)
        if made is None:
            return
        notice = store.outbox.add("post", "reminder", made, channel=who.user, user=who.user, now=now)
        store.reminders.noticed(made, notice)
    log.info("reminder.said user=%s lines=%d", who.user, len(decided.lines))


def skip(desk: Desk, who: Audience, why: str, zone: str) -> None:
    """This person cannot be reached: those who asked for the tickets that wait on them are told."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        tickets, heard = store.reminders.waiting(), store.reminders.heard(who.user)
        decided = core.decide(tickets, who, rules(desk), heard.get(who.user, ()), now)
        lines = decided.lines if isinstance(decided, Say) else ()
        asked = [line.ticket for line in lines if line.about in {About.ASK, About.ESCALATED}]
        store.reminders.not_reached(who.user, why, asked, now)
        store.reminders.looked(who.user, decided.until if isinstance(decided, Wait) else None, zone=zone)
    if asked:
        log.info("reminder.unreached user=%s why=%s tickets=%d", who.user, why, len(asked))
