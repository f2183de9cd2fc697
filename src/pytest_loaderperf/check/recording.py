"""What a check uses of its project, recorded when its numbers are accepted."""

from __future__ import annotations

import math
from pathlib import Path

from ..baselines.reference import References
from ..child.loaderperf_sources import WHOLLY
from ..child.loaderperf_watch import OPENED
from ..errors import LoaderPerfError, UseError
from ..measure import calibration
from ..measure.calibration import Calibration
from ..measure.plan import LONGEST_EPOCH
from ..model.version import Version
from ..supervisor.arm import Arms
from ..supervisor.trial import TrialOver
from ..versions.sources import Sources, read
from ..versions.usage import UsedFiles, gathered, recorded
from .state import Bench, Known

_OF_BUDGET = 4  # an epoch that is read may take such a part of the budget


class Recording:
    """Has checks watched once more, and says which files they use."""

    def __init__(
        self, arms: Arms, references: References, candidate: Version, sources: Sources
    ) -> None:
        self._arms = arms
        self._references = references
        self._candidate = candidate
        self._sources = sources

    def used(self, bench: Bench, known: Known) -> tuple[UsedFiles | None, str]:
        """The record of a check, None where nobody can tell, and then why, to be noted."""
        if self._references.repository is None:
            return None, ""
        try:
            return self._used(bench, known), ""
        except TrialOver:
            why = "its test ended before its loader had been read"
        except LoaderPerfError as error:
            why = str(error).partition("\n")[0]
        return None, f"which files it uses is not recorded: {why}"

    def _used(self, bench: Bench, known: Known) -> UsedFiles:
        module, nodeid = bench.spec.module, bench.spec.nodeid
        bench.progress("files")
        for command in self._sources.started_beside().values():
            raise UseError(f"pytest itself has started {command}, of which this tells nothing")
        longest = min(bench.spec.settings.budget / _OF_BUDGET, LONGEST_EPOCH)
        too_long = UseError(f"its epochs do not end within {longest:g} s each")
        if _lasts(known.calibration) > longest:
            raise too_long
        with self._arms.watched(self._candidate, module, WHOLLY) as arm:
            if not calibration.go_through(arm, nodeid, longest):
                raise too_long
            told = {each for folder in arm.ran for each in read(folder)}
        # Other trials may have run more. What they have opened was not told in the same way.
        ran = self._sources.ran(self._candidate, module, nodeid)
        told |= {each for each in ran if each.name != OPENED}
        own = self._sources.copies(self._candidate.python).own
        seen = gathered(told, self._sources.exchange(self._candidate), own.__contains__)
        return recorded(Path(self._sources.project.top), seen)


def _lasts(calibrated: Calibration) -> float:
    """How long an epoch takes (s), as far as calibration tells; infinite where it never ended."""
    batches = calibrated.plan.epoch_batches
    promised = math.inf if batches is None else batches / calibrated.pace
    return min(calibrated.epoch_seconds, promised)
