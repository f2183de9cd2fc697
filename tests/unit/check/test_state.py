"""What is found out about a check while it runs."""

from __future__ import annotations

import pytest

from pytest_loaderperf.check.state import Findings, Spec
from pytest_loaderperf.measure.calibration import Survey
from pytest_loaderperf.measure.plan import plan
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import Handed
from pytest_loaderperf.settings import CheckSettings


def findings(settings: dict[str, str | int | bool], note: str = "") -> Findings:
    """Findings of a loader that tells these settings."""
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
    survey = Survey(
        loader=loader,
        workload=Workload(batch="int64[*]", bytes_per_sample=8.0),
        peak_memory=1.0,
        values={},
        batches=10,
        plan=plan(0.01, 0, 0),
        asserted=(),
    )
    return Findings(survey=survey, judged=frozenset())


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"num_workers": 2}, {"num_workers": 2}, []),
        ({"num_workers": 2}, {"num_workers": 0}, ["settings differ: num_workers 2 -> 0"]),
        (
            {"num_workers": 2, "start_method": "fork", "batch_size": 8},
            {"num_workers": 0, "batch_size": 8, "pin_memory": True},
            [
                "settings differ: num_workers 2 -> 0, start_method fork -> absent, "
                "pin_memory absent -> True"
            ],
        ),
    ],
)
def test_settings_that_differ_are_noted(
    before: dict[str, str | int | bool], now: dict[str, str | int | bool], told: list[str]
) -> None:
    found = findings(now)
    found.compare_settings(before)
    assert found.notes == told


def test_the_result_tells_of_the_loader() -> None:
    spec = Spec(
        nodeid="test_x.py::test_a",
        module="test_x.py",
        key="test_a",
        batch_size=None,
        settings=CheckSettings(),
    )
    result = findings({"num_workers": 2}, "cannot be frozen").result(spec)
    assert (result.loader, result.settings) == ("kind", {"num_workers": 2})
    assert result.notes == ("cannot be frozen",)
    assert type(result).load(result.dump()) == result
