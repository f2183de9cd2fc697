"""Rows of the forest plot: which metric, in which order, where, and in which words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import examples
from pytest_loaderperf.model.results import CheckResult, Comparison, Culprit, Verdict
from pytest_loaderperf.reports.page import charts, forest

REGRESSED, UNCHANGED = Verdict.REGRESSED, Verdict.UNCHANGED


def result(name: str, verdict: Verdict, *metrics: Comparison, **fields: object) -> CheckResult:
    made = CheckResult(
        nodeid=f"a.py::{name}",
        verdict=verdict,
        outcome="failed" if verdict.fails else "passed",
        metrics={each.metric: each for each in metrics},
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def compared(metric: str, ratio: float, verdict: Verdict, tolerance: float = 0.1) -> Comparison:
    return replace(
        examples.comparison(metric, 100.0, ratio - 0.01, ratio + 0.01, verdict=verdict),
        tolerance=tolerance,
    )


def names(results: list[CheckResult]) -> dict[str, list[str]]:
    return {
        group.name: [row.result.nodeid.partition("::")[2] for row in group.rows]
        for group in forest.groups(results)
    }


def test_what_failed_comes_first_and_of_each_group_the_worst() -> None:
    throughput = "throughput"
    found = names([
        result("same", UNCHANGED, compared(throughput, 1.0, UNCHANGED)),
        result("identical", Verdict.IDENTICAL),
        result("slower", UNCHANGED, compared(throughput, 0.96, UNCHANGED)),
        result("better", Verdict.IMPROVED, compared(throughput, 1.2, Verdict.IMPROVED)),
        result("best", Verdict.IMPROVED, compared(throughput, 1.5, Verdict.IMPROVED)),
        result("doubt", Verdict.INCONCLUSIVE, compared(throughput, 0.9, Verdict.INCONCLUSIVE)),
        result("dead", Verdict.ERROR),
        result("lost", REGRESSED, compared(throughput, 0.8, REGRESSED)),
        result("over budget", UNCHANGED, compared(throughput, 1.1, UNCHANGED), outcome="failed"),
        result("grown", REGRESSED, compared("peak_memory", 1.5, REGRESSED)),
        result("strict", Verdict.INCONCLUSIVE, outcome="failed"),
    ])  # fmt: skip
    assert found == {
        "failed": ["grown", "lost", "over budget", "dead", "strict"],
        "inconclusive": ["doubt"],
        "improved": ["best", "better"],
        "rest": ["slower", "same", "identical"],
    }


@pytest.mark.parametrize(("count", "folded"), [(20, False), (21, True)])
def test_only_many_that_went_well_are_folded(count: int, folded: bool) -> None:
    many = [result(str(n), UNCHANGED, compared("throughput", 1.0, UNCHANGED)) for n in range(count)]
    failed = [result(f"failed {n}", REGRESSED) for n in range(count)]
    assert [group.folded for group in forest.groups(many + failed)] == [False, folded]


@pytest.mark.parametrize(
    ("metric", "ratio"), [("throughput", 0.8), ("peak_memory", 1.2), ("stalled", 0.8)]
)
def test_worse_is_always_on_the_same_side(metric: str, ratio: float) -> None:
    comparison = compared(metric, ratio, REGRESSED)
    (group,) = forest.groups([result("a", REGRESSED, comparison)])
    (drawn,) = charts.of_rows(group.rows)
    assert drawn == {
        "change": pytest.approx(-0.2),
        "interval": [pytest.approx(-0.21), pytest.approx(-0.19)],
        "tolerance": 0.1,
    }
    assert forest.change(comparison) == "20.0 % worse"


def test_what_was_not_compared_is_not_drawn_and_an_end_that_is_unknown_neither() -> None:
    endless = replace(compared("throughput", 0.9, UNCHANGED), interval=(0.0, math.inf))
    groups = forest.groups([result("a", Verdict.ERROR), result("b", UNCHANGED, endless)])
    failed, drawn = charts.of_rows([row for group in groups for row in group.rows])
    assert failed == {}
    assert drawn["interval"] is None


def test_the_scale_has_room_for_all_and_is_bounded() -> None:
    def scale(*ratios: float, tolerance: float = 0.1) -> tuple[float, float]:
        metrics = [compared("throughput", ratio, UNCHANGED, tolerance) for ratio in ratios]
        groups = forest.groups([result(str(m.ratio), UNCHANGED, m) for m in metrics])
        return forest.scale([row for group in groups for row in group.rows])

    assert scale(1.0) == pytest.approx((-0.15, 0.15))
    assert scale(0.78, 1.02) == pytest.approx((-0.15, 0.25))
    assert scale(0.1, 3.0) == (-0.6, 0.6)
    assert scale(1.0, tolerance=0.02) == (-0.1, 0.1)
    assert forest.scale([]) == (-0.1, 0.1)


def test_an_anchor_is_plain_and_each_is_another() -> None:
    found = forest.anchors(["t/test_a.py::test[32]", "t/test_a.py::test(32)", examples.HOSTILE])
    assert found[:2] == ["t/test_a.py::test-32", "t/test_a.py::test-32--2"]
    assert not set(found[2]) & set("<>&\"'[] ")
    assert found[2].isascii()
    alike = ["t.py::t[a]", "t.py::t[a--2]", "t.py::t(a)", "t.py::t(a--2)", "t.py::t{a}"]
    for each in (alike, alike[::-1]):
        assert len({*forest.anchors(each)}) == len(alike)


def test_what_is_no_number_stretches_no_scale() -> None:
    strange = [
        compared("throughput", ratio, REGRESSED, tolerance=math.inf) for ratio in (0.8, math.inf)
    ]
    found = forest.groups([result(str(n), REGRESSED, each) for n, each in enumerate(strange)])
    assert forest.scale([row for group in found for row in group.rows]) == (-0.1, 0.25)


def test_a_row_tells_why() -> None:
    run = examples.run()
    reasons = {str(each.verdict): forest.reason(each) for each in run.results}
    assert reasons["regressed"].startswith("made worse by imagesize 1.4.1 -> 2.0.0")
    assert reasons["error"] == "a trial was killed by SIGKILL"
    assert reasons["inconclusive"] == "2 pairs cannot show a loss of less than 6 %"
    noisy = replace(compared("epoch_time", 1.0, Verdict.INCONCLUSIVE), minimum_detectable=67.0)
    assert forest.reason(result("a", Verdict.INCONCLUSIVE, noisy)) == (
        "2 pairs cannot show any loss: they differ too much"
    )
    # What other metrics could show explains no doubt about one that has no ratio.
    memory = replace(compared("peak_memory", 1.0, Verdict.INCONCLUSIVE), ratio=None)
    memory = replace(memory, minimum_detectable=None)
    doubted = result("a", Verdict.INCONCLUSIVE, compared("throughput", 1.0, UNCHANGED), memory)
    assert forest.reason(doubted) == "peak_memory: no ratio"
    of_variants = examples.compared(verdict=Verdict.INCONCLUSIVE, variants=examples.VARIANTS)
    assert forest.reason(of_variants).startswith("slow beside pil: ratio 0.600 after 2 pairs")
    assert reasons["unchanged"] == ""
    assert "turbo is faster (1.370 [1.360, 1.380])" in reasons["compared"]
    slower = replace(run.results[0], blame=None)
    assert forest.reason(slower).startswith("resize (photos.py:12) takes 3.9 ms more")
    assert forest.reason(replace(slower, why={}, notes=("a note",))) == "a note"
    assert forest.reason(replace(slower, why={})) == ""
    over = result("a", UNCHANGED, outcome="failed")
    assert forest.reason(over) == "An assertion of the test failed."


def test_of_several_lines_the_first_is_told() -> None:
    """The one that takes the most."""
    why = examples.why()
    other = Culprit(function="crop", file="b.py", line=1, more=0.1, interval=(0.0, 0.2))
    both = replace(why, culprits=(*why.culprits, other))
    slower = replace(examples.run().results[0], blame=None, why={"time": both})
    assert forest.reason(slower).startswith("resize")
    assert "\n" not in forest.reason(slower)


def test_cells_say_what_is_known() -> None:
    run = examples.run()
    rows = {
        str(row.result.verdict): row for group in forest.groups(run.results) for row in group.rows
    }
    assert forest.cells(rows["regressed"]) == {
        "change": "20.5 % worse",
        "ratio": "0.795 [0.780, 0.810]",
        "metric": "throughput",
        "amounts": "568 → 451 samples/s",
    }
    assert forest.cells(rows["error"])["change"] == "could not be measured"
    measured = forest.cells(rows["measured"])
    assert measured["change"] == "measured, not judged"
    assert measured["amounts"] == "470 samples/s"


def test_every_verdict_without_a_comparison_has_words() -> None:
    judged = {REGRESSED, UNCHANGED, Verdict.IMPROVED, Verdict.INCONCLUSIVE}
    for verdict in set(Verdict) - judged:
        (group,) = forest.groups([result("a", verdict)])
        assert forest.cells(group.rows[0])["change"]
