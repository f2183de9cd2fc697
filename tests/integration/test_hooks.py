"""Hooks of a conftest, and checks that they look at: to them these are tests like any other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support import tiny
from support.environment import PLAIN
from support.project import Project

# What hooks read of each item. Without the plugin each of them works, and so it must with it.
READ = {
    "argument names": "sorted({*item.fixturenames} - {'loaderperf', 'request', 'added'})",
    "function": "item.function.__name__, item.function.__doc__",
    "signature": "list(inspect.signature(item.function).parameters)",
    "source": "inspect.getsource(item.function)",
    "attribute of a function": "getattr(item.function, 'owner', None)",
    "object": "item.obj.__qualname__",
    "own module": "item.module.__name__, item.module.__doc__, item.module.__file__",
    "global of a module": "item.module.BACKEND, getattr(item.module, 'NONE', None)",
    "class": "item.cls and [item.cls.__qualname__, item.cls.__module__, item.cls.__doc__]",
    "attribute of a class": "item.cls and (item.cls.size, hasattr(item.cls, 'none'))",
    "instance": "item.instance and item.instance.size",
    "original name": "item.originalname",
    "funcargs": "item.funcargs",
    "parameters": "item.callspec.params if item.originalname == 'test_sizes' else None",
    "id": "item.callspec.id if hasattr(item, 'callspec') else None",
    "line": "item.location[1] + 1",
    "location": "item.location[0], item.reportinfo()[1], str(item.reportinfo()[0])",
    "domain": "item.reportinfo()[2].partition('[')[0]",
    "marks": "sorted({m.name for m in item.iter_markers()} - {'parametrize', 'skip'})",
    "closest": "item.cls and item.get_closest_marker('issue').args",
    "parents": "[item.getparent(t) is not None for t in (pytest.Module, pytest.Class)]",
    "module of its node": "item.getparent(pytest.Module).obj.__name__",
    "chain": "[node.name.partition('[')[0] for node in item.listchain()]",
    "replaced": "setattr(item, 'obj', functools.wraps(item.obj)(lambda **_: None))",
    "added": "item.fixturenames.insert(0, 'added')",
}
CONFTEST = """\
import functools, inspect, json, pathlib, sys
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    said = {}
    for item in items:
        for name, read in READ.items():
            if name in CHOSEN:
                found = eval(read, {**globals(), "item": item})
                said.setdefault(f"{item.originalname} {name}", found)
    imported = [name for name in sys.modules if name.startswith("test_")]
    pathlib.Path("said").write_text(json.dumps([said, imported]))

def pytest_unconfigure():
    pathlib.Path("modules").write_text(" ".join(sys.modules))
"""
CHECKS = '''\
"""Checks."""
import pytest

BACKEND = "torch"
pytestmark = pytest.mark.issue(1)

def owned(function):
    function.owner = "us"
    return function

@pytest.fixture
def loader(named):
    return [1]

@pytest.fixture(name="named", params=[BACKEND])
def _named(tmp_path):
    return [1]

@pytest.fixture(autouse=True)
def everywhere(monkeypatch):
    pass

@owned
def test_plain(loader, loaderperf):
    """A check."""

class TestPhotos:
    """Of photos."""
    size = 3

    @pytest.mark.issue(2)
    @pytest.mark.parametrize("size", [8, 16])
    def test_sizes(self, size, loaderperf):
        pass
'''
UNIMPORTABLE = "import pytest\npytest.importorskip('no_such_framework')\n"
NEEDS_NO_IMPORT = (
    "argument names", "added", "own module", "class", "original name", "funcargs", "line",
    "location", "domain", "marks", "closest", "parents", "module of its node", "chain",
)  # fmt: skip


def create(root: Path, prologue: str = "") -> Project:
    ini = "markers =\n    issue\n"
    return tiny.create(root / "project", git=False, ini=ini, test_it=prologue + CHECKS)


def said(
    project: Project, *arguments: str, chosen: tuple[str, ...] = (*READ,)
) -> tuple[dict[str, Any], list[str]]:
    """What hooks have read, by test, and which test modules were imported then."""
    project.write(conftest=f"READ, CHOSEN = {READ!r}, {chosen!r}\n{CONFTEST}")
    (project.root / "said").unlink(missing_ok=True)
    environment = {"PYTEST_ADDOPTS": PLAIN}
    run = project.pytest(*arguments, "--collect-only", environment=environment)
    assert "INTERNALERROR" not in run.output, run.output
    found, imported = json.loads((project.root / "said").read_text())
    return found, imported


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return create(tmp_path_factory.mktemp("hooks"))


@pytest.fixture(scope="module")
def without(project: Project) -> dict[str, Any]:
    """What hooks read where there is no such plugin."""
    return said(project, "-p", "no:loaderperf")[0]


@pytest.mark.parametrize("arguments", [(), ("--loaderperf",)], ids=["plain", "with the option"])
def test_hooks_read_what_they_read_without_the_plugin(
    project: Project, without: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    assert len(without) == 2 * len(READ)
    found, imported = said(project, *arguments)
    assert found == without
    assert imported == ["test_it"]


@pytest.mark.parametrize("arguments", [(), ("--loaderperf",)], ids=["plain", "with the option"])
def test_names_places_and_marks_are_told_without_an_import(
    project: Project, without: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    found, imported = said(project, *arguments, chosen=NEEDS_NO_IMPORT)
    assert found == {name: without[name] for name in found}
    assert imported == []
    assert "test_it" not in (project.root / "modules").read_text().split()


OPTIONS = {
    "keyword": ("-k", "sizes and 16"),
    "attribute of a function": ("-k", "owner"),
    "what a hook gave": ("-k", "given and not 8"),
    "name of the root": ("-k", "project"),
    "marker": ("-m", "issue"),
    "deselected": ("--deselect", "test_it.py::TestPhotos"),
    "fixtures per test": ("--fixtures-per-test", "test_it.py"),
    "documentation": ("-v",),
    "failed first": ("--ff",),
}
GIVING = """
def pytest_itemcollected(item):
    item.extra_keyword_matches.add("given")
"""
# No text defines it, nor the test that a class inherits from one that a call returns.
MADE = """
def make():
    def test_made(loaderperf):
        pass
    class Made:
        def test_inherited(self, loaderperf):
            pass
    return test_made, Made

test_made, Made = make()

class TestMade(Made):
    pass
"""
# Found in the real module, as functions around others that hold these.
WRAPPED = """
import functools, unittest.mock

def wrapped(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner

@unittest.mock.patch("os.getcwd", lambda: "")
def test_patched(loaderperf):
    pass

class TestOuter:
    class TestInner:
        @wrapped
        def test_wrapped(self, loaderperf):
            pass

class TestOther(TestOuter):
    pass
"""


@pytest.fixture(scope="module")
def giving(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = create(tmp_path_factory.mktemp("giving"))
    project.write(conftest=f"READ, CHOSEN = {{}}, ()\n{CONFTEST}{GIVING}", test_made=MADE)
    return project


def shown(project: Project, *arguments: str) -> tuple[list[tuple[str, ...]], list[str]]:
    """What pytest shows or chooses, and which test modules were imported for it."""
    environment = {"PYTEST_ADDOPTS": PLAIN}
    run = project.pytest("--collect-only", *arguments, environment=environment)
    assert "INTERNALERROR" not in run.output, run.output
    modules = (project.root / "modules").read_text().split()
    words = re.findall(r"<\w+ (.+)>|(A check\.|Of photos\.)|fixtures used by (.+) -", run.output)
    return words, [name for name in modules if name in ("test_it", "test_made")]


@pytest.mark.parametrize("name", OPTIONS)
def test_own_options_of_pytest_need_no_import(giving: Project, name: str) -> None:
    _, imported = shown(giving, *OPTIONS[name], "test_it.py")
    assert imported == []
    chosen, imported = shown(giving, *OPTIONS[name], "--loaderperf")
    assert imported == []
    without, imported = shown(giving, *OPTIONS[name], "-p", "no:loaderperf")
    assert "test_it" in imported
    assert bool(chosen) == (name != "name of the root")
    assert chosen == without


@pytest.mark.parametrize(
    "asked", [("--collect-only", "-k=test"), ("--collect-only", "-v"), ("--fixtures-per-test",)]
)
def test_wrapped_functions_end_no_run(tmp_path: Path, asked: tuple[str, ...]) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=WRAPPED)
    run = project.pytest(*asked, "--loaderperf", environment={"PYTEST_ADDOPTS": PLAIN})
    assert run.status == 0, run.output
    assert run.output.count("test_wrapped") >= 2


def test_module_that_cannot_be_imported_is_what_its_text_says(tmp_path: Path) -> None:
    needs_it = ("global of a module", "attribute of a class", "instance")
    project = create(tmp_path, UNIMPORTABLE)
    found, _ = said(project, chosen=tuple({*READ} - {*needs_it}))
    assert found["test_plain function"] == ["test_plain", "A check."]
    assert found["test_sizes signature"] == ["self", "size", "loaderperf"]
    assert "@owned" in found["test_plain source"] or "def test_plain" in found["test_plain source"]
    run = project.pytest("-rs")
    assert "2 skipped" in run.output
    assert run.status == 0


def test_doctests_of_a_module_of_checks_are_run(project: Project, tmp_path: Path) -> None:
    wrong = '"""A check.\n\n    >>> 1 + 1\n    3\n    """'
    documented = CHECKS.replace('"""A check."""', wrong)
    project = create(tmp_path)
    project.write(test_it=documented)
    run = project.pytest("--doctest-modules")
    assert "1 failed, 2 skipped" in run.output
    assert project.pytest("--loaderperf", "--doctest-modules", "--collect-only").status == 0
