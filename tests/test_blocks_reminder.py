"""handlers.blocks.reminder: one message, however much waits; no stranger's word is markup, and Slack takes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from advisor.core.home import HomeView, Place, Reader, TicketLine
from advisor.core.model import Account
from advisor.core.reminders import About, Unreached
from advisor.core.removal import TicketState
from handlers.blocks import reminder
from handlers.blocks.home_lines import Page
from handlers.blocks.reminder import MOST, ReminderView
from tests.drawn import nodes, safe
from tests.sandbox.slack import limits
from tests.scenarios.stage import words
from tests.views import ALIAS, HOSTILE, LONG
from tests.worlds import ACCOUNT, NOW, entity

CARD = Place("C0SECURITY1", "1795600000.000100")
LINK = "https://example.slack.com/archives/C0SECURITY1/p1795600000000100"
LOST = tuple(
    Unreached(f"U0LOST{n:04}", why, NOW)
    for n, why in enumerate(("deactivated", "bot", "foreign", "guest", "unknown", *["unknown"] * 9))
)


def line(number: int, name: str = "db-backup", state: TicketState = TicketState.OPEN) -> TicketLine:
    week = timedelta(days=7)
    return TicketLine(number, state, entity(name=name), NOW, NOW + week, services=6, granted=11, card=CARD)


def view(name: str, each: int = 2) -> ReminderView:
    """`each` tickets in each list."""
    ids = {about: tuple(range(100 * n, 100 * n + each)) for n, about in enumerate(About, 1)}
    found = {i: line(i, name) for numbers in ids.values() for i in numbers[:MOST]}
    home = HomeView(Reader("U0CAROL0001"), NOW, needed=2, known=(Account(ACCOUNT, "prod"),))
    unreached = dict.fromkeys(ids[About.UNREACHED], LOST)
    return ReminderView(Page(home, {CARD: LINK}), found, ids, unreached)


def drawn(of: ReminderView) -> str:
    """What Slack takes and nobody can abuse, as flat text."""
    payload = reminder.reminder(of).payload()
    assert limits.check_message(payload) == []
    safe(payload)
    assert not set("<>") & set(payload["text"])
    for node in nodes(payload["blocks"]):
        assert node.get("url") in {None, LINK}
        if "action_id" in node:
            assert node["action_id"] == f"home.ticket.{node['value']}"
    return " ".join(words(payload).split())


@pytest.mark.parametrize("each", [0, 1, 2, MOST, MOST + 1, 1000])
@pytest.mark.parametrize(
    "name", ["db-backup", HOSTILE, LONG, ALIAS], ids=["plain", "hostile", "long", "alias"]
)
def test_slack_takes_it_whatever_it_holds(name: str, each: int) -> None:
    """Every list, short and endless, with hostile and endless names."""
    told = drawn(view(name, each))
    assert told.count(f"{each - MOST:,} more: /iam-audit tickets lists all.") == (3 if each > MOST else 0)


def test_the_words() -> None:
    """What a person reads, list by list, and what a notification says."""
    of = view("db-backup", 1)
    told = drawn(of)
    for said in (
        "Waiting for you: 1 Waiting for approval, 0 of 2: ticket 100, remove 6 of 11 services from db-backup (role in prod). Until ",
        "Nobody has decided: 1 Waiting for approval, 0 of 2: ticket 200, remove 6 of 11 services from db-backup (role in prod). Until ",
        "You are asked next, and may not decide yourself",
        "Yours, about to expire: 1 Expires ",
        "with 0 of 2 approvals: ticket 300, remove 6 of 11 services from db-backup (role in prod)",
        "Not everybody could be asked Ticket 400: <@U0LOST0000> is deactivated , <@U0LOST0001> is a bot",
        "and 4 more",
        "at most one such message a day",
    ):
        assert said.replace(" , ", ", ") in told.replace(" , ", ", "), said
    assert reminder.reminder(of).text == (
        "Waiting for you: ticket 100; Nobody has decided: ticket 200; Yours, about to expire: ticket 300; "
        "not everybody could be asked about ticket 400."
    )


def test_only_what_there_is() -> None:
    """No empty heading."""
    of = view("db-backup", 1)
    told = drawn(replace(of, about={About.ASK: (100,)}))
    assert "Waiting for you" in told
    assert "expire" not in told
    assert "Not everybody" not in told
    stuck = replace(
        of, tickets={200: line(200, state=TicketState.NEEDS_HUMAN)}, about={About.ESCALATED: (200,)}
    )
    assert "Needs a person: ticket 200, stopped half way" in drawn(stuck)
    assert "It was stopped" in drawn(stuck)
