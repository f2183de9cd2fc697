"""Data folders: built once, whole or not at all, and never shared by two ways to build."""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import queue
import stat
import sys
import tempfile
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_loaderperf import data
from pytest_loaderperf.build_digest import digest
from pytest_loaderperf.errors import SettingsError

WAIT = 10.0  # seconds: a test that waits so long has failed


def fill(path: Path) -> None:
    (path / "photo.jpg").write_bytes(b"jpeg")


def fill_differently(path: Path) -> None:
    (path / "photo.png").write_bytes(b"png")


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    first, built = data.folder(tmp_path, "photos", fill)
    assert built
    assert (first / "photo.jpg").read_bytes() == b"jpeg"
    assert data.folder(tmp_path, "photos", fill) == (first, False)


def test_its_name_shows(tmp_path: Path) -> None:
    path, _ = data.folder(tmp_path, "photos", fill)
    assert path.parent == tmp_path
    assert path.name.startswith("photos-")


def test_build_gets_an_empty_folder_that_exists(tmp_path: Path) -> None:
    seen: list[list[Path]] = []
    data.folder(tmp_path, "photos", lambda path: seen.append(list(path.iterdir())))
    assert seen == [[]]


@pytest.mark.parametrize("other", [("texts", fill), ("photos", fill_differently)])
def test_another_name_or_another_way_to_build_is_another_folder(
    tmp_path: Path, other: tuple[str, data.Build]
) -> None:
    first, _ = data.folder(tmp_path, "photos", fill)
    second, built = data.folder(tmp_path, *other)
    assert built
    assert second != first


def _into(path: Path, name: object) -> None:
    (path / str(name)).touch()


def test_ways_to_build_that_have_no_text_are_told_apart(tmp_path: Path) -> None:
    one, _ = data.folder(tmp_path, "photos", functools.partial(_into, name="a"))
    two, built = data.folder(tmp_path, "photos", functools.partial(fill))
    assert built
    assert one != two


def test_a_build_without_text_of_its_own_works(tmp_path: Path) -> None:
    path, built = data.folder(tmp_path, "photos", eval("lambda path: (path / 'a').touch()"))
    assert built
    assert (path / "a").exists()


def test_a_failed_build_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    working = False

    def build(path: Path) -> None:
        fill(path)
        if not working:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        data.folder(tmp_path, "photos", build)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    working = True
    path, built = data.folder(tmp_path, "photos", build)
    assert built
    assert (path / "photo.jpg").exists()


def test_what_a_build_writes_may_name_its_folder(tmp_path: Path) -> None:
    def build(path: Path) -> None:
        fill(path)
        (path / "manifest").write_text(str(path / "photo.jpg"))

    path, _ = data.folder(tmp_path, "photos", build)
    assert Path((path / "manifest").read_text()).read_bytes() == b"jpeg"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_build_that_is_killed_is_started_anew(tmp_path: Path) -> None:
    def build(path: Path) -> None:
        assert not list(path.iterdir())
        fill(path)
        if os.getpid() != parent:
            os._exit(9)

    parent = os.getpid()
    child = os.fork()
    if child == 0:
        data.folder(tmp_path, "photos", build)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    path, built = data.folder(tmp_path, "photos", build)
    assert built
    assert (path / "photo.jpg").exists()
    assert data.folder(tmp_path, "photos", build) == (path, False)


def test_a_folder_of_an_earlier_version_is_whole(tmp_path: Path) -> None:
    path, _ = data.folder(tmp_path / "a", "photos", fill)
    digest = hashlib.sha256(inspect.getsource(fill).encode()).hexdigest()[:8]
    assert path.name == f"photos-{digest}"  # as it always was, so that nothing is built anew
    (tmp_path / "b" / path.name).mkdir(parents=True)
    assert data.folder(tmp_path / "b", "photos", fill) == (tmp_path / "b" / path.name, False)


# --- what a build is called with


@dataclass
class Config:
    rows: int


@dataclass(frozen=True, slots=True)
class Slotted:
    rows: int


class Factory:
    """Equal to itself alone."""

    def __init__(self) -> None:
        self.made = object()


def closed_over(value: object) -> data.Build:
    return lambda path: (path / str(value)).touch()


def with_default(value: object) -> data.Build:
    def build(path: Path, each: object = value) -> None:
        (path / str(each)).touch()

    return build


def with_argument(value: object) -> data.Build:
    return functools.partial(_into, name=value)


def of_an_object(value: object) -> data.Build:
    config: Any = Config(rows=value)  # type: ignore[arg-type]
    return types.MethodType(_into, config)


def nested(value: object) -> data.Build:
    inner = closed_over(value)

    def build(path: Path) -> None:
        inner(path)

    return build


WAYS = [closed_over, with_default, with_argument, of_an_object, nested]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (100, 200),
        (1, True),
        (1, "1"),
        ("a", b"a"),
        ([1, 2], [2, 1]),
        ({"a": [1]}, {"a": [2]}),
        ({1, 2}, {1, 3}),
        (Config(rows=1), Config(rows=2)),
        (Slotted(rows=1), Slotted(rows=2)),
        (date(2026, 1, 1), date(2026, 1, 2)),
        (Decimal("1.5"), Decimal("1.25")),
        (np.dtype("f4"), np.dtype("f8")),
        (SimpleNamespace(a=1), SimpleNamespace(a=2)),
        (np.zeros(2), np.ones(2)),
        (np.zeros(2), np.zeros(2, dtype="f4")),
        (int, float),
        (fill, fill_differently),
        (Path("/data/a"), Path("/data/b")),
        (None, 0),
    ],
)
def test_builds_with_other_data_are_told_apart(
    way: Callable[[object], data.Build], one: object, other: object
) -> None:
    first, second = digest(way(one), None), digest(way(other), None)
    assert first != second
    assert first == digest(way(copy.deepcopy(one)), None)


@pytest.mark.parametrize("way", WAYS)
def test_objects_that_are_like_no_other_count_by_their_type(
    way: Callable[[object], data.Build],
) -> None:
    assert digest(way(Factory()), None) == digest(way(Factory()), None)
    assert digest(way(Factory()), None) != digest(way(threading.Event()), None)


def test_the_order_of_sets_and_dictionaries_does_not_count() -> None:
    words = [str(n) for n in range(50)]
    assert len({digest(closed_over({*each}), None) for each in (words, words[::-1])}) == 1
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert digest(closed_over(one), None) == digest(closed_over(other), None)


def test_what_holds_itself_is_told(tmp_path: Path) -> None:
    value: list[object] = [1]
    value.append(value)
    assert digest(closed_over(value), None)

    def again(path: Path) -> None:
        _ = again

    assert digest(again, None)


def test_paths_of_a_version_and_of_temporary_folders_are_the_same_for_all(tmp_path: Path) -> None:
    digests = set()
    for place in ("working-tree", "worktree"):
        project = tmp_path / place / "sub"
        project.mkdir(parents=True)
        (project.parent / ".git").touch()
        for path in (project / "texts", project.parent / "texts"):
            digests.add(digest(closed_over(path), project))
            digests.add(digest(closed_over(str(path)), project))
    assert len(digests) == 4  # two folders, each as a path and as a text
    temporary = Path(tempfile.gettempdir())
    assert digest(closed_over(temporary / "a"), None) != digest(closed_over(Path("/a")), None)


# --- what a build uses of the project

BUILDS = """\
import functools
import json
import shapes
from shapes import Shape, encode

ROWS = 10
SIZES = [1, 2]

class Base:
    depth = 3

class Config(Base):
    def rows(self):
        return inner(self.depth)

    def fill(self, path):
        self.rows()

def inner(n):
    return outer(n) + 1

def outer(n):
    return inner(n - 1) if n else 0

def unused():
    return 1

class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("outside of a request")

proxy = Proxy()

def constants(path):
    return proxy, [size for size in SIZES if (lambda: size < ROWS)()]

def helpers(path):
    return json.dumps(encode(inner(1)))

def of_a_module(path):
    return shapes.write(path)

def of_a_class(path):
    return Config().rows(), Shape.WIDE

with_an_argument = functools.partial(lambda path, of: of(1), of=inner)
of_an_object = Config().fill
"""
SHAPES = """\
import enum

class Shape(enum.Enum):
    WIDE = 1

SUFFIX = ".txt"

def encode(n):
    return n * 2

def write(path):
    return path / SUFFIX
"""
BUILDERS = (
    "constants", "helpers", "of_a_module", "of_a_class", "with_an_argument", "of_an_object"
)  # fmt: skip
# What another text of one line makes anew.
EDITS = {
    ("ROWS = 10", "ROWS = 20"): {"constants"},
    ("SIZES = [1, 2]", "SIZES = [1, 3]"): {"constants"},
    ("size < ROWS", "size <= ROWS"): {"constants"},
    ("return n * 2", "return n * 3"): {"helpers"},
    ('SUFFIX = ".txt"', 'SUFFIX = ".csv"'): {"of_a_module"},
    ("return path / SUFFIX", "return path / 'a' / SUFFIX"): {"of_a_module"},
    ("WIDE = 1", "WIDE = 2"): {"of_a_class"},
    ("depth = 3", "depth = 4"): {"of_a_class", "of_an_object"},
    ("return inner(self.depth)", "return self.depth"): {"of_a_class", "of_an_object"},
    ("return outer(n) + 1", "return outer(n) + 2"): {
        "helpers", "of_a_class", "of_an_object", "with_an_argument"
    },
    ("if n else 0", "if n else 9"): {"helpers", "of_a_class", "of_an_object", "with_an_argument"},
    ("return 1\n", "return 2\n"): set(),
    ("import json\n", "import json\nimport os\n\nOTHER = os.sep\n"): set(),
}  # fmt: skip


def digests(root: Path, monkeypatch: pytest.MonkeyPatch, edit: tuple[str, str]) -> dict[str, str]:
    """Of each build of a project that is edited so."""
    (root / ".git").mkdir(parents=True)
    for name, text in (("builds", BUILDS), ("shapes", SHAPES)):
        (root / f"{name}.py").write_text(text.replace(*edit))
        monkeypatch.delitem(sys.modules, name, raising=False)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(root))
        builds = importlib.import_module("builds")
    found = {name: digest(getattr(builds, name), root) for name in BUILDERS}
    for name in ("builds", "shapes"):
        monkeypatch.delitem(sys.modules, name)
    return found


@pytest.mark.parametrize("edit", EDITS)
def test_what_a_build_uses_of_the_project_makes_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: tuple[str, str]
) -> None:
    before = digests(tmp_path / "a", monkeypatch, ("", ""))
    same = digests(tmp_path / "b", monkeypatch, ("", ""))
    assert same == before
    after = digests(tmp_path / "c", monkeypatch, edit)
    assert {name for name in BUILDERS if before[name] != after[name]} == EDITS[edit]


def test_a_long_range_is_told_without_its_numbers(tmp_path: Path) -> None:
    def of(count: int) -> str:
        return digest(functools.partial(print, range(count)), tmp_path)

    assert of(10**15) == of(10**15) != of(10**14)


def test_a_build_of_an_installed_package_counts_by_its_text(tmp_path: Path) -> None:
    package = tmp_path / ".venv" / "site-packages" / "shapes.py"
    package.parent.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    told = []
    for suffix in (".txt", ".csv"):
        package.write_text(SHAPES.replace(".txt", suffix))
        spec = importlib.util.spec_from_file_location("shapes", package)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        assert spec.loader is not None
        spec.loader.exec_module(module)
        told.append(digest(module.write, tmp_path))
    assert told[0] == told[1]


def test_who_comes_second_waits_and_does_not_build(tmp_path: Path) -> None:
    building, second_built = threading.Event(), threading.Event()
    times: queue.SimpleQueue[str] = queue.SimpleQueue()
    results: list[tuple[Path, bool]] = []

    def build(path: Path) -> None:
        times.put("built")
        if times.qsize() > 1:
            second_built.set()
        building.set()
        second_built.wait(0.2)  # long enough for a second one that does not wait
        fill(path)

    def run() -> None:
        results.append(data.folder(tmp_path, "photos", build))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    threads[0].start()
    assert building.wait(WAIT)
    threads[1].start()
    for thread in threads:
        thread.join(WAIT)
    assert times.qsize() == 1
    assert sorted(built for _, built in results) == [False, True]
    assert len({path for path, _ in results}) == 1


@pytest.mark.parametrize("name", ["photos", "photos_2-small.v1", "b" * 100, "-", "фото"])
def test_names_of_letters_digits_and_a_few_signs_work(tmp_path: Path, name: str) -> None:
    path, _ = data.folder(tmp_path, name, fill)
    assert path.is_dir()
    assert path.parent == tmp_path


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../a", "/a", "a b", "a\n", "a\\b", "a\0", "C:a"]
)
def test_other_names_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        data.folder(tmp_path / "root", name, fill)
    assert f"loaderperf_data({name!r})" in str(caught.value)
    assert not (tmp_path / "root").exists()


def test_git_ignores_the_data_of_a_project(tmp_path: Path) -> None:
    root = data.root(tmp_path)
    assert root.is_relative_to(tmp_path)
    data.folder(root, "photos", fill)
    assert (root / ".gitignore").read_text() == "*\n"


@pytest.mark.skipif(os.name != "posix", reason="has no such modes")
def test_others_may_read_what_was_built(tmp_path: Path) -> None:
    path, _ = data.folder(tmp_path, "photos", fill)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
