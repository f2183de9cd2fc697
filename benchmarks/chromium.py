"""Chromium without a window, as benchmarks and tests of the page drive it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def found(*names: str) -> str:
    """The path of the first of some programs that there is."""
    return next(filter(None, map(shutil.which, names)), "")


def is_installed() -> bool:
    return bool(found(*_BROWSERS) and found("chromedriver"))


@contextlib.contextmanager
def launched() -> Iterator[Chrome]:
    """A browser, closed at the end."""
    options = ChromeOptions()
    options.binary_location = found(*_BROWSERS)
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, Service(found("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def complaints(browser: Chrome) -> list[str]:
    """What the browser's console says, since it was last asked."""
    entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries]


def show(
    browser: Chrome, page: Path, size: str = "desktop", scheme: str = "light", anchor: str = ""
) -> None:
    """Load the page as a screen of this size shows it."""
    width, height = SIZES[size]
    command = browser.execute_cdp_cmd
    command(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    command("Emulation.setEmulatedMedia", {"media": "", "features": features})
    complaints(browser)  # what was said before
    browser.get("about:blank")
    browser.get(page.as_uri() + anchor)


def ask(browser: Chrome, script: str, *arguments: object) -> Any:
    """What an expression of JavaScript is worth."""
    return browser.execute_script(f"return {script}", *arguments)
