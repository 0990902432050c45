"""The page in a real browser, against the real bot: type, see the card, press, see the thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.sandbox.__main__ import Demo
from tests.sandbox.browser import Browser

pytestmark = pytest.mark.browser

ALICE, GUEST = "U0ALICE0001", "U0GUEST0001"


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with Demo() as demo:
        demo.start_bot()
        yield demo


@pytest.fixture(scope="module")
def browser(demo: Demo) -> Iterator[Browser]:
    with closing(Browser()) as browser:
        browser.open(f"{demo.slack.url}/?user={ALICE}")
        yield browser


def test_the_main_job_in_a_browser(browser: Browser) -> None:
    """Type the command, see the card by itself, press a button, read the thread; then the form by keyboard alone."""
    browser.say("/iam-audit role DBAdminRole account=prod")
    browser.sees("2 of 25 services used in 90 days", seconds=40)
    browser.press("What grants it")
    browser.press("2 replies")
    browser.sees("db-admin-inline", "#replies")
    browser.press("Chart")
    browser.until(lambda: browser.find("#replies img[alt*='2 used in 90 days']"), 40)
    browser.press("Export CSV")
    browser.sees(".csv", "#replies")
    assert browser.find("#replies table caption")

    browser.say("/iam-audit rol X")
    browser.sees("Only visible to you")

    browser.say("/iam-audit")
    browser.until(lambda: browser.run("return document.activeElement.id") == "in-entity")
    browser.keys("TestRole")
    browser.until(lambda: browser.text("#modal [role=option].at").startswith("TestRole-DeleteLater"))
    browser.keys("\ue007")  # enter
    browser.press("Start the audit", "#modal")
    browser.sees("TestRole-DeleteLater: 0 of 3 services used")
    assert browser.complaints() == []


def test_planted_words_are_dead(browser: Browser) -> None:
    """Names, paths and descriptions that look like markup stay words."""
    browser.say("/iam-audit role _admin_=x,all@corp account=prod")
    browser.sees("_admin_=x,all@corp: 0 of 2", seconds=40)
    assert "<https://evil.example|AWS console>" in browser.text("#messages")
    assert not browser.find("#messages a[href*=evil]")


def test_it_is_somebody_elses_page(browser: Browser) -> None:
    """Another person sees no private answers of the first, and a guest is refused privately."""
    browser.become(GUEST)
    browser.until(lambda: "Only visible to you" not in browser.text("#messages"))
    browser.say("/iam-audit role DBAdminRole")
    browser.sees("Guests may not use IAM Audit")
    browser.become(ALICE)
    browser.until(lambda: "Guests may not use IAM Audit" not in browser.text("#messages"))
