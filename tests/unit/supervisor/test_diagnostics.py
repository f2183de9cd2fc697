"""The stacks of processes that are stuck."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from pytest_loaderperf.supervisor import diagnostics
from pytest_loaderperf.system import process_tree
from unit.running import python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
_PATIENCE = 20.0  # seconds
SOURCE = str(Path(diagnostics.__file__).parents[2])

# A parent, and a child that has done something first: each waits in a function of its own.
STUCK = """\
import os, sys, time
sys.path.insert(0, {source!r})
from pytest_loaderperf.arm import diagnostics
output = os.open({output!r}, os.O_RDWR | os.O_CREAT)
diagnostics.register(output)
ours, theirs = os.pipe()
def waits_in_the_child():
    {child}
    os.write(theirs, b".")
    time.sleep(600)
def waits_in_the_parent():
    input()
if not os.fork():
    waits_in_the_child()
os.read(ours, 1)
"""


def shown(output: Path, child: str = "pass") -> str:
    """The stacks of both processes; the child is ended."""
    code = STUCK.format(source=SOURCE, output=str(output), child=child)
    with python(code, "waits_in_the_parent()") as pid:
        try:
            end = time.monotonic() + _PATIENCE  # for the parent to get to where it waits
            while "waits_in_the_parent" not in (text := diagnostics.of_tree(pid, output)):
                if time.monotonic() > end:
                    break
            return text
        finally:
            for each in process_tree.tree(pid)[1:]:
                os.kill(each, signal.SIGKILL)


def test_a_process_and_its_child_show_their_stacks(tmp_path: Path) -> None:
    text = shown(tmp_path / "output")
    assert text.count("process ") == 2
    assert "in waits_in_the_parent" in text
    assert "in waits_in_the_child" in text


def test_no_file_that_a_child_has_opened_in_the_place_of_the_output_is_written_to(
    tmp_path: Path,
) -> None:
    theirs = tmp_path / "theirs"
    text = shown(
        tmp_path / "output",
        f"os.dup2(os.open({str(theirs)!r}, os.O_RDWR | os.O_CREAT), output)",
    )
    assert "in waits_in_the_parent" in text
    assert "no Python stack; state S (sleeping)" in text
    assert theirs.read_bytes() == b""


def test_a_program_that_the_signal_would_kill_is_described(tmp_path: Path) -> None:
    with python("import os", "os.execlp('sleep', 'sleep', '600')") as pid:
        end = time.monotonic() + _PATIENCE  # for it to become the other program, and to sleep
        asleep = "(sleep 600):\n  no Python stack; state S (sleeping)"
        while asleep not in (text := diagnostics.of_tree(pid, tmp_path / "output")):
            assert time.monotonic() < end, text
        assert process_tree.alive(pid)
    assert text.startswith(f"process {pid} (")


def test_the_innermost_frames_of_each_thread_are_shown() -> None:
    thread = ["Thread 1:", *(f"  frame {number}" for number in range(50))]
    text = diagnostics.shortened("\n".join(thread * 2))
    assert text.count("Thread 1:") == 2
    assert text.count("frame 0\n") == 2
    assert text.count("  ...\n") == 2
    assert "frame 40" not in text


@pytest.mark.parametrize(
    ("said", "helps"),
    [
        ("OSError: [Errno 28] No space left on device: '/dev/shm/torch_1_2'", True),
        ("RuntimeError: unable to write to file </torch_1_2>: No space left on device (28)", True),
        ("It is possible that dataloader's workers are out of shared memory (insufficient shared "
         "memory (shm))", True),
        ("a trial of the working tree was killed by SIGBUS", True),
        ("OSError: [Errno 28] No space left on device: '/data/rows.bin'", False),
        ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error.", True),
    ],
)  # fmt: skip
def test_a_lack_of_shared_memory_is_told_with_what_to_do(said: str, helps: bool) -> None:
    assert ("--shm-size" in diagnostics.shared_memory(said)) is helps
