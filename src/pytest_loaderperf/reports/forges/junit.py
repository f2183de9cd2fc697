"""Results as JUnit XML, as pytest writes it: for services that show tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from ...model.results import CheckResult, Run
from ...model.units import round_significant
from .. import explain

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML
_SKIPPED = "it was skipped"


def to_xml(run: Run, skipped: Sequence[str] = ()) -> str:
    """The results of a run, with the node ids of checks that were skipped."""
    failed = [result for result in run.results if result.outcome == "failed"]
    suite = ElementTree.Element(
        "testsuite",
        name="pytest",
        tests=str(len(run.results) + len(skipped) + len(run.problems)),
        failures=str(len(failed)),
        errors=str(len(run.problems)),
        skipped=str(len(skipped)),
        time=f"{sum(result.seconds for result in run.results):.3f}",
    )
    for result in run.results:
        suite.append(_case(result))
    for nodeid in skipped:
        _put(_named(nodeid, 0.0, into=suite), "skipped", _SKIPPED)
    for problem in run.problems:
        case = ElementTree.SubElement(suite, "testcase", classname="", name="shards", time="0")
        _put(case, "error", problem)
    suites = ElementTree.Element("testsuites", name="pytest tests")
    suites.append(suite)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(result: CheckResult) -> ElementTree.Element:
    case = _named(result.nodeid, result.seconds)
    told = ElementTree.SubElement(case, "properties")
    for name, value in properties(result):
        ElementTree.SubElement(told, "property", name=_clean(name), value=_clean(str(value)))
    if result.outcome == "failed":
        _put(case, "failure", "\n".join(explain.failure(result)))
    return case


def _named(
    nodeid: str, seconds: float, into: ElementTree.Element | None = None
) -> ElementTree.Element:
    """A test, named as pytest names it: its module and class with dots between them."""
    module, _, name = nodeid.partition("::")
    place, bracket, parameters = name.partition("[")
    *classes, function = place.split("::")
    where = [module.removesuffix(".py").replace("/", "."), *classes]
    attributes = {"classname": ".".join(where), "name": f"{function}{bracket}{parameters}"}
    cleaned = {name: _clean(value) for name, value in attributes.items()}
    case = ElementTree.Element("testcase", {**cleaned, "time": f"{seconds:.3f}"})
    if into is not None:
        into.append(case)
    return case


def _put(case: ElementTree.Element, tag: str, text: str) -> None:
    first, _, _ = text.partition("\n")
    ElementTree.SubElement(case, tag, message=_clean(first)).text = _clean(text)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("?", text)


def properties(result: CheckResult) -> list[tuple[str, object]]:
    """What reports of pytest, such as JUnit's, keep of a check beside its outcome."""
    found: list[tuple[str, object]] = [("loaderperf.verdict", result.verdict.value)]
    for name, comparison in result.metrics.items():
        numbers = {
            "": comparison.value,
            ".baseline": comparison.baseline,
            ".ratio": comparison.ratio,
        }
        found += [
            (f"loaderperf.{name}{part}", round_significant(number))
            for part, number in numbers.items()
            if number is not None
        ]
        if comparison.judged:
            found.append((f"loaderperf.{name}.verdict", comparison.verdict.value))
    for variant in result.variants:
        name, speed = f"loaderperf.variants.{variant.name}", variant.throughput
        found.append((f"{name}.throughput", round_significant(speed.value)))
        found.append((f"{name}.peak_memory", round_significant(variant.peak_memory)))
        if variant.relation is not None and speed.ratio is not None:
            found.append((f"{name}.ratio", round_significant(speed.ratio)))
            found.append((f"{name}.verdict", variant.relation.value))
    return found
