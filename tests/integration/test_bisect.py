"""The commit that made a loader slower is found, in a history that has no checks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support import tiny
from support.project import Project

FAST, SLOW = tiny.PACED, tiny.PACED.replace("0.002", "0.004")
# So much that no machine is too noisy for the answer.
TOLERANT = tiny.CHECK.replace(
    "def ", "@pytest.mark.loaderperf(throughput='30%', peak_memory='50%', budget=16)\ndef "
)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, str]]:
    """A project, and its commits by what they are."""
    root = tmp_path_factory.mktemp("history") / "project"
    project = tiny.create(root, paced=FAST, other="")
    (root / "test_it.py").unlink(missing_ok=True)
    commits = {"first": project.commit("first")}
    project.write(other="1")
    commits["fast"] = project.commit("fast")
    project.write(paced="import nowhere\n" + FAST)
    commits["broken"] = project.commit("broken")
    project.git("checkout", "-q", "-b", "side")
    project.write(paced=SLOW)
    project.commit("in a branch")
    project.git("checkout", "-q", "-")
    project.write(paced=FAST)
    project.commit("mended")
    project.git("merge", "-q", "--no-ff", "-m", "slower", "-X", "theirs", "side")
    commits["slower"] = project.git("rev-parse", "HEAD")
    assert (root / "paced.py").read_text() == SLOW
    project.write(other="2")
    project.commit("slow")
    project.write(test_it="import pytest\n" + TOLERANT)
    return project, commits


def test_the_commit_that_made_it_slower_is_found(
    history: tuple[Project, dict[str, str]],
) -> None:
    project, commits = history
    run = project.pytest("--loaderperf", f"--loaderperf-bisect={commits['first']}..")
    (check,) = run.results["checks"]
    search = check["search"]
    assert search["suspects"] == [{"commit": commits["slower"], "subject": "slower"}], run.output
    assert search["commits"] == 5  # the branch is its merge
    assert run.status == 0
    # The one in the middle cannot be measured: others near it are.
    steps = {step["commit"]: step for step in search["steps"]}
    assert len(steps) <= 5
    assert steps[commits["broken"]]["verdict"] == "error"
    assert "No module named 'nowhere'" in steps[commits["broken"]]["why"]
    assert f"made worse by commit {commits['slower'][:12]}, 'slower'" in run.output
    # What it lost is told beside the commit before.
    throughput = check["metrics"]["throughput"]
    assert throughput["verdict"] == "regressed"
    assert 0.4 < throughput["ratio"] < 0.65
    assert not project.worktrees()
    assert project.git("status", "--porcelain") == "?? test_it.py"


def test_where_the_bad_commit_is_no_worse_there_is_nothing_to_find(
    history: tuple[Project, dict[str, str]],
) -> None:
    project, commits = history
    span = f"{commits['first']}..{commits['fast']}"
    run = project.pytest("--loaderperf", f"--loaderperf-bisect={span}")
    assert run.status == 1
    assert "there is nothing to find" in run.output
    assert run.results["checks"][0]["search"]["suspects"] == []


@pytest.mark.parametrize(
    ("span", "says"),
    [
        ("HEAD", ["'HEAD' is no span of commits", "v2.2..main"]),
        ("nowhere..HEAD", ["'nowhere' names no commit"]),
        ("HEAD~1...HEAD", ["is no span of commits"]),
    ],
)
def test_what_is_no_span_is_a_usage_error(
    history: tuple[Project, dict[str, str]], span: str, says: list[str]
) -> None:
    tiny.assert_usage_error(history[0], f"--loaderperf-bisect={span}", says=says)


def test_a_span_that_leads_nowhere_is_an_error(history: tuple[Project, dict[str, str]]) -> None:
    project, commits = history
    run = project.pytest("--loaderperf", f"--loaderperf-bisect=HEAD..{commits['first']}")
    assert run.status == 1
    assert "no commits lead from" in run.output


def test_it_needs_git(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False)
    tiny.assert_usage_error(
        project, "--loaderperf-bisect=a..b", says=["--loaderperf-bisect", "git"]
    )


def test_git_bisect_run_finds_it_too(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it="import pytest\n" + TOLERANT, other="")
    commits = {"good": project.commit("good")}
    states = {"fast": FAST, "slower": SLOW, "broken": "import nowhere\n", "slow": SLOW}
    for name, paced in states.items():
        project.write(paced=paced, other=f"{name!r}")
        commits[name] = project.commit(name)
    against = (
        "--loaderperf",
        f"--loaderperf-against={commits['good']}",
        "--loaderperf-exit=bisect",
    )
    project.git("checkout", "-q", commits["broken"])
    assert project.pytest(*against).status == 125
    project.git("bisect", "start", commits["slow"], commits["good"])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *against]
    found = project.git("bisect", "run", *command)
    assert f"{commits['slower']} is the first bad commit" in found
