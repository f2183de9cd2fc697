"""The report of Code Quality, as GitLab wants it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import examples
from pytest_loaderperf.model.results import Verdict
from pytest_loaderperf.reports import results_json
from pytest_loaderperf.reports.forges import gitlab

SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def issues(*, root: str = "", problems: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    run = replace(examples.run(), root=root, problems=problems)
    results = [replace(each, file=each.nodeid.split("::")[0], line=3) for each in run.results]
    told: list[dict[str, Any]] = json.loads(
        gitlab.to_json(results_json.to_json(replace(run, results=results), []))
    )
    return told


def test_each_check_that_is_not_well_is_an_issue_at_its_test() -> None:
    found = issues()
    slower, doubtful, dead, new = found
    assert slower["description"] == (
        "tests/perf/test_images.py::test_photos[32]: regressed; "
        "throughput: regressed, ratio 0.795 [0.78, 0.81]"
    )
    assert slower["severity"] == "critical"
    assert slower["check_name"] == "loaderperf.regressed"
    assert slower["location"] == {"path": "tests/perf/test_images.py", "lines": {"begin": 3}}
    assert doubtful["severity"] == "info"
    assert dead["description"].endswith("killed by SIGKILL; its last output:; <oops>")
    assert new["check_name"] == "loaderperf.no_baseline"
    # What GitLab demands of each: https://docs.gitlab.com/ci/testing/code_quality/
    for issue in found:
        assert issue.keys() == {
            "description", "check_name", "fingerprint", "severity", "location",
        }  # fmt: skip
        assert issue["severity"] in SEVERITIES
        assert not issue["location"]["path"].startswith(("/", "./"))
    assert len({issue["fingerprint"] for issue in found}) == len(found)


def test_paths_are_those_of_the_repository_and_shards_have_issues_too() -> None:
    shards, slower, *_ = issues(root="pkg", problems=("shard 2/2 is missing",))
    assert shards["description"] == "shard 2/2 is missing"
    assert shards["severity"] == "blocker"
    assert shards["location"]["path"] == "pkg/baselines"
    assert slower["location"]["path"] == "pkg/tests/perf/test_images.py"


@pytest.mark.parametrize(("ratio", "same"), [(0.7, True), (None, False)])
def test_an_issue_stays_the_same_as_long_as_its_verdict_does(
    ratio: float | None, *, same: bool
) -> None:
    def fingerprint(verdict: Verdict, ratio: float) -> str:
        run = replace(examples.run(), results=[examples.check("a.py::b", verdict, ratio)])
        (issue,) = json.loads(gitlab.to_json(results_json.to_json(run, [])))
        return str(issue["fingerprint"])

    first = fingerprint(Verdict.REGRESSED, 0.8)
    other = fingerprint(Verdict.REGRESSED if ratio else Verdict.ERROR, ratio or 0.8)
    assert (first == other) is same


def test_a_run_in_which_all_is_well_has_no_issues() -> None:
    assert gitlab.to_json({"checks": []}) == "[]\n"
