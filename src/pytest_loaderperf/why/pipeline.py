"""Which node of a pipeline takes longer that has no lines of Python, such as one of tf.data.

The pipeline is iterated up to each of its nodes, by both versions in turn: what it takes more up to
one than up to the node before is what that node takes.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from difflib import SequenceMatcher

from ..measure.turns import Side
from ..model.results import Culprit, Stack, Why
from ..protocol.messages import NodeRun, RunNode
from ..supervisor.trial import Trial
from .calls import Files
from .lines import AT_MOST, WORTH, More, less
from .stacks import Call

_ROUNDS = 5
_SECONDS = 8.0  # of all runs together
_SHORTEST = 0.1
_STAGE = "the pipeline of tf.data"

Runs = list[list[NodeRun]]  # of each node, in each round


def why_slower(candidate: Side, baseline: Side, files: tuple[Files, Files]) -> Why:
    """Time the nodes of both versions; ``files`` are those of the candidate and of the baseline."""
    with (
        candidate.arm.begun(candidate.nodeid) as (ours, _),
        baseline.arm.begun(baseline.nodeid) as (theirs, _),
    ):
        trials = (ours, theirs)
        counts = [trial.ask(RunNode(node=0, seconds=0.0), NodeRun).nodes for trial in trials]
        seconds = max(_SHORTEST, _SECONDS / _ROUNDS / sum(counts))
        now: Runs = [[] for _ in range(counts[0])]
        before: Runs = [[] for _ in range(counts[1])]
        for _ in range(_ROUNDS):
            for node in range(max(counts)):
                for trial, runs in zip(trials, (now, before), strict=True):
                    if node < len(runs):
                        runs[node].append(_timed(trial, node, seconds))
    return explained(now, before, files[0])


def _timed(trial: Trial, node: int, seconds: float) -> NodeRun:
    return trial.ask(RunNode(node=node, seconds=seconds), NodeRun)


def explained(now: Runs, before: Runs, files: Files) -> Why:
    """What the runs of both versions say, in ms a sample."""
    up_to_now, up_to_before = ([_ms(runs) for runs in each] for each in (now, before))
    lost = More.of(less(up_to_now[-1], up_to_before[-1]))
    alone_now, alone_before = _alone(up_to_now), _alone(up_to_before)
    culprits, stacks = [], []
    partner = _partners([runs[0].name for runs in now], [runs[0].name for runs in before])
    for node, runs in enumerate(now):
        other = partner.get(node)
        theirs = alone_before[other] if other is not None else [0.0] * len(runs)
        more = More.of(less(alone_now[node], theirs))
        function = files.function(Call(file=runs[0].file, function=runs[0].name, line=runs[0].line))
        stacks.append(
            Stack(
                calls=(function.text,),
                candidate=max(0.0, statistics.fmean(alone_now[node])),
                baseline=max(0.0, statistics.fmean(theirs)),
            )
        )
        if lost.sure and more.low > 0 and more.mean >= WORTH * lost.mean:
            culprits.append(
                Culprit(
                    function=runs[0].name,
                    file=function.file,
                    line=runs[0].line,
                    more=more.mean,
                    interval=(more.low, more.high),
                    stage=_STAGE,
                )
            )
    return Why(
        took=statistics.fmean(up_to_now[-1]),
        lost=lost.mean,
        clear=lost.sure,
        interval=(lost.low, lost.high),
        waited=0.0,
        culprits=tuple(sorted(culprits, key=lambda each: -each.more)[:AT_MOST]),
        stacks=tuple(stacks),
    )


def _ms(runs: Sequence[NodeRun]) -> list[float]:
    return [1000 * run.seconds / run.samples for run in runs]


def _alone(up_to: Sequence[Sequence[float]]) -> list[list[float]]:
    """What each node takes by itself; one that works beside others may take less than nothing."""
    return [less(took, up_to[node - 1]) if node else list(took) for node, took in enumerate(up_to)]


def _partners(now: Sequence[str], before: Sequence[str]) -> dict[int, int]:
    """Which node of the baseline each one of the candidate is, by what they are called."""
    theirs, ours = ([name.partition("(")[0] for name in names] for names in (before, now))
    matcher = SequenceMatcher(None, theirs, ours, autojunk=False)
    return {
        block.b + step: block.a + step
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    }
