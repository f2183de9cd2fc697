"""Both versions run their own code, in whatever layout, installed and started in whatever way.

A loader is accepted, run unchanged, and made twice as slow: that must be seen. Those whose names
begin with ``quick`` are what every run of CI goes through.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from layouts.build import build
from layouts.table import MORE, QUICK, UNMEASURABLE, Row


@pytest.mark.parametrize(
    "row", QUICK + MORE, ids=lambda row: f"{'quick' if row.quick else 'more'} {row.name}"
)
def test_a_slower_loader_is_found_in_every_layout(row: Row, tmp_path: Path) -> None:
    built = build(row, tmp_path / "layout")
    run = built.run()
    assert run.verdicts[built.node] in ("unchanged", "inconclusive"), run.output
    assert run.status == 0, run.output
    (check,) = run.results["checks"]
    assert len(check["metrics"]["throughput"]["ratios"]) >= 2, run.output  # side by side
    built.slow_down()
    run = built.run()
    if run.verdicts == {built.node: "inconclusive"}:  # on a noisy machine: give it more time
        run = built.run("--loaderperf-budget=60")
    assert run.verdicts == {built.node: "regressed"}, run.output
    assert run.status == 1, run.output
    (check,) = run.results["checks"]
    assert check["metrics"]["throughput"]["ratio"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("row", UNMEASURABLE, ids=lambda row: f"more {row.name}")
def test_what_may_run_other_code_is_an_error(row: Row, tmp_path: Path) -> None:
    built = build(row, tmp_path / "layout")
    for _ in ("unchanged", "slowed"):
        run = built.run()
        assert run.verdicts == {built.node: "error"}, run.output
        assert run.status == 1, run.output
        assert row.error in run.output
        built.slow_down()
