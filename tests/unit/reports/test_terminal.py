"""Reports: whatever a result holds it renders, and what fails says what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import examples
from pytest_loaderperf.model.metrics import METRICS
from pytest_loaderperf.model.results import (
    STORED,
    CheckResult,
    Comparison,
    Coverage,
    Noise,
    Run,
    Verdict,
)
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.reports import explain, results_json, terminal
from pytest_loaderperf.reports.forges import markdown
from pytest_loaderperf.stats.sweeps import sweeps
from support import anything

no_deadline = settings(deadline=None)

THROUGHPUT = Comparison(
    metric="throughput",
    value=451.2,
    judged=True,
    verdict=Verdict.REGRESSED,
    baseline=566.2,
    ratio=0.797,
    interval=(0.771, 0.8234),
    tolerance=0.1,
    minimum_detectable=0.0712,
    pairs=8,
    source="commit 1a2b3c4d5e6f",
    ratios=(0.79, 0.80423),
)
PEAK = Comparison(
    metric="peak_memory",
    value=64 * 2**20,
    judged=True,
    verdict=Verdict.UNCHANGED,
    baseline=63 * 2**20,
    ratio=64 / 63,
    tolerance=0.127,
    source="stored numbers",
)
FIRST = Comparison(metric="first_batch", value=0.2104, judged=False, verdict=Verdict.INCONCLUSIVE)
RESULT = CheckResult(
    nodeid="tests/perf/test_images.py::test_photos[32]",
    verdict=Verdict.REGRESSED,
    parameters={"batch_size": 32},
    outcome="failed",
    seconds=21.34,
    pairs=8,
    workload=Workload(
        batch="tuple[float32[*,3,224,224], int64[*]]",
        bytes_per_sample=602120.0,
        samples_per_epoch=2048,
    ),
    notes=("versions differ from those recorded: torch 2.13 -> 2.14",),
    metrics={each.metric: each for each in (THROUGHPUT, PEAK, FIRST)},
)


def having(verdict: Verdict, message: str = "") -> CheckResult:
    """The result with another verdict of the check and of its throughput."""
    throughput = replace(THROUGHPUT, verdict=verdict)
    if verdict is Verdict.NO_BASELINE:
        throughput = Comparison(metric="throughput", value=451.2, judged=True, verdict=verdict)
    metrics = {**RESULT.metrics, "throughput": throughput}
    outcome = "failed" if verdict.fails else "passed"
    return replace(RESULT, verdict=verdict, message=message, metrics=metrics, outcome=outcome)


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        (Verdict.UNCHANGED, "unchanged in 38 % of an epoch, failed"),  # by a budget, say
        (Verdict.INCONCLUSIVE, "inconclusive (throughput), failed"),  # of a strict run
        (Verdict.REGRESSED, "regressed (throughput)"),
    ],
)
def test_a_test_that_failed_has_no_good_verdict(verdict: Verdict, shown: str) -> None:
    part = Coverage(batches=38, epoch_batches=100)
    failed = replace(having(verdict), outcome="failed", coverage=part)
    assert terminal.verdict_cell(failed) == shown
    assert terminal.mark(verdict, failed=True) == "❌"
    assert f"❌ {shown} |" in markdown.summary([failed], [])


def exported(results: Sequence[CheckResult]) -> dict[str, Any]:
    """The results file, through strict JSON."""
    run = Run(
        results=results,
        plugin="0.1.0",
        machine={"cpus": 2},
        mode="accepted",
        commits=["1a2b3c4d5e6f"],
        memory_limit=2.0**30,
        root="tests",
    )
    content = results_json.to_json(run, sweeps(run.results, run.memory_limit))
    read: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
    return read


# --- cells --------------------------------------------------------------------------------------

PARTLY, UNENDED = Coverage(batches=380, epoch_batches=1000), Coverage(batches=1380)
WHOLE = Coverage(batches=1000, epoch_batches=1000, whole=True)


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        (Verdict.REGRESSED, "regressed (throughput)"),
        (Verdict.IMPROVED, "improved (throughput)"),
        (Verdict.INCONCLUSIVE, "inconclusive (throughput)"),
        (Verdict.NO_BASELINE, "no_baseline"),
        (Verdict.UNCHANGED, "unchanged"),
        (Verdict.ERROR, "error"),
    ],
)
def test_the_verdict_names_the_metrics_that_made_it(verdict: Verdict, shown: str) -> None:
    assert terminal.verdict_cell(having(verdict)) == shown


@pytest.mark.parametrize(
    ("verdict", "coverage", "shown"),
    [
        (Verdict.UNCHANGED, PARTLY, "unchanged in 38 % of an epoch"),
        (Verdict.UNCHANGED, UNENDED, "unchanged in 1,380 batches"),
        (Verdict.UNCHANGED, WHOLE, "unchanged"),
        (Verdict.IMPROVED, PARTLY, "improved (throughput) in 38 % of an epoch"),
        # What is seen of a regression or of a doubt holds for all of it.
        (Verdict.REGRESSED, PARTLY, "regressed (throughput)"),
        (Verdict.INCONCLUSIVE, PARTLY, "inconclusive (throughput)"),
        (Verdict.ERROR, PARTLY, "error"),
    ],
)
def test_a_verdict_says_for_how_much_of_an_epoch_it_holds(
    verdict: Verdict, coverage: Coverage, shown: str
) -> None:
    assert terminal.verdict_cell(replace(having(verdict), coverage=coverage)) == shown


@pytest.mark.parametrize("interval", [None, (0.0, math.inf)])
def test_a_ratio_without_an_interval_is_shown_alone(
    interval: tuple[float, float] | None,
) -> None:
    assert terminal.ratio_cell(replace(THROUGHPUT, interval=interval)) == "0.797"
    assert terminal.ratio_cell(THROUGHPUT) == "0.797 [0.771, 0.823]"


# --- what decides -------------------------------------------------------------------------------


def compared(metric: str, ratio: float, verdict: Verdict, tolerance: float = 0.1) -> Comparison:
    made = examples.comparison(metric, 100.0, ratio - 0.01, ratio + 0.01, verdict=verdict)
    return replace(made, tolerance=tolerance)


def decides(verdict: Verdict, *metrics: Comparison) -> Comparison | None:
    made = CheckResult(
        nodeid="a.py::a", verdict=verdict, metrics={each.metric: each for each in metrics}
    )
    return terminal.deciding(made)


def test_the_metric_that_the_verdict_comes_from_decides() -> None:
    fine = compared("throughput", 0.95, Verdict.UNCHANGED)
    lost = compared("peak_memory", 1.2, Verdict.REGRESSED)
    assert decides(Verdict.REGRESSED, fine, lost) == lost
    # Also beside one that may have lost more, of which nothing is proven.
    doubt = compared("throughput", 0.5, Verdict.INCONCLUSIVE)
    assert decides(Verdict.REGRESSED, doubt, lost) == lost
    # Of two that are well, the one nearest to its own tolerance.
    near = compared("peak_memory", 1.03, Verdict.UNCHANGED, tolerance=0.04)
    assert decides(Verdict.UNCHANGED, fine, near) == near
    gained, more = (compared(name, 1.2, Verdict.IMPROVED) for name in ("throughput", "stall"))
    more = replace(more, ratio=1.4)
    assert decides(Verdict.IMPROVED, gained, more) == more
    unjudged = replace(lost, judged=False)
    assert decides(Verdict.UNCHANGED, unjudged) is None
    # A budget: no metric has that verdict.
    assert decides(Verdict.INCOMPLETE, fine) == fine


def test_throughput_goes_before_what_follows_from_it() -> None:
    speed = compared("throughput", 0.345, Verdict.REGRESSED)
    epoch = compared("epoch_time", 2.823, Verdict.REGRESSED)
    assert decides(Verdict.REGRESSED, epoch, speed) == speed
    grown = compared("peak_memory", 8.0, Verdict.REGRESSED)
    assert decides(Verdict.REGRESSED, speed, grown) == grown


@pytest.mark.parametrize("ratio", [math.nan, math.inf, 0.0, -1.0])
def test_a_ratio_that_is_none_decides_where_there_is_no_other(ratio: float) -> None:
    odd = replace(THROUGHPUT, ratio=ratio)
    assert decides(Verdict.REGRESSED, odd) == odd


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "source", "shown"),
    [(1, "commit 1a2b", "1 pair"), (8, "commit 1a2b", "8 pairs"), (4, STORED, "4 trials")],
)
def test_measurements_are_counted_by_what_they_are(pairs: int, source: str, shown: str) -> None:
    comparison = replace(THROUGHPUT, pairs=pairs, source=source)
    assert explain.describe(comparison)[-1].endswith(f", {shown}")


def test_a_regression_is_explained_in_full() -> None:
    text = "\n".join(explain.explain(RESULT))
    for part in ("throughput regressed", "451 samples/s", "baseline 566 samples/s", "10 %"):
        assert part in text
    for part in ("0.797", "0.771", "0.823", "8 pairs", "commit 1a2b3c4d5e6f"):
        assert part in text
    assert "peak_memory" not in text


@pytest.mark.parametrize(
    ("coverage", "shown"),
    [
        (PARTLY, "saw 38 % of an epoch, 380 of 1,000 batches"),
        (UNENDED, "saw 1,380 batches of an epoch, and not its end"),
        (WHOLE, "saw whole epochs, 1,000 batches"),
        (Coverage(batches=9, epoch_batches=1000), "saw less than 1 % of an epoch, 9 of 1,000 "),
        (Coverage(batches=10, epoch_batches=1000), "saw 1 % of an epoch, 10 of 1,000 batches"),
    ],
)
def test_a_regression_says_how_much_of_an_epoch_was_seen(coverage: Coverage, shown: str) -> None:
    seen = replace(RESULT, coverage=coverage)
    assert any(line.startswith(f"  {shown}") for line in explain.explain(seen))
    fine = replace(having(Verdict.UNCHANGED), coverage=coverage)
    assert "saw" not in "\n".join(explain.explain(fine))
    assert "saw" not in "\n".join(explain.explain(RESULT))


def test_packages_that_differ_stand_below_a_loss_and_below_the_table() -> None:
    differ = replace(RESULT, packages={"imagesize": ("1.4.1", "2.0.0")})
    line = "packages differ: imagesize 1.4.1 -> 2.0.0"
    assert f"  {line}" in explain.explain(differ)
    assert f"{RESULT.nodeid}: {line}" in terminal.notes([differ])
    assert "packages differ" not in "\n".join(explain.explain(RESULT))


@pytest.mark.parametrize(
    "verdict", [Verdict.REGRESSED, Verdict.NO_BASELINE, Verdict.INCOMPARABLE, Verdict.ERROR]
)
def test_every_failure_says_why_and_what_to_do(verdict: Verdict) -> None:
    text = "\n".join(explain.explain(having(verdict, "the reason")))
    assert "the reason" in text
    accepting = "pytest 'tests/perf/test_images.py::test_photos[32]' --loaderperf-update"
    assert (accepting in text) == (verdict is not Verdict.ERROR)


def test_the_package_that_did_it_stands_below_a_loss_and_below_the_table() -> None:
    found = replace(RESULT, blame=examples.blame())
    line = (
        "made worse by imagesize 1.4.1 -> 2.0.0 (1 of 2 packages tried): throughput 0.800 "
        "[0.780, 0.810] of what it was"
    )
    assert f"  {line}" in explain.explain(found)
    assert any(line in each for each in terminal.notes([found]))
    none = replace(examples.blame(), lost={}, text="no package did it")
    assert "  no package did it" in explain.explain(replace(RESULT, blame=none))


def test_a_strict_failure_names_the_loss_that_could_have_been_seen() -> None:
    text = "\n".join(explain.explain(having(Verdict.INCONCLUSIVE)))
    assert "test_photos[32]" in text
    assert "inconclusive" in text
    assert "7.12 %" in text


def test_the_metric_that_a_test_asserts_comes_first() -> None:
    both = replace(
        RESULT, metrics={**RESULT.metrics, "peak_memory": replace(PEAK, verdict=Verdict.REGRESSED)}
    )
    asked = both.metrics["peak_memory"]
    lines = explain.explain(both, asked)
    assert lines[0].startswith("peak_memory regressed")
    assert sum(line.startswith("throughput regressed") for line in lines) == 1
    assert sum(line.startswith("peak_memory regressed") for line in lines) == 1


def test_what_is_not_judged_is_no_reason_to_fail() -> None:
    unasked = replace(THROUGHPUT, metric="cpu_time", judged=False)
    text = "\n".join(explain.explain(replace(RESULT, metrics={"cpu_time": unasked})))
    assert "cpu_time" not in text


@pytest.mark.parametrize(
    ("metric", "value", "operator", "limit", "expected"),
    [
        ("peak_memory", 2.0 * 2**30, "<=", 1.5 * 2**30, "peak_memory: 2 GiB <= 1.5 GiB is false"),
        ("throughput", 1800.0, ">=", 2000.0, "throughput: 1,800 samples/s >= 2,000 samples/s is"),
        ("first_batch", 2.5, "<", 2.0, "first_batch: 2.5 s < 2 s is false"),
    ],
)
def test_a_budget_that_is_exceeded(
    metric: str, value: float, operator: str, limit: float, expected: str
) -> None:
    lines = explain.explain_budget(METRICS[metric], value, operator, limit)
    assert lines[0].startswith(expected)


# --- warnings, notes, summary -------------------------------------------------------------------


def test_a_warning_names_the_smallest_loss_that_could_have_been_seen() -> None:
    text = explain.warning(having(Verdict.INCONCLUSIVE))
    assert text.startswith("tests/perf/test_images.py::test_photos[32] is inconclusive")
    for part in ("throughput", "ratio 0.797", "8 pairs", "7.12 %"):
        assert part in text
    assert "first_batch" not in text  # it is inconclusive, but not judged


def test_a_note_that_a_check_has_twice_is_one_of_one_check() -> None:
    assert terminal.notes([replace(RESULT, notes=("again", "again"))]) == [
        f"{RESULT.nodeid}: again"
    ]


def test_a_note_that_checks_share_comes_once() -> None:
    single = replace(RESULT, nodeid="test_a.py::test_b", notes=("only here",))
    assert terminal.notes([RESULT, RESULT, single]) == [
        f"2 checks: {RESULT.notes[0]}",
        "test_a.py::test_b: only here",
    ]


def test_how_much_of_an_epoch_was_seen_comes_once() -> None:
    whole = replace(RESULT, coverage=WHOLE)
    longer = replace(RESULT, coverage=Coverage(batches=32, epoch_batches=32, whole=True))
    partly = replace(RESULT, nodeid="test_a.py::test_b", coverage=PARTLY)
    assert terminal.coverage([whole, RESULT, partly, longer]) == [
        "2 checks: saw whole epochs",
        "test_a.py::test_b: saw 38 % of an epoch, 380 of 1,000 batches",
    ]
    assert terminal.coverage([RESULT]) == []


def test_below_a_table_there_are_notes_coverage_the_machine_and_the_source_of_memory() -> None:
    full = replace(RESULT, coverage=PARTLY, noise=(NOISE,), memory_source="control group v1")
    notes, coverage, machine, memory = terminal.below([full])
    assert "torch 2.13 -> 2.14" in notes
    assert "saw 38 % of an epoch" in coverage
    assert machine.startswith("machine: ")
    assert memory.startswith("memory: ")


def test_a_line_says_where_the_time_went() -> None:
    timed = replace(RESULT, seconds=30.0, phases={"timing": 20.0, "memory": 6.2})
    quick = replace(RESULT, seconds=10.4, phases={"memory": 9.7, "starting": 0.4})
    identical = replace(having(Verdict.IDENTICAL), seconds=0.1)
    told = "40 s: timing 20 s, memory 16 s, other 4 s"
    assert terminal.seconds([timed, quick, identical]) == [told]
    assert not terminal.seconds([identical])


def test_the_summary_counts_verdicts() -> None:
    results = [having(Verdict.UNCHANGED), RESULT, having(Verdict.UNCHANGED)]
    assert terminal.summary(results) == "2 unchanged, 1 regressed"


NOISE = Noise(
    seconds=7.25,
    candidate=0.1234,
    baseline=0.0,
    steal=0.01,
    pressure={"cpu": 0.5, "io": None},
    spoiled=True,
)


def test_the_machine_is_described_by_its_mean_and_its_noisiest_pair() -> None:
    quiet = Noise(seconds=7.0, candidate=0.02, baseline=0.02, steal=0.0, pressure={}, spoiled=False)
    noisy = CheckResult(
        nodeid="test_a.py::test_b[32]", verdict=Verdict.UNCHANGED, noise=(quiet, NOISE)
    )
    calm = replace(noisy, nodeid="test_a.py::test_c", noise=(quiet, quiet))
    assert terminal.noise([calm, noisy]) == [
        "machine: external load 3 % of its CPUs, 6 % in the noisiest pair "
        "(of test_a.py::test_b[32]); of 4 pairs 1 were hit on one side alone"
    ]
    assert terminal.noise([calm])[0].endswith("in the noisiest pair (of test_a.py::test_c)")


def test_without_pairs_nothing_is_said_of_the_machine() -> None:
    assert (
        terminal.noise([CheckResult(nodeid="test_a.py::test_b", verdict=Verdict.NO_BASELINE)]) == []
    )


def test_the_source_of_memory_is_named_once() -> None:
    pages = replace(RESULT, memory_source="pages of each process")
    group = replace(RESULT, memory_source="control group v1")
    assert terminal.memory_sources([pages, pages]) == ["memory: from pages of each process"]
    assert terminal.memory_sources([group, pages, RESULT]) == [
        "memory: from control group v1 and pages of each process"
    ]
    assert terminal.memory_sources([RESULT]) == []


def test_the_results_file_is_as_documented() -> None:
    passed = replace(
        having(Verdict.UNCHANGED),
        outcome="passed",
        notes=(),
        noise=(NOISE,),
        coverage=PARTLY,
        packages={"imagesize": ("1.4.1", "2.0.0")},
        phases={"timing": 14.55, "memory": 6.0},
    )
    content = exported([passed])
    metrics = content["checks"][0].pop("metrics")
    assert content["checks"][0].pop("noise") == [
        {
            "seconds": 7.2,
            "candidate": 0.123,
            "baseline": 0.0,
            "stolen": 0.01,
            "cpu_pressure": 0.5,
            "io_pressure": None,
            "spoiled": True,
        }
    ]
    assert content == {
        "schema": 1,
        "plugin": "0.1.0",
        "root": "tests",
        "commit": "",
        "changes": "",
        "alpha": 0.0,
        "machine": {"cpus": 2},
        "against": {"mode": "accepted", "commits": ["1a2b3c4d5e6f"]},
        "checks": [
            {
                "nodeid": "tests/perf/test_images.py::test_photos[32]",
                "file": "",
                "line": 0,
                "batch_size": 32,
                "parameters": {"batch_size": 32},
                "verdict": "unchanged",
                "outcome": "passed",
                "seconds": 21.3,
                "phases": {"timing": 14.6, "memory": 6.0},
                "pairs": 8,
                "workload": {
                    "batch": "tuple[float32[*,3,224,224], int64[*]]",
                    "bytes_per_sample": 602120.0,
                    "samples_per_epoch": 2048,
                },
                "loader": {"kind": "", "settings": {}},
                "memory_source": "",
                "message": "",
                "notes": [],
                "packages": {"imagesize": ["1.4.1", "2.0.0"]},
                "reason": "",
                "coverage": {"batches": 380, "epoch_batches": 1000, "share": 0.38},
                "ranks": None,
                "variants": [],
                "search": None,
                "blame": None,
                "distributions": {},
                "why": {},
            }
        ],
        "summary": {"unchanged": 1},
        "sweeps": [],
        "shard": None,
        "shards": [],
        "problems": [],
    }
    assert metrics["throughput"] == {
        "unit": "samples/s",
        "better": "higher",
        "value": 451.2,
        "baseline": 566.2,
        "ratio": 0.797,
        "interval": [0.771, 0.8234],
        "tolerance": 0.1,
        "detectable": 0.0712,
        "pairs": 8,
        "ratios": [0.79, 0.8042],
        "verdict": "unchanged",
    }


@pytest.mark.parametrize(
    ("coverage", "written"),
    [
        (None, None),
        (UNENDED, {"batches": 1380, "epoch_batches": None, "share": None}),
        (WHOLE, {"batches": 1000, "epoch_batches": 1000, "share": 1.0}),
        (
            Coverage(batches=1, epoch_batches=3),
            {"batches": 1, "epoch_batches": 3, "share": 0.333},
        ),
    ],
)
def test_what_is_not_known_of_an_epoch_is_null_in_json(
    coverage: Coverage | None, written: dict[str, object] | None
) -> None:
    assert exported([replace(RESULT, coverage=coverage)])["checks"][0]["coverage"] == written


def test_a_metric_that_was_not_judged_has_no_verdict_in_json() -> None:
    metrics = exported([RESULT])["checks"][0]["metrics"]
    assert metrics["first_batch"]["verdict"] is None
    assert metrics["throughput"]["verdict"] == "regressed"


@pytest.mark.parametrize("unbounded", [math.inf, -math.inf, math.nan])
def test_what_is_unbounded_is_null_in_json(unbounded: float) -> None:
    open_ended = replace(
        THROUGHPUT, interval=(0.5, unbounded), minimum_detectable=unbounded, tolerance=unbounded
    )
    metrics = exported([replace(RESULT, metrics={"throughput": open_ended})])["checks"][0][
        "metrics"
    ]
    assert metrics["throughput"]["interval"] == [0.5, None]
    assert metrics["throughput"]["detectable"] is None
    assert metrics["throughput"]["tolerance"] is None


# --- anything -----------------------------------------------------------------------------------

numbers = st.floats()
comparisons = anything.comparisons(numbers)


def by_metric(found: list[Comparison]) -> Mapping[str, Comparison]:
    return {comparison.metric: comparison for comparison in found}


results = st.builds(
    CheckResult,
    nodeid=st.text(),
    verdict=st.sampled_from(Verdict),
    parameters=st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()),
    outcome=st.sampled_from(["", "passed", "failed"]),
    seconds=st.floats(0, 1e9),
    pairs=st.integers(0, 48),
    workload=st.none()
    | st.builds(
        Workload,
        batch=st.text(),
        bytes_per_sample=st.floats(0, 1e15),
        samples_per_epoch=st.none() | st.integers(0),
    ),
    message=st.text(),
    notes=st.lists(st.text(), max_size=2).map(tuple),
    metrics=st.lists(comparisons, max_size=4).map(by_metric),
    noise=st.lists(
        st.builds(
            Noise,
            seconds=st.floats(0, 1),
            candidate=st.floats(0, 1),
            baseline=st.floats(0, 1),
            steal=st.floats(0, 1),
            pressure=st.dictionaries(st.sampled_from(["cpu", "io"]), st.none() | st.floats(0, 1)),
            spoiled=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    coverage=st.none()
    | st.builds(
        Coverage, batches=st.integers(1, 10**9), epoch_batches=st.none() | st.integers(1, 10**9)
    ),
)

CHECK_KEYS = {"nodeid", "batch_size", "verdict", "outcome", "seconds", "pairs", "workload"}
METRIC_KEYS = {"unit", "better", "value", "baseline", "ratio", "interval", "tolerance", "verdict"}


@given(results)
@example(CheckResult(nodeid="test_it.py::test", verdict=Verdict.ERROR, message=" "))
@no_deadline
def test_any_result_can_be_explained(result: CheckResult) -> None:
    assert any(line.strip() for line in explain.explain(result))
    assert result.nodeid in explain.warning(result)
    for comparison in result.metrics.values():
        assert comparison.metric in explain.describe(comparison)[0]
        assert explain.explain(result, comparison)


@given(st.lists(st.sampled_from(Verdict), max_size=20))
@no_deadline
def test_the_summary_leaves_no_result_out(verdicts: list[Verdict]) -> None:
    found = [replace(RESULT, verdict=verdict) for verdict in verdicts]
    counts = [int(part.split()[0]) for part in terminal.summary(found).split(", ") if part]
    assert sum(counts) == len(found) == sum(exported(found)["summary"].values())


@given(st.lists(results, max_size=2))
@no_deadline
def test_any_results_make_strict_json_of_schema_1(found: list[CheckResult]) -> None:
    content = exported(found)
    assert content["schema"] == 1
    assert [check["nodeid"] for check in content["checks"]] == [each.nodeid for each in found]
    for check, result in zip(content["checks"], found, strict=True):
        assert {*check} >= {*CHECK_KEYS, "message", "metrics"}
        assert {*check["metrics"]} == {*result.metrics}
        for name, metric in check["metrics"].items():
            assert {*metric} >= METRIC_KEYS
            assert (metric["verdict"] is not None) == result.metrics[name].judged
