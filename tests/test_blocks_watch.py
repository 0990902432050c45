"""handlers.blocks.ticket_watch: within Slack's limits, inert, and honest about what is not known, whatever was denied."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from advisor.core.removal import TicketState
from advisor.core.replay import Gap
from advisor.core.watch import Cause, Hit, Seen, Watch
from advisor.watches import LIVES
from handlers.blocks import ticket, ticket_form, ticket_watch
from handlers.blocks.kit import Message
from handlers.blocks.ticket_view import TicketView
from tests.drawn import safe
from tests.sandbox.slack import limits
from tests.scenarios.stage import words
from tests.ticket_views import CARDS, PLANS, _without_groups, approved, opened
from tests.views import HOSTILE, LONG
from tests.worlds import ACCOUNT, NOW

S = TicketState
WATCH = Watch(12, ACCOUNT, ("r",), NOW, NOW + timedelta(days=14), NOW + timedelta(days=1))


def hit(n: int = 1, text: str = "", **more: Any) -> Hit:
    name = text or f"svc{n:03}"
    values = {
        "principal": f"arn:aws:iam::{ACCOUNT}:role/{text or 'DBAdminRole'}",
        "actions": (f"{name}:Describe{n}",),
        "things": (name,),
        "cause": Cause.CHANGE,
        "first": NOW - timedelta(hours=n),
        "last": NOW,
        "count": n,
        "sessions": (text or "nightly",),
        "region": text or "eu-north-1",
        "policy": text,
        "id": n,
    }
    return Hit(**(values | more))  # type: ignore[arg-type]


def checked(message: Message) -> str:
    """A message that Slack takes and nobody can abuse, as a reader sees it."""
    payload = message.payload()
    assert limits.check_message(copy.deepcopy(payload)) == []
    safe(_without_groups(payload))
    assert not set("<>") & set(payload["text"])
    return words(payload)


def viewed(name: str, state: TicketState = S.APPLIED, text: str = "", **more: Any) -> TicketView:
    return opened(PLANS[name], state, text, view={"watch": WATCH, "approvals": approved(), **more})


@pytest.mark.parametrize("state", [S.APPLIED, S.HELD, S.ROLLING_BACK, S.NEEDS_HUMAN])
@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("text", ["", HOSTILE, LONG])
def test_any_denial_can_be_told(name: str, state: TicketState, text: str) -> None:
    """One, and a hundred of every cause; buttons only where they can have an effect."""
    view = viewed(name, state, text)
    one = hit(text=text)
    many = [hit(n, text, cause=list(Cause)[n % 3], things=(f"{text[:9]}{n % 7}",)) for n in range(1, 101)]
    for hits in ([one], many):
        message = ticket_watch.denied(view, hits)
        checked(message)
        ids = [
            e["action_id"]
            for b in message.payload()["blocks"]
            if b["type"] == "actions"
            for e in b["elements"]
        ]
        offered = min(len(hits), ticket_watch.BUTTONS) if state in {S.APPLIED, S.HELD} else 0
        assert ids.count("ticket.giveback") == offered
    checked(ticket_watch.asked(view, "U0DAVE00001", one.things, one))
    checked(ticket_watch.asked_for(view, one.things))


@pytest.mark.parametrize(
    ("cause", "policy", "says"),
    [
        (
            Cause.HOLD,
            "arn:aws:iam::1:policy/h",
            "the hold of this ticket denied it: AWS names its policy, arn:aws",
        ),
        (Cause.HOLD, "", "as far as can be told: AWS says “explicit deny in an identity-based policy”"),
        (Cause.CHANGE, "", "AWS says that no identity-based policy allows it"),
        (Cause.UNSAID, "", "AWS does not say what denied it"),
    ],
)
def test_on_what_it_rests(cause: Cause, policy: str, says: str) -> None:
    said = checked(ticket_watch.denied(viewed("small", S.HELD), [hit(cause=cause, policy=policy)]))
    assert says in said


@pytest.mark.parametrize("text", ["", HOSTILE, LONG])
@pytest.mark.parametrize(
    ("seen", "says", "never"),
    [
        (Seen(regions=("eu-north-1",)), "no denied call seen", "Not asked"),
        (
            Seen("cloudtrail:LookupEvents"),
            "Not asked: cloudtrail:LookupEvents is not allowed",
            "no denied call",
        ),
        (
            Seen(gaps=(Gap("us-east-1", 3, "time"),)),
            "3 questions of us-east-1 (the time for it was over)",
            "Not asked",
        ),
        (Seen(all_regions=False), "Regions where Access Advisor did not see it", "Not asked"),
    ],
)
def test_the_end_says_what_was_not_seen(text: str, seen: Seen, says: str, never: str) -> None:
    message = ticket_watch.ended(viewed("small", text=text, watch=replace(WATCH, seen=seen)))
    said = checked(message)
    assert says in said
    assert never not in said + message.text
    assert "Not seen: data events" in said


@pytest.mark.parametrize("text", ["", HOSTILE, LONG])
def test_forms(text: str) -> None:
    """Not needed, and a roll back with what was denied chosen."""
    view = viewed("small", text=text, hits=tuple(hit(n, text, said_at=NOW) for n in range(1, 20)))
    for form in (ticket_watch.not_needed(view), ticket_form.roll_back(view)):
        assert limits.check_view(copy.deepcopy(form)) == []
        safe(form)


@pytest.mark.parametrize("text", ["", HOSTILE])
def test_a_card_with_it_stays_within_one_screen(text: str) -> None:
    """Whatever else it says."""
    hits = tuple(hit(n, text) for n in range(1, 6))
    for name, view in CARDS.items():
        if view.ticket.state in LIVES:
            blocks = ticket.card(replace(view, watch=WATCH, hits=hits)).payload()["blocks"]
            assert len(blocks) <= 11, name
            assert ticket._weight(blocks) < 1600, name


def test_the_card_has_one_line_of_it() -> None:
    quiet = viewed("small")
    assert ticket_watch.line(quiet) == "Watching for denied calls until 8 Dec 2026"
    assert ticket_watch.line(replace(quiet, watch=None)) == ""
    assert ticket_watch.line(replace(quiet, watch=replace(WATCH, ended_at=NOW))) == ""
    hurt = replace(quiet, hits=tuple(hit(n) for n in range(1, 6)))
    assert ticket_watch.line(hurt) == (
        "Denied since: svc001:Describe1 1 time, svc002:Describe2 2 times, svc003:Describe3 3 times and 2 more"
    )
