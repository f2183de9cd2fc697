"""Builds of commits: made once by each command and interpreter, and forgotten in the end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pytest_loaderperf.errors import ArmError
from pytest_loaderperf.versions.builds import Builds, check_age
from pytest_loaderperf.versions.repository import Repository
from pytest_loaderperf.versions.worktree import Worktree
from support.project import Project

MAKES = "mkdir out && echo 1 > out/a.bin && ln -s a.bin out/b.bin"


@pytest.fixture
def tree(tmp_path: Path) -> Project:
    project = Project(tmp_path.resolve() / "tree")
    project.start_history()
    project.put(".gitignore", "out/\n.loaderperf/\n")
    project.put("x.py", "")
    return project


def worktree(tree: Project, parent: Path) -> Worktree:
    repository = Repository.find(tree.root)
    assert repository is not None
    commit = tree.git("rev-parse", "HEAD")
    return Worktree(checkout=tree.root, top=repository.worktree(commit, parent), commit=commit)


def builds(tree: Project, command: str = MAKES) -> Builds:
    return Builds(command=command, place=tree.root / ".loaderperf/builds")


def made(builds: Builds, worktree: Worktree, python: str = sys.executable) -> tuple[set[str], int]:
    """What a worktree gets, and how often the command had to run for it."""
    said: list[str] = []
    return builds.build(worktree, worktree.top, python, said.append), len(said)


def test_what_was_made_is_kept_by_commit_command_and_interpreter(
    tree: Project, tmp_path: Path
) -> None:
    tree.commit("first")
    first = worktree(tree, tmp_path / "1")
    assert made(builds(tree), first) == ({"out/a.bin", "out/b.bin"}, 1)
    again = worktree(tree, tmp_path / "2")
    assert made(builds(tree), again) == ({"out/a.bin", "out/b.bin"}, 0)
    assert (again.top / "out/b.bin").is_symlink()
    assert (again.top / "out/b.bin").read_text() == "1\n"
    (again.top / "out/a.bin").write_text("its own")
    assert made(builds(tree), worktree(tree, tmp_path / "3"), "/another/python")[1] == 1
    assert made(builds(tree, f"{MAKES} "), worktree(tree, tmp_path / "4"))[1] == 1
    tree.put("x.py", "1")
    tree.commit("second")
    second = worktree(tree, tmp_path / "5")
    assert made(builds(tree), second)[1] == 1
    assert (second.top / "out/a.bin").read_text() == "1\n"
    assert not tree.git("status", "--porcelain")


def test_a_command_that_makes_nothing_runs_once_too(tree: Project, tmp_path: Path) -> None:
    tree.commit("first")
    assert made(builds(tree, "true"), worktree(tree, tmp_path / "1")) == (set(), 1)
    assert made(builds(tree, "true"), worktree(tree, tmp_path / "2")) == (set(), 0)


def test_what_has_not_been_used_for_longest_is_forgotten(tree: Project, tmp_path: Path) -> None:
    tree.commit("first")
    place = builds(tree).place
    for number in range(40):
        folder = place / f"{number:02}"
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    made(builds(tree), worktree(tree, tmp_path / "1"))
    left = sorted(each.name for each in place.iterdir() if each.is_dir() and len(each.name) == 2)
    assert left == [f"{number:02}" for number in range(9, 40)]


def test_what_is_older_than_its_sources_is_no_build_of_them(tmp_path: Path) -> None:
    for name, time in (("a.so", 100), ("old.c", 99), ("new.c", 101)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    check_age([str(tmp_path / "a.so"), "/elsewhere/b.so"], ["old.c", "gone.c"], tmp_path)
    with pytest.raises(ArmError, match=r"a\.so is older than new\.c: build the working tree"):
        check_age([str(tmp_path / "a.so")], ["old.c", "new.c"], tmp_path)
