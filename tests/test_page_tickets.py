"""A removal ticket in a real browser, against the real bot: the form, Slack's own question, the card, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.sandbox.browser import Browser

pytestmark = pytest.mark.browser

ROLE = "role/DBAdminRole"


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with Demo() as demo:
        demo.start_bot()
        yield demo
        assert not demo.slack.state.problems, demo.slack.state.problems


@pytest.fixture(scope="module")
def browser(demo: Demo) -> Iterator[Browser]:
    with closing(Browser()) as browser:
        browser.open(f"{demo.slack.url}/?user={story.ALICE}")
        yield browser


def _role(demo: Demo, role: str = ROLE) -> Any:
    return demo.aws.state(story.PROD)[role]


def _look_as(browser: Browser, user: str) -> None:
    browser.become(user)
    browser.until(lambda: browser.run("return document.querySelector('#me').value") == user)


def test_from_the_form_to_applied_and_back(demo: Demo, browser: Browser) -> None:
    """alice opens it by keyboard and keeps one service; carol is asked once more by Slack's dialog; bob rolls it back."""
    before = _role(demo)
    _look_as(browser, story.ALICE)
    browser.say("/iam-audit role DBAdminRole account=prod")
    browser.sees("2 of 25 services used in 90 days", seconds=40)
    browser.press("Open a ticket")
    browser.sees("Edit db-admin-inline: take out", "#modal")
    # By keyboard alone: the field of what goes has the focus; Backspace takes away the last of its names.
    assert browser.run("return document.activeElement.closest('.block').dataset.block") == "edit"
    assert "timestream" in browser.text("#modal .chips")
    browser.keys(Keys.BACKSPACE)
    browser.until(lambda: "timestream" not in browser.text("#modal .chips"))
    browser.run("document.querySelector('#modal [type=submit]').focus()")
    browser.keys(Keys.ENTER)
    browser.sees("Please complete this required field", "#modal")  # no ticket without a reason
    assert browser.run("return document.activeElement.closest('.block').dataset.block") == "reason"
    browser.keys("Nobody has used these for a year", Keys.TAB)
    browser.until(lambda: browser.run("return document.activeElement.closest('#modal footer') !== null"))
    browser.keys(Keys.TAB, Keys.ENTER)
    browser.until(lambda: not browser.find("#modal[open]"))
    browser.sees("remove 19 of 25 services from DBAdminRole")
    assert "Nobody has used these for a year" in browser.messages()[-1]
    assert _role(demo) == before

    _look_as(browser, story.CAROL)
    browser.press("Approve")
    browser.sees("Approve ticket ", "#ask")
    assert "the only approval needed: the change starts at once" in browser.text("#ask")
    browser.press("Not yet", "#ask")
    browser.until(lambda: not browser.find("#ask[open]"))
    assert "Waiting for approval, 0 of 1" in browser.messages()[-1]
    browser.press("Approve")
    browser.press("Approve and change", "#ask")
    browser.until(lambda: "lost 19 of 25 services" in browser.messages()[-1])  # said after it is true
    assert "approved by @carol" in browser.messages()[-1]
    after = _role(demo)
    assert "timestream:*" in after["inline"]["db-admin-inline"]
    assert "redshift:*" not in after["inline"]["db-admin-inline"]

    _look_as(browser, story.BOB)
    browser.press("Roll back…")
    browser.sees("This writes to AWS as soon as you press Roll back", "#modal")
    assert browser.run("return document.activeElement.type") == "radio"
    browser.press("Roll back", "#modal")
    browser.until(lambda: "Rolled back" in browser.messages()[-1])
    assert _role(demo) == before
    assert browser.complaints() == []


def test_what_happens_behind_its_back(demo: Demo, browser: Browser) -> None:
    """The World drawer edits the policy of the open ticket by hand; the approval then writes nothing."""
    _look_as(browser, story.ALICE)
    browser.say("/iam-audit role deploy-service-02 account=prod")
    browser.sees("deploy-service-02: 0 of 3 services used", seconds=40)
    browser.press("Open a ticket")
    browser.sees("Edit deploy: take out", "#modal")
    browser.run("document.querySelector('#modal textarea').focus()")
    browser.keys("Never used")
    browser.press("Open the ticket", "#modal")
    browser.until(lambda: "Waiting for approval, 0 of 1" in browser.messages()[-1])
    browser.press("World", "#side")
    browser.until(lambda: browser.find("#knobs [data-knob='meddle']"))
    browser.run("document.querySelector('#knobs [data-knob=meddle]').click()")
    browser.sees("ByHand1 was added to a policy of deploy-service-02", "#toast")
    by_hand = _role(demo, "role/deploy-service-02")
    assert "sns:Publish" in by_hand["inline"]["deploy"]
    browser.press("World", "#side")
    _look_as(browser, story.CAROL)
    browser.press("Approve")
    browser.press("Approve and change", "#ask")
    browser.until(lambda: "stopped before writing anything" in browser.messages()[-1])
    assert _role(demo, "role/deploy-service-02") == by_hand
    assert browser.complaints() == []
