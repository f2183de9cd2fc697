"""Files: written whole or not at all, with the last of what a process printed, and locks."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def machine_lock(say: Callable[[str], None]) -> Iterator[None]:
    """One run at a time measures on a machine: two would measure each other.

    ``say`` hears about it when another run has the lock.
    """
    path = Path(tempfile.gettempdir()) / "pytest-loaderperf.lock"
    with locked(path, waiting=lambda: say("waiting for another loaderperf run on this machine")):
        yield


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock that a file stands for, on systems that have such; ``waiting`` is called first.

    The lock belongs to the open file: it goes with the process, however that ends. A file system
    may have none (NFS without a lock service, Lustre): then a file on another one of this machine
    stands for it, and where there is none nothing is locked.
    """
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:
        yield
        return
    same = f"pytest-loaderperf-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.lock"
    elsewhere = [Path(each) / same for each in (tempfile.gettempdir(), "/dev/shm", "/tmp")]  # noqa: S108
    for place in (path, *elsewhere):
        try:
            descriptor = _open(place)
        except OSError:
            if place == path:
                raise
            continue
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                continue
            yield
            return
        finally:
            os.close(descriptor)
    yield


# What file systems say that have no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def _open(path: Path) -> int:
    # For writing, as a lock over NFS demands. Another user's file in a sticky folder can only be
    # read, and cannot be opened with O_CREAT.
    try:
        return os.open(path, os.O_RDWR)
    except PermissionError:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        with contextlib.suppress(OSError):  # not on every file system
            os.fchmod(descriptor, 0o644)  # whatever the umask: other users must be able to open it
        return descriptor


# Of a path that stands for a socket; below a run's folder those of multiprocessing lie, or of ray,
# which needs 65 bytes for one: so the names of the folders above it are short.
_SOCKET_BYTES = 107
_BELOW = "/lp-12345678/t10/pymp-12345678/listener-12345678"


def temporary_place() -> str:
    """Where a run's temporary folder is made: not so deep that its trials could open no socket."""
    asked = tempfile.gettempdir()
    for place in (asked, "/tmp"):  # noqa: S108  (where the former is too deep)
        if len(os.fsencode(os.path.realpath(place) + _BELOW)) <= _SOCKET_BYTES:
            return place if os.access(place, os.W_OK | os.X_OK) else asked
    return asked


_SHOWN_BYTES = 16_384


def new_file(prefix: str, folder: Path | None = None) -> tuple[int, str]:
    """A temporary file: its descriptor and its path; the caller removes it."""
    return tempfile.mkstemp(prefix=f"{prefix}-", suffix=".log", dir=folder)


def tail(path: str | Path) -> str:
    """The last of what a file holds; empty if there is no such file."""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, Path(path).stat().st_size - _SHOWN_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


# A message may quote what no UTF-8 can hold, such as the name of a file.
_ERRORS = "backslashreplace"


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all; it keeps its mode. OSError where that cannot be done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f".{os.urandom(8).hex()}.tmp"  # not mkstemp: heed the umask
    try:
        with unfinished.open("xb") as file:
            file.write(text.encode("utf-8", _ERRORS))
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def append(path: Path, text: str) -> None:
    """Add to a file, which others may have written to before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", errors=_ERRORS) as file:
        file.write(text)
