"""The self-test on a loader whose pace is known: a real run, without git and without baselines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import tiny
from support.tiny import NODE


def test_a_loader_is_compared_with_itself_and_with_a_known_loss(tmp_path: Path) -> None:
    check = tiny.CHECK.replace("loaderperf.check(", "loaderperf(")
    project = tiny.create(
        tmp_path / "project", git=False, ini="loaderperf_metrics = throughput\n", test_it=check
    )
    run = project.pytest("--loaderperf-selftest", tiny.WIDE)
    assert run.status == 0, run.output
    assert run.verdicts == {NODE: "unchanged"}
    assert run.results["against"] == {"mode": "itself", "commits": []}
    (result,) = run.results["checks"]
    assert result["metrics"]["throughput"]["pairs"] >= 6
    # A busy machine may add a note of its own, on stalls.
    (trusted,) = (note for note in result["notes"] if note.startswith("identical pairs scatter"))
    # Whether they are to be trusted, the noise of this machine says.
    assert re.search(r"at 20 %: (trusted, |needs )about \d+ s a check", trusted), trusted
    assert "a loss of 90 % was called regressed, as it should be" in result["notes"]
    assert trusted in run.output
    assert not (project.root / "baselines").exists()


@pytest.mark.parametrize("option", ["--loaderperf-against=HEAD", "--loaderperf-update"])
def test_a_self_test_neither_compares_with_a_commit_nor_writes(tmp_path: Path, option: str) -> None:
    project = tiny.create(tmp_path / "project", test_it=tiny.CHECK)
    run = project.pytest("--loaderperf-selftest", option)
    assert run.status == 4
    assert "leave out --loaderperf-against and --loaderperf-update" in run.output


def test_what_the_project_compares_with_does_not_matter_to_a_self_test(tmp_path: Path) -> None:
    ini = "loaderperf_against = HEAD\n"
    project = tiny.create(tmp_path / "project", git=False, ini=ini, test_it=tiny.CHECK)
    run = project.pytest("--loaderperf-selftest", "--collect-only")
    assert run.status == 0, run.output
    assert ", against itself" in run.output
