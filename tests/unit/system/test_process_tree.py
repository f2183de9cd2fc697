"""Trees of processes: real ones, that count as long as they run."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGSTOP

import psutil
import pytest

from pytest_loaderperf.system import cpus, process_tree, signals

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs process groups")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own doing")

LONG = 10.0  # seconds: what has not happened by then does not happen

# Three generations; each writes its process id and a counter into its slots of a shared file.
GENERATIONS = """
import mmap, os, struct, sys, time
with open(sys.argv[1], "r+b") as file:
    slots = mmap.mmap(file.fileno(), 48)
for index in range(3):
    if index == 2 or os.fork():
        break
count = 0
while True:
    count += 1
    struct.pack_into("qq", slots, 16 * index, os.getpid(), count)
    time.sleep(0.001)
"""


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LONG
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@contextmanager
def python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that leads a group of its own; nothing is left of the group afterwards."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, SIGKILL)


@dataclass(frozen=True)
class Tree:
    slots: mmap.mmap

    def _read(self) -> list[tuple[int, int]]:
        return list(struct.iter_unpack("qq", self.slots[:]))

    @property
    def pids(self) -> list[int]:
        return [pid for pid, _ in self._read()]

    def counts(self) -> list[int]:
        return [count for _, count in self._read()]

    def all_go_on(self) -> bool:
        before = self.counts()
        return eventually(lambda: all(map(int.__gt__, self.counts(), before)))

    def all_stand_still(self) -> bool:
        def still() -> bool:
            before = self.counts()
            time.sleep(0.05)
            return self.counts() == before

        return eventually(still)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A process, its child and its grandchild."""
    path = tmp_path / "slots"
    path.write_bytes(bytes(48))
    with (
        path.open("r+b") as file,
        mmap.mmap(file.fileno(), 48) as slots,
        python(GENERATIONS, str(path)) as parent,
    ):
        tree = Tree(slots)
        assert eventually(lambda: all(tree.counts()))
        assert tree.pids[0] == parent.pid
        yield tree


# --- freezing and ending ------------------------------------------------------------------------


def test_a_frozen_tree_stands_still_until_it_is_resumed(tree: Tree) -> None:
    assert tree.all_go_on()
    signals.suspend(tree.pids[0])
    assert tree.all_stand_still()
    signals.resume(tree.pids[0])
    assert tree.all_go_on()


# One thread asks the kernel for large blocks, and cannot be stopped meanwhile; another one counts.
IN_THE_KERNEL = """
import ctypes, mmap, struct, sys, threading
with open(sys.argv[1], "r+b") as file:
    slot = mmap.mmap(file.fileno(), 8)
def count():
    for number in range(2**62):
        struct.pack_into("q", slot, 0, number)
threading.Thread(target=count, daemon=True).start()
library = ctypes.CDLL(None)
library.mmap.restype = ctypes.c_void_p
library.mmap.argtypes = ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long
library.munmap.argtypes = ctypes.c_void_p, ctypes.c_size_t
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
while True:
    block = library.mmap(None, 2**27, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    library.munmap(block, 2**27)
"""


@on_linux
def test_who_is_frozen_stands_still_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "_STOPPING_SECONDS", 10.0)  # on a busy machine, too
    slot = tmp_path / "slot"
    slot.write_bytes(bytes(8))
    with python(IN_THE_KERNEL, str(slot)) as running:
        assert eventually(lambda: any(slot.read_bytes()))
        for _ in range(10):
            signals.suspend(running.pid)
            before = slot.read_bytes()
            time.sleep(0.01)
            assert slot.read_bytes() == before
            signals.resume(running.pid)
            assert eventually(lambda: slot.read_bytes() != before)  # noqa: B023
            time.sleep(0.01)


@on_linux
@pytest.mark.parametrize("name", [b"\xc3", b"a) b"], ids=["cut", "odd"])
def test_a_process_is_frozen_whatever_its_name(name: bytes) -> None:
    code = f"open('/proc/self/comm', 'wb').write({name!r}); print(flush=True); input()"
    with python(code) as running:
        assert running.stdout
        running.stdout.readline()
        signals.suspend(running.pid)
        assert signals._stands(running.pid)


def test_who_does_not_stop_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_stands", lambda _: False)
    with python("input()") as running:
        began = time.monotonic()
        signals.suspend(running.pid)
        assert time.monotonic() - began < LONG


def test_the_look_that_finds_them_standing_is_not_in_their_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0.0

    def stands(_: int) -> bool:
        nonlocal looks
        looks += 1.0
        return looks == 3.0

    with python("input()") as running:
        monkeypatch.setattr(signals, "_stands", stands)
        monkeypatch.setattr("time.perf_counter", lambda: looks)
        assert signals.suspend(running.pid) == 2.0


@on_linux
def test_who_has_left_the_group_is_not_waited_for() -> None:
    code = (
        "import subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'input()']\n"
        "own = subprocess.Popen(sleep, stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(own.pid, flush=True)\n"
        "input()\n"
    )
    with python(code) as running:
        assert running.stdout
        apart = int(running.stdout.readline())
        try:
            signals.suspend(running.pid)
            assert signals._stands(running.pid)
            assert process_tree.alive(apart)
        finally:
            os.kill(apart, SIGKILL)


@pytest.mark.parametrize("frozen", [False, True])
def test_the_end_is_that_of_all(tree: Tree, frozen: bool) -> None:
    assert all(map(process_tree.alive, tree.pids))
    if frozen:
        signals.suspend(tree.pids[0])
    signals.end(tree.pids[0])
    assert eventually(lambda: not any(map(process_tree.alive, tree.pids)))


def test_other_groups_go_on(tree: Tree) -> None:
    with python("input()") as other:
        signals.suspend(other.pid)
        signals.end(other.pid)
        assert eventually(lambda: not process_tree.alive(other.pid))
        assert tree.all_go_on()


@pytest.mark.parametrize("act", [signals.suspend, signals.resume, signals.end])
def test_a_group_that_is_gone_is_no_error(act: Callable[[int], None]) -> None:
    with python("") as running:
        running.wait(LONG)
    act(running.pid)


# --- alive --------------------------------------------------------------------------------------


def test_a_process_is_alive_until_it_ends_even_if_it_is_frozen() -> None:
    with python("input()") as running:
        assert process_tree.alive(running.pid)
        signals.suspend(running.pid)
        assert process_tree.alive(running.pid)
        signals.end(running.pid)
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)  # a zombie stays
        assert not process_tree.alive(running.pid)
    assert not process_tree.alive(running.pid)


# --- listing ------------------------------------------------------------------------------------


def test_a_tree_lists_children_and_grandchildren(tree: Tree) -> None:
    parent, child, grandchild = tree.pids
    assert process_tree.tree(parent)[0] == parent
    assert sorted(process_tree.tree(parent)) == sorted(tree.pids)
    assert sorted(process_tree.tree(child)) == sorted([child, grandchild])
    assert process_tree.tree(grandchild) == [grandchild]


def test_a_tree_lists_what_a_thread_has_started() -> None:
    code = """
import subprocess, sys, threading
def work():
    child = subprocess.Popen([sys.executable, "-c", "input()"])
    print(child.pid, flush=True)
    child.wait()
threading.Thread(target=work).start()
"""
    with python(code) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert process_tree.tree(parent.pid) == [parent.pid, child]


def test_a_tree_forgets_what_has_ended(tree: Tree) -> None:
    parent, child, grandchild = tree.pids
    os.kill(grandchild, SIGKILL)
    assert eventually(lambda: not process_tree.alive(grandchild))
    os.kill(child, SIGKILL)
    assert eventually(lambda: grandchild not in process_tree.tree(parent))


def test_a_process_that_is_gone_has_no_descendants_and_uses_no_time() -> None:
    with python("") as running:
        running.wait(LONG)
    assert process_tree.tree(running.pid) == [running.pid]
    assert cpus.cpu_seconds(running.pid) == 0


# --- CPU time -----------------------------------------------------------------------------------

IDLE_PARENT = """
import os, time
if not os.fork():
    while True:
        {}
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@contextmanager
def parent_of(work: str) -> Iterator[int]:
    """An idle process whose child does this all the time."""
    with python(IDLE_PARENT.format(work)) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        yield parent.pid


def test_cpu_time_is_that_of_descendants_that_work() -> None:
    with parent_of("pass") as busy, parent_of("time.sleep(60)") as idle:
        assert eventually(lambda: cpus.cpu_seconds(idle) > 0)
        before = cpus.cpu_seconds(busy), cpus.cpu_seconds(idle)
        assert eventually(lambda: cpus.cpu_seconds(busy) > before[0] + 0.05)
        used = (
            cpus.cpu_seconds(busy) - before[0],
            cpus.cpu_seconds(idle) - before[1],
        )
        assert used[1] < used[0] / 2


def test_a_frozen_tree_uses_no_cpu_time() -> None:
    def idle(pid: int) -> bool:
        before = cpus.cpu_seconds(pid)
        time.sleep(0.03)
        return cpus.cpu_seconds(pid) == before

    with parent_of("pass") as busy:
        signals.suspend(busy)
        assert eventually(lambda: idle(busy))


def test_cpu_time_counts_the_process_itself() -> None:
    before, started = cpus.cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() < started + 0.02:
        pass
    assert cpus.cpu_seconds(os.getpid()) - before >= 0.02


@on_linux
def test_cpu_time_is_finer_than_the_ticks_of_the_kernel() -> None:
    times = set()
    for _ in range(50):
        times.add(cpus.cpu_seconds(os.getpid()))
    assert len(times) > 10


# --- dying with the parent ----------------------------------------------------------------------

MORTAL = """
import os, sys, time
from pytest_loaderperf.system import signals
if not os.fork():
    if sys.argv[1] == "mortal":
        signals.die_with_parent()
    print(os.getpid(), flush=True)
while True:
    time.sleep(60)
"""


@on_linux
@pytest.mark.parametrize("frozen", [False, True])
def test_a_process_can_ask_to_die_with_its_parent(frozen: bool) -> None:
    with python(MORTAL, "mortal") as parent, python(MORTAL, "immortal") as other:
        assert parent.stdout is not None
        assert other.stdout is not None
        child, survivor = int(parent.stdout.readline()), int(other.stdout.readline())
        if frozen:
            os.kill(child, SIGSTOP)
        for each in (other, parent):
            each.kill()
            each.wait(LONG)
        assert eventually(lambda: not process_tree.alive(child))
        assert process_tree.alive(survivor)


@on_linux
@pytest.mark.parametrize(
    ("code", "one"),
    [
        ("", True),
        ("import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()", False),
        ("import subprocess; subprocess.Popen(['sleep', '60'])", False),
    ],
)
def test_one_thread_is_one_process_with_one_thread(code: str, one: bool) -> None:
    with python(f"{code}\nprint(flush=True)\ninput()") as running:
        assert running.stdout is not None
        running.stdout.readline()
        assert process_tree.has_one_thread(running.pid) is one


@on_linux
def test_a_pinned_process_uses_that_cpu_alone() -> None:
    with python("print(flush=True)\ninput()") as running:
        for cpu in cpus.usable_cpus():
            cpus.pin(running.pid, cpu)
            assert os.sched_getaffinity(running.pid) == {cpu}
    cpus.pin(running.pid, 0)  # one that has ended


def test_a_system_without_affinity_has_all_its_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert len(cpus.usable_cpus()) == os.cpu_count()
    cpus.pin(os.getpid(), 0)


# A child in a group of its own, and another in the group of its parent.
SCATTERED = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
children = [subprocess.Popen(sleep, preexec_fn=os.setpgrp), subprocess.Popen(sleep)]
print(*(child.pid for child in children), flush=True)
time.sleep(60)
"""


@on_linux
def test_processes_in_groups_of_their_own_are_stopped_and_ended_with_their_session() -> None:
    with python(SCATTERED) as leader:
        assert leader.stdout is not None
        stray, member = map(int, leader.stdout.readline().split())
        signals.signal_strays(leader.pid, SIGSTOP)
        assert eventually(lambda: psutil.Process(stray).status() == psutil.STATUS_STOPPED)
        assert psutil.Process(member).status() != psutil.STATUS_STOPPED
        leader.kill()
        leader.wait()  # its session outlives it
        signals.end(leader.pid)
        assert eventually(lambda: not process_tree.alive(stray) and not process_tree.alive(member))


SEGMENT = """
import os
from pathlib import Path
path = Path(f"/dev/shm/torch_{os.getpid()}_1234_0")
path.touch()
print(path, flush=True)
input()
"""


@on_linux
def test_memory_that_torch_was_about_to_share_goes_with_its_process() -> None:
    with python(SEGMENT) as ended, python(SEGMENT) as other:
        assert ended.stdout is not None
        assert other.stdout is not None
        gone, stays = Path(ended.stdout.readline().strip()), Path(other.stdout.readline().strip())
        try:
            signals.end(ended.pid)
            assert not gone.exists()
            assert stays.exists()
        finally:
            stays.unlink(missing_ok=True)


def test_where_proc_shows_processes_alone_nobody_takes_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*, percpu: bool) -> None:
        raise FileNotFoundError("/proc/stat")

    monkeypatch.setattr(psutil, "cpu_times", missing)
    assert cpus.machine_seconds([0, 1]) == (0.0, 0.0)


def test_who_ignores_its_children_hears_of_them_again() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        signals.heed_children()
        assert subprocess.run([sys.executable, "-c", "exit(3)"], check=False).returncode == 3
        own = signal.signal(signal.SIGCHLD, lambda *_: None)
        assert own is signal.SIG_DFL
        signals.heed_children()
        assert signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL  # somebody's own handler
    finally:
        signal.signal(signal.SIGCHLD, before)
