"""What of a measurement becomes the new baseline."""

from __future__ import annotations

from collections.abc import Set

from .baselines import Entry, Record, Stored
from .findings import Findings
from .judgement import spread, typical
from .machine import machine_class
from .model import METRICS, Verdict
from .options import Update
from .timing import TIMED
from .units import format_value


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
    if found.growths:
        values["memory_growth"] = found.growths
    record = Record(
        {name: Stored(typical(each), spread(METRICS[name], each)) for name, each in values.items()},
        versions,
    )
    kept = {} if old is None or _moved(found) else old.records
    return Entry(found.survey.workload, {**kept, machine_class(versions): record})


def change(old: Entry | None, new: Entry, versions: dict[str, str], judged: Set[str]) -> str:
    """What the judged numbers of this machine class were, and what they are now."""
    machine = machine_class(versions)
    before = old.records.get(machine) if old else None
    told = []
    for name, stored in new.records[machine].metrics.items():
        if name in judged:
            unit = METRICS[name].unit
            now = format_value(stored.value, unit)
            was = before.metrics.get(name) if before else None
            if was is None:
                told.append(f"{name} {now}")
            else:
                moved = f", {100 * (stored.value / was.value - 1):+.1f} %" if was.value else ""
                told.append(f"{name} {format_value(was.value, unit)} -> {now}{moved}")
    return "; ".join(told)


def _moved(found: Findings) -> bool:
    moved = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCOMPARABLE)
    return any(c.judged and c.verdict in moved for c in found.comparisons.values())
