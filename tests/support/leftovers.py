"""What a run may have left: processes, files, control groups, shared memory."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pytest_loaderperf.system import cgroups

_MARK = "LOADERPERF_TEST"  # each process that a test starts inherits it
_SHARED = Path("/dev/shm")
_APART = "tests-of-loaderperf-"


@pytest.fixture
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process that a test started is left behind: each inherits a mark of its own."""
    mark = str(uuid.uuid4())
    monkeypatch.setenv(_MARK, mark)
    yield
    left = processes(_MARK, mark)
    assert not left, [process.cmdline() for process in left]


def processes(variable: str, value: str) -> list[psutil.Process]:
    """The processes whose environment has a variable that begins with a value."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(variable, "").startswith(value):
                found.append(process)
    return found


def processes_of(temporary: Path | str) -> list[psutil.Process]:
    """The processes of a run, told by their temporary folder."""
    return processes("TMPDIR", str(temporary))


def files(temporary: Path | str) -> list[str]:
    """What a run has left in its temporary folder, beside the lock, and of control groups."""
    groups = [path.name for place, _ in cgroups.places() for path in cgroups.abandoned(place)]
    return [path.name for path in Path(temporary).iterdir() if path.suffix != ".lock"] + groups


def keep_apart() -> None:
    """Have what this process starts make control groups in one of its own, for good.

    A run that a test kills has left some until its last process has ended: no other worker's tests
    are to see them. Version 2 has none within a group that has processes; there they still may.
    """
    for place, version in cgroups.places():
        if version is cgroups.V1:
            folder = place / f"{_APART}{os.getpid()}"
            with suppress(OSError):  # it may not
                folder.mkdir()
                (folder / "cgroup.procs").write_text(str(os.getpid()))


def remove_groups() -> None:
    """Remove the control groups of processes that were kept apart and have ended."""
    for place, _ in cgroups.places():
        # Tests may run tests: those within come first.
        for folder in sorted(place.rglob(f"{_APART}*"), reverse=True):
            cgroups.remove_abandoned(folder)
            with suppress(OSError):  # it is in use
                folder.rmdir()


def shared_memory() -> set[str]:
    """The segments that the system has now."""
    return {path.name for path in _SHARED.iterdir()} if _SHARED.exists() else set()
