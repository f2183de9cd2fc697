"""Loaders that one test compares: which trials they take, and what comes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.check import paired, runner, variants
from pytest_loaderperf.check.state import Bench, Findings, Known, Spec, result_of
from pytest_loaderperf.measure import calibration
from pytest_loaderperf.measure.calibration import Calibration
from pytest_loaderperf.measure.plan import plan
from pytest_loaderperf.model.results import Comparison, Coverage, Relation, Verdict
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import Handed
from pytest_loaderperf.settings import CheckSettings, RunSettings
from pytest_loaderperf.stats.sequential import Rule

INTS = Workload(batch="list[int, ...]", bytes_per_sample=8.0)
FLOATS = Workload(batch="list[float, ...]", bytes_per_sample=8.0)
TREE = Version(root=Path("project"))
SPEC = Spec(
    nodeid="test_a.py::test",
    module="test_a.py",
    key="test",
    settings=CheckSettings(),
)


def calibrated(
    names: list[str],
    *,
    workload: Workload = INTS,
    batch: float = 4.0,
    peak: float = 1e6,
    note: str = "",
) -> Calibration:
    loader = Handed(
        kind="iterable",
        workers=0,
        prefetch=0,
        epoch_batches=None,
        samples_per_epoch=None,
        built_data=False,
        settings={"batch_size": int(batch)},
        variants=names,
        note=note,
    )
    return Calibration(
        loader=loader,
        workload=workload,
        peak_memory=peak,
        values={"throughput": 100.0 * batch, "first_batch": 0.1},
        batches=100,
        plan=plan(0.01, 0, 0),
        asserted=(),
        pace=100.0,
    )


def compared(ratio: float, verdict: Verdict, baseline: float = 500.0) -> Comparison:
    return Comparison(
        metric="throughput",
        value=baseline * ratio,
        judged=True,
        verdict=verdict,
        baseline=baseline,
        ratio=ratio,
        interval=(ratio - 0.01, ratio + 0.01),
        tolerance=0.1,
        pairs=2,
    )


class Stand:
    """A bench whose measurements are given, by variant; ``taken`` is what each pair was of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **others: tuple[Calibration, Comparison]):
        self.others = others
        self.taken: list[tuple[Version, Version, Bench, Known]] = []
        self.proven: list[Version] = []
        self.dropped: list[Version] = []
        self.examined: list[str] = []
        monkeypatch.setattr(calibration, "calibrate", lambda arm, *_: others[arm.variant][0])
        monkeypatch.setattr(calibration, "examined", self._examine)
        monkeypatch.setattr(paired, "judge_pairs", self._judge)

    def _examine(self, arm: Any, nodeid: str, seconds: float) -> Workload:
        self.examined.append(arm.variant)
        return self.others[arm.variant][0].workload if arm.variant else INTS

    def _judge(self, bench: Bench, version: Version, known: Known) -> tuple[Known, Findings]:
        self.taken.append((bench.candidate, version, bench, known))
        comparison = self.others[bench.candidate.variant][1]
        found = Findings(
            comparisons={"throughput": comparison, "wait_p99": comparison},
            pairs=2,
            notes=("a note",),
            coverage=Coverage(batches=10, epoch_batches=10, whole=True),
        )
        return known, found

    def judged(self, *names: str) -> Findings:
        arms: Any = SimpleNamespace(
            get=lambda version, *_: version, drop=lambda version, *_: self.dropped.append(version)
        )
        sides: Any = SimpleNamespace(proven=lambda bench, *_: self.proven.append(bench.candidate))
        bench = Bench(spec=SPEC, arms=arms, candidate=TREE, rule=Rule(), progress=lambda _: None)
        known = Known(calibration=calibrated(["pil", *names], peak=2e6), judged=frozenset())
        return variants.judge_variants(bench, known, sides)


def test_every_variant_is_measured_beside_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(
        monkeypatch,
        turbo=(calibrated([]), compared(1.37, Verdict.IMPROVED, 480.0)),
        slow=(calibrated([], note="it is slow"), compared(0.8, Verdict.REGRESSED, 500.0)),
    )
    found = stand.judged("turbo", "slow")
    assert [(mine.name, other) for mine, other, _, _ in stand.taken] == [
        ("variant 'turbo'", TREE),
        ("variant 'slow'", TREE),
    ]
    assert [each.variant for each in stand.proven] == ["turbo", "slow"]
    assert stand.dropped == stand.proven  # many variants take no more memory than two
    for _, _, bench, known in stand.taken:
        assert (bench.rule.both_ways, bench.spec.settings.metrics) == (True, ("throughput",))
        assert bench.rule.alpha == pytest.approx(Rule().alpha / 4)
        assert known.judged == {"throughput"}
        assert known.other is not None  # which has a plan of its own
    assert (found.verdict, found.comparisons, found.pairs) == (Verdict.COMPARED, {}, 4)
    notes = ["turbo beside pil: a note", "slow beside pil: a note", "slow beside pil: it is slow"]
    assert list(found.notes) == notes


def test_throughputs_have_the_ratios_that_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(
        monkeypatch,
        turbo=(calibrated([]), compared(2.0, Verdict.IMPROVED, 400.0)),
        same=(calibrated([], peak=3e6), compared(1.0, Verdict.UNCHANGED, 900.0)),
    )
    pil, turbo, same = stand.judged("turbo", "same").variants
    assert pil.throughput.value == pytest.approx(600.0)  # the geometric mean
    assert (turbo.throughput.value, same.throughput.value) == pytest.approx((1200.0, 600.0))
    assert turbo.throughput.baseline == same.throughput.baseline == pil.throughput.value
    assert [each.relation for each in (pil, turbo, same)] == [
        None,
        Relation.FASTER,
        Relation.ALIKE,
    ]
    assert [each.peak_memory for each in (pil, turbo, same)] == [2e6, 1e6, 3e6]
    assert not any(each.throughput.judged for each in (pil, turbo, same))


@pytest.mark.parametrize(
    ("verdict", "relation", "whole"),
    [
        (Verdict.REGRESSED, Relation.SLOWER, Verdict.COMPARED),
        (Verdict.INCONCLUSIVE, Relation.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_one_variant_in_doubt_leaves_the_check_in_doubt(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, relation: Relation, whole: Verdict
) -> None:
    stand = Stand(monkeypatch, other=(calibrated([]), compared(0.8, verdict)))
    found = stand.judged("other")
    assert (found.variants[1].relation, found.verdict) == (relation, whole)


@pytest.mark.parametrize(
    ("workload", "batch", "says"),
    [
        (FLOATS, 4.0, "(batch[*]: int -> float)"),
        (INTS, 8.0, "(batches of 4 -> 8 samples)"),
        (FLOATS, 8.0, "(batch[*]: int -> float; batches of 4 -> 8 samples)"),
        (INTS, 4.0, ""),
    ],
)
def test_what_another_loader_delivers_is_compared_and_told(
    monkeypatch: pytest.MonkeyPatch, workload: Workload, batch: float, says: str
) -> None:
    wide = calibrated([], workload=workload, batch=batch)
    stand = Stand(monkeypatch, wide=(wide, compared(1.0, Verdict.UNCHANGED)))
    found = stand.judged("wide")
    told = f"wide beside pil: it delivers something else {says}, and is compared by samples/s"
    assert found.notes == ((told,) if says else ()) + ("wide beside pil: a note",)
    assert stand.examined == (["wide", ""] if workload is FLOATS else [])  # not by a few batches
    assert (found.coverage is None) == bool(says)
    assert (found.variants[1].batch_samples, found.verdict) == (batch, Verdict.COMPARED)


@pytest.mark.parametrize("selftest", [True, False])
@pytest.mark.parametrize("names", [[], ["pil", "turbo"]])
def test_a_self_test_takes_the_first_one(names: list[str], *, selftest: bool) -> None:
    known = Known(calibration=calibrated(names), judged=frozenset())
    compares = runner._needs_no_baseline(known, RunSettings(selftest=selftest))
    assert compares is (bool(names) and not selftest)


def test_a_run_that_looks_at_one_loader_says_which() -> None:
    known = Known(calibration=calibrated(["pil", "turbo"]), judged=frozenset())
    assert result_of(SPEC, known, Findings()).notes == (
        "of its variants only the first one is measured: pil",
    )
    alone = replace(known, calibration=calibrated([]))
    assert result_of(SPEC, alone, Findings()).notes == ()
