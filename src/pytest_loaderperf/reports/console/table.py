"""The row of a check as soon as it is decided, and the table of all of them at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...model.metrics import METRICS
from ...model.results import CheckResult, Comparison, Verdict
from ...model.units import format_value
from ..explain import percent
from ..terminal import deciding, failed_besides, of_an_epoch, ratio_cell, value_cell
from .bar import NARROW, WIDE, bar, legend
from .screen import Screen, padded, printable, shortened, width

# What is left out where a terminal is too narrow, in this order. The verdict itself never is.
_STEPS = (
    "first batch", "pairs", "memory before", "seconds", "throughput before", "long verdict",
    "peak memory", "throughput", "wide bar", "metric", "bar", "part", "ratio",
)  # fmt: skip
_NAME = 18  # columns that a name gets before anything else does
_GAP = "  "
# Columns of the cells of a live row, which cannot know how wide those of later rows are.
_VERDICT, _RATIO, _METRIC, _SPEED, _MEMORY = 12, 20, 11, 17, 8
_PART, _WITH_PART = 21, 100  # of a verdict with a part of an epoch, and where there is room for it
_NAMED = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCONCLUSIVE)


class _Cell(NamedTuple):
    title: str
    text: str
    left: bool = True


def _culprits(result: CheckResult) -> list[Comparison]:
    judged = [each for each in result.metrics.values() if each.judged]
    return [each for each in judged if each.verdict is result.verdict] or judged


def _metric(result: CheckResult) -> str:
    """Of which metric the ratio is, and how many others have the same verdict."""
    shown = deciding(result)
    if shown is None:
        return ""
    more = len(_culprits(result)) - 1 if result.verdict in _NAMED else 0
    return shown.metric.replace("_", " ") + (f" +{more}" if more else "")


def _verdict(result: CheckResult, kept: frozenset[str]) -> str:
    """A verdict with the part of an epoch that it holds for, as far as there is room for that."""
    part, failed = of_an_epoch(result.coverage), failed_besides(result)
    if "part" not in kept or result.verdict not in (Verdict.UNCHANGED, Verdict.IMPROVED):
        return f"{result.verdict}{failed}"
    seen = result.coverage
    if "long verdict" not in kept and seen is not None and seen.share is not None and part:
        part = f" ({percent(seen.share).replace('less than ', '<')} seen)"
    return f"{result.verdict}{part}{failed}"


def _baseline(comparison: Comparison | None) -> str:
    if comparison is None or comparison.baseline is None:
        return "-"
    return format_value(comparison.baseline, METRICS[comparison.metric].unit)


def _cells(result: CheckResult, kept: frozenset[str], screen: Screen) -> Iterator[_Cell]:
    """The cells of a row behind its name: what decides comes first."""
    speed, memory = result.metrics.get("throughput"), result.metrics.get("peak_memory")
    yield _Cell("verdict", _verdict(result, kept))
    if "ratio" in kept:
        yield _Cell("ratio [95 %]", ratio_cell(deciding(result)))
    if "bar" in kept:
        columns = WIDE if "wide bar" in kept else NARROW
        drawn = bar(deciding(result), columns, screen.glyphs)
        yield _Cell(legend(columns, screen.glyphs), drawn)
    if "metric" in kept:
        yield _Cell("metric", _metric(result))
    if "throughput" in kept:
        yield _Cell("throughput", value_cell(speed), left=False)
    if "throughput before" in kept:
        yield _Cell("baseline", _baseline(speed), left=False)
    if "peak memory" in kept:
        yield _Cell("peak memory", value_cell(memory), left=False)
    if "memory before" in kept:
        yield _Cell("baseline", _baseline(memory), left=False)
    if "first batch" in kept:
        yield _Cell("first batch", value_cell(result.metrics.get("first_batch")), left=False)
    if "pairs" in kept:
        yield _Cell("pairs", str(result.pairs) if result.pairs else "-", left=False)
    if "seconds" in kept:
        yield _Cell("seconds", f"{result.seconds:.0f}", left=False)


def _name(result: CheckResult) -> str:
    return printable(result.nodeid.partition("::")[2])


def table(results: Sequence[CheckResult], screen: Screen) -> list[str]:
    """One row for each check, below a row for its module, in as many columns as fit.

    Nothing where there is no check.
    """
    if not results:
        return []
    longest = max(width(_name(result)) for result in results) + len(_GAP)
    rows, widths = _fitting(results, screen, min(longest, _usual(screen)))
    names = min(longest, max(0, screen.columns - sum(widths) - len(_GAP) * len(widths)))
    lines = [_GAP.join(["".ljust(names), *_laid(rows[0], widths, titles=True)]).rstrip()]
    module = ""
    for result, cells in zip(results, rows, strict=True):
        here = printable(result.nodeid.partition("::")[0])
        if here != module:
            module = here
            lines.append(shortened(module, screen.columns, screen.glyphs.ellipsis))
        name = shortened(_name(result), names - len(_GAP), screen.glyphs.ellipsis)
        verdict, *others = _laid(cells, widths)
        line = [padded(_GAP + name, names), _painted(verdict, result, screen), *others]
        lines.append(_GAP.join(line).rstrip())
    return lines


def _fitting(
    results: Sequence[CheckResult], screen: Screen, name: int
) -> tuple[list[list[_Cell]], list[int]]:
    """The cells of all rows with as many columns as fit beside the names, and their widths.

    Those in which no check has anything are left out in any case.
    """
    steps = [*_STEPS]
    if all(_metric(result) in ("throughput", "") for result in results):
        steps.remove("metric")  # which is worth less then than all others
        steps.insert(0, "metric")
    for gone in range(len(steps) + 1):
        every = [[*_cells(result, frozenset(steps[gone:]), screen)] for result in results]
        columns = [each for each in zip(*every, strict=True) if any(map(_says, each))]
        widths = [max(map(_width, column)) for column in columns]
        if name + sum(widths) + len(_GAP) * len(widths) <= screen.columns:
            break
    return [[*row] for row in zip(*columns, strict=True)], widths


def _says(cell: _Cell) -> bool:
    return cell.text not in ("", "-")


def _usual(screen: Screen) -> int:
    """How wide a name may be at the cost of other columns."""
    return max(_NAME, screen.columns // 4)


def _width(cell: _Cell) -> int:
    return max(width(cell.title), width(cell.text))


def _laid(cells: Sequence[_Cell], widths: Sequence[int], *, titles: bool = False) -> list[str]:
    return [
        padded(each.title if titles else each.text, columns, left=each.left)
        for each, columns in zip(cells, widths, strict=True)
    ]


def name_columns(names: Sequence[str], screen: Screen) -> int:
    """How wide the names of live rows are, given those of all checks that are to come."""
    longest = max(map(width, names), default=0)
    others = (_VERDICT, _RATIO, NARROW, _METRIC)
    left = screen.columns - sum(others) - len(_GAP) * (len(others) + 1)
    return min(longest, max(_NAME // 2, min(left, _usual(screen))))


def row(result: CheckResult, screen: Screen, *, before: int, names: int) -> str:
    """A check that is decided, behind what stands in its line already (``before`` columns).

    ``names`` is how wide the names are; with 0 it has none.
    """
    ratio, speed = deciding(result), result.metrics.get("throughput")
    memory = result.metrics.get("peak_memory")
    partly = screen.columns >= _WITH_PART  # else the table at the end has it
    verdict = _verdict(result, frozenset(["part"] if partly else []))
    first = _PART if partly else _VERDICT
    cells = [(verdict, first)]
    if names:
        name = shortened(_name(result), names, screen.glyphs.ellipsis)
        cells.insert(0, (name, names))
    if ratio is not None:
        others = (names, first, _RATIO, WIDE, _METRIC)
        columns = WIDE if before + sum(others) + len(_GAP) * 4 <= screen.columns else NARROW
        drawn = bar(ratio, columns, screen.glyphs)
        cells += [(ratio_cell(ratio), _RATIO), (drawn, columns), (_metric(result), _METRIC)]
    if speed is not None:
        cells.append((value_cell(speed), _SPEED))
    if memory is not None:
        cells.append((value_cell(memory), _MEMORY))
    always = 2 if names else 1
    kept, taken = list[str](), before
    for text, columns in cells:
        if len(kept) >= always and taken + width(text) > screen.columns:
            break
        kept.append(padded(text, columns))
        taken += width(kept[-1]) + len(_GAP)
    kept[always - 1] = _painted(kept[always - 1], result, screen)
    return _GAP.join(kept).rstrip()


def _painted(cell: str, result: CheckResult, screen: Screen) -> str:
    text = cell.rstrip()
    colour = Verdict.ERROR if failed_besides(result) else result.verdict
    return screen.paint(text, colour) + cell[len(text) :]
