"""A project as bytes, and there again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_loaderperf.cluster import bundles
from pytest_loaderperf.errors import CheckoutError
from pytest_loaderperf.versions.repository import Repository
from support.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two commits on a branch, a tag, and a working tree that differs in each way there is."""
    made = Project.create(
        tmp_path / "project",
        {"a.py": "1\n", "gone.py": "1\n", "sub/pytest.ini": "[pytest]\n", "run.sh": "true\n"},
    )
    made.commit("first")
    made.git("tag", "v1")
    made.put("a.py", "2\n")
    made.commit("second")
    made.put("a.py", "3 ä\n")
    made.put("new folder/new.py", "new\n")
    made.put(".loaderperf/ignored", "data\n")
    (made.root / "gone.py").unlink()
    (made.root / "run.sh").chmod(0o755)
    (made.root / "link").symlink_to("a.py")
    (made.root / "image.bin").write_bytes(bytes(range(256)))
    return made


def files(folder: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for each in sorted(folder.rglob("*")):
        name = str(each.relative_to(folder))
        if name.split("/", maxsplit=1)[0] in (".git", ".loaderperf") or each.is_dir():
            continue
        found[name] = str(each.readlink()) if each.is_symlink() else each.read_bytes()
    return found


def test_what_is_unpacked_is_what_was_there(project: Project, tmp_path: Path) -> None:
    project.git("checkout", "--quiet", "--detach")
    before = project.git("status", "--porcelain")
    bundle = bundles.pack(project.root / "sub")
    assert project.git("status", "--porcelain") == before
    (tmp_path / "there").mkdir()
    start = bundles.unpack(bundle, tmp_path / "there")
    assert start == tmp_path / "there" / "project" / "sub"
    there = Repository.find(start)
    here = Repository.find(project.root / "sub")
    assert there is not None
    assert here is not None
    assert there.prefix == here.prefix == "sub"
    assert files(there.toplevel) == files(project.root)
    assert os.access(there.toplevel / "run.sh", os.X_OK)
    assert there.state() == here.state()
    assert there.state()[1] != ""
    assert there.resolve("v1") == here.resolve("v1")
    assert bundle.size == len(bundle.history) + len(bundle.changes)


def test_a_clean_checkout_needs_no_patch(project: Project, tmp_path: Path) -> None:
    project.commit("all of it")
    bundle = bundles.pack(project.root)
    assert bundle.changes == b""
    (tmp_path / "there").mkdir()
    assert files(bundles.unpack(bundle, tmp_path / "there")) == files(project.root)


def test_a_machine_has_hooks_of_its_own_and_a_repository_hashes_of_another_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "project"
    created = ("git", "init", "--quiet", "--object-format=sha256", str(top))
    subprocess.run(created, check=True)
    project = Project(top)
    project.put("a.py", "1\n")
    project.commit("first")
    project.git("checkout", "--quiet", "--detach")
    project.put("a.py", "2\n")
    project.commit("second")
    bundle = bundles.pack(top)
    hook = tmp_path / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    settings = {"COUNT": "1", "KEY_0": "core.hooksPath", "VALUE_0": str(hook.parent)}
    for name, value in settings.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    (tmp_path / "there").mkdir()
    assert files(bundles.unpack(bundle, tmp_path / "there")) == files(top)


def test_what_cannot_be_sent_says_what_to_do(project: Project, tmp_path: Path) -> None:
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(CheckoutError, match=r"in no git repository.*git init"):
        bundles.pack(tmp_path / "nowhere")
    project.commit("all of it")
    shallow = tmp_path / "shallow"
    project.git("clone", "--quiet", "--depth=1", f"file://{project.root}", str(shallow))
    with pytest.raises(CheckoutError, match=r"shallow clone.*--unshallow"):
        bundles.pack(shallow)
    head = project.git("rev-parse", "HEAD")
    project.git("update-index", "--add", "--cacheinfo", f"160000,{head},inner")
    project.git("commit", "--quiet", "-m", "a submodule")
    with pytest.raises(CheckoutError, match=r"submodules \(inner\)"):
        bundles.pack(project.root)


def test_large_files_are_not_sent_as_pointers(project: Project) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
    project.put("data.bin", pointer)
    project.commit("a pointer")
    project.put(".gitattributes", "*.bin filter=lfs\n")
    (project.root / "image.bin").unlink()
    assert bundles.pack(project.root).size > 0  # pointers are all that is here, too
    project.put("data.bin", "the data\n")
    with pytest.raises(CheckoutError, match=r"large files \(LFS\).*data\.bin.*--loaderperf-shard"):
        bundles.pack(project.root)


def test_a_folder_of_which_nothing_is_sent_is_no_start(project: Project) -> None:
    (project.root / "empty").mkdir()
    for name in ("empty", ".loaderperf"):
        with pytest.raises(CheckoutError, match=f"{name} has nothing that git does not ignore"):
            bundles.pack(project.root / name)


def test_a_project_without_a_commit_cannot_be_sent(tmp_path: Path) -> None:
    empty = Project.create(tmp_path / "empty", {})
    with pytest.raises(CheckoutError, match=r"has no commit yet.*git commit"):
        bundles.pack(empty.root)
