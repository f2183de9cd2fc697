"""Which tree modules come from, with real modules, and real trees in a temporary folder."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pytest_loaderperf.imports import imported_from, moved, redirect_editable_finders, shadowed

Import = Callable[[Path, str], ModuleType]


@pytest.fixture
def import_from(monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """Writes a package into a folder and imports it; it is forgotten after the test."""
    before = dict(sys.modules)

    def do_import(folder: Path, name: str) -> ModuleType:
        package = folder.joinpath(*name.split("."))
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        monkeypatch.syspath_prepend(str(folder))
        return importlib.import_module(name)

    yield do_import
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


# --- modules of a tree --------------------------------------------------------------------------


def test_modules_of_a_tree_are_named_in_order(tmp_path: Path, import_from: Import) -> None:
    assert imported_from(str(tmp_path)) == []
    import_from(tmp_path / "src", "photos_two")
    import_from(tmp_path, "photos_one")
    assert imported_from(str(tmp_path)) == ["photos_one", "photos_two"]
    assert imported_from(str(tmp_path / "src")) == ["photos_two"]


def test_without_a_tree_nothing_is_from_it(tmp_path: Path, import_from: Import) -> None:
    import_from(tmp_path, "photos_one")
    assert imported_from("") == []


def test_a_neighbour_with_a_longer_name_is_another_tree(
    tmp_path: Path, import_from: Import
) -> None:
    import_from(tmp_path / "project-2", "photos_one")
    assert imported_from(str(tmp_path / "project")) == []


@pytest.mark.parametrize("environment", ["venv/lib/python3.11/site-packages", "prefix/lib"])
def test_what_is_installed_inside_a_tree_is_not_of_it(
    tmp_path: Path, import_from: Import, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    import_from(tmp_path / environment, "photos_one")
    assert imported_from(str(tmp_path)) == []


def test_a_tree_below_the_prefix_is_a_tree(
    tmp_path: Path, import_from: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    import_from(tmp_path / "home" / "project", "photos_one")
    assert imported_from(str(tmp_path / "home" / "project")) == ["photos_one"]


def test_odd_entries_among_the_modules_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise AttributeError(name)

    odd = ModuleType("photos_odd")
    odd.__file__ = None
    for name, module in {
        "photos_none": None,
        "photos_object": SimpleNamespace(__file__=str(tmp_path / "a.py")),
        "photos_lazy": Lazy("photos_lazy"),
        "photos_odd": odd,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert imported_from(str(tmp_path)) == []
    assert shadowed(str(tmp_path)) == []


def test_the_guard_itself_belongs_to_no_tree() -> None:
    import pytest_loaderperf

    source = Path(pytest_loaderperf.__file__).parents[1]
    names = imported_from(str(source))
    assert [name for name in names if name.startswith("pytest_loaderperf")] == []


# --- packages that come from somewhere else -----------------------------------------------------


@pytest.mark.parametrize("layout", [".", "src"])
def test_a_package_of_the_project_from_somewhere_else_is_shadowed(
    tmp_path: Path, import_from: Import, layout: str
) -> None:
    own = tmp_path / "project" / layout / "photos_one"
    own.mkdir(parents=True)
    (own / "__init__.py").touch()
    assert shadowed(str(tmp_path / "project")) == []
    import_from(tmp_path / "elsewhere", "photos_one")
    assert shadowed(str(tmp_path / "project")) == ["photos_one"]


def test_a_package_from_the_project_itself_is_not_shadowed(
    tmp_path: Path, import_from: Import
) -> None:
    import_from(tmp_path / "src", "photos_one")
    assert shadowed(str(tmp_path)) == []


def test_other_packages_from_elsewhere_are_not_shadowed(
    tmp_path: Path, import_from: Import
) -> None:
    (tmp_path / "project" / "photos_two").mkdir(parents=True)  # no package: it has no __init__
    import_from(tmp_path / "elsewhere", "photos_one")
    import_from(tmp_path / "elsewhere", "photos_two")
    assert shadowed(str(tmp_path / "project")) == []


def test_a_copy_installed_in_an_environment_inside_the_project_is_shadowed(
    tmp_path: Path, import_from: Import
) -> None:
    own = tmp_path / "src" / "photos_one"
    own.mkdir(parents=True)
    (own / "__init__.py").touch()
    import_from(tmp_path / ".venv" / "lib" / "python3.11" / "site-packages", "photos_one")
    assert shadowed(str(tmp_path)) == ["photos_one"]


# --- moving paths -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/old", "/new"),
        ("/old/src/photos", "/new/src/photos"),
        ("/older/src", "/older/src"),
        ("/else/old/src", "/else/old/src"),
        ("src/photos", "src/photos"),
        ("-q", "-q"),
        ("", ""),
        ("/old/.venv/lib/python3.11/site-packages", "/old/.venv/lib/python3.11/site-packages"),
        ("/old/env/bin", "/old/env/bin"),
    ],
)
def test_only_sources_of_the_old_tree_move(
    monkeypatch: pytest.MonkeyPatch, path: str, expected: str
) -> None:
    monkeypatch.setattr(sys, "prefix", "/old/env")
    assert moved(path, "/old", "/new") == expected


@pytest.mark.parametrize("path", ["/old/src", "src", ""])
def test_without_a_new_tree_nothing_moves(path: str) -> None:
    assert moved(path, "/old", "") == path
    assert moved(path, "", "") == path


def test_editable_finders_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    def finder(name: str, mapping: object) -> ModuleType:
        module = ModuleType(name)
        module.__dict__["MAPPING"] = mapping
        monkeypatch.setitem(sys.modules, name, module)
        return module

    ours = finder("__editable___photos_1_0_finder", {"photos": "/old/src/photos", "b": "/b/b"})
    other = finder("photos_finder", {"photos": "/old/src/photos"})
    finder("__editable___odd_1_0_finder", None)
    mapping = ours.__dict__["MAPPING"]
    redirect_editable_finders("/old", "/new")
    assert ours.__dict__["MAPPING"] is mapping  # the finder holds on to it
    assert mapping == {"photos": "/new/src/photos", "b": "/b/b"}
    assert other.__dict__["MAPPING"] == {"photos": "/old/src/photos"}
