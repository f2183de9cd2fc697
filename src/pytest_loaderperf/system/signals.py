"""Suspend, resume and end groups of processes, and whatever has left its group."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from .process_tree import LINUX, alive, descendants, leaders, own_tree, stat, tasks

# Has a process write its stacks. No program uses it by chance. A process that has no handler for it
# would die of it: it is asked only where it has one.
SHOW_STACKS = signal.SIGRTMAX - 7 if LINUX else 0
_PR_SET_PDEATHSIG = 1
_TIDY_UP = (b"multiprocessing.resource_tracker", b"torch_shm_manager")
_SEGMENTS = "/dev/shm"  # noqa: S108  (none of ours is made there)
_TIDYING_SECONDS = 1.0  # they take some milliseconds
_STOPPING_SECONDS = 0.25  # some milliseconds, too
_STOPPING_LOOK = 0.0002  # seconds between looks
_STANDING = b"TtXZ"  # states of a thread that has stopped, or ended


def heed_children() -> None:
    """Have this process hear how its children end, also if its parent wanted to hear of none.

    Who ignores SIGCHLD hands that on to what it starts, where each status then reads as 0.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def suspend(group: int) -> float:
    """Stop every process of a group until it is resumed; since when all of them stand.

    So it is with the groups of its companions: of other ranks, say.

    That is by ``time.perf_counter``, without the look that found them standing. A signal stops
    nobody by itself: the thread that gets it must first have a CPU, or come back from freeing a
    large batch, and until then all others go on. Whoever does not come back soon, as from a lost
    disk, is waited for no longer.
    """
    end = time.monotonic() + _STOPPING_SECONDS
    looked = time.perf_counter()
    for each in [each for each in leaders(group) if _signal(each, signal.SIGSTOP)]:
        while not _stands(each) and time.monotonic() < end:
            time.sleep(_STOPPING_LOOK)
            looked = time.perf_counter()
    return looked


def resume(group: int) -> None:
    """Let a suspended group go on, and its companions."""
    for each in leaders(group):
        _signal(each, signal.SIGCONT)


def end(group: int) -> None:
    """Kill every process of a group, suspended or not, and what its leader's session has left."""
    # None can start another one while the others end.
    if LINUX and _signal(group, signal.SIGSTOP):
        end_each(_members(group))
    _signal(group, signal.SIGKILL)
    signal_strays(group, signal.SIGKILL)


def signal_strays(leader: int, number: int) -> None:
    """Signal the processes of a leader's session that are in groups of their own (Linux).

    Each of Ray's workers leads one. A session outlives its leader, so that none is missed.
    """
    for pid in _strays(leader):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_each(pids: Iterable[int]) -> None:
    """Kill processes, suspended or not; those that tidy up after others may do that first.

    Python's resource tracker removes shared memory when all who could do it have ended.
    """
    ended = set(pids)
    tidying = []
    for pid in ended:
        if _tidies_up(pid):
            tidying.append(pid)
        else:
            _kill(pid, signal.SIGKILL)
    for pid in tidying:
        _kill(pid, signal.SIGCONT)
    end = time.monotonic() + _TIDYING_SECONDS
    while any(map(alive, tidying)) and time.monotonic() < end:
        time.sleep(0.005)
    for pid in tidying:
        _kill(pid, signal.SIGKILL)
    _remove_segments(ended)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that happens (Linux)."""
    if LINUX:
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send a signal to a group; whether there is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


def _stands(group: int) -> bool:
    """Whether nothing of a group runs any more, neither its leader nor descendants in it."""
    # The leader first: until it has stopped, the others need not be looked for.
    for each in itertools.chain([group], descendants(group)) if LINUX else own_tree(group):
        with contextlib.suppress(ProcessLookupError):  # it has ended
            if os.getpgid(each) == group and _runs(each):
                return False
    return True


def _runs(pid: int) -> bool:
    """Whether any thread of a process could run, if it had a CPU."""
    if LINUX:
        for task in tasks(pid):
            with contextlib.suppress(OSError):  # it has ended
                if stat(task)[0] not in _STANDING:
                    return True
        return False
    import psutil  # noqa: PLC0415

    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _members(group: int) -> Iterator[int]:
    """The processes of a group, from the kernel's list of all of them."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(stat(str(entry))[2]) == group:
                yield int(entry.name)


def _remove_segments(pids: Set[int]) -> None:
    """Remove the shared memory that torch was about to make in processes that are killed now.

    It makes a file for each batch, gives it its size, which takes milliseconds, and only then
    removes its name: ``torch_PID_RANDOM_NUMBER``.
    """
    with contextlib.suppress(OSError), os.scandir(_SEGMENTS) as entries:
        for entry in entries:
            library, _, rest = entry.name.partition("_")
            pid = rest.partition("_")[0]
            if library == "torch" and pid.isdecimal() and int(pid) in pids:
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()


def _tidies_up(pid: int) -> bool:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return any(name in command for name in _TIDY_UP)
    return False


def _strays(leader: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir() if LINUX else ():
        with contextlib.suppress(OSError, ValueError):  # it has ended; it is no process
            pid = int(entry.name)
            if os.getsid(pid) == leader != os.getpgid(pid):
                yield pid


def run_to_end(
    command: str | Sequence[str], folder: Path, output: int, environment: Mapping[str, str]
) -> int:
    """Run a program, or a command of the shell, to its end, with all that it starts.

    ``output`` is the descriptor of what takes all that it prints. Returns the exit status.
    """
    with subprocess.Popen(
        command,
        shell=isinstance(command, str),  # the user's own, from the ini file
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
