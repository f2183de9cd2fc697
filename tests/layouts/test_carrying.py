"""What the accepted commit lacks comes from the checkout, so that a slower loader is found."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from support import tiny
from support.project import Project

SLOWER = tiny.PACED.replace("0.002", "0.004")


def assert_slower_is_found(project: Project, *carried: str) -> None:
    """Unchanged it passes, side by side; slowed down it fails. And what was carried is noted."""
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output
    assert len(run.results["checks"][0]["metrics"]["throughput"]["ratios"]) >= 2, run.output
    project.write(paced=SLOWER)
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    for name in carried:
        assert name in " ".join(run.results["checks"][0]["notes"])


def test_ini_file_that_became_another(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    (project.root / "pyproject.toml").write_text('[project]\nname = "paced"\n')
    tiny.accept(project)
    (project.root / "pytest.ini").unlink()
    section = '[tool.pytest.ini_options]\nloaderperf_budget = "12"\n'
    project.append("pyproject.toml", section)
    assert_slower_is_found(project, "pyproject.toml")


def test_ini_file_that_is_new(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    (project.root / "pytest.ini").rename(tmp_path / "pytest.ini")
    tiny.accept(project)
    (tmp_path / "pytest.ini").rename(project.root / "pytest.ini")
    assert_slower_is_found(project, "pytest.ini")


PLUGIN = """\
import pytest

def pytest_addoption(parser):
    parser.addoption("--pace", default="1")

@pytest.fixture
def pace(request):
    return request.config.getoption("--pace")
"""


def test_plugin_that_is_new_in_the_options(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    project.write(pacing=PLUGIN)
    project.append("pytest.ini", "addopts = -p pacing --pace=2\npythonpath = .\n")
    assert_slower_is_found(project, "pacing.py")


def test_plugin_that_the_environment_names(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    project.write(pacing=PLUGIN, paced=SLOWER)
    run = project.pytest("--loaderperf", environment={"PYTEST_PLUGINS": "pacing"})
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output


READS = """\
import paced
from pathlib import Path

def test_paced(loaderperf):
    rows = Path(__file__).with_name("rows.bin").read_bytes()
    assert rows.startswith(b"rows")
    loaderperf.check(paced.Paced())
"""


def test_data_in_large_files(tmp_path: Path) -> None:
    """Git has a pointer, which is no data; git-lfs keeps what it points to."""
    project = tiny.create(tmp_path / "project", test_it=READS)
    content = b"rows" * 100
    name = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize 400\n"
    (project.root / "rows.bin").write_text(pointer)
    (project.root / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    tiny.accept(project)
    stored = project.root / ".git/lfs/objects" / name[:2] / name[2:4] / name
    stored.parent.mkdir(parents=True)
    stored.write_bytes(content)
    (project.root / "rows.bin").write_bytes(content)
    assert_slower_is_found(project)


def test_generated_module_that_git_ignores(tmp_path: Path) -> None:
    imports = f"import _version\n{tiny.PACED}"
    project = tiny.create(tmp_path / "project", paced=imports, test_it=tiny.CHECK)
    project.append(".gitignore", "_version.py\n")
    tiny.accept(project)
    project.write(_version="version = 1\n")
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output
    project.write(paced=f"import _version\n{SLOWER}")
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    note = " ".join(run.results["checks"][0]["notes"])
    assert "carried over from the working tree to commit" in note
    assert "_version.py" in note


def test_what_nobody_can_carry_over_is_named(tmp_path: Path) -> None:
    """A file that is opened in another language is not seen."""
    opens = "import os, subprocess\nsubprocess.run(['cat', 'data/rows'], check=True)\n"
    project = tiny.create(tmp_path / "project", test_it=opens + tiny.CHECK)
    project.append(".gitignore", "data/\n")
    tiny.accept(project)
    (project.root / "data").mkdir()
    (project.root / "data/rows").touch()
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "git ignores data" in report.texts[tiny.KEY]
    assert "name what its tests need in loaderperf_share" in report.texts[tiny.KEY]
    project.append("pytest.ini", "loaderperf_share = data\n")
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output


# --- what a commit must not get from the working tree --------------------------------------------

SETS_ROOT = """\
import os
from pathlib import Path
os.environ.setdefault("PROJECT_ROOT", str(Path(__file__).parent))
"""


def test_environment_that_a_conftest_sets_is_each_version_s_own(tmp_path: Path) -> None:
    reads = "import json, os\nPACE = json.load(open(os.environ['PROJECT_ROOT'] + '/pace.json'))\n"
    paced = reads + tiny.PACED.replace("time.sleep(0.002)", "time.sleep(PACE)")
    project = tiny.create(tmp_path / "project", paced=paced, conftest=SETS_ROOT, test_it=tiny.CHECK)
    (project.root / "pace.json").write_text("0.002")
    tiny.accept(project)
    (project.root / "pace.json").write_text("0.004")
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    # Set by the user it leads to the worktree just so; a path that is none of ours stays.
    given = {"PROJECT_ROOT": str(project.root), "ELSEWHERE": str(tmp_path)}
    run = project.pytest("--loaderperf", environment=given)
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output


SERVES = """\
import atexit, os, socket, subprocess, sys
from pathlib import Path

def pytest_configure(config):
    if "SERVER" not in os.environ:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = Path(__file__).parent / "server.py"
        process = subprocess.Popen([sys.executable, str(server), str(port)])
        atexit.register(process.kill)
        os.environ["SERVER"] = str(port)
"""
ASKS = """\
import os, socket, time

def connected():
    while True:
        try:
            return socket.create_connection(("127.0.0.1", int(os.environ["SERVER"])))
        except ConnectionRefusedError:
            time.sleep(0.02)

class Paced:
    def __iter__(self):
        with connected() as connection:
            while True:
                connection.send(b"1")
                yield [1, 2] if connection.recv(1) else None
"""


def test_server_that_a_conftest_starts_is_each_version_s_own(tmp_path: Path) -> None:
    project = tiny.create(
        tmp_path / "project", paced=ASKS, server=tiny.SERVER, conftest=SERVES, test_it=tiny.CHECK
    )
    tiny.accept(project)
    project.write(server=tiny.SERVER.replace("0.002", "0.004"))
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output


def test_server_that_a_conftest_starts_for_all_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    starts = (
        "import atexit, socket, subprocess, sys\nfrom pathlib import Path\n"
        "with socket.socket() as probe:\n"
        f"    is_up = probe.connect_ex(('127.0.0.1', {port})) == 0\n"
        "if not is_up:\n    server = Path(__file__).parent / 'server.py'\n"
        f"    process = subprocess.Popen([sys.executable, str(server), '{port}'])\n"
        "    atexit.register(process.kill)\n"
    )
    asks = ASKS.replace('int(os.environ["SERVER"])', str(port))
    project = tiny.create(
        tmp_path / "project", paced=asks, server=tiny.SERVER, conftest=starts, test_it=tiny.CHECK
    )
    tiny.accept(project)
    project.write(server=tiny.SERVER.replace("0.002", "0.004"))
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}, report.run.output
    assert "pytest has started a Python of the project" in report.texts[tiny.KEY]
    assert "server.py" in report.texts[tiny.KEY]


def test_file_that_is_executed_by_its_absolute_path_is_an_error(tmp_path: Path) -> None:
    root = tmp_path / "project"
    runs = f"import pace, runpy\nrunpy.run_path({str(root / 'pace.py')!r})\n"
    check = tiny.CHECK.replace("    load", f"    {runs.splitlines()[1]}\n    load", 1)
    project = tiny.create(root, pace="PACE = 1\n", test_it=f"import pace, runpy\n{check}")
    tiny.accept(project)
    project.write(pace="PACE = 2\n")
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}, report.run.output
    assert "read pace.py from the working tree, where it has changed" in report.texts[tiny.KEY]


def test_what_the_old_version_writes_is_not_written_into_the_working_tree(tmp_path: Path) -> None:
    writes = tiny.CHECK.replace(
        "    load",
        "    cache = Path(__file__).with_name('cache') / 'index'\n"
        "    list(cache.parent.iterdir())\n"
        "    cache.write_text(cache.read_text() + 'old')\n    load",
        1,
    )
    project = tiny.create(tmp_path / "project", test_it="from pathlib import Path\n" + writes)
    project.append(".gitignore", "cache/\n")
    tiny.accept(project)
    (project.root / "cache").mkdir()
    (project.root / "cache/index").write_text("new")
    reads = writes.replace("cache.write_text(cache.read_text() + 'old')", "cache.read_text()")
    project.write(test_it="from pathlib import Path\n" + reads)
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output
    assert (project.root / "cache/index").read_text() == "new"


BUILT = """\
import ctypes
from pathlib import Path

(LIBRARY,) = Path(__file__).parent.joinpath("build").glob("libpace*.so")
FAST = ctypes.CDLL(str(LIBRARY))

class Paced:
    def __iter__(self):
        while True:
            FAST.pace()
            yield [1, 2]
"""


def test_library_whose_source_has_changed_is_an_error(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no compiler")
    project = tiny.create(tmp_path / "project", paced=BUILT, test_it=tiny.CHECK)
    project.append(".gitignore", "build/\n")
    source = project.root / "pace.c"
    source.write_text("#include <unistd.h>\nint pace(void) { return usleep(2000); }\n")
    tiny.accept(project)
    source.write_text(source.read_text().replace("2000", "4000"))
    library = project.root / "build/libpace.so"
    library.parent.mkdir()
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}, report.run.output
    assert "libpace.so, which was compiled from the working tree" in report.texts[tiny.KEY]
