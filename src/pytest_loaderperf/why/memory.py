"""Which lines hold the memory that a version takes more: both versions once more, under memray."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..child.loaderperf_allocations import MAIN
from ..measure import calibration
from ..measure.calibration import Calibration
from ..measure.plan import Lengths
from ..measure.turns import Side
from ..model.results import Why
from .calls import MAIN_PROCESS, WORKERS, Files, Function, Node
from .lines import WORTH, explain
from .stacks import Call, of_loader

_MIB = 2**20
_OF_A_RANK = re.compile(rf"{MAIN}-\d+")  # and not of what it has forked, which adds to the name
_LUCK = 0.002  # what is allocated differs by little from process to process
INSTALL = "pip install 'pytest-loaderperf[why]' tells which lines hold the memory"


def is_installed() -> bool:
    """Whether memray is, which this needs."""
    return importlib.util.find_spec("memray") is not None


def why_larger(
    candidate: Side,
    baseline: Side,
    files: tuple[Files, Files],
    lengths: Lengths,
    like: Calibration,
    grown: float,
) -> Why:
    """Have both versions go as far as a calibration did, and tell what holds the difference (MiB).

    ``files`` are those of the candidate and of the baseline. By so many MiB the peak has ``grown``:
    no line is named that holds next to nothing of it.
    """
    nodes, trials = [], []
    for side, theirs in zip((candidate, baseline), files, strict=True):
        with tempfile.TemporaryDirectory(prefix="loaderperf-why-") as written:
            trials.append(
                calibration.calibrate(side.arm, side.nodeid, lengths, like, allocations=written)
            )
            nodes.append(held(Path(written), theirs, trials[-1].loader.workers))
    now, before = files
    why = explain(*nodes, now=now.lines, before=before.lines, luck=_LUCK)
    if why.lost < WORTH * grown:
        why = replace(why, clear=False, culprits=())
    return replace(why, in_flight=in_flight(*trials))


def held(folder: Path, files: Files, workers: int = 0) -> Node:
    """What the processes of a trial held when each of them held the most, in MiB.

    A new epoch may have new workers. If so many ``workers`` live at a time, those of each rank, the
    largest count.
    """
    mains = [path for path in folder.iterdir() if _OF_A_RANK.fullmatch(path.name)]
    paths = [path for path in folder.iterdir() if path not in mains]
    most = sorted(map(_held, paths), key=lambda those: -sum(size for size, _ in those))
    root = Node()
    for in_worker, processes in (
        (False, map(_held, mains)),
        (True, most[: workers * len(mains) or None]),
    ):
        for size, calls in (each for those in processes for each in those):
            _add(root, size, in_worker, calls, files)
    return root


def _held(path: Path) -> list[tuple[float, Sequence[Call]]]:
    """What a process held at its peak, in MiB, and the calls in which it was allocated."""
    from memray import FileReader  # noqa: PLC0415  (an extra)

    found: list[tuple[float, Sequence[Call]]] = []
    with FileReader(path) as reader:
        for record in reader.get_high_watermark_allocation_records(merge_threads=True):
            calls = [
                Call(file=file, function=function, line=line)
                for function, file, line in reversed(record.stack_trace())
            ]
            found.append((record.size / _MIB, of_loader(calls)))
    return found


def _add(root: Node, size: float, in_worker: bool, calls: Sequence[Call], files: Files) -> None:
    node = root.child(Function(file="", name=WORKERS if in_worker else MAIN_PROCESS))
    for each in (root, node):
        each.took = [size + parts for parts in each.took]
    for call in calls:
        node = node.child(files.function(call))
        node.took = [size + parts for parts in node.took]
        node.lines[call.line] = [size + parts for parts in node.lines[call.line]]


def in_flight(candidate: Calibration, baseline: Calibration) -> tuple[int, float]:
    """How many batches the candidate has more in flight, and how much memory they take (MiB)."""
    counts = [each.loader.workers * each.loader.prefetch for each in (candidate, baseline)]
    samples = candidate.values["throughput"] / candidate.pace  # of a batch
    more = counts[0] - counts[1]
    return more, more * samples * candidate.workload.bytes_per_sample / _MIB
