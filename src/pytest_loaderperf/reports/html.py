"""Results as one HTML file that needs nothing else: tables that all can read, and charts.

The text is made in ``page``; the charts are drawn by the reader's browser, from the numbers that
the page carries along (assets/report.js).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from ..baselines.history import History
from ..model.results import Run
from ..stats.sweeps import Sweep
from . import terminal, variants
from .page import charts, details, first_screen, forest


def render(run: Run, sweeps: Sequence[Sweep], histories: Mapping[str, History]) -> str:
    """The page; ``histories`` are those of the checks, by node id."""
    # Here, since only few runs ask for a page.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    groups = forest.groups(run.results)
    rows = [row for group in groups for row in group.rows]
    pasts = [histories.get(row.result.nodeid, {}) for row in rows]
    gain, loss = forest.scale(rows)
    data = {
        "scale": [-loss, -gain],
        "rows": charts.of_rows(rows),
        "checks": [charts.of_check(r.result, past) for r, past in zip(rows, pasts, strict=True)],
        "sweeps": [charts.of_sweep(sweep) for sweep in sweeps],
    }
    template = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(asset("report.html"))
    return template.render(
        headline=terminal.headline(run.results, run.problems),
        run=run,
        lead=first_screen.lead(groups),
        counts=first_screen.counts(groups),
        facts=first_screen.facts(run),
        groups=groups,
        cells=forest.cells,
        reason=forest.reason,
        index={row.anchor: number for number, row in enumerate(rows)},
        details={
            row.anchor: details.of_check(row.result, past)
            for row, past in zip(rows, pasts, strict=True)
        },
        sweeps=[details.of_sweep(sweep) for sweep in sweeps],
        remarks=first_screen.remarks(run),
        variants=variants.COLUMNS,
        data=_drawable(data),
        style=asset("report.css"),
        scripts=[asset(name) for name in ("d3.min.js", "plot.umd.min.js", "report.js")],
    )


def _drawable(data: Any) -> Any:
    """The numbers of charts, less those that JSON lacks: with one of them it shows no chart."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {name: _drawable(each) for name, each in data.items()}
    return [_drawable(each) for each in data] if isinstance(data, list | tuple) else data


def asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text("utf-8")
