"""App Home in a real browser, against the real bot: what waits, its buttons, and that it keeps up by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from selenium.webdriver.common.keys import Keys

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.sandbox.browser import Browser

pytestmark = pytest.mark.browser


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


def _home_of(browser: Browser, user: str) -> None:
    browser.become(user)
    browser.until(lambda: browser.run("return document.querySelector('#me').value") == user)
    browser.press("App Home", "#side")


def _keep(demo: Demo) -> None:
    """What dave kept a while ago."""
    with closing(sqlite3.connect(demo.database, timeout=10)) as file, file:
        file.execute(
            "INSERT INTO keep (entity_id, service, user, until, reason, created_at) SELECT entity_id, 'kms', ?, "
            "'2999-01-01T00:00:00.000000Z', 'yearly rotation', created_at FROM ticket",
            (story.DAVE,),
        )


def test_from_the_first_look_to_what_waits(demo: Demo, browser: Browser) -> None:
    """alice begins at an empty home; carol's says what waits and leads to it; dave ends his keep there."""
    _home_of(browser, story.ALICE)
    browser.sees("Nothing waits for you", "#home")
    browser.press("New audit…", "#home")
    browser.sees("An audit reads. It changes nothing in AWS.", "#modal")
    browser.until(lambda: browser.find("#in-arn"))
    browser.run("document.querySelector('#in-arn').focus()")
    browser.keys("role DBAdminRole account=prod")
    browser.press("Start the audit", "#modal")
    browser.sees(
        "DBAdminRole, prod: 2 of 25 used", "#home", seconds=40
    )  # by itself, and it leads to the card
    browser.run("document.querySelector('#home a').click()")
    browser.sees("2 of 25 services used in 90 days")
    browser.press("Open a ticket")
    browser.sees("Edit db-admin-inline: take out", "#modal")
    browser.run("document.querySelector('#modal textarea').focus()")
    browser.keys("Never used")
    browser.press("Open the ticket", "#modal")
    browser.until(lambda: not browser.find("#modal[open]"))
    browser.sees("Waiting for approval, 0 of 1")

    _home_of(browser, story.CAROL)
    browser.sees("Waiting for you: 1", "#home")
    browser.press("Go to ticket 1", "#home")

    _keep(demo)
    _home_of(browser, story.DAVE)
    browser.sees("Waiting for approval, ticket 1", "#home")
    browser.sees("kms for DBAdminRole (role in prod), until 1 Jan 2999: “yearly rotation”", "#home")
    browser.press("End it", "#home")
    browser.sees("Nothing is removed now.", "#ask")
    browser.keys(Keys.ENTER)
    browser.until(lambda: "Keeps" not in browser.text("#home"))
    assert browser.complaints() == []
