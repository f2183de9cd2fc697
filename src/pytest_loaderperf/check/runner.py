"""Runs one check from top to bottom: calibration, comparison, the last trial, the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..baselines.reference import Reference, References
from ..baselines.update import Acceptance, accepted_entry, refusal
from ..errors import ArmError, LoaderPerfError, LostTrialError, MemoryLimitError
from ..measure import calibration
from ..model.results import CheckResult, Verdict
from ..model.units import format_changes
from ..model.version import Version
from ..model.workload import Workload
from ..protocol.messages import Begin, Finished
from ..reports.explain import bug, out_of_memory
from ..settings import RunSettings
from ..stats.sequential import Rule
from ..supervisor.arms import Arms
from ..supervisor.trial import TrialOver
from ..system import packages
from ..system.machine import machine_class
from ..versions.proof import Proof
from ..versions.sources import Sources
from ..why.calls import Files
from ..why.reasons import explained
from . import doubts, paired, per_trial, selftest, stored
from .bisect import Bisection, Packages, blamed, is_sure, told
from .identical import Identical, Recording
from .sides import Sides, other_ranks
from .state import Bench, Findings, Known, Spec, error_of, result_of
from .sweep import Sweeps
from .variants import judge_variants

_TRIED_TWICE = "(so was a first trial, forked from the process that had imported the tests)"
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
        sources: Sources,
        settings: RunSettings,
        rule: Rule,
        arguments: Sequence[str] = (),
    ) -> None:
        proof = Proof(sources)
        self._arms = arms
        self._references = references
        self._candidate = candidate
        self._proof = proof
        self._settings = settings
        self._rule = rule
        self._identical = Identical(
            references, candidate, proof, settings, arms.packages, arguments
        )
        self._recording = Recording(arms, references, candidate, sources)
        self._sides = Sides(arms, references, candidate, proof, settings)
        self._sweeps = Sweeps()
        self.accepted: list[Acceptance] = []  # to be written when the run ends

    def is_identical(self, spec: Spec) -> bool:
        """Whether a check that its arm has collected is not going to be measured."""
        if not self._identical.is_asked:
            return False
        try:
            return not self._identical.why_measured(spec)
        except Exception:  # noqa: BLE001  (which is told when it runs)
            return False

    def check(self, spec: Spec, progress: Callable[[str], None]) -> Outcome:
        """Run one check; ``progress`` hears the news of it.

        What goes wrong becomes the check's verdict, ``error``.
        """
        started = time.monotonic()
        self._arms.drop_dead()
        bench = Bench(
            spec=spec,
            arms=self._arms,
            candidate=self._candidate,
            rule=self._rule,
            progress=progress,
        )
        try:
            outcome = self._tried(bench)
        except TrialOver as over:
            outcome = self._ended_early(spec, over)
        except MemoryLimitError as error:
            own = error.version == self._candidate.name
            text = out_of_memory(error, spec.parameters, own=own)
            outcome = Outcome(result=error_of(spec, text))
        except LoaderPerfError as error:
            outcome = Outcome(result=error_of(spec, str(error)))
        except Exception as error:  # noqa: BLE001  (the other checks go on)
            outcome = Outcome(result=error_of(spec, bug(error)))
        if outcome.result is None:
            return outcome
        result = outcome.result
        reason = result.reason or self._identical.reasons.get(spec.nodeid, "")
        result = replace(
            result,
            seconds=time.monotonic() - started,
            phases=dict(bench.phases.seconds),
            reason=reason,
        )
        return replace(outcome, result=result)

    def _tried(self, bench: Bench) -> Outcome:
        """Run a check, once more where a forked trial was lost that may not outlive its fork."""
        module = bench.spec.module
        try:
            return self._check(bench)
        except LostTrialError as error:
            if not self._arms.may_start_anew(module, _first_line(error)):
                raise
            self._arms.drop_dead()
        try:
            return self._check(bench)
        except LostTrialError as error:
            self._arms.fork_again(module)  # the other checks lose nothing by it
            raise ArmError(f"{error}\n{_TRIED_TWICE}") from None

    def _check(self, bench: Bench) -> Outcome:
        if self._settings.sweep:
            return self._measured(bench)
        if self._settings.bisect:
            return self._searched(bench)
        began = time.monotonic()
        reference, alone = Reference(version=None, entry=None), ""
        if self._identical.is_asked:
            if not self._identical.why_measured(bench.spec):
                return Outcome(result=self._identical.result(bench.spec))
            alone = self._identical.for_its_numbers(bench.spec)
        if not alone:
            reference = self._references.find(bench.spec.module, bench.spec.key, bench.progress)
        if reference.version is not None:
            self._sides.carry(bench, reference.version)
            bench.arm(reference.version)  # started now: it imports while the candidate works
        known = self._calibrated(bench)
        if _needs_no_baseline(known, self._settings):
            reference, alone = Reference(version=None, entry=None), ""
        if reference.version is not None:
            reference = self._sides.usable(bench, reference)
        why = self._arms.why_anew(bench.spec.module)
        anew = f"each trial is a process of its own, which takes longer: {why}" if why else ""
        found = Findings(notes=tuple(note for note in (reference.note, anew, alone) if note))
        if self._settings.selftest and not known.calibration.loader.delivers:
            known, judged = self._judge(*selftest.patient(bench, known), reference)
            found += judged
            found += selftest.judge_injected_loss(bench, reference, known, found, began)
        else:
            known, judged = self._judge(bench, known, reference, alone=bool(alone))
            found += judged
        with bench.phases("proof"):
            notes = self._sides.proven(bench, reference.version, found)
        result = result_of(bench.spec, known, found + Findings(notes=tuple(notes)))
        if reference.version is not None:
            result = self._beside(bench, reference.version, known, found, result)
        if self._settings.selftest and known.calibration.loader.variants:
            return _without_test(result)  # which would ask for all of them
        finished = self._last_trial(bench, result)
        failed = any(report["outcome"] == "failed" for report in finished.reports)
        note = self._accept(bench, reference, known, found, failed=failed)
        all_notes = (*result.notes, note) if note else result.notes
        result = replace(result, outcome="failed" if failed else "passed", notes=all_notes)
        return Outcome(result=result, reports=finished.reports, benchmark=finished.benchmark)

    def _beside(
        self, bench: Bench, version: Version, known: Known, found: Findings, result: CheckResult
    ) -> CheckResult:
        """The result of a comparison with a commit: its packages, and why it got worse."""
        result = self._sides.with_packages(bench, version, result)
        result = self._explained(bench, version, known, result)
        environment = self._references.environment(version)
        if self._settings.blame and environment and self._settings.update is None:
            search = Packages(
                arms=self._arms,
                references=self._references,
                sides=self._sides,
                environment=environment,
                measured=(known, found) if self._sides.run_the_same(bench, version) else None,
            )
            result = blamed(search, bench, known, result)
        return result

    def _measured(self, bench: Bench) -> Outcome:
        """A check in a sweep: nothing to compare with, and nothing that its test could assert."""
        bench = replace(bench, whole_epochs=False)  # of other sizes they may not fit
        known = self._calibrated(bench)
        known, found = self._sweeps.measure(bench, known)
        result = result_of(bench.spec, known, found)
        if found.message:
            result = replace(result, verdict=Verdict.ERROR)
        return _without_test(result)

    def _searched(self, bench: Bench) -> Outcome:
        """A check in a search of the history, which passes if that finds a single commit."""
        good = self._references.find(bench.spec.module, bench.spec.key, bench.progress).version
        assert good is not None
        known = self._calibrated(bench)  # of the tests that all commits get
        search = Bisection(arms=self._arms, references=self._references, sides=self._sides)
        known, found, came = search.run(bench, good, known)
        text = told(came, found)
        found += Findings(notes=(text, *self._references.notes(good)))
        outcome = "passed" if is_sure(came, found) else "failed"
        result = result_of(bench.spec, known, found)
        return Outcome(result=replace(result, search=came, outcome=outcome, message=text))

    def _calibrated(self, bench: Bench) -> Known:
        bench.progress("starting")
        with bench.phases("starting"):
            _ = bench.arm().collected
        self._proof.check(self._candidate, bench.spec.module)
        bench.progress("first trial")
        settings = bench.spec.settings
        with bench.phases("memory"):
            calibrated = calibration.calibrate(bench.arm(), bench.spec.nodeid, bench.lengths)
        self._proof.check(self._candidate, bench.spec.module, bench.spec.nodeid)
        return Known(
            calibration=calibrated,
            judged=frozenset((*settings.metrics, *calibrated.asserted)),
            deadline=time.monotonic() + settings.budget,
        )

    def _judge(
        self, bench: Bench, known: Known, reference: Reference, *, alone: bool = False
    ) -> tuple[Known, Findings]:
        """Judge a check: beside a commit, against stored numbers, or ``alone``, without any.

        Also returns what is known with the plan that timing has shown to fit.
        """
        if _needs_no_baseline(known, self._settings):
            reads = known.calibration.loader.delivers
            return known, stored.judge_delivery(bench) if reads else judge_variants(
                bench, known, self._sides
            )
        if alone:
            return known, stored.alone(bench, known)
        version = reference.version
        # The store describes the accepted commit, not another one that was asked for, nor that with
        # other packages.
        accepted = self._references.mode == "accepted"
        if version is not None and not (accepted and version.is_of_this_python):
            reference = replace(reference, entry=None)
        record = reference.record(bench.versions)
        changed = ""
        if reference.entry is not None:
            known, changed = self._changed(bench, known, reference.entry.workload)
        found = Findings()
        if record is not None and (differ := packages.differing(record.versions, bench.versions)):
            told = f"versions differ from those recorded: {format_changes(differ)}"
            found = Findings(notes=(told,))
        if reference.version is not None:
            changed = changed or other_ranks(bench, reference.version)
        if reference.version is not None and not changed:
            known, beside = paired.judge_pairs(bench, reference.version, known)
            if why := doubts.outgrown(bench, known, record):
                beside = doubts.doubted(beside, why)
            found += beside
            if not beside.difference:
                return known, found + per_trial.judge_trials(
                    bench, reference.version, record, known
                )
            changed = beside.difference
        if record is not None and not changed:
            found += stored.judge_stored(bench, record, self._settings.drift, known)
            return known, found + per_trial.judge_trials(bench, None, record, known)
        return known, found + stored.without_baseline(bench, known, changed, reference.entry)

    def _changed(self, bench: Bench, known: Known, accepted: Workload) -> tuple[Known, str]:
        """How the workload differs from the accepted one; many batches must show it, not a few."""
        if not known.calibration.workload.difference(accepted):
            return known, ""
        workload = calibration.examined(bench.arm(), bench.spec.nodeid, bench.lengths.pair)
        known = replace(known, calibration=replace(known.calibration, workload=workload))
        return known, workload.difference(accepted)

    def _explained(
        self, bench: Bench, version: Version, known: Known, result: CheckResult
    ) -> CheckResult:
        """The result of a check with why it got worse, if it did."""
        if self._settings.update is not None or self._settings.why == "never":
            return result
        files = (
            Files(top=version.toplevel or str(bench.candidate.root)),
            Files(top=version.moved_to or str(version.root)),
        )
        sides = bench.side(known.plan), bench.side(known.plan, version)
        always, calibrated = bool(self._settings.why), known.calibration
        with bench.phases("why"):
            told = explained(
                result, sides, files, bench.lengths, calibrated, bench.progress, always=always
            )
        if told.notes != result.notes:  # arms that got stuck, say, are none for the last trial
            for each in (version, bench.candidate):
                self._arms.drop(each, bench.spec.module)
        return told

    def _last_trial(self, bench: Bench, result: CheckResult) -> Finished:
        """Let the test's own assertions run on the result."""
        accepting = self._settings.update is not None
        strict = self._settings.strict and result.verdict is Verdict.INCONCLUSIVE
        fails = not accepting and (result.verdict.fails or strict)
        with bench.arm().trials():
            trial = bench.arm().trial(bench.spec.nodeid)
            return trial.ask(Begin(result=result, accepting=accepting, fails=fails), Finished)

    def _accept(
        self, bench: Bench, reference: Reference, known: Known, found: Findings, *, failed: bool
    ) -> str:
        """Accept the check's numbers where the update mode says so; returns what to note."""
        update = self._settings.update
        if update is None or found.variants or found.undelivered is not None:
            return ""
        alone = reference.version is None
        refused = refusal(found.verdict, update, moved=found.moved, failed=failed, stored=alone)
        if refused is not None:
            return f"baseline not written: {refused}" if refused else ""
        used, note = self._recording.used(bench, known)
        new = accepted_entry(
            known.calibration.workload,
            stored.repeat(bench, known),
            bench.versions,
            reference.entry,
            moved=found.moved,
            used=used,
        )
        self.accepted.append(
            Acceptance(
                nodeid=bench.spec.nodeid,
                verdict=found.verdict,
                old=reference.entry,
                new=new,
                machine=machine_class(bench.versions),
                judged=known.judged,
            )
        )
        return note

    def _ended_early(self, spec: Spec, over: TrialOver) -> Outcome:
        """A test that failed, was skipped or never measured, before there was a verdict."""
        reports = over.finished.reports
        bad = next((report for report in reports if report["outcome"] != "passed"), None)
        variant = over.version.variant
        if over.version != self._candidate and not variant:
            text = over.finished.text if bad else _NEVER_CALLED
            return Outcome(result=error_of(spec, f"{over.version.name} cannot be measured: {text}"))
        if bad is None:
            return Outcome(result=error_of(spec, _NEVER_CALLED))
        if bad["outcome"] == "skipped":
            return Outcome(result=None, reports=reports)
        failed = f"the test{over.who and f' of {over.who}'} failed before its loader was measured"
        if variant:
            failed = f"{over.version.name} failed before it was measured"
        if over.reason:
            failed += f": {over.reason}"
        return Outcome(result=error_of(spec, failed, over.finished.text), reports=reports)


def _needs_no_baseline(known: Known, settings: RunSettings) -> bool:
    """Whether a check compares its own loaders alone, or looks at what one delivers.

    A self-test takes the first of its loaders.
    """
    loader = known.calibration.loader
    return loader.delivers or (bool(loader.variants) and not settings.selftest)


def _without_test(result: CheckResult) -> Outcome:
    """A check of which no test has a say."""
    return Outcome(result=replace(result, outcome="failed" if result.verdict.fails else "passed"))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].partition(";")[0]
