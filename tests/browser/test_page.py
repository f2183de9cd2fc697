"""The HTML report in a real browser: Chromium, without a window and without network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import examples
from pytest_loaderperf.reports import html

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 20  # seconds


def found(*names: str) -> str:
    """The path of the first of some programs that there is."""
    return next(filter(None, map(shutil.which, names)), "")


pytestmark = pytest.mark.skipif(
    not (found(*BROWSERS) and found("chromedriver")),
    reason="needs a browser: install Debian's chromium and chromium-driver, say",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = found(*BROWSERS)
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, Service(found("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.render(examples.run(), examples.sweeps(), examples.histories()), "utf-8")
    return path


def complaints(browser: Chrome) -> list[str]:
    """What the browser's console says, since it was last asked."""
    entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries]


def show(browser: Chrome, page: Path, size: str = "desktop", scheme: str = "light") -> None:
    """Load the page as a screen of this size shows it."""
    width, height = SIZES[size]
    command = browser.execute_cdp_cmd
    command(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    command("Emulation.setEmulatedMedia", {"features": features})
    complaints(browser)  # what was said before
    browser.get("about:blank")
    browser.get(page.as_uri())


def ask(browser: Chrome, script: str) -> Any:
    return browser.execute_script(f"return {script}")


def wait_for(browser: Chrome, condition: Callable[[], object]) -> None:
    WebDriverWait(browser, _PATIENCE).until(lambda _: condition())


def open_all(browser: Chrome) -> None:
    """Open every section, and bring every chart into view until it is drawn."""
    ask(browser, "document.querySelectorAll('details').forEach((each) => (each.open = true))")
    for chart in browser.find_elements(By.CSS_SELECTOR, "[data-chart]"):
        browser.execute_script("arguments[0].scrollIntoView()", chart)
        wait_for(browser, partial(chart.find_elements, By.TAG_NAME, "svg"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_is_drawn_without_a_complaint_and_fits(
    browser: Chrome, page: Path, tmp_path: Path, size: str, scheme: str
) -> None:
    show(browser, page, size, scheme)
    open_all(browser)
    assert complaints(browser) == []
    wide = ask(browser, "[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1] == SIZES[size][0]
    screenshot = tmp_path / f"{size}-{scheme}.png"
    assert browser.save_screenshot(str(screenshot))
    assert screenshot.stat().st_size > 10_000


def test_every_kind_of_chart_shows_its_numbers(browser: Chrome, page: Path) -> None:
    show(browser, page)
    open_all(browser)
    counts = ask(
        browser,
        "Object.fromEntries([...document.querySelectorAll('#check-0 [data-chart], "
        "section [data-chart]')].map((each) => [each.dataset.chart + "
        "(each.dataset.metric ?? each.dataset.side ?? ''), "
        "[each.querySelectorAll('circle, [aria-label=dot] path').length, "
        "each.querySelectorAll('[aria-label=line] path, [aria-label=rect] rect').length]]))",
    )
    assert counts == {
        "sweep": [10, 2],  # five sizes in two charts
        "pairsthroughput": [5, 1],  # four pairs, and all of them; what the tolerance forbids
        "pairspeak_memory": [5, 1],
        "callscandidate": [0, 9],  # eight calls, and a sample
        "callsbaseline": [0, 8],
        "memory": [0, 4],  # three processes, and their sum
        "historythroughput": [13, 2],  # 13 commits, on two machines
        "historypeak_memory": [13, 2],
    }


def test_charts_are_drawn_anew_when_the_width_changes(browser: Chrome, page: Path) -> None:
    show(browser, page)
    open_all(browser)
    width = "document.querySelector('[data-chart=pairs] svg').getBoundingClientRect().width"
    before = ask(browser, width)
    narrow = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    wait_for(browser, lambda: ask(browser, width) < before)


def test_a_link_of_the_overview_opens_its_check(browser: Chrome, page: Path) -> None:
    show(browser, page)
    section = browser.find_element(By.ID, "check-1")
    assert section.get_attribute("open") is None
    browser.find_element(By.CSS_SELECTOR, "a[href='#check-1']").click()
    wait_for(browser, lambda: section.get_attribute("open"))


def test_dark_is_dark(browser: Chrome, page: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        show(browser, page, scheme=scheme)
        grounds.append(ask(browser, "getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


def test_a_screen_reader_finds_its_way(browser: Chrome, page: Path) -> None:
    """Of the accessibility tree, as Chromium hands it to one."""
    show(browser, page)
    open_all(browser)
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named: dict[str, list[str]] = {}
    for node in nodes:
        if not node["ignored"]:
            name = node.get("name", {}).get("value", "")
            named.setdefault(node["role"]["value"], []).append(name)
    results = examples.run().results
    (title,) = [each for each in named["heading"] if each.endswith("could not be measured")]
    assert title.startswith("❌")
    assert sum(result.nodeid in each for result in results for each in named["heading"]) >= len(
        results
    )
    assert {result.nodeid for result in results} <= set(named["rowheader"])
    assert all(named["link"])
    assert all(named["region"])  # what scrolls can be reached by keyboard, and has a name
    assert "image" not in named  # charts are hidden: their numbers are in the text
    assert not [each for each in named if each.lower().startswith(("svg", "graphics"))]
    assert "Pairs: 0.780, 0.810, 0.800, 0.790." in json.dumps(named["StaticText"])


def test_no_network_is_asked_for(browser: Chrome, page: Path) -> None:
    show(browser, page)
    open_all(browser)
    assert ask(browser, "performance.getEntriesByType('resource').map((each) => each.name)") == []
