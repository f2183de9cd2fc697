"""With the exchange of sources switched off the proof fails; with that off, too, all passes again.

So the rows of the table can fail, and each of both parts is seen to do its work.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from layouts.build import Built, build
from layouts.table import QUICK, Row
from support.project import Run

# Modules that pytest loads before the guard starts.
NO_EXCHANGE = """\
from pathlib import Path
from pytest_loaderperf.child.loaderperf_sources import Exchange

dump = Exchange.dump

def without(self):
    installed = {str(each) for copy in self.copies for each in (Path(copy), *Path(copy).rglob("*"))}
    return dump(Exchange(self.old, "", {}, self.kept, {*self.own, *installed}))

Exchange.dump = without
"""
NO_PROOF = """\
from pytest_loaderperf.versions.proof import Proof
from pytest_loaderperf.versions.sources import Sources

Proof.check = Sources.check_seen = lambda *_: None
Proof.prove = lambda *_, **__: []
"""
NO_CARRYING = """\
from pytest_loaderperf.versions.worktree import Worktree

Worktree.carry_ignored = lambda *_: []
"""


def run_with(built: Built, *mutations: str, ini: tuple[str, ...] = ()) -> Run:
    """Run the check of a project whose guard lacks something."""
    folder = built.top.parent / "mutations"
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(mutations):
        (folder / f"mutation_{number}.py").write_text(text)
    plugins = [f"-pmutation_{number}" for number in range(len(mutations))]
    return built.run(*plugins, *ini, path=folder)


def slowed(row: Row, folder: Path) -> Built:
    built = build(row, folder / "layout")
    built.slow_down()
    return built


HAS_ALL = [row for row in QUICK if row.layout not in ("version", "reading")]
LACKS_FILES = [row for row in QUICK if row not in HAS_ALL]


@pytest.mark.parametrize("row", HAS_ALL, ids=lambda row: row.name)
def test_both_versions_run_the_same_and_nothing_says_so(row: Row, tmp_path: Path) -> None:
    built = slowed(row, tmp_path)
    run = run_with(built, NO_EXCHANGE)
    assert run.verdicts == {built.node: "error"}, run.output
    assert run.status == 1
    run = run_with(built, NO_EXCHANGE, NO_PROOF)
    assert run.verdicts == {built.node: "unchanged"}, run.output
    assert run.status == 0


@pytest.mark.parametrize("row", LACKS_FILES, ids=lambda row: row.name)
def test_commit_that_cannot_start_is_compared_with_stored_numbers(row: Row, tmp_path: Path) -> None:
    built = slowed(row, tmp_path)
    run = run_with(built, NO_CARRYING)
    assert run.verdicts == {built.node: "error"}, run.output
    assert "name what its tests need in loaderperf_share" in run.output
    run = run_with(built, NO_CARRYING, ini=("-o", "loaderperf_fallback=stored"))
    assert run.verdicts == {built.node: "inconclusive"}, run.output
    assert run.status == 0
