"""The table of a run, and the row of a check that is decided, by the width of the terminal."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import examples
from pytest_loaderperf.model.results import CheckResult, Coverage, Verdict
from pytest_loaderperf.reports.console import table as console
from pytest_loaderperf.reports.console.screen import ASCII, UNICODE, Screen, width
from support import anything

no_deadline = settings(deadline=None)

SLOWER = replace(
    examples.check("tests/perf/a.py::test_photos[32]", Verdict.REGRESSED, 0.75, 0.77), seconds=21.3
)
SAME = examples.check("tests/perf/a.py::test_photos[128]", Verdict.UNCHANGED, 0.99, 1.01)
PARTLY, UNENDED = Coverage(batches=380, epoch_batches=1000), Coverage(batches=1380)
WHOLE = Coverage(batches=1000, epoch_batches=1000, whole=True)
ALL = Screen(columns=200)


def at(columns: int, *results: CheckResult) -> list[str]:
    return console.table(results, Screen(columns=columns))


def larger() -> CheckResult:
    """A check that takes too much memory, and is as fast as it was."""
    peak = examples.comparison("peak_memory", 90.0 * 2**20, 1.4, 1.42, verdict=Verdict.REGRESSED)
    result = examples.check("tests/perf/a.py::test_photos[64]", Verdict.UNCHANGED, 0.99, 1.01)
    metrics = {**result.metrics, "peak_memory": peak}
    return replace(result, verdict=Verdict.REGRESSED, metrics=metrics, outcome="failed")


# --- the table at the end


def test_what_decides_comes_first_and_then_what_was_measured() -> None:
    head, module, slower, _ = at(200, SLOWER, SAME)
    assert head.split("  ")[0] == ""
    assert [each.strip() for each in head.split("  ") if each.strip()] == [
        "verdict", "ratio [95 %]", "worse", "1", "better", "metric", "throughput", "baseline",
        "peak memory", "baseline", "first batch", "pairs", "seconds",
    ]  # fmt: skip
    assert module == "tests/perf/a.py"
    assert " ".join(slower.split()) == (
        "test_photos[32] regressed 0.760 [0.750, 0.770] ◀ ┊ ┊ throughput "
        "451 samples/s 594 samples/s 64 MiB 63.4 MiB 210 ms 2 21"
    )


def titles(columns: int) -> list[str]:
    """The titles that a terminal of so many columns has room for, bars aside."""
    head = at(columns, SLOWER, SAME)[0]
    known = ["verdict", "ratio [95 %]", "worse", "metric", "throughput", "baseline"]
    known += ["peak memory", "first batch", "pairs", "seconds"]
    return [each for each in known if each in head]


def test_a_narrow_terminal_shows_what_decides() -> None:
    first = ["verdict", "ratio [95 %]", "worse"]
    assert titles(60) == first[:2]
    assert titles(64) == first
    assert titles(80) == first
    assert titles(100) == [*first, "throughput", "peak memory"]
    assert titles(120) == [*first, "throughput", "baseline", "peak memory"]
    assert titles(140) == [*first, "throughput", "baseline", "peak memory", "pairs", "seconds"]
    assert len(titles(200)) == 10
    assert titles(30) == ["verdict"]


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 200])
def test_columns_line_up(columns: int) -> None:
    long = replace(SAME, nodeid=SAME.nodeid + "[longer]")
    head, _, *rows = at(columns, SLOWER, long, larger())
    start = head.index("verdict")
    assert all(row[start - 1] == " " != row[start] for row in rows)


def test_a_module_is_named_once() -> None:
    other = replace(SAME, nodeid="tests/perf/test_b.py::TestX::test_y")
    lines = at(120, SLOWER, SAME, other)
    assert lines.count("tests/perf/a.py") == lines.count("tests/perf/test_b.py") == 1
    assert lines[-1].startswith("  TestX::test_y ")


@pytest.mark.parametrize("columns", [80, 200])
def test_the_verdict_alone_is_painted(columns: int) -> None:
    plain = at(columns, SLOWER)
    painted = console.table(
        [SLOWER], Screen(columns=columns, paint=lambda text, verdict: f"<{verdict}>{text}")
    )
    assert painted[:2] == plain[:2]
    assert painted[2] == plain[2].replace("regressed", "<regressed>regressed")


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_the_ratio_is_that_of_the_metric_that_decides(columns: int) -> None:
    row = at(columns, larger())[-1]
    assert "1.410 [1.400, 1.420]" in row
    assert "peak memory" in row


def test_of_throughput_and_what_follows_from_it_the_ratio_is_that_of_throughput() -> None:
    speed = examples.comparison("throughput", 400, 0.34, 0.36, verdict=Verdict.REGRESSED)
    epoch = examples.comparison("epoch_time", 3.0, 2.8, 3.0, verdict=Verdict.REGRESSED)
    for both in ((speed, epoch), (epoch, speed)):
        metrics = {each.metric: each for each in both}
        row = at(120, replace(SLOWER, metrics=metrics))[-1]
        assert "0.350 [0.340, 0.360]" in row
        assert "throughput +1" in row


def test_of_two_metrics_that_got_worse_the_ratio_is_that_of_the_worst() -> None:
    both = larger()
    speed = examples.comparison("throughput", 400, 0.88, 0.89, verdict=Verdict.REGRESSED)
    row = at(120, replace(both, metrics={**both.metrics, "throughput": speed}))[-1]
    assert "1.410 [1.400, 1.420]" in row
    assert "peak memory +1" in row


@pytest.mark.parametrize(
    ("verdict", "coverage", "wide", "narrow"),
    [
        (Verdict.UNCHANGED, PARTLY, "unchanged in 38 % of an epoch ", "unchanged (38 % seen) "),
        (Verdict.UNCHANGED, UNENDED, "unchanged in 1,380 batches ", "unchanged in 1,380 batches "),
        (Verdict.UNCHANGED, WHOLE, "unchanged ", "unchanged "),
        (Verdict.IMPROVED, PARTLY, "improved in 38 % of an epoch ", "improved (38 % seen) "),
        # What is seen of a regression or of a doubt holds for all of it.
        (Verdict.REGRESSED, PARTLY, "regressed ", "regressed "),
        (Verdict.INCONCLUSIVE, PARTLY, "inconclusive ", "inconclusive "),
    ],
)
def test_a_verdict_says_for_how_much_of_an_epoch_it_holds(
    verdict: Verdict, coverage: Coverage, wide: str, narrow: str
) -> None:
    result = replace(examples.check("a.py::b", verdict, 0.99, 1.01), coverage=coverage)
    assert f" {wide} " in at(200, result)[-1]
    assert f" {narrow} " in at(80, result)[-1]


def test_a_check_that_could_not_be_measured_has_a_row() -> None:
    row = at(200, CheckResult(nodeid="test_a.py::test_b", verdict=Verdict.ERROR))[-1]
    assert row.split() == ["test_b", "error", "0"]
    row = at(200, SAME, CheckResult(nodeid="test_a.py::test_b", verdict=Verdict.ERROR))[-1]
    assert row.split() == ["test_b", "error", *["-"] * 7, "0"]


def test_where_nothing_is_compared_there_is_no_ratio() -> None:
    measured = [each for each in examples.run().results if each.verdict is Verdict.MEASURED]
    head = at(100, *measured)[0]
    assert "ratio" not in head
    assert "throughput" in head
    assert "peak memory" in head


def test_a_column_in_which_nobody_has_anything_is_none() -> None:
    without = {
        name: replace(each, baseline=None, ratio=None) for name, each in SAME.metrics.items()
    }
    first = replace(SAME, verdict=Verdict.NO_BASELINE, metrics=without, pairs=0)
    titles = [each.strip() for each in at(200, first)[0].split("  ")]
    assert titles[-4:] == [
        "throughput", "peak memory", "first batch", "seconds",
    ]  # fmt: skip


def test_no_checks_make_no_table() -> None:
    assert at(80) == []


# --- a row as soon as a check is decided


def row(result: CheckResult, columns: int, names: int = 18, before: int = 2) -> str:
    return console.row(result, Screen(columns=columns), before=before, names=names)


def test_a_live_row_has_what_decides() -> None:
    assert row(SLOWER, 80) == (
        "test_photos[32]     regressed     0.760 [0.750, 0.770]  ◀ ┊   ┊    throughput"
    )
    assert row(SAME, 80) == (
        "test_photos[128]    unchanged     1.000 [0.990, 1.010]    ┊ ● ┊    throughput"
    )


def test_a_wide_live_row_has_figures_as_well() -> None:
    assert row(SLOWER, 124) == (
        "test_photos[32]     regressed              0.760 [0.750, 0.770]  ◀   ┊       ┊      "
        "throughput   451 samples/s      64 MiB"
    )


def test_below_its_name_a_live_row_has_none() -> None:
    assert row(SAME, 80, names=0, before=4).startswith("unchanged     1.000 ")


def test_the_verdict_of_a_live_row_is_painted() -> None:
    screen = Screen(columns=80, paint=lambda text, verdict: f"<{verdict}>{text}")
    painted = console.row(SLOWER, screen, before=2, names=18)
    assert painted == row(SLOWER, 80).replace("regressed", "<regressed>regressed")


def test_a_test_that_failed_by_a_budget_looks_like_it() -> None:
    failed = replace(SAME, outcome="failed")
    screen = Screen(columns=80, paint=lambda text, verdict: f"<{verdict.fails}>{text}")
    for shown in (
        console.row(failed, screen, before=2, names=18),
        console.table([failed], screen)[-1],
    ):
        assert "<True>unchanged, failed " in shown


def test_live_rows_line_up_whichever_the_verdict() -> None:
    verdicts = [each for each in Verdict if len(each) <= 12]  # which are all of them
    checks = [examples.check("a.py::b", each, 0.99, 1.01) for each in verdicts]
    for columns, start in ((80, 34), (100, 43)):
        rows = [row(replace(each, coverage=PARTLY), columns) for each in checks]
        assert {each.index("1.000 [") for each in rows} == {start}


def test_a_live_row_says_of_how_much_of_an_epoch_where_there_is_room() -> None:
    partly = replace(SAME, coverage=PARTLY)
    assert " unchanged (38 % seen)  1.000 " in row(partly, 100)
    assert " unchanged     1.000 " in row(partly, 80)


@pytest.mark.parametrize(("columns", "widest"), [(80, 18), (100, 25), (200, 50), (40, 9)])
def test_long_names_leave_room_for_what_decides(columns: int, widest: int) -> None:
    screen = Screen(columns=columns)
    assert console.name_columns(["x" * 70, "test_a"], screen) == widest
    assert console.name_columns(["test_a"], screen) == 6
    assert console.name_columns([], screen) == 0


# --- anything

numbers = st.floats()
comparisons = anything.comparisons(numbers)
names = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    [
        "test_\u8bfb\u53d6\u56fe\u7247[\u5927]" * 4,
        "e\u0301" * 40,
        "a\nb",
        "\x1b[2J",
        "\U0001f600" * 30,
    ]
)
results = st.builds(
    CheckResult,
    nodeid=st.builds("{}::{}".format, names, names),
    verdict=st.sampled_from(Verdict),
    outcome=st.sampled_from(["passed", "failed"]),
    seconds=st.floats(0, 1e9),
    pairs=st.integers(0, 48),
    metrics=st.lists(comparisons, max_size=4).map(
        lambda found: {each.metric: each for each in found}
    ),
    coverage=st.none()
    | st.builds(
        Coverage, batches=st.integers(1, 10**9), epoch_batches=st.none() | st.integers(1, 10**9)
    ),
)


@given(st.lists(results, max_size=4), st.integers(40, 240), st.sampled_from([UNICODE, ASCII]))
@no_deadline
def test_no_line_is_wider_than_the_terminal_and_every_verdict_is_whole(
    found: list[CheckResult], columns: int, glyphs: object
) -> None:
    screen = Screen(columns=columns, glyphs=glyphs)  # type: ignore[arg-type]
    lines = console.table(found, screen)
    assert all(width(line) <= columns for line in lines)
    assert not any("\n" in line or "\x1b" in line for line in lines)
    rows = [line for line in lines[1:] if line.startswith("  ")]
    assert len(rows) >= len(found)
    for result in found:
        assert any(str(result.verdict) in row.replace(",", "").split() for row in rows)


@given(results, st.integers(40, 240), st.integers(0, 4))
@no_deadline
def test_no_live_row_is_wider_than_the_terminal(
    result: CheckResult, columns: int, before: int
) -> None:
    screen = Screen(columns=columns)
    names = console.name_columns([result.nodeid.partition("::")[2]], screen)
    for each in (names, 0):
        shown = console.row(result, screen, before=before, names=each)
        assert width(shown) + before <= columns
        assert str(result.verdict) in shown


@given(st.lists(results, min_size=1, max_size=3))
@no_deadline
def test_a_terminal_that_is_wide_enough_shows_names_as_they_are(found: list[CheckResult]) -> None:
    rows = console.table(found, Screen(columns=100_000))[1:]
    for result in found:
        name = "".join(c if c.isprintable() else "?" for c in result.nodeid.partition("::")[2])
        assert any(each.startswith(f"  {name}"[:20]) for each in rows)


def test_a_ratio_that_is_no_number_decides_nothing() -> None:
    odd = replace(SAME.metrics["throughput"], ratio=math.nan)
    assert at(100, replace(SAME, metrics={"throughput": odd}))
