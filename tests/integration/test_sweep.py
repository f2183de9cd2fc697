"""Sweeps over batch sizes: which tests they take, and what they say of them."""

from __future__ import annotations

from pathlib import Path

from support import tiny

SWEPT = '''\
import os
import time

import pytest

class Batches:
    """A batch costs 1 ms, and a sample 0.02 ms; each sample takes 4 KiB."""

    def __init__(self, batch_size, samples=2048, first=0):
        self.batch_size, self.samples, self.first = batch_size, samples, first

    def __iter__(self):
        for start in range(self.first, self.first + self.samples, self.batch_size):
            end = time.perf_counter() + 0.001 + 0.00002 * self.batch_size
            batch = [
                f"{number:06}" + "x" * 2**12
                for number in range(start, start + self.batch_size)
            ]
            time.sleep(max(0.0, end - time.perf_counter()))
            yield batch

@pytest.mark.loaderperf(batch_sizes=[3])
@pytest.mark.parametrize("kind", ["plain"])
def test_marked(batch_size, kind, loaderperf):
    perf = loaderperf(Batches(batch_size))
    assert perf.throughput >= perf.baseline.throughput
    assert perf.throughput >= 10**9  # a budget that no size keeps

@pytest.mark.parametrize("batch_size", [5, 6])
def test_parametrized(batch_size, loaderperf):
    if batch_size == 16:
        raise OSError("no such batches")
    loaderperf.check(Batches(batch_size, 2048 - 256 * (batch_size == 256)))

def test_without_sizes(loaderperf):
    loaderperf.check(Batches(2))

@pytest.mark.loaderperf(ranks=2, batch_sizes=[7])
def test_ranks(batch_size, loaderperf):
    share = 512 if batch_size == 256 else 1024  # of which the second rank's begins after the first
    loaderperf.check(Batches(batch_size, 1024, int(os.environ["RANK"]) * share))
'''


def test_sweep_measures_powers_of_two_and_judges_nothing(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=SWEPT)
    project.commit("checks without baselines")
    chosen = "not 32 and not 64 and not 128 and not 16-plain and not ranks[16]"
    report = tiny.report(project, "--loaderperf-sweep=8:256", "-k", chosen)
    verdicts = {name: check["verdict"] for name, check in report.checks.items()}
    assert verdicts == {
        "test_marked[8-plain]": "measured",
        "test_marked[256-plain]": "measured",
        "test_parametrized[8]": "measured",
        "test_parametrized[16]": "error",
        "test_parametrized[256]": "error",
        "test_ranks[8]": "measured",
        "test_ranks[256]": "error",
    }
    run = report.run
    assert run.status == 1
    assert report.outcomes["test_marked[256-plain]"] == "passed"
    assert "OSError: no such batches" in report.texts["test_parametrized[16]"]
    other = "other data than at batch size 8: of 2,048 samples 256 are missing"
    assert other in report.texts["test_parametrized[256]"]
    other = "of 2,048 samples 512 are missing and 512 come in addition"  # of the second rank
    assert other in report.texts["test_ranks[256]"]
    assert "against nothing" in run.output
    assert "test_it.py::test_marked[kind=plain], by batch size" in run.output
    # A batch of 8 takes 1.2 ms, one of 256 takes 6.1 ms: 6,900 and 41,800 samples/s.
    best = [line for line in run.output.splitlines() if "best batch size: " in line]
    assert best
    assert all("best batch size: 256" in line or "unknown" in line for line in best)
    assert not (project.root / "baselines").exists()


PACES = """\
import time

import pytest

@pytest.fixture(params=["usual"], scope="session")
def pace(request):
    return request.param

@pytest.fixture(scope="session")
def loader(pace):
    return lambda ahead: Paced(ahead, pace)

class Paced:
    def __init__(self, ahead, pace):
        self.seconds = {"slow": 0.006, None: 0.002, "usual": 0.004}[pace] / ahead

    def __iter__(self):
        for number in range(400):
            time.sleep(self.seconds)
            yield [number, number]

@pytest.mark.parametrize("ahead", [7])
def test_paced(ahead, loader, loaderperf):
    loaderperf.check(loader(ahead))

@pytest.mark.parametrize("ahead", [1], indirect=True)
def test_indirect(ahead, loader, loaderperf):
    loaderperf.check(loader(ahead))

@pytest.fixture
def ahead(request):
    return request.param

def test_without(loaderperf):
    loaderperf.check(Paced(1, "usual"))
"""


def test_a_sweep_over_two_parameters_names_the_best_setting(tmp_path: Path) -> None:
    """One is that of a mark, the other one that of a fixture with parameters of its own."""
    project = tiny.create(tmp_path / "project", test_it=PACES)
    project.commit("checks without baselines")
    run = project.pytest("--loaderperf-sweep=ahead=1 pace=slow,none", "--loaderperf-budget=8")
    assert run.status == 0, run.output
    parameters = [check["parameters"] for check in run.results["checks"]]
    assert parameters == [{"ahead": 1, "pace": "slow"}, {"ahead": 1, "pace": None}]
    assert "test_it.py::test_paced, by ahead and pace" in run.output
    (sweep,) = run.results["sweeps"]
    slow, fast = (point["throughput"] for point in sweep["points"])
    assert 2 < fast / slow < 4
    assert sweep["memory"] is None
    best = next(line for line in run.output.splitlines() if "best setting: " in line)
    assert "best setting: ahead=1, pace=None, it is the fastest" in best or "unknown" in best


def test_a_parameter_that_no_check_has_is_an_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=PACES)
    says = ["no check has the parameter num_workers and pace", "an argument of that name"]
    tiny.assert_usage_error(project, "--loaderperf-sweep=num_workers=0:2 pace=slow,fast", says=says)


def test_sweep_needs_a_range_and_nothing_to_compare_with(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    for arguments, says in (
        (["--loaderperf-sweep=1024"], "'1024' is no range of batch sizes"),
        (["--loaderperf-sweep=9:15"], "with a power of two between them"),
        (["--loaderperf-sweep=8:16", "--loaderperf-update"], "leave out"),
    ):
        tiny.assert_usage_error(project, *arguments, says=[says])
