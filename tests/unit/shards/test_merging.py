"""One run of many: with the verdicts of all, or with what keeps it from being one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_loaderperf.model.results import Run, Verdict
from pytest_loaderperf.model.shards import Shard
from pytest_loaderperf.shards.merging import merged, skipped
from unit.shards.runs import SELECTION, shard


def named(*runs: Run) -> list[tuple[str, Run]]:
    return [(f"{i}.json", run) for i, run in enumerate(runs)]


def test_shards_are_one_run_in_the_order_of_its_checks() -> None:
    run = merged(named(shard(3), shard(1), shard(2)))
    assert run.problems == ()
    assert [result.nodeid for result in run.results] == [*SELECTION]
    assert [share.shard.number for share in run.shares] == [1, 2, 3]
    assert run.commits == ["f" * 40, "1" * 40, "2" * 40, "3" * 40]
    assert run.memory_limit == 2.0**30
    assert run.share is None
    assert skipped(run) == []


def test_a_check_that_was_skipped_is_no_gap() -> None:
    run = merged(named(shard(1, results=SELECTION[:1]), shard(2), shard(3)))
    assert run.problems == ()
    assert skipped(run) == [SELECTION[1]]


FOREIGN: Mapping[str, tuple[dict[str, Any], str]] = {
    "commit": ({"commit": "d" * 40}, "its commit is dddd"),
    "no commit": ({"commit": ""}, "its commit is none"),
    "changes": ({"changes": "abc"}, "changes since the commit"),
    "plugin": ({"plugin": "1.2.4"}, "version of pytest-loaderperf is 1.2.4, that of the others"),
    "mode": ({"mode": "stored"}, "its reference is stored"),
    "root": ({"root": "other"}, "root folder"),
    "settings": ({"settings": "abd"}, "its settings"),
    "alpha": ({"alpha": 0.01}, "alpha"),
    "of": ({"shard": Shard(number=2, of=4)}, "its number of shards is 4"),
    "selection": ({"selection": SELECTION[1:]}, "selection of checks is another one"),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_shard_of_another_run_is_named_and_left_out(name: str, place: int) -> None:
    fields, says = FOREIGN[name]
    runs = [shard(1), shard(3)]
    runs.insert(place, shard(2, **fields))
    run = merged(named(*runs))
    foreign, missing, unmeasured = run.problems
    assert foreign.startswith(f"{place}.json, shard 2/")
    assert says in foreign
    assert missing == "missing of 3 shards: shard 2"
    assert unmeasured.startswith("2 of 6 checks were not measured")
    assert not any(result.nodeid.startswith("test_b") for result in run.results)


def test_missing_shards_are_named_with_what_was_not_measured() -> None:
    run = merged(named(shard(2)))
    assert run.problems == (
        "missing of 3 shards: shards 1, 3",
        "4 of 6 checks were not measured (test_a.py::test_it[1], test_a.py::test_it[2], "
        "test_c.py::test_it[1] and 1 more)",
    )


def test_a_shard_that_is_there_twice_counts_once() -> None:
    run = merged(named(shard(1), shard(2), shard(1), shard(3)))
    assert run.problems == ("shard 1/3 is there twice: 0.json and 2.json",)
    assert len(run.results) == len(SELECTION)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"own": (), "ended": (), "results": ()}, "shard 2/3 is empty"),
        ({"ended": SELECTION[2:3]}, "shard 2/3 ended early: 1 of its 2 checks"),
        ({"status": 2}, "the pytest of shard 2/3 ended with exit status 2"),
        ({"own": SELECTION[1:4], "ended": SELECTION[1:4]}, "1 checks were measured by several"),
        ({"own": SELECTION[2:3]}, "1 checks were measured by no shard (test_b.py::test_it[2])"),
    ],
)
def test_a_shard_that_did_not_do_its_part_is_a_problem(fields: dict[str, Any], says: str) -> None:
    run = merged(named(shard(1), shard(2, **fields), shard(3)))
    assert any(says in problem for problem in run.problems), run.problems


def test_a_shard_that_failed_is_no_problem_of_the_merge() -> None:
    worse = replace(shard(2, status=1).results[0], verdict=Verdict.REGRESSED, outcome="failed")
    failed = replace(shard(2, status=1), results=[worse, shard(2).results[1]])
    run = merged(named(shard(1), failed, shard(3)))
    assert run.problems == ()
    assert [result.verdict for result in run.results].count(Verdict.REGRESSED) == 1
