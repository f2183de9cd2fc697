"""A shard on the machine that it was given to, and its end if whoever asked for it is lost.

Started as ``python -m pytest_loaderperf.cluster.node LIFELINE FOLDER SHARD [ARGUMENT...]``. Its
standard input has the folder in which pytest is to be started. The lifeline is a descriptor, of
which whoever wants the results holds the other end. When that is closed, however that happens,
pytest is ended, whose own cleanup does the rest, and the folder is removed.
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
    lifeline, end = os.pipe()
    try:
        with tempfile.TemporaryFile() as log:
            command = [sys.executable, "-m", __name__, str(lifeline), str(folder), str(shard)]
            with subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[lifeline],
                start_new_session=True,
            ) as runner:
                start = bundles.unpack(bundle, folder)
                runner.communicate(os.fsencode(start))
            log.seek(max(0, log.tell() - _TOLD))
            output = log.read().decode(errors="replace")
        results = folder / _RESULTS
        written = results.read_bytes() if results.exists() else None
        updates = any(each.startswith("--loaderperf-update") for each in arguments)
        patch = b""
        if updates and written is not None:
            patch = update.patch(start, json.loads(written)["root"])
        return ShardRun(status=runner.returncode, output=output, results=written, patch=patch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lifeline)
        os.close(end)


def main() -> int:
    """Run pytest in the folder that is named, until it ends or nobody wants it any more."""
    lifeline, folder, shard, *arguments = sys.argv[1:]
    group = os.getpid()
    # Not this process: Ray kills the children of a worker when it ends, and not theirs.
    if not os.fork():
        os.setsid()
        _wait_for_end(int(lifeline))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        _remove(Path(folder))
        os._exit(0)
    start = sys.stdin.buffer.read()
    command = [sys.executable, "-m", "pytest", "--loaderperf", f"--loaderperf-shard={shard}"]
    command += [f"--loaderperf-json={Path(folder) / _RESULTS}", *arguments]
    finished = subprocess.run(command, cwd=start, stdin=subprocess.DEVNULL, check=False)
    return finished.returncode if finished.returncode >= 0 else 128 - finished.returncode


def _wait_for_end(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass


def _remove(folder: Path) -> None:
    for _ in range(_ROUNDS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
