"""The function that a first test is to call: found and read, or an error that says what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.scaffold import maker
from pytest_loaderperf.scaffold.maker import Maker

LOADERS = """\
import functools
raise SystemExit("it was run")

def make_loader(): ...
def sized(batch_size=32, *, workers=2): ...
def needs_size(batch_size): ...
def unknown_size(batch_size=SIZE): ...
def needs_root(root, batch_size, *, transform): ...
async def coroutine(): ...
def stream():
    yield 1
def sized_stream(batch_size=8):
    for each in ():
        yield each
def makes_stream():
    def inner():
        yield 1
    return inner()
class Photos:
    def __init__(self, batch_size=16): ...
class Needy:
    def __init__(self, root): ...
class Inherits(Photos): ...
BATCHES = [1, 2]
partial = functools.partial(sized, 8)
made = lambda batch_size=4: ...
@functools.cache
def decorated(root): ...
if True:
    def conditional(): ...
from elsewhere import imported
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose package is on the path."""
    package = tmp_path / "photos_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('it was run')\n")
    (package / "loaders.py").write_text(LOADERS)
    (package / "star.py").write_text("from os import *\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def find(root: Path, name: str) -> Maker:
    target = f"photos_of_a_test.loaders:{name}"
    return maker.find(target, root, [], how="Put {} on the path: pytest")


@pytest.mark.parametrize(
    ("name", "batch_size", "one_shot"),
    [
        ("make_loader", None, False),
        ("sized", 32, False),
        ("needs_size", 0, False),
        ("unknown_size", 0, False),
        ("stream", None, True),
        ("sized_stream", 8, True),
        ("makes_stream", None, False),
        ("Photos", 16, False),
        ("Inherits", None, False),  # nobody looks further than its text
        ("partial", None, False),
        ("made", 4, False),
        ("decorated", None, False),
        ("conditional", None, False),
        ("imported", None, False),
    ],
)
def test_what_a_maker_takes_is_read(
    root: Path, name: str, batch_size: int | None, one_shot: bool
) -> None:
    found = find(root, name)
    assert (found.batch_size, found.one_shot) == (batch_size, one_shot)
    assert found.file == root / "photos_of_a_test" / "loaders.py"
    assert (found.module, found.name) == ("photos_of_a_test.loaders", name)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (":", ["name a function", "--loaderperf-init=package.module:make_loader"]),
        (
            "photos_of_a_test.loaders",
            ["behind a colon: --loaderperf-init=photos_of_a_test.loaders:make_loader", "sized"],
        ),
        ("photos_of_a_test.loaders:", [":make_loader"]),
        ("photos_of_a_test.loaders:a.b", ["behind a colon"]),
        ("photos_of_a_test.loaders:class", ["behind a colon"]),
        ("photos_of_a_test.class:a", ["no name of a module"]),
        ("photos_of_a_test/loaders.py:sized", ["no name of a module", "package.module:sized"]),
        ("photos_of_a_test.loader:sized", ["there is no such module"]),
        ("no_such_package.loaders:sized", ["there is no such module"]),
        (
            "photos_of_a_test.loaders:mak_loader",
            ["has no mak_loader. It has make_loader, ", "loaders:make_loader"],
        ),
        ("photos_of_a_test.loaders:BATCHES", ["is no function, but a value", "make_loader"]),
        ("photos_of_a_test.loaders:coroutine", ["coroutine"]),
        (
            "photos_of_a_test.loaders:needs_root",
            ["needs root, transform", "needs_root(root=..., transform=...)"],
        ),
        ("photos_of_a_test.loaders:Needy", ["needs root"]),
    ],
)
def test_what_is_wrong_is_said_with_what_to_type(root: Path, target: str, says: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        maker.find(target, root, [], how="")
    text = str(caught.value)
    assert "--loaderperf-init" in text
    for part in says:
        assert part in text


def test_a_module_that_imports_everything_may_have_anything(root: Path) -> None:
    assert maker.find("photos_of_a_test.star:loader", root, [], how="").batch_size is None


def test_a_module_without_a_text_is_taken_as_it_is(root: Path) -> None:
    assert maker.find("math:loader", root, [], how="") == Maker(module="math", name="loader")


@pytest.mark.parametrize("folder", ["src", ""])
def test_a_module_that_is_there_and_not_on_the_path_says_how_it_gets_there(
    tmp_path: Path, folder: str
) -> None:
    package = tmp_path / folder / "hidden_package"
    package.mkdir(parents=True)
    (package / "loaders.py").write_text("def make_loader(): ...\n")
    with pytest.raises(SettingsError) as caught:
        maker.find("hidden_package.loaders:{x}", tmp_path, [], how="Put {} there: pytest {x}")
    text = str(caught.value)
    assert f"lies in {folder or 'the root folder'}, from where no test can import it" in text
    assert text.endswith(f"Put {folder or '.'} there: pytest {{x}}")


def test_a_folder_that_pytest_puts_on_the_path_counts(tmp_path: Path) -> None:
    (tmp_path / "beside_tests.py").write_text("def make_loader(): ...\n")
    found = maker.find("beside_tests:make_loader", tmp_path, [tmp_path], how="")
    assert found.file == tmp_path / "beside_tests.py"


def test_a_wrapper_has_another_name_than_what_it_wraps(tmp_path: Path) -> None:
    (tmp_path / "wrapped.py").write_text("def make_loader(root): ...\n")
    with pytest.raises(
        SettingsError, match=r"`def make_small_loader\(\): return make_loader\(root"
    ):
        maker.find("wrapped:make_loader", tmp_path, [tmp_path], how="")


@pytest.mark.parametrize("text", [b"def make_loader(:\n", b"\xff def make_loader(): ...\n"])
def test_a_file_that_is_no_python_gets_no_test(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "broken.py").write_bytes(text)
    with pytest.raises(SettingsError, match=r"broken\.py cannot be read as Python"):
        maker.find("broken:make_loader", tmp_path, [tmp_path], how="")


def test_nothing_is_imported(root: Path) -> None:
    find(root, "sized")
    assert not [name for name in sys.modules if name.startswith("photos_of_a_test")]
