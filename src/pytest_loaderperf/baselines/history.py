"""What was accepted for a check over time: its baselines in the commits that changed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..model.metrics import METRICS
from ..model.units import format_change, format_value
from ..reports.terminal import aligned
from ..versions.repository import Commit, Repository
from .store import Entries, Record, store_path

# What is shown of every commit, with the change since the one before.
METRICS_SHOWN = ("throughput", "peak_memory")
_COLUMNS = ("commit", "day", "throughput", "", "peak memory", "", "subject")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What a commit accepted for a check on one class of machine."""

    commit: Commit
    record: Record


History = dict[str, list[Accepted]]  # of one check: by machine class, oldest first


class Histories:
    """Reads the histories of a project's checks, each file of the store once.

    CheckoutError, from whatever reads, if git cannot tell.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._repository = Repository.find(root)
        self._versions: dict[str, list[tuple[Commit, Entries]]] = {}

    def of(self, nodeid: str) -> History:
        """The history of a check; empty outside git."""
        module, _, check = nodeid.partition("::")
        if self._repository is None:
            return {}
        if module not in self._versions:
            self._versions[module] = self._repository.accepted(store_path(self._root, module))
        return history(self._versions[module], check)


def history(versions: Sequence[tuple[Commit, Entries]], check: str) -> History:
    """The history of a check, given all versions of its file, oldest first.

    Only commits that changed its record are in it; one that removed it leaves no trace.
    """
    found: History = {}
    for commit, entries in versions:
        entry = entries.get(check)
        for machine, record in entry.records.items() if entry else ():
            accepted = found.setdefault(machine, [])
            if not accepted or accepted[-1].record != record:
                accepted.append(Accepted(commit=commit, record=record))
    return found


def lines(check: str, found: History) -> list[str]:
    """What there is to print of a check's history."""
    if not found:
        return [f"{check}: no baseline has been committed"]
    printed = [check]
    for machine, accepted in found.items():
        table = aligned([_COLUMNS, *rows(accepted)], left=(0, 1, 3, 5, 6))
        printed += [f"  {machine}", *(f"    {line}" for line in table)]
    return printed


def rows(accepted: Sequence[Accepted]) -> list[tuple[str, ...]]:
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
