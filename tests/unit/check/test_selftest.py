"""What a self-test says of tolerances, and what it makes of a loss that it looked for."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.baselines.reference import Reference
from pytest_loaderperf.check import paired, selftest
from pytest_loaderperf.check.selftest import Trust
from pytest_loaderperf.check.state import Bench, Findings, Known, Spec
from pytest_loaderperf.model.results import Comparison, Noise, Verdict
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.settings import CheckSettings
from pytest_loaderperf.stats.sequential import Rule, log_loss

WORKING_TREE = Version(root=Path("project"))
REFERENCE = Reference(version=Version(root=Path("project"), label="again"), entry=None)
NOISE = Noise(seconds=5.0, candidate=0.0, baseline=0.0, steal=0.0, pressure={}, spoiled=False)


def comparison(verdict: Verdict) -> Comparison:
    return Comparison(
        metric="throughput", value=100.0, judged=True, verdict=verdict, baseline=100.0, ratio=1.0
    )


@pytest.mark.parametrize(
    ("tolerance", "says"),
    [
        (0.2, "trusted, about 13 s a check"),
        (0.05, "needs about 83 s a check"),
        (0.02, "not on this machine"),
    ],
)
def test_a_tolerance_is_trusted_if_the_budget_holds_its_pairs(tolerance: float, says: str) -> None:
    trust = Trust(deviation=0.02, pair_seconds=5.0, other_seconds=3.0, longest=40.0)
    assert trust.at(tolerance, Rule()) == says


def found_beside_itself() -> Findings:
    return Findings(
        comparisons={"throughput": comparison(Verdict.UNCHANGED)},
        losses=(0.01, -0.01, 0.0, 0.0),
        noise=(NOISE,) * 4,
    )


def known(deadline: float = math.inf) -> Known:
    calibration: Any = None
    return Known(calibration=calibration, judged=frozenset({"throughput"}), deadline=deadline)


def judged(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> tuple[Findings, list[Version]]:
    """A self-test whose loss gets this verdict, and the versions that it compared."""
    compared = []

    def judge(bench: Bench, version: Version, known: Known) -> tuple[Known, Findings]:
        compared.extend([bench.candidate, version])
        losses = tuple(log_loss(0.15, "higher") + extra for extra in (0.01, -0.01))
        comparisons = {"throughput": comparison(verdict)}
        return known, Findings(comparisons=comparisons, losses=losses, noise=(NOISE,) * 2)

    monkeypatch.setattr(paired, "judge_pairs", judge)
    spec = Spec(
        nodeid="test_a.py::test",
        module="test_a.py",
        key="test",
        settings=CheckSettings(),
    )
    arms: Any = None
    bench = Bench(
        spec=spec, arms=arms, candidate=WORKING_TREE, rule=Rule(), progress=lambda _: None
    )
    found = found_beside_itself()
    added = selftest.judge_injected_loss(bench, REFERENCE, known(), found, time.monotonic() - 30.0)
    return found + added, compared


def test_a_loss_of_more_than_the_tolerance_is_to_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found, (slower, again) = judged(monkeypatch, Verdict.REGRESSED)
    assert slower.injected_loss == pytest.approx(0.15)
    assert (again, again.injected_loss) == (REFERENCE.version, 0.0)
    assert found.verdict is Verdict.UNCHANGED
    assert found.message == ""
    trusted, expected = found.notes
    assert trusted.startswith(
        "identical pairs scatter by 1 %; at 20 %: trusted, about 20 s a check"
    )
    assert "; at 10 %: " in trusted
    assert expected == "a loss of 15 % was called regressed, as it should be"
    assert len(found.noise) == 6


@pytest.mark.parametrize(
    ("verdict", "becomes"),
    [
        (Verdict.UNCHANGED, Verdict.ERROR),
        (Verdict.IMPROVED, Verdict.ERROR),
        (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_a_loss_that_is_not_found_takes_trust_away(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, becomes: Verdict
) -> None:
    found, _ = judged(monkeypatch, verdict)
    assert found.verdict is becomes
    assert f"a loss of 15 % was called {verdict}" in found.message


def test_what_could_not_be_compared_with_itself_is_left_as_it_is() -> None:
    found = replace(found_beside_itself(), losses=())
    bench: Any = None
    assert selftest.judge_injected_loss(bench, REFERENCE, known(), found, -math.inf) == Findings()


def test_a_patient_bench_takes_pairs_enough_to_tell_how_much_they_scatter() -> None:
    spec: Any = SimpleNamespace(settings=CheckSettings(budget=10.0))
    arms: Any = None
    bench, later = selftest.patient(
        Bench(spec=spec, arms=arms, candidate=WORKING_TREE, rule=Rule(), progress=lambda _: None),
        known(deadline=100.0),
    )
    assert bench.rule.looks[0] == 6
    assert later.deadline == 120.0
