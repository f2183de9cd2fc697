"""The sentence below the headline, and the counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

import examples
from pytest_loaderperf.model.results import CheckResult, Verdict
from pytest_loaderperf.model.shards import Shard, Share
from pytest_loaderperf.reports.page import first_screen, forest


def lead(*results: CheckResult) -> str:
    found = first_screen.lead(forest.groups(results))
    if found is None:
        return ""
    return f"{found.before}{found.row.result.nodeid}{found.after} {found.why}".strip()


SLOWER, BETTER, DOUBT, SAME, DEAD, HOSTILE, COMPARED = examples.run().results[:7]


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (
            [SAME, DEAD, SLOWER],
            f"Throughput of {examples.SLOWER} is 20.5 % worse (95 % interval: 19.0 % to 22.0 %); "
            "10 % is tolerated. 1 more failed. made worse by imagesize 1.4.1 -> 2.0.0 (1 of 2 "
            "packages tried)",
        ),
        (
            [SAME, DEAD],
            f"{DEAD.nodeid} failed. a trial was killed by SIGKILL",
        ),
        (
            [SAME, BETTER, DOUBT],
            f"Neither proven nor ruled out: throughput of {DOUBT.nodeid} is the same (95 % "
            "interval: 10.0 % better to 10.0 % worse). 2 pairs cannot show a loss of less than 6 %",
        ),
        (
            [SAME, BETTER],
            f"The most: throughput of {BETTER.nodeid} is 20.0 % better (95 % interval: 19.0 % to "
            "21.0 %).",
        ),
        ([COMPARED], ""),
        ([], ""),
    ],
)
def test_it_says_what_by_how_much_how_sure_and_why(results: list[CheckResult], said: str) -> None:
    assert lead(*results) == said


def test_of_a_run_without_a_loss_it_names_the_nearest() -> None:
    slower = examples.check("a.py::slower", Verdict.UNCHANGED, 0.93, 1.01)
    said = "The nearest to a loss: throughput of a.py::slower is 3.0 % worse "
    assert lead(SAME, slower) == f"{said}(95 % interval: 1.0 % better to 7.0 % worse)."
    once = examples.check("a.py::slower", Verdict.UNCHANGED, 0.97)
    assert lead(once) == f"{said.strip()}."


def test_counts_stand_in_the_order_of_the_rows() -> None:
    found = first_screen.counts(forest.groups(examples.run().results))
    assert found[:3] == [("regressed", 1), ("error", 1), ("no_baseline", 1)]
    assert dict(found)["measured"] == 5


def test_a_run_of_shards_says_so() -> None:
    share = Share(
        shard=Shard(number=2, of=3),
        selection=("a.py::x", "a.py::y"),
        own=("a.py::y",),
        ended=("a.py::y",),
        settings="",
        status=1,
        machine={"cpu": "AMD EPYC"},
    )
    run = replace(examples.run(), shares=(share,), commit="1a2b3c4d5e6f7a", changes="x")
    facts = dict(first_screen.facts(run))
    assert facts["shards"] == "1 of 3"
    assert facts["checked out"] == "1a2b3c4d5e with changes"
    assert "shard 2/3: 1 check on AMD EPYC, exit status 1" in first_screen.remarks(run)
    assert "shards" not in dict(first_screen.facts(examples.run()))
