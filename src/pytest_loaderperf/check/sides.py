"""Both versions of a check: the baseline made ready to be measured, and proof of what they ran."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..baselines.reference import Reference, References
from ..errors import ArmError
from ..measure import calibration
from ..model.results import CheckResult
from ..model.version import Version
from ..settings import RunSettings
from ..supervisor.arm import Arm
from ..supervisor.arms import Arms
from ..system import packages
from ..versions.proof import Compared, Proof
from ..versions.worktree import is_same
from .state import Bench, Findings

_NOT_THERE = "it does not have this check"


class Sides:
    """What is to be done for the two versions of each check, before and after it is measured."""

    def __init__(
        self,
        arms: Arms,
        references: References,
        candidate: Version,
        proof: Proof,
        settings: RunSettings,
    ) -> None:
        self._arms = arms
        self._references = references
        self._candidate = candidate
        self._proof = proof
        self._settings = settings
        self._watched: set[tuple[Version, str]] = set()

    def carry(self, bench: Bench, version: Version, nodeid: str = "") -> bool:
        """Give a commit what it lacks of what the candidate has used; whether there was any.

        That is what git ignores, and the tests where they are to be those of the working tree.
        """
        if not version.moved_to:
            return False
        module = bench.spec.module
        used = self._proof.used(self._candidate, module, nodeid)
        laid_over = version.overlaid and self._references.overlay(version, module, used)
        carried = self._references.carry(version, used) or laid_over
        if carried:
            self._watched.discard((version, module))
        return carried

    def run_the_same(self, bench: Bench, version: Version) -> bool:
        """Whether all files that either version has used are the same in both trees."""
        module, nodeid = bench.spec.module, bench.spec.nodeid
        both = (self._candidate, version)
        used = {each for v in both for each in self._proof.used(v, module, nodeid)}
        pairs = [(Path(version.toplevel, each), Path(version.moved_to, each)) for each in used]
        return all(is_same(*pair) for pair in pairs if any(each.is_file() for each in pair))

    def with_packages(self, bench: Bench, version: Version, result: CheckResult) -> CheckResult:
        """A result with which packages differ. PackagesError if they are not those asked for."""
        theirs = bench.arm(version).collected.versions
        result = replace(result, packages=packages.differing(theirs, bench.versions))
        environment = self._references.environment(version)
        if environment is None:
            return result
        environment.check(theirs)
        same = (*result.notes, *environment.same_for_both(theirs))
        return replace(result, distributions=environment.differing, notes=same)

    def usable(self, bench: Bench, reference: Reference) -> Reference:
        """The reference; ArmError, or its stored numbers alone, where it cannot be measured.

        Stored numbers only if that was asked for: they cannot tell what was to be told.
        """
        version = reference.version
        assert version is not None
        if self.carry(bench, version, bench.spec.nodeid):
            self._arms.drop(version, bench.spec.module)
        problem = what_hinders(bench.arm(version), bench.spec.nodeid)
        if self._is_new_since(bench, version, problem):
            todays = self._references.overlaid(version.commit, bench.progress)
            return self.usable(bench, replace(reference, version=todays))
        lacks_files = problem not in ("", _NOT_THERE) and version.moved_to
        if lacks_files and self._carry_opened(bench, version):
            problem = what_hinders(bench.arm(version), bench.spec.nodeid)
        if not problem:
            self._proof.check(version, bench.spec.module)
            return reference
        if not version.moved_to:
            raise ArmError(f"{version.name} cannot be measured: {problem}")
        problem += self._references.hint(version)
        if self._references.mode != "accepted":
            with_tests = " with the tests of the working tree" if version.overlaid else ""
            raise ArmError(f"{version.name} cannot be measured{with_tests}: {problem}")
        accepting = self._settings.update is not None  # else nothing could ever take its place
        if self._settings.fallback != "stored" and not accepting:
            raise ArmError(
                f"{version.name}, where the baseline was accepted, cannot be measured: {problem}"
                "\nMend what is missing. Or accept what is now: pytest --loaderperf-update=all. Or "
                "compare with stored numbers (loaderperf_fallback = stored): pytest --loaderperf "
                "--loaderperf-against=stored"
            )
        if reference.record(bench.versions) is None and not accepting:
            raise ArmError(
                f"{version.name}, where the baseline was accepted, cannot be measured, and there "
                f"are no stored numbers of this machine class to compare with instead: {problem}"
            )
        note = f"compared with stored numbers, since {version.name} cannot be measured: {problem}"
        return replace(reference, version=None, note=note)

    def _is_new_since(self, bench: Bench, version: Version, problem: str) -> bool:
        """Whether a commit that was asked for has no such check, and gets that of today."""
        asked = self._references.mode != "accepted" and not self._settings.tests
        lacks = problem == _NOT_THERE or not (version.root / bench.spec.module).exists()
        return asked and lacks and not version.overlaid

    def _carry_opened(self, bench: Bench, version: Version) -> bool:
        """Have the candidate collect once more, and carry over what it opens meanwhile."""
        self._watch(self._candidate, bench.spec.module)
        carried = self.carry(bench, version)
        if carried:
            self._arms.drop(version, bench.spec.module)
        return carried

    def _watch(self, version: Version, module: str) -> None:
        """Have a version collect once more, and show what it opens meanwhile.

        That is the same for all checks of a module: the import of a framework is paid once.
        """
        if (version, module) in self._watched:
            return
        with self._arms.watched(version, module) as arm:
            _ = arm.collected
        self._watched.add((version, module))

    def proven(self, bench: Bench, version: Version | None, found: Findings) -> list[str]:
        """Have it proven that each version ran its own sources; returns what there is to note."""
        module, nodeid, candidate = bench.spec.module, bench.spec.nodeid, bench.candidate
        if version is None or not version.moved_to:
            self._proof.check(candidate, module, nodeid)
            return []
        if not found.ran:  # nothing was compared side by side
            self._proof.check(candidate, module, nodeid)
            self._proof.check(version, module, nodeid)
            return self._references.notes(version)
        compared = Compared(candidate=candidate, baseline=version, module=module, nodeid=nodeid)
        changes = self._references.changes(version, candidate)
        if self._proof.may_read_changes(
            compared, changes
        ):  # perhaps already while they are collected
            self._watch(candidate, module)
        if self._proof.reads_changes(compared):
            self._watch(version, module)
            calibration.watch(bench.arm(version), nodeid)
        try:
            notes = self._proof.prove(compared, changes, found.ran)
        except ArmError as error:
            if self._settings.update is None:
                raise
            self._proof.check(candidate, module, nodeid)
            if self._settings.update != "all":
                raise ArmError(
                    f"{error}. To accept what is now, without a comparison: pytest "
                    "--loaderperf-update=all"
                ) from None
            notes = [f"accepted without a comparison: {error}"]
        return notes + self._references.notes(version)


def what_hinders(arm: Arm, nodeid: str) -> str:
    """Why a version cannot be measured; empty if it can."""
    try:
        if arm.collected.error:
            return f"its tests cannot be collected:\n{arm.collected.error.strip()}"
        return "" if arm.has(nodeid) else _NOT_THERE
    except ArmError as error:
        return str(error)


def other_ranks(bench: Bench, version: Version) -> str:
    """How the ranks differ that the two versions of a check ask for; empty if they do not."""
    now, before = bench.spec.settings.world, bench.arm(version).asked(bench.spec.nodeid)
    if now == before:
        return ""
    return f"ranks: {before.ranks} of {before.size} -> {now.ranks} of {now.size}"
