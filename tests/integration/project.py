"""A small project in a folder of its own, as the integration tests drive it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pytest_loaderperf.system import cgroups

# Two loaders whose work per sample is known: a count of additions in pure Python.
LOADERS = '''\
class Loader:
    """Batches of numbers; every sample costs ``work`` additions, the dataset keeps ``kept``."""

    def __init__(self, batch_size, work=WORK, megabytes=MEGABYTES):
        self.batch_size, self.work = batch_size, work
        self.kept = bytearray(b"x") * (megabytes * 2**20)

    def __len__(self):
        return 10**6

    def __iter__(self):
        for index in range(len(self)):
            batch = []
            for sample in range(self.batch_size):
                total = 0
                for term in range(self.work):
                    total += term
                batch.append(total)
            yield batch
'''
CHECKS = """\
import pytest
import loaders

@pytest.fixture
def train_loader(batch_size):
    return loaders.Loader(batch_size)

@pytest.mark.loaderperf(batch_sizes=[8])
def test_train(train_loader, loaderperf):
    perf = loaderperf(train_loader)
    assert perf.throughput >= perf.baseline.throughput
    assert perf.peak_memory <= perf.baseline.peak_memory

@pytest.mark.loaderperf
def test_other(loaderperf):
    loaderperf.check(loaders.Loader(8, work=2000, megabytes=20))
"""
NEW_CHECK = """
@pytest.mark.loaderperf
def test_new(loaderperf):
    loaderperf.check(loaders.Loader(4, work=500, megabytes=1))
"""
TRAIN = "test_perf.py::test_train[8]"
OTHER = "test_perf.py::test_other"


@dataclass(frozen=True)
class Run:
    """How a run of pytest in a project ended."""

    status: int
    output: str
    results: Mapping[str, Any]

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each check."""
        return {check["nodeid"]: check["verdict"] for check in self.results["checks"]}

    @property
    def outcomes(self) -> dict[str, str]:
        """Whether each check passed or failed."""
        return {check["nodeid"]: check["outcome"] for check in self.results["checks"]}


@dataclass(frozen=True)
class Project:
    """A project that has loader checks."""

    root: Path

    def write(self, **files: str) -> None:
        """Write modules: ``write(loaders="...")`` writes ``loaders.py``."""
        for name, text in files.items():
            (self.root / f"{name}.py").write_text(text, "utf-8")

    def set_loader(self, *, work: int = 2000, megabytes: int = 20) -> None:
        """Write the loaders with this much work a sample, and so much memory kept."""
        text = LOADERS.replace("WORK", str(work)).replace("MEGABYTES", str(megabytes))
        self.write(loaders=text)

    def pytest(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = 240,
        command: Sequence[str] = (sys.executable, "-m", "pytest"),
        folder: Path | None = None,
    ) -> Run:
        """Run pytest as a user does; it must leave no process, and nothing in a folder of its own.

        There it finds the machine's lock, too: the runs of other tests do not wait for it. It is
        started in the project's root, if no other ``folder`` is given.
        """
        results = self.root.parent / f"{self.root.name}-results.json"
        results.unlink(missing_ok=True)
        options = (f"--loaderperf-json={results}",) if "--collect-only" not in arguments else ()
        with tempfile.TemporaryDirectory(prefix="lp-") as temporary:
            finished = subprocess.run(
                [*command, *arguments, *options],
                cwd=folder or self.root,
                env={**clean_environment(), "TMPDIR": temporary, **(environment or {})},
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
            assert not processes(temporary)
            assert not leftovers(temporary)
        content = json.loads(results.read_text("utf-8")) if results.exists() else {"checks": []}
        return Run(finished.returncode, finished.stdout + finished.stderr, content)

    def git(self, *arguments: str) -> str:
        """Run git in the project."""
        finished = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return finished.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; returns the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    @classmethod
    def create(cls, root: Path) -> Project:
        """A repository whose loaders have no baseline yet."""
        root.mkdir(parents=True)
        project = cls(root)
        project.git("init", "-q", "-b", "main")
        (root / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n.loaderperf/\n")
        # Pairs of a second are long enough for loaders without workers.
        (root / "pytest.ini").write_text("[pytest]\nloaderperf_budget = 24\n")
        project.set_loader()
        project.write(test_perf=CHECKS)
        project.commit("loaders and their checks")
        return project

    def clone(self, root: Path, *options: str) -> Project:
        """A clone of it, history included."""
        self.git("clone", "-q", *options, self.root.as_uri(), str(root))
        return Project(root)


def processes(temporary: str) -> list[psutil.Process]:
    """The processes of a run, told by their temporary folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("TMPDIR", "").startswith(temporary):
                found.append(process)
    return found


def leftovers(temporary: str) -> list[str]:
    """What a run has left: in its temporary folder, beside the lock, and of control groups."""
    groups = [path.name for place, _ in cgroups.places() for path in cgroups.abandoned(place)]
    return [path.name for path in Path(temporary).iterdir() if path.suffix != ".lock"] + groups


def clean_environment() -> dict[str, str]:
    """The environment without what the outer pytest and the user's git put into it.

    Every run would spend half a second on importing Hypothesis, which no project here uses; and
    checks run in the order in which they are written.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "GIT_", "COV_"))
    }
    author = {f"GIT_{who}_{what}": "test@example.org" if what == "EMAIL" else "Test"
              for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
    return {
        **kept,
        **author,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:randomly",
    }
