"""What a process opens, lists and starts, where that is asked for: nothing is timed then.

Beside ``loaderperf_sources``, and like that in need of nothing but the standard library.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING or __package__:
    from .loaderperf_commands import name_of_program, unseen
    from .loaderperf_exchange import Exchange
else:  # as sitecustomize imports it
    from loaderperf_commands import name_of_program, unseen
    from loaderperf_exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

# What stands in the place of a module's name where a file was not run as one.
OPENED = "*opened"
UNSEEN = "*unseen"  # not a file: the command of a Python that does not start the ledger
# Only where a process is watched wholly, to record which files it uses:
LISTED = "*listed"  # a folder whose names were read, and not to look for a certain module
LINKED = "*linked"  # a link on the way to a file
STARTED = "*started"  # not a file: the command of a program that reads whatever it likes

# These tell of a start: program and arguments first, the environment last.
_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn")
_WATCHED = frozenset(["open", "os.listdir", "os.scandir", *_STARTS])
# Of an interpreter in the same process, none of these hooks hears anything.
_OTHER_STARTS = ("os.system", "os.spawn", "pty.spawn", "cpython.PyInterpreterState_New")
# A file under another name, which may be read then; a library, which no loader of Python's loads.
_TAKES = ("os.link", "os.rename", "ctypes.dlopen")
_WHOLLY = frozenset([*_WATCHED, *_OTHER_STARTS, *_TAKES])
# Modules whose programs tell what the system or the commit is, and read no sources.
_ASK = ("platform", "ctypes.util", "pytest_benchmark.utils")
# Who lists a folder to find certain modules or tests: other files in it make no difference.
_SEARCH = ("importlib", "_frozen_importlib", "_pytest.")
_LINKS_AT_MOST = 40  # as the kernel follows


class Watcher:
    """Hears what a process does, and tells of it; ``wholly`` all that a record needs.

    ``needed`` are the variables without which a Python shows nothing.
    """

    def __init__(
        self,
        exchange: Exchange,
        tell: Callable[[str, str], None],
        needed: Sequence[str],
        *,
        wholly: bool,
    ) -> None:
        self._exchange = exchange
        self._tell = tell
        self._needed = needed
        self._wholly = wholly
        self._events = _WHOLLY if wholly else _WATCHED
        self._busy: set[int] = set()  # threads that are telling: of what that opens nobody is told
        os.register_at_fork(after_in_child=self._busy.clear)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Hear of an event, as ``sys.addaudithook`` takes it."""
        if event not in self._events or (thread := get_ident()) in self._busy:
            return
        self._busy.add(thread)
        try:
            self._hear(event, arguments)
        except (TypeError, ValueError, OSError):  # a descriptor is no path
            pass
        finally:
            self._busy.discard(thread)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTS:
            self._start(arguments[0], arguments[1], arguments[-1])
        elif event in _OTHER_STARTS:
            self._tell(STARTED, f"what {event} runs")
        elif event != "open" or _reads(*arguments[1:]):
            lists = event in ("os.listdir", "os.scandir")
            path = "." if lists and arguments[0] is None else os.fsdecode(arguments[0])
            self._path(path, lists=lists)

    def _start(self, program: Any, arguments: Any, environment: Any) -> None:
        if self._wholly and environment is None:
            environment = os.environ  # in which somebody may have removed what is needed
        command = unseen(program, arguments, environment, self._needed)
        name = name_of_program(program, arguments)
        if command:
            self._tell(UNSEEN, command)
        elif self._wholly and not name.startswith(("python", "pypy")) and _cause() not in _ASK:
            self._tell(STARTED, name)

    def _path(self, path: str, *, lists: bool) -> None:
        real = self._exchange.real(path)
        if self._wholly and not self._exchange.new:
            real = self._exchange.source(real)  # who reads a copy of a file depends on that file
        is_top = self._wholly and real == self._exchange.old
        if not is_top and not self._exchange.in_working_tree(real):
            pass
        elif not self._wholly or not lists:
            if os.path.exists(real):
                self._tell(OPENED, real)
        elif not _cause().startswith(_SEARCH):
            self._tell(LISTED, real)
        if self._wholly:
            self.links(path)

    def links(self, path: str) -> None:
        """Tell of each link of the tree that leads to a file, one after the other."""
        path = os.path.abspath(path)
        for _ in range(_LINKS_AT_MOST):
            link = _first_link(path)
            if not link:
                return
            if self._exchange.in_working_tree(link):
                self._tell(LINKED, link)
            target = os.path.join(os.path.dirname(link), os.readlink(link))
            path = os.path.normpath(target) + path[len(link) :]


def _first_link(path: str) -> str:
    """The first part of a path that is a link, with all before it; empty if there is none."""
    end = 0
    while end < len(path):
        end = path.find(os.sep, end + 1)
        end = len(path) if end < 0 else end
        if os.path.islink(path[:end]):
            return path[:end]
    return ""


def _reads(mode: Any, flags: int) -> bool:
    """Whether a file is opened to be read, perhaps among other things."""
    if isinstance(mode, str):
        return "r" in mode or "+" in mode
    return flags & (os.O_WRONLY | os.O_RDWR) != os.O_WRONLY


def _cause() -> str:
    """The name of the module that has caused the event."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__") in (__name__, "subprocess"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))
