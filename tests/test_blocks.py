"""handlers.blocks.audit and kit: every card within Slack’s limits, and no word of a stranger ever markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.blocks import audit, kit
from tests.drawn import checked, nodes, strings, weight
from tests.views import CARDS, DONE

# -- cards


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_every_state_fits_one_screen(name: str) -> None:
    """Under 1,600 characters and at most 11 blocks; limits hold, strangers' words are inert."""
    payload = checked(audit.card(CARDS[name]))
    assert len(payload["blocks"]) <= 11
    assert weight(payload["blocks"]) < 1600


@pytest.mark.parametrize("name", CARDS)
def test_the_plain_form_of_every_card_holds_too(name: str) -> None:
    """What is sent when Slack refuses the full one."""
    payload = checked(audit.minimal(CARDS[name]))
    assert len(payload["blocks"]) <= 4
    assert payload["text"] == audit.card(CARDS[name]).payload()["text"]


@pytest.mark.parametrize("name", CARDS)
def test_a_notification_says_whose_result_it_is(name: str) -> None:
    """`text` names the entity, never a path, tag or description, and fits a lock screen."""
    view = CARDS[name]
    text = audit.card(view).text
    assert view.name in text
    assert "Runs the database jobs" not in text
    assert len(text) < 700


@pytest.mark.parametrize("name", DONE)
def test_a_result_says_what_it_rests_on(name: str) -> None:
    """Kind and account with its number, the report's time, the asker, the lag; Refresh and Export."""
    payload = audit.card(DONE[name]).payload()
    text = "\n".join(strings(payload["blocks"]))
    assert "(111111111111)" in text or "account 111111111111" in text
    assert "Report of <!date^1795511520^" in text
    assert "Asked by <@U1>" in text
    assert "AWS data lags up to 4 hours." in text
    buttons = [n["action_id"] for n in nodes(payload) if n.get("type") == "button"]
    assert {"audit.refresh", "audit.export"} <= set(buttons)
    assert ("audit.policies" in buttons) is (DONE[name].entity.kind.value != "policy")
    assert len(buttons) == len(set(buttons))


@pytest.mark.parametrize("name", DONE)
def test_numbers_add_up(name: str) -> None:
    """“n could go, m stay” is the rows of the report; a used service is never among what could go."""
    view = DONE[name]
    text = "\n".join(strings(audit.card(view).payload()["blocks"]))
    found = re.search(r"([\d,]+) could go, ([\d,]+) stays?\.", text)
    if found and view.report.granularity.value == "SERVICE_LEVEL":
        could, stay = (int(n.replace(",", "")) for n in found.groups())
        assert could + stay == len(view.report.services)
    assert "safe to remove" not in text
    assert "unused" not in text.casefold()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("role", "DBAdminRole: 2 of 6 services used in 90 days"),
        ("admin", "Admin: 52 of 456 services used in 90 days"),
        ("empty", "DBAdminRole: the report lists no service"),
        ("policy_unattached", "Shared: attached to nothing, 3 services granted to nobody"),
        ("young", "DBAdminRole: too young to judge, 0 of 1 used so far"),
        ("failed_throttled", "No result for DBAdminRole"),
        ("queued", "Auditing DBAdminRole…"),
        ("running_slow", "Running for 3 minutes"),
        ("queued_behind", "1,204 audits ahead of it in this account"),
        ("service_linked", "Protected: the bot never changes this role."),
        ("aws_owned", "Protected: the bot never changes this policy."),
        ("admin", "Nothing is offered for removal."),
        ("group", "A change to the group reaches 3 members."),
        ("policy", "A change reaches 6 users and roles."),
        ("role", "2 more cannot be told"),
    ],
)
def test_the_answer_is_a_sentence(name: str, said: str) -> None:
    """With its numbers, in the header or the line that belongs to it."""
    assert said in " ".join(strings(audit.card(CARDS[name]).payload()["blocks"]))


def test_an_account_never_stands_without_its_number() -> None:
    """An alias is untrusted: any account of an organisation can bear any name."""
    for view in CARDS.values():
        if view.entity:
            assert view.account.id in " ".join(strings(audit.card(view).payload()["blocks"]))


# -- the parts


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\r\tc", "a b  c"),
        ("\u202eabc", "\\u202eabc"),
        ("a\u200bb", "a\\u200bb"),
        ("\x00\x1b[31m", "\\u0000\\u001b[31m"),
        ("\ue000", "\\ue000"),
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
        ("ünïcödé 日本", "ünïcödé 日本"),
        ("<!channel> *x*", "<!channel> *x*"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(value: str, shown: str) -> None:
    """Control, zero-width and direction characters as their numbers; the rest as it is."""
    assert kit.clean(value) == shown


@given(st.text(max_size=80), st.integers(1, 40))
def test_a_clip_is_never_longer_than_its_limit(value: str, limit: int) -> None:
    """And ends in … where something is missing; what fits is whole."""
    shown = kit.clip(value, limit)
    assert len(shown) <= limit
    assert shown == kit.clean(value) or shown.endswith("…")


@given(st.text(max_size=80))
def test_escaped_text_has_no_markup_of_slack_s(value: str) -> None:
    """The three characters, once each, and back again."""
    shown = kit.escape(value)
    assert not set("<>") & set(shown)
    assert shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == value


def test_an_empty_word_is_still_a_word() -> None:
    """Slack refuses empty texts and cells."""
    assert kit.plain("").text == " "
    assert kit.cell("")["text"] == "–"
    assert kit.code("").text == " "
    assert kit.text("").text == " "
