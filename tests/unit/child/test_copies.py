"""Which lines a process writes down as those that copy memory which it shares; of known sizes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pytest_loaderperf import child
from pytest_loaderperf.why.memory import copied

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
CHILD = str(Path(child.__file__).parent)
# Each text takes 64 bytes.
CODE = """\
import mmap, os, resource, sys, time
import loaderperf_copies

TEXTS = [f"{number:015d}" for number in range(400_000)]

BLOCK = bytearray(b"x") * 2**23

def look(first, last):
    return sum(map(len, TEXTS[first:last]))

def look_at_few(first):
    time.sleep(0)
    return [len(TEXTS[first + each]) for each in range(20)]

def allocate():
    return bytearray(b"x") * 2**24

def come_and_go():
    for _ in range(50):
        sum(list(map(float, range(20_000))))

def read():
    with open(__file__, "rb") as file:
        return len(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[:])

def work():
    kept = allocate()
    read()
    come_and_go()
    look(0, 100_000)
    for first in range(200_000, 300_000, 20):
        look_at_few(first)
    time.sleep(0.1)
    come_and_go()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # as a loader that leaves it no file
    look(0, 1)

def fork():
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    print(pid, flush=True)

def change():
    BLOCK[:: mmap.PAGESIZE] = b"y" * len(BLOCK[:: mmap.PAGESIZE])

if not os.fork():  # as a trial is forked from its arm
    loaderperf_copies.start(sys.argv[1])
    look(0, 100_000)
    fork()
    pid = os.fork()
    if not pid:
        time.sleep(60)
    print(pid, flush=True)
    change()
    time.sleep(0.2)
    look(0, 1)
    os.kill(pid, 9)
    os.wait()
    os._exit(0)
os.wait()
"""
LINES = CODE.splitlines()


def line_of(text: str) -> int:
    return LINES.index(text) + 1


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder in which processes have written, and the names of those that were forked."""
    folder = tmp_path_factory.mktemp("copies")
    (folder / "main.py").write_text(CODE)
    (folder / "written").mkdir()
    command = [sys.executable, str(folder / "main.py"), str(folder / "written")]
    environment = {"PYTHONPATH": CHILD, "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    forked = done.stdout.split()
    assert len(forked) == 2
    return folder / "written", forked


def mib(path: Path) -> Counter[int]:
    """What each line copied, in MiB."""
    found: Counter[int] = Counter()
    for size, calls in copied(path):
        found[calls[-1].line] += size  # type: ignore[assignment]
    return found


def test_each_process_writes_a_file_of_its_own(written: tuple[Path, list[str]]) -> None:
    folder, forked = written
    (main,) = {path.name for path in folder.iterdir()} - {*forked}
    assert main.startswith("main-")


def test_a_line_that_looks_at_objects_copies_their_pages(written: tuple[Path, list[str]]) -> None:
    folder, forked = written
    for name in forked[:1]:
        lines = mib(folder / name)
        each = 100_000 * 64 / 2**20
        assert lines[line_of("    return sum(map(len, TEXTS[first:last]))")] == pytest.approx(
            each, rel=0.1
        )
        few = line_of("    return [len(TEXTS[first + each]) for each in range(20)]")
        assert lines[few] == pytest.approx(each, rel=0.1)


def test_what_is_new_is_no_copy(written: tuple[Path, list[str]]) -> None:
    """It is allocated, read from a file, or has come and gone."""
    folder, forked = written
    looks = {number for number, text in enumerate(LINES, 1) if "TEXTS[" in text}
    for name in forked:
        rest = {line: size for line, size in mib(folder / name).items() if line not in looks}
        assert all(size < 1 for size in rest.values()), rest


def test_a_trial_copies_what_its_workers_share_and_not_what_its_arm_does(
    written: tuple[Path, list[str]],
) -> None:
    folder, forked = written
    (main,) = (path for path in folder.iterdir() if path.name not in forked)
    lines = mib(main)
    change = line_of('    BLOCK[:: mmap.PAGESIZE] = b"y" * len(BLOCK[:: mmap.PAGESIZE])')
    assert lines[change] == pytest.approx(8, rel=0.1)
    assert sum(lines.values()) - lines[change] < 1


def test_calls_are_told_from_the_outermost_one_on(written: tuple[Path, list[str]]) -> None:
    folder, forked = written
    calls = max(copied(folder / forked[0]))[1]
    assert [call.function for call in calls][-2:] in (["work", "look"], ["work", "look_at_few"])
    assert all(call.file.endswith("main.py") for call in calls)


def test_of_a_process_that_was_killed_the_whole_lines_count(tmp_path: Path) -> None:
    path = tmp_path / "7"
    calls = [["x.py", "load", 3]]
    path.write_text("\n".join(map(json.dumps, ([2**20, calls], [2**19, calls]))) + "\n[1, [[")
    assert [(size, call.line) for size, (call,) in copied(path)] == [(1.0, 3), (0.5, 3)]
