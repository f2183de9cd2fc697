"""The accepted commit and its worktree, with real git repositories."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_loaderperf.baselines import history
from pytest_loaderperf.baselines import store as baselines
from pytest_loaderperf.baselines.store import Entry, Record, Stored
from pytest_loaderperf.errors import CheckoutError, StoreError
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.versions.repository import Commit, Repository

MODULE = "tests/test_größe x.py"
KEY = "TestÜ::test_photos[32-a b]"
OTHER = "test_rows[64]"


def entry(value: float) -> Entry:
    record = Record(
        metrics={"throughput": Stored(value=value, spread=0.01)}, versions={"torch": "2.14.1"}
    )
    return Entry(
        workload=Workload(batch="int64[*]", bytes_per_sample=8.0, samples_per_epoch=100),
        records={"x86_64": record},
    )


class Project:
    """A project with baselines in a git repository, perhaps in a subfolder of it."""

    def __init__(self, top: Path, prefix: str = "") -> None:
        self.top = top
        self.root = top / prefix
        self.store = baselines.store_path(self.root, MODULE)

    @property
    def repository(self) -> Repository:
        repository = Repository.find(self.root)
        assert repository is not None
        return repository

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.top, check=True, capture_output=True, text=True
        ).stdout.strip()

    def init(self) -> "Project":
        self.root.mkdir(parents=True)
        self.git("init", "--quiet", "--template=", "-b", "main")
        self.git("config", "user.name", "A")
        self.git("config", "user.email", "a@example.org")
        return self

    def write(self, **values: float) -> None:
        """Set entries of the store; the keyword ``key`` or ``other`` is the check."""
        entries = baselines.load(self.store)
        for name, value in values.items():
            entries[{"key": KEY, "other": OTHER}[name]] = entry(value)
        baselines.save(self.store, entries)

    def commit(self, message: str = "change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def accept(self, **values: float) -> str:
        self.write(**values)
        return self.commit()

    def accept_text(self, text: str) -> str:
        self.store.write_text(text, encoding="utf-8")
        return self.commit()

    def accepted(self, key: str = KEY) -> str | None:
        return history.accepted_commit(self.repository, self.store, key)

    def worktrees(self) -> int:
        return self.git("worktree", "list", "--porcelain").count("worktree ") - 1


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


@pytest.fixture(params=["", "sub folder/prüfung"], ids=["top", "subfolder"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    return Project(tmp_path / "my projekt ü", request.param).init()


@pytest.fixture
def simple(tmp_path: Path) -> Project:
    return Project(tmp_path / "project").init()


# --- finding the repository ---------------------------------------------------------------------


def test_find(project: Project) -> None:
    prefix = project.root.relative_to(project.top).as_posix().removeprefix(".")
    assert Repository.find(project.root) == Repository(toplevel=project.top, prefix=prefix)


def test_find_through_a_symbolic_link(project: Project, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(project.root)
    assert Repository.find(link) == project.repository
    commit = project.accept(key=1)
    store = baselines.store_path(link, MODULE)
    assert history.accepted_commit(project.repository, store, KEY) == commit


def test_no_repository(tmp_path: Path, simple: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Repository.find(tmp_path) is None
    assert Repository.find(simple.top / ".git") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Repository.find(tmp_path) is None
    with pytest.raises(CheckoutError, match="there is no program `git` on PATH"):
        Repository.find(simple.root)


def test_a_damaged_repository_is_an_error(simple: Project) -> None:
    (simple.top / ".git/HEAD").unlink()
    with pytest.raises(CheckoutError, match="exists, but git does not take it for a repository"):
        Repository.find(simple.root)


def test_a_repository_of_another_folder_is_not_ours(simple: Project, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    simple.git("config", "core.worktree", str(tmp_path / "other"))
    assert Repository.find(simple.root) is None


def test_what_git_refuses_is_an_error(simple: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckoutError, match="No such file or directory"):
        Repository.find(simple.root / "missing")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(CheckoutError, match="dubious ownership"):
        Repository.find(simple.root)


def test_inside_a_git_hook_the_own_repository_counts(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = project.accept(key=1)
    stranger = Project(tmp_path / "stranger").init()
    monkeypatch.setenv("GIT_DIR", str(stranger.top / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(stranger.top))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))
    monkeypatch.setenv("GIT_PREFIX", "elsewhere/")
    monkeypatch.setenv("GIT_GLOB_PATHSPECS", "1")
    assert project.repository.toplevel == project.top
    assert project.accepted() == commit
    root = project.repository.worktree(commit, tmp_path / "trees")
    assert baselines.load(baselines.store_path(root, MODULE)) == {KEY: entry(1)}
    project.repository.remove_worktree(root)
    assert not (tmp_path / "index").exists()


# --- naming a commit ----------------------------------------------------------------------------


def test_resolve(simple: Project) -> None:
    first, second = simple.commit(), simple.commit()
    simple.git("tag", "-a", "v1", "-m", "release", first)
    for ref in (second, second[:10], "HEAD", "main", "@{0}"):
        assert simple.repository.resolve(ref) == second
    for ref in ("HEAD~1", "v1"):
        assert simple.repository.resolve(ref) == first


def test_resolve_refuses_what_is_no_commit(simple: Project) -> None:
    (simple.root / "a").write_text("a")
    simple.commit()
    repository = simple.repository
    options = ["--all", "--since=1", "--not", "-n1"]
    for ref in ["", "nonsense", "HEAD:a", "HEAD..HEAD", "a\0b", "a b\nc", "0" * 40, *options]:
        with pytest.raises(CheckoutError, match=r"names no commit .* check the name") as caught:
            repository.resolve(ref)
        assert repr(ref) in str(caught.value)


# --- the accepted commit ------------------------------------------------------------------------


def test_the_last_change_of_the_entry_counts(project: Project) -> None:
    first = project.accept(key=1, other=1)
    assert (project.accepted(), project.accepted(OTHER)) == (first, first)
    second = project.accept(key=2)
    project.commit("something else")
    assert (project.accepted(), project.accepted(OTHER)) == (second, first)
    third = project.accept(other=2)
    assert (project.accepted(), project.accepted(OTHER)) == (second, third)


def test_the_version_of_a_package_and_the_workload_belong_to_the_entry(simple: Project) -> None:
    simple.accept(key=1)
    old = entry(1)
    versions = {
        "x86_64": Record(metrics=old.records["x86_64"].metrics, versions={"torch": "3.0.0"})
    }
    baselines.save(simple.store, {KEY: Entry(workload=old.workload, records=versions)})
    second = simple.commit()
    assert simple.accepted() == second
    baselines.save(
        simple.store,
        {
            KEY: Entry(
                workload=Workload(batch="int32[*]", bytes_per_sample=4.0, samples_per_epoch=100),
                records=versions,
            )
        },
    )
    third = simple.commit()
    assert simple.accepted() == third


def test_formatting_does_not_count(simple: Project) -> None:
    commit = simple.accept(key=1)
    text = simple.store.read_text(encoding="utf-8")
    simple.store.write_text(text.replace("\n", "\r\n").replace("  ", "\t"), encoding="utf-8")
    simple.commit("reformat")
    assert simple.accepted() == commit
    simple.store.write_text(text, encoding="utf-8")
    assert simple.accepted() == commit


def test_a_value_accepted_again_is_accepted_anew(simple: Project) -> None:
    simple.accept(key=1)
    simple.accept(key=2)
    again = simple.accept(key=1)
    simple.accept(other=1)
    assert simple.accepted() == again


def test_a_removed_entry_is_accepted_anew(simple: Project) -> None:
    simple.accept(key=1)
    baselines.save(simple.store, {})
    simple.commit("remove")
    assert simple.accepted() is None
    again = simple.accept(key=1)
    assert simple.accepted() == again


def test_damage_in_the_history_differs(simple: Project) -> None:
    simple.accept(key=1)
    simple.store.write_text("<<<<<<< HEAD\n", encoding="utf-8")
    simple.commit("damage")
    repaired = simple.accept_text(baselines.render({KEY: entry(1)}))
    assert simple.accepted() == repaired


def test_a_folder_in_the_history_differs(simple: Project) -> None:
    simple.store.mkdir(parents=True)
    (simple.store / "file").touch()
    simple.commit()
    shutil.rmtree(simple.store)
    commit = simple.accept(key=1)
    assert simple.accepted() == commit


def test_what_is_not_committed_is_not_accepted(project: Project) -> None:
    assert project.accepted() is None
    project.write(key=1)
    assert project.accepted() is None  # not even a first commit
    project.git("add", "--all")
    assert project.accepted() is None
    commit = project.commit()
    project.write(other=1)
    assert (project.accepted(), project.accepted(OTHER)) == (commit, None)
    project.write(key=2)
    assert project.accepted() is None
    project.write(key=1)
    assert project.accepted() == commit


def test_damage_in_the_working_tree_is_an_error(simple: Project) -> None:
    simple.accept(key=1)
    simple.store.write_text("damage", encoding="utf-8")
    with pytest.raises(StoreError):
        simple.accepted()


@pytest.mark.parametrize(
    ("prefix", "module"), [("", "test_*.py"), (":(top)a", "test_a.py"), ("-a missing", "-n.py")]
)
def test_a_path_is_never_a_pattern_or_an_option(tmp_path: Path, prefix: str, module: str) -> None:
    project = Project(tmp_path / "project", prefix).init()
    store = baselines.store_path(project.root, module)
    baselines.save(store, {KEY: entry(1)})
    commit = project.commit()
    project.accept(key=1)
    assert history.accepted_commit(project.repository, store, KEY) == commit


def test_a_file_that_git_cannot_name_is_an_error(simple: Project, tmp_path: Path) -> None:
    for path in (simple.root / "a\nb.json", tmp_path / "outside.json"):
        baselines.save(path, {KEY: entry(1)})
        with pytest.raises(CheckoutError, match="must be a file of the checkout"):
            history.accepted_commit(simple.repository, path, KEY)


def test_settings_of_the_user_change_nothing(
    simple: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[log]\nshowSignature = true\nfollow = true\ndate = relative\nshowRoot = false\n"
        "[color]\nui = always\n[core]\nquotePath = true\npager = false\n"
        "[status]\nrelativePaths = false\n[diff]\nnoprefix = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_TRACE", "1")
    commit = simple.accept(key=1)
    simple.accept(other=1)
    assert simple.accepted() == commit


def test_a_long_history_needs_few_processes(
    simple: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [baselines.render({KEY: entry(1), OTHER: entry(i)}) for i in range(1, 301)]
    name = os.fsencode(simple.store.relative_to(simple.top))
    stream = b""
    for text in versions:
        data = text.encode()
        stream += b"commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata 0\n"
        stream += b"M 644 inline %s\ndata %d\n%s\n" % (name, len(data), data)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=simple.top, input=stream, check=True)
    simple.git("reset", "--quiet", "--hard")
    repository = simple.repository
    started: list[object] = []

    class Counting(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, **options: object) -> None:
            started.append(arguments)
            super().__init__(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", Counting)
    first = simple.git("rev-list", "--max-parents=0", "HEAD")
    started.clear()
    assert history.accepted_commit(repository, simple.store, KEY) == first
    assert len(started) == 2


# --- merges -------------------------------------------------------------------------------------


def test_a_merge_of_two_branches_accepts_nothing(project: Project) -> None:
    project.accept(key=1, other=1)
    project.git("checkout", "--quiet", "-b", "branch")
    on_branch = project.accept(other=2)
    project.git("checkout", "--quiet", "main")
    on_main = project.accept(key=2)
    project.git("merge", "--quiet", "--no-commit", "-s", "ours", "branch")
    merge = project.accept(key=2, other=2)
    assert len(project.git("rev-list", "--parents", "-n1", merge).split()) == 3
    assert (project.accepted(), project.accepted(OTHER)) == (on_main, on_branch)


@pytest.mark.parametrize("strategy", ["ours", "theirs"])
def test_a_merge_that_takes_one_side_leads_to_that_side(simple: Project, strategy: str) -> None:
    simple.accept(key=1)
    simple.git("checkout", "--quiet", "-b", "branch")
    on_branch = simple.accept(key=2)
    simple.git("checkout", "--quiet", "main")
    on_main = simple.accept(key=3)
    simple.git("merge", "--quiet", "-X", strategy, "branch")
    assert simple.accepted() == {"ours": on_main, "theirs": on_branch}[strategy]


def test_an_evil_merge_accepts_by_itself(simple: Project) -> None:
    simple.accept(key=1)
    simple.git("checkout", "--quiet", "-b", "branch")
    simple.accept(key=2)
    simple.git("checkout", "--quiet", "main")
    simple.accept(key=3)
    simple.git("merge", "--quiet", "--no-commit", "-s", "ours", "branch")
    merge = simple.accept(key=4)
    simple.commit("something else")
    assert simple.accepted() == merge


def test_what_a_branch_changed_and_restored_is_accepted_there(simple: Project) -> None:
    """The merge equals main, so git itself would never look at the branch."""
    simple.accept(key=1)
    simple.git("checkout", "--quiet", "-b", "branch")
    simple.accept(key=2)
    restored = simple.accept(key=1)
    simple.git("checkout", "--quiet", "main")
    simple.commit("something else")
    simple.git("merge", "--quiet", "--no-ff", "-m", "merge", "branch")
    assert simple.accepted() == restored


def test_a_branch_that_was_not_taken_does_not_count(simple: Project) -> None:
    first = simple.accept(key=1)
    simple.git("checkout", "--quiet", "-b", "branch")
    simple.accept(key=2)
    simple.git("checkout", "--quiet", "main")
    simple.git("merge", "--quiet", "-s", "ours", "-m", "merge", "branch")
    assert simple.accepted() == first


def test_unrelated_histories(simple: Project) -> None:
    simple.accept(other=1)
    simple.git("checkout", "--quiet", "--orphan", "branch")
    baselines.save(simple.store, {})
    on_branch = simple.accept(key=1)
    simple.git("checkout", "--quiet", "main")
    simple.git("merge", "--no-commit", "--allow-unrelated-histories", "-s", "ours", "branch")
    simple.accept(key=1)
    assert simple.accepted() == on_branch


# --- incomplete clones --------------------------------------------------------------------------


def clone(project: Project, target: Path, *options: str) -> Project:
    project.git("config", "uploadpack.allowFilter", "true")
    project.git("clone", "--quiet", *options, project.top.as_uri(), str(target))
    return Project(target, project.root.relative_to(project.top).as_posix())


def test_shallow_clones(project: Project, tmp_path: Path) -> None:
    project.accept(other=1)
    accepted = project.accept(key=1)
    project.accept(other=2)
    project.commit("something else")
    for depth in (1, 2, 3):
        cut = clone(project, tmp_path / f"depth {depth}", f"--depth={depth}")
        with pytest.raises(CheckoutError, match=r"shallow.*fetch --unshallow.*fetch-depth: 0"):
            cut.accepted()
    assert clone(project, tmp_path / "enough", "--depth=4").accepted() == accepted
    cut.git("fetch", "--quiet", "--unshallow")
    assert cut.accepted() == accepted


def test_a_shallow_clone_can_be_deepened(project: Project, tmp_path: Path) -> None:
    accepted = project.accept(key=1)
    for number in range(5):
        project.commit(f"later {number}")
    cut = clone(project, tmp_path / "cut", "--depth=1")
    assert cut.repository.is_shallow
    cut.repository.deepen(2)
    assert cut.repository.is_shallow
    cut.repository.deepen(20)
    assert cut.accepted() == accepted
    assert not cut.repository.is_shallow
    cut.git("remote", "remove", "origin")
    with pytest.raises(CheckoutError, match=r"cannot be fetched: .*origin"):
        cut.repository.deepen(1)


def test_a_shallow_clone_that_has_the_parent_after_all(simple: Project, tmp_path: Path) -> None:
    """The walk ends at the boundary, and the commits beyond it are there from another branch."""
    simple.accept(key=1)
    simple.accept(other=1)
    cut = clone(simple, tmp_path / "cut")
    tip = cut.git("rev-parse", "HEAD")
    (cut.top / ".git" / "shallow").write_text(f"{tip}\n")
    with pytest.raises(CheckoutError, match="shallow"):
        cut.accepted()
    assert cut.accepted(OTHER) == tip


def test_an_uncommitted_entry_in_a_shallow_clone_is_just_that(
    simple: Project, tmp_path: Path
) -> None:
    simple.accept(key=1)
    simple.accept(other=1)
    cut = clone(simple, tmp_path / "cut", "--depth=1")
    cut.write(key=2)
    assert cut.accepted() is None


def test_a_partial_clone_fetches_what_it_needs_or_says_why_not(
    simple: Project, tmp_path: Path
) -> None:
    accepted = simple.accept(key=1)
    simple.accept(other=1)
    online = clone(simple, tmp_path / "online", "--filter=blob:none")
    offline = clone(simple, tmp_path / "offline", "--filter=blob:none")
    offline.git("remote", "set-url", "origin", (tmp_path / "gone").as_uri())
    assert online.accepted() == accepted
    with pytest.raises(CheckoutError, match="gone"):
        offline.accepted()


# --- worktrees ----------------------------------------------------------------------------------


def test_a_worktree_is_the_project_at_that_commit(project: Project, tmp_path: Path) -> None:
    first = project.accept(key=1)
    project.accept(key=2)
    (project.root / "untracked").touch()
    repository = project.repository
    root = repository.worktree(first, tmp_path / "new folder" / "trees")
    assert root == tmp_path / "new folder" / "trees" / first[:12] / repository.prefix
    assert baselines.load(baselines.store_path(root, MODULE)) == {KEY: entry(1)}
    assert not (root / "untracked").exists()
    assert project.git("status", "--porcelain", "--untracked-files=no") == ""
    assert project.git("rev-parse", "--abbrev-ref", "HEAD") == "main"
    (root / "made by the tests").touch()
    baselines.save(baselines.store_path(root, MODULE), {})
    repository.remove_worktree(root)
    assert list((tmp_path / "new folder" / "trees").iterdir()) == []
    assert project.worktrees() == 0


def test_several_worktrees_are_removed_one_by_one(project: Project, tmp_path: Path) -> None:
    commits = [project.accept(key=1), project.accept(key=2)]
    project.git("worktree", "add", "--quiet", str(tmp_path / "of the user"), "-b", "user")
    shutil.rmtree(tmp_path / "of the user")  # still listed by git, and no business of ours
    roots = [project.repository.worktree(commit, tmp_path) for commit in commits]
    assert project.worktrees() == 3
    project.repository.remove_worktree(roots[0])
    assert roots[1].is_dir()
    project.repository.remove_worktree(roots[1])
    assert project.worktrees() == 1


def test_no_hook_runs_and_no_large_file_is_fetched(simple: Project, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    (simple.top / ".git" / "hooks").mkdir()
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        path = simple.top / ".git" / "hooks" / hook
        path.write_text(f"#!/bin/sh\necho {hook} >> '{seen}'\nexit 1\n")
        path.chmod(0o755)
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\necho monitor >> '{seen}'\n")
    monitor.chmod(0o755)
    simple.git("config", "core.hooksPath", str(tmp_path))  # silence for the commits of this test
    simple.git("config", "filter.lfs.smudge", "echo skip=$GIT_LFS_SKIP_SMUDGE")
    (simple.root / ".gitattributes").write_text("*.bin filter=lfs\n")
    (simple.root / "a.bin").write_text("pointer")
    commit = simple.commit()
    simple.git("config", "--unset", "core.hooksPath")
    simple.git("config", "core.fsmonitor", str(monitor))
    root = simple.repository.worktree(commit, tmp_path / "trees")
    assert (root / "a.bin").read_text() == "skip=1\n"
    simple.repository.remove_worktree(root)
    assert not seen.exists()


def test_a_commit_that_the_clone_lacks(simple: Project, tmp_path: Path) -> None:
    first = simple.accept(key=1)
    simple.accept(key=2)
    cut = clone(simple, tmp_path / "cut", "--depth=1")
    for commit in (first, "f" * 40):
        with pytest.raises(CheckoutError, match=f"{commit} is not in this clone.*--unshallow"):
            cut.repository.worktree(commit, tmp_path / "trees")
    assert not (tmp_path / "trees").exists()


def test_a_commit_without_the_project_leaves_nothing_behind(tmp_path: Path) -> None:
    project = Project(tmp_path / "top", "new/project").init()
    before = project.commit()
    project.accept(key=1)
    with pytest.raises(CheckoutError, match=f"{before[:12]} has no folder 'new/project'"):
        project.repository.worktree(before, tmp_path / "trees")
    assert list((tmp_path / "trees").iterdir()) == []
    assert project.worktrees() == 0


def test_a_failing_checkout_gives_the_words_of_git_and_leaves_nothing(
    simple: Project, tmp_path: Path
) -> None:
    (simple.root / ".gitattributes").write_text("a filter=broken\n")
    (simple.root / "a").write_text("a")
    commit = simple.commit()
    simple.git("config", "filter.broken.smudge", "false")
    simple.git("config", "filter.broken.required", "true")
    with pytest.raises(CheckoutError, match="smudge filter broken failed"):
        simple.repository.worktree(commit, tmp_path / "trees")
    (tmp_path / "file").touch()
    with pytest.raises(CheckoutError, match=f"{commit[:12]} cannot be checked out: "):
        simple.repository.worktree(commit, tmp_path / "file")
    assert not (tmp_path / "trees" / commit[:12]).exists()
    assert simple.worktrees() == 0


def test_a_worktree_in_use_is_not_taken_or_removed(simple: Project, tmp_path: Path) -> None:
    commit = simple.accept(key=1)
    root = simple.repository.worktree(commit, tmp_path)
    with pytest.raises(CheckoutError, match="exists"):
        simple.repository.worktree(commit, tmp_path)
    assert simple.worktrees() == 1
    assert root.is_dir()


@contextlib.contextmanager
def interrupted_when(path: Path) -> Iterator[None]:
    """Send SIGINT, as a Ctrl-C does, as soon as a file exists."""

    def watch() -> None:
        deadline = time.monotonic() + 10
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch).start()
    with pytest.raises(KeyboardInterrupt):
        yield


def test_an_interrupted_checkout_leaves_nothing(simple: Project, tmp_path: Path) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    (simple.root / ".gitattributes").write_text("a filter=slow\n")
    (simple.root / "a").write_text("a")
    commit = simple.commit()
    simple.git("config", "filter.slow.smudge", f"touch {started}; sleep 1; touch {ended}")
    with interrupted_when(started):
        simple.repository.worktree(commit, tmp_path / "trees")
    assert list((tmp_path / "trees").iterdir()) == []
    assert simple.worktrees() == 0
    time.sleep(1)
    assert not ended.exists()


def test_an_interrupted_removal_is_completed(
    simple: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = simple.repository
    root = repository.worktree(simple.accept(key=1), tmp_path / "trees")
    started, slow = tmp_path / "started", tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ntouch {started}\nsleep 1.5\nexec {shutil.which("git")} "$@"\n')
    slow.chmod(0o755)
    with monkeypatch.context() as patch, interrupted_when(started):
        patch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
        repository.remove_worktree(root)
    assert not root.exists()
    assert simple.worktrees() == 0


@pytest.mark.parametrize("damage", ["gone", "link gone", "link damaged", "locked", "removed"])
def test_whatever_is_left_of_a_worktree_is_removed(
    project: Project, tmp_path: Path, damage: str
) -> None:
    commit = project.accept(key=1)
    repository = project.repository
    root = repository.worktree(commit, tmp_path / "trees")
    top = tmp_path / "trees" / commit[:12]
    match damage:
        case "gone":
            shutil.rmtree(top)
        case "link gone":
            (top / ".git").unlink()
        case "link damaged":
            (top / ".git").write_text("damage")
        case "locked":
            project.git("worktree", "lock", str(top))
        case "removed":
            repository.remove_worktree(root)
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        repository.remove_worktree(root)
    assert not top.exists()
    assert project.worktrees() == 0


def test_the_checkout_itself_is_never_removed(project: Project) -> None:
    project.accept(key=1)
    with pytest.raises(CheckoutError, match="main working tree"):
        project.repository.remove_worktree(project.root)
    assert project.store.exists()


def test_submodules_stay_empty(simple: Project, tmp_path: Path) -> None:
    library = Project(tmp_path / "library").init()
    library.accept(key=1)
    allow = ("-c", "protocol.file.allow=always")
    simple.git(*allow, "submodule", "--quiet", "add", library.top.as_uri(), "library")
    simple.git("config", "submodule.recurse", "true")
    commit = simple.commit()
    root = simple.repository.worktree(commit, tmp_path / "trees")
    assert list((root / "library").iterdir()) == []
    simple.repository.remove_worktree(root)
    assert simple.worktrees() == 0


# --- everything that was accepted ---------------------------------------------------------------


def accepted_values(project: Project, key: str = KEY) -> list[tuple[str, float | None]]:
    """The subject of each commit, and what it accepted for a check."""
    return [
        (commit.subject, found.records["x86_64"].metrics["throughput"].value if found else None)
        for commit, entries in history.accepted(project.repository, project.store)
        for found in [entries.get(key)]
    ]


def test_everything_that_was_accepted_oldest_first(project: Project) -> None:
    project.write(key=1)
    first = project.commit("one\n\nmore")
    project.commit("nothing to do with it")
    project.write(other=5)
    project.commit("another check")
    project.write(key=2)
    project.commit("two")
    assert accepted_values(project) == [("one", 1), ("another check", 1), ("two", 2)]
    commit, _ = history.accepted(project.repository, project.store)[0]
    assert commit.hash == first
    assert commit.day == project.git("log", "-1", "--format=%cs", first)


def test_a_merge_stands_for_its_branch(simple: Project) -> None:
    simple.write(key=1)
    simple.commit("one")
    simple.git("checkout", "-q", "-b", "side")
    for value in (2, 3):
        simple.write(key=value)
        simple.commit(f"side {value}")
    simple.git("checkout", "-q", "main")
    simple.git("merge", "-q", "--no-ff", "-m", "merged", "side")
    assert accepted_values(simple) == [("one", 1), ("merged", 3)]


def test_damage_and_removal_are_left_out(simple: Project) -> None:
    simple.accept(key=1)
    simple.accept_text("{")
    simple.store.unlink()
    simple.commit("gone")
    simple.accept(key=2)
    assert [value for _, value in accepted_values(simple)] == [1, 2]


def test_a_shallow_clone_tells_what_it_has(simple: Project, tmp_path: Path) -> None:
    for value in (1, 2, 3):
        simple.accept(key=value)
    clone = Project(tmp_path / "clone")
    clone.top.mkdir()
    clone.git("clone", "-q", "--depth=2", simple.top.as_uri(), ".")
    assert [value for _, value in accepted_values(clone)] == [2, 3]


def test_without_a_commit_git_says_why(simple: Project) -> None:
    simple.write(key=1)
    with pytest.raises(CheckoutError, match=r"cannot be read: .*HEAD"):
        history.accepted(simple.repository, simple.store)


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        ("1795676492 +0000", "2026-11-26"),
        ("1795737599 -0100", "2026-11-26"),
        ("1795737599 +0100", "2026-11-27"),
        ("99999999999999999 +0000", ""),
        ("1795676492 +9900", ""),
    ],
)
def test_the_day_is_that_of_the_committer(stamp: str, day: str) -> None:
    header = f"tree 1\nauthor A <a@b> 1 +0000\ncommitter C <c@d> {stamp}\n\nwhy\n\nmore"
    assert Commit.parse("1a2b", header.encode()) == Commit(hash="1a2b", day=day, subject="why")


@pytest.mark.parametrize("content", [b"", b"\xff\n\n\xff", b"committer\n\n"])
def test_a_commit_may_be_anything(content: bytes) -> None:
    assert Commit.parse("1a2b", content).day == ""
