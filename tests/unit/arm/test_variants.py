"""Loaders that a test compares: how they are handed over, and what the test sees of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import examples
from pytest_loaderperf.arm.perf import Asked
from pytest_loaderperf.arm.variants import Ratio, Variants, between, factories, failed, made
from pytest_loaderperf.errors import LoaderError, SettingsError
from pytest_loaderperf.model.results import Relation


def rows() -> list[list[int]]:
    return [[1, 2], [3, 4]]


def counted() -> Iterator[list[int]]:
    yield [1, 2]


GOOD = {"rows": rows, "counted": counted}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([rows, counted], "got a list: give functions that make a loader, by name"),
        ({}, "got no variants: give two at least"),
        ({"rows": rows}, r"got 1 variant: .* loaderperf\.check\(loader\)"),
        ({"rows": rows, 7: counted}, "7 is no name of a variant: give a text"),
        ({"rows": rows, " ": counted}, "' ' is no name of a variant"),
        ({"rows": rows, "list": rows()}, "variant 'list' is a list, .*'list': lambda: loader"),
    ],
)
def test_what_cannot_be_compared_says_what_to_do(given: Any, says: str) -> None:
    with pytest.raises(LoaderError, match=says):
        factories(given)


def test_a_trial_makes_the_loader_that_it_is_told_to() -> None:
    assert dict(factories(GOOD)) == GOOD
    assert made(GOOD, "rows").kind == "iterable"
    with pytest.raises(LoaderError, match=r"now there are \['rows', 'counted'\]"):
        made(GOOD, "gone")


def test_of_a_function_that_makes_an_iterator_each_epoch_is_a_new_one() -> None:
    loader = made(GOOD, "counted")
    assert [list(loader.start()) for _ in range(2)] == [[[1, 2]]] * 2


def test_errors_say_which_variant_they_are_of() -> None:
    assert str(failed("pil", OSError("no photos"))) == (
        "variant 'pil' cannot be measured: OSError: no photos"
    )
    assert str(failed("pil", LoaderError("no batch"))) == "variant 'pil': no batch"


# --- ratios ---------------------------------------------------------------------------------------

PIL, TURBO, AGAIN, SLOW = examples.VARIANTS


def result(**fields: object) -> Variants:
    names = [each.name for each in examples.VARIANTS]
    compared = examples.compared(variants=examples.VARIANTS, **fields)
    return Variants(names, Asked(compared, accepting=False))


def test_the_ratio_to_the_first_is_what_was_measured() -> None:
    ratio = result().ratio("turbo", "pil")
    assert ratio.value == pytest.approx(1.37, abs=1e-4)
    assert (ratio.verdict, str(ratio.verdict)) == (Relation.FASTER, "faster")
    assert ratio.interval[1] / ratio.interval[0] == pytest.approx(1.38 / 1.36)
    assert float(ratio) == ratio.value
    assert repr(ratio) == f"1.370 [{ratio.interval[0]:.3f}, {ratio.interval[1]:.3f}]"


@pytest.mark.parametrize(
    ("one", "there", "back"),
    [
        (TURBO, Relation.FASTER, Relation.SLOWER),
        (AGAIN, Relation.ALIKE, Relation.ALIKE),
        (SLOW, Relation.INCONCLUSIVE, Relation.INCONCLUSIVE),
    ],
)
def test_the_other_way_round_a_ratio_is_the_inverse(
    one: Any, there: Relation, back: Relation
) -> None:
    ratio, inverse = between(one, PIL), between(PIL, one)
    assert (ratio.verdict, inverse.verdict) == (there, back)
    assert ratio.value * inverse.value == pytest.approx(1.0)
    assert ratio.interval[0] * inverse.interval[1] == pytest.approx(1.0)


def test_of_two_others_the_ratio_follows_and_is_less_sure() -> None:
    ratio, direct = between(TURBO, SLOW), between(SLOW, PIL)
    assert ratio.value == pytest.approx(1.37 / 0.6)
    assert ratio.verdict is None  # nobody has measured these two side by side
    width, of_one, of_other = (
        math.log(each.interval[1] / each.interval[0])
        for each in (ratio, direct, between(TURBO, PIL))
    )
    assert width == pytest.approx(math.hypot(of_one, of_other))


def test_where_the_noise_is_not_known_no_bound_is() -> None:
    alone = examples.variant("alone", 1.2, relation=Relation.INCONCLUSIVE)
    alone = replace(alone, throughput=replace(alone.throughput, interval=(0.0, math.inf)))
    unbounded = Ratio(("a", "b"), 1.2, (0.0, math.inf), Relation.INCONCLUSIVE)
    assert repr(unbounded) == "1.200 [0.000, inf]"
    assert between(alone, TURBO).interval == (0.0, math.inf)


@pytest.mark.parametrize(
    ("compare", "holds"),
    [
        (lambda ratio: ratio >= 1.3, True),
        (lambda ratio: ratio > 1.4, False),
        (lambda ratio: ratio <= 1.4, True),
        (lambda ratio: ratio < 1, False),
        (lambda ratio: 1.2 <= ratio <= 1.5, True),
    ],
)
def test_a_ratio_is_compared_by_its_estimate(
    compare: Callable[[Ratio], bool], *, holds: bool
) -> None:
    assert compare(result().ratio("turbo", "pil")) is holds


def test_a_false_comparison_shows_the_interval_and_the_verdict() -> None:
    first, second = result().ratio("turbo", "pil").explain(">=", 1.5)
    assert first == "throughput of turbo / pil: 1.370 >= 1.5 is false"
    assert second.startswith("  95 % interval 1.360 to 1.380, faster")


@pytest.mark.parametrize("limit", ["1.2", None, "a lot"])
def test_a_ratio_is_compared_with_a_number(limit: object) -> None:
    with pytest.raises(SettingsError, match="a number such as"):
        _ = result().ratio("turbo", "pil") >= limit


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("turbo", "pi"), "no variant 'pi' to compare, only pil, turbo"),
        (("turbo", "turbo"), "not of 'turbo' alone"),
    ],
)
@pytest.mark.parametrize("probing", [True, False])
def test_a_name_of_none_is_an_error_before_anything_is_measured(
    names: tuple[str, str], says: str, *, probing: bool
) -> None:
    asked = Asked.probe() if probing else Asked(examples.compared(), accepting=False)
    with pytest.raises(LoaderError, match=says):
        Variants(["pil", "turbo"], asked).ratio(*names)


def test_while_only_one_is_looked_at_every_ratio_holds() -> None:
    alone = Asked(examples.compared(variants=()), accepting=False)  # as of a self-test
    for asked in (Asked.probe(), alone):
        ratio = Variants(["pil", "turbo"], asked).ratio("turbo", "pil")
        assert ratio >= 100
        assert ratio <= 0.01
