"""How many pairs of peaks a verdict takes: peaks are given, and nothing is measured."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from pytest_loaderperf.baselines.store import Record, Stored
from pytest_loaderperf.check import per_trial
from pytest_loaderperf.check.state import Findings, Known, Phases
from pytest_loaderperf.measure import calibration
from pytest_loaderperf.measure.calibration import Calibration
from pytest_loaderperf.measure.plan import Lengths, plan
from pytest_loaderperf.model.metrics import Tolerance
from pytest_loaderperf.model.results import STORED, Verdict
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import Handed
from pytest_loaderperf.stats.sequential import Rule

MIB = 2.0**20
CANDIDATE, BASELINE = SimpleNamespace(name="new"), SimpleNamespace(name="old")


def calibrated(peak: float, early: float = 1.0) -> Calibration:
    """A memory trial of an epoch of 5 s, with this peak, of which its start has such a part."""
    loader = Handed(
        kind="iterable",
        workers=0,
        prefetch=0,
        epoch_batches=100,
        samples_per_epoch=100,
        built_data=False,
    )
    return Calibration(
        loader=loader,
        workload=Workload(batch="int", bytes_per_sample=8.0),
        peak_memory=peak,
        early_peak=early * peak,
        values={},
        batches=10,
        plan=plan(0.01, 0, 0),
        epoch_seconds=5.0,
        asserted=(),
    )


def judge(
    candidate: Iterator[float],
    baseline: Iterator[float] | None,
    seconds: float = 60.0,
    record: Record | None = None,
    tolerance: float = 0.1,
    early: tuple[float, float] = (1.0, 1.0),
    lasted: list[float] | None = None,
) -> Findings:
    """What comes of peaks (MiB) that the two versions have, one trial after the other.

    The starts of the first epochs have such parts of it. How long a trial was to go on is added to
    ``lasted``.
    """
    bench: Any = SimpleNamespace(
        phases=Phases(),
        progress=lambda _: None,
        candidate=CANDIDATE,
        arm=lambda version: version,
        start_anew=lambda _: None,
        rule=Rule(),
        versions={},
        lengths=Lengths(),
        spec=SimpleNamespace(
            nodeid="test",
            settings=SimpleNamespace(tolerances={"peak_memory": Tolerance(relative=tolerance)}),
        ),
    )
    bench.confirming = SimpleNamespace(**{**vars(bench), "rule": bench.rule.confirming})
    first = calibrated(next(candidate) * MIB, early[0])
    known = Known(
        calibration=first,
        judged=frozenset({"peak_memory"}),
        deadline=time.monotonic() + seconds,
    )
    of: dict[str, Any] = {"new": candidate, "old": baseline}

    def again(arm: Any, _: str, __: Lengths, like: Calibration) -> Calibration:
        if lasted is not None:
            lasted.append(like.epoch_seconds)
        return calibrated(next(of[arm.name]) * MIB, early[1])

    version: Any = BASELINE if baseline is not None else None
    with mock.patch.object(calibration, "calibrate", again):
        return per_trial.judge_trials(bench, version, record, known)


def repeat(*values: float) -> Iterator[float]:
    """These values again and again."""
    while True:
        yield from values


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict", "pairs"),
    [
        (repeat(100.0), repeat(100.0), "unchanged", 2),
        (repeat(100.0), repeat(200.0), "improved", 4),
        (repeat(130.0), repeat(100.0), "regressed", 4),
        (repeat(200.0), repeat(100.0), "regressed", 2),  # no chance is as large as this
        # Two pairs rule out an increase, more of them prove a gain.
        (repeat(92.0, 86.0), repeat(100.0), "improved", 4),
        # Two heights, met the other way round by chance: two pairs do not make a regression.
        (iter([130.0, 130.0, *[100.0] * 20]), iter([100.0, 100.0, *[130.0] * 20]), "", 0),
        (iter([100.0, 100.0, *[130.0] * 20]), iter([130.0, 130.0, *[100.0] * 20]), "", 0),
        (repeat(100.0, 130.0), repeat(115.0), "inconclusive", 10),
    ],
)
def test_pairs_of_peaks(
    candidate: Iterator[float], baseline: Iterator[float], verdict: str, pairs: int
) -> None:
    comparison = judge(candidate, baseline).comparisons["peak_memory"]
    if verdict:
        assert (comparison.verdict.value, comparison.pairs) == (verdict, pairs)
    assert comparison.verdict.value not in ("regressed", "improved") or verdict


@pytest.mark.parametrize(
    ("early", "others"),
    [
        ((1.0, 1.0), math.inf),
        ((0.995, 1.0), math.inf),
        ((0.9, 1.0), 5.0),  # it leaks, or fills a cache: who knows how much in the next trial?
        ((1.0, 0.9), 5.0),  # else what rose later in the baseline would count as a loss
    ],
)
def test_trials_end_early_where_the_first_of_both_had_their_peaks_by_then(
    early: tuple[float, float], others: float
) -> None:
    lasted: list[float] = []
    found = judge(repeat(120.0), repeat(100.0), early=early, lasted=lasted)
    assert found.verdict is Verdict.REGRESSED
    assert lasted == [5.0, *[others] * (len(lasted) - 1)]
    assert len(lasted) == 2 * (4 + 2) - 1  # of four pairs and two that confirm, one was there


def test_two_pairs_that_differ_by_half_a_percent_settle_a_tolerance_of_five() -> None:
    found = judge(repeat(100.5, 100.0), repeat(100.0), tolerance=0.05)
    comparison = found.comparisons["peak_memory"]
    assert (comparison.verdict.value, comparison.pairs) == ("unchanged", 2)


def test_a_regression_that_fresh_processes_do_not_repeat_is_none() -> None:
    peaks_of_candidate = iter([*[130.0] * 4, *[100.0] * 20])
    found = judge(peaks_of_candidate, repeat(100.0))
    assert found.comparisons["peak_memory"].verdict.value == "inconclusive"
    assert len(list(peaks_of_candidate)) == 18  # two pairs were enough to confirm


@pytest.mark.parametrize(("usual", "verdict"), [(100.0, "unchanged"), (109.4, "regressed")])
@pytest.mark.parametrize("trial", range(4))
def test_one_trial_that_peaks_higher_changes_no_verdict(
    usual: float, verdict: str, trial: int
) -> None:
    """As the peak of a ``tf.data`` pipeline does, whose queue has grown."""
    peaks_of_candidate = iter([*[usual] * trial, 1.25 * usual, *[usual] * 20])
    found = judge(peaks_of_candidate, repeat(100.0, 100.5), tolerance=0.05)
    assert found.comparisons["peak_memory"].verdict.value == verdict


def test_out_of_time_four_pairs_have_the_last_word() -> None:
    found = judge(repeat(100.0, 130.0), repeat(115.0), seconds=0.0)
    assert found.comparisons["peak_memory"].pairs == 4


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("peak", [96.0, 100.0, 104.0])
def test_the_first_peak_settles_a_peak_that_has_not_moved(peak: float, *, committed: bool) -> None:
    record = Record(metrics={"peak_memory": Stored(value=100 * MIB, spread=0.01)}, versions={})
    baseline = iter(()) if committed else None
    found = judge(iter([peak]), baseline, record=record)
    assert found.comparisons["peak_memory"].verdict.value == "unchanged"
    assert found.comparisons["peak_memory"].source == STORED


@pytest.mark.parametrize(("peak", "verdict"), [(130.0, "regressed"), (70.0, "improved")])
def test_a_peak_that_has_moved_is_looked_at_again(peak: float, verdict: str) -> None:
    record = Record(metrics={"peak_memory": Stored(value=100 * MIB, spread=0.01)}, versions={})
    found = judge(repeat(peak), None, record=record)
    assert found.comparisons["peak_memory"].verdict.value == verdict
    assert len(found.values["peak_memory"]) == 4


def test_a_stored_peak_of_another_day_makes_nothing_look_better() -> None:
    record = Record(metrics={"peak_memory": Stored(value=130 * MIB, spread=0.01)}, versions={})
    comparison = judge(repeat(100.0), repeat(100.0), record=record).comparisons["peak_memory"]
    assert (comparison.verdict.value, comparison.pairs) == ("unchanged", 2)


def test_one_look_is_not_enough_where_versions_differ() -> None:
    record = Record(
        metrics={"peak_memory": Stored(value=100 * MIB, spread=0.01)}, versions={"torch": "1"}
    )
    assert len(judge(repeat(100.0), None, record=record).values["peak_memory"]) == 4
