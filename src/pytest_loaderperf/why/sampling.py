"""Takes a pair whose processes are asked many times a second where they are."""

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
from ..measure.plan import Plan
from ..measure.turns import Side
from ..model.results import Why
from ..supervisor.arm import Arm
from ..system import process_tree
from .calls import Files, fold
from .lines import explain
from .stacks import read

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
    """Measure a pair, and tell which lines explain the difference of its sides.

    ``files`` are those of the candidate and of the baseline. By their plans each side would be
    timed for so many ``seconds``.
    """
    sides = []
    with tempfile.TemporaryDirectory(prefix="loaderperf-why-") as written:
        for side, name in ((candidate, "candidate"), (baseline, "baseline")):
            folder = Path(written, name)
            folder.mkdir()
            sides.append(
                replace(side, stacks=str(folder), pace=_longer(side.pace, _SECONDS / seconds))
            )
        with asking([side.arm for side in sides]):
            timings = turns.time_pair(*sides, candidate_first=True)
        nodes = []
        for side, timing, each in zip(sides, timings, files, strict=True):
            samples = read(Path(side.stacks), timing)
            if not samples:
                raise ArmError(f"no process of {side.arm.version.name} said where it is")
            nodes.append(fold(samples, timing, each))
    now, before = files
    return explain(*nodes, now=now.lines, before=before.lines)


def _longer(pace: Plan, more: float) -> Plan:
    """A plan that times so many times as long, or whole epochs once."""
    return pace.of_one_epoch if pace.whole else replace(pace, slices=round(more * pace.slices))
