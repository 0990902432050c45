"""The page's forms in a real browser: what stands in a field at first, what was entered, and what the app hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from selenium.webdriver.common.keys import Keys
from slack_bolt import App
from slack_sdk import WebClient

from tests.kit import ROOM, Json, button, form, option, plain, section
from tests.pages import listening
from tests.sandbox.browser import Browser
from tests.sandbox.slack import Slack

pytestmark = pytest.mark.browser

ALICE, BOB = "U0ALICE0001", "U0BOB000001"
ATHENA, KMS, SNS = option("athena"), option("kms", "used 3 days ago"), option("sns")


def field(name: str, kind: str, *, optional: bool = False, hint: str = "", **more: Any) -> Json:
    """An input block; its action id is `<name>.it`."""
    block = {
        "type": "input",
        "block_id": name,
        "label": plain(name.capitalize()),
        "element": {"type": kind, "action_id": f"{name}.it", **more},
        "optional": optional,
    }
    return block | ({"hint": plain(hint)} if hint else {})


def ticket(**more: Any) -> Json:
    """A form with something in every field."""
    choices = [ATHENA, KMS, SNS]
    return form(
        {"type": "alert", "block_id": "a", "level": "warning", "text": plain("This writes to AWS")},
        field("edit", "checkboxes", options=choices, initial_options=[ATHENA, SNS]),
        field("scope", "radio_buttons", options=[ATHENA, KMS], initial_option=KMS),
        field("some", "multi_static_select", options=choices, initial_options=[KMS, SNS]),
        field("one", "static_select", options=choices, initial_option=SNS),
        field("ext", "external_select", initial_option=ATHENA, min_query_length=1),
        field("exts", "multi_external_select", initial_options=[ATHENA, KMS], min_query_length=1),
        field("until", "datepicker", initial_date="2027-02-22"),
        field("at", "timepicker", initial_time="09:30"),
        field("who", "users_select", initial_user=BOB),
        field("days", "number_input", is_decimal_allowed=False, initial_value="90", optional=True),
        field("reason", "plain_text_input", multiline=True, initial_value="Two\nlines", hint="Everyone reads it"),
        {"type": "actions", "block_id": "acts", "elements": [button("swap", "Swap")]},
        submit=plain("Open ticket"),
        **more,
    )  # fmt: skip


FIRST = {
    "edit": ["athena", "sns"], "scope": "kms", "some": ["kms", "sns"], "one": "sns", "ext": "athena", "exts": ["athena", "kms"],
    "until": "2027-02-22", "at": "09:30", "who": BOB, "days": "90", "reason": "Two\nlines",
}  # fmt: skip
SHOWN = {
    "edit": ["athena", "sns"], "scope": ["kms"], "some": ["kms", "sns"], "one": "sns", "ext": "athena", "exts": ["athena", "kms"],
    "until": "2027-02-22", "at": "09:30", "who": "@bob", "days": "90", "reason": "Two\nlines",
}  # fmt: skip

_READ = """
const out = {};
for (const block of document.querySelectorAll('#modal .block.input')) {
  const boxes = [...block.querySelectorAll('input[type=checkbox], input[type=radio]')];
  const chips = [...block.querySelectorAll('.chip')], one = block.querySelector('input, textarea');
  const many = block.querySelector('.pick.many');
  out[block.dataset.block] = boxes.length ? boxes.filter(b => b.checked).map(b => b.value) : many ? chips.map(c => c.firstChild.data) : one.value;
}
return out;
"""


def shown(browser: Browser) -> Json:
    """What stands in each field of the open form."""
    return dict(browser.run(_READ))


def plainly(values: Json) -> Json:
    """`state.values` in plain words."""
    out: Json = {}
    for block, state in values.items():
        (entry,) = state.values()
        (held,) = (v for k, v in entry.items() if k != "type")
        many = [o["value"] for o in held] if isinstance(held, list) else held
        out[block] = held["value"] if isinstance(held, dict) else many
    return out


class Heard:
    """What the app of this file heard, and what it answers to a submission."""

    values: ClassVar[Json] = {}
    answer: ClassVar[Json] = {}
    clicks: ClassVar[list[Json]] = []


def app_of(ws: Slack) -> App:
    app = App(client=WebClient(token=ws.bot_token, base_url=ws.api_url), process_before_response=True)

    @app.command("/iam-audit")
    def on_command(ack: Any, command: Json, client: WebClient) -> None:
        ack()
        opened = client.views_open(
            trigger_id=command["trigger_id"], view=form(section("Loading…"), private_metadata="7")
        )
        client.views_update(view_id=opened["view"]["id"], view=ticket())

    @app.action("swap")
    def on_swap(ack: Any, body: Json, client: WebClient) -> None:
        ack()
        Heard.values = body["view"]["state"]["values"]
        view = ticket()
        view["blocks"].insert(1, section("Swapped"))
        client.views_update(view_id=body["view"]["id"], hash=body["view"]["hash"], view=view)

    @app.action({"type": "block_actions", "action_id": "card.do"})
    def on_card(ack: Any, body: Json) -> None:
        ack()
        Heard.clicks.append(body["actions"][0])

    @app.view("form")
    def on_form(ack: Any, view: Json) -> None:
        Heard.values = view["state"]["values"]
        ack(**Heard.answer)

    @app.event("app_home_opened")
    def on_home(event: Json, client: WebClient) -> None:
        picked = {
            "type": "checkboxes",
            "action_id": "card.do",
            "options": [ATHENA, KMS],
            "initial_options": [KMS],
        }
        blocks = [section("Waiting for you: 2"), {"type": "actions", "elements": [picked]}]
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    return app


@pytest.fixture(scope="module")
def ws() -> Iterator[Slack]:
    with Slack() as ws:
        ws.add_user(ALICE, "alice")
        ws.add_user(BOB, "bob")
        ws.add_channel(ROOM, "security", members=[ALICE, BOB])
        with listening(ws, app_of(ws)):
            yield ws


@pytest.fixture
def browser(chromium: Browser, ws: Slack) -> Iterator[Browser]:
    """Alice in #security with the form open; nothing that she does may make the browser complain."""
    Heard.values, Heard.answer, Heard.clicks = {}, {}, []
    ws.state.open_views.clear()
    chromium.open(f"{ws.url}/?user={ALICE}&channel={ROOM}")
    chromium.say("/iam-audit ticket")
    chromium.sees("Open ticket", "#modal")
    yield chromium
    assert chromium.complaints() == []
    assert ws.state.problems == []


def test_fields_have_what_they_begin_with(browser: Browser, ws: Slack) -> None:
    """After Loading was replaced every field has its initial value, it is sent so, and it is there after a reload."""
    assert shown(browser) == SHOWN
    browser.open(f"{ws.url}/?user={ALICE}&channel={ROOM}")
    browser.sees("Open ticket", "#modal")
    assert shown(browser) == SHOWN
    browser.press("Open ticket", "#modal")
    browser.until(lambda: Heard.values)
    assert plainly(Heard.values) == FIRST


def test_what_was_entered_stays(browser: Browser, ws: Slack) -> None:
    """An update of the open form, a reload, and a look as somebody else leave what was entered; the app hears it with a press."""
    browser.run("document.querySelector('[data-block=edit] input[value=kms]').click()")
    browser.run("document.querySelector('[data-block=edit] input[value=athena]').click()")
    browser.run("document.querySelector('[data-block=some] .chip button').click()")
    browser.run("document.querySelector('#in-reason').focus()")
    browser.keys(Keys.CONTROL, "a")
    browser.keys("typed")
    entered = SHOWN | {"edit": ["kms", "sns"], "some": ["sns"], "reason": "typed"}
    assert shown(browser) == entered
    browser.press("Swap", "#modal")
    browser.sees("Swapped", "#modal")
    assert shown(browser) == entered
    heard = FIRST | {"edit": ["kms", "sns"], "some": ["sns"], "reason": "typed"}
    assert plainly(Heard.values) == heard
    browser.open(f"{ws.url}/?user={ALICE}&channel={ROOM}")
    browser.sees("Swapped", "#modal")
    assert shown(browser) == entered
    browser.become(BOB)
    browser.until(lambda: not browser.find("#modal[open]"))
    browser.become(ALICE)
    browser.sees("Swapped", "#modal")
    assert shown(browser) == entered
    browser.press("Open ticket", "#modal")
    browser.until(lambda: ws.view(ALICE) is None)
    assert plainly(Heard.values) == heard


def test_emptied_fields_stay_empty(browser: Browser) -> None:
    """What a person takes away is gone: the initial value does not come back, and a required field says so."""
    for box in ("athena", "sns"):
        browser.run(f"document.querySelector('[data-block=edit] input[value={box}]').click()")
    browser.run("document.querySelector('#in-days').focus()")
    browser.keys(Keys.CONTROL, "a")
    browser.keys(Keys.DELETE)
    browser.press("Swap", "#modal")
    browser.sees("Swapped", "#modal")
    assert shown(browser) == SHOWN | {"edit": [], "days": ""}
    Heard.values = {}
    browser.press("Open ticket", "#modal")
    browser.sees("complete this required field", "#err-edit")
    assert Heard.values == {}


def test_an_answer_can_put_errors_under_several_fields(browser: Browser, ws: Slack) -> None:
    """`response_action: errors`: each stands under its field and goes when the field changes."""
    Heard.answer = {
        "response_action": "errors",
        "errors": {"edit": "Tick one that is there", "reason": "Say why"},
    }
    browser.press("Open ticket", "#modal")
    browser.sees("Tick one that is there", "#err-edit")
    browser.sees("Say why", "#err-reason")
    browser.run("document.querySelector('#in-reason').focus()")
    browser.keys("!")
    assert browser.text("#err-reason") == ""
    assert browser.text("#err-edit") == "Tick one that is there"
    assert ws.view(ALICE)


def test_an_answer_can_be_the_next_form(browser: Browser, ws: Slack) -> None:
    """`update` takes the place of the form, `push` stands on it and goes back, `clear` closes all."""
    next_ = ticket()
    next_["blocks"][0] = section("The second form")
    Heard.answer = {"response_action": "update", "view": next_}
    browser.press("Open ticket", "#modal")
    browser.sees("The second form", "#modal")
    third = ticket()
    third["blocks"][0] = section("The third form")
    del third["close"]
    Heard.answer = {"response_action": "push", "view": third}
    browser.press("Open ticket", "#modal")
    browser.sees("The third form", "#modal")
    browser.press("Back", "#modal")
    browser.sees("The second form", "#modal")
    Heard.answer = {"response_action": "clear"}
    browser.press("Open ticket", "#modal")
    browser.until(lambda: not browser.find("#modal[open]"))
    assert ws.view(ALICE) is None


def test_a_form_is_one_persons(browser: Browser) -> None:
    """Another person has no form open; it waits for its own."""
    browser.become(BOB)
    browser.until(lambda: not browser.find("#modal[open]"))
    browser.become(ALICE)
    browser.sees("This writes to AWS", "#modal")
    browser.press("Cancel", "#modal")
    browser.until(lambda: not browser.find("#modal[open]"))
