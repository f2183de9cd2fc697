"""What was accepted for a check over time."""

from __future__ import annotations

from pytest_loaderperf.baselines.history import history
from pytest_loaderperf.baselines.store import Entries, Entry, Record, Stored
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.reports.accepted import history_lines
from pytest_loaderperf.versions.repository import Commit

MIB = 2.0**20
HERE, THERE = "AMD EPYC x2, Linux", "Apple M9 x8, Darwin"


def version(number: int, **throughputs: float) -> tuple[Commit, Entries]:
    """A commit that has these numbers for the check: ``here`` and ``there`` are machines."""
    commit = Commit(
        hash=f"{number:02}" + "0" * 38, day=f"2026-11-{number:02}", subject=f"accept {number}"
    )
    machines = {"here": HERE, "there": THERE}
    records = {
        machines[name]: Record(
            metrics={
                "throughput": Stored(value=value, spread=0.01),
                "peak_memory": Stored(value=64 * MIB, spread=0.01),
            },
            versions={},
        )
        for name, value in throughputs.items()
    }
    return commit, {
        "test_a": Entry(
            workload=Workload(batch="int", bytes_per_sample=8.0, samples_per_epoch=100),
            records=records,
        )
    } if records else {}


def test_only_changes_are_kept_for_each_machine() -> None:
    versions = [
        version(1, here=100.0),
        version(2, here=100.0, there=300.0),
        version(3, here=110.0, there=300.0),
    ]
    found = history(versions, "test_a")
    days = {machine: [each.commit.day[-2:] for each in past] for machine, past in found.items()}
    assert days == {HERE: ["01", "03"], THERE: ["02"]}


def test_a_check_that_went_and_came_back_unchanged_did_not_change() -> None:
    versions = [version(1, here=100.0), version(2), version(3, here=100.0)]
    assert len(history(versions, "test_a")[HERE]) == 1


def test_another_check_has_no_history() -> None:
    assert history([version(1, here=100.0)], "test_b") == {}


def test_it_reads_as_a_table_for_each_machine() -> None:
    versions = [version(1, here=100.0), version(2, here=90.0), version(3, here=90.0, there=300.0)]
    printed = history_lines("a.py::test_a", history(versions, "test_a"))
    assert [" ".join(line.split()) for line in printed] == [
        "a.py::test_a",
        HERE,
        "commit day throughput peak memory subject",
        "0100000000 2026-11-01 100 samples/s 64 MiB accept 1",
        "0200000000 2026-11-02 90 samples/s -10.0 % 64 MiB +0.0 % accept 2",
        THERE,
        "commit day throughput peak memory subject",
        "0300000000 2026-11-03 300 samples/s 64 MiB accept 3",
    ]


def test_numbers_that_are_missing_or_nothing_are_no_change() -> None:
    commit, entries = version(2, here=100.0)
    nothing = Record(metrics={"throughput": Stored(value=0.0, spread=0.0)}, versions={})
    old = {
        "test_a": Entry(
            workload=Workload(batch="int", bytes_per_sample=8.0, samples_per_epoch=100),
            records={HERE: nothing},
        )
    }
    printed = history_lines("test_a", history([(version(1)[0], old), (commit, entries)], "test_a"))
    assert [line.split()[2:-2] for line in printed[3:]] == [
        ["0", "samples/s", "-"],
        ["100", "samples/s", "64", "MiB"],
    ]


def test_a_check_without_a_history_says_so() -> None:
    assert history_lines("a.py::b", {}) == ["a.py::b: no baseline has been committed"]
