"""`python -m tests.sandbox.picture FILE`: the card of the README, from the product, as a browser shows it."""

from __future__ import annotations

import sys

from tests.sandbox.__main__ import Demo
from tests.sandbox.browser import Browser


def main(path: str) -> int:
    with Demo() as demo:
        demo.start_bot()
        browser = Browser(size=(1180, 920))
        try:
            browser.open(f"{demo.slack.url}/")
            browser.say("/iam-audit role DBAdminRole account=prod")
            browser.until(lambda: "2 of 25 services used" in browser.text("#messages"))
            browser.until(lambda: "1 reply" in browser.text("#messages"))
            browser.run(
                "document.querySelector('#messages .day').remove()"
            )  # its words reach into the picture
            browser.find("#messages article")[-1].screenshot(path)
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
