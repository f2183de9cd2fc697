"""A shard on the machine that it was given to, and its end if whoever asked for it is lost.

Started as ``python -m pytest_loaderperf.cluster.node FOLDER SHARD [ARGUMENT...]``. Its standard
input has the folder in which pytest is to be started. It ends with the one who holds the other
end: then it ends pytest, whose own cleanup does the rest, and removes the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..baselines import update
from ..model.shards import Shard
from . import bundles

_RESULTS = "results.json"
_TOLD = 200_000  # bytes of output, at most: its end tells how it ended
_ROUNDS, _SECONDS = 100, 0.1  # of removing what others still write into


@dataclass(frozen=True, kw_only=True)
class ShardRun:
    """What came of a shard.

    ``status`` is pytest's, and ``output`` the end of what it printed. ``results`` is its results
    file, None if it wrote none, and ``patch`` what an update has changed.
    """

    status: int
    output: str
    results: bytes | None
    patch: bytes


def measure(bundle: bundles.Bundle, shard: Shard, arguments: Sequence[str]) -> ShardRun:
    """Unpack a project, and measure a shard of its checks; leaves nothing behind.

    CheckoutError where the project cannot be unpacked.
    """
    folder = Path(tempfile.mkdtemp(prefix="loaderperf-shard-"))
    try:
        with tempfile.TemporaryFile() as log:
            command = [sys.executable, "-m", __name__, str(folder), str(shard), *arguments]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            ) as runner:
                assert runner.stdin is not None
                start = bundles.unpack(bundle, folder)
                runner.stdin.write(os.fsencode(start) + b"\n")
                runner.stdin.flush()
                status = runner.wait()
            log.seek(max(0, log.tell() - _TOLD))
            output = log.read().decode(errors="replace")
        results = folder / _RESULTS
        written = results.read_bytes() if results.exists() else None
        updates = any(each.startswith("--loaderperf-update") for each in arguments)
        patch = b""
        if updates and written is not None:
            patch = update.patch(start, json.loads(written)["root"])
        return ShardRun(status=status, output=output, results=written, patch=patch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run pytest in the folder that is named, until it ends or nobody wants it any more."""
    folder, shard, *arguments = sys.argv[1:]
    start = _line()
    if not start:
        _remove(Path(folder))
        return 1
    command = [sys.executable, "-m", "pytest", "--loaderperf", f"--loaderperf-shard={shard}"]
    command += [f"--loaderperf-json={Path(folder) / _RESULTS}", *arguments]
    with subprocess.Popen(
        command, cwd=start, stdin=subprocess.DEVNULL, start_new_session=True
    ) as process:
        unwanted = threading.Event()
        threading.Thread(target=_end_unwanted, args=(process.pid, unwanted), daemon=True).start()
        status = process.wait()
    if unwanted.is_set():
        _remove(Path(folder))
    return status if status >= 0 else 128 - status


def _line() -> bytes:
    """The first line of the standard input, of which nothing more is read."""
    line = b""
    while (byte := os.read(sys.stdin.fileno(), 1)) not in (b"", b"\n"):
        line += byte
    return line


def _end_unwanted(group: int, unwanted: threading.Event) -> None:
    """Wait for the end of the standard input."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    unwanted.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _remove(folder: Path) -> None:
    for _ in range(_ROUNDS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
