"""Which lines have a process copy memory that it shares with the one that it was forked from.

Beside ``loaderperf_stacks``, and like that in need of nothing but the standard library. Two
processes share a page until one of them writes to it, which is then given a copy; and to look at an
object of Python is to write its count of references. Nobody allocates such a copy. But it takes a
fault of a page after which no more is resident than before. A new page takes one as well, and then
there is one more.

Each process looks at these numbers of the kernel at each line that its first thread runs, outside
of libraries. It writes lines of JSON into a file that is named as its process id; those of a
trial's own, one for each rank, begin with ``main``: ``[BYTES, [[FILE, FUNCTION, LINE], ...]]``,
outermost call first, each in addition to those before.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import sysconfig
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

    _Call = tuple[CodeType, int]
    _Calls = list[_Call]

MAIN = "main"  # begins the names of files of a trial's own processes
_PAGE = resource.getpagesize()
# So many pages are taken for copies, and looked at together after some seconds.
_FEW = 16
_SECONDS = 0.1
_REAL = 0.25  # of what looks like copies, at least, if it was no other memory
# It slows down what it looks at: after so many lines, which take some seconds, it stops.
_LINES = 1_000_000
_LINES_OF_A_LOOK = 3000  # at all pages, which takes as long
_USE = re.compile(rb"^(Anonymous|Private_Clean|Private_Dirty): +(\d+) kB$", re.MULTILINE)
_LIBRARIES = tuple(
    {
        "<",
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
        *(
            sysconfig.get_path(name) + os.sep
            for name in ("stdlib", "platstdlib", "purelib", "platlib")
        ),
    }
)


class CopiedPages:
    """What this process writes; each that it forks writes a file of its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._begin(f"{MAIN}-{os.getpid()}")
        os.register_at_fork(after_in_parent=self._follow, after_in_child=self._begin)

    def _begin(self, name: str = "") -> None:
        self._name = name or str(os.getpid())
        self._calls: _Calls = []
        self._small: dict[tuple[_Call, ...], int] = {}  # pages
        self._lines = 0
        self._other: set[tuple[_Call, ...]] = set()  # what does no copying
        self._write([])  # it is there, whatever it copies
        self._shared = 0
        # What a trial shares with its arm alone is no loader's doing, nor are copies of that.
        self._follows = not name
        if self._follows:
            self._start()

    def _follow(self) -> None:
        """Begin in a process that has forked another one, with which it shares all that it has."""
        if not self._follows:
            self._follows = True
            self._start()

    def _start(self) -> None:
        self._shared = _shared()
        self._settled, self._last = time.monotonic(), _counters()

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:  # noqa: ARG002
        """Follow a call, if it is none of a library."""
        code = frame.f_code
        if code.co_filename.startswith(_LIBRARIES):
            return None
        self._account()
        self._calls.append((code, frame.f_lineno))
        return self._inside

    def _inside(self, frame: FrameType, event: str, argument: object) -> Any:  # noqa: ARG002
        self._account()
        code, known = frame.f_code, self._calls and self._calls[-1][0]
        if event == "line" and code is known:
            self._calls[-1] = code, frame.f_lineno
        elif event == "line":  # it was called before a fork
            self._calls.append((code, frame.f_lineno))
        elif event == "return" and code is known:
            self._calls.pop()
        return self._inside

    def _account(self) -> None:
        """Count what has been copied since the last time for the line that was run."""
        if self._follows:
            try:
                self._count()
            except OSError:  # the loader has left it no file to open: it goes on untold
                sys.settrace(None)

    def _count(self) -> None:
        now = _counters()
        faults, anonymous, files = (new - old for new, old in zip(now, self._last))  # noqa: B905
        self._last = now
        self._lines += 1
        copied = faults - max(0, anonymous) - max(0, min(files, faults))
        if copied and self._calls:
            calls = tuple(self._calls)
            if copied <= _FEW:
                self._small[calls] = self._small.get(calls, 0) + copied
            elif calls not in self._other:
                self._settle(copied, calls)
        if self._small and time.monotonic() - self._settled > _SECONDS:
            self._settle()
        if self._lines >= _LINES:
            sys.settrace(None)

    def _settle(self, last: int = 0, by: tuple[_Call, ...] = ()) -> None:
        """Write down how many pages were copied, for the ``last`` time ``by`` some calls.

        What has come and gone again within a line seems to be a copy. So there are no more than
        have ceased to be shared, as it is found by looking at all pages.
        """
        before, self._shared = self._shared, _shared()
        real = max(0.0, (before - self._shared) / _PAGE)
        small = {calls: pages for calls, pages in self._small.items() if pages > 0}
        share = min(1.0, real / (sum(small.values()) or 1))
        found = [(share * pages, calls) for calls, pages in small.items()]
        largest = min(last, real - sum(pages for pages, _ in found))
        found.append((largest, by))
        if largest < _REAL * last:
            self._other.add(by)
        lines = [
            json.dumps([int(pages * _PAGE), [[c.co_filename, _name(c), line] for c, line in calls]])
            for pages, calls in found
            if pages >= 1
        ]
        self._write(lines)
        self._small.clear()
        self._lines += _LINES_OF_A_LOOK
        self._settled, self._last = time.monotonic(), _counters()

    def _write(self, lines: list[str]) -> None:
        # No file stays open: a loader may close what it does not know, or count on its number.
        path = os.path.join(self._folder, self._name)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, "".join(f"{line}\n" for line in lines).encode())
        finally:
            os.close(file)


def _counters() -> tuple[int, int, int]:
    """Faults that needed no disk so far; pages that are resident, anonymous and others."""
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    with open("/proc/self/statm", "rb", buffering=0) as file:
        resident, others = map(int, file.read().split()[1:3])
    return faults, resident - others, others


def _shared() -> int:
    """Bytes of anonymous memory that other processes have as well."""
    with open("/proc/self/smaps", "rb") as file:
        found = _USE.findall(file.read())
    sizes = [int(size) for _, size in found]
    # Of each mapping come what is this process's own alone, clean and dirty, and what is anonymous.
    mappings = zip(sizes[::3], sizes[1::3], sizes[2::3])  # noqa: B905
    return 1024 * sum(max(0, anonymous - clean - dirty) for clean, dirty, anonymous in mappings)


def _name(code: CodeType) -> str:
    return getattr(code, "co_qualname", code.co_name)  # since 3.11


def start(folder: str) -> None:
    """Write down copies from now on, as all that this thread forks does: into a folder."""
    sys.settrace(CopiedPages(folder))
