"""What a check may use of its project: whatever changes what a loader does counts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_loaderperf.versions.footprint import (
    SourceTree,
    conftests,
    name_of,
    why_measured,
)
from pytest_loaderperf.versions.usage import Evidence, UsedFiles

FILES = {
    "pyproject.toml": "[project]\nname = 'shop'\nreadme = 'README.md'\n",
    "README.md": "A shop.\n",
    "docs/page.md": "A page.\n",
    ".github/workflows/ci.yml": "on: push\n",
    "conftest.py": "import pytest\n",
    "tests/conftest.py": "from shop.testing import corpus\n",
    "tests/test_it.py": "from shop.loaders import train\n\ndef test_it(loaderperf, corpus): ...\n",
    "tests/other/conftest.py": "",
    "tests/other/test_other.py": "import shop.unrelated\n",
    "src/shop/__init__.py": "",
    "src/shop/loaders.py": "from . import decode\nimport torch.utils.data\n",
    "src/shop/decode.py": "def decode():\n    from ..shop import tables\n",
    "src/shop/tables.py": "SCRIPT = 'python tools/resize.py'\n",
    "src/shop/testing/__init__.py": "",
    "src/shop/testing/corpus.py": "",
    "src/shop/unrelated.py": "",
    "src/shop/utils.py": "",  # torch has a module of that name
    "tools/resize.py": "import pixels\n",
    "tools/pixels.py": "",
    "tools/report.py": "",
    "data/words.txt": "one two\n",
}
MODULE = "tests/test_it.py"


def tree_of(root: Path, files: Mapping[str, str]) -> SourceTree:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return SourceTree(top=str(root.resolve()), files=[*files])


NOTHING: Mapping[str, str] = {}


def why(
    root: Path,
    *changed: str,
    unused: tuple[str, ...] = (),
    texts: Mapping[str, str] = NOTHING,
    evidence: Evidence | None = None,
) -> str:
    """Why a check of the project is measured whose files differ; some have other texts."""
    files = {**FILES, **texts}
    tree = tree_of(root, files)
    footprint = tree.footprint([MODULE, *conftests(MODULE)])
    return why_measured(changed, footprint, unused, evidence)


@pytest.mark.parametrize(
    "file",
    [
        MODULE,
        "conftest.py",
        "tests/conftest.py",
        "src/shop/__init__.py",
        "src/shop/loaders.py",
        "src/shop/decode.py",
        "src/shop/tables.py",  # named in a function
        "src/shop/testing/__init__.py",  # runs before what is in it
        "src/shop/testing/corpus.py",
        "tools/resize.py",  # named in a string
        "tools/pixels.py",  # by that one
        "src/shop/unrelated.py",  # who knows?
        "src/shop/doc/reader.py",
        "doc",
        "tools/report.py",
        "pyproject.toml",
        "data/words.txt",
        "data/new.bin",
        "setup.py",
        "src/sitecustomize.py",
    ],
)
def test_what_a_check_may_use_counts(tmp_path: Path, file: str) -> None:
    assert why(tmp_path, file).startswith(file)


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "LICENSE",
        "docs/page.md",
        ".github/workflows/ci.yml",
        "tests/other/conftest.py",
        "tests/other/test_other.py",
        "tests/other/other_test.py",
        "docs/conf.py",
    ],
)
def test_what_it_cannot_use_does_not(tmp_path: Path, file: str) -> None:
    assert why(tmp_path, file) == ""


def test_nothing_that_differs_is_nothing_to_measure(tmp_path: Path) -> None:
    assert why(tmp_path) == ""


@pytest.mark.parametrize("file", ["data/words.txt", "src/shop/unrelated.py", "data/more/a.bin"])
def test_what_the_user_names_is_unused(tmp_path: Path, file: str) -> None:
    assert why(tmp_path, file, unused=("data", "src/shop/unrel*")) == ""
    assert why(tmp_path, MODULE, unused=("tests",)) != ""  # which the check does use


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\n",
        "from importlib import import_module\n",
        "import importlib.util\n",
        "import pkgutil\n",
        "import pickle\n",
        "import numpy\nnumpy.load('rows.npy', allow_pickle=True)\n",
        "import torch\ntorch.load('rows.pt')\n",
        "exec(TEXT)\n",
        "__import__(NAME)\n",
        "from importlib.metadata import entry_points\n",
        "def broken(:\n",
    ],
)
def test_who_may_import_anything_is_measured_for_any_module(tmp_path: Path, code: str) -> None:
    text = FILES[MODULE] + code
    assert "may import any module" in why(
        tmp_path, "tests/other/test_other.py", texts={MODULE: text}
    )
    assert why(tmp_path, "README.md", texts={MODULE: text}) == ""


@pytest.mark.parametrize(
    "code", ["import importlib.resources\n", "import importlib.metadata\n", "model.eval()\n"]
)
def test_who_imports_nothing_by_name_is_not(tmp_path: Path, code: str) -> None:
    assert why(tmp_path, "tests/other/test_other.py", texts={MODULE: FILES[MODULE] + code}) == ""


@pytest.mark.parametrize(
    ("code", "file"),
    [
        ("open('README.md')\n", "README.md"),
        ("glob.glob('*.md')\n", "docs/page.md"),
        ("ROOT / 'docs'\n", "docs/page.md"),
        ("# see test_other\n", "tests/other/test_other.py"),
        ("other.test_other.x\n", "tests/other/test_other.py"),
        ("load('other.test_other:Loader')\n", "tests/other/test_other.py"),
    ],
)
def test_what_the_code_names_counts(tmp_path: Path, code: str, file: str) -> None:
    assert why(tmp_path, file, texts={MODULE: FILES[MODULE] + code}).startswith(file)


def test_what_a_configuration_names_counts_with_all_that_it_imports(tmp_path: Path) -> None:
    more = {
        "conf/loader.yaml": "_target_: shop.unrelated.Fast\n",
        "src/shop/unrelated.py": "from shop import deep\n",
        "src/shop/deep.py": "",
    }
    assert why(tmp_path, "src/shop/unrelated.py", texts=more) != ""
    assert why(tmp_path, "src/shop/deep.py", texts=more) != ""


def test_what_describes_or_checks_the_project_names_nothing(tmp_path: Path) -> None:
    text = """
[build-system]
requires = ["other_test"]
[project]
name = "shopping"
description = "A shop with utilities"
[project.scripts]
shop = "shop.utils:main"
[tool.ruff]
exclude = ["other_test"]
[tool.loader]
kind = "test_other"
"""
    texts = {"pyproject.toml": text}
    assert why(tmp_path, "tests/other/other_test.py", texts=texts) == ""
    assert why(tmp_path, "src/shop/utils.py", texts=texts) != ""
    assert why(tmp_path, "tests/other/test_other.py", texts=texts) != ""


def test_what_ci_names_does_not(tmp_path: Path) -> None:
    more = {".github/workflows/ci.yml": "run: pytest tests/other/test_other.py\n"}
    assert why(tmp_path, "tests/other/test_other.py", texts=more) == ""


def test_a_document_that_a_configuration_names_counts(tmp_path: Path) -> None:
    texts = {"conf/loader.yaml": "root: docs\n"}
    assert why(tmp_path, "docs/page.md", texts=texts) == "docs/page.md differs, and may be read"


def test_odd_files_are_no_error(tmp_path: Path) -> None:
    deep = "x = " + "[" * 5000 + "]" * 5000
    texts = {"data/pyproject.toml": deep, "deep.py": deep, "data/a.json": "{"}
    tree = tree_of(tmp_path, {**FILES, **texts})
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "round.py").symlink_to("round.py")
    (tmp_path / "folder.py").mkdir()
    odd = ["pipe.py", "round.py", "folder.py", "gone.py"]
    tree = SourceTree(top=tree.top, files=[*tree.files, *odd])
    assert tree.footprint([MODULE, "deep.py", *odd]).dynamic == "deep.py"


@pytest.mark.parametrize("file", ["conftest.py", "tests/conftest.py"])
def test_a_conftest_that_has_gone_or_come_counts(tmp_path: Path, file: str) -> None:
    files = {name: text for name, text in FILES.items() if name != file}
    footprint = tree_of(tmp_path, files).footprint([MODULE, *conftests(MODULE)])
    assert why_measured([file], footprint) == f"{file} differs"


def test_each_link_on_the_way_counts(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {**FILES, MODULE: "import one\n", "three.py": ""})
    (tmp_path / "two.py").symlink_to("three.py")
    (tmp_path / "one.py").symlink_to("two.py")
    tree = SourceTree(top=tree.top, files=[*tree.files, "one.py", "two.py"])
    assert {"one.py", "two.py", "three.py"} <= tree.footprint([MODULE]).files


def test_what_is_behind_a_link_counts(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {**FILES, "vendor/fast_2.py": ""})
    link = tmp_path / "src/shop/linked.py"
    link.symlink_to("../../vendor/fast_2.py")
    tree = SourceTree(top=tree.top, files=[*tree.files, "src/shop/linked.py"])
    (tmp_path / MODULE).write_text("import shop.linked\n")
    footprint = tree.footprint([MODULE])
    assert why_measured(["vendor/fast_2.py"], footprint) != ""


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a/b.py", "b"),
        ("b.py", "b"),
        ("a/b/__init__.py", "b"),
        ("a/b/__main__.py", "b"),
        ("__init__.py", ""),
    ],
)
def test_a_module_has_the_name_that_it_is_imported_by(file: str, name: str) -> None:
    assert name_of(file) == name


# --- with a record of what was used -------------------------------------------------------------


def recorded(
    *modified: str, files: tuple[str, ...] = (), folders: tuple[str, ...] = ()
) -> Evidence:
    """A record of these files and folders; some others were modified since."""
    usage = UsedFiles(files=files, folders=folders, digest="")
    return Evidence(usage=usage, modified=frozenset(modified))


UNUSED = "src/shop/unrelated.py"
DYNAMIC = {"src/shop/decode.py": "import importlib\nPARTS = ['tables', 'report_']\n"}


@pytest.mark.parametrize("file", [UNUSED, "tools/report.py", "src/shop/utils.py"])
def test_a_module_that_was_not_used_is_no_reason(tmp_path: Path, file: str) -> None:
    assert why(tmp_path, file) != ""
    if file != "src/shop/utils.py":  # a word of the code
        assert why(tmp_path, file, evidence=recorded(file)) == ""
    assert why(tmp_path, file, evidence=recorded()) == f"{file} differs, and may be run"


@pytest.mark.parametrize("file", [MODULE, "src/shop/tables.py", "tools/pixels.py"])
def test_what_the_text_leads_to_counts_although_it_was_not_used(tmp_path: Path, file: str) -> None:
    """By chance, or on this machine."""
    assert why(tmp_path, file, evidence=recorded(file)) == f"{file} differs"


def test_a_word_counts_although_it_was_not_used(tmp_path: Path) -> None:
    file = "src/shop/utils.py"
    assert why(tmp_path, file, evidence=recorded(file)) == f"{file} differs, and may be run"


def test_a_part_of_a_name_counts_where_names_are_computed(tmp_path: Path) -> None:
    evidence = recorded(UNUSED, "tools/report_2.py")
    assert why(tmp_path, UNUSED, texts=DYNAMIC, evidence=evidence) == ""
    static = {"src/shop/decode.py": "PARTS = ['tables', 'report_']\n"}
    assert why(tmp_path, "tools/report_2.py", texts=static, evidence=evidence) == ""
    assert why(tmp_path, "tools/report_2.py", texts=DYNAMIC, evidence=evidence) != ""


def test_other_tests_are_excused_where_any_module_may_be_imported(tmp_path: Path) -> None:
    file = "tests/other/test_other.py"
    assert "may import any module" in why(tmp_path, file, texts=DYNAMIC)
    assert why(tmp_path, file, texts=DYNAMIC, evidence=recorded(file)) == ""


@pytest.mark.parametrize("file", ["README.md", ".github/workflows/ci.yml", UNUSED])
def test_what_was_used_counts(tmp_path: Path, file: str) -> None:
    evidence = recorded(file, files=(file,))
    told = f"{file} differs, and was used when its baseline was accepted"
    assert why(tmp_path, file, evidence=evidence) == told
    assert why(tmp_path, file, unused=(file,), evidence=evidence) == told


def test_a_listed_folder_counts_with_what_is_new_in_it(tmp_path: Path) -> None:
    evidence = recorded("docs/page.md", "tools/report.py", folders=("docs", "tools"))
    assert "in a folder that it lists" in why(tmp_path, "docs/new.md", evidence=evidence)
    assert why(tmp_path, "docs/new.md", unused=("docs",), evidence=evidence) == ""
    assert why(tmp_path, "docs/page.md", evidence=evidence) == ""
    assert why(tmp_path, "tools/report.py", evidence=evidence) != ""


@pytest.mark.parametrize("file", ["data/words.txt", "tools/build.sh", "src/shop/fast.c"])
def test_what_is_no_module_counts_whether_it_was_used_or_not(tmp_path: Path, file: str) -> None:
    assert why(tmp_path, file, evidence=recorded(file)) == f"{file} differs, and may be read"
