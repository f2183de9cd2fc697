"""A first test: where it goes, and what it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.scaffold import first_check
from pytest_loaderperf.scaffold.first_check import Layout
from pytest_loaderperf.scaffold.maker import Maker
from pytest_loaderperf.session import discovery


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("photos.data", "make_train_loader", "train_loader"),
        ("photos.data", "train_loader", "train_loader"),
        ("photos.data", "PhotoLoader", "photo_loader"),
        ("photos", "make_loader", "photos_loader"),
        ("photos.loaders", "get_loader", "loader"),
        ("photos.loaders", "make_", "make"),
        ("photos", "_build_dataloader", "photos_dataloader"),
    ],
)
def test_a_test_is_named_after_what_is_made(module: str, name: str, expected: str) -> None:
    assert first_check.name_of(Maker(module=module, name=name)) == expected


@pytest.mark.parametrize(
    ("folders", "testpaths", "expected"),
    [
        ([], [], "tests/perf"),
        (["tests"], [], "tests/perf"),
        (["test"], [], "test/perf"),
        (["test", "tests/unit"], ["tests/unit"], "tests/unit/perf"),
        (["tests"], ["tests/unit", "tests"], "tests/perf"),
        (["tests/unit", "tests/perf"], ["tests/unit", "tests/perf"], "tests/perf"),
        ([], ["tests/*"], "tests/perf"),
    ],
)
def test_it_goes_where_a_run_without_arguments_looks(
    tmp_path: Path, folders: list[str], testpaths: list[str], expected: str
) -> None:
    for each in folders:
        (tmp_path / each).mkdir(parents=True)
    assert Layout(root=tmp_path, testpaths=testpaths).folder == tmp_path / expected


def test_its_file_has_a_name_that_pytest_collects(tmp_path: Path) -> None:
    assert Layout(root=tmp_path).file("x") == "test_x.py"
    assert Layout(root=tmp_path, patterns=["check_*.py"]).file("x") == "check_x.py"
    maker, root = Maker(module="a", name="make_train_loader"), tmp_path
    given = first_check.place(maker, Layout(root=root), root / "speed")
    assert given == root / "speed" / "test_train_loader.py"
    assert first_check.place(maker, Layout(root=root), root / "test_z.py") == root / "test_z.py"


PLAIN = """\
from photos import make_loader


def test_photos_loader(loaderperf):
    loaderperf.check(make_loader())
"""
SIZED = """\
import pytest

from photos import make_loader


@pytest.mark.loaderperf(batch_sizes=[8, 32])
def test_photos_loader(batch_size, loaderperf):
    loaderperf.check(make_loader(batch_size=batch_size))
"""


@pytest.mark.parametrize(
    ("maker", "text"),
    [
        (Maker(module="photos", name="make_loader"), PLAIN),
        (Maker(module="photos", name="make_loader", batch_size=32), SIZED),
        (
            Maker(module="photos", name="make_loader", one_shot=True),
            PLAIN.replace("make_loader()", "make_loader"),
        ),
        (
            Maker(module="photos", name="make_loader", batch_size=32, one_shot=True),
            SIZED.replace("check(make", "check(lambda: make"),
        ),
        (
            Maker(module="photos", name="make_loader", batch_size=0),
            SIZED.replace("[8, 32]", "[32, 128]"),
        ),
        (Maker(module="photos", name="make_loader", batch_size=1), SIZED.replace("[8, 32]", "[1]")),
    ],
)
def test_it_hands_over_what_is_made(maker: Maker, text: str) -> None:
    assert first_check.text(maker) == text


@pytest.mark.parametrize(
    "name", ["make_loader", "testing_loader", "TestLoader", "pytest", "loaderperf", "batch_size"]
)
def test_its_text_shows_that_it_holds_a_check_and_nothing_else(name: str) -> None:
    text = first_check.text(Maker(module="photos", name=name, batch_size=2))
    written = discovery.parse(text.encode()).written
    assert written is not None
    assert len(written) == 1
    imports = [each for each in ast.parse(text).body if isinstance(each, ast.ImportFrom)]
    assert imports[0].names[0].name == name
    called = imports[0].names[0].asname or name
    assert called not in ("pytest", "loaderperf", "batch_size")


COMMANDS = {
    "again": "pytest --loaderperf-init=a:b",
    "measure": "pytest tests/perf/test_x.py --loaderperf-update",
}


def test_it_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "tests" / "perf" / "test_x.py"
    first_check.write(path, "1", "tests/perf/test_x.py", **COMMANDS)
    with pytest.raises(SettingsError) as caught:
        first_check.write(path, "2", "tests/perf/test_x.py", **COMMANDS)
    assert path.read_text() == "1"
    text = str(caught.value)
    assert "tests/perf/test_x.py exists, and is not overwritten" in text
    assert "pytest tests/perf/test_x.py --loaderperf-update" in text
    assert text.endswith("pytest --loaderperf-init=a:b tests/perf/test_another.py")


def test_where_tests_are_packages_its_folder_is_one(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").touch()
    first_check.write(tmp_path / "tests" / "perf" / "test_x.py", "1", "x", **COMMANDS)
    assert (tmp_path / "tests" / "perf" / "__init__.py").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "tests").touch()
    with pytest.raises(SettingsError, match=r"tests/perf/x\.py cannot be written: .+ Name another"):
        first_check.write(tmp_path / "tests" / "perf" / "x.py", "1", "tests/perf/x.py", **COMMANDS)
