"""Trees of processes: freeze, resume, end, list, and their CPU time."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import NamedTuple

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_TIDY_UP = (b"multiprocessing.resource_tracker", b"torch_shm_manager")
_SEGMENTS = "/dev/shm"  # noqa: S108  (none of ours is made there)
_TIDYING_SECONDS = 1.0  # they take some milliseconds
_STOPPING_SECONDS = 0.25  # some milliseconds, too
_STOPPING_LOOK = 0.0002  # seconds between looks
_STANDING = b"TtXZ"  # states of a thread that has stopped, or ended


def freeze(group: int) -> None:
    """Stop every process of a group until it is resumed, and wait until all of them stand.

    A signal stops nobody by itself: the thread that gets it must first have a CPU, or come back
    from freeing a large batch, and until then all others go on. Whoever does not come back soon,
    as from a lost disk, is waited for no longer.
    """
    end = time.monotonic() + _STOPPING_SECONDS
    if _signal(group, signal.SIGSTOP):
        while not _stands(group) and time.monotonic() < end:
            time.sleep(_STOPPING_LOOK)


def resume(group: int) -> None:
    """Let a frozen group go on."""
    _signal(group, signal.SIGCONT)


def end(group: int) -> None:
    """Kill every process of a group, frozen or not, and all that its leader's session has left."""
    # None can start another one while the others end.
    if _LINUX and _signal(group, signal.SIGSTOP):
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
    """Kill processes, frozen or not; those that tidy up after others may do that first.

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


def alive(pid: int) -> bool:
    """Whether a process exists and has not ended: a zombie is dead."""
    import psutil  # noqa: PLC0415  (here: plain `pytest` does not import it)

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def tree(pid: int) -> list[int]:
    """A process and all of its descendants that are alive."""
    if _LINUX:
        return [pid, *_descendants(pid)]
    import psutil  # noqa: PLC0415

    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return [pid]


def has_one_thread(pid: int) -> bool:
    """Whether a process with all descendants is one thread, and so uses one CPU at a time."""
    if _LINUX:
        return [len(_tasks(each)) for each in tree(pid)] == [1]
    import psutil  # noqa: PLC0415

    try:
        return len(tree(pid)) == 1 and bool(psutil.Process(pid).num_threads() == 1)
    except psutil.Error:
        return False


def usable_cpus() -> list[int]:
    """The CPUs that this process may use, or all of them where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pin(pid: int, cpu: int) -> None:
    """Have a thread use this CPU alone, where the system allows that."""
    with contextlib.suppress(OSError, AttributeError):  # it has ended; not on every system
        os.sched_setaffinity(pid, {cpu})


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its descendants, user and system, all threads.

    Of those that have ended it is that of the children that the process has waited for: workers
    may come and go with their epoch.
    """
    return _waited_for(pid) + sum(map(cpu_seconds_of, tree(pid)))


def cpu_seconds_of(pid: int) -> float:
    """CPU time of a single process, user and system, all threads; 0 if there is none."""
    if _LINUX:
        # The clock id of another process's CPU time, as clock_getcpuclockid(3) makes it. It
        # counts nanoseconds, where /proc/PID/stat counts ticks of 10 ms.
        with contextlib.suppress(OSError):
            return time.clock_gettime((~pid << 3) | 2)
        return 0.0
    import psutil  # noqa: PLC0415

    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system)


class MachineSeconds(NamedTuple):
    """What some CPUs have given away since the machine started, in seconds of one CPU."""

    taken: float  # by processes, by the kernel, or stolen
    stolen: float  # by other virtual machines


def machine_seconds(cpus: Sequence[int]) -> MachineSeconds:
    """What these CPUs have given away; in steps of some 10 ms."""
    import psutil  # noqa: PLC0415

    times = psutil.cpu_times(percpu=True)
    each = [times[cpu]._asdict() for cpu in cpus if cpu < len(times)]
    # Time given to a guest is in that of the user already.
    idle = ("idle", "iowait", "guest", "guest_nice")
    taken = sum(seconds for cpu in each for name, seconds in cpu.items() if name not in idle)
    return MachineSeconds(taken, sum(cpu.get("steal", 0.0) for cpu in each))


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that happens (Linux)."""
    if _LINUX:
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def stat(entry: Path) -> list[bytes]:
    """What the kernel says of a process or thread: its state, its parent, its group, and so on.

    ``entry`` is its directory in ``/proc``; OSError if it has ended. The fields are those of
    proc(5) from the third one on; bytes, since the name before them may end within a character: the
    kernel cuts it after 15 bytes.
    """
    return (entry / "stat").read_bytes().rpartition(b")")[2].split()


def _signal(group: int, number: int) -> bool:
    """Send a signal to a group; whether there is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


def _stands(group: int) -> bool:
    """Whether nothing of a group runs any more, neither its leader nor descendants in it."""
    # The leader first: until it has stopped, the others need not be looked for.
    for each in itertools.chain([group], _descendants(group)) if _LINUX else tree(group):
        with contextlib.suppress(ProcessLookupError):  # it has ended
            if os.getpgid(each) == group and _runs(each):
                return False
    return True


def _runs(pid: int) -> bool:
    """Whether any thread of a process could run, if it had a CPU."""
    if _LINUX:
        for task in _tasks(pid):
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
            if int(stat(entry)[2]) == group:
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
    for entry in Path("/proc").iterdir() if _LINUX else ():
        with contextlib.suppress(OSError, ValueError):  # it has ended; it is no process
            pid = int(entry.name)
            if os.getsid(pid) == leader != os.getpgid(pid):
                yield pid


def _waited_for(pid: int) -> float:
    """CPU time of the children that a process has waited for; of another one in steps of 10 ms."""
    if pid == os.getpid():
        import resource  # noqa: PLC0415  (not on every system)

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
    if _LINUX:
        with contextlib.suppress(OSError):  # it has ended
            fields = stat(Path(f"/proc/{pid}"))
            return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _descendants(pid: int) -> Iterator[int]:
    for task in _tasks(pid):
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
