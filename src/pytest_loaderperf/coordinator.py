"""Runs one check from top to bottom: survey, pairs, decision, confirmation, the last trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import judgement, measure
from .arms import Arm, Arms, TrialOver, Version
from .baselines import Entry, Record, Stored
from .decision import Rule
from .errors import ArmError, LoaderPerfError
from .machine import machine_class
from .measure import TIMED, Survey, Timing
from .messages import Begin, Finished
from .model import METRICS, CheckResult, Comparison, Verdict, worst
from .reference import Reference, References
from .settings import CheckSettings, RunSettings

_ALONE = 4  # trials of a check that has nothing to be paired with
_PEAKS = 3  # memory trials behind a stored peak
# The part of a budget that the first run may use: a regression must be confirmed within it.
_FIRST_RUN = 2 / 3


@dataclass(frozen=True)
class Spec:
    """One check to run: ``module`` is relative to the root, ``key`` is its name in the store."""

    nodeid: str
    module: str
    key: str
    batch_size: int | None
    settings: CheckSettings


@dataclass(frozen=True)
class Outcome:
    """How a check ended: its result, None if it was skipped, and the reports of its test.

    Without reports there was no last trial, and ``result.message`` says why.
    """

    result: CheckResult | None
    reports: Sequence[Mapping[str, object]] = ()


@dataclass
class _Findings:
    """What has been found out about a check so far."""

    survey: Survey
    judged: frozenset[str]
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)  # of the candidate
    peaks: list[float] = field(default_factory=list)  # of the candidate
    pairs: int = 0
    message: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        return worst([c.verdict for c in self.comparisons.values() if c.judged])


class Coordinator:
    """Runs the checks of a session, one after the other."""

    def __init__(
        self,
        arms: Arms,
        references: References,
        candidate: Version,
        settings: RunSettings,
        rule: Rule,
    ) -> None:
        self._arms = arms
        self._references = references
        self._candidate = candidate
        self._settings = settings
        self._rule = rule
        self._progress: Callable[[str], None] = lambda _: None

    def check(self, spec: Spec, progress: Callable[[str], None]) -> Outcome:
        """Run one check; ``progress`` hears the news of it.

        What goes wrong becomes the check's verdict, ``error``.
        """
        self._progress = progress
        started = time.monotonic()
        try:
            outcome = self._check(spec)
        except TrialOver as over:
            outcome = self._ended_early(spec, over)
        except LoaderPerfError as error:
            outcome = Outcome(_error(spec, str(error)))
        if outcome.result is None:
            return outcome
        return replace(outcome, result=replace(outcome.result, seconds=time.monotonic() - started))

    def _check(self, spec: Spec) -> Outcome:
        found = self._judge(spec)
        result = CheckResult(
            spec.nodeid,
            found.verdict,
            spec.batch_size,
            pairs=found.pairs,
            workload=found.survey.workload,
            message=found.message,
            notes=tuple(found.notes),
            metrics=found.comparisons,
        )
        finished = self._last_trial(spec, result)
        failed = any(report["outcome"] == "failed" for report in finished.reports)
        if self._settings.update is not None:
            note = self._accept(spec, found, failed=failed)
            result = replace(result, notes=(*result.notes, note) if note else result.notes)
        outcome = "failed" if failed else "passed"
        return Outcome(replace(result, outcome=outcome), finished.reports)

    # --- judging

    def _judge(self, spec: Spec) -> _Findings:
        candidate = self._arms.get(self._candidate, spec.module)
        reference = self._references.find(spec.module, spec.key)
        baseline = None
        if reference.version is not None:  # started now: it imports while the candidate works
            baseline = self._arms.get(reference.version, spec.module)
        _check_imports(candidate)

        self._progress("memory")
        survey = measure.survey(candidate, spec.nodeid)
        judged = frozenset((*spec.settings.metrics, *survey.asserted))
        found = _Findings(survey, judged, peaks=[survey.peak_memory])
        if reference.note:
            found.notes.append(reference.note)

        if baseline is not None:
            reference = self._usable(spec, reference, baseline, found)
        if reference.version is None and reference.entry is None:
            self._alone(spec, found, Verdict.NO_BASELINE, "this check has no baseline yet")
        elif changed := self._changed_workload(reference, found):
            self._alone(spec, found, Verdict.INCOMPARABLE, changed)
        elif reference.version is not None:
            self._side_by_side(spec, reference, found)
        else:
            self._with_stored(spec, reference, found)
        return found

    def _usable(
        self, spec: Spec, reference: Reference, baseline: Arm, found: _Findings
    ) -> Reference:
        """The reference, or the stored numbers of it where its commit cannot be measured."""
        assert reference.version is not None
        problem = ""
        try:
            if baseline.collected.error:
                problem = f"its tests cannot be collected:\n{baseline.collected.error.strip()}\n"
            elif not baseline.has(spec.nodeid):
                problem = "it does not have this check"
        except ArmError as error:
            problem = str(error)
        if not problem:
            _check_imports(baseline)
            return reference
        name = reference.version.name
        if self._references.mode != "accepted":
            raise ArmError(f"{name} cannot be measured: {problem}")
        if reference.record(self._versions(spec)) is None:
            raise ArmError(
                f"{name}, where this baseline was accepted, cannot be measured: {problem}; and "
                "there are no stored numbers of this machine class to compare with instead"
            )
        lines = problem.strip().splitlines()
        short = lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1].removeprefix('E').strip()}"
        found.notes.append(f"{name} cannot be measured, {short}: compared with stored numbers")
        return replace(reference, version=None)

    def _changed_workload(self, reference: Reference, found: _Findings) -> str:
        if reference.entry is None:
            return ""
        changed = found.survey.workload.difference(reference.entry.workload)
        return changed and f"the workload changed, the numbers cannot be compared: {changed}"

    def _alone(self, spec: Spec, found: _Findings, verdict: Verdict, message: str) -> None:
        """Measure without a comparison: once to show a number, more often to store it."""
        storing = self._settings.update is not None
        arm = self._arms.get(self._candidate, spec.module)
        for trial in range(_ALONE if storing else 1):
            self._progress(f"trial {trial + 1}")
            found.timings.append(measure.time_alone(arm, spec.nodeid, found.survey.plan))
        while storing and len(found.peaks) < _PEAKS:
            found.peaks.append(measure.survey(arm, spec.nodeid, found.survey).peak_memory)
        values = measure.typical(found.timings)
        values["peak_memory"] = found.survey.peak_memory
        found.message = message
        found.comparisons = {
            name: judgement.unjudged(name, values[name], verdict, judged=name in found.judged)
            for name in METRICS
        }

    def _side_by_side(self, spec: Spec, reference: Reference, found: _Findings) -> None:
        assert reference.version is not None
        deadline = time.monotonic() + spec.settings.budget * _FIRST_RUN
        pairs = self._pairs(spec, reference.version, found.judged, found, deadline)
        changed = pairs[0][0].workload.difference(pairs[0][1].workload)
        if changed:
            message = f"the workload changed, the numbers cannot be compared: {changed}"
            self._alone(spec, found, Verdict.INCOMPARABLE, message)
            return
        found.comparisons = self._compare(spec, pairs, found.judged, reference.version.name)
        regressed = _regressed(found.comparisons)
        if regressed:
            self._confirm(spec, reference.version, regressed, pairs, found)
        found.timings += [candidate for candidate, _ in pairs]
        found.pairs = len(pairs)
        found.comparisons["peak_memory"] = self._memory(spec, reference, found)

    def _pairs(
        self,
        spec: Spec,
        version: Version,
        judged: frozenset[str],
        found: _Findings,
        deadline: float,
        *,
        already: str = "",
    ) -> list[tuple[Timing, Timing]]:
        """Measure pairs until all judged metrics are decided, or time or pairs run out."""
        pairs: list[tuple[Timing, Timing]] = []
        candidate = self._arms.get(self._candidate, spec.module)
        baseline = self._arms.get(version, spec.module)
        pace = found.survey.plan
        while len(pairs) < self._rule.pairs_at_most:
            first = len(pairs) % 2 == 0
            pair = measure.time_pair(candidate, baseline, spec.nodeid, pace, candidate_first=first)
            pairs.append(pair)
            if len(pairs) == 1 and pairs[0][0].workload != pairs[0][1].workload:
                break
            comparisons = self._compare(spec, pairs, judged, version.name)
            left = deadline - time.monotonic()
            self._progress(_news(already, comparisons["throughput"], len(pairs), left))
            if self._rule.is_look(len(pairs)) and judgement.settled(comparisons):
                break
            if left < 0:
                break
        return pairs

    def _confirm(
        self,
        spec: Spec,
        version: Version,
        regressed: frozenset[str],
        pairs: list[tuple[Timing, Timing]],
        found: _Findings,
    ) -> None:
        """Repeat a regression with fresh processes, the other one started first.

        A process keeps the luck of its memory layout for life; the arms of the first run may have
        been unlucky in the same way in all of their trials.
        """
        for arm in (self._candidate, version):
            self._arms.drop(arm, spec.module)
        for arm in (version, self._candidate):
            _ = self._arms.get(arm, spec.module).collected
        deadline = time.monotonic() + spec.settings.budget * (1 - _FIRST_RUN)
        again = self._pairs(spec, version, regressed, found, deadline, already="confirming ")
        repeated = self._compare(spec, again, regressed, version.name)
        pairs += again
        pooled = self._compare(spec, pairs, found.judged, version.name)
        for name in TIMED:
            verdict = found.comparisons[name].verdict
            if name in regressed and repeated[name].verdict is not Verdict.REGRESSED:
                verdict = Verdict.INCONCLUSIVE
                found.notes.append(
                    f"{name} regressed in a first run of {len(pairs) - len(again)} pairs, which "
                    f"{len(again)} pairs of fresh processes did not confirm"
                )
            found.comparisons[name] = replace(pooled[name], verdict=verdict)

    def _compare(
        self,
        spec: Spec,
        pairs: Sequence[tuple[Timing, Timing]],
        judged: frozenset[str],
        source: str,
    ) -> dict[str, Comparison]:
        return {
            name: judgement.compare(
                METRICS[name],
                [candidate.values[name] for candidate, _ in pairs],
                [baseline.values[name] for _, baseline in pairs],
                spec.settings.tolerances[name],
                self._rule,
                judged=name in judged,
                source=source,
            )
            for name in TIMED
        }

    def _memory(self, spec: Spec, reference: Reference, found: _Findings) -> Comparison:
        """Compare peak memory: with the stored number where that will do, else side by side."""
        metric, tolerance = METRICS["peak_memory"], spec.settings.tolerances["peak_memory"]
        judged = metric.name in found.judged
        versions = self._versions(spec)
        # Stored numbers belong to the accepted commit, not to another one that was asked for.
        others = reference.version is not None and self._references.mode != "accepted"
        record = None if others else reference.record(versions)
        if record is not None:
            if record.versions != versions:
                found.notes.append(_version_change(record.versions, versions))
            elif stored := record.metrics.get(metric.name):
                glanced = judgement.glance(metric, found.survey.peak_memory, stored, tolerance)
                if glanced is not None:
                    return replace(glanced, judged=judged)
        if reference.version is None:
            return self._memory_with_stored(spec, record, found)
        peaks: list[float] = []
        comparison = None
        while comparison is None or (
            comparison.verdict is Verdict.INCONCLUSIVE and len(peaks) < 3 * _ALONE
        ):
            self._progress(f"memory, pair {len(peaks) + 1}")
            if len(found.peaks) <= len(peaks):
                found.peaks.append(self._peak(spec, self._candidate, found))
            peaks.append(self._peak(spec, reference.version, found))
            comparison = judgement.compare(
                metric, found.peaks[: len(peaks)], peaks, tolerance, self._rule,
                judged=judged, source=reference.version.name,
            )  # fmt: skip
        return comparison

    def _peak(self, spec: Spec, version: Version, found: _Findings) -> float:
        arm = self._arms.get(version, spec.module)
        return measure.survey(arm, spec.nodeid, found.survey).peak_memory

    def _with_stored(self, spec: Spec, reference: Reference, found: _Findings) -> None:
        """Compare with stored numbers: wide, since they come from another day."""
        record = reference.record(self._versions(spec))
        if record is None:
            message = "the baseline has no numbers of this machine class"
            self._alone(spec, found, Verdict.NO_BASELINE, message)
            return
        arm = self._arms.get(self._candidate, spec.module)
        for trial in range(_ALONE):
            self._progress(f"trial {trial + 1}")
            found.timings.append(measure.time_alone(arm, spec.nodeid, found.survey.plan))
        for name in TIMED:
            found.comparisons[name] = judgement.compare_stored(
                METRICS[name],
                [timing.values[name] for timing in found.timings],
                record.metrics.get(name),
                spec.settings.tolerances[name],
                self._rule,
                judged=name in found.judged,
                drift=self._settings.drift,
            )
        found.comparisons["peak_memory"] = self._memory(spec, reference, found)

    def _memory_with_stored(
        self, spec: Spec, record: Record | None, found: _Findings
    ) -> Comparison:
        while len(found.peaks) < _ALONE:
            found.peaks.append(self._peak(spec, self._candidate, found))
        return judgement.compare_stored(
            METRICS["peak_memory"],
            found.peaks,
            record.metrics.get("peak_memory") if record else None,
            spec.settings.tolerances["peak_memory"],
            self._rule,
            judged="peak_memory" in found.judged,
            drift=0.0,
        )

    # --- the end of a check

    def _last_trial(self, spec: Spec, result: CheckResult) -> Finished:
        """Let the test's own assertions run on the result."""
        accepting = self._settings.update is not None
        strict = self._settings.strict and result.verdict is Verdict.INCONCLUSIVE
        arm = self._arms.get(self._candidate, spec.module)
        with arm.trials():
            begin = Begin(
                result.dump(), accepting, not accepting and (result.verdict.fails or strict)
            )
            try:
                return arm.trial(spec.nodeid).ask(begin, Finished)
            except TrialOver as over:
                return over.finished

    def _accept(self, spec: Spec, found: _Findings, *, failed: bool) -> str:
        """Store what was measured where the update mode says so; the note tells what was done."""
        new = found.verdict is Verdict.NO_BASELINE
        moved = any(
            c.judged and c.verdict in (Verdict.REGRESSED, Verdict.IMPROVED)
            for c in found.comparisons.values()
        )
        changed = new or moved or found.verdict is Verdict.INCOMPARABLE
        if failed:
            return "baseline not written: the test failed"
        if found.verdict is Verdict.INCONCLUSIVE:
            return "baseline not written: the measurement was inconclusive"
        if not {"new": new, "changed": changed, "all": True, None: False}[self._settings.update]:
            return ""
        values = {name: [timing.values[name] for timing in found.timings] for name in TIMED}
        values["peak_memory"] = found.peaks
        record = Record(
            {
                name: Stored(judgement.typical(each), judgement.spread(each))
                for name, each in values.items()
            },
            self._versions(spec),
        )
        kept: Mapping[str, Record] = {}
        if not changed:  # numbers of other machine classes still describe this loader
            entry = self._references.entries(spec.module).get(spec.key)
            kept = entry.records if entry else {}
        machine = machine_class(record.versions)
        entry = Entry(found.survey.workload, {**kept, machine: record})
        path = self._references.save(spec.module, spec.key, entry)
        return f"baseline written to {path.name}"

    def _ended_early(self, spec: Spec, over: TrialOver) -> Outcome:
        """A test that failed, was skipped or never measured, before there was a verdict."""
        reports = over.finished.reports
        outcomes = {str(report["outcome"]) for report in reports}
        if over.version != self._candidate:
            failure = next((r for r in reports if r["outcome"] != "passed"), None)
            text = failure["longrepr"] if failure else "it never called loaderperf(...)"
            return Outcome(_error(spec, f"{over.version.name} could not be measured: {text}"))
        if "failed" in outcomes:
            result = _error(spec, "the test failed before its loader was measured")
            return Outcome(replace(result, outcome="failed"), reports)
        if "skipped" in outcomes:
            return Outcome(None, reports)
        return Outcome(_error(spec, "the test never called loaderperf(loader)"))

    def _versions(self, spec: Spec) -> dict[str, str]:
        return self._arms.get(self._candidate, spec.module).collected.versions


def _check_imports(arm: Arm) -> None:
    """Both versions must be measured on their own sources, or a comparison means nothing."""
    foreign, shadowed = arm.collected.foreign, arm.collected.shadowed
    if foreign:
        raise ArmError(
            f"{arm.version.name} imported {', '.join(foreign[:3])} from the working tree: it "
            "would measure the wrong version. Remove what puts the working tree on its path (an "
            "absolute path in conftest.py, PYTHONPATH or a .pth file)"
        )
    if shadowed:
        raise ArmError(
            f"{', '.join(shadowed)} was imported from an installed copy, not from "
            f"{arm.version.name}: every version would measure that copy. Install the project with "
            "pip install -e ."
        )


def _regressed(comparisons: Mapping[str, Comparison]) -> frozenset[str]:
    return frozenset(
        name for name, c in comparisons.items() if c.judged and c.verdict is Verdict.REGRESSED
    )


def _error(spec: Spec, message: str) -> CheckResult:
    return CheckResult(
        spec.nodeid, Verdict.ERROR, spec.batch_size, outcome="failed", message=message
    )


def _version_change(recorded: Mapping[str, str], now: Mapping[str, str]) -> str:
    changes = [
        f"{name} {recorded.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in sorted({*recorded, *now})
        if recorded.get(name) != now.get(name)
    ]
    return f"versions differ from those recorded: {', '.join(changes)}"


def _news(already: str, throughput: Comparison, pairs: int, left: float) -> str:
    ratio = f", ratio {throughput.ratio:.3f}" if throughput.ratio is not None else ""
    return f"{already}pair {pairs}{ratio}, {max(left, 0):.0f} s left"
