"""What the sources of a project show, read and never run."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from pytest_loaderperf.scaffold import seen


def look(root: Path, **files: str) -> seen.Overview:
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return seen.look(root)


@pytest.mark.parametrize(
    ("text", "framework"),
    [
        ("import torch\n", "torch"),
        ("from torch.utils.data import DataLoader\n", "torch"),
        ("def f():\n    import tensorflow as tf\n", "tensorflow"),
        ("try:\n    import datasets\nexcept ImportError:\n    pass\n", "datasets"),
        ("import keras, os\n", "keras"),
        ("import webdataset as wds\n", "webdataset"),
        ("import os; import torch\n", "torch"),
        ("import torchvision\n", ""),
        ('"""\nimport torch\n"""\n', ""),
        ("# import torch\n", ""),
        ("from .torch import make_loader\n", ""),
        ("import torch as\n", ""),  # which is no Python
        ("raise SystemExit\nimport torch\n", "torch"),
    ],
)
def test_imports_are_read(tmp_path: Path, text: str, framework: str) -> None:
    assert look(tmp_path, code=text).framework == framework


def test_the_framework_is_the_one_that_most_files_import(tmp_path: Path) -> None:
    found = look(
        tmp_path, a="import torch\n", b="import torch, tensorflow\n", c="import tensorflow"
    )
    assert found.frameworks == {"torch": 2, "tensorflow": 2}
    assert found.framework == "tensorflow"
    assert look(tmp_path, d="import torch\n").framework == "torch"
    # Of as many, the one that says more of the loader: both are imported for it.
    assert look(
        tmp_path, a="import torch, webdataset\n", b="import webdataset", c="", d=""
    ).framework
    assert seen.look(tmp_path).framework == "webdataset"


@pytest.mark.parametrize(
    "name", [".hidden__x", "node_modules__x", "build__x", "env__x", "lib__site-packages__x"]
)
def test_what_is_no_source_of_the_project_is_not_read(tmp_path: Path, name: str) -> None:
    assert look(tmp_path, **{name: "import torch\n"}).framework == ""


def test_an_environment_of_any_name_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "py311").mkdir()
    (tmp_path / "py311" / "pyvenv.cfg").touch()
    assert look(tmp_path, py311__lib__x="import torch\n").framework == ""


@pytest.mark.parametrize("place", ["datasets__a", "src__datasets__a", "datasets"])
def test_a_package_of_the_project_is_no_framework(tmp_path: Path, place: str) -> None:
    found = look(tmp_path, **{place: "", "train": "import datasets\n"})
    assert found.frameworks == {}


def test_a_search_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"m{number}": "import torch\n" for number in range(9)}
    monkeypatch.setattr(seen, "_FILES", 5)
    assert look(tmp_path, **files).frameworks == {"torch": 5}
    monkeypatch.setattr(seen, "_SECONDS", -1.0)
    assert seen.look(tmp_path).frameworks == {}


def test_folders_without_sources_take_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (tmp_path / f"data/{number}").mkdir(parents=True)
    clock = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert look(tmp_path, zoo__code="import torch\n").framework == ""
    assert next(clock) < 10


def test_functions_that_make_a_loader_are_named_as_they_are_imported(tmp_path: Path) -> None:
    found = look(
        tmp_path,
        src__photos__data="def make_train_loader(batch_size, workers=2): ...\n",
        more="def val_loader(): ...\ndef get_loader(path): ...\ndef loaders(): ...\n",
        photos__code="def build_dataloader(*, batch_size): ...\n",
        tests__test_a="def make_loader(): ...\n",
        conftest="def make_loader(): ...\n",
        other="class A:\n    def make_loader(self): ...\n",
    )
    assert set(found.makers) == {
        "photos.data:make_train_loader",
        "more:val_loader",
        "photos.code:build_dataloader",
    }
