"""Projects with odd folders, modules, options and temporary folders: each version is measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import tiny
from support.project import Project

CONFTEST = """\
import argparse, enum, pathlib

class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"

class Made(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, object())

def pytest_addoption(parser):
    parser.addoption("--data", type=pathlib.Path, default=pathlib.Path("nowhere"))
    parser.addoption("--more", type=pathlib.Path, action="append")
    parser.addoption("--size", type=Size, choices=list(Size), default=Size.SMALL)
    parser.addoption("--several", type=pathlib.Path, nargs=2)
    parser.addoption("--left-out", type=pathlib.Path, default=pathlib.Path("default"))
    parser.addoption("--made", action=Made)
"""
# Each version says what it was given. Its data lies in a temporary folder.
CHECK = """\
import paced

class Rows:
    def __init__(self, file):
        self.file = file

    def __iter__(self):
        for batch in paced.paced():
            self.file.read_text()
            yield batch

def test_paced(loaderperf, pytestconfig, tmp_path):
    option = pytestconfig.option
    values = option.data, option.more, option.size, option.several, option.left_out
    with open(SAID, "a") as said:
        print(*values, file=said)
    (tmp_path / "rows.csv").write_text("1")
    loaderperf.check(Rows(tmp_path / "rows.csv"))
"""
NODE = "te[st]s/test_it.py::test_paced"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Tests in a folder with a bracket, beside a module named as one of the standard library.

    It does not lie deep: a temporary folder inside of it must have room for names of sockets.
    """
    files = {
        "pytest.ini": "[pytest]\nloaderperf_budget = 16\n",
        "te[st]s/conftest.py": "",
        "te[st]s/statistics.py": "raise RuntimeError('not that of the standard library')\n",
        "te[st]s/paced.py": tiny.PACED,
        "te[st]s/test_it.py": CHECK.replace("SAID", repr(str(tmp_path / "said"))),
        "conftest.py": CONFTEST,
        "data/rows": "",
        ".gitignore": "__pycache__/\n.pytest_cache/\n.loaderperf/\ntmp/\n",
    }
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="lp-") as folder:
        created = Project.create(Path(folder) / "project", files)
        tiny.accept(created, NODE)
        yield created


def test_every_version_gets_what_the_command_line_says_in_its_own_tree(
    project: Project, tmp_path: Path
) -> None:
    data = project.root / "data"
    temporary = project.root / "tmp"
    temporary.mkdir(parents=True)
    # What conftests add to the path, as that of these tests does, is there when plugins are loaded.
    project.put("conftest.py", CONFTEST + "import sys\nsys.path.insert(0, 'te[st]s')\n")
    project.put("data/rows", "changed")  # so that it is asked which files were opened
    run = project.pytest(
        "--loaderperf",
        f"--data={data}",
        *("--more", "/a", "--more", str(data / "rows"), "--size=large", "--several", "/a", "b"),
        environment={"TMPDIR": str(temporary)},
    )
    assert run.verdicts[NODE] in ("unchanged", "inconclusive"), run.output
    said = set((tmp_path / "said").read_text().splitlines())
    assert len(said) == 2, said
    rest = "Size.LARGE [PosixPath('/a'), PosixPath('b')] default"
    assert f"{data} [PosixPath('/a'), PosixPath('{data}/rows')] {rest}" in said
    assert all(rest in each for each in said)
    (other,) = (each.partition(" ")[0] for each in said if not each.startswith(f"{data} "))
    assert other.startswith(str(temporary))  # a worktree
    assert any(f"PosixPath('{other}/rows')" in each for each in said)


def test_value_that_no_text_makes_is_a_usage_error(project: Project) -> None:
    tiny.assert_usage_error(project, "--made=1", says=["--made: <object", "by type=, not action="])
