"""Trials of the candidate alone, beside stored numbers: nothing is measured here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.baselines.store import Record, Stored
from pytest_loaderperf.check import per_trial, stored
from pytest_loaderperf.check.state import Findings, Known, Phases
from pytest_loaderperf.measure import turns
from pytest_loaderperf.measure.plan import Plan
from pytest_loaderperf.measure.timed_trial import Timing
from pytest_loaderperf.model.results import Coverage, Verdict
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import Slice
from pytest_loaderperf.settings import CheckSettings
from pytest_loaderperf.stats.sequential import Rule

STEADY = {
    "throughput": 80.0,
    "cpu_time": 0.01,
    "first_batch": 0.1,
    "wait_p99": 0.02,
    "stalled": 0.0,
}
WHOLE = {**STEADY, "epoch_time": 5.0}
JUDGED = frozenset({"throughput", "peak_memory", "epoch_time"})


def timing(values: dict[str, float]) -> Timing:
    """A trial that has seen half of an epoch."""
    taken = Slice(stretches=[(0.0, 1.0)], samples=80, batches=10, cpu_seconds=1.0, epoch_batches=20)
    workload = Workload(batch="int", bytes_per_sample=8.0)
    return Timing(values=values, workload=workload, taken=taken, made=10.0, rounds=(0.1,))


def bench(**settings: Any) -> Any:
    return SimpleNamespace(
        phases=Phases(),
        progress=lambda _: None,
        arm=lambda: None,
        rule=Rule(),
        spec=SimpleNamespace(nodeid="test", settings=CheckSettings(**settings)),
    )


def known() -> Known:
    calibration: Any = SimpleNamespace(plan=Plan(warmup=2, drain=0, batches=10, slices=4))
    return Known(calibration=calibration, judged=JUDGED)


def record(*names: str) -> Record:
    metrics = {name: Stored(value=WHOLE[name], spread=0.01) for name in names}
    return Record(metrics=metrics, versions={})


def judged(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, float], record: Record, **settings: Any
) -> Findings:
    """What comes of trials that have these values."""
    monkeypatch.setattr(turns, "time_alone", lambda *_: timing(values))
    return stored.judge_stored(bench(**settings), record, 0.0, known())


def test_every_metric_that_a_trial_gives_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(monkeypatch, WHOLE, record(*WHOLE))
    assert found.comparisons.keys() == WHOLE.keys()
    assert found.verdict is Verdict.UNCHANGED
    assert {name for name, each in found.comparisons.items() if each.judged} == {
        "throughput",
        "epoch_time",
    }
    assert all(len(found.values[name]) == 4 for name in WHOLE)


def test_an_epoch_that_does_not_fit_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(monkeypatch, STEADY, record(*WHOLE))
    assert "epoch_time" not in found.comparisons
    assert found.verdict is Verdict.UNCHANGED


@pytest.mark.parametrize(
    ("metrics", "verdict"),
    [
        (CheckSettings.metrics, Verdict.UNCHANGED),
        (("throughput", "epoch_time"), Verdict.NO_BASELINE),
    ],
)
def test_numbers_of_before_there_was_the_time_of_an_epoch_are_a_baseline_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, metrics: tuple[str, ...], verdict: Verdict
) -> None:
    found = judged(monkeypatch, WHOLE, record(*STEADY), metrics=metrics)
    assert found.comparisons["epoch_time"].verdict is Verdict.NO_BASELINE
    assert found.verdict is verdict


def test_another_metric_that_was_not_stored_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(monkeypatch, WHOLE, record("epoch_time"))
    assert found.verdict is Verdict.NO_BASELINE


def test_trials_say_how_much_of_an_epoch_they_have_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Coverage(batches=10, epoch_batches=20)
    assert judged(monkeypatch, WHOLE, record(*WHOLE)).coverage == seen
    monkeypatch.setattr(per_trial, "show", lambda *_: Findings())
    shown = stored.show(bench(), known(), Verdict.NO_BASELINE, "none yet")
    assert shown.coverage == seen
    assert shown.comparisons.keys() == WHOLE.keys()
    assert shown.verdict is Verdict.NO_BASELINE
