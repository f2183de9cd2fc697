"""What of a measurement becomes the new baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..check.state import Findings
from ..measure.timed_trial import TIMED
from ..model.metrics import METRICS
from ..model.results import Verdict
from ..model.units import format_change, format_value
from ..options import Update
from ..reports.terminal import aligned
from ..stats.comparison import spread, typical
from ..system.machine import machine_class
from . import store
from .store import Entry, Record, Stored

_COLUMNS = ("", "", "accepted", "now", "change", "verdict")


def refusal(found: Findings, update: Update, *, failed: bool, stored: bool) -> str | None:
    """Why a check is not written: a reason worth telling, "" for nothing new, None to write it.

    ``stored`` says that it was compared with stored numbers: there, noise of the comparison says
    nothing against the measurement itself.
    """
    if failed:
        return "the test failed"
    if found.verdict is Verdict.INCONCLUSIVE and not (stored and update == "all"):
        return "the measurement was inconclusive"
    new = found.verdict is Verdict.NO_BASELINE
    if new and update == "new" and _moved(found):  # one metric is new, another one is not
        return "a metric that has a baseline moved: use --loaderperf-update"
    if new or update == "all" or (update == "changed" and _moved(found)):
        return None
    return ""


def accepted_entry(found: Findings, versions: dict[str, str], old: Entry | None) -> Entry:
    """The entry to store: the numbers of this machine class, with their spread between trials.

    Numbers of other classes are kept as long as they still describe this loader.
    """
    values = {name: [timing.values[name] for timing in found.timings] for name in TIMED}
    values["peak_memory"] = found.peaks
    values |= found.extras
    record = Record(
        metrics={
            name: Stored(value=typical(each), spread=spread(METRICS[name], each))
            for name, each in values.items()
        },
        versions=versions,
    )
    kept = {} if old is None or _moved(found) else old.records
    return Entry(workload=found.survey.workload, records={**kept, machine_class(versions): record})


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """An entry that is to be written, and the one that it replaces.

    ``machine`` is the class that was measured, ``judged`` are the metrics that matter.
    """

    nodeid: str
    verdict: Verdict
    old: Entry | None
    new: Entry
    machine: str
    judged: frozenset[str]


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


def write(root: Path, acceptances: Sequence[Acceptance]) -> Iterator[str]:
    """Write all entries, a file at a time, keeping all others; yields the files that are written.

    StoreError where one cannot be; the files before it are written.
    """
    changed: dict[Path, store.Entries] = {}
    for each in acceptances:
        module, _, key = each.nodeid.partition("::")
        changed.setdefault(store.store_path(root, module), {})[key] = each.new
    for path, entries in changed.items():
        store.check_inside(root, path)
        store.save(path, {**store.load(path), **entries})
        checks = "1 check" if len(entries) == 1 else f"{len(entries)} checks"
        yield f"{path.relative_to(root)}, {checks}"


def _moved(found: Findings) -> bool:
    moved = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCOMPARABLE)
    return any(c.judged and c.verdict in moved for c in found.comparisons.values())
