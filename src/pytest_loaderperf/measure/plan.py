"""How many batches to warm up, and to time in a slice: pure arithmetic.

The figures come from measurements (docs/history.md): with N workers batches arrive in bursts of
N, so a slice is a multiple of N; a slice well under 100 ms reads too fast, since prefetching goes
on in the millisecond between its end and the suspension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import LoaderError
from ..protocol.messages import RunSlice, Slice

SLICE_SECONDS = 0.15
# A stretch of steady state costs some 0.3 ms around it (a shuffled heap, two looks at CPU time):
# an epoch whose steady state is no longer than this is timed as a whole.
SHORTEST_STRETCH = 0.001
# Timed seconds of each arm in a pair, for which two trials must be set up and ended. With workers
# a pair may also begin and end with more or fewer batches under way, which counts the less the
# longer it is: photos in batches of 32 through two workers scattered by 8.3 % between 16 pairs of
# 0.8 s, by 1.7 % between 10 pairs of 2.4 s (benchmarks/pairs.py).
PAIR_SECONDS = 2.4
# Up to so many timed batches, workers are followed to see what they make ahead of the loop: a mark
# of a batch costs its worker some 3 us.
FEW_BATCHES = 2000
# A loader that uses less than this share of the CPUs that it could use waits for something else,
# unless the machine gives it no more.
_BUSY = 0.8
# New epochs within a trial may take so much of the time that is timed.
_FOR_STARTS = 0.25
# A small budget holds as many pairs as this: fewer could not decide.
PAIRS_IN_A_BUDGET = 12
# Whole epochs are timed where a budget holds so many: two pairs of the first look, and two that
# confirm a regression.
EPOCHS_IN_A_BUDGET = 8
LONGEST_EPOCH = 100.0  # seconds, for which a trial gives no other sign of life
# Arrivals of batches are noted no more often than this (s): a note costs half a microsecond.
NOTE_SECONDS = 0.0005
# The first part of a stretch in which a loader that waits gets its requests under way, of which
# nobody knows how many there are (s).
SETTLING_SECONDS = 0.25
_OTHER_EPOCH, _OTHER_EPOCH_SECONDS = 10, 60  # times the candidate's, and so many seconds
_SETTLING_AT_MOST = 10  # it is no more than such a part of an epoch
# Slices of each arm in a pair. How far its ABBA blocks lie apart foretells the noise of pairs: one
# block says nothing, and three are worth the start of another epoch.
SLICES_AT_LEAST = 4
SLICES_WANTED = 6


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long to time each arm in a pair, as a rule and at most (s).

    ``epoch`` is how long one may be to be timed whole. Of a longer one, the share ``coverage`` is
    wanted.
    """

    pair: float = PAIR_SECONDS
    most: float = PAIR_SECONDS
    epoch: float = 0.0
    coverage: float = 0.0

    @classmethod
    def within(cls, budget: float, coverage: float = 0.0) -> Lengths:
        """Those with which a budget (seconds) holds pairs enough."""
        return cls(
            coverage=coverage,
            pair=min(PAIR_SECONDS, budget / PAIRS_IN_A_BUDGET / 2),
            most=budget / EPOCHS_IN_A_BUDGET,
            epoch=min(budget / EPOCHS_IN_A_BUDGET, LONGEST_EPOCH),
        )

    def at_least(self, seconds: float) -> Lengths:
        """The same with pairs that time so many seconds of each arm, as far as they may."""
        return replace(self, pair=max(self.pair, min(seconds, self.most)))

    def covering(self, epoch_seconds: float) -> Lengths:
        """The same with pairs that cover as much of an epoch as is wanted, and as they may."""
        wanted = self.coverage * epoch_seconds if self.coverage else 0.0
        return self.at_least(wanted)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """How a timing trial takes whole epochs: so many ``slices`` of so many ``epochs``.

    The steady state of each epoch begins after ``skip`` batches; 0 if it has none. An epoch of the
    other version may take ``longest`` seconds.
    """

    epochs: int
    slices: int
    skip: int
    longest: float = 1e9


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What each trial of a check does.

    ``epochs`` is 0 for a steady state; else an epoch is too short to have one, and so many whole
    epochs, start and end included, make a slice. Where whole epochs fit, timing trials take
    ``whole`` ones. With ``short_turns`` a trial may be suspended within a slice; otherwise it waits
    for something, is never suspended, and has the machine to itself. Arrivals of batches are noted
    after every ``stride`` of them.
    """

    warmup: int
    drain: int
    batches: int
    slices: int
    epochs: int = 0
    epoch_batches: int | None = None
    short_turns: bool = False
    whole: Whole | None = None
    stride: int = 1

    @property
    def follow(self) -> bool:
        """Whether so few batches are timed that those which workers make ahead count."""
        few = self.batches * self.slices <= FEW_BATCHES
        return not self.epochs and not self.whole and few

    @property
    def timed_slices(self) -> int:
        """How many slices a timing trial has."""
        return self.whole.slices if self.whole else self.slices

    @property
    def of_one_epoch(self) -> Plan:
        """The same with one whole epoch in a trial."""
        assert self.whole is not None
        return replace(self, whole=replace(self.whole, slices=1))

    def outdoes(self, other: Plan) -> bool:
        """Whether it times other turns than another one, or at least twice as much."""
        mine, others = (each.step(each.timed_slices) for each in (self, other))
        more = mine.batches >= 2 * others.batches > 0 or mine.epochs >= 2 * others.epochs > 0
        return self.short_turns != other.short_turns or more

    def step(self, slices: int = 1) -> RunSlice:
        """What a timing trial does in so many of its slices, without a pause."""
        if self.whole:
            epochs = slices * self.whole.epochs
            return RunSlice(
                batches=0,
                epochs=epochs,
                skip=self.whole.skip,
                longest=self.whole.longest,
                stride=self.stride,
            )
        return RunSlice(
            batches=slices * self.batches, epochs=slices * self.epochs, stride=self.stride
        )


def warmup_batches(workers: int, prefetch: int) -> int:
    """Batches to discard after the first one, at least two.

    Each worker makes its first one slowly. That a queue may be filling up still does no harm: what
    workers make ahead is told apart, or so little that it does not count. Without workers a queue
    is somebody's whom nobody follows: all that it may hold.
    """
    return max(2, workers or prefetch)


def is_busy(taken: Slice, hands: int, cpus: float) -> bool:
    """Whether a loader kept the CPUs busy that it could use, and so waited for nothing else.

    That is one for each of the processes that make batches, its ``hands``: how many threads they
    could use cannot be known.
    """
    cpu_seconds, seconds = taken.cpu_seconds, taken.seconds
    if taken.steady:
        cpu_seconds, seconds = taken.steady_cpu_seconds, taken.steady_seconds
    return cpu_seconds >= _BUSY * seconds * min(hands, cpus)


def plan(
    batch_seconds: float,
    workers: int,
    prefetch: int,
    epoch_batches: int | None = None,
    lengths: Lengths = Lengths(),
    *,
    start_seconds: float = math.inf,
    epoch_seconds: float = math.inf,
    short_turns: bool = False,
) -> Plan:
    """Plan the trials of a loader that takes so long for a batch in its steady state.

    ``start_seconds`` is how long it takes until an epoch has its first batch, ``epoch_seconds``
    until it has ended, where that is known.
    """
    warmup = warmup_batches(workers, prefetch)
    if not short_turns:
        settling = math.ceil(SETTLING_SECONDS / batch_seconds)
        longest = math.inf if epoch_batches is None else epoch_batches // _SETTLING_AT_MOST
        warmup = max(warmup, int(min(settling, longest)))
    drain = workers * prefetch
    step = max(workers, 1)
    steady = math.inf if epoch_batches is None else epoch_batches - 1 - warmup - drain
    stride = max(1, int(NOTE_SECONDS / batch_seconds))
    known = math.inf if epoch_batches is None else epoch_batches * batch_seconds
    lengths = lengths.covering(min(known, epoch_seconds))
    if steady < step or steady * batch_seconds < SHORTEST_STRETCH:
        assert epoch_batches is not None
        epochs = max(1, math.ceil(SLICE_SECONDS / (batch_seconds * epoch_batches)))
        seconds = epochs * epoch_batches * batch_seconds
        slices = _slices(seconds, lengths.pair)
        return Plan(
            warmup=0,
            drain=0,
            batches=0,
            slices=slices,
            epochs=epochs,
            epoch_batches=epoch_batches,
            short_turns=short_turns,
            whole=_whole(epoch_seconds, lengths, 0) or Whole(epochs=epochs, slices=slices, skip=0),
            stride=stride,
        )
    batches = step * math.ceil(SLICE_SECONDS / batch_seconds / step)
    slices = _slices(batches * batch_seconds, lengths.pair)
    # Where new epochs start slowly, rather time less than begin one. Where not even one ABBA block
    # fits in, there is no choice.
    fitting = 2 * int(min(steady, 2 * slices * batches) // (2 * batches))
    starts = math.ceil(slices * batches / steady) - 1
    if fitting and starts > 0 and starts * start_seconds > _FOR_STARTS * lengths.pair:
        slices = min(slices, max(fitting, SLICES_WANTED))
    if epoch_batches is not None:
        drain += int(steady % step)  # a part of a burst would be fast or slow, as it happens
    return Plan(
        warmup=warmup,
        drain=drain,
        batches=batches,
        slices=slices,
        epochs=0,
        epoch_batches=epoch_batches,
        short_turns=short_turns,
        whole=_whole(epoch_seconds, lengths, 1 + warmup),
        stride=stride,
    )


def _whole(epoch_seconds: float, lengths: Lengths, skip: int) -> Whole | None:
    """Whole epochs, if they fit: two at least where time allows, since the first may be another."""
    if epoch_seconds > lengths.epoch:
        return None
    seconds = max(lengths.pair, min(2 * epoch_seconds, lengths.epoch))
    epochs = max(1, math.ceil(SLICE_SECONDS / epoch_seconds))
    slices = max(1, int(seconds / epoch_seconds / epochs * (1 + 1e-9)))
    return Whole(epochs=epochs, slices=slices, skip=skip, longest=epoch_at_most(epoch_seconds))


def together(first: Plan, second: Plan) -> tuple[Plan, Plan]:
    """Plans of two loaders for one pair: both take short turns, and whole epochs, or neither.

    Where one has no steady state, the starts of both count. LoaderError where they cannot.
    """
    short_turns = first.short_turns and second.short_turns
    wholes = [each.whole for each in (first, second) if each.whole]
    with_starts = bool(first.epochs or second.epochs)
    if len(wholes) < 2 and with_starts:
        raise LoaderError(
            "an epoch of one of the two is too short for a steady state, and one of the other is "
            "too long to be timed as a whole: give the check a larger budget, or longer epochs"
        )
    taken: list[Whole | None] = [None, None]
    if len(wholes) == 2:
        taken = [replace(each, skip=0) if with_starts else each for each in wholes]
    one, other = (
        replace(each, short_turns=short_turns, whole=whole)
        for each, whole in zip((first, second), taken, strict=True)
    )
    return one, other


def epoch_at_most(epoch_seconds: float) -> float:
    """How long an epoch of the other version may take, if the candidate's takes so long (s)."""
    return _OTHER_EPOCH * epoch_seconds + _OTHER_EPOCH_SECONDS


def _slices(seconds: float, pair_seconds: float) -> int:
    """Slices of each arm in a pair: even, so that every ABBA block is whole."""
    return max(SLICES_AT_LEAST, 2 * round(pair_seconds / seconds / 2))
