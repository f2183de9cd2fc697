"""Both versions of a check: whether they have run the same sources."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.check.sides import Sides
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
