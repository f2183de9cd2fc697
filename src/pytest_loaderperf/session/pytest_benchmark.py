"""Shows a check to pytest-benchmark: its table, files and comparisons get what was measured.

A test that asks for both fixtures, ``loaderperf`` and ``benchmark``, is timed by loaderperf alone:
in the arms its benchmark is disabled. In the coordinator a test of the same name then runs one that
does nothing, by a clock that says how long the batches have taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from ..items import BENCHMARK
from ..model.results import CheckResult
from ..model.units import round_significant
from .collection import Check

_SHOWN = {"throughput": "samples_per_second", "peak_memory": "peak_memory_bytes"}


def wanted(check: Check) -> bool:
    """Whether pytest-benchmark is there, and waits for this check."""
    option = check.config.option
    off = getattr(option, "benchmark_disable", True) or getattr(option, "benchmark_skip", True)
    return check.collected.benchmark and not off


def replay(check: Check, result: CheckResult, noted: Mapping[str, object]) -> list[Any]:
    """Run the benchmark that shows a check, with what its test has ``noted``.

    Returns the reports of what failed, as by other plugins: none, usually.
    """
    if not result.batch_seconds:
        return []
    info = {
        "verdict": result.verdict.value,
        **{
            shown: round_significant(result.metrics[name].value)
            for name, shown in _SHOWN.items()
            if name in result.metrics
        },
        **dict(noted.get("extra_info") or {}),  # type: ignore[call-overload]
    }

    def batches(benchmark: Any) -> None:
        benchmark.extra_info.update(info)
        benchmark.group = noted.get("group") or benchmark.group
        benchmark.pedantic(lambda: None, rounds=len(result.batch_seconds), iterations=1)

    item = pytest.Function.from_parent(check.parent, name=check.name, callobj=batches)
    item.fixturenames[:] = [BENCHMARK]  # and no fixture of the project that wants to be everywhere
    markers = list(check.iter_markers(BENCHMARK))
    settings = {name: value for each in reversed(markers) for name, value in each.kwargs.items()}
    timer = _clock(result.batch_seconds).__next__
    item.add_marker(pytest.mark.benchmark(**{**settings, "timer": timer}))
    reports = runtestprotocol(item, log=False, nextitem=None)
    return [report for report in reports if report.failed]


def _clock(seconds: Sequence[float]) -> Iterator[float]:
    """What a clock says before and after each of some rounds."""
    now = 0.0
    for each in seconds:
        yield now
        now += each
        yield now
