"""The page in a real browser, against the real bot: type, see the card, press, see the thread."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.sandbox.__main__ import Demo
from tests.sandbox.browser import Browser, available

pytestmark = [
    pytest.mark.browser,
    # On CI the browser is installed: there a missing one is a failure, never a skip.
    pytest.mark.skipif(
        not available() and not os.environ.get("CI"), reason="chromium and chromedriver are not installed"
    ),
]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with Demo() as demo:
        demo.start_bot()
        yield demo


@pytest.fixture(scope="module")
def browser(demo: Demo) -> Iterator[Browser]:
    browser = Browser()
    try:
        browser.open(f"{demo.slack.url}/")
        yield browser
    finally:
        browser.close()


def test_the_main_job_in_a_browser(demo: Demo, browser: Browser) -> None:
    """Type the command, see the card by itself, press a button, read the thread; then the form by keyboard alone."""
    browser.say("/iam-audit role DBAdminRole account=prod")
    browser.until(lambda: "2 of 25 services used in 90 days" in browser.text("#messages"))
    browser.press("What grants it")
    browser.until(
        lambda: "3 replies" in browser.text("#messages") or "2 replies" in browser.text("#messages")
    )
    browser.press("2 replies")
    browser.until(lambda: "db-admin-inline" in browser.text("#replies"))
    browser.press("Chart")
    browser.until(lambda: browser.find("#replies img[alt*='2 used in 90 days']"), 40)
    browser.press("Export CSV")
    browser.until(lambda: ".csv" in browser.text("#replies"))
    assert browser.text("table caption")

    browser.say("/iam-audit rol X")
    browser.until(lambda: "Only visible to you" in browser.text("#messages"))

    browser.say("/iam-audit")
    browser.until(lambda: "Role, user, group or policy" in browser.text("#modal"))
    browser.driver.execute_script("document.querySelector('#in-entity').focus()")
    browser.keys("T")
    browser.until(lambda: "TestRole-DeleteLater" in browser.text("#modal [role=listbox]"))
    names = browser.text("#modal [role=option]").split("\n")
    at = [n for n in names if "services" not in n and "audited" not in n and "service" not in n].index(
        "TestRole-DeleteLater"
    )
    for _ in range(at + 1):
        browser.keys("\ue015")  # arrow down
    browser.keys("\ue007")  # enter
    browser.press("Start the audit", "#modal")
    browser.until(lambda: "TestRole-DeleteLater: 0 of 3 services used" in browser.text("#messages"))


def test_planted_words_are_dead(demo: Demo, browser: Browser) -> None:
    """Names, paths and descriptions that look like markup stay words."""
    browser.say("/iam-audit role _admin_=x,all@corp account=prod")
    browser.until(lambda: "_admin_=x,all@corp: 0 of 2" in browser.text("#messages"))
    assert "<https://evil.example|AWS console>" in browser.text("#messages")
    assert not browser.find("#messages a[href*=evil]")


def test_it_is_somebody_elses_page(demo: Demo, browser: Browser) -> None:
    """Another person sees no private answers of the first, and a guest is refused privately."""
    script = "const me = document.querySelector('#me'); me.value = arguments[0]; me.dispatchEvent(new Event('change'))"
    browser.driver.execute_script(script, "U0GUEST0001")
    browser.until(lambda: "Only visible to you" not in browser.text("#messages"))
    browser.say("/iam-audit role DBAdminRole")
    browser.until(lambda: "Guests may not use IAM Audit" in browser.text("#messages"))
    browser.driver.execute_script(script, "U0ALICE0001")


def test_dark_and_narrow(browser: Browser) -> None:
    """Light and dark differ, and nothing is wider than a narrow window."""
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = browser.driver.execute_script(colour)
    browser.press("Light or dark", "#side")
    assert browser.driver.execute_script(colour) != light
    browser.driver.set_window_size(500, 800)
    assert browser.driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    browser.driver.set_window_size(1280, 900)
    browser.press("Light or dark", "#side")
    assert browser.driver.execute_script(colour) == light
