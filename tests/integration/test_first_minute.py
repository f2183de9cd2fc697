"""From nothing to a check that guards: what a run says is typed as it says, by a shell."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pytest_loaderperf.scaffold.examples import EXAMPLES
from support import tiny
from support.environment import PLAIN, clean
from support.project import Project

PHOTOS = tiny.PACED.replace("class Paced", "class Photos").replace(
    "def __init__(self, batches=10**9)", "def __init__(self, batch_size, batches=10**9)"
) + (
    "\ndef make_loader(batch_size=4):\n    return Photos(batch_size)\n"
    "\ndef read(root):\n    return Photos(4)\n"
)
INIT = "--loaderperf-init=photos:make_loader"
FILE = "tests/perf/test_photos_loader.py"


def typed(project: Project, command: str, folder: str = "") -> tuple[int, str]:
    """What a shell makes of a command, with this environment's pytest; in a ``folder``."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(
        command,
        shell=True,
        cwd=project.root / folder,
        env=clean(PATH=path, PYTEST_ADDOPTS=PLAIN, TMPDIR=str(project.root.parent)),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


def after(output: str, title: str) -> str:
    """What stands in a line of the output behind its title."""
    (line,) = re.findall(rf"^{re.escape(title)}: +(.+)$", output, re.MULTILINE)
    return str(line)


def create(root: Path, *, git: bool = True, ini: str = "pythonpath = .\n") -> Project:
    settings = "\n".join(["[pytest]", *tiny.SHORT, ini])
    return Project.create(root, {"photos.py": PHOTOS, "pytest.ini": settings}, git=git)


# --- a test that is written


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str, str]:
    """A project, what a run said without a check, and what the run that wrote one said."""
    project = create(tmp_path_factory.mktemp("begun") / "project")
    project.git("add", "pytest.ini", ".gitignore")
    project.git("commit", "-q", "-m", "settings")
    status, nothing = typed(project, "pytest --loaderperf")
    assert status == 5, nothing
    command = next(line for line in nothing.splitlines() if INIT in line).strip()
    status, output = typed(project, command)
    assert status == 0, output
    return project, nothing, output


def test_a_function_of_the_project_is_offered(begun: tuple[Project, str, str]) -> None:
    _, nothing, _ = begun
    assert f"    pytest {INIT}\n" in nothing


def test_a_first_test_is_written_and_accepted(begun: tuple[Project, str, str]) -> None:
    project, _, output = begun
    text = (project.root / FILE).read_text()
    assert "from photos import make_loader" in text
    assert "batch_sizes=[1, 4]" in text
    assert "loaderperf: written: baselines/tests/perf/test_photos_loader.json, 2 checks" in output
    # The loader is not committed yet, and without it there would be no version of it to measure.
    commit = after(output, "Commit it")
    files = f"{FILE} baselines/tests/perf/test_photos_loader.json photos.py"
    assert commit == f"git add {files} && git commit -m 'Guard photos_loader'"
    assert after(output, "From then on") == "pytest --loaderperf"


def test_what_it_says_to_type_guards_the_loader(begun: tuple[Project, str, str]) -> None:
    project, _, output = begun
    if project.git("status", "--porcelain"):
        status, told = typed(project, after(output, "Commit it"))
        assert status == 0, told
    assert project.git("status", "--porcelain") == ""
    status, told = typed(project, after(output, "From then on"))
    assert status == 0, told
    assert "2 identical" in told


def test_what_is_there_is_not_overwritten(begun: tuple[Project, str, str]) -> None:
    project, _, _ = begun
    before = (project.root / FILE).read_text()
    status, output = typed(project, f"pytest {INIT}", "tests")
    assert status == 4
    here = "perf/test_photos_loader.py"  # from where it was typed
    assert f"{here} exists, and is not overwritten" in output
    assert f"pytest {here} --loaderperf-update" in output
    assert (project.root / FILE).read_text() == before


# --- errors, of which none leaves a file


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--loaderperf-init", ["name a function", "--loaderperf-init=package.module:make_loader"]),
        ("--loaderperf-init=photos", ["behind a colon: --loaderperf-init=photos:make_loader"]),
        ("--loaderperf-init=photo:make_loader", ["there is no such module"]),
        ("--loaderperf-init=photos:read", ["needs root, which nobody can guess"]),
        (f"{INIT} /tmp", ["takes /tmp for the root folder", "--rootdir=. --loaderperf-init="]),
        (f"{INIT} --rootdir=. /tmp", ["lies outside of"]),
        (f"{INIT} a b", ["give one place"]),
        (f"{INIT} --co", ["Leave out --collect-only: ", "--loaderperf-init=photos:make_loader"]),
        (f"{INIT} --loaderperf-sweep=8:16", ["leave out"]),
    ],
)
def test_what_cannot_be_written_is_said_at_once(
    tmp_path_factory: pytest.TempPathFactory, arguments: str, says: list[str]
) -> None:
    root = tmp_path_factory.getbasetemp() / "errors" / "project"
    project = Project(root) if root.exists() else create(root, git=False)
    run = project.pytest(*arguments.split())
    assert run.status == 4, run.output
    for part in says:
        assert part in run.output
    assert "Traceback" not in run.output
    assert not (root / "tests").exists()


def test_a_module_in_src_says_how_it_gets_onto_the_path(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project", {"src/hidden_photos.py": PHOTOS}, git=False)
    status, output = typed(project, "pytest --loaderperf-init=hidden_photos:make_loader")
    assert status == 4
    assert "hidden_photos lies in src, from where no test can import it" in output
    (command,) = re.findall(r"ini file: (printf .+); then: (pytest .+)", output)
    # Written, not measured: that it is found is what matters here.
    typed(project, f"{command[0]} && {command[1]} -k nothing")
    status, output = typed(project, "pytest --loaderperf --co")
    assert status == 0, output
    assert "test_hidden_photos_loader[4]" in output


# --- an example that is written by hand


def copied(output: str) -> tuple[str, str, list[str]]:
    """The file, the text and the commands of the example that a run shows."""
    (file, text), *_ = re.findall(r"(\S+):\n\n((?:    .+\n|\n)+)Then type:\n", output)
    commands = output.partition("Then type:\n\n")[2].partition("\n\n")[0]
    return file, textwrap.dedent(text).strip() + "\n", textwrap.dedent(commands).splitlines()


def test_an_example_is_written_and_typed_as_it_is_said(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it="def test_other(): pass\n")
    project.commit("a project")
    _, output = typed(project, "pytest --loaderperf")
    file, text, commands = copied(output)
    assert text == EXAMPLES[""]
    project.put(file, text)
    assert len(commands) == 3
    for command in commands:
        status, output = typed(project, command)
        assert status == 0, output
    assert "1 identical" in output


def test_without_a_check_in_what_was_given_there_may_be_some_elsewhere(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_other="def test_x(): pass\n")
    run = project.pytest("--loaderperf", "test_other.py")
    assert run.status == 4  # by pytest, to which none of its tests is one
    assert "No check is in test_other.py. To look in all tests: " in run.output


# --- rows as they are decided


def test_a_terminal_shows_how_far_a_run_is_and_each_row_at_once(tmp_path: Path) -> None:
    two = tiny.CHECK + "\ndef test_new(loaderperf):\n    loaderperf.check(paced.Paced())\n"
    project = tiny.create(tmp_path / "project", test_it=two)
    tiny.accept(project)
    output, status = in_terminal(
        project, [sys.executable, "-m", "pytest", "--loaderperf", tiny.WIDE], columns=100
    )
    assert status == 1, output
    live, row = output.index("1/2 test_paced: pair 1"), output.index(" test_paced  unchanged")
    news, new = output.index("2/2 test_new: "), output.index(" test_new    no_baseline")
    end = output.index("= loaderperf =")
    assert live < row < news < new < end
    assert "at most 32 s of judging left" in output
    assert re.search(r"2/2 test_new: .+; about \d+ s left", output)
    shown = visible(output)
    assert shown[shown.index("test_it.py ") + 1].startswith(". test_paced  unchanged")
    assert not any("pair 1" in line for line in shown)  # nothing is left of the live line
    assert "┊" in next(line for line in shown if line.startswith(". test_paced"))
    assert all(len(line) <= 100 for line in shown if line.startswith((". ", "F ", "  ")))


def in_terminal(project: Project, command: list[str], columns: int) -> tuple[str, int]:
    """What a program writes to a terminal, without its colours, and its exit status."""
    leader, follower = pty.openpty()
    variables = clean(
        COLUMNS=str(columns), TERM="xterm", TMPDIR=str(project.root.parent), PYTHONUTF8="1"
    )
    with subprocess.Popen(
        command,
        cwd=project.root,
        env=variables,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        read = bytearray()
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:  # nobody has the other end any more
                break
            if not part:
                break
            read += part
    os.close(leader)
    text = read.decode("utf-8").replace("\r\n", "\n")
    return re.sub("\x1b\\[[0-9;]*m", "", text), process.returncode


def visible(output: str) -> list[str]:
    """The lines of a terminal after all that was written: texts between two marks are replaced."""
    without = re.sub("\x1b7[^\x1b]*\x1b\\[K\x1b8", "", output)
    return without.replace("\x1b[K", "").split("\n")
