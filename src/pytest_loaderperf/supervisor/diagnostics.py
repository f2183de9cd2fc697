"""What to say of processes that are stuck or have died: their stacks, how they ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from pathlib import Path

from ..model.units import format_size
from ..system import process_tree
from ..system.signals import SHOW_STACKS

_PROCESSES = 12  # that are shown
_FRAMES = 16  # of each thread, the innermost ones
_SECONDS = 2.0  # for a process to write its stacks
_QUIET = 0.1  # it has written all when so many seconds have passed without more


def of_tree(pid: int, output: Path) -> str:
    """The stacks of a process and its descendants, which have registered this file for them."""
    found = process_tree.own_tree(pid)
    shown = [_of(each, output) for each in found[:_PROCESSES]]
    more = len(found) - len(shown)
    return "\n".join(shown + [f"and {more} more processes"] * (more > 0))


def _of(pid: int, output: Path) -> str:
    stack = _asked(pid, output) if _answers(pid, output) else ""
    return f"process {pid} ({_command(pid)}):\n" + (shortened(stack) or f"  {_state(pid)}\n")


def _asked(pid: int, output: Path) -> str:
    """What a process adds to the file when it gets the signal."""
    begin = written = _size(output)
    with contextlib.suppress(OSError):
        os.kill(pid, SHOW_STACKS)
    changed = start = time.monotonic()
    while (now := time.monotonic()) < start + _SECONDS:
        if (size := _size(output)) != written:
            written, changed = size, now
        elif written > begin and now > changed + _QUIET:
            break
        time.sleep(0.01)
    with contextlib.suppress(OSError), output.open("rb") as file:
        file.seek(begin)
        return file.read(written - begin).decode(errors="replace")
    return ""


def shortened(stacks: str) -> str:
    """The innermost frames of each thread."""
    lines: list[str] = []
    frames = 0
    for line in stacks.splitlines():
        frames = frames + 1 if line.startswith("  ") else 0
        if frames <= _FRAMES:
            lines.append(line)
        elif frames == _FRAMES + 1:
            lines.append("  ...")
    return "".join(f"{line}\n" for line in lines)


def _answers(pid: int, output: Path) -> bool:
    """Whether a process handles the signal, and still has the file to write to.

    A daemon closes what it has inherited, and may have opened another file in its place.
    """
    with contextlib.suppress(OSError, ValueError, StopIteration):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        if not int(caught.split()[1], 16) >> (SHOW_STACKS - 1) & 1:
            return False
        descriptors = [each for each in Path(f"/proc/{pid}/fd").iterdir() if int(each.name) > 2]
        return any(each.resolve() == output.resolve() for each in descriptors)
    return False


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        return command.decode(errors="replace").strip()[:100]
    return "ended meanwhile"


def _state(pid: int) -> str:
    """What the kernel knows of a process that has shown no stack."""
    with contextlib.suppress(OSError, IndexError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        state = next(line.split(None, 1)[1] for line in lines if line.startswith("State:"))
        waits = Path(f"/proc/{pid}/wchan").read_text()
        return f"no Python stack; state {state}" + (f", in {waits}" if waits.strip("0") else "")
    return "no Python stack"


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def stuck(who: str, seconds: float, work: str, its_stacks: str) -> str:
    """That a process gave no answer for so long, and what it was doing."""
    return (
        f"{who}: no answer for {seconds:g} s while {work} (--loaderperf-timeout); the stacks of "
        f"its processes:\n{its_stacks.rstrip()}"
    )


def ending(status: int) -> str:
    """How a process ended, by its exit status."""
    if status >= 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def shown(output: str) -> str:
    """The last output of a process, as the end of a sentence."""
    return f"; its last output:\n{output}" if output.strip() else ", without any output"


# What programs say, and how they die, where no more shared memory is to be had.
_NO_SHARED_MEMORY = re.compile(
    r"(?:/dev/shm|</torch_).*No space left|No space left.*/dev/shm|insufficient shared memory"
    r"|SIGBUS|[Bb]us error"
)
_SHARED = "/dev/shm"  # noqa: S108  (looked at, never written to)


def shared_memory(said: str) -> str:
    """What to do where the end of a process shows that it found too little shared memory."""
    if not _NO_SHARED_MEMORY.search(said):
        return ""
    try:
        there = os.statvfs(_SHARED)
    except OSError:
        return ""
    return (
        f"{_SHARED} has {format_size(there.f_frsize * there.f_blocks)}, and two loaders are alive "
        "at once here, one of each version. Give it more (docker run --shm-size=1g), or these "
        "loaders fewer batches ahead"
    )
