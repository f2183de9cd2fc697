"""Files of results: whole, or added to."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from pytest_loaderperf.system import files

ODD = "name\udcff"  # as Python reads a file name that is no UTF-8


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.json"
    for text in ("one", "two"):
        files.replace(path, text)
        assert path.read_text() == text
    assert [each.name for each in path.parent.iterdir()] == ["out.json"]


def test_what_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    files.replace(path, "old")

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        files.replace(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


def test_a_file_is_added_to(tmp_path: Path) -> None:
    path = tmp_path / "new" / "summary.md"
    files.append(path, "one\n")
    files.append(path, "two\n")
    assert path.read_text() == "one\ntwo\n"


@pytest.mark.parametrize("write", [files.replace, files.append])
def test_any_text_can_be_written(tmp_path: Path, write: object) -> None:
    assert callable(write)
    write(tmp_path / "out", ODD)
    assert (tmp_path / "out").read_text() == "name\\udcff"


@pytest.mark.parametrize("there", [False, True])
def test_a_lock_is_open_for_writing_as_nfs_demands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    modes = []
    monkeypatch.setattr(
        fcntl,
        "flock",
        lambda file, _: modes.append(fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE),
    )
    path = tmp_path / "a.lock"
    if there:
        path.touch()
    with files.locked(path):
        assert modes == [os.O_RDWR]


def test_a_run_lies_where_its_trials_can_open_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, deep = "/tmp", tmp_path / ("x" * 70)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", short)
    assert files.temporary_place() == short
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert files.temporary_place() == "/tmp"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert files.temporary_place() == str(deep)
