"""The summary of a CI job, as Markdown."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.model.results import CheckResult, Comparison, Coverage, Noise, Verdict
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.reports import markdown
from pytest_loaderperf.stats.sweeps import sweeps

MIB = 2.0**20
LIMIT = 8.0 * 2**30
no_deadline = settings(deadline=None)


def check(
    name: str = "test_a.py::test_b[32]",
    verdict: Verdict = Verdict.UNCHANGED,
    outcome: str = "passed",
    **fields: object,
) -> CheckResult:
    metrics = {
        "throughput": Comparison(
            metric="throughput",
            value=400.0,
            judged=True,
            verdict=verdict,
            baseline=500.0,
            ratio=0.8,
            interval=(0.75, 0.85),
            tolerance=0.1,
            minimum_detectable=0.05,
            pairs=6,
            source="commit 1a2b",
        ),
        "peak_memory": Comparison(
            metric="peak_memory",
            value=66 * MIB,
            judged=True,
            verdict=Verdict.UNCHANGED,
            baseline=64 * MIB,
            ratio=1.031,
            interval=None,
            tolerance=0.125,
            minimum_detectable=None,
            pairs=0,
            source="stored numbers",
        ),
        "first_batch": Comparison(
            metric="first_batch", value=0.25, judged=False, verdict=Verdict.UNCHANGED
        ),
    }
    result = CheckResult(
        nodeid=name,
        verdict=verdict,
        parameters={"batch_size": 32},
        outcome=outcome,
        seconds=21.3,
        pairs=6,
        workload=Workload(batch="int", bytes_per_sample=8.0, samples_per_epoch=100),
        metrics=metrics,
    )
    return replace(result, **fields)  # type: ignore[arg-type]


def test_a_regression_comes_first_with_its_numbers_and_what_to_do() -> None:
    good, bad = check("test_a.py::test_a"), check(verdict=Verdict.REGRESSED, outcome="failed")
    text = markdown.summary([good, bad], [])
    assert text.splitlines()[0] == "## ❌ Loaders got worse"
    assert "1 unchanged, 1 regressed" in text
    failure, table = text.split("| check |")
    assert "### `test_a.py::test_b[32]`: regressed" in failure
    assert "throughput regressed: 400 samples/s, baseline 500 samples/s (commit 1a2b)" in failure
    assert "ratio 0.800, 95 % interval 0.750 to 0.850, tolerance 10 %, 6 pairs" in failure
    assert "pytest 'test_a.py::test_b[32]' --loaderperf-update" in failure
    assert (
        "| `test_a.py::test_b[32]` | 400 samples/s | 0.800 [0.750, 0.850] | 66 MiB | 1.031 | "
        "❌ regressed (throughput) |" in table
    )


@pytest.mark.parametrize(
    ("results", "title"),
    [
        ([], "❌ No loader was measured"),
        ([check()], "✅ No loader got worse"),
        ([check(verdict=Verdict.IMPROVED)], "🚀 Loaders got better"),
        ([check(verdict=Verdict.INCONCLUSIVE)], "❔ Nothing was proven about some loaders"),
        (
            [check(verdict=Verdict.INCONCLUSIVE, outcome="failed")],
            "❌ Nothing was proven about some loaders",
        ),
        ([check(verdict=Verdict.NO_BASELINE, outcome="failed")], "❌ A loader has no baseline"),
        ([check(outcome="failed")], "❌ A test failed, although no loader got worse"),
        ([check(verdict=Verdict.MEASURED)], "📏 Loaders were measured"),
    ],
)
def test_the_title_says_how_the_run_ended(results: list[CheckResult], title: str) -> None:
    assert markdown.summary(results, []).splitlines()[0] == f"## {title}"


def test_notes_coverage_and_noise_come_last() -> None:
    pair = Noise(seconds=7.0, candidate=0.02, baseline=0.02, steal=0.0, pressure={}, spoiled=False)
    seen = Coverage(batches=38, epoch_batches=100)
    noted = check(notes=("a *note*",), noise=(pair,), memory_source="it", coverage=seen)
    *_, note, coverage, machine, memory = markdown.summary([noted], []).splitlines()
    assert note == r"- test\_a.py::test\_b\[32\]: a \*note\*"
    assert coverage.endswith(": saw 38 % of an epoch, 38 of 100 batches")
    assert machine.startswith("- machine: external load 2 % of its CPUs")
    assert memory == "- memory: from it"


def test_sizes_of_one_test_are_put_together() -> None:
    test = "test_a.py::test_b"
    sizes = [
        check(f"{test}[{size}]", parameters={"batch_size": size}, sweep=test) for size in (32, 64)
    ]
    text = markdown.summary(sizes, sweeps(sizes, LIMIT))
    assert "### `test_a.py::test_b`, by batch size" in text
    assert "| 32 | 400 samples/s | 250 ms | 66 MiB |" in text
    assert "best batch size" in text


@given(st.text(), st.text(), st.sampled_from(Verdict))
@no_deadline
def test_nothing_in_a_text_is_markup(name: str, message: str, verdict: Verdict) -> None:
    result = check(f"t.py::{name}", verdict, "failed", message=message, notes=(message,))
    text = markdown.summary([result], [])
    rows = [line for line in text.splitlines() if line.startswith("| ") and "samples/s" in line]
    if not set(name + message) & set("\v\f\x1c\x1d\x1e\x85\u2028\u2029\r\n"):
        (row,) = rows
        assert len(re.findall(r"(?<!\\)\|", row)) == 7
        fence = next(line for line in text.splitlines() if line.startswith("```"))
        assert text.count(f"\n{fence.removesuffix('text')}\n") == 1
