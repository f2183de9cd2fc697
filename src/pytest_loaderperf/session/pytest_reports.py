"""The reports of checks, as pytest knows tests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ..model.results import CheckResult
from ..model.units import round_significant
from .collection import Check


def restored(config: pytest.Config, fields: Mapping[str, object]) -> pytest.TestReport:
    """A report as the trial's pytest made it: JSON has made lists of its tuples."""
    report: pytest.TestReport = config.hook.pytest_report_from_serializable(
        config=config, data=dict(fields)
    )
    if isinstance(report.longrepr, list):  # where a test was skipped, and why
        path, line, reason = report.longrepr
        report.longrepr = path, line, reason
    return report


def of_check(item: Check, outcome: str, message: str, seconds: float) -> pytest.TestReport:
    """The report of a check that has no reports of its own."""
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="passed" if outcome == "passed" else "failed",
        longrepr=None if outcome == "passed" else message,
        when="call",
        duration=seconds,
    )


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
