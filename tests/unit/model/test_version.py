"""A version of the project: how it is called, and where it has what the working tree has."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pytest_loaderperf.model.version import Version


@pytest.fixture
def version(tmp_path: Path) -> Version:
    """A commit whose worktree has one of the two files of the working tree."""
    top = tmp_path.resolve()
    for name in ("tree/src/a.py", "tree/src/newer.py", "worktree/src/a.py"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    return Version(
        root=top / "worktree",
        commit="1234567890abcdef",
        toplevel=str(top / "tree"),
        moved_to=str(top / "worktree"),
    )


def test_names() -> None:
    assert Version(root=Path("x")).name == "the working tree"
    assert Version(root=Path("x"), commit="1234567890abcdef").name == "commit 1234567890ab"
    assert Version(root=Path("x"), label="another").name == "another"


def test_paths_of_the_working_tree_are_moved(version: Version, tmp_path: Path) -> None:
    tree, worktree = version.toplevel, version.moved_to
    assert version.place(tree) == worktree
    assert version.place(f"{tree}/src/a.py") == f"{worktree}/src/a.py"
    assert version.place(f"{tree}/src/newer.py") == f"{worktree}/src/newer.py"
    (tmp_path / "link").symlink_to(tree)
    assert version.place(f"{tmp_path}/link/src") == f"{worktree}/src"


@pytest.mark.parametrize(
    "path", ["src/a.py", "", "/elsewhere", "{tree}-2/src", "{tree}/env/lib/site-packages/x.py"]
)
def test_other_paths_stay(version: Version, path: str) -> None:
    path = path.format(tree=version.toplevel)
    assert version.place(path) == path
    assert Version(root=Path("x")).place(f"{version.toplevel}/src") == f"{version.toplevel}/src"


def test_values_of_the_environment_are_moved_as_far_as_there_is_something(
    version: Version,
) -> None:
    tree, worktree = version.toplevel, version.moved_to
    value = os.pathsep.join([f"{tree}/src/a.py", f"{tree}/src/newer.py", "/bin", "", "a word"])
    assert version.place_all(value).split(os.pathsep) == [
        f"{worktree}/src/a.py", f"{tree}/src/newer.py", "/bin", "", "a word",
    ]  # fmt: skip
    assert version.place_all("3.11") == "3.11"


def test_programs_of_another_python_come_before_those_of_this_one() -> None:
    here = str(Path(sys.executable).parent)
    path = os.pathsep.join(("/usr/bin", here, "/bin"))
    assert Version(root=Path("/x")).programs(path) == path
    other = Version(root=Path("/x"), python="/env/bin/python")
    assert other.programs(path) == os.pathsep.join(("/usr/bin", "/env/bin", here, "/bin"))
    assert other.programs("/usr/bin") == "/usr/bin"  # nobody runs this Python by its name
