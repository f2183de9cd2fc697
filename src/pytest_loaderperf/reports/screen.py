"""What a terminal shows of a run at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..model.results import CheckResult, Verdict
from ..stats.sweeps import Sweep
from . import swept, terminal, variants


def lines(
    results: Sequence[CheckResult],
    sweeps: Sequence[Sweep],
    paint: Callable[[str, Verdict], str] = lambda text, _: text,
    *,
    verbose: bool = False,
) -> list[str]:
    """The table of the checks that were measured, and what there is to know below it."""
    shown = [each for each in results if verbose or each.verdict is not Verdict.IDENTICAL]
    everything = verbose or not terminal.is_plain(results)
    return [
        *terminal.table(shown, paint),
        *variants.lines(results),
        *swept.lines(sweeps),
        *terminal.below(results, everything=everything),
        *terminal.seconds(results),
        terminal.summary(results),
    ]
