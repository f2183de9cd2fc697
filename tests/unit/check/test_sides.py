"""Both versions of a check: whether they have run the same sources."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.check.sides import Sides
from pytest_loaderperf.check.state import Findings
from pytest_loaderperf.measure import calibration
from pytest_loaderperf.model.version import Version


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        ({"a.py": "1"}, {"a.py": "1"}, True),
        ({"a.py": "1"}, {"a.py": "2"}, False),
        ({"a.py": "1"}, {}, False),
        ({"a.py": "1", "unused.py": "1"}, {"a.py": "1", "unused.py": "2"}, True),
    ],
)
def test_sources_are_the_same_if_all_that_was_used_is(
    tmp_path: Path, here: dict[str, str], there: dict[str, str], same: bool
) -> None:
    for folder, files in (("here", here), ("there", there)):
        (tmp_path / folder / "data").mkdir(parents=True)
        for name, text in files.items():
            (tmp_path / folder / name).write_text(text)
    nothing: Any = None
    proof: Any = SimpleNamespace(used=lambda *_: {"a.py", "data", "gone.py"})
    candidate = Version(root=tmp_path / "here")
    version = Version(
        root=tmp_path / "there",
        commit="1234567890abcdef",
        toplevel=str(tmp_path / "here"),
        moved_to=str(tmp_path / "there"),
    )
    sides = Sides(nothing, nothing, candidate, proof, nothing)
    bench: Any = SimpleNamespace(spec=SimpleNamespace(module="test_x.py", nodeid="test_x.py::x"))
    assert sides.run_the_same(bench, version) is same


class Watched:
    """Arms that only say which versions and modules were watched while they collected."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    @contextlib.contextmanager
    def watched(self, version: Version, module: str) -> Iterator[SimpleNamespace]:
        self.seen.append((version.name, module))
        yield SimpleNamespace(collected=())

    def drop(self, version: Version, module: str) -> None:
        pass


def test_what_a_module_opens_is_watched_once_until_its_commit_gets_more_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "watch", lambda *_: None)
    candidate = Version(root=tmp_path / "here")
    version = Version(root=tmp_path, commit="1234567890abcdef", moved_to=str(tmp_path))
    more: list[bool] = []
    arms, nothing = Watched(), SimpleNamespace()
    references: Any = SimpleNamespace(
        changes=lambda *_: nothing,
        notes=lambda *_: [],
        carry=lambda *_: bool(more and more.pop()),
    )
    proof: Any = SimpleNamespace(
        may_read_changes=lambda *_: True,
        reads_changes=lambda *_: True,
        prove=lambda *_: [],
        used=lambda *_: set(),
    )
    fakes: Any = arms, SimpleNamespace(update=None)
    sides = Sides(fakes[0], references, candidate, proof, fakes[1])
    folders = tmp_path, tmp_path
    found = Findings(ran=((folders, folders),))
    here, there = candidate.name, version.name

    def prove(name: str, number: int) -> None:
        spec = SimpleNamespace(module=name, nodeid=f"{name}::test_{number}")
        bench: Any = SimpleNamespace(spec=spec, candidate=candidate, arm=lambda *_: None)
        sides.carry(bench, version)
        sides.proven(bench, version, found)

    for number in range(3):
        prove("test_a.py", number)
    assert arms.seen == [(here, "test_a.py"), (there, "test_a.py")]
    prove("test_b.py", 0)
    assert arms.seen[2:] == [(here, "test_b.py"), (there, "test_b.py")]
    more.append(True)
    prove("test_a.py", 3)
    assert arms.seen[4:] == [(there, "test_a.py")]
