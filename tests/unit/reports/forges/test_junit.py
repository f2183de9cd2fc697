"""JUnit XML: as pytest's own, and whatever a name holds it is XML."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

import examples
from pytest_loaderperf.model.results import CheckResult, Comparison, Verdict
from pytest_loaderperf.reports.forges import junit

SKIPPED = "tests/test_x.py::test_left"


@pytest.fixture(scope="module")
def suite() -> ElementTree.Element:
    """The suite of a run with everything, of shards of which one is missing."""
    run = replace(examples.run(), problems=("missing of 3 shards: shard 2",))
    (suite,) = ElementTree.fromstring(junit.to_xml(run, [SKIPPED]))
    return suite


def test_the_suite_counts_its_tests(suite: ElementTree.Element) -> None:
    results = examples.run().results
    failed = sum(result.outcome == "failed" for result in results)
    assert suite.get("tests") == str(len(suite)) == str(len(results) + 2)
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        str(failed),
        "1",
        "1",
    )
    assert failed
    assert len(suite.findall(".//failure")) == failed
    (problem,) = suite.findall(".//error")
    assert problem.get("message") == "missing of 3 shards: shard 2"


def test_a_failure_says_why(suite: ElementTree.Element) -> None:
    photos = ("tests.perf.test_images", "test_photos[32]")
    case, *_ = (case for case in suite if (case.get("classname"), case.get("name")) == photos)
    failure = case.find("failure")
    assert failure is not None
    assert (failure.text or "").startswith("throughput regressed: 451")
    kept = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert kept["loaderperf.verdict"] == "regressed"
    assert kept["loaderperf.throughput"] == "451.2"


@pytest.mark.parametrize(
    ("nodeid", "classname", "name"),
    [
        ("test_a.py::test_b", "test_a", "test_b"),
        ("tests/test_a.py::TestB::test_c[x::y/z]", "tests.test_a.TestB", "test_c[x::y/z]"),
        ("da[ta/test_a.py::test_b[1]", "da[ta.test_a", "test_b[1]"),
        ("test_a.py::test_b[\x00\x1b\ud800]", "test_a", "test_b[???]"),
    ],
)
def test_tests_are_named_as_pytest_names_them(nodeid: str, classname: str, name: str) -> None:
    result = CheckResult(nodeid=nodeid, verdict=Verdict.UNCHANGED, outcome="passed")
    run = replace(examples.run(), results=[result])
    ((case,),) = ElementTree.fromstring(junit.to_xml(run))
    assert (case.get("classname"), case.get("name")) == (classname, name)


def test_reports_of_pytest_keep_the_numbers() -> None:
    speed = examples.comparison("throughput", 451.2, 0.79, 0.81, verdict=Verdict.REGRESSED)
    unasked = Comparison(
        metric="first_batch", value=0.123456, judged=False, verdict=Verdict.UNCHANGED
    )
    result = CheckResult(
        nodeid="test_a.py::test_b",
        verdict=Verdict.REGRESSED,
        metrics={"throughput": speed, "first_batch": unasked},
    )
    assert junit.properties(result) == [
        ("loaderperf.verdict", "regressed"),
        ("loaderperf.throughput", 451.2),
        ("loaderperf.throughput.baseline", 564.0),
        ("loaderperf.throughput.ratio", 0.8),
        ("loaderperf.throughput.verdict", "regressed"),
        ("loaderperf.first_batch", 0.1235),
    ]
