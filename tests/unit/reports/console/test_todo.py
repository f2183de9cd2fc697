"""What to type next."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import examples
from pytest_loaderperf.model.results import CheckResult, Verdict
from pytest_loaderperf.reports.console import todo

SHELL = todo.Shell()


def check(verdict: Verdict, name: str = "test_a.py::test_b[32]") -> CheckResult:
    return examples.check(name, verdict, 0.8, 0.82)


def several(count: int, modules: int) -> list[CheckResult]:
    return [check(Verdict.REGRESSED, f"test_{n % modules}.py::test_{n}") for n in range(count)]


def test_what_is_measured_beside_an_old_release_stays_so_and_accepts_nothing() -> None:
    shell = replace(SHELL, beside="--loaderperf-against=v2.3")
    assert todo.lines([check(Verdict.REGRESSED)], shell) == []
    (line,) = todo.lines([check(Verdict.INCONCLUSIVE)], shell)
    assert line.endswith(" --loaderperf --loaderperf-against=v2.3 --loaderperf-budget=120s")
    (line,) = todo.lines([check(Verdict.NO_BASELINE)], replace(shell, git=False))
    assert line == "To accept: pytest 'test_a.py::test_b[32]' --loaderperf-update"


def test_a_budget_is_doubled_where_it_stands() -> None:
    unsure = check(Verdict.INCONCLUSIVE)
    (line,) = todo.lines([unsure], SHELL, budget=180, marked={unsure.nodeid})
    assert line == (
        "For more certainty: budget='360s' in the marker, then: "
        "pytest 'test_a.py::test_b[32]' --loaderperf"
    )
    (line,) = todo.lines([unsure], SHELL, budget=0.2, marked={"test_a.py::another"})
    assert line.endswith(" --loaderperf --loaderperf-budget=1s")
    assert todo.lines([unsure], SHELL, budget=math.inf) == []  # of a search


def test_where_all_is_well_there_is_nothing_to_do() -> None:
    well = [check(each) for each in (Verdict.UNCHANGED, Verdict.IMPROVED, Verdict.IDENTICAL)]
    assert todo.lines(well, SHELL) == []


def test_what_got_worse_can_be_accepted() -> None:
    results = [check(Verdict.REGRESSED), check(Verdict.UNCHANGED, "test_a.py::test_c")]
    assert todo.lines(results, SHELL) == [
        "To accept what got worse: pytest 'test_a.py::test_b[32]' --loaderperf-update && "
        "git add baselines && git commit -m 'Accept the baselines'"
    ]


@pytest.mark.parametrize("verdict", [Verdict.NO_BASELINE, Verdict.INCOMPARABLE])
def test_what_has_no_baseline_gets_one(verdict: Verdict) -> None:
    (line,) = todo.lines([check(verdict)], replace(SHELL, git=False))
    assert line == "To accept: pytest 'test_a.py::test_b[32]' --loaderperf-update"


@pytest.mark.parametrize(
    ("results", "chosen"),
    [
        (several(1, 1), "test_0.py::test_0 "),
        ([*several(2, 1), check(Verdict.UNCHANGED)], "test_0.py::test_0 test_0.py::test_1 "),
        ([*several(5, 2), check(Verdict.UNCHANGED)], "test_0.py test_1.py "),
        ([*several(9, 4), check(Verdict.UNCHANGED)], ""),
        (several(5, 2), ""),
    ],
)
def test_checks_are_chosen_in_few_words(results: list[CheckResult], chosen: str) -> None:
    (line,) = todo.lines(results, replace(SHELL, git=False))
    assert line == f"To accept what got worse: pytest {chosen}--loaderperf-update"


def test_what_failed_otherwise_is_run_again() -> None:
    budget = replace(check(Verdict.UNCHANGED), outcome="failed")
    for each in (check(Verdict.ERROR), budget):
        assert todo.lines([each], SHELL) == [
            "Once that is mended: pytest 'test_a.py::test_b[32]' --loaderperf"
        ]


def test_what_is_inconclusive_may_have_more_time() -> None:
    assert todo.lines([check(Verdict.INCONCLUSIVE)], SHELL, budget=16) == [
        "For more certainty: pytest 'test_a.py::test_b[32]' --loaderperf --loaderperf-budget=32s"
    ]


def test_what_was_written_is_to_be_committed() -> None:
    results = [replace(check(Verdict.REGRESSED), outcome="passed")]
    assert todo.lines(results, SHELL, written=["baselines/a b.json"]) == [
        "To accept this: git add 'baselines/a b.json' && git commit -m 'Accept the baselines'"
    ]
    assert todo.lines(results, replace(SHELL, git=False), written=["baselines/a.json"]) == []


def test_a_run_that_judges_by_no_baseline_has_nothing_to_accept() -> None:
    results = [check(Verdict.REGRESSED), check(Verdict.INCONCLUSIVE)]
    assert todo.lines(results, SHELL, judges=False) == []


def test_where_pytest_would_take_another_root_it_is_named() -> None:
    shell = todo.Shell(git=False, root="--rootdir=.")
    (line,) = todo.lines([check(Verdict.NO_BASELINE)], shell)
    assert line == "To accept: pytest --rootdir=. 'test_a.py::test_b[32]' --loaderperf-update"
    (line,) = todo.lines(several(5, 2), shell)  # all of them
    assert line == "To accept what got worse: pytest --loaderperf-update"


def test_commands_fit_the_place_where_they_are_typed() -> None:
    shell = todo.Shell(program="python -m pytest", relative=lambda place: f"../{place}")
    (line,) = todo.lines([check(Verdict.REGRESSED)], shell)
    assert "python -m pytest '../test_a.py::test_b[32]' --loaderperf-update" in line
    assert "git add ../baselines &&" in line


@given(
    st.lists(st.tuples(st.sampled_from(Verdict), st.text(max_size=8), st.booleans()), max_size=12),
    st.booleans(),
)
@settings(deadline=None)
def test_there_are_three_lines_at_most_which_a_shell_can_read(
    found: list[tuple[Verdict, str, bool]], git: bool
) -> None:
    results = [
        replace(check(verdict, f"t.py::{name}"), outcome="failed" if failed else "passed")
        for verdict, name, failed in found
    ]
    lines = todo.lines(results, todo.Shell(git=git))
    assert len(lines) <= 3
    for line in lines:
        assert "pytest" in shlex.split(line.partition(": ")[2])
