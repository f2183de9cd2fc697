"""A search names a commit only where that is proven beside the one before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.check import doubts
from pytest_loaderperf.check.bisect import Bisection, Packages, _lacks, blamed, is_sure, told
from pytest_loaderperf.check.state import Findings
from pytest_loaderperf.environments.contents import Distributions, Environment
from pytest_loaderperf.errors import ArmError, PackagesError
from pytest_loaderperf.model.results import CheckResult, Comparison, Search, Verdict
from pytest_loaderperf.model.version import Version

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


# --- packages

HERE = Version(root=Path("/project"))


class RememberedPackages(Packages):
    """A search among packages ``a``, ``b``, ...: the last of these to be new has its own speed.

    ``apart`` are pairs that cannot be together, the former new and the latter old.
    """

    def among(self, speeds: list[float], apart: set[str], doubtful: set[str]) -> CheckResult:
        self.speeds = dict(zip(["", *self.environment.in_order], speeds, strict=True))
        self.apart, self.doubtful = apart, doubtful
        self.pairs: list[tuple[str, str]] = []
        self.arms: Any = SimpleNamespace(drop=lambda *_: None)
        self.references: Any = SimpleNamespace(
            root=Path("/project"), environments=SimpleNamespace(mixed=self._mixed)
        )
        return self.blamed(CheckResult(nodeid="test_x.py::test_x", verdict=Verdict.REGRESSED))

    def blamed(self, result: CheckResult) -> CheckResult:
        bench: Any = SimpleNamespace(
            candidate=HERE,
            phases=lambda _: nullcontext(),
            progress=lambda _: None,
            spec=SimpleNamespace(module="test_x.py"),
        )
        known: Any = SimpleNamespace(judged=frozenset({"throughput"}))
        return blamed(self, bench, known, result)

    def _mixed(self, environment: Environment, old: list[str]) -> Environment:
        for new, kept in map(str.split, self.apart):
            if new not in old and kept in old:
                raise PackagesError(f"{new} cannot be with the old {kept}")
        return Environment(**{**vars(environment), "python": "without " + " ".join(old)})

    def _newest(self, version: Version) -> str:
        if version == HERE:
            return [*self.speeds][-1]
        old = version.python.split()[1:]
        names = [name for name in self.speeds if name not in old]
        return names[-1]

    def _judged(self, bench: Any, good: Version, version: Version, longer: float) -> Any:
        newest, before = self._newest(version), self._newest(good)
        self.pairs.append((newest, before))
        ratio = self.speeds[newest] / self.speeds[before]
        verdict = Verdict.REGRESSED if ratio < TOLERANCE else Verdict.UNCHANGED
        if newest in self.doubtful:
            verdict = Verdict.INCONCLUSIVE
        compared = Comparison(
            metric="throughput",
            value=1.0,
            judged=True,
            verdict=verdict,
            ratio=ratio,
            interval=(ratio, ratio),
        )
        return None, Findings(comparisons={"throughput": compared})


def blaming(
    *speeds: float,
    apart: set[str] | None = None,
    doubtful: set[str] | None = None,
    measured: Any = None,
) -> tuple[RememberedPackages, CheckResult]:
    """Search packages: the speed with none new comes first, then that with ``a`` new, and so on."""
    names = "abcdefghij"[: len(speeds) - 1]
    environment = Environment(
        python="without " + " ".join(names),
        folder=Path("/environment"),
        label="old.txt",
        over=Distributions(python="3.11.7", versions=dict.fromkeys(names, "2")),
        seen=Distributions(python="3.11.7", versions=dict.fromkeys(names, "1")),
    )
    nothing: Any = None
    search = RememberedPackages(
        arms=nothing,
        references=nothing,
        sides=nothing,
        environment=environment,
        measured=measured,
    )
    return search, search.among([*speeds], apart or set(), doubtful or set())


@pytest.mark.parametrize("culprit", range(1, 11))
def test_whichever_package_it_was_is_named(culprit: int) -> None:
    search, result = blaming(*[1.0] * culprit, *[0.7] * (11 - culprit))
    assert result.blame is not None
    name = "abcdefghij"[culprit - 1]
    assert result.blame.search.suspects == ((name, "1 -> 2"),)
    assert result.blame.text.startswith(f"made worse by {name} 1 -> 2 (")
    assert result.blame.lost == {"throughput": (0.7, (0.7, 0.7))}
    assert len(search.pairs) <= 6


def test_pairs_that_could_not_show_the_loss_do_not_show_that_it_is_lacking() -> None:
    search, _ = blaming(1.0, 0.7)
    noisy = Comparison(
        metric="throughput",
        value=1.0,
        judged=True,
        verdict=Verdict.INCONCLUSIVE,
        ratio=1.0,
        interval=(0.9, 1.1),
    )
    found = Findings(comparisons={"throughput": noisy})
    assert search._tells(found)
    assert not search._tells(doubts.doubted(found, "stalls come rarely"))


def test_packages_that_change_together_are_both_named() -> None:
    _, result = blaming(1.0, 1.0, 0.7, 0.7, 0.7, apart={"b c"})
    assert result.blame is not None
    assert result.blame.text.startswith(
        "made worse by one of 2 packages, or by several: b 1 -> 2, c 1 -> 2 ("
    )
    assert "1 of them skipped: b cannot be with the old c)" in result.blame.text


def test_where_no_package_did_it_that_is_said() -> None:
    search, result = blaming(1.0, 1.0, 1.0, 0.98)
    assert result.blame is not None
    assert result.blame.text == (
        "no package did it: the working tree is no better with the packages of old.txt "
        "(unchanged). What it lost by more than the tolerance is in its own sources"
    )
    assert result.blame.lost == {}
    assert search.pairs == [("c", "")]


def test_where_that_stays_in_doubt_nothing_is_claimed() -> None:
    search, result = blaming(1.0, 0.7, doubtful={"a"})
    assert result.blame is not None
    assert result.blame.text == (
        "no package can be named: whether the working tree is better with the packages of old.txt "
        "stays in doubt"
    )
    assert search.pairs == [("a", ""), ("a", "")]  # the second time for longer


def test_a_loss_by_several_packages_names_nobody_for_sure() -> None:
    _, result = blaming(1.0, 0.95, 0.91, 0.87)
    assert result.blame is not None
    assert result.blame.text.startswith("worse with c 1 -> 2, but by itself that is unchanged (")
    assert result.blame.lost == {}


def test_without_packages_that_differ_there_is_nothing_to_blame() -> None:
    search, result = blaming(1.0)
    assert result.blame is None
    assert result.notes == ("no package is to blame: those of old.txt are the ones that are here",)
    assert not search.pairs


def test_what_cannot_be_measured_is_a_note() -> None:
    search, _ = blaming(1.0, 0.7)
    search.references.environments.mixed = None

    def cannot(*_: object) -> Any:
        raise ArmError("it does not start")

    search._judged = cannot  # type: ignore[method-assign, assignment]
    result = search.blamed(CheckResult(nodeid="x", verdict=Verdict.REGRESSED))
    assert result.notes == ("which package did it cannot be told: it does not start",)
    unchanged = CheckResult(nodeid="x", verdict=Verdict.UNCHANGED)
    assert search.blamed(unchanged) == unchanged


def test_what_has_been_measured_with_the_same_sources_is_not_measured_again() -> None:
    search, first = blaming(1.0, 0.7, 0.7)
    assert search.pairs == [("b", ""), ("a", "")]
    found = search.bad["b"]
    again = blaming(1.0, 0.7, 0.7, measured=found)
    assert again[0].pairs == [("a", "")]
    assert again[1].blame == first.blame


@pytest.mark.parametrize(
    ("loss", "interval", "lacks"),
    [
        (0.25, (0.6, 1.4), True),  # half of it would be 0.5
        (0.25, (0.4, 1.4), False),
        (4.0, (0.7, 1.8), True),
        (4.0, (0.7, 2.2), False),
        (0.25, None, False),
    ],
)
def test_what_noise_leaves_open_may_yet_lack_the_loss(
    loss: float, interval: tuple[float, float] | None, lacks: bool
) -> None:
    compared = Comparison(
        metric="throughput",
        value=1.0,
        judged=True,
        verdict=Verdict.INCONCLUSIVE,
        ratio=1.0,
        interval=interval,
    )
    assert _lacks(compared, loss) is lacks


def test_a_noisy_package_that_lacks_the_loss_is_none_that_did_it() -> None:
    # Nothing is proven of any: the losses, though, are far from each other.
    search, result = blaming(1.0, 1.0, 0.25, 0.25, doubtful={"a"})
    assert result.blame is not None
    assert result.blame.text == "made worse by b 1 -> 2 (3 of 3 packages tried)"
    assert search.pairs == [("c", ""), ("a", ""), ("b", ""), ("b", "a")]
