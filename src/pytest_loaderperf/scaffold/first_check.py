"""A first test of a loader: where it goes, what it says, and how it is written."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from .maker import SWITCH, Maker

_VERBS = re.compile(r"^(?:make|build|get|create)_(?=.)")
_GENERAL = {"loader", "loaders", "dataloader", "data_loader", "dataset", "data"}
_TAKEN = {"pytest", "loaderperf", "batch_size"}  # names that a test uses
_USUAL = (32, 128)  # batch sizes, where the function has none by default


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a project has its tests: ``root``, and what its ini file says of them."""

    root: Path
    testpaths: Sequence[str] = ()
    patterns: Sequence[str] = ("test_*.py", "*_test.py")

    @property
    def folder(self) -> Path:
        """Where checks go: a folder that a run without arguments collects."""
        given = [self.root / each for each in self.testpaths]
        usual = [self.root / each for each in ("tests", "test")]
        found = next((each for each in (*given, *usual) if each.is_dir()), usual[0])
        if any(each.name == "perf" for each in given):
            return next(each for each in given if each.name == "perf")
        return found / "perf"

    def file(self, name: str) -> str:
        """What a test file of a name is called, so that pytest collects it."""
        usual = f"test_{name}.py"
        if any(fnmatch.fnmatch(usual, pattern) for pattern in self.patterns):
            return usual
        return self.patterns[0].replace("*", name)


def name_of(maker: Maker) -> str:
    """What to call a test of a maker: ``make_train_loader`` makes a train_loader."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", maker.name).lower()
    name = _VERBS.sub("", name.strip("_")) or "loader"
    module = maker.module.rpartition(".")[2].lower().strip("_")
    if name in _GENERAL and module not in _GENERAL and module:
        name = f"{module}_{name}"
    return name


def place(maker: Maker, layout: Layout, given: Path | None) -> Path:
    """Where its test goes: the file or folder that is ``given``, or where the tests are."""
    usual = layout.file(name_of(maker))
    if given is None:
        return layout.folder / usual
    return given if given.suffix == ".py" else given / usual


def text(maker: Maker) -> str:
    """The test of a maker."""
    name, function = name_of(maker), maker.name
    # What is called as a test would be collected as one, and what the test has would be hidden.
    taken = function.lower().startswith("test") or function in _TAKEN
    renamed = " as make_loader" if taken else ""
    function = "make_loader" if renamed else function
    sizes, call, argument = "", f"{function}()", ""
    if maker.batch_size is not None:
        default = maker.batch_size
        chosen = sorted({max(1, default // 4), default}) if default else _USUAL
        sizes = f"@pytest.mark.loaderperf(batch_sizes={[*chosen]})\n"
        call, argument = f"{function}(batch_size=batch_size)", "batch_size, "
    if maker.one_shot:
        call = f"lambda: {call}" if argument else function
    imports = "import pytest\n\n" if sizes else ""
    return (
        f"{imports}from {maker.module} import {maker.name}{renamed}\n\n\n"
        f"{sizes}def test_{name}({argument}loaderperf):\n"
        f"    loaderperf.check({call})\n"
    )


def write(path: Path, content: str, shown: str, *, again: str, measure: str) -> None:
    """Write the test, and make its folder. SettingsError where there is a file, or cannot be one.

    It is ``shown`` so to the user. ``again`` is the command that asks for it, ``measure`` the one
    that measures what is there.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder.parent / "__init__.py").exists() and not (folder / "__init__.py").exists():
            (folder / "__init__.py").touch()  # as the project has its tests
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        raise SettingsError(
            f"{SWITCH}: {shown} exists, and is not overwritten. Measure what it has: "
            f"{measure}; or name another file: {again} "
            f"{Path(shown).with_name('test_another.py')}"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{SWITCH}: {shown} cannot be written: {error.strerror}. Name another place: {again} "
            "tests/perf"
        ) from None
