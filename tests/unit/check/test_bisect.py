"""A search names a commit only where that is proven beside the one before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.check.bisect import Bisection, is_sure, told
from pytest_loaderperf.check.state import Findings
from pytest_loaderperf.errors import ArmError
from pytest_loaderperf.model.results import Comparison, Search, Verdict

TOLERANCE = 0.9


class Remembered(Bisection):
    """A search among commits of known speed; 0.0: it cannot be measured.

    Of those in ``doubtful`` nothing is ever proven.
    """

    def among(self, speeds: list[float], doubtful: set[int]) -> tuple[Findings, Search]:
        self.speeds, self.doubtful = speeds, doubtful
        self.pairs: list[tuple[int, int, float]] = []
        listed = [(str(number), f"commit {number}") for number in range(1, len(speeds))]
        self.references: Any = SimpleNamespace(searched=lambda: ("0", listed))
        bench: Any = None
        known: Any = SimpleNamespace(judged=frozenset({"throughput"}))
        good: Any = "0"
        _, found, search = self.run(bench, good, known)
        return found, search

    @contextmanager
    def _version(self, bench: object, commit: str) -> Iterator[Any]:
        yield commit

    def _judged(self, bench: object, good: Any, version: Any, longer: float) -> tuple[Any, Any]:
        now, before = self.speeds[int(version)], self.speeds[int(good)]
        self.pairs.append((int(version), int(good), longer))
        if not now:
            raise ArmError(f"commit {version} cannot be measured")
        verdict = Verdict.REGRESSED if now / before < TOLERANCE else Verdict.UNCHANGED
        if int(version) in self.doubtful:
            verdict = Verdict.INCONCLUSIVE
        compared = Comparison(
            metric="throughput", value=now, judged=True, verdict=verdict, ratio=now / before
        )
        return None, Findings(comparisons={"throughput": compared})


def searched(*speeds: float, doubtful: set[int] | None = None) -> tuple[Remembered, str, Search]:
    nothing: Any = None
    search = Remembered(arms=nothing, references=nothing, sides=nothing)
    found, came = search.among([*speeds], doubtful or set())
    text = told(came, found)
    assert is_sure(came, found) == text.startswith("made worse by commit")
    return search, text, came


@pytest.mark.parametrize("culprit", range(1, 9))
def test_whichever_commit_it_was_is_named(culprit: int) -> None:
    speeds = [1.0] * culprit + [0.8] * (9 - culprit)
    search, text, came = searched(*speeds)
    assert came.suspects == ((str(culprit), f"commit {culprit}"),)
    assert text.startswith(f"made worse by commit {culprit}, 'commit {culprit}' (")
    # It is the last to be measured, beside the one before it.
    assert {(culprit, culprit - 1)} & {pair[:2] for pair in search.pairs}
    assert len(came.steps) <= 4


def test_those_that_cannot_be_told_are_skipped_and_said() -> None:
    _, text, came = searched(1.0, 1.0, 0.0, 1.0, 0.0, 0.8, 0.8)
    assert [commit for commit, _ in came.suspects] == ["4", "5"]
    assert text.startswith("made worse by one of 2 commits: 4, 5 (")
    assert "skipped" in text
    (skipped,) = [tried for tried in came.steps if tried.commit == "4"]
    assert (skipped.verdict, skipped.why) == (Verdict.ERROR, "commit 4 cannot be measured")


def test_what_stays_in_doubt_is_measured_longer_and_then_skipped() -> None:
    search, text, came = searched(1.0, 1.0, 1.0, 0.8, 0.8, doubtful={2})
    assert [pair for pair in search.pairs if pair[0] == 2] == [(2, 0, 1), (2, 0, 2)]
    assert [commit for commit, _ in came.suspects] == ["2", "3"]
    assert "1 of them skipped" in text


def test_a_loss_in_several_steps_names_nobody_for_sure() -> None:
    _, text, came = searched(1.0, 0.95, 0.91, 0.87, 0.87)
    assert came.suspects == (("3", "commit 3"),)
    assert text.startswith("worse since commit 3, 'commit 3', but beside the commit before it")
    assert "in several steps" in text


def test_a_bad_commit_that_is_no_worse_leaves_nothing_to_find() -> None:
    search, text, came = searched(1.0, 0.5, 0.97)
    assert came.suspects == ()
    assert "commit 2 is not worse than 0 (unchanged): there is nothing to find" in text
    assert len(search.pairs) == 1


def test_a_bad_commit_that_cannot_be_measured_is_an_error() -> None:
    with pytest.raises(ArmError, match="commit 2 cannot be measured"):
        searched(1.0, 0.5, 0.0)
