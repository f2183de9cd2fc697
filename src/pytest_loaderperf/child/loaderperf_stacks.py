"""Where the threads of a process are whenever it is asked, and what CPU time they have used.

Beside ``loaderperf_sources``, and like that in need of nothing but the standard library. Whoever
wants to know sends a signal. The process writes lines of JSON into a file that is named as its
process id; those of a trial's own, one for each rank, begin with ``main``.
The first time that a thread is found somewhere:
``[STACK, [[FILE, FUNCTION, LINE], ...]]``, outermost call first. Then for each thread ``[TIME,
THREAD, CPU_SECONDS, STACK]``. The time is that of the monotonic clock, the CPU time is what the
thread has used since the last such line.

A handler of Python waits until a call of C has returned, and finds the line of that call: what
passed since the last sample counts there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

MAIN = "main"  # the file of a trial's own process
STACKS = "LOADERPERF_STACKS"  # the folder to write into
# A process that has no handler ignores it, as one does that is just about to run another program.
ASK = getattr(signal, "SIGURG", 0)
_FLUSH_SECONDS = 0.02


class Stacks:
    """What this process writes; each that it forks writes a file of its own."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self._busy = False
        self._begin(name)

    def _begin(self, name: str = "") -> None:
        self._pid = os.getpid()
        self._name = name or str(self._pid)
        self._numbers: dict[tuple[int, ...], int] = {}
        self._codes: list[object] = []  # kept alive: their ids stand for them
        self._lines: list[str] = []
        self._flushed = time.perf_counter()
        # The thread that was forked, and the calls that were under way in it.
        self._forked, self._outer = 0, 0
        self._used: dict[int, float] = {}  # CPU time of each thread so far

    def begin_in_child(self) -> None:
        """Begin anew in a process that has just been forked: what it uses counts from here."""
        self._begin()
        me = self._forked = threading.get_ident()
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            self._outer += 1
            frame = frame.f_back
        self._used[me] = time.thread_time()
        self._line(time.perf_counter(), me, 0.0, -1)

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Note where all threads are; a signal that comes meanwhile is too much."""
        if self._busy or frame is None:
            return
        self._busy = True
        try:
            self._note(frame)
        except Exception:  # noqa: BLE001, S110  (whatever is interrupted goes on)
            pass
        finally:
            self._busy = False

    def _note(self, frame: FrameType) -> None:
        now, me = time.perf_counter(), threading.get_ident()
        if os.getpid() != self._pid:  # forked by C
            self._begin()
        frames = sys._current_frames()
        frames[me] = frame
        for thread, each in frames.items():
            clock = time.pthread_getcpuclockid(thread)
            used = time.clock_gettime(clock)
            self._line(now, thread, used - self._used.get(thread, used), self._number(thread, each))
            self._used[thread] = used
        if now - self._flushed > _FLUSH_SECONDS:
            self._flush(now)
        self._used[me] = time.thread_time()  # what this has taken is nobody's

    def _number(self, thread: int, frame: FrameType) -> int:
        """The number of a stack, which is written down when it is new."""
        key = [int(thread == self._forked)]
        each: FrameType | None = frame
        while each is not None:
            key.append(id(each.f_code))
            key.append(each.f_lasti)
            each = each.f_back
        known = tuple(key)
        number = self._numbers.get(known)
        if number is None:
            number = self._numbers[known] = len(self._numbers)
            calls = []
            each = frame
            while each is not None:
                code = each.f_code
                self._codes.append(code)
                name = getattr(code, "co_qualname", code.co_name)  # since 3.11
                calls.append((code.co_filename, name, each.f_lineno or 0))
                each = each.f_back
            calls.reverse()
            outer = self._outer if thread == self._forked else 0
            self._lines.append(json.dumps((number, calls[outer:])))
        return number

    def _line(self, now: float, thread: int, used: float, stack: int) -> None:
        self._lines.append(f"[{now:.6f}, {thread}, {used:.6f}, {stack}]")

    def _flush(self, now: float) -> None:
        # No file stays open: a loader may close what it does not know, or count on its number.
        path = os.path.join(self._folder, self._name)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, ("\n".join(self._lines) + "\n").encode())
        finally:
            os.close(file)
        self._lines.clear()
        self._flushed = now


def start(folder: str = "") -> None:
    """Answer from now on, as all that is started does: a trial with the folder to write into."""
    if folder:
        os.environ[STACKS] = folder
    if STACKS not in os.environ:
        return
    stacks = Stacks(os.environ[STACKS], f"{MAIN}-{os.getpid()}" if folder else "")
    os.register_at_fork(after_in_child=stacks.begin_in_child)
    signal.signal(ASK, stacks)
    signal.siginterrupt(ASK, False)  # C that waits goes on waiting
