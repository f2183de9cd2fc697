"""What is accepted, as text: by this run, and over time."""

from __future__ import annotations

from collections.abc import Sequence

from ..baselines.history import Accepted, History
from ..baselines.store import Record
from ..baselines.update import Acceptance
from ..model.metrics import METRICS
from ..model.units import format_change, format_value
from .console.screen import aligned

_COLUMNS = ("", "", "accepted", "now", "change", "verdict")
# What is shown of every commit, with the change since the one before.
METRICS_SHOWN = ("throughput", "peak_memory")
_PAST_COLUMNS = ("commit", "day", "throughput", "", "peak memory", "", "subject")


def table(acceptances: Sequence[Acceptance]) -> list[str]:
    """What was accepted and what is now: a row for each judged metric."""
    rows: list[Sequence[str]] = [_COLUMNS]
    for each in acceptances:
        now = each.new.records[each.machine].metrics
        before = each.old.records.get(each.machine) if each.old else None
        names = [name for name in now if name in each.judged]
        for name in names:
            was = before.metrics.get(name) if before else None
            first = name == names[0]
            rows.append(
                (
                    each.nodeid if first else "",
                    name.replace("_", " "),
                    "-" if was is None else format_value(was.value, METRICS[name].unit),
                    format_value(now[name].value, METRICS[name].unit),
                    format_change(now[name].value, was.value) if was and was.value else "new",
                    each.verdict.value if first else "",
                )
            )
    return aligned(rows, left=(0, 1, 5))


def history_lines(check: str, found: History) -> list[str]:
    """What there is to print of a check's history."""
    if not found:
        return [f"{check}: no baseline has been committed"]
    printed = [check]
    for machine, accepted in found.items():
        table = aligned([_PAST_COLUMNS, *history_rows(accepted)], left=(0, 1, 3, 5, 6))
        printed += [f"  {machine}", *(f"    {line}" for line in table)]
    return printed


def history_rows(accepted: Sequence[Accepted]) -> list[tuple[str, ...]]:
    """A row for each commit: its hash, day, metrics with their change, and subject."""
    made = []
    for before, now in zip([None, *accepted], accepted, strict=False):
        cells = [
            cell
            for name in METRICS_SHOWN
            for cell in _cells(name, before.record if before else None, now.record)
        ]
        made.append((now.commit.hash[:10], now.commit.day, *cells, now.commit.subject))
    return made


def _cells(name: str, before: Record | None, now: Record) -> tuple[str, str]:
    """The value of a metric, and its change."""
    stored = now.metrics.get(name)
    if stored is None:
        return "-", ""
    value = format_value(stored.value, METRICS[name].unit)
    was = before.metrics.get(name) if before else None
    return value, format_change(stored.value, was.value) if was and was.value else ""
