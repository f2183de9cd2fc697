"""The HTML report in a real browser: Chromium, without a window and without network."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from chromium import SCHEMES, SIZES, ask, complaints, is_installed, launched, show
from page import many
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import examples
from pytest_loaderperf.reports import html

_PATIENCE = 20  # seconds
_MANY = 200
SLOWER = "tests/perf/test_images.py::test_photos-32"  # the anchor of the check that got slower
ROWS = "document.querySelectorAll('.forest .row:not([hidden])').length"
SHOWN = "document.getElementById('shown').textContent"

pytestmark = pytest.mark.skipif(
    not is_installed(),
    reason="needs a browser: install Debian's chromium and chromium-driver, say",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with launched() as driver:
        yield driver


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    """Of 12 checks, with an example of everything."""
    path = folder / "report.html"
    path.write_text(html.render(examples.run(), examples.sweeps(), examples.histories()), "utf-8")
    return path


@pytest.fixture(scope="module")
def long_page(folder: Path) -> Path:
    """Of 200 checks."""
    path = folder / "long.html"
    path.write_text(html.render(many(examples.run(), _MANY), [], {}), "utf-8")
    return path


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def wait_for(browser: Chrome, condition: Callable[[], object]) -> None:
    WebDriverWait(browser, _PATIENCE).until(lambda _: condition())


def open_all(browser: Chrome) -> None:
    """Open every section, and bring every chart that is shown into view until it is drawn."""
    ask(browser, "document.querySelectorAll('details').forEach((each) => (each.open = true))")
    for chart in browser.find_elements(By.CSS_SELECTOR, "[data-chart]:not([data-chart=strip])"):
        browser.execute_script("arguments[0].scrollIntoView()", chart)
        wait_for(browser, partial(chart.find_elements, By.TAG_NAME, "svg"))


def violations(browser: Chrome, axe: str) -> list[Any]:
    """What axe-core finds to be wrong, by its rules for WCAG and its best practices."""
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then((r) => arguments[0](r.violations))"
    )
    return [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_is_drawn_without_a_complaint_and_fits_and_all_can_read_it(
    browser: Chrome, page: Path, axe: str, tmp_path: Path, size: str, scheme: str
) -> None:
    show(browser, page, size, scheme)
    open_all(browser)
    assert complaints(browser) == []
    wide = ask(browser, "[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1] == SIZES[size][0]
    screenshot = tmp_path / f"{size}-{scheme}.png"
    assert browser.save_screenshot(str(screenshot))
    assert screenshot.stat().st_size > 10_000
    assert violations(browser, axe) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_page_of_200_checks_fits_and_all_can_read_it(
    browser: Chrome, long_page: Path, axe: str, size: str, scheme: str
) -> None:
    show(browser, long_page, size, scheme)
    wait_for(browser, lambda: ask(browser, "document.querySelector('.row svg')"))
    wide = ask(browser, "[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1] == SIZES[size][0]
    assert complaints(browser) == []
    # Axe skips what is folded, and takes its time for that; it has seen it on the other page.
    ask(browser, "document.querySelectorAll('details:not([open])').forEach((e) => e.remove())")
    assert violations(browser, axe) == []


def test_the_first_screen_has_the_verdict_and_what_failed(browser: Chrome, page: Path) -> None:
    show(browser, page)
    wait_for(browser, lambda: ask(browser, "document.querySelector('.row svg')"))
    ends = "[...document.querySelectorAll('h1, .lead, .why, #shown, .failed .row')].map((each) => "
    assert max(ask(browser, f"{ends} each.getBoundingClientRect().bottom)")) < SIZES["desktop"][1]


def test_every_kind_of_chart_shows_its_numbers(browser: Chrome, page: Path) -> None:
    show(browser, page)
    open_all(browser)
    counts = ask(
        browser,
        "Object.fromEntries([...document.querySelectorAll('#' + CSS.escape(arguments[0]) + "
        "' [data-chart], section > [data-chart]')].map((each) => [each.dataset.chart + "
        "(each.dataset.metric ?? each.dataset.side ?? ''), "
        "[each.querySelectorAll('circle, [aria-label=dot] path').length, "
        "each.querySelectorAll('[aria-label=line] path, [aria-label=rect] rect').length]]))",
        SLOWER,
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


def test_the_forest_has_one_scale_on_which_worse_lies_to_the_left(
    browser: Chrome, page: Path
) -> None:
    show(browser, page)
    open_all(browser)
    drawn = ask(
        browser,
        "[...document.querySelectorAll('.row')].filter((each) => each.querySelector('svg'))"
        ".map((each) => [each.dataset.verdict, Number(each.querySelector('circle').getAttribute("
        "'cx')), Number(each.querySelectorAll('[aria-label=rule] line')[1].getAttribute('x1'))])",
    )
    sides = {verdict: dot - same for verdict, dot, same in drawn}
    assert len({round(same, 1) for _, _, same in drawn}) == 1
    assert sides["regressed"] < -40
    assert sides["improved"] > 40
    assert abs(sides["unchanged"]) < 10


def test_charts_are_drawn_anew_when_the_width_changes(browser: Chrome, page: Path) -> None:
    show(browser, page)
    open_all(browser)
    width = "document.querySelector('[data-chart=pairs] svg').getBoundingClientRect().width"
    before = ask(browser, width)
    narrow = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    wait_for(browser, lambda: ask(browser, width) < before)


def test_a_link_to_nothing_is_no_fault(browser: Chrome, page: Path) -> None:
    show(browser, page, anchor="#100%")
    assert complaints(browser) == []


def test_a_row_and_a_permanent_link_unfold_their_check(browser: Chrome, long_page: Path) -> None:
    show(browser, long_page)
    row = browser.find_element(By.CSS_SELECTOR, ".improved .row a")
    anchor = str(row.get_attribute("hash"))[1:]
    section = browser.find_element(By.ID, anchor)
    assert section.get_attribute("open") is None
    row.send_keys(Keys.ENTER)
    wait_for(browser, lambda: section.get_attribute("open"))
    assert ask(browser, "document.activeElement.parentElement.id") == anchor
    # The address that is now in the browser, opened anew.
    show(browser, long_page, anchor=f"#{anchor}")
    section = browser.find_element(By.ID, anchor)
    assert section.get_attribute("open")
    wait_for(browser, lambda: ask(browser, "document.activeElement.parentElement.id") == anchor)
    top = "document.activeElement.getBoundingClientRect().top"
    assert 0 <= ask(browser, top) < SIZES["desktop"][1]


def test_filters_work_by_keyboard_and_say_how_many_are_left(
    browser: Chrome, long_page: Path
) -> None:
    show(browser, long_page)
    keys = browser.switch_to.active_element
    keys.send_keys(Keys.TAB, Keys.TAB)  # past the link to the worst check
    assert ask(browser, "document.activeElement.name") == "failed"
    failed = ask(browser, "document.querySelectorAll('[data-failed]').length")
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert ask(browser, ROWS) == failed
    assert ask(browser, SHOWN) == f"{failed} of 200 checks"
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert ask(browser, SHOWN) == "200 checks"
    # Words are found in names and in reasons, and what is folded is unfolded.
    field = browser.find_element(By.NAME, "text")
    field.send_keys("test_rows_3 UNCHANGED")
    found = ask(browser, ROWS)
    assert 0 < found < 20
    assert ask(browser, SHOWN) == f"{found} of 200 checks"
    assert ask(browser, "document.querySelector('.rest .row:not([hidden])').clientHeight") > 0
    shown = "document.querySelectorAll('details.check:not([hidden])').length"
    assert ask(browser, shown) == found
    # A link to what is filtered out shows all again.
    ask(browser, f"(location.hash = '{SLOWER}')")
    wait_for(browser, lambda: ask(browser, SHOWN) == "200 checks")
    assert ask(browser, "document.querySelector('#group-rest').className") == "rest folded"
    field.send_keys("no check is called so")
    assert ask(browser, SHOWN) == "0 of 200 checks"
    browser.find_element(By.CSS_SELECTOR, "[type=reset]").send_keys(Keys.ENTER)
    wait_for(browser, lambda: ask(browser, ROWS) == _MANY)


def test_verdicts_can_be_put_together(browser: Chrome, page: Path) -> None:
    show(browser, page)
    for verdict, rows in (("improved", 1), ("measured", 6)):
        browser.find_element(By.CSS_SELECTOR, f"[value={verdict}]").send_keys(Keys.SPACE)
        assert ask(browser, ROWS) == rows


def test_groups_fold_by_keyboard(browser: Chrome, long_page: Path) -> None:
    show(browser, long_page)
    button = browser.find_element(By.CSS_SELECTOR, "#group-rest button")
    row = "document.querySelector('#group-rest .row').clientHeight"
    assert (button.get_attribute("aria-expanded"), ask(browser, row)) == ("false", 0)
    strip = "document.querySelectorAll('#group-rest .head [aria-label=tick] line').length"
    browser.execute_script("arguments[0].scrollIntoView()", button)
    wait_for(browser, lambda: ask(browser, strip) > 10)
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    assert ask(browser, row) > 0


def test_on_paper_all_is_shown_that_is_not_filtered_out(browser: Chrome, page: Path) -> None:
    show(browser, page, scheme="dark")
    browser.find_element(By.CSS_SELECTOR, "[value=unchanged]").send_keys(Keys.SPACE)
    open_then = "[...document.querySelectorAll('details')].every((each) => each.open)"
    ask(browser, f"addEventListener('beforeprint', () => (window.printed = {open_then}))")
    closed = "document.querySelectorAll('details:not([open])').length"
    before = ask(browser, closed)
    pdf = browser.execute_cdp_cmd("Page.printToPDF", {})["data"]
    assert base64.b64decode(pdf).startswith(b"%PDF")
    assert ask(browser, "window.printed") is True
    assert ask(browser, closed) == before  # folded again
    ask(browser, "dispatchEvent(new Event('beforeprint'))")
    assert ask(browser, closed) == 0
    undrawn = "[...document.querySelectorAll('[data-chart]')].filter((each) => " \
        "each.clientWidth && !each.querySelector('svg')).length"  # fmt: skip
    assert ask(browser, undrawn) == 0
    ask(browser, "dispatchEvent(new Event('afterprint'))")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    style = "getComputedStyle(document.{}).{}"
    assert ask(browser, style.format("body", "backgroundColor")) == "rgb(255, 255, 255)"
    field = style.format("querySelector('[type=search]')", "display")
    assert ask(browser, field) == "none"
    assert ask(browser, ROWS) == 1


def test_without_scripts_all_numbers_are_there(browser: Chrome, long_page: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, long_page)
        cells = browser.find_elements(By.CSS_SELECTOR, "#group-rest .row .of-change .words")
        assert len(cells) > 50
        assert all(each.text for each in cells[:5])  # what is not displayed has no text
        assert not browser.find_element(By.NAME, "text").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_dark_is_dark(browser: Chrome, page: Path) -> None:
    grounds = []
    for scheme in SCHEMES:
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
    assert named["heading"][0] == "A loader could not be measured"
    rows = {each.replace(" ", "") for each in named["rowheader"]}
    headings = [each.replace(" ", "") for each in named["heading"]]
    for result in results:
        assert result.nodeid.replace(" ", "") in rows
        assert result.nodeid.replace(" ", "") in headings
    assert {"banner", "main", "contentinfo", "search", "status"} <= named.keys()
    assert all(named["link"])
    assert all(named["checkbox"] + named["searchbox"])
    # What scrolls can be reached by keyboard, and has a name.
    scrolled = "[...document.querySelectorAll('.wide, pre')].map((e) => [e.tabIndex, e.ariaLabel])"
    assert all(index == 0 and name for index, name in ask(browser, scrolled))
    assert all(named["table"])
    assert "image" not in named  # charts are hidden: their numbers are in the text
    assert not [each for each in named if each.lower().startswith(("svg", "graphics"))]
    assert "Pairs: 0.780, 0.810, 0.800, 0.790." in json.dumps(named["StaticText"])


def test_no_network_is_asked_for(browser: Chrome, page: Path) -> None:
    show(browser, page)
    open_all(browser)
    assert ask(browser, "performance.getEntriesByType('resource').map((each) => each.name)") == []
