"""A project in a folder of its own: its files, its repository, and runs of pytest in it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from support import leftovers
from support.environment import clean
from support.forked import Forks, at_start

# What runs leave in a project.
IGNORED = "__pycache__/\n.pytest_cache/\n.loaderperf/\n"
PYTEST = (sys.executable, "-m", "pytest")


@cache
def _forks() -> Forks:
    return Forks(clean())


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

    @classmethod
    def create(cls, root: Path, files: Mapping[str, str], *, git: bool = True) -> Project:
        """A new folder with these files, and a repository; nothing is committed."""
        root.mkdir(parents=True)
        project = cls(root)
        if git:
            project.start_history()
        for name, text in {".gitignore": IGNORED, **files}.items():
            project.put(name, text)
        return project

    def put(self, name: str, text: str) -> None:
        """Write a file, and make its folder."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def append(self, name: str, text: str) -> None:
        """Write more at the end of a file."""
        with (self.root / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def write(self, **modules: str) -> None:
        """Write modules: ``write(loaders="...")`` writes ``loaders.py``."""
        for name, text in modules.items():
            self.put(f"{name}.py", text)

    def pytest(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = 240,
        command: Sequence[str] = (),
        folder: Path | None = None,
    ) -> Run:
        """Run pytest as a user does; it must leave no process, and nothing in a folder of its own.

        There it finds the machine's lock, too: the runs of other tests do not wait for it. It is
        started in the project's root, if no other ``folder`` is given. With a ``command`` it is a
        new process from its first import on, else a fork of one that has imported pytest.
        """
        results = self.root.parent / f"{self.root.name}-results.json"
        results.unlink(missing_ok=True)
        options = (f"--loaderperf-json={results}",) if "--collect-only" not in arguments else ()
        with tempfile.TemporaryDirectory(prefix="lp-") as temporary:
            variables = clean(**{"TMPDIR": temporary, **(environment or {})})
            folder = folder or self.root
            if not command and (forks := _forks()).at_start == at_start(variables):
                status, output = forks.run([*arguments, *options], folder, variables, timeout)
            else:
                finished = subprocess.run(
                    [*(command or PYTEST), *arguments, *options],
                    cwd=folder,
                    env=variables,
                    capture_output=True,
                    text=True,
                    timeout=timeout,
                    check=False,
                )
                status, output = finished.returncode, finished.stdout + finished.stderr
            assert not (left := leftovers.processes_of(temporary)), left
            assert not (remains := leftovers.files(temporary)), remains
        content = json.loads(results.read_text("utf-8")) if results.exists() else {"checks": []}
        return Run(status, output, content)

    def git(self, *arguments: str) -> str:
        """Run git in the project."""
        finished = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=clean(),
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

    def start_history(self) -> None:
        """Make a repository of the folder, without the samples of hooks that git copies."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main", "--template=")

    def worktrees(self) -> list[str]:
        """The worktrees beside the first one."""
        return self.git("worktree", "list").splitlines()[1:]

    def clone(self, root: Path, *options: str) -> Project:
        """A clone of it, history included."""
        self.git("clone", "-q", *options, self.root.as_uri(), str(root))
        return Project(root)
