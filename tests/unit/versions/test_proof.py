"""The proof: what processes wrote down, and what it shows of each version."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_loaderperf.child.loaderperf_sources import MAPPED
from pytest_loaderperf.child.loaderperf_watch import OPENED, UNSEEN
from pytest_loaderperf.errors import ArmError
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.versions.project import Copies, Project
from pytest_loaderperf.versions.proof import Compared, Proof
from pytest_loaderperf.versions.sources import Changes, Folders, Sources

MODULE, CHECK = "test_it.py", "test_it.py::test_it"
EXTENSION = "fast.abi3.so"


@dataclass(frozen=True, kw_only=True)
class Known(Project):
    """A project of which it is known what is installed."""

    known: Copies

    def copies(self, python: str = "") -> Copies:
        return self.known


class Run:
    """A run whose processes have run what a test says: files below the tree or the worktree."""

    def __init__(self, folder: Path, *, copies: Copies | None = None) -> None:
        self.tree, self.worktree = folder / "tree", folder / "worktree"
        for top in (self.tree, self.worktree):
            top.mkdir(exist_ok=True)
        self.candidate = Version(root=self.tree)
        self.baseline = Version(
            root=self.worktree,
            commit="1234567890abcdef",
            toplevel=str(self.tree),
            moved_to=str(self.worktree),
        )
        self._folder, self._copies = folder / "run", copies or Copies(places={})
        self._count = 0
        self._ignored: set[str] = set()
        self.changes = Changes()

    @property
    def sides(self) -> Compared:
        return Compared(
            candidate=self.candidate, baseline=self.baseline, module=MODULE, nodeid=CHECK
        )

    @property
    def sources(self) -> Sources:
        found = [str(each.relative_to(self.tree)) for each in self.tree.rglob("*.py")]
        files = [name for name in found if name not in self._ignored]
        project = Known(top=str(self.tree), files=tuple(files), known=self._copies)
        self._count += 1
        return Sources(lambda: project, self._folder / str(self._count))

    def write(self, name: str, here: str | None, there: str | None) -> None:
        """Write a file of the working tree and of the worktree; None: it has none."""
        for top, text in ((self.tree, here), (self.worktree, there)):
            if text is not None:
                (top / name).parent.mkdir(parents=True, exist_ok=True)
                (top / name).write_text(text)

    def ignore(self, name: str, text: str) -> None:
        """Write a file that git ignores, and that was carried over."""
        self.write(name, text, text)
        self._ignored.add(name)

    def tell(self, sources: Sources, version: Version, *ran: str | tuple[str, str]) -> Folders:
        """Have a process of a trial write down what it ran; its arm ran nothing before."""
        arm = sources.new_folder(version, MODULE)
        folder = sources.new_folder(version, MODULE, CHECK)
        top = self.worktree if version == self.baseline else self.tree
        with (folder / "1").open("wb") as file:
            for each in ran:
                name, path = each if isinstance(each, tuple) else (Path(each).stem, each)
                path = path if name == UNSEEN else str(top / path)
                file.write(os.fsencode(f"{name}\0{path}\0"))
        return arm, folder

    def prove(self, here: list[str], there: list[str]) -> list[str]:
        """Prove a check whose candidate and whose baseline ran these files."""
        sources = self.sources
        pair = (
            self.tell(sources, self.candidate, *here),
            self.tell(sources, self.baseline, *there),
        )
        return Proof(sources).prove(self.sides, self.changes, [pair])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path.resolve())


def test_each_version_ran_its_own(run: Run) -> None:
    run.write("a.py", "new", "old")
    run.write("b.py", "same", "same")
    assert run.prove(["a.py", "b.py"], ["a.py", "b.py"]) == []
    assert run.prove(["a.py", "b.py"], ["a.py"]) == []  # b.py is the same in any case


def test_a_candidate_that_is_a_commit_is_held_to_its_own_worktree(run: Run) -> None:
    other = run.tree.with_name("other")
    run.candidate = replace(run.baseline, root=other, commit="fedcba", moved_to=str(other))
    run.write("a.py", "of the working tree", "old")
    other.mkdir()
    (other / "a.py").write_text("new")
    own = str(other / "a.py")
    assert run.prove([own], ["a.py"]) == []
    # Its file differs from the baseline's, which has not run that.
    with pytest.raises(ArmError, match=r"did not run its own, and nothing shows why not"):
        run.prove([own], [])
    with pytest.raises(ArmError, match=r"commit fedcba ran a.py \(a\) from the working tree"):
        run.prove([str(run.tree / "a.py")], ["a.py"])
    # A file may explain it that the commit has, and the working tree has no more.
    (other / "rows.csv").touch()
    run.changes = Changes(since=["a.py", "rows.csv"])
    assert run.prove([own], [])
    run.changes = Changes(in_candidate=["a.py"])
    with pytest.raises(ArmError, match=r"commit fedcba: a.py was changed in its worktree"):
        run.prove([own], ["a.py"])


def test_file_of_the_working_tree_in_the_baseline_is_an_error(run: Run) -> None:
    run.write("a.py", "new", "old")
    with pytest.raises(ArmError, match=r"commit 1234567890ab ran a.py \(a\) from the working tree"):
        run.prove(["a.py"], [str(run.tree / "a.py")])


def test_what_is_linked_into_the_worktree_is_shared(run: Run) -> None:
    run.write("a.py", "new", None)
    (run.worktree / "a.py").symlink_to(run.tree / "a.py")
    assert run.prove(["a.py"], [str(run.tree / "a.py")]) == []


def test_what_was_only_opened_was_not_run(run: Run) -> None:
    run.write("a.py", "same", "same")
    sources = run.sources
    run.tell(sources, run.baseline, (OPENED, str(run.tree / "a.py")))
    Proof(sources).check(run.baseline, MODULE, CHECK)
    assert Proof(sources).used(run.baseline, MODULE, CHECK) == {"a.py"}


def test_folders_are_listed_by_whoever_looks_for_modules(run: Run) -> None:
    run.write("package/a.py", "new", "old")
    sources = run.sources
    for version in (run.candidate, run.baseline):
        run.tell(sources, version, (OPENED, str(run.tree / "package")))
    Proof(sources).check(run.baseline, MODULE, CHECK)
    assert not Proof(sources).reads_changes(run.sides)


def test_what_has_changed_must_not_be_read_from_the_working_tree(run: Run) -> None:
    run.write("pace.txt", "new", "old")
    run.write("other.txt", "same", "same")
    sources = run.sources
    run.tell(sources, run.candidate, (OPENED, str(run.tree / "other.txt")))
    run.tell(sources, run.baseline, (OPENED, str(run.tree / "other.txt")))
    Proof(sources).check(run.baseline, MODULE, CHECK)
    assert not Proof(sources).reads_changes(run.sides)
    run.tell(sources, run.candidate, (OPENED, str(run.tree / "pace.txt")))
    assert Proof(sources).reads_changes(run.sides)
    run.tell(sources, run.baseline, (OPENED, str(run.tree / "pace.txt")))
    with pytest.raises(ArmError, match=r"read pace.txt from the working tree, where it has chang"):
        Proof(sources).check(run.baseline, MODULE, CHECK)


def test_file_that_is_changed_while_it_is_measured_is_an_error(run: Run) -> None:
    run.write("a.py", "new", "old")
    sources = run.sources
    run.tell(sources, run.candidate, "a.py")
    proof = Proof(sources)
    proof.check(run.candidate, MODULE, CHECK)
    run.write("a.py", "newer still", "old")
    with pytest.raises(ArmError, match=r"a.py was changed while it was measured"):
        proof.check(run.candidate, MODULE, CHECK)
    proof.check(run.candidate, MODULE, CHECK)  # another check is measured with that


def test_python_that_shows_nothing_is_an_error(run: Run) -> None:
    sources = run.sources
    run.tell(sources, run.candidate, (UNSEEN, "python -I worker.py"))
    with pytest.raises(
        ArmError, match=r"the working tree started a Python .*: python -I worker.py"
    ):
        Proof(sources).check(run.candidate, MODULE, CHECK)


def test_changed_file_that_the_baseline_did_not_run_is_an_error(run: Run) -> None:
    run.write("a.py", "new", "old")
    run.write("b.py", "same", "same")
    with pytest.raises(ArmError, match=r"the working tree ran a.py, which has changed; commit 12"):
        run.prove(["a.py", "b.py"], ["b.py"])


@pytest.mark.parametrize(
    ("name", "there"),
    [("b.py", "old"), ("b.py", None)],
    ids=["another file has changed", "another file is new"],
)
def test_what_may_explain_it_is_noted(run: Run, name: str, there: str | None) -> None:
    run.write("a.py", "new", "old")
    run.write(name, "new", there)
    ran_there = [name] if there else []
    notes = run.prove(["a.py", name], ran_there)
    assert notes == ["run by the working tree, not by commit 1234567890ab: a.py"]


@pytest.mark.parametrize(
    ("changed", "explains"),
    [
        ("config.yaml", True),
        ("README.md", False),
        ("baselines/test_it.json", False),
        (".github/test.yml", False),
        ("submodule", False),
        ("other.py", False),
    ],
)
def test_settings_may_explain_it_and_documents_do_not(
    run: Run, changed: str, explains: bool
) -> None:
    run.write("a.py", "new", "old")
    (run.tree / "submodule").mkdir()
    if changed != "submodule":
        run.write(changed, "new", "old")
    run.changes = Changes(since=["a.py", changed])
    if explains:
        assert run.prove(["a.py"], [])
    else:
        with pytest.raises(ArmError, match=r"nothing shows why not"):
            run.prove(["a.py"], [])


def test_file_that_only_one_of_each_pair_ran_is_an_error(run: Run) -> None:
    run.write("server.py", "new", "old")
    sources = run.sources
    tell = run.tell
    both = ["server.py"]
    one = (tell(sources, run.candidate, *both), tell(sources, run.baseline))
    other = (tell(sources, run.candidate), tell(sources, run.baseline, *both))
    equal = (tell(sources, run.candidate, *both), tell(sources, run.baseline, *both))
    with pytest.raises(ArmError, match=r"in a pair of trials only one version ran server.py"):
        Proof(sources).prove(run.sides, Changes(), [one, other])
    assert Proof(sources).prove(run.sides, Changes(), [one, other, equal]) == []
    # That both have imported it says nothing of who was started to run it.
    main = ("__main__", "server.py")
    imported = ("server", "server.py")
    one = (tell(sources, run.candidate, imported, main), tell(sources, run.baseline, imported))
    other = (tell(sources, run.candidate, imported), tell(sources, run.baseline, imported, main))
    with pytest.raises(ArmError, match=r"in a pair of trials only one version ran server.py"):
        Proof(sources).prove(run.sides, Changes(), [one, other])
    # A server that both have started at the same moment, of which one found its port taken.
    equal = (tell(sources, run.candidate, main), tell(sources, run.baseline, main))
    with pytest.raises(ArmError, match=r"in a pair of trials only one version ran server.py"):
        Proof(sources).prove(run.sides, Changes(), [one, equal, equal])
    # What is started now and then, such as to build something, serves nobody.
    none = (tell(sources, run.candidate, imported), tell(sources, run.baseline, imported))
    assert Proof(sources).prove(run.sides, Changes(), [one, none, equal]) == []
    run.write("server.py", "same", "same")
    assert Proof(sources).prove(run.sides, Changes(), [one, other]) == []


def test_what_a_process_was_started_to_run_is_explained_by_nothing(run: Run) -> None:
    run.write("server.py", "new", "old")
    run.write("a.py", "new", "old")
    sources = run.sources
    run.tell(sources, run.candidate, "a.py", ("__main__", "server.py"))
    run.tell(sources, run.baseline, "a.py")
    with pytest.raises(ArmError, match=r"the working tree ran server.py, which has changed"):
        Proof(sources).prove(run.sides, Changes())


@pytest.mark.parametrize(
    ("changed", "text", "fails"),
    [
        ("user.proto", "message", True),
        ("tools/generate.py", "write('_made.py')", True),
        ("tools/other.py", "print()", False),
        ("README.md", "_made", False),
    ],
)
def test_what_is_generated_by_what_has_changed_is_an_error(
    run: Run, changed: str, text: str, fails: bool
) -> None:
    run.write("a.py", "same", "same")
    run.ignore("_made.py", PROTOCOL)
    run.write(changed, text, "old")
    run.changes = Changes(since=[changed])
    files = ["a.py", "_made.py"]
    if not fails:
        assert run.prove(files, files) == []
        return
    with pytest.raises(ArmError, match=r"_made.py is generated, and .* has changed"):
        run.prove(files, files)
    run.changes = Changes(since=[changed], shared=["_made.py"])
    assert run.prove(files, files) == []


def test_worktree_that_was_written_to_is_an_error(run: Run) -> None:
    run.write("a.py", "same", "same")
    run.changes = Changes(in_worktree=["a.py"])
    with pytest.raises(ArmError, match=r"a.py was changed in its worktree while it was measured"):
        run.prove(["a.py"], ["a.py"])
    run.changes = Changes(in_worktree=["data.txt"])
    assert run.prove(["a.py"], ["a.py"]) == []


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        (Changes(since=["fast.c"]), True),
        (Changes(since=["fast.py"]), False),
    ],
)
def test_extension_whose_sources_have_changed_is_an_error(
    run: Run, changes: Changes, fails: bool
) -> None:
    run.write(EXTENSION, "built", "built")  # a copy of the working tree's
    run.changes = changes
    if fails:
        with pytest.raises(ArmError, match=r"compiled from the working tree.*fast.c"):
            run.prove([EXTENSION], [EXTENSION])
    else:
        assert run.prove([EXTENSION], [EXTENSION]) == []


def test_extension_that_is_shared_although_its_sources_have_changed_is_noted(run: Run) -> None:
    run.write(EXTENSION, "built", "built")
    run.changes = Changes(since=["fast.c"], shared=[EXTENSION])
    (note,) = run.prove([EXTENSION], [EXTENSION])
    assert note.endswith(f"although fast.c has changed: {EXTENSION}")


def test_library_that_both_have_loaded_is_judged_alike(run: Run, tmp_path: Path) -> None:
    library = (MAPPED, str(tmp_path / "cache/libfast.so"))
    run.changes = Changes(since=["fast.c"])
    sources = run.sources
    for version in (run.candidate, run.baseline):
        run.tell(sources, version, library)
    with pytest.raises(ArmError, match=r"libfast.so, which was compiled from the working tree"):
        Proof(sources).prove(run.sides, run.changes)


def test_extension_that_was_built_anew_is_none(run: Run) -> None:
    run.write(EXTENSION, "new build", "old build")
    run.changes = Changes(since=["fast.c"])
    assert run.prove([EXTENSION], [EXTENSION]) == []


VERSION = "try:\n    import x\nexcept ImportError:\n    x = None\nversion = (1, 2)\n"
PROTOCOL = (
    "# -*- coding: utf-8 -*-\n# Generated by the compiler.  DO NOT EDIT!\nclass Message: ...\n"
)


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        (VERSION, False),
        (PROTOCOL, False),
        ("def make():\n    pass\n", True),
        ("make = lambda: 1\n", True),
        ("class Loader:\n    pass\n", True),
        ("no Python", True),
    ],
)
def test_source_that_git_ignores_is_an_error(run: Run, text: str, fails: bool) -> None:
    files = "a.py", "lib/loader.py"
    run.write("a.py", "same", "same")
    run.ignore("lib/loader.py", text)
    if not fails:
        assert run.prove([*files], [*files]) == []
        return
    with pytest.raises(ArmError, match=r"git ignores lib/loader.py, so that commit 12"):
        run.prove([*files], [*files])
    run.changes = Changes(shared=["lib"])
    assert run.prove([*files], [*files]) == []


def test_copy_outside_of_the_tree_is_an_error(run: Run, tmp_path: Path) -> None:
    run.write("src/package/__init__.py", "", "")
    copy = tmp_path / "copies/package/__init__.py"
    sources = run.sources
    run.tell(sources, run.candidate, ("package", str(copy)))
    with pytest.raises(ArmError, match=r"and not src/package/__init__.py"):
        Proof(sources).check(run.candidate, MODULE, CHECK)


def test_stranger_outside_of_the_tree_is_none(run: Run, tmp_path: Path) -> None:
    run.write("tools/utils.py", "", "")  # of a name that others have, too
    sources = run.sources
    run.tell(sources, run.candidate, ("utils", str(tmp_path / "elsewhere/utils.py")))
    Proof(sources).check(run.candidate, MODULE, CHECK)


@pytest.mark.parametrize("has_source", [True, False])
def test_installed_copy_that_was_not_exchanged_is_an_error(
    tmp_path: Path, has_source: bool
) -> None:
    installed = tmp_path.resolve() / "site-packages/package"
    source = tmp_path.resolve() / "tree/package"
    run = Run(tmp_path.resolve(), copies=Copies(places={str(installed): str(source)}))
    if has_source:
        run.write("package/loader.py", "", "")
    sources = run.sources
    run.tell(sources, run.candidate, ("package.loader", str(installed / "loader.py")))
    if has_source:
        with pytest.raises(ArmError, match=r"an installed copy of the project"):
            Proof(sources).check(run.candidate, MODULE, CHECK)
    else:  # as a version number that is written when it is installed
        Proof(sources).check(run.candidate, MODULE, CHECK)


def test_copy_without_any_source_is_an_error(tmp_path: Path) -> None:
    stray = str(tmp_path.resolve() / "site-packages/package/__init__.py")
    run = Run(tmp_path.resolve(), copies=Copies(places={}, stray=frozenset([stray])))
    sources = run.sources
    run.tell(sources, run.candidate, ("package", stray))
    with pytest.raises(ArmError, match=r"an installed copy of the project"):
        Proof(sources).check(run.candidate, MODULE, CHECK)
