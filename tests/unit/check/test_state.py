"""What is found out about a check while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest

from pytest_loaderperf.check.state import Bench, Findings, Known, Phases, Spec, changes, result_of
from pytest_loaderperf.measure.calibration import Calibration
from pytest_loaderperf.measure.plan import plan
from pytest_loaderperf.model.results import Coverage
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.codec import decode, encode
from pytest_loaderperf.protocol.messages import Begin, Handed
from pytest_loaderperf.settings import CheckSettings
from pytest_loaderperf.stats.sequential import Rule


def known(settings: dict[str, str | int | bool], note: str = "") -> Known:
    """What calibration tells of a loader that tells these settings."""
    loader = Handed(
        kind="kind",
        workers=0,
        prefetch=0,
        epoch_batches=None,
        samples_per_epoch=None,
        built_data=False,
        settings=settings,
        note=note,
    )
    calibration = Calibration(
        loader=loader,
        workload=Workload(batch="int64[*]", bytes_per_sample=8.0),
        peak_memory=1.0,
        values={},
        batches=10,
        plan=plan(0.01, 0, 0),
        asserted=(),
    )
    return Known(calibration=calibration, judged=frozenset())


def test_another_loader_has_plans_of_its_own() -> None:
    ours, theirs = (
        replace(known({}).calibration, plan=plan(seconds, 0, 0, 10**9, short_turns=short))
        for seconds, short in ((0.01, True), (0.05, False))
    )
    alone = Known(calibration=ours, judged=frozenset())
    assert alone.other_plan is alone.plan
    both = alone.beside(theirs)
    assert (both.plan.batches, both.other_plan.batches) == (15, 3)
    assert (both.plan.short_turns, both.other_plan.short_turns) == (False, False)


def test_a_plan_is_outdone_if_that_of_one_side_is() -> None:
    short, long = plan(0.1, 0, 0, 10**9), plan(0.01, 0, 0, 10**9)
    calibration = replace(known({}).calibration, plan=short)
    before = Known(calibration=calibration, judged=frozenset()).beside(calibration)
    assert replace(before, repaced=long).outdoes(before)
    assert replace(before, other_repaced=long).outdoes(before)
    assert not before.outdoes(before)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"num_workers": 2}, {"num_workers": 2}, ""),
        ({"num_workers": 2}, {"num_workers": 0}, "num_workers 2 -> 0"),
        (
            {"num_workers": 2, "start_method": "fork", "batch_size": 8},
            {"num_workers": 0, "batch_size": 8, "pin_memory": True},
            "num_workers 2 -> 0, start_method fork -> absent, pin_memory absent -> True",
        ),
    ],
)
def test_entries_that_differ_are_told(
    before: dict[str, str | int | bool], now: dict[str, str | int | bool], told: str
) -> None:
    assert changes(before, now) == told


def test_the_result_tells_of_the_loader() -> None:
    spec = Spec(
        nodeid="test_x.py::test_a",
        module="test_x.py",
        key="test_a",
        settings=CheckSettings(),
    )
    result = result_of(spec, known({"num_workers": 2}, "cannot be frozen"), Findings())
    assert (result.loader, result.settings) == ("kind", {"num_workers": 2})
    assert result.notes == ("cannot be frozen",)
    assert decode(encode(Begin(result=result))) == Begin(result=result)


def test_the_sum_of_findings_has_what_both_have() -> None:
    seen = Coverage(batches=38, epoch_batches=100)
    one = Findings(
        values={"throughput": [1.0]}, pairs=2, message="first", notes=("a",), coverage=seen
    )
    other = Findings(values={"peak_memory": [2.0]}, rounds=(0.5,), notes=("b",))
    both = one + other
    assert both.values == {"throughput": [1.0], "peak_memory": [2.0]}
    assert (both.pairs, both.rounds, both.message, both.notes) == (2, (0.5,), "first", ("a", "b"))
    assert both.coverage == seen
    later = Coverage(batches=100, epoch_batches=100)
    assert (both + Findings(coverage=later)).coverage == later
    assert (Findings() + one).coverage == seen


def test_the_result_tells_how_much_of_an_epoch_was_seen() -> None:
    spec = Spec(nodeid="a", module="a", key="a", settings=CheckSettings())
    seen = Coverage(batches=38, epoch_batches=100)
    result = result_of(spec, known({}), Findings(coverage=seen))
    assert result.coverage == seen
    assert decode(encode(Begin(result=result))) == Begin(result=result)


@pytest.mark.parametrize(
    ("budget", "coverage", "pair"), [(60.0, 0.0, 2.4), (24.0, 0.0, 1.0), (60.0, 1.0, 7.5)]
)
def test_the_budget_and_the_coverage_of_a_check_set_how_long_its_pairs_are(
    budget: float, coverage: float, pair: float
) -> None:
    nothing: Any = None
    settings = CheckSettings(budget=budget, coverage=coverage)
    spec = Spec(nodeid="a", module="a", key="a", settings=settings)
    bench = Bench(spec=spec, arms=nothing, candidate=nothing, rule=Rule(), progress=lambda _: None)
    assert bench.lengths.covering(100.0).pair == pair


# --- where the time of a check goes ---------------------------------------------------------------


def clock(*steps: float) -> Iterator[float]:
    """What a clock says that goes on by so much each time that it is looked at."""
    return accumulate(steps)


def test_what_is_inside_of_another_phase_counts_there_alone() -> None:
    times = clock(0, 1, 2, 4, 8, 16)
    phases = Phases(lambda: next(times))
    with phases("timing"):  # from 0
        with phases("starting"):  # from 1 to 3
            pass
        with phases("confirming"):  # from 7 to 15
            pass
    assert phases.seconds == {"starting": 2, "confirming": 8, "timing": 31 - 10}


def test_one_that_fails_counts_and_the_same_again_adds_up() -> None:
    times = clock(0, 1, 2, 4)
    phases = Phases(lambda: next(times))
    with pytest.raises(ValueError, match="it"), phases("memory"):
        raise ValueError("it")
    with phases("memory"):
        pass
    assert phases.seconds == {"memory": 1 + 4}
