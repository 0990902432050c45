"""Every card of `cards.py` in a real browser: all of it is drawn, in light and dark, and each element tells the app what was done."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from slack_bolt import App
from slack_sdk import WebClient

from handlers.commands import UsageError, parse
from tests import cards
from tests.kit import ROOM, Json, form, option, plain, post, section
from tests.pages import listening
from tests.sandbox.browser import Browser
from tests.sandbox.slack import Slack, views

PAGE = Path(__file__).parent / "sandbox" / "page"
browsing = pytest.mark.browser
ALICE, BOB = "U0ALICE0001", "U0BOB000001"
CLICKS: list[Json] = []


def app_of(ws: Slack) -> App:
    app = App(client=WebClient(token=ws.bot_token, base_url=ws.api_url), process_before_response=True)

    @app.action(re.compile(".*"))
    def on_action(ack: Any, body: Json) -> None:
        ack()
        CLICKS.append(body["actions"][0])

    @app.options(re.compile(".*"))
    def on_options(ack: Any) -> None:
        ack(options=[option("far-1"), option("far-2")])

    @app.event("app_home_opened")
    def on_home(event: Json, client: WebClient) -> None:
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": cards.HOME})

    return app


@pytest.fixture(scope="module")
def ws() -> Iterator[Slack]:
    with Slack() as ws:
        for user, name in ((ALICE, "alice"), (BOB, "bob"), (cards.CAROL, "carol")):
            ws.add_user(user, name)
        ws.state.users[ALICE]["tz"], ws.state.users[BOB]["tz"] = "UTC", "Asia/Tokyo"
        ws.add_usergroup(cards.APPROVERS, "approvers", [cards.CAROL])
        ws.add_channel(ROOM, "security", members=[ALICE, BOB, cards.CAROL])
        with listening(ws, app_of(ws)):
            yield ws


@pytest.fixture
def browser(chromium: Browser, ws: Slack) -> Iterator[Browser]:
    """Alice in an empty #security; the browser complains of nothing, and every element is known."""
    CLICKS.clear()
    ws.state.messages.clear()
    ws.state.ephemerals.clear()
    chromium.prefer("light")
    chromium.open(f"{ws.url}/?user={ALICE}&channel={ROOM}")
    yield chromium
    assert chromium.complaints() == []
    assert not chromium.find(".unknown")
    assert ws.state.problems == []


def client_of(ws: Slack) -> WebClient:
    return WebClient(token=ws.bot_token, base_url=ws.api_url)


def drawn_whole(browser: Browser) -> None:
    """Nothing is unknown and nothing sticks out, in light and dark; the two differ."""
    colours = set()
    for theme in ("light", "dark"):
        browser.prefer(theme)
        assert not browser.find(".unknown"), browser.text(".unknown")
        wide = "return [...document.querySelectorAll('.content, .body, .sheet')].filter(n => n.scrollWidth > n.clientWidth + 1).length"
        assert browser.run(wide) == 0
        colours.add(browser.run("return getComputedStyle(document.querySelector('main')).backgroundColor"))
    assert len(colours) == 2
    browser.prefer("light")


def heard(browser: Browser) -> Json:
    """The one thing that the app has heard since the last time."""
    browser.until(lambda: CLICKS)
    (action,) = CLICKS
    CLICKS.clear()
    return action


@browsing
def test_every_card_is_drawn(browser: Browser, ws: Slack) -> None:
    """Each card, each as a reply in a thread, a private answer, and a form with each alert."""
    client = client_of(ws)
    for name, blocks in cards.MESSAGES.items():
        sent = client.chat_postMessage(channel=ROOM, text=f"card {name}", blocks=blocks)
    for name, blocks in cards.MESSAGES.items():
        client.chat_postMessage(channel=ROOM, text=f"reply {name}", blocks=blocks, thread_ts=sent["ts"])
    client.chat_postEphemeral(channel=ROOM, user=ALICE, text="private", blocks=cards.PRIVATE)
    browser.until(lambda: len(browser.messages()) == len(cards.MESSAGES) + 1)
    browser.press(f"{len(cards.MESSAGES)} replies")
    browser.until(lambda: len(browser.messages("#replies")) == len(cards.MESSAGES) + 1)
    drawn_whole(browser)
    kinds = {block["type"] for blocks in cards.MESSAGES.values() for block in blocks}
    assert {kind for kind in kinds if not browser.find(f"#messages .block.{kind}")} == set()
    assert cards.HOSTILE in browser.text("#messages blockquote")
    assert not re.search(r":(?!rotating_light:)[a-z_]{3,}:", browser.text("#messages .block:not(:has(pre))"))
    view = views.hold(ws, form(*cards.ALERTS, *cards.TICKET, *cards.STEPS))
    ws.state.open_views[ALICE] = [view["id"]]
    ws.touch()
    browser.sees("An alert: success", "#modal")
    drawn_whole(browser)
    ws.close_view(ALICE)
    browser.until(lambda: not browser.find("#modal[open]"))


@browsing
def test_the_home_is_drawn(browser: Browser) -> None:
    """The app draws a Home when one looks at it, and hears what is pressed there."""
    browser.press("App Home", "#channels")
    browser.sees("Waiting for you: 2", "#home")
    drawn_whole(browser)
    browser.press("New audit…", "#home")
    assert heard(browser)["action_id"] == "home.new"


@browsing
def test_what_is_done_is_told(browser: Browser, ws: Slack) -> None:
    """Two buttons of one verb are told apart; selects, boxes and dates tell their values in Slack's own words."""
    client_of(ws).chat_postMessage(channel=ROOM, text="digest", blocks=cards.DIGEST)
    browser.sees("What changed")
    for label, value in (("First…", "1"), ("Second…", "2")):
        browser.press(label)
        action = heard(browser)
        assert (action["action_id"], action["value"]) == ("digest.ticket", value)
    for name, field, told in (
        ("pick.one", "selected_option", "athena"),
        ("pick.far", "selected_option", "far-1"),
        ("pick.many", "selected_options", ["athena"]),
    ):
        browser.run("document.querySelector(`[data-keep='picks/${arguments[0]}']`).focus()", name)
        browser.keys(Keys.ARROW_DOWN)
        browser.until(lambda: browser.find("[role=listbox]:popover-open [role=option]"))
        browser.keys(Keys.ARROW_DOWN, Keys.ENTER)
        state = heard(browser)[field]
        assert (state["value"] if isinstance(state, dict) else [o["value"] for o in state]) == told
        browser.keys(Keys.ESCAPE)
    browser.run("document.querySelector(\"[data-keep='ticks/tick.many/sns']\").click()")
    assert [o["value"] for o in heard(browser)["selected_options"]] == ["athena", "kms", "sns"]
    browser.run("document.querySelector(\"[data-keep='ticks/tick.one/kms']\").click()")
    assert heard(browser)["selected_option"]["value"] == "kms"
    browser.run(
        "const d = document.querySelector(\"[data-keep='picks/pick.day']\"); d.value = '2027-03-01'; d.dispatchEvent(new Event('change'))"
    )
    assert heard(browser)["selected_date"] == "2027-03-01"


@browsing
def test_a_dialog_by_keyboard(browser: Browser, ws: Slack) -> None:
    """Enter asks, Escape and the denying button do nothing, Enter again acts; red where it is dangerous."""
    client_of(ws).chat_postMessage(channel=ROOM, text="ticket", blocks=cards.TICKET)
    browser.sees("Ticket 12")
    browser.run("document.querySelector(\"[data-action='ticket.approve']\").focus()")
    browser.keys(Keys.TAB)
    assert browser.run("return document.activeElement.dataset.action") == "ticket.rollback"
    browser.keys(Keys.ENTER)
    browser.sees("This writes to AWS.", "#ask")
    assert browser.find("#ask button.danger")
    browser.keys(Keys.ESCAPE)
    browser.until(lambda: not browser.find("#ask[open]"))
    browser.until(lambda: browser.run("return document.activeElement.dataset.action") == "ticket.rollback")
    browser.keys(Keys.ENTER)
    browser.sees("This writes to AWS.", "#ask")
    browser.press("Not yet", "#ask")
    assert CLICKS == []
    browser.until(lambda: browser.run("return document.activeElement.dataset.action") == "ticket.rollback")
    browser.keys(Keys.ENTER)
    browser.sees("This writes to AWS.", "#ask")
    browser.keys(Keys.ENTER)
    assert heard(browser)["action_id"] == "ticket.rollback"


@browsing
def test_an_overflow_menu(browser: Browser, ws: Slack) -> None:
    """The menu opens, and tells what was chosen."""
    client_of(ws).chat_postMessage(channel=ROOM, text="ticket", blocks=cards.TICKET)
    browser.sees("Ticket 12")
    browser.press("⋯")
    browser.until(lambda: "Cancel the ticket" in browser.text(".message [role=menu]"))
    browser.press("Cancel the ticket")
    assert heard(browser)["selected_option"]["value"] == "Cancel the ticket"


@browsing
def test_a_private_answer_in_a_thread(browser: Browser, ws: Slack) -> None:
    """It stands in the thread, of its own person only."""
    client = client_of(ws)
    ts = client.chat_postMessage(channel=ROOM, text="parent")["ts"]
    client.chat_postMessage(channel=ROOM, text="a reply", thread_ts=ts)
    client.chat_postEphemeral(channel=ROOM, user=ALICE, text="you may not", thread_ts=ts)
    browser.press("1 reply")
    browser.sees("you may not", "#replies")
    assert "you may not" not in browser.text("#messages")
    browser.become(BOB)
    browser.press("1 reply")
    browser.sees("a reply", "#replies")
    assert "you may not" not in browser.text("#replies")


@browsing
def test_planted_words_are_dead(browser: Browser, ws: Slack) -> None:
    """Markup, script links and shouted mentions in untrusted words are shown as words."""
    markup = "<img src=x onerror=window.planted=1><script>window.planted=1</script>"
    bad = {"type": "link", "url": "javascript:window.planted=1", "text": "a bad link"}
    words = {"type": "rich_text_section", "elements": [{"type": "text", "text": markup}, bad]}
    post(
        ws,
        {"type": "section", "text": plain("<!channel> :x: *no* <https://evil.example|AWS>", emoji=False)},
        {"type": "rich_text", "elements": [words]},
        section("<javascript:window.planted=1|click> &lt;b&gt; *yes* :x:"),
        {"type": "markdown", "text": f"[go](javascript:window.planted=1) {markup}"},
    )
    browser.sees("<!channel> :x: *no* <https://evil.example|AWS>")
    browser.sees(markup)
    browser.sees("click <b> yes ❌")
    alive = ("a[href*=evil]", "a[href^=javascript]", "img", "script")
    assert not browser.find(", ".join(f"#messages article:last-child {tag}" for tag in alive))
    assert browser.run("return window.planted") is None


@browsing
def test_files_are_shown(browser: Browser, ws: Slack) -> None:
    """A picture stands in the message with its words, a CSV file is offered with a look inside."""
    client = WebClient(token=ws.bot_token, base_url=ws.api_url)
    dot = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    for name, content, alt in (
        ("dot.png", dot, "One red dot"),
        ("rows.csv", b'name,say\n"a, b","""hi"""\n', ""),
    ):
        client.files_upload_v2(
            channel=ROOM, filename=name, title=f"Title of {name}", content=content, alt_txt=alt
        )
    browser.until(
        lambda: browser.run(
            "return [...document.images].some(i => i.alt === 'One red dot' && i.naturalWidth === 1)"
        )
    )
    browser.sees("Title of rows.csv")
    browser.find("#messages article:last-child summary")[0].click()
    browser.until(lambda: browser.text("#messages article:last-child td") == 'a, b\n"hi"')


@browsing
def test_a_data_table_sorts_filters_and_turns(browser: Browser, ws: Slack) -> None:
    """Numbers are sorted as numbers, the filter keeps what fits, pages are as long as the block says."""
    rows = [
        [{"type": "raw_text", "text": n}, {"type": "raw_number", "value": v, "text": str(v)}]
        for n, v in (("a", 9), ("b", 10), ("cab", 1))
    ]
    head = [{"type": "raw_text", "text": "Name"}, {"type": "raw_text", "text": "Days"}]
    post(ws, {"type": "data_table", "caption": "Three", "page_size": 2, "rows": [head, *rows]})
    table = "#messages article:last-child tbody"
    browser.until(lambda: browser.text(table).split() == ["a", "9", "b", "10"])
    browser.press("Days")
    assert browser.text(table).split() == ["cab", "1", "a", "9"]
    browser.press("Next")
    assert browser.text(table).split() == ["b", "10"]
    browser.find("#messages article:last-child input[type=search]")[0].send_keys("a")
    assert browser.text(table).split() == ["cab", "1", "a", "9"]


@browsing
@pytest.mark.parametrize(
    ("format_", "shown"),
    [
        ("{date_num} {time}", "2020-02-29 23:30"),
        ("{date_long}", "Saturday, February 29th, 2020"),
        ("{date_short_pretty} {time_secs}", "Feb 29, 2020 23:30:00"),
        ("{unheard}", "the fallback"),
    ],
)
def test_dates_are_the_readers(browser: Browser, ws: Slack, format_: str, shown: str) -> None:
    """A date is shown in the zone of who looks; a format that is not known falls back."""
    post(ws, section(f"on <!date^1583019000^{format_}|the fallback>."))
    browser.sees(f"on {shown}.")


@browsing
def test_another_person_has_another_clock(browser: Browser, ws: Slack) -> None:
    """The same moment is the next morning in Tokyo."""
    post(ws, section("clock <!date^1583019000^{date_num} {time}|x>"))
    browser.sees("clock 2020-02-29 23:30")
    browser.become(BOB)
    browser.sees("clock 2020-03-01 08:30")


def test_the_page_is_its_own() -> None:
    """No script or style inside the document, nothing from elsewhere, and nothing that makes markup of words."""
    html = (PAGE / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert "<style" not in html
    assert not re.search(r"\s(?:on\w+|style)=", html)
    assert re.findall(r"<script([^>]*)>", html) == [' type="module" src="/app.js"']
    for path in PAGE.iterdir():
        text = path.read_text()
        assert len(text.splitlines()) <= 400, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
            path.name
        )
        assert not re.search(r"""(?:from|import|url\()\s*\(?["']?(?:https?:)?//""", text), path.name


def test_the_hints_are_commands() -> None:
    """What the composer offers after a slash is what the bot understands."""
    hints = re.findall(r'\["/iam-audit ?([^"]*)", "', (PAGE / "composer.js").read_text())
    assert len(hints) > 10
    for hint in hints:
        typed = hint.replace("NAME", "DBAdminRole").replace("ALIAS", "prod")
        assert not isinstance(parse(typed), UsageError), hint
