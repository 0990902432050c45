"""The sandbox's page in a real browser, over a real workspace and a small Bolt app of this file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from slack_bolt import App
from slack_sdk import WebClient

from tests.kit import ROOM, Json, button, form, option, plain, post, section
from tests.pages import listening
from tests.sandbox.browser import Browser
from tests.sandbox.slack import Slack

pytestmark = pytest.mark.browser

ALICE, BOB, SIDE = "U0ALICE0001", "U0BOB000001", "C0PLATFORM1"


SURE = {
    "title": plain("Really?"),
    "text": plain("One thing goes."),
    "confirm": plain("Take it"),
    "deny": plain("Keep it"),
    "style": "danger",
}
ROW = [
    button("go", "Go on", style="primary"),
    button("risk", "Risk it", confirm=SURE),
    button("late", "Wait for ever"),
]
PICK = {
    "type": "external_select",
    "action_id": "pick",
    "min_query_length": 2,
    "placeholder": plain("Who?"),
    "focus_on_load": True,
}
WHY = {
    "type": "input",
    "block_id": "why",
    "label": plain("Why"),
    "element": {"type": "plain_text_input", "action_id": "why.text"},
}
WHO = {
    "type": "input",
    "block_id": "who",
    "label": plain("Who"),
    "element": PICK,
    "hint": plain("Two letters"),
}
DEPTH = {
    "type": "input",
    "block_id": "deep",
    "label": plain("How deep"),
    "element": {"type": "radio_buttons", "action_id": "deep.choice", "options": [option("Services"), option("Actions")], "initial_option": option("Services")},
}  # fmt: skip


def app_of(ws: Slack) -> App:
    """A small app that does one thing of each kind."""
    app = App(client=WebClient(token=ws.bot_token, base_url=ws.api_url), process_before_response=True)

    @app.command("/iam-audit")
    def on_command(ack: Any, command: Json, client: WebClient) -> None:
        if command["text"] == "form":
            opened = client.views_open(trigger_id=command["trigger_id"], view=form(section("Loading…")))
            client.views_update(
                view_id=opened["view"]["id"], view=form(WHO, WHY, DEPTH, submit=plain("Send it"))
            )
        elif command["text"] == "private":
            ack("For your eyes")
            return
        else:
            blocks = [section(f"*Card* {command['text']}"), {"type": "actions", "elements": ROW}]
            client.chat_postMessage(channel=command["channel_id"], text="A card", blocks=blocks)
        ack()

    @app.action("go")
    def on_go(ack: Any, body: Json, client: WebClient) -> None:
        client.chat_postMessage(
            channel=ROOM, thread_ts=body["message"]["ts"], text=f"gone by <@{body['user']['id']}>"
        )
        ack()

    @app.action("risk")
    def on_risk(ack: Any, body: Json, client: WebClient) -> None:
        blocks = [section("Risk taken")]
        client.chat_update(channel=ROOM, ts=body["message"]["ts"], text="taken", blocks=blocks)
        ack()

    @app.action("late")
    def on_late() -> None:
        """Never acknowledged."""

    @app.options("pick")
    def on_options(ack: Any, payload: Json) -> None:
        found = [
            o
            for o in (option("db-admin", "25 services"), option("db-backup"))
            if payload["value"] in o["value"]
        ]
        ack(option_groups=[{"label": plain("prod: roles"), "options": found or [option("No match")]}])

    @app.view("form")
    def on_form(ack: Any, view: Json, client: WebClient) -> None:
        values = view["state"]["values"]
        why = values["why"]["why.text"]["value"]
        if why == "no":
            ack(response_action="errors", errors={"why": "Say more"})
            return
        who, deep = (
            values[b][a]["selected_option"]["value"] for b, a in (("who", "pick"), ("deep", "deep.choice"))
        )
        ack()
        client.chat_postMessage(channel=ROOM, text=f"form: {who}, {why}, {deep}")

    @app.shortcut("audit.new")
    def on_shortcut(ack: Any, shortcut: Json, client: WebClient) -> None:
        client.views_open(trigger_id=shortcut["trigger_id"], view=form(section("By shortcut")))
        ack()

    return app


@pytest.fixture(scope="module")
def ws() -> Iterator[Slack]:
    with Slack() as ws:
        for user, name, zone in ((ALICE, "alice", "UTC"), (BOB, "bob", "Asia/Tokyo")):
            ws.add_user(user, name)
            ws.state.users[user]["tz"] = zone
        for channel, name in ((ROOM, "security"), (SIDE, "platform")):
            ws.add_channel(channel, name, members=[ALICE, BOB])
        ws.knobs.append(
            {
                "id": "files",
                "label": "Files",
                "help": "Uploads",
                "kind": "toggle",
                "get": lambda: ws.state.files_allowed,
                "set": lambda on: setattr(ws.state, "files_allowed", on),
            }
        )
        with listening(ws, app_of(ws)):
            yield ws


@pytest.fixture
def browser(chromium: Browser, ws: Slack) -> Iterator[Browser]:
    """Alice in #security, in the light; nothing that she does may make the browser complain."""
    chromium.prefer("light")
    chromium.open(f"{ws.url}/?user={ALICE}&channel={ROOM}")
    yield chromium
    assert chromium.complaints() == []


def test_a_command_becomes_a_card(browser: Browser) -> None:
    """The card appears by itself, and ArrowUp brings the command back."""
    browser.say("/iam-audit first")
    browser.sees("Card first")
    browser.keys(Keys.ARROW_UP)
    assert browser.run("return document.activeElement.value") == "/iam-audit first"


def test_commands_are_hinted(browser: Browser) -> None:
    """After a slash the commands are listed; a key chooses one and completes its fixed words."""
    browser.find("#text")[0].send_keys("/iam-audit gr")
    browser.sees("/iam-audit group NAME", "#hints")
    browser.keys(Keys.ARROW_DOWN, Keys.ENTER)
    assert browser.run("return document.activeElement.value") == "/iam-audit group "


def test_an_unknown_command_is_refused(browser: Browser) -> None:
    """What is no command of the workspace is told as Slack tells it."""
    browser.say("/nope")
    browser.sees("/nope is not a valid command", "#toast")


def test_a_button_answers_in_the_thread(browser: Browser) -> None:
    """The reply is counted under the card, the thread opens beside it, Escape closes it."""
    browser.say("/iam-audit threaded")
    browser.sees("Card threaded")
    browser.press("Go on")
    browser.sees("1 reply")
    browser.press("1 reply")
    browser.sees("gone by @alice", "#replies")
    browser.keys(Keys.ESCAPE)
    browser.until(lambda: not browser.find("#thread:not([hidden])"))


def test_a_press_that_is_not_acknowledged_says_so(browser: Browser) -> None:
    """The button waits, then works again, and what went wrong stands beside it."""
    browser.say("/iam-audit slow")
    browser.sees("Card slow")
    browser.press("Wait for ever")
    browser.until(lambda: browser.find("button[aria-busy=true][disabled]"))
    browser.sees("operation_timeout")
    assert not browser.find("button[aria-busy]")


def test_a_dialog_asks_first(browser: Browser) -> None:
    """Slack's confirm object: denying does nothing, confirming acts, and the card is drawn anew."""
    browser.say("/iam-audit risky")
    browser.sees("Card risky")
    browser.press("Risk it")
    browser.sees("One thing goes.", "#ask")
    browser.press("Keep it", "#ask")
    assert "Card risky" in browser.text("#messages")
    browser.press("Risk it")
    browser.press("Take it", "#ask")
    browser.sees("Risk taken")
    assert "Card risky" not in browser.text("#messages")


def test_private_answers_are_one_persons(browser: Browser) -> None:
    """An ephemeral message is marked, another person never sees it, and it can be dismissed."""
    browser.say("/iam-audit private")
    browser.sees("For your eyes")
    assert "Only visible to you" in browser.text("#messages")
    browser.become(BOB)
    browser.until(lambda: "For your eyes" not in browser.text("#messages"))
    browser.become(ALICE)
    browser.sees("For your eyes")
    browser.press("Dismiss")
    browser.until(lambda: "For your eyes" not in browser.text("#messages"))


def test_a_form_by_keyboard_alone(browser: Browser, ws: Slack) -> None:
    """Loading is replaced, the type-ahead finds and takes an option, a fault stands under its field, then it is sent."""
    browser.say("/iam-audit form")
    browser.until(lambda: browser.run("return document.activeElement.id") == "in-who")
    browser.keys("d")
    browser.sees("Type 1 more character", "#modal [role=listbox]")
    browser.keys("b")
    browser.sees("prod: roles", "#modal [role=listbox]")
    browser.until(lambda: browser.find("#modal [role=option]"))
    browser.keys(Keys.ARROW_DOWN, Keys.ENTER)
    assert browser.run("return document.activeElement.value") == "db-backup"
    browser.keys(Keys.TAB)
    browser.keys("no", Keys.ENTER)
    browser.sees("Say more", "#err-why")
    assert browser.run("return document.activeElement.getAttribute('aria-invalid')") == "true"
    browser.keys(Keys.CONTROL, "a")
    browser.keys("spring", Keys.TAB)
    browser.keys(Keys.ARROW_DOWN)
    browser.keys(Keys.ENTER)
    browser.sees("form: db-backup, spring, Actions")
    assert ws.view(ALICE) is None


def test_escape_closes_a_form(browser: Browser, ws: Slack) -> None:
    """The lightning's menu opens a form; Escape closes it on both sides."""
    browser.press("Shortcuts", "#compose")
    browser.press("Audit an IAM entity", "#compose")
    browser.sees("By shortcut", "#modal")
    browser.keys(Keys.ESCAPE)
    ws.wait(lambda: ws.view(ALICE) is None)
    browser.until(lambda: not browser.find("#modal[open]"))
    browser.until(lambda: browser.run("return document.activeElement.id") == "bolt")


def test_one_types_on_after_a_form(browser: Browser) -> None:
    """The field behind a form has the focus again, and takes what is typed."""
    browser.say("/iam-audit form")
    browser.until(lambda: browser.run("return document.activeElement.id") == "in-who")
    browser.keys(Keys.ESCAPE)
    browser.until(lambda: browser.run("return document.activeElement.id") == "text")
    browser.say("/iam-audit after the form")
    browser.sees("Card after the form")


def test_an_unknown_block_is_named(browser: Browser, ws: Slack) -> None:
    """What the page cannot show is never left out in silence."""
    strange = {"user": ws.bot_user_id, "ts": ws.next_ts(), "text": "x", "blocks": [{"type": "sparkle"}]}
    ws.state.messages[ROOM] = [*ws.state.messages.get(ROOM, []), strange]
    ws.touch()
    browser.sees("cannot show a block of type “sparkle”")


def test_focus_and_scroll_survive_an_update(browser: Browser, ws: Slack) -> None:
    """What is typed and where one reads stay while messages come and change."""
    for n in range(12):
        post(ws, section(f"line {n}\n" * 5))
    ts = post(ws, section("before"), {"type": "actions", "elements": [button("keep", "Focus me")]})
    browser.sees("before")
    browser.run(
        "document.querySelector('#messages').scrollTop = 0; document.querySelector('[data-action=keep]').focus({preventScroll: true})"
    )
    client = WebClient(token=ws.bot_token, base_url=ws.api_url)
    blocks = [section("afterwards"), {"type": "actions", "elements": [button("keep", "Focus me")]}]
    client.chat_update(channel=ROOM, ts=ts, text="x", blocks=blocks)
    post(ws, section("a newer one"))
    browser.sees("a newer one")
    assert browser.run("return document.activeElement.dataset.action") == "keep"
    assert browser.run("return document.querySelector('#messages').scrollTop") == 0
    browser.sees("New messages below", "#latest")


def test_light_dark_and_narrow(browser: Browser, ws: Slack) -> None:
    """Dark follows the system and a switch; on a phone nothing is wider than the screen and the channels are a drawer."""
    post(
        ws,
        section("`a-very-long-name-without-any-place-to-break-it-" * 3 + "`"),
        {"type": "actions", "elements": ROW},
    )
    colour = "return getComputedStyle(document.querySelector('main')).backgroundColor"
    light = browser.run(colour)
    browser.prefer("dark")
    dark = browser.run(colour)
    assert dark != light
    browser.press("Light or dark", "#side")
    assert browser.run(colour) == light
    browser.run("localStorage.clear(); delete document.documentElement.dataset.theme")
    browser.prefer("light", width=380)
    assert browser.run("return document.documentElement.scrollWidth") <= 380
    shown = "return document.querySelector('#me').checkVisibility({visibilityProperty: true})"
    browser.until(lambda: not browser.run(shown))
    browser.press("Channels", "main")
    browser.press("platform", "#channels")
    browser.sees("platform", "#place")


def test_the_world_can_be_broken(browser: Browser, ws: Slack) -> None:
    """A knob in the drawer turns something on the other side and shows what it is now."""
    browser.say("/iam-audit broken")
    browser.sees("Card broken")
    browser.press("Go on")
    browser.press("1 reply")
    browser.sees("gone by @alice", "#replies")
    browser.press("World", "#side")
    browser.until(lambda: browser.find("#knobs [data-knob='files']"))
    assert browser.run(
        "return document.querySelector('main').offsetHeight > innerHeight * 0.9"
    )  # beside a thread too
    browser.run("document.querySelector(\"[data-knob='files']\").click()")
    browser.until(lambda: browser.find("#knobs [data-knob='files'][aria-checked=false]"))
    assert not ws.state.files_allowed
    ws.state.files_allowed = True
    browser.keys(Keys.ESCAPE)
    browser.until(lambda: not browser.find("#world-panel:not([hidden])"))
    assert browser.find("#thread:not([hidden])")
