"""Which functions, and which lines of them, explain why a version takes longer."""

from __future__ import annotations

import difflib
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..model.results import Culprit, Why
from ..stats.sequential import quantile
from .calls import Function, Node, stacks

# A function stands for what calls it if it explains such a part of the difference there, and no
# more than that: else others have become faster, as where code has moved.
_MOST = 0.7
_NO_MORE = 1.3
# Named is what explains such a part of all that is lost,
WORTH = 0.15
# and, of what a sample takes in all, more than the same code differs by from process to process.
_LUCK = 0.02
AT_MOST = 3
_CONFIDENCE = 0.95
# Many functions are compared, and none may stand out by chance.
_SURE = 0.998
_WAITS = 0.7
_COMPREHENSION = ".<locals>.<listcomp>"  # which has a call of its own before Python 3.12

Text = Callable[[str], Sequence[str]]  # the lines of a file, as a version has it


@dataclass(frozen=True, kw_only=True)
class More:
    """How much more the candidate takes, in ms a sample: the mean, and 95 % of its luck."""

    mean: float
    low: float
    high: float
    sure: bool

    @classmethod
    def of(cls, differences: Sequence[float]) -> More:
        """That of the differences in each part of the time."""
        mean = statistics.fmean(differences)
        freedom = len(differences) - 1
        error = statistics.stdev(differences) / math.sqrt(len(differences))
        half = error * quantile((1 + _CONFIDENCE) / 2, freedom)
        sure = mean > error * quantile(_SURE, freedom)
        return cls(mean=mean, low=mean - half, high=mean + half, sure=sure)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A function on a chain of calls, and what it took on both sides, called so."""

    function: Function
    candidate: Node
    baseline: Node

    @property
    def more(self) -> list[float]:
        """What it takes more, in each part of the time."""
        return less(self.candidate.took, self.baseline.took)


Path = tuple[Place, ...]


def explain(
    candidate: Node, baseline: Node, *, now: Text, before: Text, luck: float = _LUCK
) -> Why:
    """What explains the difference of two versions.

    ``now`` and ``before`` give the lines of a file of the candidate and of the baseline. By the
    share ``luck`` two processes of the same code may differ.
    """
    lost = More.of(less(candidate.took, baseline.took))
    took = statistics.fmean(candidate.took)
    least = max(WORTH * lost.mean, luck * took)
    clear = lost.sure and lost.mean >= least
    culprits = []
    if clear:
        source = _Source(now=now, before=before)
        culprits = _culprits(_descend(candidate, baseline, (), lost.mean), source, least)
    return Why(
        took=took,
        lost=lost.mean,
        clear=clear,
        interval=(lost.low, lost.high),
        waited=statistics.fmean(less(candidate.waited, baseline.waited)),
        culprits=tuple(culprits[:AT_MOST]),
        stacks=tuple(stacks(candidate, baseline)),
    )


def _descend(candidate: Node, baseline: Node, path: Path, lost: float) -> Iterator[Path]:
    """Go from calls to what they call, as long as that explains what they take more."""
    here = statistics.fmean(less(candidate.took, baseline.took))
    calls = [
        Place(function=function, candidate=node, baseline=baseline.called(function))
        for function, node in candidate.children.items()
    ]
    calls.sort(key=lambda call: -sum(call.more))
    explaining = calls[:1]
    if calls and statistics.fmean(calls[0].more) < _MOST * here:
        explaining = [c for c in calls[:AT_MOST] if statistics.fmean(c.more) >= WORTH * lost]
    together = sum(statistics.fmean(call.more) for call in explaining)
    if explaining and _MOST * here <= together <= _NO_MORE * here:
        for call in explaining:
            yield from _descend(call.candidate, call.baseline, (*path, call), lost)
    elif path:
        yield path


def _culprits(paths: Iterable[Path], source: _Source, least: float) -> list[Culprit]:
    """What to name of some chains of calls: each line once, the one that takes the most first."""
    found: dict[tuple[str, str, int], dict[int, tuple[Place, Path]]] = {}
    for path in paths:
        place = _to_blame(path, source)
        key = place.function.file, place.function.name, source.line(place)
        found.setdefault(key, {})[id(place.candidate)] = place, path
    culprits = []
    for (file, name, line), those in found.items():
        places = [(source.more(place, line), path) for place, path in those.values()]
        path = places[0][1]
        inner = path[-1]
        more = More.of(_sum((each for each, _ in places), inner.candidate.parts))
        waited = sum(less(inner.candidate.waited, inner.baseline.waited))
        if more.sure and more.mean >= least:
            culprits.append(
                Culprit(
                    function=name.replace(_COMPREHENSION, ""),
                    file=file,
                    line=line,
                    inner="" if inner.function.name == name else inner.function.text,
                    stage=stage([place.function for place in path]),
                    more=more.mean,
                    interval=(more.low, more.high),
                    waits=waited > _WAITS * sum(inner.more),
                )
            )
    return sorted(culprits, key=lambda culprit: -culprit.more)


def _to_blame(path: Path, source: _Source) -> Place:
    """Of a chain of calls the innermost whose line has changed; or else of the project; or at all.

    That a function takes longer may be due to how it is called.
    """
    ours = [place for place in path if place.function.ours]
    changed = [
        place for place in ours if source.has_changed(place.function.file, source.line(place))
    ]
    return (changed or ours or list(path))[-1]


class _Source:
    """The lines of both versions, of which each file is compared once."""

    def __init__(self, *, now: Text, before: Text) -> None:
        self._now, self._before = now, before
        self._compared: dict[str, Sequence[tuple[str, int, int, int, int]]] = {}

    def line(self, place: Place) -> int:
        """The line of a function that takes the most more than it did; 0 if it has none."""
        lines = place.candidate.lines
        return max(lines, key=lambda line: sum(self.more(place, line)), default=0)

    def more(self, place: Place, line: int) -> list[float]:
        """What a line of a function takes more, in each part of the time."""
        if not line:
            return place.more
        moved = self._moved(place.function.file)
        before = (took for old, took in place.baseline.lines.items() if moved.get(old, old) == line)
        return less(place.candidate.lines[line], _sum(before, place.candidate.parts))

    def has_changed(self, file: str, line: int) -> bool:
        """Whether a line of the candidate is none of the baseline's."""
        return line not in self._same(file)

    def _moved(self, file: str) -> Mapping[int, int]:
        """Which line each has become; one that has gone, the first of those in its place."""
        moved: dict[int, int] = {}
        for _, first, last, other, end in self._codes(file):
            for index in range(first, last):
                moved[index + 1] = min(other + index - first, max(end - 1, other)) + 1
        return moved

    def _same(self, file: str) -> set[int]:
        same: set[int] = set()
        for tag, _, _, other, end in self._codes(file):
            if tag == "equal":
                same.update(range(other + 1, end + 1))
        return same

    def _codes(self, file: str) -> Sequence[tuple[str, int, int, int, int]]:
        if file not in self._compared:
            before, now = self._before(file), self._now(file)
            matcher = difflib.SequenceMatcher(None, before, now, autojunk=False)
            self._compared[file] = matcher.get_opcodes()
        return self._compared[file]


def _sum(those: Iterable[Sequence[float]], parts: int) -> list[float]:
    return [math.fsum(each) for each in zip([0.0] * parts, *those, strict=True)]


def less(now: Sequence[float], before: Sequence[float]) -> list[float]:
    """How much more than before each part of the time has."""
    return [a - b for a, b in zip(now, before, strict=True)]


# What a loader is doing in a file of a library, from its innermost call on.
_STAGES = (
    ("_utils/collate.py", "collate"),
    ("_utils/pin_memory.py", "pinning"),
    ("utils/data/sampler.py", "sampler"),
    ("multiprocessing/queues.py", "sending batches between processes"),
    ("multiprocessing/connection.py", "sending batches between processes"),
    ("multiprocessing/reductions.py", "sending batches between processes"),
    ("multiprocessing/reduction.py", "sending batches between processes"),
    ("multiprocessing/popen_fork.py", "starting workers"),
    ("multiprocessing/popen_spawn_posix.py", "starting workers"),
    ("multiprocessing/popen_forkserver.py", "starting workers"),
    ("_utils/fetch.py", "dataset"),
    ("python/data/ops/iterator_ops.py", "the pipeline of tf.data"),
)
_STAGES_OF_FUNCTIONS = (
    ("__getitem__", "dataset"),
    ("__getitems__", "dataset"),
    ("collate", "collate"),
    ("worker_init", "starting workers"),
)


def stage(calls: Sequence[Function]) -> str:
    """What a loader does in a chain of calls; empty if nothing tells."""
    for function in reversed(calls):
        for end, name in _STAGES:
            if function.file.endswith(end):
                return name
        for part, name in _STAGES_OF_FUNCTIONS:
            if part in function.name:
                return name
    return ""
