"""What a worktree gets beside its commit, with real git."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pytest_loaderperf.errors import CheckoutError
from pytest_loaderperf.versions import git
from pytest_loaderperf.versions import worktree as carry
from pytest_loaderperf.versions.repository import Repository
from pytest_loaderperf.versions.worktree import Worktree
from support.project import Project


class Tree:
    """A checkout, and worktrees of its commits."""

    def __init__(self, folder: Path) -> None:
        self.root = folder.resolve() / "tree"
        self.project = Project(self.root)
        self.project.start_history()
        self.write({".gitignore": "*.log\ndata/\n_version.py\n", "package/__init__.py": ""})
        self.project.commit("first")

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def worktree(self, parent: Path) -> Worktree:
        """Of what is committed now."""
        repository = Repository.find(self.root)
        assert repository is not None
        commit = self.project.git("rev-parse", "HEAD")
        top = repository.worktree(commit, parent)
        return Worktree(checkout=self.root, top=top, commit=commit)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


# --- tests of today -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "files", "tests"),
    [
        ("test_x.py", ["conftest.py", "test_x.py", "helper.py"], ["conftest.py", "test_x.py"]),
        (
            "tests/perf/test_x.py",
            ["conftest.py", "tests/conftest.py", "tests/help.py", "tests/perf/rows.csv"],
            ["conftest.py", "tests/conftest.py", "tests/help.py", "tests/perf/rows.csv"],
        ),
        (
            "src/core/tests/test_x.py",
            ["src/core/load.py", "src/conftest.py", "src/core/tests/a.py", "src/tests/b.py"],
            ["src/conftest.py", "src/core/tests/a.py"],
        ),
        ("benchmarks/tests/test_x.py", ["benchmarks/a.py", "tests/a.py"], ["benchmarks/a.py"]),
        # Beside a module of tests may lie what it tests.
        ("core/test_x.py", ["core/conftest.py", "core/load.py"], ["core/conftest.py"]),
    ],
)
def test_tests_are_told_from_what_they_test(
    module: str, files: list[str], tests: list[str]
) -> None:
    assert carry.tests_among(files, module) == tests


def test_files_are_laid_over_those_of_the_commit(tree: Tree, tmp_path: Path) -> None:
    tree.write({"tests/test_a.py": "old", "tests/test_b.py": "the same", "tests/test_c.py": "old"})
    tree.project.commit("with tests")
    worktree = tree.worktree(tmp_path)
    worktree.share(tree.root, [])
    (worktree.top / "shared").symlink_to(tree.root / "tests")
    tree.write({"tests/test_a.py": "new", "tests/new/test_d.py": "new", "shared/test_c.py": "x"})
    files = ["tests/test_a.py", "tests/test_b.py", "tests/new/test_d.py", "tests/gone.py"]
    assert worktree.overlay([*files, "shared/test_c.py"]) == [files[2], files[0]]
    assert (worktree.top / "tests/test_a.py").read_text() == "new"
    assert (tree.root / "tests/test_c.py").read_text() == "old"  # nothing is written through a link
    assert worktree.overlay(files) == []
    (worktree.top / "tests/test_a.py").write_text("its own")
    assert (tree.root / "tests/test_a.py").read_text() == "new"


# --- what git ignores ---------------------------------------------------------------------------


def test_what_git_ignores_is_carried_over(tree: Tree, tmp_path: Path) -> None:
    worktree = tree.worktree(tmp_path)
    tree.write({"package/_version.py": "1", "new.py": "", "data/a/1": "one", "data/b/2": "two"})
    used = ["package/_version.py", "package/__init__.py", "new.py", "data/a/1", "gone.log"]
    assert sorted(worktree.carry_ignored(used)) == ["data", "package/_version.py"]
    assert (worktree.top / "package/_version.py").read_text() == "1"
    # A folder as a whole: another trial reads others of its files. What it adds is its own.
    assert (worktree.top / "data/b/2").read_text() == "two"
    (worktree.top / "data/b/3").touch()
    (worktree.top / "data/b/2").write_text("changed")
    assert not (tree.root / "data/b/3").exists()
    assert (tree.root / "data/b/2").read_text() == "two"
    assert not (worktree.top / "new.py").exists()
    assert worktree.carry_ignored(used) == []


def test_a_new_package_is_not_carried_over_with_what_it_ignores(tree: Tree, tmp_path: Path) -> None:
    worktree = tree.worktree(tmp_path)
    tree.write({"newer/__init__.py": "", "newer/_version.py": "1"})
    assert worktree.carry_ignored(["newer/_version.py"]) == ["newer/_version.py"]
    assert not (worktree.top / "newer/__init__.py").exists()


@pytest.mark.parametrize("name", ["package/__pycache__/a.log", ".venv/a.log", "x.egg-info/a.log"])
def test_what_is_no_use_to_others_is_not_carried_over(
    tree: Tree, tmp_path: Path, name: str
) -> None:
    worktree = tree.worktree(tmp_path)
    tree.write({name: ""})
    assert worktree.carry_ignored([name]) == []


@pytest.mark.parametrize("name", [":odd.log", "*.log", "größe [1].log", "-n.log", 'a"b\n.log'])
def test_names_of_any_kind_are_carried_over(tree: Tree, tmp_path: Path, name: str) -> None:
    worktree = tree.worktree(tmp_path)
    tree.write({name: "x"})
    assert worktree.carry_ignored([name]) == [name]
    assert (worktree.top / name).read_text() == "x"


def test_large_files_are_linked(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carry, "_COPIED_BYTES", 2)
    worktree = tree.worktree(tmp_path)
    tree.write({"small.log": "12", "large.log": "123"})
    assert worktree.carry_ignored(["small.log", "large.log"]) == ["large.log", "small.log"]
    assert not (worktree.top / "small.log").is_symlink()
    assert (worktree.top / "large.log").is_symlink()


def test_a_folder_of_very_many_files_is_linked(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carry, "_COPIED_FILES", 1)
    worktree = tree.worktree(tmp_path)
    tree.write({"data/1": "", "data/2": ""})
    assert worktree.carry_ignored(["data/1"]) == ["data"]
    assert (worktree.top / "data").is_symlink()


# --- what is shared -----------------------------------------------------------------------------


def test_what_is_shared_is_linked(tree: Tree, tmp_path: Path) -> None:
    worktree = tree.worktree(tmp_path)
    tree.write({"data/1": "one", "deep/in/here.log": "two"})
    worktree.share(tree.root, ["data", "deep/in/here.log"])
    assert (worktree.top / "data").readlink() == tree.root / "data"
    assert (worktree.top / "deep/in/here.log").read_text() == "two"


def test_what_the_commit_has_itself_stays(tree: Tree, tmp_path: Path) -> None:
    tree.write({"corpus/README": "old", "corpus/in/kept": "old"})
    tree.project.commit("a corpus")
    worktree = tree.worktree(tmp_path)
    tree.write({"corpus/README": "new", "corpus/in/rows.log": "rows", "corpus/more.log": "more"})
    worktree.share(tree.root, ["corpus"])
    assert (worktree.top / "corpus/README").read_text() == "old"
    assert (worktree.top / "corpus/in/kept").read_text() == "old"
    assert (worktree.top / "corpus/in/rows.log").read_text() == "rows"
    assert (worktree.top / "corpus/more.log").read_text() == "more"


def test_what_git_leaves_empty_is_linked(tree: Tree, tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2\n"
    tree.write({"rows.bin": pointer})
    tree.project.commit("a pointer")
    worktree = tree.worktree(tmp_path)
    (worktree.top / "submodule").mkdir()
    tree.write({"rows.bin": "12", "submodule/rows": "34"})
    worktree.share(tree.root, ["rows.bin", "submodule"])
    assert (worktree.top / "rows.bin").read_text() == "12"
    assert (worktree.top / "submodule/rows").read_text() == "34"


def test_what_does_not_exist_cannot_be_shared(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(CheckoutError, match="loaderperf_share names models, which does not exist"):
        tree.worktree(tmp_path).share(tree.root, ["models"])


def test_what_lies_beyond_reach_cannot_be_shared(tree: Tree, tmp_path: Path) -> None:
    worktree = tree.worktree(tmp_path / "run")
    (tmp_path / "beside").mkdir()
    worktree.share(tree.root, ["../beside"])
    assert (worktree.top.parent / "beside").is_symlink()
    for name in ("..", "../.."):
        with pytest.raises(CheckoutError, match="which lies outside of the repository"):
            worktree.share(tree.root, [name])


# --- submodules ---------------------------------------------------------------------------------


def add_submodule(tree: Tree, source: Tree, name: str) -> None:
    allowed = ("-c", "protocol.file.allow=always")
    tree.project.git(*allowed, "submodule", "add", "-q", str(source.root), name)
    tree.project.git(*allowed, "submodule", "update", "--init", "--recursive", "-q")
    tree.project.commit(f"the submodule {name}")


def test_submodules_are_filled_with_what_each_commit_names(tree: Tree, tmp_path: Path) -> None:
    inner, outer = Tree(tmp_path / "inner"), Tree(tmp_path / "outer")
    inner.write({"deep.py": "old"})
    inner.project.commit("deep")
    outer.write({"flat.py": "old"})
    add_submodule(outer, inner, "in")
    add_submodule(tree, outer, "out")
    worktree = tree.worktree(tmp_path)
    tree.write({"out/flat.py": "new", "out/in/deep.py": "new"})
    worktree.fill_submodules()
    assert (worktree.top / "out/flat.py").read_text() == "old"
    assert (worktree.top / "out/in/deep.py").read_text() == "old"
    assert not list(worktree.top.glob("**/*loaderperf-index*"))
    assert git.names(worktree.top, "diff", "--name-only", "-z", "HEAD") == []


def test_a_submodule_that_is_not_checked_out_stays_empty(tree: Tree, tmp_path: Path) -> None:
    add_submodule(tree, Tree(tmp_path / "outer"), "out")
    tree.project.git("submodule", "deinit", "-f", "-q", "out")
    worktree = tree.worktree(tmp_path)
    worktree.fill_submodules()
    assert list((worktree.top / "out").iterdir()) == []


def test_a_submodule_that_is_shared_is_not_written_to(tree: Tree, tmp_path: Path) -> None:
    add_submodule(tree, Tree(tmp_path / "outer"), "out")
    worktree = tree.worktree(tmp_path)
    tree.write({"out/package/__init__.py": "mine"})
    worktree.share(tree.root, ["out"])
    worktree.fill_submodules()
    assert (tree.root / "out/package/__init__.py").read_text() == "mine"


# --- large files --------------------------------------------------------------------------------

OLD, NEW = b"old rows", b"new rows"


def commit_pointer(tree: Tree, content: bytes) -> str:
    """Commit a large file as git-lfs does; the working tree has its content."""
    name = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize 8\n"
    tree.write({"rows.bin": pointer, ".gitattributes": "*.bin filter=lfs -text\n"})
    tree.project.commit("rows")
    tree.write({"rows.bin": content})
    return name


def test_large_files_come_from_where_lfs_keeps_them(tree: Tree, tmp_path: Path) -> None:
    name = commit_pointer(tree, OLD)
    tree.write({f".git/lfs/objects/{name[:2]}/{name[2:4]}/{name}": OLD, "rows.bin": NEW})
    worktree = tree.worktree(tmp_path)
    worktree.fill_pointers([])
    assert (worktree.top / "rows.bin").read_bytes() == OLD


def test_a_large_file_that_is_not_here_is_an_error(tree: Tree, tmp_path: Path) -> None:
    commit_pointer(tree, OLD)
    worktree = tree.worktree(tmp_path)
    tree.write({"rows.bin": NEW})
    with pytest.raises(CheckoutError, match=r"rows.bin of commit .*`git lfs fetch origin"):
        worktree.fill_pointers([])
    worktree.fill_pointers(["rows.bin"])  # the user has said that it is the same


def test_a_large_file_that_nobody_has_stays_a_pointer(tree: Tree, tmp_path: Path) -> None:
    commit_pointer(tree, OLD)
    tree.project.git("checkout", "-q", "--", "rows.bin")
    worktree = tree.worktree(tmp_path)
    worktree.fill_pointers([])
    assert (worktree.top / "rows.bin").read_bytes().startswith(b"version ")


# --- configuration ------------------------------------------------------------------------------


def test_the_ini_file_of_the_commit_is_its_own(tree: Tree, tmp_path: Path) -> None:
    tree.write({"pytest.ini": "[pytest]\naddopts = -q\n"})
    tree.project.commit("ini")
    worktree = tree.worktree(tmp_path)
    tree.write({"pytest.ini": "[pytest]\naddopts = -v\n"})
    ini = str(worktree.top / "pytest.ini")
    assert worktree.carry_ini(tree.root / "pytest.ini") == (ini, [])


SECTION = '[tool.pytest.ini_options]\naddopts = "-q"\n'


@pytest.mark.parametrize(
    ("old", "name"), [(None, "pyproject.toml"), ("[project]\n", ".loaderperf-pyproject.toml")]
)
def test_an_ini_file_that_the_commit_lacks_is_carried_over(
    tree: Tree, tmp_path: Path, old: str | None, name: str
) -> None:
    if old is not None:
        tree.write({"tests/pyproject.toml": old})
        tree.project.commit("a project")
    worktree = tree.worktree(tmp_path)
    tree.write({"tests/pyproject.toml": SECTION})
    path, carried = worktree.carry_ini(tree.root / "tests/pyproject.toml")
    assert (path, carried) == (str(worktree.top / "tests" / name), ["tests/pyproject.toml"])
    assert Path(path).read_text() == SECTION


def test_a_module_that_the_commit_lacks_is_carried_over(tree: Tree, tmp_path: Path) -> None:
    worktree = tree.worktree(tmp_path)
    tree.write({"tests/plugin.py": "new", "package/__init__.py": "new"})
    assert worktree.carry_module("tests/plugin.py") == ["tests/plugin.py"]
    assert worktree.carry_module("package/__init__.py") == []
    assert (worktree.top / "package/__init__.py").read_text() == ""
