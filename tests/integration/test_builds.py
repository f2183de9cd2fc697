"""Projects that must be built: each commit is, once, and a loss in what is compiled is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from support import tiny
from support.project import Project

INCLUDE = sysconfig.get_paths()["include"]
pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or not Path(INCLUDE, "Python.h").exists(),
    reason="needs a compiler, and the headers of Python",
)

WORK = """\
#include <Python.h>

static PyObject *spin(PyObject *self, PyObject *args) {
    volatile long sum = 0;
    for (long i = 0; i < STEPS; i++) sum += i;
    Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"spin", spin, METH_NOARGS, ""}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "work", "", -1, methods};
PyMODINIT_FUNC PyInit_work(void) { return PyModule_Create(&module); }
"""
CHECK = """\
import work

def rows():
    for _ in range(10**9):
        work.spin()
        yield [1, 2]

def test_paced(loaderperf):
    loaderperf.check(rows)
"""
COMPILE = f"cc -O1 -shared -fPIC -I{INCLUDE} work.c -o work{sysconfig.get_config_var('EXT_SUFFIX')}"


def write(project: Project, steps: int) -> None:
    project.put("work.c", WORK.replace("STEPS", str(steps)))


def compile_in(project: Project) -> None:
    """Build the working tree, as a user does."""
    subprocess.run(COMPILE, shell=True, cwd=project.root, check=True)


@pytest.fixture
def built(tmp_path: Path) -> Project:
    """A project with an extension, accepted; each build of a commit is noted in ``builds``."""
    command = f"{COMPILE} && pwd >> {tmp_path}/builds"
    ini = f"loaderperf_build = {command}\n"
    project = tiny.create(tmp_path / "project", ini=ini, test_it=CHECK)
    project.append(".gitignore", "*.so\n")
    write(project, 500_000)
    tiny.accept(project)
    return project


def test_a_loss_in_what_is_compiled_is_found(built: Project, tmp_path: Path) -> None:
    write(built, 4_000_000)  # so much more that no machine is too busy to tell
    compile_in(built)
    run = built.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    (kept,) = [each for each in (built.root / ".loaderperf/builds").iterdir() if each.is_dir()]
    assert [each.suffix for each in kept.iterdir()] == [".so"]

    # It is not built again; the working tree, which has changed since it was built, must be.
    write(built, 5_000_000)
    os.utime(built.root / "work.c", (2**32, 2**32))
    report = tiny.report(built, "--loaderperf", "-o", "loaderperf_budget=24")
    assert len((tmp_path / "builds").read_text().splitlines()) == 1
    assert report.checks[tiny.KEY]["verdict"] == "error"
    assert "is older than work.c: build the working tree" in report.texts[tiny.KEY]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("echo no such thing >&2; exit 3", ["(exit status 3): echo", "no such thing"]),
        ("echo 1 >> paced.py", ["changes paced.py, which git tracks"]),
    ],
    ids=["fails", "writes"],
)
def test_a_build_that_does_no_good_is_an_error(
    tmp_path: Path, command: str, says: list[str]
) -> None:
    project = tiny.create(tmp_path / "project", ini=f"loaderperf_build = {command}\n")
    tiny.accept(project)
    report = tiny.report(project, "--loaderperf")
    assert report.checks[tiny.KEY]["verdict"] == "error"
    for part in says:
        assert part in report.texts[tiny.KEY]
    assert not project.worktrees()
    assert not [each for each in (project.root / ".loaderperf/builds").iterdir() if each.is_dir()]
