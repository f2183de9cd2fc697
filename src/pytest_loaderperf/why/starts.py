"""Which lines explain that the first batch comes later: both versions are started again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace

from ..errors import ArmError
from ..measure.timed_trial import TimedTrial
from ..measure.turns import Side
from ..model.results import Why
from ..protocol.messages import Stretch
from .calls import Files, Node, fold
from .lines import explain
from .sampling import asking, said

_SECONDS = 12.0  # that all first batches may take together
_SETTING_UP = 0.3  # seconds of a trial, more or less, before it opens its loader
_LEAST, _MOST = 4, 8  # pairs: fewer tell nothing of how they scatter


def pairs_in_time(first_batch: float) -> int:
    """How many times both sides are started whose first batch takes so many seconds.

    0 where the fewest that tell something take too long.
    """
    pairs = int(_SECONDS / 2 / (first_batch + _SETTING_UP))
    return min(pairs, _MOST) if pairs >= _LEAST else 0


def why_later(
    candidate: Side, baseline: Side, files: tuple[Files, Files], first_batch: float, *, always: bool
) -> Why:
    """Start both sides in turns, and tell which lines explain the difference (ms a start).

    ``files`` are those of the candidate and of the baseline, of which the slower one needs so many
    seconds for its first batch. Each pair is a part of all time. ArmError where a look takes too
    long, unless it is ``always`` asked for.
    """
    pairs = pairs_in_time(first_batch) or (_LEAST if always else 0)
    if not pairs:
        raise ArmError(
            f"it takes {first_batch:.1f} s, and a look {2 * _LEAST} of these; --loaderperf-why "
            "looks all the same"
        )
    roots = Node.of(pairs), Node.of(pairs)
    both = list(zip((candidate, baseline), files, roots, strict=True))
    for pair in range(pairs):
        for side, own, root in both if pair % 2 else reversed(both):
            _add_start(side, own, root, range(pair, pair + 1))
    now, before = files
    return explain(*roots, now=now.lines, before=before.lines)


def _add_start(side: Side, files: Files, root: Node, part: range) -> None:
    with tempfile.TemporaryDirectory(prefix="loaderperf-why-") as written:
        asked = replace(side, stacks=written)
        with asking([side.arm]):
            opening = _opened(asked)
        fold(said(asked, opening), 1.0, files, root, part)


def _opened(side: Side) -> Sequence[Stretch]:
    """Take the first batch of a trial; returns when it was waited for."""
    first_alone = replace(side.pace, warmup=1, drain=0)
    with side.arm.trials():
        timed = TimedTrial(side.arm, side.nodeid, first_alone, side.stacks)
        timed.set_up()
        timed.open()
        timed.end()
    return [timed.opening]
