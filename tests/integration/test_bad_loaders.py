"""Loaders that cannot be measured, and tests that misuse the fixture: each gets a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tiny
from support.tiny import Report

LOADERS = """\
import itertools
import pytest
from paced import Paced, paced

class Varied:
    def __init__(self, *lengths):
        self.lengths = itertools.cycle(lengths)

    def __iter__(self):
        return paced(next(self.lengths))

class Failing:
    def __init__(self, at):
        self.at = at

    def __iter__(self):
        for index in itertools.count():
            if index == self.at:
                raise ValueError(f"batch {index} is corrupt")
            yield [1, 2]

class Closed:
    def __iter__(self):
        raise PermissionError("the corpus is locked")

class Rows:
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        if index == 70:
            raise KeyError("row seventy")
        return [index]

class Opaque:
    def __iter__(self):
        while True:
            for _ in paced():
                yield object()

"""
UNMEASURABLE = """\
def test_number(loaderperf):
    loaderperf.check(17)

def test_empty(loaderperf):
    loaderperf.check([])

def test_used_up(loaderperf):
    used_up = iter([[1, 2]])
    next(used_up)
    loaderperf.check(used_up)

def test_one_shot(loaderperf):
    loaderperf.check(batch for batch in [[1, 2]] * 60)

def test_same_one_each_time(loaderperf):
    only = iter([[1, 2]] * 60)
    loaderperf.check(lambda: only)

def test_makes_nothing(loaderperf):
    loaderperf.check(lambda: None)

def test_fails_at_once(loaderperf):
    loaderperf.check(Failing(0))

def test_fails_later(loaderperf):
    loaderperf.check(Failing(50))

def test_fails_to_start(loaderperf):
    loaderperf.check(Closed())

def test_fails_on_an_item(loaderperf):
    loaderperf.check(Rows())

def test_uncountable(loaderperf):
    loaderperf.check(Opaque())

def test_uneven(loaderperf):
    loaderperf.check([([1, 2], [1])] * 9)

def test_empty_batches(loaderperf):
    loaderperf.check([[]] * 9)

def test_samples_not_callable(loaderperf):
    loaderperf.check(Opaque(), samples=4)

def test_samples_no_number(loaderperf):
    loaderperf.check(Opaque(), samples=str)
"""
ERRORS = {
    "test_number": ["got a int, which cannot be iterated", "a callable without arguments"],
    "test_empty": ["the loader gave no batch: it is empty"],
    "test_used_up": ["an iterator that was used up before", "pass a callable that makes one"],
    "test_one_shot": ["ended after 60 batches", "one-shot iterator", "Pass a callable"],
    "test_same_one_each_time": ["ended after 60 batches", "a new one each time"],
    "test_makes_nothing": ["made a NoneType, which cannot be iterated"],
    "test_fails_at_once": ["ValueError: batch 0 is corrupt", "if index == self.at:"],
    "test_fails_later": ["ValueError: batch 50 is corrupt", "if index == self.at:"],
    "test_fails_to_start": ["PermissionError: the corpus is locked", "def __iter__"],
    "test_fails_on_an_item": ["KeyError: 'row seventy'", "if index == 70:"],
    "test_uncountable": ["a batch of type object", "samples=lambda batch:"],
    "test_uneven": ["batch[0] has 2, batch[1] has 1", "samples=lambda batch:"],
    "test_empty_batches": ["batches held no samples"],
    "test_samples_not_callable": ["samples=4: give a callable"],
    "test_samples_no_number": ["samples= gave '<object", "the number of samples"],
}


@pytest.fixture(scope="module")
def unmeasurable(tmp_path_factory: pytest.TempPathFactory) -> Report:
    root = tmp_path_factory.mktemp("unmeasurable") / "project"
    project = tiny.create(root, git=False, test_it=LOADERS + UNMEASURABLE)
    return tiny.report(project, "--loaderperf")


@pytest.mark.parametrize("check", ERRORS)
def test_loader_that_cannot_be_measured_is_an_error(unmeasurable: Report, check: str) -> None:
    text = unmeasurable.texts[check]
    for part in ERRORS[check]:
        assert part in text
    assert f"def {check}(loaderperf)" in text  # the failure starts in the test
    assert "_stretch" not in text  # and leaves out how the loader is measured
    assert unmeasurable.checks[check]["verdict"] == "error"
    assert unmeasurable.checks[check]["outcome"] == "failed"
    assert unmeasurable.run.status == 1
    assert "Captured output" not in unmeasurable.run.output  # no loader has printed anything


def test_loaders_that_end_are_started_again(tmp_path: Path) -> None:
    project = tiny.create(
        tmp_path / "project",
        git=False,
        test_it=LOADERS
        + """\
def test_callable_of_short_epochs(loaderperf):
    loaderperf.check(lambda: paced(20))

def test_varied_epochs_of_counted_batches(loaderperf):
    class Uncountable(Varied):
        def __iter__(self):
            return map(iter, super().__iter__())
    loaderperf.check(Uncountable(20, 9, 30), samples=lambda batch: 2)

def test_epochs_of_three(loaderperf):
    loaderperf.check(Paced(3))
""",
    )
    run = project.pytest("--loaderperf")
    for check in run.results["checks"]:
        assert check["verdict"] == "no_baseline", run.output
        assert 500 < check["metrics"]["throughput"]["value"] < 1000
    assert "test_epochs_of_three: an epoch of 3 batches is too short" in run.output
    assert run.output.count("is too short for a steady state") == 1


def test_loaders_without_work_end_soon(tmp_path: Path) -> None:
    checks = "".join(
        f"def test_{count}(loaderperf):\n    loaderperf.check([[1, 2]] * {count})\n"
        for count in (3, 20)
    )
    run = tiny.create(tmp_path / "project", git=False, test_it=checks).pytest("--loaderperf")
    assert [check["verdict"] for check in run.results["checks"]] == ["no_baseline"] * 2, run.output


MISUSE = """\
from paced import Paced

@pytest.fixture
def no_disk():
    raise OSError("the disk is gone")

@pytest.fixture
def no_gpu():
    pytest.skip("there is no GPU")

def test_twice(loaderperf):
    loaderperf(Paced())
    loaderperf(Paced())

def test_wrong_direction(loaderperf):
    perf = loaderperf(Paced())
    assert perf.throughput <= perf.baseline.throughput

def test_equal(loaderperf):
    perf = loaderperf(Paced())
    assert perf.throughput == perf.baseline.throughput

def test_no_size(loaderperf):
    assert loaderperf(Paced()).peak_memory <= "a lot"

@pytest.mark.loaderperf
def test_never():
    pass

def test_fails_before(loaderperf):
    assert [] == [1], "the corpus is empty"

def test_fixture_fails(no_disk, loaderperf):
    loaderperf.check(Paced())

def test_skipped(no_gpu, loaderperf):
    loaderperf.check(Paced())

@pytest.mark.skip(reason="not today")
def test_skipped_by_mark(loaderperf):
    loaderperf.check(Paced())

@pytest.mark.xfail(reason="known to be slow", strict=True)
def test_expected(loaderperf):
    assert loaderperf(Paced()).throughput >= 10**12

@pytest.mark.xfail(reason="known to be broken", raises=OSError)
def test_expected_error(no_disk, loaderperf):
    loaderperf.check(Paced())

def test_leaves_pytest(loaderperf):
    pytest.exit("enough of this")

def test_recorded(loaderperf, record_property):
    record_property("what", object())
    raise LookupError("after recording")

def test_comparisons(loaderperf):
    perf = loaderperf(Paced())
    with pytest.raises(TypeError, match="write perf.throughput >= perf.baseline.throughput"):
        perf.throughput <= perf.baseline.throughput
    with pytest.raises(TypeError, match="not with peak_memory"):
        perf.throughput >= perf.baseline.peak_memory
    with pytest.raises(Exception, match="cannot be compared with 'fast'"):
        perf.throughput >= "fast"
    with pytest.raises(Exception, match="'a lot' is not a size such as '8MiB'"):
        perf.peak_memory <= "a lot"
    assert perf.throughput >= 10**12

def test_memory_budget(loaderperf):
    assert loaderperf(Paced()).peak_memory <= "1 KiB"
"""


def test_misuse_of_the_fixture_is_explained(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it="import pytest\n" + MISUSE)
    report = tiny.report(project, "--loaderperf")
    assert report.run.status == 1
    expected = {
        "test_twice": "called twice in one test: give each loader a test of its own",
        "test_wrong_direction": "write perf.throughput >= perf.baseline.throughput",
        "test_equal": "write perf.throughput >= perf.baseline.throughput",
        "test_no_size": "'a lot' is not a size such as '8MiB'",
        "test_never": "the test never called loaderperf(loader)",
        "test_fails_before": "AssertionError: the corpus is empty",
        "test_fixture_fails": "OSError: the disk is gone",
        "test_leaves_pytest": "enough of this",
        "test_recorded": "LookupError: after recording",
        "test_comparisons": ">= 1,000,000,000,000 samples/s is false",
        "test_memory_budget": "<= 1 KiB is false",
        "test_skipped": "there is no GPU",
        "test_skipped_by_mark": "not today",
        "test_expected": "known to be slow",
        "test_expected_error": "known to be broken",
    }
    for check, text in expected.items():
        assert text in report.texts[check], report.texts[check]
    for misuse in ("test_twice", "test_wrong_direction", "test_equal", "test_no_size"):
        measured = report.checks[misuse]
        assert (measured["verdict"], measured["metrics"]) == ("error", {})  # shown before measuring
    skipped = [check for check, outcome in report.outcomes.items() if outcome == "skipped"]
    assert skipped == ["test_skipped", "test_skipped_by_mark", "test_expected",
                       "test_expected_error"]  # fmt: skip
    assert report.outcomes["test_fixture_fails"] == "error"
    assert "test_skipped" not in report.checks  # it has no result
    assert "a budget, not a baseline" in report.texts["test_memory_budget"]


def test_skipped_checks_pass_the_run(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it="import pytest\n" + MISUSE)
    run = project.pytest("--loaderperf", "-k", "skipped", "-rs")
    assert run.status == 0, run.output
    assert "there is no GPU" in run.output
