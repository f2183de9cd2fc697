"""Bad input: each gets an error that names it and says what to do, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration import tiny
from integration.tiny import Report, Tiny

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


# --- settings

MARKERS = {
    "batchsizes=[1]": ["batchsizes=[1]", "accepted are batch_sizes, metrics, budget, throughput"],
    "[32, 64]": ["[32, 64] is given without a name", "batch_sizes=[32, 64]"],
    "batch_sizes='32'": ["batch_sizes='32'", "a list of positive integers"],
    "batch_sizes=[32, 0]": ["batch_sizes=[32, 0]", "a list of positive integers"],
    "batch_sizes=[32]": ["the marker gives batch_sizes", "has an argument batch_size"],
    "throughput='ten'": ["throughput='ten'", "a tolerance such as '10%'"],
    "peak_memory=8": ["peak_memory=8", "a tolerance is a string"],
    "budget='soon'": ["budget='soon'", "a duration such as '60s'"],
    "metrics=['speed']": ["metrics=['speed']", "metrics are some of throughput, peak_memory"],
}
OPTIONS = {
    "throughput=ten": "a tolerance such as '10%'",
    "peak_memory=8 apples": "a tolerance such as '5%+8MiB'",
    "budget=soon": "a duration such as '60s'",
    "trials=fast": "give auto, fork or fresh",
}
INI_ONLY = {
    "drift=much": "a fraction such as '10%'",
    "strict=perhaps": "invalid truth value 'perhaps'",
}


@pytest.fixture(scope="module")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A project without git that leaves a file where anything is measured."""
    root = tmp_path_factory.mktemp("measuring") / "project"
    telling = tiny.PACED.replace("    for ", "    open('measured', 'w').close()\n    for ")
    return tiny.create(root, git=False, paced=telling, test_it=tiny.CHECK)


def assert_usage_error(project: Tiny, *arguments: str, says: list[str]) -> None:
    (project.root / "measured").unlink(missing_ok=True)
    run = project.pytest("--loaderperf", *arguments)
    assert run.status == 4, run.output
    error = run.output[run.output.index("ERROR: ") :]
    for part in says:
        assert part in error
    assert "Traceback" not in run.output
    assert "plugin.py" not in error
    assert not (project.root / "measured").exists()


@pytest.mark.parametrize("arguments", MARKERS)
def test_wrong_marker_is_a_usage_error(measuring: Tiny, arguments: str) -> None:
    check = tiny.CHECK.replace("def ", f"@pytest.mark.loaderperf({arguments})\ndef ")
    measuring.write(test_it="import pytest\n" + check)
    try:
        assert_usage_error(measuring, says=["test_it.py::test_paced: ", *MARKERS[arguments]])
    finally:
        measuring.write(test_it=tiny.CHECK)


@pytest.mark.parametrize("setting", OPTIONS)
def test_wrong_option_is_a_usage_error(measuring: Tiny, setting: str) -> None:
    name, _, value = setting.partition("=")
    switch = f"--loaderperf-{name.replace('_', '-')}"
    assert_usage_error(measuring, f"{switch}={value}", says=[switch, value, OPTIONS[setting]])


@pytest.mark.parametrize("setting", ["throughput=ten", *INI_ONLY])
def test_wrong_ini_value_is_a_usage_error(measuring: Tiny, setting: str) -> None:
    name, _, value = setting.partition("=")
    says = [f"ini loaderperf_{name}", value, (OPTIONS | INI_ONLY)[setting]]
    assert_usage_error(measuring, "-o", f"loaderperf_{name}={value}", says=says)


def test_wrong_update_mode_is_a_usage_error(measuring: Tiny) -> None:
    says = ["--loaderperf-update=nonsense: give new, changed or all"]
    assert_usage_error(measuring, "--loaderperf-update=nonsense", says=says)


def test_baseline_python_that_does_not_exist_is_a_usage_error(measuring: Tiny) -> None:
    option = "--loaderperf-baseline-python=no/such/python"
    assert_usage_error(measuring, option, says=[option, "the path of a Python interpreter"])


def test_commit_without_git_is_a_usage_error(measuring: Tiny) -> None:
    says = ["--loaderperf-against=v1.0 needs git", str(measuring.root), "against=stored"]
    assert_usage_error(measuring, "--loaderperf-against=v1.0", says=says)


def test_xdist_is_a_usage_error(measuring: Tiny) -> None:
    measuring.write(
        like_xdist="""\
def pytest_addoption(parser):
    parser.getgroup("xdist")._addoption("-n", "--numprocesses", type=int)
"""
    )
    says = ["--loaderperf cannot run under xdist (-n)", "measure each other"]
    assert_usage_error(measuring, "-p", "like_xdist", "-n", "2", says=says)


# --- baselines

STORES = {
    "damaged": ('{"format": 1, "checks": ', "Expecting value"),
    "newer": ('{"format": 2, "entries": []}', "upgrade the plugin"),
    "in conflict": ("<<<<<<< HEAD\n", "merge conflict"),
}


@pytest.mark.parametrize(
    ("kind", "option"),
    [("damaged", "--loaderperf"), *((kind, "--loaderperf-update=all") for kind in STORES)],
)
def test_unreadable_store_is_an_error_and_stays(measuring: Tiny, kind: str, option: str) -> None:
    content, problem = STORES[kind]
    store = measuring.root / "baselines" / "test_it.json"
    store.parent.mkdir(exist_ok=True)
    store.write_text(content)
    report = tiny.report(measuring, option)
    assert report.run.status == 1
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert str(store) in report.texts[tiny.KEY]
    assert problem in report.texts[tiny.KEY]
    assert store.read_text() == content
    assert list(store.parent.iterdir()) == [store]
    store.unlink()


def test_folder_in_place_of_a_store_is_an_error(measuring: Tiny) -> None:
    store = measuring.root / "baselines" / "test_it.json"
    store.mkdir(parents=True)
    report = tiny.report(measuring, "--loaderperf-update")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert f"{store}: the baselines cannot be read" in report.texts[tiny.KEY]
    store.rmdir()


# --- commits


def test_unknown_commit_is_a_usage_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    says = ["'v1.0' names no commit of this clone", "git fetch origin v1.0"]
    assert_usage_error(project, "--loaderperf-against=v1.0", says=says)


def test_shallow_clone_says_how_to_deepen_it(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    project.write(other="")
    project.commit("later")
    report = tiny.report(project.clone(tmp_path / "clone", "--depth=1"), "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "git fetch --unshallow" in report.texts[tiny.KEY]
    assert "fetch-depth: 0" in report.texts[tiny.KEY]


def test_baseline_that_cannot_be_collected(tmp_path: Path) -> None:
    broken = "raise ImportError('nowhere \\udcff')\n" + tiny.CHECK  # no text of UTF-8
    project = tiny.create(tmp_path / "project", test_it=broken)
    tiny.accept(project, machine="another machine")
    project.write(test_it=tiny.CHECK)
    readable = {"PYTHONIOENCODING": "utf-8:backslashreplace"}

    report = tiny.report(project, "--loaderperf", environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "there are no stored numbers of this machine class" in report.texts[tiny.KEY]
    assert "ImportError: nowhere" in report.texts[tiny.KEY]

    against_head = "--loaderperf-against=HEAD"
    report = tiny.report(project, "--loaderperf", against_head, environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error"}
    commit = project.git("rev-parse", "HEAD")[:12]
    assert f"commit {commit} cannot be measured" in report.texts[tiny.KEY]
    assert len(project.git("worktree", "list").splitlines()) == 1


def test_baseline_that_cannot_be_collected_leaves_its_stored_numbers(tmp_path: Path) -> None:
    ini = "loaderperf_drift = 40%\n"
    project = tiny.create(tmp_path / "project", ini=ini, test_it="import nowhere\n" + tiny.CHECK)
    tiny.accept(project)
    project.write(test_it=tiny.CHECK)
    run = project.pytest("--loaderperf")
    assert run.status == 0, run.output
    assert run.verdicts == {tiny.NODE: "inconclusive"}
    commit = project.git("rev-parse", "HEAD")[:12]
    assert f"compared with stored numbers, since commit {commit} cannot be measured" in run.output
    assert "No module named 'nowhere'" in run.output
    low, high = run.results["checks"][0]["metrics"]["throughput"]["interval"]
    assert low < 0.6  # the drift alone makes it exp(-0.8) to exp(0.8)
    assert high > 1.7


def test_commit_that_lacks_the_check_is_an_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    commit = project.commit("one check")[:12]
    project.write(test_it=tiny.CHECK.replace("test_paced", "test_other"))
    report = tiny.report(project, "--loaderperf", "--loaderperf-against=HEAD")
    assert report.run.verdicts == {"test_it.py::test_other": "error"}
    expected = f"commit {commit} cannot be measured: it does not have this check"
    assert expected in report.texts["test_other"]


@pytest.mark.parametrize("place", ["", "    "], ids=["at import", "in the test"])
def test_baseline_that_imports_from_the_working_tree_is_an_error(
    tmp_path: Path, place: str
) -> None:
    root = tmp_path / "project"
    project = tiny.create(
        root,
        conftest=f"import sys\nsys.path.insert(0, {str(root / 'lib')!r})\n",
        test_it=tiny.CHECK.replace("    ", f"{place}import helper\n    ", 1)
        if place
        else "import helper\n" + tiny.CHECK,
    )
    (root / "lib").mkdir()
    (root / "lib/helper.py").touch()
    tiny.accept(project)
    report = tiny.report(project, "--loaderperf", tiny.ONE_PAIR)
    assert report.run.verdicts == {tiny.NODE: "error"}
    commit = project.git("rev-parse", "HEAD")[:12]
    text = report.texts[tiny.KEY]
    assert f"commit {commit} imported helper from the working tree" in text
    assert "an absolute path in conftest.py" in text


def test_project_that_is_installed_as_a_copy_is_an_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it="import package\n" + tiny.CHECK)
    for folder in (project.root / "src" / "package", tmp_path / "installed" / "package"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    tiny.accept(project)
    installed = {"PYTHONPATH": str(tmp_path / "installed")}
    report = tiny.report(project, "--loaderperf", environment=installed)
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "package was imported from an installed copy" in report.texts[tiny.KEY]
    assert "pip install -e ." in report.texts[tiny.KEY]


# --- processes that die

DYING = """\
import itertools
import os
import signal
import sys
import time
from paced import Paced

class Dying:
    def __init__(self, end):
        self.end = end

    def __iter__(self):
        for index in itertools.count():
            time.sleep(0.002)
            if index == 100:
                self.end()
            yield [1, 2]

def test_killed(loaderperf):
    print("last words", flush=True)
    loaderperf.check(Dying(lambda: os.kill(os.getpid(), signal.SIGKILL)))

def test_crashed(loaderperf):
    loaderperf.check(Dying(lambda: os.kill(os.getpid(), signal.SIGSEGV)))

def test_exited(loaderperf):
    loaderperf.check(Dying(lambda: os._exit(0)))

def test_killed_its_parent(loaderperf):
    loaderperf.check(Dying(lambda: os.kill(os.getppid(), signal.SIGKILL)))

def test_loud(loaderperf):
    def shout():
        os.write(1, b"x" * 2**20)
        sys.stderr.write("noise".center(11, "-"))
        raise OSError("out of breath")
    loaderperf.check(Dying(shout))

def test_sound(loaderperf):
    loaderperf.check(Paced())
"""
LAST_WORDS = {
    "test_killed": ["a trial of the working tree was killed by SIGKILL", "last words"],
    "test_crashed": ["was killed by SIGSEGV", "Fatal Python error", "in <lambda>"],
    "test_exited": ["a trial of the working tree ended with exit status 0"],
    "test_killed_its_parent": ["the process that measures test_it.py", "was killed by SIGKILL"],
    "test_loud": ["OSError: out of breath"],
}


def test_process_that_dies_takes_only_its_own_check_along(tmp_path: Path) -> None:
    project = tiny.create(
        tmp_path / "project",
        git=False,
        test_broken="raise RuntimeError('not today')\n" + tiny.CHECK,
        test_crash="import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n" + tiny.CHECK,
        test_exit="import os\nprint('bye', flush=True)\nos._exit(3)\n" + tiny.CHECK,
        test_it=DYING,
    )
    run = project.pytest("--loaderperf")
    assert run.status == 2  # interrupted, as pytest does after errors of collection
    assert run.results["checks"] == []
    for part in (
        "the process that measures test_crash.py in the working tree was killed by SIGSEGV",
        "the process that measures test_exit.py in the working tree ended with exit status 3",
        "bye",
        "RuntimeError: not today",
    ):
        assert part in run.output

    report = tiny.report(project, "--loaderperf", "--continue-on-collection-errors")
    assert report.run.status == 1
    for check, parts in LAST_WORDS.items():
        assert report.checks[check]["verdict"] == "error"
        for part in parts:
            assert part in report.texts[check]
    assert "---noise---" in report.run.output
    assert "x" * 9_000 in report.run.output
    assert len(report.run.output) < 50_000  # not the whole megabyte
    assert report.checks["test_sound"]["verdict"] == "no_baseline"


TORCH = """\
import os
import signal
import torch
from torch.utils.data import DataLoader, Dataset

class Rows(Dataset):
    def __init__(self, bad=None):
        self.bad = bad

    def __len__(self):
        return 2000

    def __getitem__(self, index):
        if index == 1200 and self.bad:
            self.bad()
        return index

def decode():
    print("x" * 2**20)
    raise ValueError("row 1200 cannot be decoded")

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def test_fails(loaderperf):
    loaderperf.check(DataLoader(Rows(decode), batch_size=4, num_workers=2))

def test_dies(loaderperf):
    loaderperf.check(DataLoader(Rows(die), batch_size=4, num_workers=2))
"""


def test_worker_of_torch_that_fails_shows_its_traceback(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=TORCH)
    report = tiny.report(project, "--loaderperf")
    assert {check["verdict"] for check in report.run.results["checks"]} == {"error"}
    for part in ("Caught ValueError in DataLoader worker process", "in decode",
                 "ValueError: row 1200 cannot be decoded"):  # fmt: skip
        assert part in report.texts["test_fails"]
    assert "is killed by signal: Killed" in report.texts["test_dies"]
