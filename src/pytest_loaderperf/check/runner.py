"""Runs one check from top to bottom: survey, comparison, the last trial, the store."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..baselines.acceptance import Acceptance, accepted_entry, refusal
from ..baselines.reference import Reference, References
from ..errors import ArmError, LoaderPerfError, MemoryLimitError
from ..measure import calibration
from ..model.results import CheckResult, Verdict
from ..model.units import format_size
from ..model.version import Version
from ..protocol.messages import Begin, Finished
from ..settings import RunSettings
from ..stats.sequential import Rule
from ..supervisor.arm import Arm, Arms
from ..supervisor.trial import TrialOver
from ..system.machine import machine_class
from ..versions.proof import Proof, Sides
from . import extras, paired, peaks, selftest, stored
from .state import Bench, Findings, Spec
from .sweep import Sweeps

_NOT_THERE = "it does not have this check"
_NEVER_CALLED = "the test never called loaderperf(loader), which hands over what to measure"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a check ended: its result, None if it was skipped, and the reports of its test.

    Without reports there was no last trial: if the check failed ``result.message`` says why.
    ``benchmark`` is what the test has set of the fixture of pytest-benchmark.
    """

    result: CheckResult | None
    reports: Sequence[Mapping[str, object]] = ()
    benchmark: Mapping[str, object] = field(default_factory=dict)


class Coordinator:
    """Runs the checks of a session, one after the other."""

    def __init__(
        self,
        arms: Arms,
        references: References,
        candidate: Version,
        proof: Proof,
        settings: RunSettings,
        rule: Rule,
    ) -> None:
        self._arms = arms
        self._references = references
        self._candidate = candidate
        self._proof = proof
        self._settings = settings
        self._rule = rule
        self._sweeps = Sweeps()
        self.accepted: list[Acceptance] = []  # to be written when the run ends

    def check(self, spec: Spec, progress: Callable[[str], None]) -> Outcome:
        """Run one check; ``progress`` hears the news of it.

        What goes wrong becomes the check's verdict, ``error``.
        """
        started = time.monotonic()
        self._arms.drop_dead()
        try:
            outcome = self._check(
                Bench(
                    spec=spec,
                    arms=self._arms,
                    candidate=self._candidate,
                    rule=self._rule,
                    progress=progress,
                )
            )
        except TrialOver as over:
            outcome = self._ended_early(spec, over)
        except MemoryLimitError as error:
            outcome = Outcome(result=_error(spec, self._out_of_memory(spec, error)))
        except LoaderPerfError as error:
            outcome = Outcome(result=_error(spec, str(error)))
        except Exception as error:  # noqa: BLE001  (the other checks go on)
            outcome = Outcome(result=_error(spec, _bug(error)))
        if outcome.result is None:
            return outcome
        seconds = time.monotonic() - started
        return replace(outcome, result=replace(outcome.result, seconds=seconds))

    def _check(self, bench: Bench) -> Outcome:
        if self._settings.sweep:
            return self._measured(bench)
        began = time.monotonic()
        reference = self._references.find(bench.spec.module, bench.spec.key)
        if reference.version is not None:
            self._carry(bench, reference.version)
            bench.arm(reference.version)  # started now: it imports while the candidate works
        found = self._survey(bench)
        if reference.version is not None:
            reference = self._usable(bench, reference)
        found.notes += [reference.note] if reference.note else []
        if self._settings.selftest:
            self._judge(selftest.patient(bench, found), reference, found)
            selftest.judge(bench, reference, found, began)
        else:
            self._judge(bench, reference, found)
        found.notes += self._proven(bench, reference.version, found)
        result = found.result(bench.spec)
        finished = self._last_trial(bench, result)
        failed = any(report["outcome"] == "failed" for report in finished.reports)
        note = self._accept(bench, reference, found, failed=failed)
        notes = (*result.notes, note) if note else result.notes
        result = replace(result, outcome="failed" if failed else "passed", notes=notes)
        return Outcome(result=result, reports=finished.reports, benchmark=finished.benchmark)

    def _measured(self, bench: Bench) -> Outcome:
        """A check in a sweep: nothing to compare with, and nothing that its test could assert."""
        found = self._survey(bench)
        self._sweeps.measure(bench, found)
        result = found.result(bench.spec)
        if found.message:
            return Outcome(result=replace(result, verdict=Verdict.ERROR, outcome="failed"))
        return Outcome(result=replace(result, outcome="passed"))

    def _survey(self, bench: Bench) -> Findings:
        _ = bench.arm().collected
        self._proof.check(self._candidate, bench.spec.module)
        bench.progress("memory")
        settings = bench.spec.settings
        survey = calibration.survey(bench.arm(), bench.spec.nodeid, pair_seconds=bench.pair_seconds)
        self._proof.check(self._candidate, bench.spec.module, bench.spec.nodeid)
        judged = frozenset((*settings.metrics, *survey.asserted))
        deadline = time.monotonic() + settings.budget
        return Findings(survey=survey, judged=judged, peaks=[survey.peak_memory], deadline=deadline)

    def _judge(self, bench: Bench, reference: Reference, found: Findings) -> None:
        # The store describes the accepted commit, not another one that was asked for.
        if reference.version is not None and self._references.mode != "accepted":
            reference = replace(reference, entry=None)
        record = reference.record(bench.versions)
        if record is not None and record.versions != bench.versions:
            found.notes.append(_version_change(record.versions, bench.versions))
        changed = ""
        if reference.entry is not None:
            changed = found.survey.workload.difference(reference.entry.workload)
        if reference.version is not None and not changed:
            changed = paired.judge(bench, reference.version, found)
        if changed:
            message = f"the workload changed, so the numbers cannot be compared: {changed}"
            stored.show(bench, found, Verdict.INCOMPARABLE, message)
        elif reference.version is not None:
            peaks.judge(bench, reference.version, record, found)
            extras.judge(bench, reference.version, record, found)
        elif record is not None:
            stored.judge(bench, record, self._settings.drift, found)
            peaks.judge(bench, None, record, found)
            extras.judge(bench, None, record, found)
        elif reference.entry is not None:
            message = "the baseline has no numbers of this machine class"
            stored.show(bench, found, Verdict.NO_BASELINE, message)
        else:
            message = "this check has no baseline yet"
            stored.show(bench, found, Verdict.NO_BASELINE, message)

    def _carry(self, bench: Bench, version: Version, nodeid: str = "") -> bool:
        """Carry over what git ignores of what the candidate has used; whether there was any."""
        if not version.moved_to:
            return False
        used = self._proof.used(self._candidate, bench.spec.module, nodeid)
        return self._references.carry(version, used)

    def _usable(self, bench: Bench, reference: Reference) -> Reference:
        """The reference; ArmError, or its stored numbers alone, where it cannot be measured.

        Stored numbers only if that was asked for: they cannot tell what was to be told.
        """
        version = reference.version
        assert version is not None
        if self._carry(bench, version, bench.spec.nodeid):
            self._arms.drop(version, bench.spec.module)
        problem = _problem(bench.arm(version), bench.spec.nodeid)
        lacks_files = problem not in ("", _NOT_THERE) and version.moved_to
        if lacks_files and self._carry_opened(bench, version):
            problem = _problem(bench.arm(version), bench.spec.nodeid)
        if not problem:
            self._proof.check(version, bench.spec.module)
            return reference
        if not version.moved_to:
            raise ArmError(f"{version.name} cannot be measured: {problem}")
        problem += self._references.hint(version)
        if self._references.mode != "accepted":
            raise ArmError(f"{version.name} cannot be measured: {problem}")
        accepting = self._settings.update is not None  # else nothing could ever take its place
        if self._settings.fallback != "stored" and not accepting:
            raise ArmError(
                f"{version.name}, where the baseline was accepted, cannot be measured: {problem}"
                "\nMend what is missing, or accept what is now (--loaderperf-update=all). To "
                "compare with stored numbers instead: --loaderperf-against=stored, or "
                "loaderperf_fallback = stored"
            )
        if reference.record(bench.versions) is None and not accepting:
            raise ArmError(
                f"{version.name}, where the baseline was accepted, cannot be measured, and there "
                f"are no stored numbers of this machine class to compare with instead: {problem}"
            )
        note = f"compared with stored numbers, since {version.name} cannot be measured: {problem}"
        return replace(reference, version=None, note=note)

    def _carry_opened(self, bench: Bench, version: Version) -> bool:
        """Have the candidate collect once more, and carry over what it opens meanwhile."""
        self._watch(self._candidate, bench.spec.module)
        carried = self._carry(bench, version)
        if carried:
            self._arms.drop(version, bench.spec.module)
        return carried

    def _watch(self, version: Version, module: str) -> None:
        """Have a version collect once more, and show what it opens meanwhile."""
        with self._arms.watched(version, module) as arm:
            _ = arm.collected

    def _proven(self, bench: Bench, version: Version | None, found: Findings) -> list[str]:
        """Have it proven that each version ran its own sources; returns what there is to note."""
        module, nodeid = bench.spec.module, bench.spec.nodeid
        if version is None or not version.moved_to:
            self._proof.check(self._candidate, module, nodeid)
            return []
        if not found.ran:  # nothing was compared side by side
            self._proof.check(self._candidate, module, nodeid)
            self._proof.check(version, module, nodeid)
            return self._references.notes(version)
        sides = Sides(candidate=self._candidate, baseline=version, module=module, nodeid=nodeid)
        changes = self._references.changes(version)
        if self._proof.may_read_changes(changes):  # perhaps already while they are collected
            self._watch(self._candidate, module)
        if self._proof.reads_changes(sides):
            self._watch(version, module)
            calibration.watch(bench.arm(version), nodeid)
        try:
            notes = self._proof.prove(sides, changes, found.ran)
        except ArmError as error:
            if self._settings.update is None:
                raise
            self._proof.check(self._candidate, module, nodeid)
            if self._settings.update != "all":
                raise ArmError(
                    f"{error}. To accept what is now, without a comparison: --loaderperf-update=all"
                ) from None
            notes = [f"accepted without a comparison: {error}"]
        return notes + self._references.notes(version)

    def _last_trial(self, bench: Bench, result: CheckResult) -> Finished:
        """Let the test's own assertions run on the result."""
        accepting = self._settings.update is not None
        strict = self._settings.strict and result.verdict is Verdict.INCONCLUSIVE
        fails = not accepting and (result.verdict.fails or strict)
        with bench.arm().trials():
            trial = bench.arm().trial(bench.spec.nodeid)
            return trial.ask(
                Begin(result=result.dump(), accepting=accepting, fails=fails), Finished
            )

    def _accept(self, bench: Bench, reference: Reference, found: Findings, *, failed: bool) -> str:
        """Accept the check's numbers where the update mode says so; returns why not."""
        update = self._settings.update
        if update is None:
            return ""
        refused = refusal(found, update, failed=failed, stored=reference.version is None)
        if refused is not None:
            return f"baseline not written: {refused}" if refused else ""
        verdict = found.verdict
        stored.repeat(bench, found)
        self.accepted.append(
            Acceptance(
                nodeid=bench.spec.nodeid,
                verdict=verdict,
                old=reference.entry,
                new=accepted_entry(found, bench.versions, reference.entry),
                machine=machine_class(bench.versions),
                judged=found.judged,
            )
        )
        return ""

    def _out_of_memory(self, spec: Spec, error: MemoryLimitError) -> str:
        where = "" if error.version == self._candidate.name else f"{error.version}: "
        size = "" if spec.batch_size is None else f" at batch size {spec.batch_size}"
        needed = format_size(error.needed)
        if error.limit is None:
            return (
                f"{where}out of memory{size}: ended at {needed}, when less than 10 % of the "
                "machine's memory was left"
            )
        limit = f"limit {format_size(error.limit)}"
        return (
            f"{where}out of memory{size}: {needed} needed, {limit}. A smaller batch size, fewer "
            "workers or less prefetching need less; --loaderperf-memory-limit sets the limit"
        )

    def _ended_early(self, spec: Spec, over: TrialOver) -> Outcome:
        """A test that failed, was skipped or never measured, before there was a verdict."""
        reports = over.finished.reports
        bad = next((report for report in reports if report["outcome"] != "passed"), None)
        if over.version != self._candidate:
            text = over.finished.text if bad else _NEVER_CALLED
            return Outcome(result=_error(spec, f"{over.version.name} cannot be measured: {text}"))
        if bad is None:
            return Outcome(result=_error(spec, _NEVER_CALLED))
        if bad["outcome"] == "skipped":
            return Outcome(result=None, reports=reports)
        return Outcome(
            result=_error(spec, "the test failed before its loader was measured"), reports=reports
        )


def _problem(baseline: Arm, nodeid: str) -> str:
    """Why a baseline cannot be measured; empty if it can."""
    try:
        if baseline.collected.error:
            return f"its tests cannot be collected:\n{baseline.collected.error.strip()}"
        return "" if baseline.has(nodeid) else _NOT_THERE
    except ArmError as error:
        return str(error)


def _error(spec: Spec, message: str) -> CheckResult:
    return CheckResult(
        nodeid=spec.nodeid,
        verdict=Verdict.ERROR,
        batch_size=spec.batch_size,
        outcome="failed",
        message=message,
    )


def _bug(error: Exception) -> str:
    """What to say where this package itself fails, on numbers that it did not expect, say."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"the check could not be judged: {type(error).__name__}: {error} (in "
        f"{Path(place.filename).name}, line {place.lineno}). This is a bug of pytest-loaderperf, "
        "or something in the test's process gave it false numbers"
    )


def _version_change(recorded: Mapping[str, str], now: Mapping[str, str]) -> str:
    changes = [
        f"{name} {recorded.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in sorted({*recorded, *now})
        if recorded.get(name) != now.get(name)
    ]
    return f"versions differ from those recorded: {', '.join(changes)}"
