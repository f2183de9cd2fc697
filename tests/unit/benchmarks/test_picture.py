"""The picture of the README, and the run of many checks that the page is timed with."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree as ET

import picture
import pytest
from page import REAL, many

import examples
from pytest_loaderperf.shards import records

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_an_image_with_a_row_for_each_check(scheme: str) -> None:
    colors = picture.schemes()[scheme]
    run = examples.run()
    root = ET.fromstring(picture.Picture(run, colors).svg())
    texts = [each.text or "" for each in root.iter(f"{SVG}text")]
    for result in run.results:
        name = result.nodeid.partition("::")[2]
        assert picture.shortened(name, 34) in texts
    compared = [each for each in run.results if any(c.ratio for c in each.metrics.values())]
    assert len(list(root.iter(f"{SVG}circle"))) == len(compared)
    assert "20.5 % worse" in texts
    assert any(each.startswith("made worse by imagesize") for each in texts)
    used = {each.get("fill") for each in root.iter()} | {each.get("stroke") for each in root.iter()}
    assert used - {None} <= set(colors.values())


def test_what_is_worse_lies_to_the_left_of_the_same() -> None:
    drawn = picture.Picture(examples.run(), picture.schemes()["light"])
    root = ET.fromstring(drawn.svg())
    dots = [float(each.attrib["cx"]) for each in root.iter(f"{SVG}circle")]
    (same,) = {float(e.attrib["x"]) for e in root.iter(f"{SVG}text") if e.text == "same"}
    worse, _, better, *_ = dots
    assert worse < same < better


def test_many_checks_are_as_many_with_other_names_and_few_failures() -> None:
    run = many(examples.run(), 200)
    assert len(run.results) == 200
    assert len({each.nodeid for each in run.results}) > 190  # one of them is there twice
    verdicts = Counter(str(each.verdict) for each in run.results)
    assert verdicts["improved"] > 1
    assert sum(each.outcome == "failed" for each in run.results) < 12
    assert many(run, 5).results == run.results[:5]


def test_the_real_run_can_be_read_and_has_a_loss() -> None:
    assert "regressed" in {str(each.verdict) for each in records.read(REAL).results}
