"""A run that is ended at any moment, or cannot write: nothing is lost, and nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from integration.test_interrupt import TELLING, assert_nothing_is_left
from support import environment, leftovers, tiny
from support.background import started, wait_until
from support.project import Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is made for Linux")

# Processes in sessions of their own; each import and each trial leaves a sign, or stays for ever.
SIGN = 'open(f"{os.environ[\'SIGNS\']}/{os.getpid()}", "w").close()'
STAYING = TELLING.replace("if not os.fork():\n", "if not os.fork():\n        os.setsid()\n")
HANGING = f"import os, time\n{SIGN}\nos.fork()\ntime.sleep(600)\n{tiny.CHECK}"


def compared(root: Path, **modules: str) -> Project:
    """A project that compares with a commit."""
    project = tiny.create(root / "project", paced=STAYING, test_it=tiny.CHECK)
    project.write(**modules)
    tiny.accept(project)
    return project


# --- ended

PHASES: dict[str, tuple[dict[str, str], tuple[str, ...], int]] = {
    "import": ({"test_it": HANGING}, (), 1),
    "memory": ({}, (), 1),
    "a pair": ({}, (), 3),
    "fresh": ({}, ("--loaderperf-trials=fresh",), 3),
    "stored": ({}, ("--loaderperf-update=all", "--loaderperf-against=stored"), 7),
    "selftest": ({}, ("--loaderperf-selftest",), 4),
}


@pytest.mark.parametrize("phase", PHASES)
def test_killed_run_leaves_nothing(tmp_path: Path, temporary: Path, phase: str) -> None:
    modules, arguments, signs = PHASES[phase]
    project = compared(tmp_path, **modules)
    with started(project, temporary, "--loaderperf", *arguments) as running:
        running.wait_for_trials(signs)
        running.process.kill()
        running.ended()
        assert running.process.returncode == -signal.SIGKILL
        running.wait_for_processes_to_end()
        running.wait_for_files_to_go(20)
    assert_nothing_is_left(project, running)
    assert not running.results.exists()


def test_run_that_is_killed_during_a_checkout_leaves_nothing(
    tmp_path: Path, temporary: Path
) -> None:
    project = compared(tmp_path)
    (project.root / ".gitattributes").write_text("slow filter=slow\n")
    (project.root / "slow").write_text("content")
    project.git("config", "filter.slow.smudge", "touch $SIGNS/checkout; sleep 1; cat")
    project.commit("a slow file")
    against = "--loaderperf-against=HEAD"
    with started(project, temporary, "--loaderperf", against) as running:
        wait_until((running.signs / "checkout").exists, 60)
        running.process.kill()
        running.ended()
        running.wait_for_processes_to_end()
        running.wait_for_files_to_go(20)
    assert_nothing_is_left(project, running)


@pytest.mark.parametrize("phase", ["import", "a pair"])
def test_ctrl_c_again_and_again_leaves_nothing(tmp_path: Path, temporary: Path, phase: str) -> None:
    modules, arguments, signs = PHASES[phase]
    project = compared(tmp_path, **modules)
    with started(project, temporary, "--loaderperf", *arguments) as running:
        running.wait_for_trials(signs)
        while running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGINT)
            time.sleep(0.03)
        running.ended()
        running.wait_for_processes_to_end()
        running.wait_for_files_to_go(20)
    assert running.process.returncode not in (0, 1)  # neither passed nor failed
    assert_nothing_is_left(project, running)


# --- no room, no rights: mounts in a namespace of the run's own

CAN_MOUNT = (
    shutil.which("unshare")
    and not subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        check=False,
    ).returncode
)
needs_mounts = pytest.mark.skipif(not CAN_MOUNT, reason="needs mounts without rights")

MOUNTS = {
    "full": "mount -t tmpfs -o size=4k none baselines; cp ../store baselines/test_it.json",
    "read-only": "mount --bind baselines baselines; mount -o remount,ro,bind baselines",
}


def mounted(project: Project, temporary: Path, script: str, *arguments: str) -> tuple[int, str]:
    """Run pytest with something mounted: exit status and output."""
    command = f'set -e; {script}; set +e; "$@"; status=$?; cp baselines/* ../after; exit $status'
    with_pytest = [sys.executable, "-m", "pytest", "--loaderperf", *arguments]
    finished = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", command, "-", *with_pytest],
        cwd=project.root,
        env=environment.clean(TMPDIR=str(temporary)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert not leftovers.processes_of(temporary)
    assert not leftovers.files(temporary)
    return finished.returncode, finished.stdout + finished.stderr


@needs_mounts
@pytest.mark.parametrize("kind", MOUNTS)
def test_store_that_cannot_be_written_stays_as_it_is(
    tmp_path: Path, temporary: Path, kind: str
) -> None:
    project = tiny.create(tmp_path / "project", git=False)
    store = tiny.accept(project, commit=False)
    shutil.copy(store, tmp_path / "store")
    (tmp_path / "after").mkdir()
    status, output = mounted(project, temporary, MOUNTS[kind], "--loaderperf-update=all")
    assert status == 1, output
    assert "the baselines cannot be written and are unchanged" in output
    assert "make room or permit writing there" in output
    assert "INTERNALERROR" not in output
    after = list((tmp_path / "after").iterdir())
    assert [path.name for path in after] == ["test_it.json"]
    assert after[0].read_bytes() == store.read_bytes()


@needs_mounts
def test_full_temporary_folder_is_an_error(tmp_path: Path, temporary: Path) -> None:
    project = tiny.create(tmp_path / "project")
    (project.root / "large").write_bytes(os.urandom(2**20))
    tiny.accept(project)
    (tmp_path / "after").mkdir()
    script = f"mount -t tmpfs -o size=500k none {temporary}"
    status, output = mounted(project, temporary, script)
    assert status == 1, output
    assert "cannot be checked out" in output
    assert "unable to write file large" in output  # git's own words
    assert "1 error" in output
    assert "INTERNALERROR" not in output
    assert not project.worktrees()


SHARED = """\
import os

class Filling:
    def __iter__(self):
        while True:
            with open("/dev/shm/block", "ab") as file:
                file.write(b"x" * 2**20)
            yield [1, 2]

def test_fills(loaderperf):
    loaderperf.check(Filling())

def test_other(loaderperf):
    loaderperf.check([[1, 2]] * 100)
"""


@needs_mounts
def test_loader_that_fills_shared_memory_is_an_error(tmp_path: Path, temporary: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=SHARED)
    (project.root / "baselines").mkdir()
    script = "mount -t tmpfs -o size=16m none /dev/shm"
    status, output = mounted(project, temporary, script)
    assert status == 1, output
    assert "No space left on device" in output
    assert "1 no_baseline, 1 error" in output


# --- open files

MANY_FILES = """\
import os, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
kept = [open(os.devnull) for _ in range(1200)]
"""


def test_run_that_has_many_files_open(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, conftest=MANY_FILES, test_it=tiny.CHECK)
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "no_baseline"}, run.output
