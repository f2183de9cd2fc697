"""Sweeps as text."""

from __future__ import annotations

import math
from dataclasses import replace

from pytest_loaderperf.model.results import CheckResult
from pytest_loaderperf.reports import swept
from pytest_loaderperf.stats.sweeps import sweeps
from unit.stats.test_sweeps import MIB, result


def lines(*results: CheckResult, limit: float = 2.0**30) -> str:
    return "\n".join(swept.lines(sweeps(results, limit)))


def test_one_row_for_each_size_with_bars() -> None:
    text = lines(*(result("test_it.py::test_a", n, 100.0 * n) for n in (1, 2, 4)))
    rows = text.splitlines()
    assert "test_it.py::test_a, by batch size" in rows
    assert [row.split("samples/s")[1].count("#") for row in rows if "samples/s" in row] == [
        5 + 20, 10 + 20, 20 + 20,
    ]  # fmt: skip


def test_memory_and_the_best_size_are_said_in_words() -> None:
    text = lines(result("a", 32), result("a", 64, peak=3 * MIB), limit=2.0**30 + 2**14)
    assert "memory: 1 MiB, and 32 KiB for each sample of a batch" in text
    assert "up to 32,736 fit in 1 GiB" in text
    assert "best batch size: " in text


def test_peaks_that_hardly_differ_are_not_extended_to_other_sizes() -> None:
    text = lines(result("a", 32), result("a", 64, peak=2.02 * MIB))
    assert "memory: 2 MiB to 2.02 MiB, too near to each other to tell" in text
    assert "fit in" not in text


def test_without_a_sweep_there_is_nothing_to_say() -> None:
    assert lines(result("a", 32), result("b", 32), result("c", None)) == ""


def test_no_size_is_named_where_none_fits() -> None:
    assert "best batch size: unknown; none of the sizes" in lines(
        result("a", 32), result("a", 64), limit=MIB
    )
    assert "inf" not in lines(result("a", 32), result("a", 64), limit=math.inf)


def test_two_parameters_have_a_column_each() -> None:
    settings = [
        {"num_workers": workers, "shuffle": shuffle}
        for workers in (0, 2)
        for shuffle in (False, True)
    ]
    text = lines(*(replace(result("a", 1), parameters=each) for each in settings))
    title, header, first, *_ = text.strip().splitlines()
    assert title == "a, by num_workers and shuffle"
    assert header.split()[:3] == ["num_workers", "shuffle", "throughput"]
    assert first.split()[:3] == ["0", "False", "500"]
    assert "memory: 2 MiB to 2 MiB\n" in text
    assert "best setting: num_workers=0, shuffle=False, it is the fastest" in text
