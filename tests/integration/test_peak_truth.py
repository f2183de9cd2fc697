"""Peak memory of trees whose answer is known, from both of its sources on Linux."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pytest_loaderperf.system import peak_memory, signals
from pytest_loaderperf.system.peak_memory import PeakMemory

MIB = 2**20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Each tree runs its first part, is followed from then on, and runs its second part.
PRELUDE = """
import mmap, os, signal, sys, time
PAGE = 4096
SHARED = f"/dev/shm/torch_{os.getpid()}_1"
def touch(block, value=b"x"):
    for start in range(0, len(block), PAGE):
        block[start:start + 1] = value
def private(size):
    block = bytearray(size << 20)
    touch(block)
    return block
def fork(work):
    ready, told = os.pipe()
    if os.fork() == 0:
        kept = work()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        os.write(told, b"x")
        signal.pause()
    os.read(ready, 1)
"""
TREES = {
    "nothing": ("", "", 0),
    "the process itself": ("", "block = private(300)", 300),
    "four workers": ("", "for _ in range(4): fork(lambda: private(100))", 400),
    "a grandchild": ("", "fork(lambda: fork(lambda: private(300)))", 300),
    "shared between processes": (
        "",
        "block = mmap.mmap(-1, 300 << 20)\ntouch(block)\nfork(lambda: sum(block[::PAGE]))",
        300,
    ),
    "a shared file that nobody maps any more": (
        "",
        "file = os.open(SHARED, os.O_RDWR | os.O_CREAT)\nos.unlink(SHARED)\n"
        "os.truncate(file, 300 << 20)\n"
        "with mmap.mmap(file, 300 << 20) as block: touch(block)",
        300,
    ),
    "a shared file that nobody has open": (
        "",
        "with open(SHARED, 'wb') as file:\n    for _ in range(300): file.write(b'x' * 2**20)",
        300,
    ),
    "a fork that touches nothing": ("block = private(300)", "fork(lambda: None)", 0),
    "a fork that writes to what it shares": (
        "block = private(300)",
        "fork(lambda: touch(block, b'y'))",
        300,
    ),
    "a spike of a millisecond": ("", "block = private(300)\ntime.sleep(0.001)\ndel block", 300),
    "a spike in a worker": (
        "",
        "def work():\n    block = private(300)\n    time.sleep(0.001)\nfork(work)",
        300,
    ),
    "a file that is mapped": (
        "file = open(sys.argv[1], 'w+b')\nfile.truncate(300 << 20)\nfile.write(b'x' * (300 << 20))",
        "block = mmap.mmap(file.fileno(), 300 << 20, prot=mmap.PROT_READ)\nsum(block[::PAGE])",
        0,
    ),
    "a file that is mapped for a moment": (
        "file = open(sys.argv[1], 'w+b')\nfile.truncate(300 << 20)\nfile.write(b'x' * (300 << 20))",
        "with mmap.mmap(file.fileno(), 300 << 20, prot=mmap.PROT_READ) as block:\n"
        "    sum(block[::PAGE])\n    time.sleep(0.1)",
        0,
    ),
    "a file that is read": (
        "with open(sys.argv[1], 'wb') as file: file.write(b'x' * (300 << 20))",
        "with open(sys.argv[1], 'rb') as file:\n    while file.read(PAGE): pass",
        0,
    ),
    "what was freed before": ("block = private(300)\ndel block", "block = private(50)", 50),
}

# What the second part does is done in a process that was forked after the first one, as a trial is
# from its arm.
IN_A_FORK = {
    "nothing": ("", 0),
    "it copies what it was given": ("touch(block, b'y')", 0),
    "it copies some, and has more": (
        "touch(memoryview(block)[: 100 << 20], b'y')\nkept = private(50)",
        50,
    ),
    "it has a moment of more, and copies": (
        "kept = private(200)\ntime.sleep(0.5)\ndel kept\ntouch(block, b'y')",
        200,
    ),
    "it frees what it was given": ("del block", 0),
    "it frees that, and has less": ("del block\nkept = private(100)", 0),
    "it frees that, and has more": ("del block\nkept = private(400)", 100),
    "a worker copies it": ("fork(lambda: touch(block, b'y'))", 300),
    "it copies what a worker shares": ("fork(lambda: None)\ntouch(block, b'y')", 300),
    "it copies, and has workers": ("touch(block, b'y')\nfork(lambda: private(50))", 50),
}


@contextmanager
def running(before: str, after: str, files: Path) -> Iterator[subprocess.Popen[str]]:
    """A tree that has run its first part; ends with all of its processes."""
    code = f"{PRELUDE}\n{before}\nprint('ready', flush=True)\ninput()\n{after}\nprint('done')"
    tree = subprocess.Popen(
        [sys.executable, "-I", "-u", "-c", f"{code}\nsignal.pause()", str(files / "file")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert tree.stdout is not None
        assert tree.stdout.readline() == "ready\n"
        yield tree
    finally:
        signals.end(tree.pid)
        tree.communicate()
        Path(f"/dev/shm/torch_{tree.pid}_1").unlink(missing_ok=True)


def follow(tree: subprocess.Popen[str], look: Callable[[], object]) -> None:
    """Let a tree run its second part, and look at it as a memory trial does."""
    assert tree.stdin is not None
    assert tree.stdout is not None
    tree.stdin.write("\n")
    tree.stdin.flush()
    while not select.select([tree.stdout], [], [], 0.02)[0]:
        look()
    look()
    assert tree.stdout.readline() == "done\n"


def read(before: str, after: str, files: Path, *, forked: bool = False) -> PeakMemory:
    """The peak of a tree, or of what is forked from it."""
    with running(before, after, files) as tree:
        member = psutil.Process(tree.pid).children()[0].pid if forked else tree.pid
        memory = PeakMemory(tree.pid, member)
        try:
            follow(tree, memory.follow)
            for _ in range(2):
                memory.sample()
        finally:
            signals.end(tree.pid)
            tree.wait()
            memory.close()
    return memory


@pytest.fixture(params=[True, False], ids=["group", "pages"])
def grouped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the peak comes from a control group, or from pages alone."""
    is_grouped: bool = request.param
    if not is_grouped:
        monkeypatch.setattr(peak_memory, "group_for", lambda _: None)
    return is_grouped


def assert_read(memory: PeakMemory, answer: int, *, grouped: bool) -> None:
    """A peak is what it should be, in MiB."""
    if grouped and not memory.source.startswith("control group"):
        pytest.skip("no control group can be made here")
    error = memory.peak / MIB - answer
    print(f"{memory.source}: {answer} MiB, read {error:+.2f} MiB")
    assert abs(error) < max(2, (0.02 if grouped else 0.05) * answer)


@pytest.mark.parametrize(("before", "after", "answer"), TREES.values(), ids=TREES)
def test_the_peak_of_a_tree_is_its_known_answer(
    tmp_path: Path, before: str, after: str, answer: int, *, grouped: bool
) -> None:
    assert_read(read(before, after, tmp_path), answer, grouped=grouped)


@pytest.mark.parametrize(("after", "answer"), IN_A_FORK.values(), ids=IN_A_FORK)
def test_what_a_process_was_forked_from_is_no_use_of_its_own(
    tmp_path: Path, after: str, answer: int, *, grouped: bool
) -> None:
    before = "block = private(300)\nif os.fork(): signal.pause()"
    assert_read(read(before, after, tmp_path, forked=True), answer, grouped=grouped)
