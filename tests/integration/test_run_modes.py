"""The ways to run: data and shared folders, layouts of a project, two runs at once."""

from __future__ import annotations

import contextlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import environment, tiny
from support.background import wait_until
from support.project import Project, Run

# --- folders

DATA = """\
import os
import pytest
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from paced import Paced

def build(path):
    with open(os.environ["BUILDS"], "a") as builds:
        print(path, file=builds)
    (path / "rows").write_text("1 2")

def fail(path):
    (path / "rows").write_text("1")
    raise OSError("the disk is full")

def test_paced(loaderperf, loaderperf_data):
    assert (loaderperf_data("rows", build) / "rows").read_text() == "1 2"
    loaderperf.check(Paced())

def test_again(loaderperf, loaderperf_data):
    raise LookupError((loaderperf_data("rows", build) / "rows").read_text())

def test_build_fails(loaderperf, loaderperf_data):
    loaderperf_data("columns", fail)
"""


def test_data_is_built_once_for_both_versions_and_later_runs(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=DATA)
    tiny.accept(project)
    builds = tmp_path / "builds"
    environment = {"BUILDS": str(builds)}
    run = project.pytest("--loaderperf", "-k", "paced", environment=environment)
    assert run.status == 0, run.output
    run = project.pytest("--loaderperf", "-k", "again", environment=environment)
    assert "LookupError: 1 2" in run.output
    assert len(builds.read_text().splitlines()) == 1
    assert project.git("status", "--porcelain") == ""


def test_data_that_cannot_be_built_leaves_nothing(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=DATA)
    report = tiny.report(project, "--loaderperf", "-k", "fails")
    assert report.run.verdicts == {"test_it.py::test_build_fails": "error"}
    text = report.texts["test_build_fails"]
    assert 'loaderperf_data("columns", fail)' in text
    assert "OSError: the disk is full" in text
    left = {path.name for path in (project.root / ".loaderperf" / "data").iterdir()}
    assert left == {".gitignore", "columns.lock"}


READS = """\
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from paced import Paced

def test_paced(loaderperf):
    assert (Path(__file__).parent / "data" / "rows").read_text() == "1 2"
    loaderperf.check(Paced())
"""


def test_shared_folder_is_linked_into_the_worktree(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", ini="loaderperf_share = data\n", test_it=READS)
    (project.root / ".gitignore").write_text("/data/\n__pycache__/\n.pytest_cache/\n")
    tiny.accept(project)
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "loaderperf_share names data, which does not exist" in report.texts[tiny.KEY]

    (project.root / "data").mkdir()
    (project.root / "data" / "rows").write_text("1 2")
    run = project.pytest("--loaderperf")
    assert run.status == 0, run.output
    assert (project.root / "data" / "rows").exists()  # the link was removed, not the folder


# --- layouts

# Each version says where its loader comes from.
PACKAGE = "import os\n" + tiny.PACED.replace(
    "    for ", "    print(__file__, file=open(os.environ['SOURCES'], 'a'))\n    for "
)
LAYOUT_CHECK = tiny.CHECK.replace("paced", "package").replace("test_package", "test_paced")


@pytest.mark.parametrize(
    ("source", "ini", "arguments"),
    [
        ("src", "pythonpath = src\n", ("--import-mode=importlib",)),
        ("src", "", ()),  # on PYTHONPATH, as the .pth file of an editable install has it
        (".", "", ()),
    ],
    ids=["importlib", "editable", "flat"],
)
def test_each_version_is_measured_on_its_own_sources(
    tmp_path: Path, source: str, ini: str, arguments: tuple[str, ...]
) -> None:
    project = tiny.create(tmp_path / "repository", test_it="")
    root = project.root / "inner"  # a project in a subfolder of its repository
    (root / source / "package").mkdir(parents=True)
    (root / source / "package" / "__init__.py").write_text(PACKAGE)
    (root / "tests").mkdir()
    (root / "tests" / "test_it.py").write_text(LAYOUT_CHECK)
    (root / "pytest.ini").write_text(f"[pytest]\nloaderperf_budget = 16\n{ini}")
    inner = Project(root)
    tiny.accept(inner, "tests/test_it.py::test_paced")
    sources = tmp_path / "sources"
    environment = {"SOURCES": str(sources)}
    if source == "src" and not ini:
        environment["PYTHONPATH"] = str(root / source)
    run = inner.pytest("--loaderperf", tiny.WIDE, *arguments, environment=environment)
    assert run.status == 0, run.output
    verdict = run.verdicts["tests/test_it.py::test_paced"]
    assert verdict in ("unchanged", "inconclusive"), run.output
    places = [Path(place).parents[1] for place in sources.read_text().splitlines()]
    ours = (root / source).resolve()
    (theirs,) = set(places) - {ours}
    assert ours in places
    commit = project.git("rev-parse", "HEAD")[:12]
    assert theirs == theirs.parents[len(Path(source).parts) + 1] / commit / "inner" / source


# --- two runs

WAITING = """\
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

class Waiting:
    def __iter__(self):
        Path("started").touch()
        while not Path("go").exists():
            time.sleep(0.01)
        raise OSError("as planned")

def test_waits(loaderperf):
    loaderperf.check(Waiting())
"""


def test_two_runs_wait_for_each_other(tmp_path: Path) -> None:
    first = tiny.create(tmp_path / "first", git=False, test_it=WAITING)
    second = tiny.create(tmp_path / "second", git=False, test_it=WAITING)
    (second.root / "go").touch()
    with tempfile.TemporaryDirectory(prefix="lp-") as temporary:
        with start(first, temporary) as running:
            wait_until((first.root / "started").exists, 20)
            with start(second, temporary) as waiting:
                wait_until(lambda: "waiting for another loaderperf run" in output(second), 20)
                assert waiting.poll() is None
                assert not (second.root / "started").exists()
                (first.root / "go").touch()
        assert (running.returncode, waiting.returncode) == (1, 1)
    assert "as planned" in output(first)
    assert "waiting" not in output(first)
    assert "as planned" in output(second)


@contextlib.contextmanager
def start(project: Project, temporary: str) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (project.root / "output").open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "pytest", "--loaderperf"],
            cwd=project.root,
            env=environment.clean(TMPDIR=temporary),
            stdout=file,
            stderr=file,
        ) as process,
    ):
        try:
            yield process
            process.wait(20)
        finally:
            process.kill()


def output(project: Project) -> str:
    return (project.root / "output").read_text()


# --- what a loader finds in its process: modules of one project, so that one run shows it all

# The allocator's settings in each trial.
ALLOCATOR = """\
import os
from paced import Paced

def test_paced(loaderperf):
    with open(os.environ["SEEN"], "a") as seen:
        print(os.environ.get("MALLOC_TRIM_THRESHOLD_", "default"), file=seen)
    loaderperf.check(Paced())
"""
# Who calls a loader.
FRAMES = """\
import sys
from paced import Paced

def frames():
    frame = sys._getframe()
    while frame:
        yield frame.f_code.co_filename
        frame = frame.f_back

class Looking(Paced):
    def __iter__(self):
        assert not [name for name in frames() if "/pluggy/" in name or "/_pytest/" in name]
        yield from super().__iter__()

def test_paced(loaderperf):
    loaderperf.check(Looking())
"""
# Memory that is freed before the loader starts.
SETTING_UP = """\
import time
import pytest
from paced import Paced

@pytest.fixture
def loader():
    block = bytearray(b"x") * (200 << 20)
    time.sleep(0.5)
    del block
    return Paced()

def test_paced(loader, loaderperf):
    loaderperf(loader)
"""


@dataclass(frozen=True)
class Looked:
    """A run of all three, and the allocator's settings that it had."""

    run: Run
    seen: list[str]

    def check(self, module: str) -> dict[str, Any]:
        (found,) = (each for each in self.run.results["checks"] if module in each["nodeid"])
        return dict(found)


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    folder = tmp_path_factory.mktemp("looked")
    project = tiny.create(
        folder / "project",
        git=False,
        test_allocator=ALLOCATOR,
        test_frames=FRAMES,
        test_peak=SETTING_UP,
    )
    seen = folder / "seen"
    fork = "--loaderperf-trials=fork"
    run = project.pytest("--loaderperf", fork, environment={"SEEN": str(seen)})
    return Looked(run, seen.read_text().split())


def assert_settings_of_the_allocator(seen: list[str]) -> None:
    *measured, last = seen
    assert last == "default"
    assert measured == [str(128 * 2**10), str(2**31 - 1)]  # for memory, then for time


glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator")


@glibc
def test_timed_trials_keep_memory_and_others_do_not(looked: Looked) -> None:
    assert looked.check("test_allocator")["verdict"] == "no_baseline", looked.run.output
    assert_settings_of_the_allocator(looked.seen)


@glibc
def test_fresh_timed_trials_keep_memory_and_others_do_not(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=ALLOCATOR)
    seen = tmp_path / "seen"
    run = project.pytest(
        "--loaderperf", "--loaderperf-trials=fresh", environment={"SEEN": str(seen)}
    )
    assert run.verdicts == {tiny.NODE: "no_baseline"}, run.output
    assert_settings_of_the_allocator(seen.read_text().split())


def test_a_loader_is_iterated_above_none_of_pytests_frames(looked: Looked) -> None:
    assert looked.check("test_frames")["verdict"] == "no_baseline", looked.run.output


@pytest.mark.skipif(sys.platform != "linux", reason="needs the memory of a tree")
def test_memory_that_is_freed_before_the_loader_starts_does_not_count(looked: Looked) -> None:
    check = looked.check("test_peak")
    assert check["verdict"] == "no_baseline", looked.run.output
    assert check["metrics"]["peak_memory"]["value"] < 100 * 2**20


# --- stored numbers

COUNTS_ARMS = """\
import os
from paced import Paced

def test_paced(loaderperf):
    with open("arms", "a") as arms:
        print(os.getppid(), file=arms)
    loaderperf.check(Paced())
"""


def test_stored_numbers_come_from_several_arms(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=COUNTS_ARMS)
    run = project.pytest("--loaderperf-update")
    assert run.status == 0, run.output
    assert len(set((project.root / "arms").read_text().split())) == 3
