"""One run at a time measures on a machine: two would measure each other."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def machine_lock(say: Callable[[str], None]) -> Iterator[None]:
    """Hold the machine's lock; ``say`` hears about it when another run has it.

    The lock belongs to the open file: it goes with the process, however that ends.
    """
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:  # no such lock on this system
        yield
        return
    descriptor = _open(Path(tempfile.gettempdir()) / "pytest-loaderperf.lock")
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another loaderperf run on this machine")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # Another user's file in a sticky folder can be opened, but not with O_CREAT.
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        os.fchmod(descriptor, 0o644)  # whatever the umask: other users must be able to open it
        return descriptor
