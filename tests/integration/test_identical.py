"""Checks that use nothing which differs: passed without being measured, and none of the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import tiny
from support.project import Project, Run
from support.tiny import SOON, USUAL

FILES = {
    "first.py": "from second import paced\n",
    "second.py": "def paced():\n    from third import Paced\n    return Paced()\n",
    "third.py": "from paced import Paced\nPACE = 1\n",
    "test_lonely.py": "def test_plain(): pass\n",
    "README.md": "A project.\n",
    "notes/todo.txt": "",
}
DEEP = "import first\n\ndef test_deep(loaderperf):\n    loaderperf.check(first.paced())\n"
BUDGET = """\
import paced

def test_budget(loaderperf):
    perf = loaderperf(paced.Paced())
    assert perf.throughput >= 1
    assert perf.throughput >= perf.baseline.throughput
    assert 0.5 < float(perf.throughput) / float(perf.baseline.throughput) < 2
    assert perf.verdict == perf.throughput.verdict == "unchanged"
"""
CHECKS = {"test_it": tiny.CHECK, "test_deep": DEEP, "test_budget": BUDGET}
NODES = {name: f"{name}.py::{name if name != 'test_it' else tiny.KEY}" for name in CHECKS}


@dataclass(frozen=True)
class Seen:
    """A run, and what the results file says of each check, by its module."""

    run: Run

    @property
    def checks(self) -> dict[str, dict[str, Any]]:
        return {each["nodeid"].partition(".py")[0]: each for each in self.run.results["checks"]}

    @property
    def identical(self) -> set[str]:
        return {name for name, check in self.checks.items() if check["verdict"] == "identical"}


def create(root: Path) -> Project:
    project = tiny.create(root, git=True, ini="loaderperf_unused = notes\n", **CHECKS)
    for name, text in FILES.items():
        project.put(name, text)
    tiny.accept(project, *NODES.values())
    return project


def run(project: Project, *arguments: str) -> Seen:
    return Seen(project.pytest("--loaderperf", *arguments, environment=USUAL))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create(tmp_path / "project")


def test_only_what_may_have_changed_is_measured(project: Project) -> None:
    """After documents and other tests have changed, and then the module of one check."""
    commit = project.git("rev-parse", "HEAD")[:12]
    project.put("README.md", "Another text.\n")
    project.put("notes/todo.txt", "As the ini file says.\n")
    project.put("test_lonely.py", "def test_other(): pass\n")
    documents = run(project)
    assert documents.run.status == 0, documents.run.output
    assert documents.identical == {"test_it", "test_deep", "test_budget"}
    told = f"nothing that it uses differs from commit {commit}"
    assert f"test_it.py::test_paced: not measured: {told} (" in documents.run.output
    assert documents.checks["test_it"]["reason"].startswith(told)
    assert documents.checks["test_it"]["metrics"] == {}
    # For its numbers, which need no baseline.
    budget = documents.checks["test_budget"]
    assert budget["reason"] == "its test looks at numbers"
    assert f"measured alone, since its test looks at numbers: {told}" in documents.run.output
    assert budget["metrics"]["throughput"]["value"] > 1
    assert budget["metrics"]["throughput"]["baseline"] is None
    assert budget["metrics"]["peak_memory"]["value"] > 0
    assert documents.run.results["against"]["commits"] == []
    assert "test_budget  identical" in documents.run.output  # it has a row, unlike others
    assert "test_paced  identical" not in documents.run.output

    project.append("test_deep.py", "\n# Another text.\n")
    deep = run(project, "test_it.py", "test_deep.py")
    assert deep.run.status == 0, deep.run.output
    assert deep.identical == {"test_it"}
    assert [*deep.checks] == ["test_deep", "test_it"]  # the news come first
    assert deep.checks["test_deep"]["reason"] == "test_deep.py differs"
    assert deep.checks["test_deep"]["pairs"] >= 2


def test_a_budget_that_is_not_kept_fails_also_of_code_that_is_identical(project: Project) -> None:
    project.put("test_budget.py", BUDGET.replace(">= 1\n", ">= 1e9\n"))
    project.commit("a budget that nothing keeps")
    tiny.accept(project, *NODES.values(), throughput=tiny.THROUGHPUT + 1)
    seen = run(project, "test_budget.py")
    assert seen.run.status == 1, seen.run.output
    assert seen.checks["test_budget"]["verdict"] == "identical"
    assert seen.checks["test_budget"]["outcome"] == "failed"
    assert "assert" in seen.run.output
    assert "1e9" in seen.run.output or "1,000,000,000" in seen.run.output


def test_no_worktree_is_made_where_nothing_is_measured(project: Project) -> None:
    seen = run(project, "test_it.py", "test_deep.py")
    assert seen.run.status == 0, seen.run.output
    assert seen.identical == {"test_it", "test_deep"}
    assert seen.run.results["against"]["commits"] == []
    assert "2 identical" in seen.run.output
    assert "throughput" not in seen.run.output  # there is no table
    assert seen.run.results["summary"] == {"identical": 2}


@pytest.mark.parametrize("how", ["option", "ini"])
def test_all_is_measured_where_that_is_asked_for(project: Project, how: str) -> None:
    if how == "ini":
        text = (project.root / "pytest.ini").read_text() + "loaderperf_always = true\n"
        project.put("pytest.ini", text)
    asked = ["--loaderperf-always"] if how == "option" else []
    seen = run(project, "test_it.py", *SOON, *asked)
    assert "is too small" in seen.checks["test_it"]["message"], seen.run.output
    assert seen.checks["test_it"]["reason"] == ""


SLOWER = "from paced import paced\n\nclass Paced:\n    __iter__ = lambda self: paced()\n"


@pytest.mark.parametrize("how", ["changed", "new", "staged", "unseen", "ignored"])
def test_no_other_loader_is_identical(project: Project, how: str) -> None:
    """However git looks at the file that makes it another one."""
    arguments = ["test_deep.py", *SOON]
    file = "third.py"
    if how == "ignored":
        file = "local_pace.py"
        project.put(".git/info/exclude", "/local_*.py\n")
        project.put(file, "def pace():\n    return 1\n")
        project.put("third.py", "from local_pace import pace\nfrom paced import Paced\n")
        project.commit("with a module that git ignores")
        arguments.append("--loaderperf-against=HEAD")
    elif how == "new":  # as a package it comes before the module of that name
        file = "third/__init__.py"
        project.put(file, SLOWER)
    else:
        project.put(file, SLOWER)
    if how == "staged":
        project.git("add", "-A")
    if how == "unseen":
        project.git("update-index", "--assume-unchanged", file)
    check = run(project, *arguments).checks["test_deep"]
    assert check["verdict"] == "error", check
    assert file in check["reason"]
