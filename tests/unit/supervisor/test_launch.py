"""What an arm gets of the configuration of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_loaderperf.model.version import Version
from pytest_loaderperf.supervisor.launch import _argument, _argument_of, _plugins


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        (["no:a", "b"], ["no:a", "b"]),
        (["no:a", "a"], ["a"]),  # blocked by the ini file, asked for on the command line
        (["a", "no:a"], ["no:a"]),
        ([], []),
        (None, []),
    ],
)
def test_a_plugin_is_plugins_if_that_was_said_last(plugins: object, said: list[str]) -> None:
    assert _plugins(plugins) == said


@pytest.mark.parametrize(
    ("path", "argument"),
    [
        ("/project/tests/test_it.py", "/project/tests/test_it.py"),
        ("/project/te[st]s/test_it.py", "/project"),
        ("/project/tests/test_it[1].py", "/project/tests"),
    ],
)
def test_a_path_that_pytest_takes_for_parameters_is_a_folder_around_it(
    path: str, argument: str
) -> None:
    assert _argument_of(Path(path)) == argument


@pytest.mark.parametrize(
    ("text", "placed"),
    [
        ("--root=TREE/data", "--root=WORKTREE/data"),
        ("--root=TREE/none", "--root=TREE/none"),
        ("--size=3", "--size=3"),
        ("TREE/data", "WORKTREE/data"),
        ("/elsewhere=TREE/data", "/elsewhere=TREE/data"),
    ],
)
def test_arguments_have_paths_of_their_version(tmp_path: Path, text: str, placed: str) -> None:
    tree, worktree = tmp_path.resolve() / "tree", tmp_path.resolve() / "worktree"
    for each in (tree, worktree):
        (each / "data").mkdir(parents=True)
    version = Version(root=worktree, commit="1a2b3c4d", toplevel=str(tree), moved_to=str(worktree))

    def named(text: str) -> str:
        return text.replace("WORKTREE", str(worktree)).replace("TREE", str(tree))

    assert _argument(named(text), version) == named(placed)
