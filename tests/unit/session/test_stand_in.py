"""What stands in for a module that is not imported: what its text tells, and nothing is run."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.session.stand_in import stand_in

TEXT = '''\
"""A module."""
raise OSError("it is run")

SIZES = print("it is run")

class TestPhotos(Base, key=value):
    """A class."""

    @decorator(SIZES)
    def test_it(self, /, size: Size = SIZES[0], *more, named, other=print(), **rest) -> Nothing:
        """A test."""
        yield

    class Inner:
        deep = 1

async def test_waits(loader): await loader
'''


def made(tmp_path: Path, text: str = TEXT, real: object = None) -> Any:
    path = tmp_path / "test_it.py"
    path.write_text(text)

    def imported() -> ModuleType:
        if real is None:
            raise ImportError("no torch")
        return real  # type: ignore[return-value]

    return stand_in(path, "package.test_it", imported)


def test_warnings_of_a_text_are_those_of_its_import(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made(tmp_path, 'def test_it(pattern="\\d"): "\\w"\n').test_it


def test_names_documentation_and_signatures_are_those_of_the_text(tmp_path: Path) -> None:
    module = made(tmp_path)
    assert (module.__name__, module.__doc__) == ("package.test_it", "A module.")
    assert module.__file__ == str(tmp_path / "test_it.py")
    test = module.TestPhotos.test_it
    assert module.TestPhotos.__doc__ == "A class."
    assert (test.__qualname__, test.__doc__) == ("TestPhotos.test_it", "A test.")
    assert test.__module__ == "package.test_it"
    expected = "(self, /, size=None, *more, named, other=None, **rest)"
    assert str(inspect.signature(test)) == expected
    assert "def test_it(self" in inspect.getsource(test)
    assert inspect.iscoroutinefunction(module.test_waits)


def test_anything_else_is_that_of_the_real_module(tmp_path: Path) -> None:
    inner = SimpleNamespace(deep=2)
    module = made(
        tmp_path, real=SimpleNamespace(SIZES=[8], TestPhotos=SimpleNamespace(Inner=inner, x=1))
    )
    assert module.SIZES == [8]
    assert module.TestPhotos.x == 1
    assert module.TestPhotos.Inner.deep == 2
    assert not hasattr(module, "missing")


def test_module_that_cannot_be_imported_has_no_more(tmp_path: Path) -> None:
    module = made(tmp_path)
    with pytest.raises(AttributeError, match=r"SIZES of .*test_it.py: no torch"):
        _ = module.SIZES
    assert getattr(module.TestPhotos, "size", 3) == 3
    assert not hasattr(module, "_private")


FIXTURES = """\
@pytest.fixture(name="photos", params=make(), scope=SCOPE, autouse=True)
def _photos(folder): raise OSError

@fixture
def folder(): raise OSError

@other
def helper(): pass
"""


def test_fixtures_stay_fixtures(tmp_path: Path) -> None:
    module = made(tmp_path, FIXTURES)
    with pytest.raises(pytest.fail.Exception, match="called directly"):
        module.folder()
    with pytest.raises(pytest.fail.Exception, match='"photos" called directly'):
        module._photos()
    assert module.helper() is None
