"""Times the reports of a run of many checks, all of them together.

    python benchmarks/reporting.py [CHECKS]

The checks have 24 pairs, two worker processes and a history of 50 commits: a lot for any check.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

from pytest_loaderperf.baselines import history
from pytest_loaderperf.baselines.store import Record, Stored
from pytest_loaderperf.model.results import (
    CheckResult,
    Comparison,
    MemorySample,
    Noise,
    Run,
    Verdict,
)
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.reports import html, results_json, swept
from pytest_loaderperf.reports.console import screen, table
from pytest_loaderperf.reports.forges import markdown
from pytest_loaderperf.stats.sweeps import sweeps
from pytest_loaderperf.versions.repository import Commit

_PAIRS, _LOOKS, _COMMITS, _ROUNDS = 24, 1000, 50, 5


def check(number: int) -> CheckResult:
    ratios = tuple(1 + 0.001 * n for n in range(_PAIRS))
    metrics = {
        name: Comparison(
            metric=name,
            value=450.0,
            judged=True,
            verdict=Verdict.REGRESSED,
            baseline=440.0,
            ratio=1.01,
            interval=(1.0, 1.02),
            tolerance=0.1,
            minimum_detectable=0.05,
            pairs=_PAIRS,
            source="commit 1a2b3c4d5e6f",
            spread=0.01,
            ratios=ratios,
        )
        for name in ("throughput", "peak_memory", "first_batch", "cpu_time")
    }
    memory = tuple(
        MemorySample(
            seconds=0.01 * n,
            added=2**20 * n,
            processes={"main": 2**26, "child 1": 2**25, "child 2": 2**25},
        )
        for n in range(_LOOKS)
    )
    noise = (
        Noise(
            seconds=7.0,
            candidate=0.1,
            baseline=0.1,
            steal=0.0,
            pressure={"cpu": 0.1, "memory": 0.0, "io": 0.0},
            spoiled=False,
        ),
    )
    sweep = f"tests/perf/test_images.py::test_photos_{number // 5}"
    return CheckResult(
        nodeid=f"{sweep}[{number}]",
        verdict=Verdict.REGRESSED,
        parameters={"batch_size": 2 ** (number % 5 + 3)},
        outcome="failed",
        seconds=20.0,
        pairs=_PAIRS,
        workload=Workload(
            batch="tuple[float32[*,3,224,224], int64[*]]",
            bytes_per_sample=602120.0,
            samples_per_epoch=2048,
        ),
        metrics=metrics,
        noise=noise * _PAIRS,
        sweep=sweep,
        memory=memory,
    )


def main() -> None:
    """Print the seconds of each report, and of all."""
    checks = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    record = Record(
        metrics={
            "throughput": Stored(value=450.0, spread=0.01),
            "peak_memory": Stored(value=2.0**28, spread=0.01),
        },
        versions={},
    )
    accepted = [
        history.Accepted(
            commit=Commit(hash=f"{n:02}" + "0" * 38, day="2026-11-26", subject="Accept it"),
            record=record,
        )
        for n in range(_COMMITS)
    ]
    results = [check(number) for number in range(checks)]
    run = Run(
        results=results,
        plugin="0.1.0",
        machine={"cpu": "", "cores": 2, "os": "", "architecture": "", "python": ""},
        mode="accepted",
        commits=[],
        memory_limit=2.0**34,
    )
    found = sweeps(results, run.memory_limit)
    pasts = {result.nodeid: {"a machine": accepted} for result in results}
    reports: dict[str, Callable[[], object]] = {
        "terminal": lambda: (table.table(results, screen.Screen()), swept.lines(found)),
        "JSON": lambda: json.dumps(results_json.to_json(run, found), indent=2),
        "Markdown": lambda: markdown.summary(results, found),
        "HTML": lambda: html.render(run, found, pasts),
    }
    seconds: dict[str, list[float]] = {name: [] for name in reports}
    for _ in range(_ROUNDS):
        for name, made in reports.items():
            started = time.perf_counter()
            made()
            seconds[name].append(time.perf_counter() - started)
    for name, taken in seconds.items():
        print(f"{name}: {taken[0]:.3f} s at first, then {statistics.median(taken[1:]):.3f} s")
    first = sum(taken[0] for taken in seconds.values())
    print(f"all reports of {len(results)} checks: {first:.2f} s")


if __name__ == "__main__":
    main()
