"""Which lines hold the memory that a version takes more: both versions once more, under memray.

And which ones have processes copy what they share with the one that they were forked from, which
nobody allocates: both versions once more, traced (``child/loaderperf_copies.py``).
"""

from __future__ import annotations

import importlib.util
import math
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..child.loaderperf_allocations import MAIN
from ..measure import calibration
from ..measure.calibration import Calibration
from ..measure.plan import Lengths
from ..measure.turns import Side
from ..model.results import Why
from ..protocol.messages import Begin
from ..system.peak_memory import CHILD
from .calls import MAIN_PROCESS, WORKERS, Files, Function, Node
from .lines import WORTH, explain
from .stacks import Call, of_loader, parsed

_MIB = 2**20
_OF_A_RANK = re.compile(rf"{MAIN}-\d+")  # and not of what it has forked, which adds to the name
_LUCK = 0.002  # what is allocated differs by little from process to process
_LUCK_OF_COPIES = 0.05
INSTALL = "pip install 'pytest-loaderperf[why]' tells which lines hold the memory"


def is_installed() -> bool:
    """Whether memray is, which this needs."""
    return importlib.util.find_spec("memray") is not None


def why_larger(
    sides: tuple[Side, Side],
    files: tuple[Files, Files],
    lengths: Lengths,
    like: Calibration,
    grown: float,
) -> Why:
    """Have both versions go as far as a calibration did, and tell what holds the difference (MiB).

    ``sides`` and ``files`` are those of the candidate and of the baseline. By so many MiB the peak
    has ``grown``: no line is named that holds next to nothing of it.
    """
    ask = partial(_asked, sides, files, lengths, like)
    trials, nodes = ask(lambda folder: Begin(allocations=folder), allocated)
    return replace(_told(nodes, files, grown, _LUCK), in_flight=in_flight(*trials))


def why_copied(
    sides: tuple[Side, Side],
    files: tuple[Files, Files],
    lengths: Lengths,
    like: Calibration,
    grown: float,
) -> Why:
    """The same of the memory that processes copy, and of the lines that have them do so."""
    ask = partial(_asked, sides, files, lengths, like)
    _, nodes = ask(lambda folder: Begin(copies=folder), copied)
    return _told(nodes, files, grown, _LUCK_OF_COPIES)


def _asked(
    sides: tuple[Side, Side],
    files: tuple[Files, Files],
    lengths: Lengths,
    like: Calibration,
    begin: Callable[[str], Begin],
    read: Callable[[Path], _Held],
) -> tuple[list[Calibration], list[Node]]:
    """A trial of each version, asked to write into a folder, and what it has written there."""
    trials, nodes = [], []
    for side, theirs in zip(sides, files, strict=True):
        with tempfile.TemporaryDirectory(prefix="loaderperf-why-") as written:
            trials.append(
                calibration.calibrate(side.arm, side.nodeid, lengths, like, begin(written))
            )
            nodes.append(held(Path(written), theirs, workers(trials[-1]), read))
    return trials, nodes


def _told(nodes: Sequence[Node], files: tuple[Files, Files], grown: float, luck: float) -> Why:
    now, before = files
    why = explain(*nodes, now=now.lines, before=before.lines, luck=luck)
    return why if why.lost >= WORTH * grown else replace(why, clear=False, culprits=())


def workers(trial: Calibration) -> int:
    """How many processes a rank's loader had at a time: as it tells, or else as was seen."""
    if trial.loader.workers:
        return trial.loader.workers
    most = 0
    for sample in trial.memory:
        children = sum(name.startswith(CHILD) for name in sample.processes)
        ranks = len(sample.processes) - children
        most = max(most, math.ceil(children / max(1, ranks)))
    return most


_Held = Sequence[tuple[float, Sequence[Call]]]  # MiB, and the calls that are to blame for them


def allocated(path: Path) -> _Held:
    """What a process held at its peak, and the calls in which it was allocated."""
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


def copied(path: Path) -> _Held:
    """What a process has copied, and the calls in which it did."""
    return [
        (size / _MIB, [Call(file=file, function=name, line=line) for file, name, line in calls])
        for size, calls in parsed(path)
    ]


def held(
    folder: Path, files: Files, count: int = 0, read: Callable[[Path], _Held] = allocated
) -> Node:
    """What the processes of a trial held when each of them held the most, in MiB.

    A new epoch may have new workers. If so many (``count``) of each rank live at a time, the
    largest of them count. ``read`` tells what is in the file of a process.
    """
    mains = [path for path in folder.iterdir() if _OF_A_RANK.fullmatch(path.name)]
    paths = [path for path in folder.iterdir() if path not in mains]
    most = sorted(map(read, paths), key=lambda those: -sum(size for size, _ in those))
    root = Node()
    for in_worker, processes in (
        (False, map(read, mains)),
        (True, most[: count * len(mains) or None]),
    ):
        for size, calls in (each for those in processes for each in those):
            _add(root, size, in_worker, calls, files)
    return root


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
