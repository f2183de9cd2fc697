"""Cleans up after a run that cannot do it itself: one that was killed.

Started as ``python -m pytest_loaderperf.supervisor.cleanup MARK SCRATCH ROOT``. It waits for the
end of its standard input, which comes when the coordinator has ended, however that happens; a run
that ends as it should has cleaned up by then, and kills it.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

_SECONDS = 0.2  # between looks for what a git that was at work has left
_ROUNDS = 50


class Guard:
    """The coordinator's side: the process, from the first arm to the end of the run."""

    def __init__(self, mark: str, scratch: Path, root: Path) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pytest_loaderperf.supervisor.cleanup",
                mark,
                str(scratch),
                str(root),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """End it: there is nothing left to do."""
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Wait for the end of the coordinator, then remove what is left of its run."""
    mark, scratch, root = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    sys.stdin.read()
    from ..system import cgroups, strays  # noqa: PLC0415  (most runs end as they should)

    strays.end(mark)
    for place, _ in cgroups.places():
        cgroups.remove_abandoned(place)
    for _ in range(_ROUNDS):
        if not scratch.exists():
            return
        _remove(scratch, root)
        time.sleep(_SECONDS)


def _remove(scratch: Path, root: Path) -> None:
    from ..errors import CheckoutError  # noqa: PLC0415
    from ..versions.repository import Repository  # noqa: PLC0415

    with contextlib.suppress(CheckoutError):
        repository = Repository.find(root)
        if repository is not None:
            for worktree in scratch.glob("*/.git"):
                Repository(toplevel=repository.toplevel, prefix="").remove_worktree(worktree.parent)
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
