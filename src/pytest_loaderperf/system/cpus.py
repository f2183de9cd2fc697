"""CPUs: which there are, and the time that processes and the machine have spent on them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from .process_tree import LINUX, leaders, stat, tree


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
    return sum(map(_waited_for, leaders(pid))) + sum(map(cpu_seconds_of, tree(pid)))


def cpu_seconds_of(pid: int) -> float:
    """CPU time of a single process, user and system, all threads; 0 if there is none."""
    if LINUX:
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

    taken: float  # by processes, by the kernel, or as steal
    steal: float  # by other virtual machines


def machine_seconds(cpus: Sequence[int]) -> MachineSeconds:
    """What these CPUs have given away; in steps of some 10 ms. Zero where nobody tells."""
    import psutil  # noqa: PLC0415

    try:
        times = psutil.cpu_times(percpu=True)
    except OSError:  # a /proc that shows processes alone
        return MachineSeconds(0.0, 0.0)
    each = [times[cpu]._asdict() for cpu in cpus if cpu < len(times)]
    # Time given to a guest is in that of the user already.
    idle = ("idle", "iowait", "guest", "guest_nice")
    taken = sum(seconds for cpu in each for name, seconds in cpu.items() if name not in idle)
    return MachineSeconds(taken, sum(cpu.get("steal", 0.0) for cpu in each))


def _waited_for(pid: int) -> float:
    """CPU time of the children that a process has waited for; of another one in steps of 10 ms."""
    if pid == os.getpid():
        import resource  # noqa: PLC0415  (not on every system)

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
    if LINUX:
        with contextlib.suppress(OSError):  # it has ended
            fields = stat(f"/proc/{pid}")
            return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return 0.0
