"""handlers.blocks.ticket: every card within one screen, no stranger's word ever markup, and buttons only where they can act."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.core.lifecycle import ENDED
from advisor.core.removal import TicketState as S
from handlers.blocks import ticket
from tests.drawn import nodes, strings, weight
from tests.ticket_views import CARDS, IDS, REASON, checked

CHANGING = IDS - {"ticket.diff", "ticket.replan"}


def buttons(payload: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By action id."""
    found = [n for n in nodes(payload) if n.get("type") == "button"]
    assert len({b["action_id"] for b in found}) == len(found)
    return {b["action_id"]: b for b in found}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_every_state_fits_one_screen(name: str) -> None:
    """Under 1,600 characters and at most 11 blocks; limits hold, strangers' words are inert."""
    payload = checked(ticket.card(CARDS[name]))
    assert len(payload["blocks"]) <= 11
    assert weight(payload["blocks"]) < 1600
    assert "EVIL" not in str([n for n in nodes(payload) if n.get("type") == "mrkdwn"])


@pytest.mark.parametrize("name", CARDS)
def test_the_plain_form_of_every_card_has_its_buttons(name: str) -> None:
    """What is sent when Slack refuses the full one."""
    full, short = ticket.card(CARDS[name]), ticket.minimal(CARDS[name])
    payload = checked(short)
    assert len(payload["blocks"]) <= 4
    assert payload["text"] == full.payload()["text"]
    assert list(buttons(payload)) == list(buttons(full.payload()))


@pytest.mark.parametrize("name", CARDS)
def test_the_spoken_text_says_the_whole_result(name: str) -> None:
    """About 260 characters; names the entity, never a reason, tag or path."""
    view = CARDS[name]
    text = ticket.card(view).text
    assert text.startswith("Ticket 12 ")
    assert view.name in text
    assert view.ticket.reason not in text
    assert not view.owner_tag or view.owner_tag[:80] not in text
    assert view.entity.path in {"/"} or view.entity.path not in text
    if "hostile" not in name and "asked" not in name and "long" not in name:
        assert len(text) <= 290


@pytest.mark.parametrize("name", CARDS)
def test_an_account_never_stands_without_its_number(name: str) -> None:
    """An alias is untrusted."""
    assert CARDS[name].account.id in " ".join(strings(ticket.card(CARDS[name]).payload()["blocks"]))


@pytest.mark.parametrize("name", CARDS)
def test_buttons_follow_the_state(name: str) -> None:
    """An ended ticket has none that could change it; one primary; red only where a click leads to a write."""
    view = CARDS[name]
    found = buttons(ticket.card(view).payload())
    state = view.ticket.state
    assert "ticket.diff" in found
    if state in ENDED:
        assert not CHANGING & set(found)
    assert ("ticket.approve" in found) is (state is S.OPEN and not view.ticket.advice)
    assert sum(b.get("style") == "primary" for b in found.values()) <= 1
    red = {i for i, b in found.items() if b.get("style") == "danger"}
    assert red <= {"ticket.retry", "ticket.rollback"}
    for action in {"ticket.approve", "ticket.cancel", "ticket.retry"} & set(found):
        assert found[action]["confirm"]["text"]["type"] == "plain_text"
    for action in {"ticket.reject", "ticket.keep", "ticket.rollback", "ticket.replan"} & set(found):
        assert "confirm" not in found[action]
        assert found[action]["text"]["text"].endswith("…")
    if "ticket.approve" in found:
        last = len(view.approvals) + 1 >= view.needed
        assert (found["ticket.approve"]["confirm"].get("style") == "danger") is last


@pytest.mark.parametrize("name", CARDS)
def test_the_emergency_light_is_for_one_state(name: str) -> None:
    """🚨 is used for nothing else."""
    lit = {n["name"] for n in nodes(ticket.card(CARDS[name]).payload()) if n.get("type") == "emoji"}
    assert ("rotating_light" in lit) is (CARDS[name].ticket.state is S.NEEDS_HUMAN)


def drawn(payload: Any) -> list[str]:
    """A card in lines, as a person reads it."""
    out: list[str] = []
    for block in payload["blocks"]:
        if block["type"] == "rich_text":
            for part in block["elements"]:
                lines = part["elements"] if part["type"] == "rich_text_list" else [part]
                mark = {"rich_text_list": "* ", "rich_text_quote": "> "}.get(part["type"], "")
                out += [mark + "".join(map(_leaf, line["elements"])) for line in lines]
        elif block["type"] == "context":
            out.append("~ " + " | ".join(e["text"] for e in block["elements"]))
        elif block["type"] == "actions":
            out.append(" ".join(f"[{b['text']['text']}]" for b in block["elements"]))
        else:
            out.append("# " + block["text"]["text"])
    return out


def _leaf(leaf: dict[str, Any]) -> str:
    match leaf["type"]:
        case "emoji":
            return f":{leaf['name']}:"
        case "date":
            return str(leaf["fallback"])
        case "user":
            return f"@{leaf['user_id']}"
        case "usergroup":
            return f"@{leaf['usergroup_id']}"
        case _:
            return str(leaf["text"])
