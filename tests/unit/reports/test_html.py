"""The HTML report: what is in the page before a browser draws its charts."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import pytest

import examples
from pytest_loaderperf.model.results import Coverage, Run, Verdict
from pytest_loaderperf.reports import html
from pytest_loaderperf.reports.page.forest import anchors

ASSETS = resources.files("pytest_loaderperf") / "reports" / "assets"
# An element that may stand without an end tag.
_VOID = {"meta", "link", "br", "input"}


class Page(HTMLParser):
    """The elements of a page, whether they are balanced, and the text outside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text() -> str:
    return html.render(examples.run(), examples.sweeps(), examples.histories())


@pytest.mark.parametrize("number", [math.inf, math.nan])
@pytest.mark.parametrize("field", ["ratio", "tolerance", "value", "baseline"])
def test_charts_are_drawn_beside_numbers_that_json_lacks(field: str, number: float) -> None:
    run = examples.run()
    first, *others = run.results
    strange = {
        name: replace(each, **{field: number})  # type: ignore[arg-type]
        for name, each in first.metrics.items()
    }
    text = html.render(replace(run, results=[replace(first, metrics=strange), *others]), [], {})
    data = text.partition('id="data">')[2].partition("</script>")[0]
    assert not re.search("NaN|Infinity", data)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def data(text: str) -> dict[str, list[dict[str, object]]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    read: dict[str, list[dict[str, object]]] = json.loads(found[1])
    return read


def test_the_page_needs_nothing_else(page: Page) -> None:
    assert not [each for each in page.all("script") if "src" in each]
    assert [each["href"] for each in page.all("link")] == ["data:,"]
    assert not page.all("img")
    style = (ASSETS / "report.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


def test_it_says_the_verdict_first_and_then_how_much_and_why(page: Page) -> None:
    words = " ".join(page.words.split())
    assert words.startswith("❌ A loader could not be measured - loaderperf A loader could not")
    counts = {"improved": 1, "regressed": 1, "inconclusive": 1, "error": 1, "compared": 1}
    counts |= {"no_baseline": 1, "measured": 5, "failed": 3}
    said = words.split("Check by check")[0]
    assert all(f"{count} {verdict}" in said for verdict, count in counts.items())
    first, _, rows = said.partition("Each check by the metric that decides")
    assert "is 20.5 % worse (95 % interval: 19.0 % to 22.0 %); 10 % is tolerated" in first
    assert "made worse by imagesize" in first
    assert "20.5 % worse 0.795 [0.780, 0.810]" in rows
    assert "throughput 568 → 451 samples/s" in rows


def test_every_check_has_a_section_and_a_row_that_leads_there(page: Page) -> None:
    run = examples.run()
    sections = [str(each["id"]) for each in page.all("details")]
    assert sorted(sections) == sorted(anchors(each.nodeid for each in run.results))
    rows = [each for each in page.all("tr") if each.get("class") == "row"]
    names = [each["data-check"] for each in rows]
    assert names == [each["data-check"] for each in page.all("details")]
    assert sorted(map(str, names)) == sorted(each.nodeid for each in run.results)
    assert {f"#{each}" for each in sections} <= {each["href"] for each in page.all("a")}


def test_every_table_has_a_caption_and_every_id_is_one(page: Page) -> None:
    assert len(page.all("caption")) == len(page.all("table"))
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert len(ids) == len(set(ids))
    for landmark in ("header", "main", "footer"):
        assert len(page.all(landmark)) == 1


def test_what_failed_is_open(page: Page) -> None:
    opened = ["open" in each for each in page.all("details")]
    assert opened == [True] * 3 + [False] * (len(opened) - 3)


def test_a_regression_has_its_numbers_and_what_to_do(page: Page) -> None:
    assert "throughput regressed: 451 samples/s, baseline 568 samples/s" in page.words
    assert "Pairs: 0.780, 0.810, 0.800, 0.790." in page.words
    assert "--loaderperf-update" in page.words
    assert "the loader had added 60 MiB" in page.words
    assert "child 2 50 MiB" in page.words


def test_it_says_how_much_of_an_epoch_was_seen() -> None:
    run = examples.run()
    seen = Coverage(batches=38, epoch_batches=100)
    results = [replace(each, coverage=seen) for each in run.results[:4]]
    words = Page(html.render(replace(run, results=results), [], {})).words
    assert "4 checks: saw 38 % of an epoch, 38 of 100 batches" in words
    assert "unchanged in 38 % of an epoch" in words


def test_the_history_has_a_row_for_each_commit(page: Page) -> None:
    for machine in examples.MACHINES:
        assert machine in page.words
    for number in range(1, 14):
        assert f"{number:02x}00000000" in page.words
        assert f"Accept <i>number</i> {number}" in page.words


def test_nothing_that_a_name_holds_is_markup(text: str, page: Page) -> None:
    assert examples.HOSTILE in page.words
    assert "<oops>" in page.words
    assert not page.all("b") + page.all("oops") + page.all("i")
    assert len(page.all("script")) == 5  # one for the style, the data, and three that draw it
    assert "alert(1)</script>" not in text


def test_charts_get_what_was_measured(text: str) -> None:
    found = data(text)
    first = found["checks"][0]
    pairs = first["pairs"]
    assert isinstance(pairs, dict)
    assert set(pairs) == {"throughput", "peak_memory"}  # what is judged
    assert pairs["throughput"] == {
        "ratios": [0.78, 0.81, 0.8, 0.79],
        "ratio": pytest.approx(0.795),
        "interval": [0.78, 0.81],
        "limit": 0.9,
        "better": "higher",
    }
    assert pairs["peak_memory"]["limit"] == 1.1
    history = first["history"]
    assert isinstance(history, list)
    assert [each["throughput"] for each in history] == [*range(520, 741, 20), 900]
    (sweep,) = found["sweeps"]
    assert isinstance(sweep["points"], list)
    assert [point["setting"] for point in sweep["points"] if point["best"]] == [16]
    assert sweep["label"] == "batch size"
    assert sweep["limit"] == 100 * examples.MIB


def test_long_measurements_are_thinned() -> None:
    result = examples.check("a.py::b", Verdict.UNCHANGED, 1.0, 1.0)
    run = replace(examples.run(), results=[replace(result, memory=result.memory * 1000)])
    (found,) = data(html.render(run, [], {}))["checks"]
    assert isinstance(found["memory"], list)
    assert 100 <= len(found["memory"]) <= 200


def test_a_run_without_checks_is_a_page_too() -> None:
    run = Run(
        results=[],
        plugin="0.1.0",
        machine=examples.run().machine,
        mode="accepted",
        commits=[],
        memory_limit=1.0,
    )
    assert "No loader was measured" in Page(html.render(run, [], {})).words


def test_an_interval_without_end_is_left_out() -> None:
    result = examples.check("a.py::b", Verdict.INCONCLUSIVE, 1.0, 1.0)
    endless = replace(result.metrics["throughput"], interval=(0.0, float("inf")))
    result = replace(result, metrics={"throughput": endless})
    (found,) = data(html.render(replace(examples.run(), results=[result]), [], {}))["checks"]
    assert isinstance(found["pairs"], dict)
    assert found["pairs"]["throughput"]["interval"] is None


def test_the_libraries_are_as_they_were_published() -> None:
    published = (ASSETS / "LIBRARIES.txt").read_text()
    for name in ("d3.min.js", "plot.umd.min.js"):
        content = (ASSETS / name).read_bytes()
        assert f"{hashlib.sha256(content).hexdigest()}  {name}" in published
        assert b"</script" not in content.lower()


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_from_the_page() -> None:
    """In both colour schemes, by at least the 4.5 : 1 of WCAG 2.1 (AA)."""
    schemes = re.findall(r":root \{(.*?)\}", (ASSETS / "report.css").read_text(), re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colors = dict(re.findall(r"--(\w+): (#\w{6});", scheme))
        for ground in ("page", "raised"):
            for ink in ("text", "quiet", "link", "candidate", "other", "bad", "good"):
                light, dark = sorted(map(_luminance, (colors[ground], colors[ink])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, ink)
