"""Results as a Code Quality report of GitLab: what it shows in a merge request, at the test."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from ...model.results import Verdict
from .remarks import Remark, remarks

# GitLab knows info, minor, major, critical and blocker.
_SEVERITIES = {Verdict.REGRESSED: "critical", Verdict.INCONCLUSIVE: "info"}
_OTHER = "major"
_BASELINES = "baselines"  # what stands for the run as a whole: an issue lies in a file


def to_json(results: Mapping[str, Any]) -> str:
    """The report, from what the results file holds: an issue for each check that is not well.

    And one for each problem that keeps shards from being a whole run.
    """
    issues = [*_problems(results), *map(_issue, remarks(results))]
    return json.dumps(issues, indent=2) + "\n"


def _problems(results: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    place = posixpath.join(results.get("root", ""), _BASELINES)
    for problem in results.get("problems", []):
        yield _described(problem, "loaderperf.shards", "blocker", place, 1, same=problem)


def _issue(remark: Remark) -> dict[str, object]:
    text = f"{remark.title}; {'; '.join(remark.text.splitlines())}"
    severity = _SEVERITIES.get(remark.verdict, _OTHER)
    rule = f"loaderperf.{remark.verdict}"
    return _described(text, rule, severity, remark.path, max(remark.line, 1), same=remark.title)


def _described(
    text: str, rule: str, severity: str, path: str, line: int, *, same: str
) -> dict[str, object]:
    """An issue; ``same`` is all of it that stays the same from run to run, whatever the numbers."""
    return {
        "description": text,
        "check_name": rule,
        # GitLab tells by it which issues a merge request adds.
        "fingerprint": hashlib.sha256(same.encode("utf-8", "replace")).hexdigest(),
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    }
