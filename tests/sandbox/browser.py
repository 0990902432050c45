"""A real browser on the page: Debian's chromium, driven by selenium. What a person does there, in a few words."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
).split()

# The last shown button with these words at the beginning of a line; its accessible name counts where it shows none.
_PRESS = """
const said = (b) => (b.innerText.trim() || b.getAttribute('aria-label') || '');
const all = [...document.querySelectorAll(arguments[0] + ' button')].filter((b) => said(b).split('\\n').some((line) => line.startsWith(arguments[1])) && b.checkVisibility() && !b.disabled);
const it = all.at(-1);
if (!it) return false;
it.scrollIntoView({block: 'center'});
it.focus();
it.click();
return true;
"""


def available() -> bool:
    """Whether chromium and its driver are here."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Browser:
    """The few things that a person does with the page."""

    def __init__(self, *, dark: bool = False, size: tuple[int, int] = (1280, 900)) -> None:
        os.environ.setdefault("SE_OFFLINE", "true")
        os.environ.setdefault("SE_AVOID_STATS", "true")
        self._profile = tempfile.TemporaryDirectory(prefix="page-", ignore_cleanup_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in (*FLAGS, f"--user-data-dir={self._profile.name}", f"--window-size={size[0]},{size[1]}"):
            options.add_argument(flag)
        service = webdriver.ChromeService(str(shutil.which("chromedriver")))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_window_size(*size)
        if dark:
            self.prefer("dark")

    def close(self) -> None:
        self.driver.quit()
        self._profile.cleanup()

    def prefer(self, theme: str, width: int = 0) -> None:
        """What the system says of light and dark; `width` makes the view as narrow as a phone's."""
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        if width:
            size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        else:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def open(self, url: str) -> None:
        self.driver.get(url)
        self.until(lambda: self.find("#channels button"))

    def until(self, found: Callable[[], Any], seconds: float = 15) -> Any:
        """What `found` returns once it is something."""
        return WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda _d: found())

    def find(self, css: str) -> list[Any]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, css))

    def run(self, script: str, *args: Any) -> Any:
        """What a script on the page returns."""
        return self.driver.execute_script(script, *args)

    def text(self, css: str) -> str:
        """What is shown there, as one text; redrawn parts are read anew."""
        script = "return [...document.querySelectorAll(arguments[0])].map(n => n.innerText).join('\\n')"
        return str(self.run(script, css))

    def messages(self, within: str = "#messages") -> list[str]:
        """What each message there shows, oldest first."""
        script = (
            "return [...document.querySelectorAll(arguments[0] + ' article')].map(n => n.innerText.trim())"
        )
        return [str(m) for m in self.run(script, within)]

    def sees(self, words: str, within: str = "#messages", seconds: float = 15) -> None:
        """Wait until these words are shown."""
        self.until(lambda: words in self.text(within), seconds)

    def say(self, text: str) -> None:
        """Type this into the composer and send it."""
        self.find("#text")[0].send_keys(text, Keys.ENTER)

    def keys(self, *keys: str) -> None:
        """Whatever has the focus gets these keys."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def press(self, label: str, within: str = "#messages") -> None:
        """The last button whose words begin so."""
        self.until(lambda: self.run(_PRESS, within, label))

    def become(self, user: str) -> None:
        """Switch to another person."""
        self.run(
            "const me = document.querySelector('#me'); me.value = arguments[0]; me.dispatchEvent(new Event('change'))",
            user,
        )

    def complaints(self) -> list[str]:
        """What the browser itself logged as wrong since this was last asked."""
        return [
            str(e["message"]) for e in self.driver.get_log("browser") if e["level"] in {"SEVERE", "WARNING"}
        ]

    def picture(self, path: str) -> None:
        self.driver.save_screenshot(path)
