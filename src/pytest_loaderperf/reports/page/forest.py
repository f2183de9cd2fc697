"""The forest plot: a row for each check, with how much worse it got, how sure that is, and why."""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...model.metrics import METRICS
from ...model.results import CheckResult, Comparison, Verdict
from ...model.units import format_percent, format_value
from .. import explain, terminal

# What an anchor may have: what no program that makes links of text ends a link at, or encodes.
_NO_ANCHOR = re.compile(r"[^\w./:-]+", re.ASCII)
_MANY = 20  # rows that all went well: more are folded
# Of a baseline: how far the plot reaches at least, and at most. What lies outside is at its edge.
_NEAREST, _FARTHEST, _STEP = 0.1, 0.6, 0.05
_TOLERANCES = 1.5  # the plot reaches beyond the usual tolerance by as much
_OUTPUT = "; its last output:"  # which follows in lines of its own
_SAME = 0.0005  # what is less would be shown as 0.0 %


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """What the plot shows of a check; ``anchor`` leads to all else that is known of it.

    Of its metrics it has the one that ``decides``, if any was compared.
    """

    result: CheckResult
    anchor: str
    decides: Comparison | None

    @property
    def failed(self) -> bool:
        return self.result.outcome == "failed"

    @property
    def verdict(self) -> str:
        """The verdict; also that the test failed, if that is not what the verdict says."""
        return f"{self.result.verdict}{terminal.failed_besides(self.result)}"

    @property
    def state(self) -> str:
        """Which colour it has."""
        if self.failed:
            return "failed"
        shown = (Verdict.INCONCLUSIVE, Verdict.IMPROVED)
        return str(self.result.verdict) if self.result.verdict in shown else "rest"

    @property
    def loss(self) -> float:
        """How much worse it got, by its estimate: what was not compared comes last."""
        if self.decides is None or self.decides.ratio is None:
            return -math.inf
        return METRICS[self.decides.metric].loss(self.decides.ratio)


@dataclass(frozen=True, kw_only=True)
class ForestGroup:
    """Rows of one kind, in order."""

    name: str
    title: str
    rows: tuple[ForestRow, ...]

    @property
    def folded(self) -> bool:
        return self.name == "rest" and len(self.rows) > _MANY


def groups(results: Sequence[CheckResult]) -> list[ForestGroup]:
    """All checks: those that failed, then those of which nothing was proven, then the others."""
    rows = [
        ForestRow(result=result, anchor=anchor, decides=terminal.deciding(result))
        for result, anchor in zip(results, anchors(r.nodeid for r in results), strict=True)
    ]
    found: dict[str, list[ForestRow]] = {name: [] for name in _TITLES}
    for row in rows:
        found[row.state].append(row)
    return [
        ForestGroup(name=name, title=_TITLES[name], rows=tuple(sorted(found[name], key=_order)))
        for name in _TITLES
        if found[name]
    ]


_TITLES = {
    "failed": "Failed",
    "inconclusive": "Nothing was proven",
    "improved": "Improved",
    "rest": "Did not get worse",
}


def _order(row: ForestRow) -> tuple[bool, float]:
    """The worst first; but of what improved that which did so the most."""
    improved = row.state == "improved"
    return row.result.verdict is not Verdict.REGRESSED, row.loss if improved else -row.loss


def anchors(nodeids: Iterable[str]) -> list[str]:
    """What links to each check end with: the same in every run that has these checks."""
    found: dict[str, None] = {}  # as a set, in order
    for nodeid in nodeids:
        plain = _NO_ANCHOR.sub("-", nodeid).strip("-")
        numbered = (f"{plain}--{number}" for number in itertools.count(2))
        found[next(each for each in itertools.chain([plain], numbered) if each not in found)] = None
    return [*found]


def span(comparison: Comparison) -> tuple[float, float] | None:
    """The 95 % interval as losses, the least first; None where it has an end that is unknown."""
    if comparison.interval is None or not all(map(math.isfinite, comparison.interval)):
        return None
    low, high = sorted(map(METRICS[comparison.metric].loss, comparison.interval))
    return low, high


def scale(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """The losses at the ends of the plot, the gain first: one scale for all rows."""
    compared = [row.decides for row in rows if row.decides is not None]
    losses = [row.loss for row in rows if math.isfinite(row.loss)]
    for comparison in compared:
        losses += span(comparison) or ()
    tolerances = [c.tolerance for c in compared if c.tolerance and c.tolerance < math.inf]
    usual = statistics.median(tolerances or [0.0])
    least = max(_NEAREST, _TOLERANCES * usual)
    farthest = [max(least, *(sign * loss for loss in losses), 0.0) for sign in (-1, 1)]
    gain, loss = (min(_FARTHEST, _STEP * math.ceil(each / _STEP - 1e-9)) for each in farthest)
    return -gain, loss


# --- as words


def change(comparison: Comparison) -> str:
    """How much worse or better: ``"20.5 % worse"``."""
    assert comparison.ratio is not None
    return as_words(METRICS[comparison.metric].loss(comparison.ratio))


def as_words(loss: float) -> str:
    if abs(loss) < _SAME:
        return "the same"
    return f"{100 * abs(loss):.1f} % {'worse' if loss > 0 else 'better'}"


def cells(row: ForestRow) -> dict[str, str]:
    """All that the row says of its metric; of a check without a baseline, of its throughput."""
    shown = row.decides or row.result.metrics.get("throughput")
    told = {"change": "", "ratio": "", "metric": "", "amounts": ""}
    if row.decides is None:
        told["change"] = _UNCOMPARED.get(row.result.verdict, "")
    else:
        told |= {"change": change(row.decides), "ratio": terminal.ratio_cell(row.decides)}
    if shown is not None:
        told |= {"metric": shown.metric.replace("_", " "), "amounts": _amounts(shown)}
    return told


def _amounts(comparison: Comparison) -> str:
    """What it was and is: ``"568 → 451 samples/s"``."""
    unit = METRICS[comparison.metric].unit
    now = format_value(comparison.value, unit)
    if comparison.baseline is None:
        return now
    before, same_unit = format_value(comparison.baseline, unit), now.partition(" ")[2]
    return f"{before.removesuffix(f' {same_unit}')} → {now}"


# What a row says where nothing was compared with a baseline.
_UNCOMPARED = {
    Verdict.IDENTICAL: "nothing that it uses has changed",
    Verdict.COMPARED: "compares its own loaders",
    Verdict.MEASURED: "measured, not judged",
    Verdict.COMPLETE: "delivers each sample once",
    Verdict.INCOMPLETE: "does not deliver each sample once",
    Verdict.NO_BASELINE: "no baseline",
    Verdict.INCOMPARABLE: "cannot be compared",
    Verdict.ERROR: "could not be measured",
}


def reason(result: CheckResult) -> str:
    """Why a check is not simply unchanged, in one line: empty where nobody knows, or needs to."""
    if result.verdict is Verdict.REGRESSED:
        blamed = [result.blame.text] if result.blame else []
        lines = [*blamed, *explain.why(result), *explain.besides(result), *result.notes]
        return lines[0] if lines else ""
    if result.message:
        return result.message.splitlines()[0].removesuffix(_OUTPUT)
    if result.verdict is Verdict.INCONCLUSIVE:
        return _unseen(result)
    if result.outcome == "failed":
        return explain.failure(result)[0]
    if result.variants:
        return "; ".join(
            f"{each.name} is {each.relation} ({terminal.ratio_cell(each.throughput)})"
            for each in result.variants
            if each.relation
        )
    return ""


def _unseen(result: CheckResult) -> str:
    """What an inconclusive check could not have seen."""
    decides = terminal.deciding(result)
    doubted = decides is not None and decides.verdict is Verdict.INCONCLUSIVE
    if decides is None or decides.minimum_detectable is None or not doubted:
        return explain.warning(result).partition("; ")[2]
    if decides.minimum_detectable >= 1:
        return f"{decides.pairs} pairs cannot show any loss: they differ too much"
    least = format_percent(decides.minimum_detectable)
    return f"{decides.pairs} pairs cannot show a loss of less than {least}"
