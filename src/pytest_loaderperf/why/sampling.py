"""Takes pairs whose processes are asked many times a second where they are."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..child.loaderperf_stacks import ASK
from ..errors import ArmError
from ..measure import turns
from ..measure.turns import Side
from ..model.results import Why
from ..protocol.messages import Stretch
from ..supervisor.arm import Arm
from ..system import process_tree
from .calls import PARTS, Files, Node, fold
from .lines import explain
from .stacks import Sample, read

# More often tells more, and slows what is asked: each answer takes some 30 us.
_HERTZ = 400
# New processes are looked for after so many rounds.
_LOOK_EVERY = 8
_SECONDS = 5.0  # that each side is timed: longer than in a trial of a verdict


@contextlib.contextmanager
def asking(arms: Sequence[Arm]) -> Iterator[None]:
    """Ask all that some arms have started where they are, as long as this goes on.

    Whoever has no handler for the signal ignores it. One that is suspended answers as soon as it
    goes on.
    """
    over = threading.Event()
    thread = threading.Thread(target=_ask, args=(arms, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _ask(arms: Sequence[Arm], over: threading.Event) -> None:
    processes: list[int] = []
    rounds = 0
    due = time.perf_counter()
    while not over.is_set():
        if not rounds % _LOOK_EVERY:
            processes = [each for arm in arms for each in process_tree.tree(arm.pid)]
        rounds += 1
        for pid in processes:
            with contextlib.suppress(OSError):
                os.kill(pid, ASK)
        due = max(due + 1 / _HERTZ, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))


def why_slower(candidate: Side, baseline: Side, files: tuple[Files, Files], seconds: float) -> Why:
    """Measure again, and tell which lines explain the difference of two sides.

    ``files`` are those of the candidate and of the baseline. By their plans each side would be
    timed for so many ``seconds``. Where they do not take turns, a slow second of the machine hits
    one of them alone: then there are two pairs, in either order.
    """
    pairs = 1 if turns.are_in_turns((candidate, baseline)) else 2
    roots = Node(), Node()
    for pair in range(pairs):
        parts = range(pair * PARTS // pairs, (pair + 1) * PARTS // pairs)
        sides = [_longer(side, _SECONDS / pairs / seconds) for side in (candidate, baseline)]
        _add_pair(sides, files, roots, parts, candidate_first=not pair)
    now, before = files
    return explain(*roots, now=now.lines, before=before.lines)


def _add_pair(
    sides: Sequence[Side],
    files: tuple[Files, Files],
    roots: tuple[Node, Node],
    parts: range,
    *,
    candidate_first: bool,
) -> None:
    with tempfile.TemporaryDirectory(prefix="loaderperf-why-") as written:
        folders = [Path(written, name) for name in ("candidate", "baseline")]
        for folder in folders:
            folder.mkdir()
        asked = [replace(s, stacks=str(f)) for s, f in zip(sides, folders, strict=True)]
        with asking([side.arm for side in asked]):
            timings = turns.time_pair(*asked, candidate_first=candidate_first)
        for side, timing, own, root in zip(asked, timings, files, roots, strict=True):
            samples = said(side, timing.taken.stretches, timing.suspended)
            made = timing.taken.samples * timing.made / timing.taken.batches
            fold(samples, made, own, root, parts)


def said(
    side: Side, stretches: Sequence[Stretch], suspended: Sequence[Stretch] = ()
) -> list[Sample]:
    """What the processes of a side wrote down in some stretches. ArmError if that is nothing."""
    samples = read(Path(side.stacks), stretches, suspended)
    if not samples:
        raise ArmError(f"no process of {side.arm.version.name} said where it is")
    return samples


def _longer(side: Side, more: float) -> Side:
    """A side that is timed so many times as long, or of whole epochs one."""
    pace = side.pace
    if pace.whole:
        return replace(side, pace=pace.of_one_epoch)
    return replace(side, pace=replace(pace, slices=max(2, round(more * pace.slices))))
