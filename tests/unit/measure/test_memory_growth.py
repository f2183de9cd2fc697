"""Memory growth: lines through points whose answer is known."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.measure import memory_growth
from pytest_loaderperf.measure.memory_growth import (
    AtRest,
    Growth,
    Reading,
    Slope,
    epoch_of,
    left_open,
    slope,
)
from pytest_loaderperf.measure.plan import Plan
from pytest_loaderperf.protocol.messages import RunSlice
from pytest_loaderperf.system.smaps import Tree, Used

MIB = 2**20
no_deadline = settings(deadline=None)
amounts = st.integers(0, 2**30)


def line(rise: float, epochs: int = 1, noise: float = 0.0) -> list[Reading]:
    """Points that rise by so many bytes a sample, and fall back to other heights between epochs."""
    generator = random.Random(1)
    return [
        Reading(
            epoch=epoch,
            samples=(samples := 1000 * epoch + 50 * step),
            used=round(generator.gauss(10**9 - 10**7 * epoch + rise * samples, noise)),
        )
        for epoch in range(epochs)
        for step in range(12)
    ]


@pytest.mark.parametrize("epochs", [1, 5])
@given(rise=st.integers(-(2**20), 2**20))
@no_deadline
def test_a_line_has_its_slope(epochs: int, rise: int) -> None:
    found = slope(line(rise, epochs))
    assert found.value == pytest.approx(1000 * rise, abs=1e-3)
    assert found.error < 1e-3 * max(1000, abs(found.value))  # points are whole bytes


def test_noise_shows_in_the_error() -> None:
    quiet, noisy = (slope(line(2000.0, 5, noise)) for noise in (1e5, 1e6))
    for found in (quiet, noisy):
        assert abs(found.value - 2e6) < 4 * found.error
    assert noisy.error == pytest.approx(10 * quiet.error, rel=0.01)


@given(st.lists(amounts, min_size=3, max_size=20), amounts)
@no_deadline
def test_where_it_starts_does_not_matter(used: list[int], more: int) -> None:
    low, high = (
        slope([Reading(epoch=0, samples=10 * i, used=each + shift) for i, each in enumerate(used)])
        for shift in (0, more)
    )
    assert low.value == pytest.approx(high.value, rel=1e-3, abs=100.0)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [Reading(epoch=0, samples=1, used=1)],
        [Reading(epoch=0, samples=1, used=1), Reading(epoch=1, samples=2, used=9)],
        [Reading(epoch=0, samples=1, used=1)] * 3,
    ],
)
def test_without_two_points_in_an_epoch_nothing_is_known(points: list[Reading]) -> None:
    assert slope(points) == Slope(value=0.0, error=math.inf)


def test_two_points_have_a_slope_of_which_nothing_is_sure() -> None:
    assert slope(
        [Reading(epoch=0, samples=0, used=0), Reading(epoch=0, samples=500, used=MIB)]
    ) == Slope(value=2 * MIB, error=math.inf)


def test_a_slope_is_told_with_its_interval() -> None:
    assert Slope(value=3.0 * MIB, error=0.5 * MIB).describe() == (
        "private memory grew by 3 MiB/1000 samples (95 %: 2 MiB/1000 samples to 4 MiB/1000 samples)"
    )


@pytest.mark.parametrize(
    ("pace", "batches", "restarts", "epoch"),
    [
        (
            Plan(warmup=2, drain=1, batches=4, slices=8, epoch_batches=14),
            10,
            0,
            0,
        ),  # of 14, 10 are timed
        (
            Plan(warmup=2, drain=1, batches=4, slices=8, epoch_batches=14),
            11,
            0,
            1,
        ),  # although no step went across
        (Plan(warmup=2, drain=1, batches=4, slices=8, epoch_batches=14), 21, 1, 2),
        (Plan(warmup=2, drain=0, batches=4, slices=8), 1000, 0, 0),
        (Plan(warmup=2, drain=0, batches=4, slices=8), 1000, 3, 3),
        (Plan(warmup=0, drain=0, batches=0, slices=8, epochs=5, epoch_batches=2), 1000, 99, 0),
    ],
)
def test_the_epoch_of_a_point(pace: Plan, batches: int, restarts: int, epoch: int) -> None:
    assert epoch_of(pace, batches, restarts) == epoch


def test_growth_is_of_what_lasts_and_of_what_ends_with_an_epoch() -> None:
    both = Growth(
        lasting=Slope(value=3.0 * MIB, error=0.3 * MIB),
        passing=Slope(value=1.0 * MIB, error=0.4 * MIB),
    )
    assert both.value == 4 * MIB
    assert both.describe() == (
        "private memory grew by 4 MiB/1000 samples (95 %: 3 MiB/1000 samples to 5 MiB/1000 samples)"
        ", of which 1 MiB/1000 samples in processes that end with their epoch"
    )
    # What shrinks does not make up for what grows.
    shrinking = Slope(value=-2.0 * MIB, error=0.1)
    assert Growth(lasting=both.lasting, passing=shrinking).value == 3 * MIB
    assert Growth(lasting=shrinking).value == 0


def looks(*open_files: dict[int, list[str]]) -> list[AtRest]:
    return [
        AtRest(
            samples=100 * number,
            tree=Tree(processes={}, unseen=0),
            files={pid: Counter(names) for pid, names in each.items()},
        )
        for number, each in enumerate(open_files)
    ]


def test_files_that_stay_open_are_named() -> None:
    one, two, three = ({1: ["/a"] * count + ["/same", "pipe"]} for count in (1, 2, 5))
    assert left_open(looks(one, two, three)) == ("/a (4 more)",)
    assert Growth(lasting=Slope(value=0.0, error=0.0), left_open=("/a (4 more)",)).describe() == (
        "private memory grew by 0 B/1000 samples (95 %: 0 B/1000 samples to 0 B/1000 samples); "
        "more and more files are open: /a (4 more)"
    )


@pytest.mark.parametrize(
    "files",
    [
        [{1: ["/a"]}, {1: ["/a"] * 5}, {1: ["/a"] * 5}],  # until the middle, and then no more
        [{1: ["/a"]}, {1: ["/a"] * 5}, {1: ["/a"] * 3}],  # some are closed again
        [{1: []}, {1: [], 2: ["/a"]}, {3: ["/a"] * 9}],  # of processes that come and go
        [{1: []}, {1: ["/a"]}, {1: ["/b"]}],  # others instead
    ],
)
def test_files_that_come_and_go_do_not_stay_open(files: list[dict[int, list[str]]]) -> None:
    assert left_open(looks(*files)) == ()


MAIN, WORKER = 1, 2


class Going:
    """A trial whose batches of ten samples each cost so many bytes, in one of its processes."""

    def __init__(self, pace: Plan, workers: int, grows: int) -> None:
        self.pace, self.workers, self.grows = pace, workers, grows
        self.restarts = self.batches = self.samples = 0

    def run(self, step: RunSlice) -> None:
        self.batches += step.batches
        self.samples += 10 * step.batches

    def look(self) -> AtRest:
        used = {each: 1000 * (self.grows == each) * self.samples for each in (MAIN, WORKER)}
        processes = {each: Used(anonymous=size, whole=size) for each, size in used.items()}
        return AtRest(samples=self.samples, tree=Tree(processes=processes, unseen=0), files={})


LONG = Plan(warmup=2, drain=1, batches=4, slices=8, epoch_batches=14)
SHORT = Plan(warmup=4, drain=9, batches=4, slices=8, epoch_batches=18)  # four steady batches


@pytest.mark.parametrize(("grows", "expected"), [(WORKER, 1e6), (MAIN, 0.0)])
def test_what_processes_take_that_end_with_their_epoch(grows: int, expected: float) -> None:
    going: Any = Going(LONG, 2, grows)
    assert memory_growth._passing(going, {MAIN}, 4.8).value == pytest.approx(expected)


def test_what_cannot_be_told_of_them_is_an_error() -> None:
    going: Any = Going(SHORT, 4, WORKER)
    with pytest.raises(LoaderError, match="too few batches for its workers"):
        memory_growth._passing(going, {MAIN}, 4.8)


@pytest.mark.parametrize("pace", [LONG, SHORT])
@pytest.mark.parametrize("grows", [MAIN, WORKER])
def test_growth_within_epochs_is_told_also_where_each_holds_one_point(
    pace: Plan, grows: int
) -> None:
    going: Any = Going(pace, 4, grows)
    assert memory_growth._within_epochs(going, 4.8).value == pytest.approx(1e6)
