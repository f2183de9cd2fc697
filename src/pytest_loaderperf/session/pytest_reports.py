"""The reports of checks, as pytest knows tests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

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
