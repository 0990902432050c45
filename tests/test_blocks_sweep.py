"""handlers.blocks.sweep: the card of a sweep, within Slack's limits; what was not read is never passed over."""

from __future__ import annotations

import pytest

from handlers.blocks import sweep, sweep_small
from tests.drawn import checked, nodes, strings, weight
from tests.sweep_views import CARDS, QUIET, entity, worst
from tests.views import HOSTILE, PROD


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_every_state_fits_one_screen(name: str) -> None:
    """Under 1,600 characters and at most 10 blocks; limits hold, strangers' words are inert."""
    payload = checked(sweep.card(CARDS[name]))
    assert len(payload["blocks"]) <= 10
    assert weight(payload["blocks"]) < 1600


@pytest.mark.parametrize("name", CARDS)
def test_the_plain_form_says_the_same(name: str) -> None:
    """What is sent when Slack refuses the full one."""
    full, short = sweep.card(CARDS[name]).payload(), checked(sweep.minimal(CARDS[name]))
    assert short["text"] == full["text"]
    assert len(short["blocks"]) <= 2


SAID = [
    ("unlisted", "Queued · finding out who is in them"),
    ("queued", "Queued · finding out who is in them"),
    ("behind", "Queued · behind sweep 76, which reads one of these accounts now"),
    ("running", "Running, 214 of 451 entities read"),
    ("running", "prod 160 of 301 · dev 54 of 150 · 1 account waits its turn"),
    ("running", "3 accounts: prod, dev, data"),
    ("running_one", "Running, 160 of 301 entities read · about 6 minutes to go"),
    ("done", "61 of 503 entities have services that could go"),
    ("done", "318 services could go in all. 9 roles and users used nothing in the window."),
    ("done", "Most risk to take away · 5 of 61, all are in the CSV"),
    ("done", "Left out: 48 service-linked and protected ones, 22 that are too young, 3 kept whole."),
    ("done_one", "Prod (111111111111)"),
    ("nothing", "0 of 503 entities have services that could go"),
    ("partial", "61 of 503 entities read have services that could go"),
    ("partial", "Partial, 1 account could not be listed at all"),
    (
        "partial",
        "data (333333333333), nobody is listed: AWS refused to let the bot in (sts:AssumeRole of iam-audit-read)",
    ),
    ("partial_some", "Partial, 2 entities were not read"),
    ("partial_some", "About those 2 nothing is known: they are not “clean”."),
    ("partial_some", "dev (222222222222), 2 entities: build, deploy (AWS ended the report as failed)"),
    ("cancelled", "289 of 503 entities were not read" if False else "237 of 451 entities were not read"),
    ("cancelled_at_once", "nobody was listed yet"),
    (
        "failed",
        "Failed · no account could be read: AWS refused to let the bot in (sts:AssumeRole of iam-audit-read)",
    ),
    ("failed", "Then type /iam-audit sweep account=all."),
    ("failed_early", "no account x is set"),
    ("scheduled", "Scheduled by <@U0ALICE0001>"),
]


@pytest.mark.parametrize(("name", "said"), SAID, ids=[f"{n}-{place}" for place, (n, _) in enumerate(SAID)])
def test_what_a_card_says(name: str, said: str) -> None:
    payload = sweep.card(QUIET[name]).payload()
    lines = "\n".join("".join(strings(b)) for b in payload["blocks"])
    plain = "".join(n["text"] for n in nodes(payload["blocks"]) if isinstance(n.get("text"), str))
    assert said in lines + "\n" + plain + "\n" + plain.replace(" Partial", "Partial").replace(
        " Queued", "Queued"
    )


@pytest.mark.parametrize("name", CARDS)
def test_buttons_by_state(name: str) -> None:
    """Stop while it runs; export and the selects only where something was read."""
    view = CARDS[name]
    ids = [n["action_id"] for n in nodes(sweep.card(view).payload()) if "action_id" in n]
    if not view.sweep.state.ended:
        assert ids == ["sweep.cancel"]
    elif view.read and view.sweep.state is not sweep.SweepState.FAILED:
        assert ids == ["sweep.audit", "sweep.ticket", "sweep.export"]
    else:
        assert ids == []


def test_a_type_ahead_is_never_empty() -> None:
    """Names are clipped; what was typed is shown as it is."""
    rows = [(e, PROD, s) for e, s in worst(HOSTILE)]
    assert len(sweep_small.options(rows, "")["options"]) == 6
    assert all(len(o["text"]["text"]) <= 75 for o in sweep_small.options(rows, "")["options"])
    (hint,) = sweep_small.options([], "xyz")["options"]
    assert "xyz" in hint["text"]["text"]


def test_small_answers() -> None:
    for message in (
        sweep_small.joined(7),
        sweep_small.exported(20_778, 503),
        sweep_small.file_refused("EVIL <x>"),
    ):
        checked(message)
    assert "20,778 rows of 503 entities" in sweep_small.exported(20_778, 503).text
    assert entity("x").name == "x"
