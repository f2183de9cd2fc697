"""Has memray write down what a process allocates, and what those do that it forks or starts.

Beside ``loaderperf_sources``, and like that in need of nothing but the standard library, and of
memray, where that is installed. Each process writes a file of its own into a folder; a trial's is
called ``main``.
"""

from __future__ import annotations

import contextlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

MAIN = "main"  # begins the names of files of a trial's own processes
ALLOCATIONS = "LOADERPERF_ALLOCATIONS"  # the folder to write into

tracker: Any = None  # as long as the process lives


def tracking(folder: str) -> Any:
    """What writes down allocations once it is entered, as all that is started then does.

    Whoever enters it must not return: memray loses the calls around the one in which it begins.
    ImportError without memray.
    """
    os.environ[ALLOCATIONS] = folder
    return _tracker(f"{MAIN}-{os.getpid()}")  # each rank has one


def start_later() -> None:
    """The same in a process that just starts: memray sees no calls before its main module runs."""
    sys.setprofile(_wait_for_main)


def _wait_for_main(frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG001
    if frame.f_globals.get("__name__") == "__main__":
        sys.setprofile(None)
        with contextlib.suppress(ImportError):  # another interpreter than its parent's
            _tracker(f"process-{os.getpid()}").__enter__()


def _tracker(name: str) -> Any:
    import memray  # noqa: PLC0415

    global tracker  # noqa: PLW0603  (one for each process)
    tracker = memray.Tracker(os.path.join(os.environ[ALLOCATIONS], name), follow_fork=True)
    return tracker
