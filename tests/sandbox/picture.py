"""`python -m tests.sandbox.picture CARD TICKET`: the cards of the README, from the product, as a browser shows them."""

from __future__ import annotations

import sys

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.sandbox.browser import Browser


def main(card: str, ticket: str) -> int:
    with Demo() as demo:
        demo.start_bot()
        browser = Browser(size=(1180, 920))
        try:
            browser.open(f"{demo.slack.url}/?user={story.ALICE}")
            browser.say("/iam-audit role DBAdminRole account=prod")
            browser.sees("2 of 25 services used")
            browser.sees("1 reply")
            _last(browser, card)
            browser.press("Open a ticket")
            browser.sees("take out", "#modal")
            browser.run("document.querySelector('#modal textarea').focus()")
            browser.keys("Nobody has used these for a year; the database team knows")
            browser.press("Open the ticket", "#modal")
            browser.sees("Waiting for approval")
            browser.become(story.ERIN)
            browser.sees("Waiting for approval")
            _last(browser, ticket)
        finally:
            browser.close()
    return 0


def _last(browser: Browser, path: str) -> None:
    """The newest message; the words of the day's line would reach into the picture of the first."""
    browser.run("document.querySelector('#messages .day')?.remove()")
    browser.find("#messages article")[-1].screenshot(path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
