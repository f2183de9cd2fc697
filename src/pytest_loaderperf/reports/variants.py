"""Tests that compare loaders, as text: a row for each variant."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.results import CheckResult, Relation, Variant
from ..model.units import format_percent, format_size
from .console.screen import aligned
from .terminal import of_an_epoch, ratio_cell, value_cell

COLUMNS = ("variant", "throughput", "ratio [95 %]", "pairs", "peak memory", "verdict")
_LEFT = (0, 2, 5)


def lines(results: Sequence[CheckResult]) -> list[str]:
    """What there is to say of each test that compares loaders."""
    found = [_lines(result) for result in results if result.variants]
    return [line for each in found for line in ("", *each)] + [""] * bool(found)


def _lines(result: CheckResult) -> list[str]:
    table = aligned([COLUMNS, *rows(result)], left=_LEFT)
    return [f"{result.nodeid}, {title(result)}", *(f"  {line}" for line in table)]


def title(result: CheckResult) -> str:
    """What the rows are compared with, and how strictly."""
    first, second, *_ = result.variants
    tolerance = format_percent(second.throughput.tolerance or 0.0)
    return f"beside {first.name}, with a tolerance of {tolerance}"


def rows(result: CheckResult) -> list[tuple[str, ...]]:
    """The cells of each variant."""
    return [
        (
            each.name,
            value_cell(each.throughput),
            ratio_cell(each.throughput),
            str(each.throughput.pairs) if each.throughput.pairs else "-",
            format_size(each.peak_memory),
            _verdict(each),
        )
        for each in result.variants
    ]


def _verdict(variant: Variant) -> str:
    if variant.relation is None:
        return "-"
    partly = of_an_epoch(variant.coverage) if variant.relation is Relation.ALIKE else ""
    return f"{variant.relation}{partly}"
