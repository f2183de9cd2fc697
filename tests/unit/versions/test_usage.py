"""The record of what a check has used: what makes one, what it is of, and what it excuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_loaderperf.child.loaderperf_exchange import Exchange
from pytest_loaderperf.child.loaderperf_sources import MAPPED
from pytest_loaderperf.child.loaderperf_watch import LINKED, LISTED, OPENED, STARTED, UNSEEN
from pytest_loaderperf.errors import CheckoutError, UseError
from pytest_loaderperf.versions import git, usage
from pytest_loaderperf.versions.sources import Ran
from pytest_loaderperf.versions.usage import (
    Evidence,
    Seen,
    UsedFiles,
    digest,
    gathered,
    is_of,
    recorded,
    words_of,
)
from support.project import Project

NAMES = st.text(st.sampled_from("abc/."), min_size=1, max_size=8)
CONTENTS = st.dictionaries(NAMES, st.sampled_from(["file 1", "file 2", "link 1"]), max_size=6)


# --- the digest ---------------------------------------------------------------------------------


@given(CONTENTS, st.data())
def test_a_digest_is_of_what_was_used_and_of_all_names(
    contents: Mapping[str, str], data: st.DataObject
) -> None:
    used = data.draw(st.sets(st.sampled_from(sorted(contents)))) if contents else set()
    record = UsedFiles(files=tuple(sorted(used)), digest=digest(used, contents, contents))
    assert is_of(record, dict(sorted(contents.items(), reverse=True)))
    for each in contents:
        other = {**contents, each: "file 3"}
        assert is_of(record, other) is (each not in used)
        assert not is_of(record, {name: what for name, what in contents.items() if name != each})
    assert not is_of(record, {**contents, "new": "file 1"})


@pytest.mark.parametrize(
    "left",
    ["__pycache__/a.pyc", "a/__pycache__/x", ".pytest_cache/x", "baselines/a/b.json", "a/b.pyc"],
)
def test_what_runs_leave_behind_is_no_other_project(left: str) -> None:
    record = UsedFiles(files=("a.py",), digest=digest(["a.py"], {"a.py": "file 1"}, ["a.py", left]))
    assert is_of(record, {"a.py": "file 1"})


def test_a_module_among_baselines_is_one() -> None:
    names = ["a.py", "baselines/a.py"]
    record = UsedFiles(files=("a.py",), digest=digest(["a.py"], {"a.py": "file 1"}, names))
    assert not is_of(record, {"a.py": "file 1"})


# --- what a record excuses ----------------------------------------------------------------------

FILES = ("loading.py", "docs/rows.md", "kinds/quick.py")
USAGE = UsedFiles(files=FILES, folders=("steps", "."), digest="")


def excuses(
    file: str = "tools/fast_rows.py",
    *,
    modified: bool = True,
    words: str = "",
    parts: str = "",
    heard: str = "",
) -> bool:
    evidence = Evidence(
        usage=USAGE,
        modified=frozenset([file] * modified),
        heard=frozenset(heard.split()),
    )
    name = file.rpartition("/")[2].removesuffix(".py")
    return evidence.excuses(file, name, words.split(), parts.split())


def test_a_module_that_was_not_used_is_excused() -> None:
    assert excuses()
    assert excuses(words="fast rows", heard="fast")  # its name is none of these
    assert excuses(words="fast rows", heard="slow", parts="slow")


def test_no_other_is() -> None:
    assert not excuses(modified=False)  # added, removed, renamed or turned into a link
    assert not excuses("loading.py")
    assert not excuses("kinds/quick.py")  # it was used, and nobody lists its folder
    assert not excuses("steps/flip.py")  # the folder is listed: perhaps another one is chosen
    assert not excuses("setup.py")
    assert not excuses(words="fast_rows")
    assert not excuses(heard="fast_rows")
    assert not excuses(parts="fast")
    assert not excuses(parts="slow", heard="rows")


@pytest.mark.parametrize("unused", [True, False])
def test_what_was_used_counts_whatever_it_is(unused: bool) -> None:
    evidence = Evidence(usage=USAGE, modified=frozenset(["docs/rows.md", "steps/old.md"]))
    assert "was used" in evidence.against("docs/rows.md", is_unused=unused)
    assert ("it lists" in evidence.against("steps/new.md", is_unused=unused)) is not unused
    assert evidence.against("steps/old.md", is_unused=unused) == ""
    assert evidence.against("docs/other.md", is_unused=unused) == ""


def test_an_environment_names_modules_in_its_values() -> None:
    words = words_of({"KIND": "fast_rows", "PWD": "/home/of_me"}, ["--kind=kinds.slow", "-q"])
    assert {"fast_rows", "fast", "rows", "kinds", "slow", "of_me"} <= words
    assert not {"KIND", "of", "me"} & words


# --- what was seen ------------------------------------------------------------------------------


def seen_in(top: Path, *told: tuple[str, str], own: str = "") -> Seen:
    exchange = Exchange(str(top), "", {})
    ran = [Ran(name=name, path=path.replace("TOP", str(top))) for name, path in told]
    return gathered(ran, exchange, lambda path: path == own)


def test_what_was_told_is_gathered(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    seen = seen_in(
        tmp_path,
        ("loading", "TOP/loading.py"),
        (OPENED, "TOP/rows.csv"),
        (LINKED, "TOP/link"),
        (LISTED, "TOP"),
        (LISTED, "TOP/steps"),
        (OPENED, "TOP/data"),  # by a descriptor, from which others are opened
        ("os", "/usr/lib/os.py"),
        (MAPPED, "/home/lib.so"),
    )
    assert seen.files == {"loading.py", "rows.csv", "link"}
    assert seen.listed == {".", "steps"}
    assert seen.below == {"data"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (UNSEEN, "python -I x.py"),
        (STARTED, "sh"),
        (MAPPED, "TOP/build/fast.so"),
        ("fast", "TOP/fast.cpython-311-x86_64-linux-gnu.so"),
        (OPENED, "TOP/fast.so"),
        ("fast", "TOP/fast.pyc"),
        ("fast", "/installed/fast.abi3.so"),
    ],
)
def test_what_nobody_can_see_makes_no_record(tmp_path: Path, name: str, path: str) -> None:
    with pytest.raises(UseError, match=r"starts|compiled"):
        seen_in(tmp_path, (name, path), own="/installed/fast.abi3.so")


# --- records ------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.create(
        tmp_path.resolve() / "project",
        {
            "loading.py": "import part\n",
            "part.py": "VALUE = 1\n",
            "steps/cut.py": "",
            "steps/deep/pad.py": "",
            "data/größe.csv": "1\n",
        },
    )
    (project.root / "linked.py").symlink_to("part.py")
    return project


def of(project: Project, *files: str, listed: str = "", below: str = "") -> UsedFiles:
    seen = Seen(
        files=frozenset(files), listed=frozenset(listed.split()), below=frozenset(below.split())
    )
    return recorded(project.root, seen)


USED = ("loading.py", "part.py", "linked.py", "data/größe.csv")


def test_a_record_is_of_the_commit_that_has_what_was_used(project: Project) -> None:
    record = of(project, *USED, "gone.py", listed="steps", below="data")  # before it is committed
    assert record.files == tuple(sorted(USED))
    assert record.folders == ("data", "steps")
    first = project.commit("first")
    assert of(project, *USED, "gone.py", listed="steps", below="data") == record
    project.put("steps/cut.py", "VALUE = 2\n")
    second = project.commit("what was not used")
    project.put("part.py", "VALUE = 2\n")
    third = project.commit("what was")
    project.put("part.py", "VALUE = 1\n")
    project.put("queue.py", "")
    fourth = project.commit("a file that may hide one")
    commits = (first, second, third, fourth)
    found = [is_of(record, git.contents(project.root, each)) for each in commits]
    assert found == [True, True, False, False]


def test_a_link_is_not_the_file_behind_it(project: Project) -> None:
    record = of(project, *USED)
    (project.root / "linked.py").unlink()
    project.put("linked.py", "VALUE = 1\n")
    assert not is_of(record, git.contents(project.root, project.commit("a file")))
    (project.root / "linked.py").unlink()
    (project.root / "linked.py").symlink_to("steps/cut.py")
    assert not is_of(record, git.contents(project.root, project.commit("another link")))


def test_what_lies_below_an_opened_folder_counts_as_listed(project: Project) -> None:
    assert of(project, below="steps").folders == ("steps", "steps/deep")
    assert of(project, below=".").folders == (".", "data", "steps", "steps/deep")
    assert of(project, listed=".").folders == (".",)


def test_filters_of_git_make_no_difference(project: Project) -> None:
    project.put(".gitattributes", "*.csv text eol=crlf\n")
    (project.root / "data/größe.csv").write_bytes(b"1\r\n2\r\n")
    record = of(project, *USED)
    assert is_of(record, git.contents(project.root, project.commit("with filters")))


@pytest.mark.parametrize(
    ("name", "text", "fails"),
    [
        ("ignored/made.py", "def made(): ...\n", True),
        ("ignored/version.py", "VERSION = '1'\n", False),
        ("ignored/parts.egg", "", True),
        ("ignored/rows.npy", "1", False),
    ],
)
def test_what_git_ignores_is_left_out_or_makes_no_record(
    project: Project, name: str, text: str, fails: bool
) -> None:
    project.append(".gitignore", "/ignored/\n")
    project.put(name, text)
    if fails:
        with pytest.raises(UseError, match="git ignores ignored/"):
            of(project, *USED, name)
    else:
        assert of(project, *USED, name).files == tuple(sorted(USED))


def test_a_submodule_stands_for_its_files(project: Project, tmp_path: Path) -> None:
    other = Project.create(tmp_path / "other", {"inner.py": ""})
    other.commit("other")
    project.git(
        "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.root), "sub"
    )
    first = project.commit("with a submodule")
    record = of(project, *USED, "sub/inner.py")
    assert record.files == tuple(sorted((*USED, "sub")))
    assert is_of(record, git.contents(project.root, first))
    Project(project.root / "sub").put("inner.py", "VALUE = 2\n")
    with pytest.raises(UseError, match="submodule sub is not as it was committed"):
        of(project, *USED, "sub/inner.py")
    Project(project.root / "sub").commit("another")
    second = project.commit("with another submodule")
    assert not is_of(record, git.contents(project.root, second))


def test_a_file_of_nobody_knows_which_repository_makes_no_record(project: Project) -> None:
    project.put("nested/other/a.py", "")
    Project(project.root / "nested/other").start_history()
    with pytest.raises((UseError, CheckoutError)):
        of(project, *USED, "nested/other/a.py")


def test_a_name_that_no_store_can_hold_makes_no_record(project: Project) -> None:
    name = b"data/\xff.csv".decode(errors="surrogateescape")
    (project.root / name).write_text("1")
    with pytest.raises(UseError, match="UTF-8"):
        of(project, *USED, name)


def test_too_many_files_make_no_record(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_AT_MOST", 3)
    with pytest.raises(UseError, match="4 files"):
        of(project, *USED)


# --- what git tells -----------------------------------------------------------------------------


def test_only_contents_of_regular_files_are_modified(project: Project) -> None:
    for name in ("mode.py", "link.py", "gone.py", "hidden.py"):
        project.put(name, "VALUE = 1\n")
    commit = project.commit("first")
    project.put("part.py", "VALUE = 2\n")
    (project.root / "mode.py").chmod(0o755)
    (project.root / "gone.py").rename(project.root / "renamed.py")
    (project.root / "link.py").unlink()
    (project.root / "link.py").symlink_to("part.py")
    (project.root / "linked.py").unlink()
    (project.root / "linked.py").symlink_to("mode.py")
    project.git("update-index", "--assume-unchanged", "hidden.py")
    project.put("hidden.py", "VALUE = 2\n")
    assert git.modified(project.root, commit) == {"part.py"}
    project.git("add", "-A")
    assert git.modified(project.root, commit) == {"part.py"}


def test_the_end_of_a_line_in_a_name_is_an_error(project: Project) -> None:
    project.put("odd\nname.py", "")
    with pytest.raises(CheckoutError, match="end of a line"):
        git.contents_now(project.root, ["odd\nname.py"])
