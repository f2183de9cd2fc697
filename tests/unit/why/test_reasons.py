"""What is looked for where a check got worse, and what becomes of a look that fails."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from examples import check, comparison, why
from pytest_loaderperf.errors import ArmError
from pytest_loaderperf.model.results import CheckResult, Verdict, Why
from pytest_loaderperf.why import memory, pipeline, reasons, sampling, starts

FOUND = why()
STALLS = ("epoch_overhead", "stall", "stalled", "wait_p99")
# Where what goes, by its name among the reasons.
LOOKS = {
    "time": "where the time goes",
    "first_batch": "where the time of the first batch goes",
    "memory": "where the memory goes",
    "copies": "where shared memory is copied",
}


@pytest.fixture(autouse=True)
def _looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "why_slower", lambda *_: FOUND)
    monkeypatch.setattr(pipeline, "why_slower", lambda *_: replace(FOUND, waited=7.0))
    monkeypatch.setattr(memory, "why_larger", lambda *_: FOUND)
    monkeypatch.setattr(memory, "why_copied", lambda *_: FOUND)
    monkeypatch.setattr(starts, "why_later", lambda *_, always: FOUND)
    monkeypatch.setattr(memory, "is_installed", lambda: True)
    monkeypatch.setattr(memory, "workers", lambda _: 2)


def result(*regressed: str, judged: bool = True) -> CheckResult:
    metrics = {
        name: comparison(name, 1.0, 0.8, verdict=verdict, judged=judged)
        for name in ("throughput", "peak_memory", "first_batch", *STALLS)
        for verdict in [Verdict.REGRESSED if name in regressed else Verdict.UNCHANGED]
    }
    return check("test_x.py::test_x", Verdict.REGRESSED, 0.8, metrics=metrics)


def told(of: CheckResult, *, always: bool = False, kind: str = "") -> CheckResult:
    nothing: Any = (None, None)
    lengths: Any = SimpleNamespace(pair=1.0)
    calibrated: Any = SimpleNamespace(loader=SimpleNamespace(kind=kind))
    news: list[str] = []
    found = reasons.explained(of, nothing, nothing, lengths, calibrated, news.append, always=always)
    looked = looked_for(of, always) | ({"copies"} & {*found.why})
    assert news == [what for name, what in LOOKS.items() if name in looked]
    return found


def looked_for(of: CheckResult, always: bool) -> set[str]:
    worse = {name for name, c in of.metrics.items() if c.judged and c.verdict is Verdict.REGRESSED}
    memory_too = {"memory"} if "peak_memory" in worse and memory.is_installed() else set()
    slower = always or worse & {"throughput", *STALLS}
    return memory_too | (worse & {"first_batch"}) | ({"time"} if slower else set())


@pytest.mark.parametrize(
    ("regressed", "looked"),
    [
        (["throughput"], ["time"]),
        (["peak_memory"], ["memory"]),
        (["throughput", "peak_memory"], ["time", "memory"]),
        (["first_batch"], ["first_batch"]),
        (["throughput", "first_batch", "peak_memory"], ["time", "first_batch", "memory"]),
        *(([name], ["time"]) for name in STALLS),
        ([], []),
    ],
)
def test_what_got_worse_is_looked_for(regressed: list[str], looked: list[str]) -> None:
    assert list(told(result(*regressed)).why) == looked


def test_the_look_at_memory_knows_by_how_much_the_peak_has_grown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grown: list[float] = []

    def larger(*arguments: Any) -> Why:
        grown.append(arguments[-1])
        return FOUND

    monkeypatch.setattr(memory, "why_larger", larger)
    of = result("peak_memory")
    told(
        replace(
            of,
            metrics={
                "peak_memory": replace(
                    of.metrics["peak_memory"], value=24.0 * 2**20, baseline=16.0 * 2**20
                )
            },
        )
    )
    assert grown == [8.0]


MIB = 2.0**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is copied")
@pytest.mark.parametrize(
    ("holds", "in_flight", "clear", "looked"),
    [
        (20.0, 0.0, True, False),
        (11.0, 0.0, True, True),
        (11.0, 2.0, True, False),
        (20.0, 0.0, False, True),
        (0.1, 13.0, False, False),
        (5.0, -40.0, True, True),
    ],
)
def test_copies_are_looked_for_where_lines_and_batches_hold_little(
    monkeypatch: pytest.MonkeyPatch, holds: float, in_flight: float, *, clear: bool, looked: bool
) -> None:
    held = replace(FOUND, lost=holds, clear=clear, in_flight=(1, in_flight))
    monkeypatch.setattr(memory, "why_larger", lambda *_: held)
    of = result("peak_memory")
    peak = replace(of.metrics["peak_memory"], value=40 * MIB, baseline=16 * MIB)
    found = told(replace(of, metrics={"peak_memory": peak}))
    assert ("copies" in found.why) is looked


def test_where_no_process_shares_anything_no_copies_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "workers", lambda _: 0)
    monkeypatch.setattr(memory, "is_installed", lambda: False)
    assert not told(result("peak_memory")).why


def test_what_nobody_judges_is_not_looked_for() -> None:
    assert not told(result("throughput", judged=False)).why


def test_where_all_is_asked_for_it_is_time() -> None:
    assert list(told(result(), always=True).why) == ["time"]


def test_the_look_at_the_first_batch_knows_what_the_slower_side_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds: list[float] = []

    def later(*arguments: Any, always: bool) -> Why:
        seconds.append(arguments[-1])
        raise ArmError("it takes too long")

    monkeypatch.setattr(starts, "why_later", later)
    of = result("first_batch")
    first = replace(of.metrics["first_batch"], value=3.0, baseline=1.0)
    after = told(replace(of, metrics={"first_batch": first}))
    assert seconds == [3.0]
    assert after.notes[-1] == (
        "where the time of the first batch goes was not found: it takes too long"
    )


@pytest.mark.parametrize("error", [ArmError("it died\nits output"), ValueError("it died")])
def test_a_look_that_fails_is_a_note_and_the_verdict_holds(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(sampling, "why_slower", fail)
    before = result("throughput", "peak_memory")
    after = told(before)
    assert after.verdict is before.verdict
    assert after.notes[-1] == "where the time goes was not found: it died"
    assert list(after.why) == ["memory"]


def test_without_memray_a_note_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "is_installed", lambda: False)
    after = told(result("peak_memory"))
    assert [*after.why] == (["copies"] if sys.platform == "linux" else [])
    assert "pytest-loaderperf[why]" in after.notes[-1]


def test_of_a_pipeline_that_is_no_python_the_nodes_are_timed() -> None:
    assert told(result("throughput"), kind="tf.data").why["time"].waited == 7.0
