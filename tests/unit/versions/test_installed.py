"""Installed copies of a project: which there are, and where in its tree their sources are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_loaderperf.errors import ArmError
from pytest_loaderperf.versions import installed
from pytest_loaderperf.versions.project import Copies, Project, counterparts
from pytest_loaderperf.versions.repository import Repository

# Files of a tree, with their contents, and the installed ones that are copies of them.
LAYOUTS: Mapping[str, tuple[dict[str, str], dict[str, str]]] = {
    "flat": (
        {"package/__init__.py": "", "package/a.py": "a", "package/in/b.py": "b"},
        {"package": "package", "package/in": "package/in"},
    ),
    "src": (
        {"src/package/__init__.py": "", "src/package/a.py": "a", "tests/package/a.py": "other"},
        {"package": "src/package"},
    ),
    "a folder of another name": (
        {"code/__init__.py": "", "code/a.py": "a", "docs/__init__.py": ""},
        {"package": "code"},
    ),
    "a package without a file of its own": (
        {"python/acme/loaders/__init__.py": "", "python/acme/loaders/a.py": "a"},
        {"acme/loaders": "python/acme/loaders"},
    ),
    "a module": (
        {"python/single.py": "a", "tests/single.py": "b"},
        {"single.py": "python/single.py"},
    ),
    "a project of many": (
        {"services/ml/package/__init__.py": "ml", "services/web/package/__init__.py": "web"},
        {"package": "services/ml/package"},
    ),
}  # fmt: skip


def make(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("changed", [False, True], ids=["as installed", "changed since"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sources_are_found_in_the_tree(tmp_path: Path, layout: str, changed: bool) -> None:
    sources, places = LAYOUTS[layout]
    tree, site = tmp_path / "tree", tmp_path / "site-packages"
    make(tree, sources)
    copies = {}
    for copy, source in places.items():
        for name, text in sources.items():
            if name == source:
                copies[copy] = text
            elif str(Path(name).parent) == source:
                copies[f"{copy}/{Path(name).name}"] = text
    make(site, copies)
    if changed:
        last = [name for name in sources if name.endswith("a.py")][:1] or list(sources)[:1]
        make(tree, dict.fromkeys(last, "a line more\n"))
    found = counterparts([str(site / name) for name in copies], list(sources), str(tree))
    expected = {str(site / copy): str(tree / source) for copy, source in places.items()}
    ambiguous = layout in ("a folder of another name", "a module", "a project of many")
    if changed and ambiguous:  # names alone do not tell
        assert all(expected[copy] == source for copy, source in found.items() if copy in expected)
    else:
        assert found == expected


def test_a_stranger_has_no_source_in_the_tree(tmp_path: Path) -> None:
    make(
        tmp_path / "tree", {"examples/datasets/__init__.py": "mine", "six.py": "", "other/x.py": ""}
    )
    stranger = {f"datasets/{name}.py": name for name in ("load", "iterable", "builder", "__init__")}
    make(tmp_path / "site-packages", stranger)
    modules = [str(tmp_path / "site-packages" / name) for name in stranger]
    sources = ["examples/datasets/__init__.py", "six.py", "other/x.py"]
    assert counterparts(modules, sources, str(tmp_path / "tree")) == {}


# --- what an interpreter has --------------------------------------------------------------------


def distribution(
    site: Path, name: str, files: Mapping[str, str], *, url: str = "", editable: bool = False
) -> None:
    """Install a distribution as pip does."""
    make(site, files)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = [f'"{each}",,' for each in files] + [f"{info.name}/RECORD,,"]
    (info / "RECORD").write_text("\n".join(lines))
    if url:
        origin: dict[str, object] = {"url": url}
        origin |= {"dir_info": {"editable": True}} if editable else {}
        (info / "direct_url.json").write_text(json.dumps(origin))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages that this interpreter looks into."""
    folder = tmp_path.resolve() / "lib/site-packages"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "a tree"
    make(folder, {"src/package/__init__.py": "", "src/package/a.py": "a"})
    return folder


FILES = {"package/__init__.py": "", "package/a.py": "a"}


def places(tree: Path) -> Mapping[str, str]:
    return Project.find(tree).copies().places


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ("pyproject.toml", '[project]\nname = "My.Package"\n[[tool.x]]\nname = "numpy"\n'),
        ("pyproject.toml", '[tool.poetry]\nname = "my-package"\n'),
        ("setup.cfg", "[metadata]\nname = my_package\n"),
        ("setup.py", "from setuptools import setup\nsetup(name='my-package')\n"),
    ],
)
def test_a_copy_is_known_by_the_name_of_its_project(
    tree: Path, site: Path, metadata: str, text: str
) -> None:
    distribution(site, "my_package", FILES)
    make(tree, {"src/package/__init__.py": "new", "src/package/a.py": "new"})
    assert places(tree) == {}
    make(tree, {metadata: text})
    assert places(tree) == {str(site / "package"): str(tree / "src/package")}


def test_a_copy_is_known_by_the_folder_it_was_installed_from(tree: Path, site: Path) -> None:
    distribution(site, "odd", FILES, url=(tree / "dist/odd-1.0.whl").as_uri())
    distribution(site, "stranger", {"other/__init__.py": ""}, url="file:///elsewhere")
    assert places(tree) == {str(site / "package"): str(tree / "src/package")}


def test_a_copy_without_metadata_is_known_by_what_is_in_it(tree: Path, site: Path) -> None:
    egg = site / "odd-1.0.egg"
    make(egg, {**FILES, "package/made_when_installed.py": "x"})
    sys.path.insert(0, str(egg))
    assert places(tree) == {str(egg / "package"): str(tree / "src/package")}
    make(tree, {"src/package/__init__.py": "of", "src/package/a.py": "another"})
    assert places(tree) == {}


def test_what_is_vendored_is_no_copy(tree: Path, site: Path) -> None:
    make(tree, {"third_party/six/setup.py": "setup(name='six')", "third_party/six/six.py": "six"})
    distribution(site, "six", {"six.py": "six"})
    assert places(tree) == {}


def test_an_installed_package_is_a_copy_if_most_of_it_is_the_same(tree: Path, site: Path) -> None:
    make(site, {**FILES, "other/__init__.py": ""})
    project = Project.find(tree)
    assert project.names == {"package"}
    assert project.is_copied("package.a", str(site / "package/a.py"))
    make(site, {"package/__init__.py": "x", "package/a.py": "y"})
    assert not Project.find(tree).is_copied("package.a", str(site / "package/a.py"))


def test_an_editable_install_is_no_copy(tree: Path, site: Path) -> None:
    files = {**FILES, "package/_fast.abi3.so": "built"}
    distribution(site, "odd", files, url=tree.as_uri(), editable=True)
    own = frozenset([str(site / "package/_fast.abi3.so")])
    assert Project.find(tree).copies() == Copies(places={}, own=own)


def test_a_copy_without_a_source_is_a_stray(tree: Path, site: Path) -> None:
    distribution(site, "odd", {"other/__init__.py": "x"}, url=tree.as_uri())
    stray = frozenset([str(site / "other/__init__.py")])
    assert Project.find(tree).copies() == Copies(places={}, stray=stray)


def test_broken_metadata_says_nothing(tree: Path, site: Path) -> None:
    make(tree, {"pyproject.toml": "[", "setup.cfg": "[[\nname", "setup.py": ")"})
    (site / "odd-1.0.dist-info").mkdir()
    (site / "odd-1.0.dist-info/direct_url.json").write_text("[1]")
    assert places(tree) == {}


def test_another_interpreter_says_what_it_has(tree: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    site = tmp_path.resolve() / "other/site-packages"
    distribution(site, "odd", FILES, url=tree.as_uri())
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{site}" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    copies = Project.find(tree).copies(str(python))
    assert copies.places == {str(site / "package"): str(tree / "src/package")}
    python.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    with pytest.raises(ArmError, match="does not run: broken"):
        Project.find(tree).copies(str(python))


@pytest.mark.parametrize("name", ["My.Package", "my-package", "my_package", "MY--package"])
def test_names_are_compared_as_pip_does(name: str) -> None:
    assert installed.normalised(name) == "my-package"


# --- the files of a project ---------------------------------------------------------------------


def test_the_files_of_a_checkout_are_those_that_git_does_not_ignore(tree: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    make(tree, {".gitignore": "*.log", "a.log": "", "new.py": ""})
    project = Project.find(tree / "src")
    assert project.top == str(tree)
    assert {*project.files} == {
        ".gitignore", "new.py", "src/package/__init__.py", "src/package/a.py"
    }  # fmt: skip
    assert Repository.find(tree) is not None


def test_without_git_they_are_all_modules_but_those_of_environments(tree: Path) -> None:
    make(tree, {"env/pyvenv.cfg": "", "env/a.py": "", ".tox/b.py": "", "notes.md": ""})
    assert Project.find(tree).files == ("src/package/__init__.py", "src/package/a.py")


@pytest.mark.parametrize(
    ("module", "path", "hidden"),
    [
        ("package", "/x/package/__init__.py", "src/package/__init__.py"),
        ("package.a", "/x/package/a.py", "src/package/a.py"),
        ("package.b", "/x/package/b.py", ""),
        ("a", "/x/a.py", ""),
        ("conftest", "/x/conftest.py", ""),
    ],
)
def test_what_a_module_hides(tree: Path, module: str, path: str, hidden: str) -> None:
    make(tree, {"tests/conftest.py": ""})
    assert Project.find(tree).shadowed_by(module, path) == hidden


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("package.a", "src/package/a.py"),
        ("package", "src/package/__main__.py"),
        ("package.b", ""),
        ("", ""),
    ],
)
def test_the_file_that_is_run_for_a_module(tree: Path, module: str, file: str) -> None:
    make(tree, {"src/package/__main__.py": ""})
    assert Project.find(tree).file_of(module) == file
