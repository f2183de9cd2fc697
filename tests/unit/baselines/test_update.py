"""Acceptance: what may become a baseline, and what of it is stored."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_loaderperf.baselines.store import (
    Entry,
    Record,
    Stored,
    load,
    parse,
    render,
    save,
    store_path,
)
from pytest_loaderperf.baselines.update import Acceptance, accepted_entry, refusal, write
from pytest_loaderperf.check.per_trial import ASKED_FOR
from pytest_loaderperf.check.state import Findings
from pytest_loaderperf.errors import StoreError
from pytest_loaderperf.model.metrics import METRICS
from pytest_loaderperf.model.results import Comparison, Verdict
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.options import UPDATES, Update
from pytest_loaderperf.reports.accepted import table
from pytest_loaderperf.system.machine import machine_class
from pytest_loaderperf.versions.usage import UsedFiles

WORKLOAD = Workload(batch="float32[*,3]", bytes_per_sample=12.0, samples_per_epoch=100)
VERSIONS = {"torch": "2.14.1", "numpy": "2.4.6"}
VALUES = {
    "throughput": 100.0,
    "first_batch": 0.5,
    "cpu_time": 0.01,
    "epoch_time": 3.0,
    "wait_p99": 0.02,
    "stalled": 0.05,
}
MIB = 2.0**20
MEASURED = {each.metric.name for each in ASKED_FOR}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a check has found, as far as it matters here."""

    verdict: Verdict
    moved: bool
    values: Mapping[str, Sequence[float]]

    def refusal(self, update: Update, *, failed: bool = False, stored: bool = False) -> str | None:
        return refusal(self.verdict, update, moved=self.moved, failed=failed, stored=stored)

    def entry(self, old: Entry | None = None) -> Entry:
        return accepted_entry(WORKLOAD, self.values, VERSIONS, old, moved=self.moved)


def findings(
    *,
    timings: tuple[float, ...] = (1.0,),
    peaks: tuple[float, ...] = (64 * MIB,),
    more: Mapping[str, Sequence[float]] | None = None,
    others: Mapping[str, str] | None = None,
    **verdicts: str,
) -> Found:
    """These verdicts of judged metrics, and of ``others`` that are not judged."""
    given = {**verdicts, **(others or {})}
    found = Findings(
        comparisons={
            name: Comparison(
                metric=name, value=1.0, judged=name in verdicts, verdict=Verdict(verdict)
            )
            for name, verdict in given.items()
        }
    )
    timed = {name: [value * factor for factor in timings] for name, value in VALUES.items()}
    return Found(
        verdict=found.verdict,
        moved=found.moved,
        values={**timed, "peak_memory": peaks, **(more or {})},
    )


def test_what_was_used_is_stored_with_the_numbers_of_this_machine() -> None:
    usage = UsedFiles(files=("a.py",), digest="0")
    old = accepted_entry(WORKLOAD, {}, {"torch": "1.0"}, None, moved=False)
    new = accepted_entry(WORKLOAD, {}, VERSIONS, old, moved=False, used=usage)
    used = {machine: record.used for machine, record in new.records.items()}
    assert used == {machine_class({"torch": "1.0"}): None, machine_class(VERSIONS): usage}


# --- what may be written ------------------------------------------------------------------------

WRITTEN, NOTHING_NEW = None, ""


@pytest.mark.parametrize(
    ("verdict", "new", "changed", "everything"),
    [
        ("no_baseline", WRITTEN, WRITTEN, WRITTEN),
        ("unchanged", NOTHING_NEW, NOTHING_NEW, WRITTEN),
        ("improved", NOTHING_NEW, WRITTEN, WRITTEN),
        ("regressed", NOTHING_NEW, WRITTEN, WRITTEN),
        ("incomparable", NOTHING_NEW, WRITTEN, WRITTEN),
    ],
)
@pytest.mark.parametrize("stored", [False, True])
def test_verdict_and_mode_decide(
    verdict: str, new: str | None, changed: str | None, everything: str | None, stored: bool
) -> None:
    found = findings(throughput=verdict, peak_memory=verdict)
    answers = [found.refusal(mode, failed=False, stored=stored) for mode in UPDATES]
    assert answers == [new, changed, everything]


@pytest.mark.parametrize("moved", ["regressed", "improved"])
def test_a_new_metric_does_not_carry_along_another_one_that_moved(moved: str) -> None:
    found = findings(throughput=moved, peak_memory="no_baseline")
    assert "--loaderperf-update" in (found.refusal("new", failed=False, stored=False) or "")
    assert found.refusal("changed", failed=False, stored=False) is None


@pytest.mark.parametrize("verdict", [v.value for v in Verdict])
@pytest.mark.parametrize("update", UPDATES)
def test_a_failed_test_is_never_written(verdict: str, update: Update) -> None:
    found = findings(throughput=verdict)
    assert found.refusal(update, failed=True, stored=False) == "the test failed"


@pytest.mark.parametrize(
    ("update", "stored", "written"),
    [(mode, stored, mode == "all" and stored) for mode in UPDATES for stored in (False, True)],
)
def test_noise_is_not_written_except_where_only_the_comparison_is_noisy(
    update: Update, stored: bool, written: bool
) -> None:
    found = findings(throughput="inconclusive", peak_memory="improved")
    answer = found.refusal(update, failed=False, stored=stored)
    assert answer == (WRITTEN if written else "the measurement was inconclusive")


def test_one_metric_that_moved_is_enough() -> None:
    found = findings(throughput="unchanged", peak_memory="improved")
    assert found.refusal("changed", failed=False, stored=False) is WRITTEN


@pytest.mark.parametrize("verdict", ["regressed", "improved"])
def test_a_metric_that_is_not_judged_changes_nothing(verdict: str) -> None:
    found = findings(throughput="unchanged", others={"first_batch": verdict})
    assert found.refusal("changed", failed=False, stored=False) == NOTHING_NEW


# --- what is written ----------------------------------------------------------------------------


def test_an_entry_has_all_metrics_of_this_machine_class_and_the_workload() -> None:
    entry = findings(throughput="no_baseline").entry(None)
    assert entry.workload == WORKLOAD
    (record,) = entry.records.values()
    assert list(entry.records) == [machine_class(VERSIONS)]
    assert record.metrics.keys() == METRICS.keys() - MEASURED
    assert record.versions == VERSIONS


def test_what_was_measured_since_it_was_asked_for_is_stored_too() -> None:
    more = {name: [3.0 * MIB] * 3 for name in MEASURED}
    found = findings(more=more, memory_growth="no_baseline")
    (record,) = found.entry(None).records.values()
    assert record.metrics.keys() == METRICS.keys()
    assert record.metrics["memory_growth"].value == pytest.approx(3.0 * MIB)


def test_values_are_typical_ones_with_their_spread() -> None:
    factors, peaks = (1.0, 1.1, 1.3, 0.9), (64 * MIB, 66 * MIB, 65 * MIB)
    found = findings(timings=factors, peaks=peaks, throughput="no_baseline")
    (record,) = found.entry(None).records.values()
    mean, spread = statistics.geometric_mean(factors), statistics.stdev(map(math.log, factors))
    for name, value in VALUES.items():
        assert record.metrics[name].value == pytest.approx(value * mean)
        if not METRICS[name].is_share:
            assert record.metrics[name].spread == pytest.approx(spread)
    left = [1 - VALUES["stalled"] * factor for factor in factors]
    assert record.metrics["stalled"].spread == pytest.approx(statistics.stdev(map(math.log, left)))
    assert record.metrics["peak_memory"].value == pytest.approx(statistics.geometric_mean(peaks))
    assert record.metrics["peak_memory"].spread == pytest.approx(
        statistics.stdev(map(math.log, peaks))
    )


def test_a_peak_of_nothing_can_be_stored() -> None:
    found = findings(peaks=(0.0, 0.0, 0.0), throughput="no_baseline")
    entry = found.entry(None)
    (record,) = entry.records.values()
    assert record.metrics["peak_memory"].value == 0
    assert parse(render({"test_a": entry}), "a file").keys() == {"test_a"}


ELSEWHERE = Record(metrics={"throughput": Stored(value=5.0, spread=0.1)}, versions={"torch": "1.0"})


@pytest.mark.parametrize(
    ("verdict", "kept"),
    [
        ("unchanged", True),
        ("no_baseline", True),
        ("improved", False),
        ("regressed", False),
        ("incomparable", False),
    ],
)
def test_numbers_of_other_machines_stay_while_the_loader_is_the_same(
    verdict: str, kept: bool
) -> None:
    old = Entry(
        workload=WORKLOAD,
        records={"another machine": ELSEWHERE, machine_class(VERSIONS): ELSEWHERE},
    )
    entry = findings(throughput=verdict).entry(old)
    assert entry.records.keys() - {"another machine"} == {machine_class(VERSIONS)}
    assert entry.records[machine_class(VERSIONS)] != ELSEWHERE
    assert entry.records.get("another machine") == (ELSEWHERE if kept else None)
    assert old.records[machine_class(VERSIONS)] == ELSEWHERE


def test_an_entry_reads_back_from_the_store() -> None:
    entry = findings(timings=(1.0, 1.25), throughput="no_baseline").entry(None)
    read = parse(render({"test_a[32]": entry}), "a file")["test_a[32]"]
    assert read.workload == entry.workload
    (ours,), (theirs,) = entry.records.values(), read.records.values()
    for name in ours.metrics:
        assert theirs.metrics[name].value == pytest.approx(ours.metrics[name].value, rel=1e-3)
    assert theirs.versions == VERSIONS


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("update", UPDATES)
def test_a_reason_is_worth_telling_or_empty(update: Update, failed: bool) -> None:
    for verdict, stored in itertools.product(Verdict, (False, True)):
        answer = findings(throughput=verdict).refusal(update, failed=failed, stored=stored)
        assert answer in (WRITTEN, NOTHING_NEW) or " " in str(answer)


MACHINE = machine_class(VERSIONS)
JUDGED = frozenset({"throughput", "peak_memory"})


def acceptance(nodeid: str, *, old: Entry | None = None, factor: float = 1.0) -> Acceptance:
    found = findings(timings=(factor,), peaks=(96 * MIB,), throughput="regressed")
    new = found.entry(old)
    return Acceptance(
        nodeid=nodeid, verdict=Verdict.REGRESSED, old=old, new=new, machine=MACHINE, judged=JUDGED
    )


def cells(acceptances: Sequence[Acceptance]) -> list[str]:
    return [" ".join(line.split()) for line in table(acceptances)]


def test_a_change_is_shown_beside_what_was_there_before() -> None:
    old = findings(throughput="no_baseline").entry(None)
    assert cells([acceptance("a.py::b", old=old, factor=0.8), acceptance("a.py::c")]) == [
        "accepted now change verdict",
        "a.py::b throughput 100 samples/s 80 samples/s -20.0 % regressed",
        "peak memory 64 MiB 96 MiB +50.0 %",
        "a.py::c throughput - 100 samples/s new regressed",
        "peak memory - 96 MiB new",
    ]


def test_numbers_of_another_machine_are_none_of_this_one() -> None:
    old = findings(throughput="no_baseline").entry(None)
    elsewhere = Entry(
        workload=WORKLOAD, records={"another machine": next(iter(old.records.values()))}
    )
    assert "throughput - 80 samples/s new" in cells([acceptance("b", old=elsewhere, factor=0.8)])[1]


def test_a_file_is_written_once_and_keeps_what_nobody_accepts(tmp_path: Path) -> None:
    kept = findings(throughput="no_baseline").entry(None)
    save(store_path(tmp_path, "a.py"), {"kept": kept, "b": kept})
    accepted = [acceptance("a.py::b"), acceptance("c.py::d"), acceptance("a.py::e[x::y]")]
    written = list(write(tmp_path, accepted))
    assert written == [("baselines/a.json", 2), ("baselines/c.json", 1)]
    stored = load(store_path(tmp_path, "a.py"))
    peaks = {
        key: entry.records[MACHINE].metrics["peak_memory"].value / MIB
        for key, entry in stored.items()
    }
    assert peaks == {"kept": pytest.approx(64, 1e-3), "b": pytest.approx(96, 1e-3),
                     "e[x::y]": pytest.approx(96, 1e-3)}  # fmt: skip


def test_no_file_outside_the_store_is_written(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(render({}))
    path = store_path(tmp_path / "project", "a.py")
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere)
    with pytest.raises(StoreError, match="leads out of baselines/"):
        list(write(tmp_path / "project", [acceptance("a.py::b")]))
    assert elsewhere.read_text() == render({})


def test_a_damaged_file_is_not_written_over(tmp_path: Path) -> None:
    path = store_path(tmp_path, "a.py")
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(StoreError):
        list(write(tmp_path, [acceptance("a.py::b")]))
    assert path.read_text() == "{"
