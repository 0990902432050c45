"""A real browser on the page: Debian's chromium, driven by selenium."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
).split()


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
        for flag in (*FLAGS, f"--user-data-dir={self._profile.name}", f"--window-size={size[0]},{size[1]}"):
            options.add_argument(flag)
        if dark:
            options.add_argument("--force-dark-mode")
        self.driver = webdriver.Chrome(
            options=options, service=webdriver.ChromeService(str(shutil.which("chromedriver")))
        )
        self.driver.set_window_size(*size)

    def close(self) -> None:
        self.driver.quit()
        self._profile.cleanup()

    def open(self, url: str) -> None:
        self.driver.get(url)
        self.until(lambda: self.find("#channels button"))

    def until(self, found: Any, seconds: float = 40) -> Any:
        return WebDriverWait(self.driver, seconds, poll_frequency=0.1).until(lambda _d: found())

    def find(self, css: str) -> list[Any]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, css))

    def text(self, css: str) -> str:
        """What is shown there, as one text; redrawn parts are read anew."""
        return str(
            self.driver.execute_script(
                "return [...document.querySelectorAll(arguments[0])].map(n => n.innerText).join('\\n')", css
            )
        )

    def say(self, text: str) -> None:
        box = self.find("#text")[0]
        box.send_keys(text, Keys.ENTER)

    def keys(self, *keys: str) -> None:
        """Whatever has the focus gets these keys."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def press(self, label: str, within: str = "#messages") -> None:
        """The last button of this label."""
        script = (
            "const all = [...document.querySelectorAll(arguments[0] + ' button')].filter(b => b.innerText.trim().startsWith(arguments[1]));"
            "const it = all.at(-1); if (!it) return false; it.scrollIntoView({block: 'center'}); it.click(); return true;"
        )
        self.until(lambda: self.driver.execute_script(script, within, label))

    def picture(self, path: str) -> None:
        self.driver.save_screenshot(path)
