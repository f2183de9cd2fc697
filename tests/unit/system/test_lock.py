"""The machine's lock: two runs wait for each other, and none is left behind."""

from __future__ import annotations

import errno
import os
import select
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_loaderperf.system.files import locked, machine_lock

fcntl = pytest.importorskip("fcntl")

# Holds the lock until its input ends, then says so before it lets go.
HOLDER = """
import sys, time
from pytest_loaderperf.system.files import machine_lock
with machine_lock(print):
    print("held", flush=True)
    sys.stdin.read()
    time.sleep(0.1)
    print("leaving", flush=True)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for the lock where no real run is in the way."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another run that has the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_without_another_run_there_is_nothing_to_say() -> None:
    said: list[str] = []
    for _ in range(2):  # a lock that was given back can be had again
        with machine_lock(said.append):
            pass
    assert said == []


def test_the_second_run_is_told_and_waits(holder: subprocess.Popen[str]) -> None:
    said: list[str] = []

    assert holder.stdout is not None

    def say(text: str) -> None:
        said.append(text)
        assert holder.stdin is not None
        holder.stdin.close()

    with machine_lock(say):
        assert len(said) == 1
        assert "waiting for another loaderperf run" in said[0]
        assert select.select([holder.stdout], [], [], 0)[0]  # it has said something by now
    assert holder.stdout.read() == "leaving\n"


def test_the_lock_of_a_killed_run_is_free(holder: subprocess.Popen[str]) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        holder.kill()

    with machine_lock(say):
        assert len(said) == 1


def test_the_lock_is_given_back_when_the_run_fails(folder: Path) -> None:
    def fail() -> None:
        with machine_lock(pytest.fail):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with machine_lock(pytest.fail):
        pass


def test_a_process_that_a_run_starts_does_not_keep_its_lock(folder: Path) -> None:
    with machine_lock(pytest.fail):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child, machine_lock(pytest.fail):
        assert child.poll() is None
        child.kill()


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_other_users_can_wait_for_the_same_lock(folder: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with machine_lock(pytest.fail):
            pass
    finally:
        os.umask(before)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o444


def test_a_lock_file_that_can_only_be_read_will_do(folder: Path) -> None:
    with machine_lock(pytest.fail):
        pass
    (file,) = folder.iterdir()
    file.chmod(0o444)
    with machine_lock(pytest.fail):
        pass
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_where_the_file_system_has_no_locks_another_one_has(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    share = folder / "share"
    share.mkdir()
    flock = fcntl.flock

    def without(descriptor: int, operation: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().parent == share:
            raise OSError(number, os.strerror(number))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", without)
    said: list[str] = []
    inside = threading.Event()

    def second() -> None:
        with locked(share / "a.lock", lambda: said.append("waits")):
            inside.set()

    thread = threading.Thread(target=second, daemon=True)
    with locked(share / "a.lock"), locked(share / "b.lock"):
        thread.start()
        assert not inside.wait(0.1)
    assert inside.wait(10)
    assert said == ["waits"]


def test_without_any_lock_a_run_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", without)
    with machine_lock(print):
        pass


def test_what_else_goes_wrong_with_a_lock_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="input/output error"), machine_lock(print):
        pass
