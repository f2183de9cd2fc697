"""What else reads of trees whose peak is known: RSS sums, ru_maxrss, memray, tracemalloc.

    python benchmarks/peak_peers.py [--runs 3]

The trees are those of ``tests/integration/test_peak_truth.py``. Prints, for each tree and each
peer, how far the median of some runs is off, in MiB; beside it the two sources of the guard. Needs
memray (the extra ``benchmarks``).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import memray
import psutil
import pytest

from integration.test_peak_truth import PRELUDE, TREES, follow, read, running
from pytest_loaderperf.system import peak_memory, process_tree

MIB = 2**20
Peer = Callable[[str, str, Path], float]  # the two parts of a tree, a folder -> MiB

# At its end the processes that it has forked end as well, and it waits for them.
_WHOLE = """\
{prelude}
{before}
{start}
{after}
{end}
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGTERM)
try:
    while True: os.wait()
except ChildProcessError:
    pass
if os.path.exists(SHARED): os.unlink(SHARED)
"""
# With the tree as a child: what its parent is told of the largest process that has ended.
_CHILDREN = """\
import resource, subprocess, sys
subprocess.run([sys.executable, '-c', sys.argv[2], sys.argv[1]], start_new_session=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
_TRACED = "print(tracemalloc.get_traced_memory()[1] / 2**20, flush=True)"


def whole(before: str, after: str, start: str = "", end: str = "") -> str:
    """A tree as one script, which ends all of its processes."""
    return _WHOLE.format(prelude=PRELUDE, before=before, start=start, after=after, end=end)


def guard(before: str, after: str, folder: Path, *, grouped: bool) -> float:
    """What the guard reads."""
    with pytest.MonkeyPatch.context() as patch:
        if not grouped:
            patch.setattr(peak_memory, "group_for", lambda _: None)
        return read(before, after, folder).peak / MIB


def rss_sum(before: str, after: str, folder: Path) -> float:
    """The highest sum of RSS over the tree, every 20 ms, less what it was before."""

    def now() -> float:
        total = 0.0
        for pid in process_tree.tree(tree.pid):
            try:
                total += psutil.Process(pid).memory_info().rss / MIB
            except psutil.Error:
                continue
        return total

    with running(before, after, folder) as tree:
        first = now()
        sums = [first]
        follow(tree, lambda: sums.append(now()))
    return max(sums) - first


def maxrss(before: str, after: str, folder: Path) -> float:
    """``ru_maxrss`` of the children, less that of the same tree without its second part."""

    def run(after: str) -> float:
        found = subprocess.run(
            [sys.executable, "-c", _CHILDREN, str(folder / "file"), whole(before, after)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return float(found.stdout)

    return run(after) - run("")


def memray_peak(before: str, after: str, folder: Path) -> float:
    """Memray's peaks of all processes (``--follow-fork``), less those without the second part."""

    def run(after: str, name: str) -> float:
        script = folder / f"{name}.py"
        script.write_text(whole(before, after))
        out = folder / f"{name}.bin"
        command = [sys.executable, "-m", "memray", "run", "--follow-fork", "-q", "-o", str(out)]
        subprocess.run(
            [*command, str(script), str(folder / "file")],
            start_new_session=True,
            check=False,
            timeout=60,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        files = folder.glob(f"{name}.bin*")
        peaks: list[int] = [memray.FileReader(file).metadata.peak_memory for file in files]
        return sum(peaks) / MIB

    return run(after, "with") - run("", "without")


def traced(before: str, after: str, folder: Path) -> float:
    """Tracemalloc's peak in the process itself, from the second part on."""
    start = "import tracemalloc\ntracemalloc.start()"
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            whole(before, after, start, _TRACED),
            str(folder / "file"),
        ],
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
        timeout=60,
    )
    return float(found.stdout.splitlines()[0])


PEERS: dict[str, Peer] = {
    "guard, control group": lambda *tree: guard(*tree, grouped=True),
    "guard, pages": lambda *tree: guard(*tree, grouped=False),
    "psutil, sum of RSS": rss_sum,
    "ru_maxrss": maxrss,
    "memray --follow-fork": memray_peak,
    "tracemalloc": traced,
}


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"| tree | answer | {' | '.join(PEERS)} |")
    print("|---" * (len(PEERS) + 2) + "|")
    for name, (before, after, answer) in TREES.items():
        cells = []
        for peer in PEERS.values():
            errors = []
            for _ in range(options.runs):
                with tempfile.TemporaryDirectory() as folder:
                    errors.append(peer(before, after, Path(folder)) - answer)
            cells.append(f"{statistics.median(errors):+.1f}")
        print(f"| {name} | {answer} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
