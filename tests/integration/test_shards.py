"""Shards of a run, each with a real pytest, and the one run that they are put together to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from support import environment, tiny
from support.project import Project

MODULES = ("a", "b", "c")
SHARDS = len(MODULES)
CHECK = """\
import paced
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_it(loaderperf, n):
    loaderperf.check(paced.Paced())
"""
SKIPPED = """
def test_left(loaderperf):
    pytest.skip("not today")
"""
# Of module b alone: the second check's loader gets eight times as slow.
OTHER = "test_b.py::test_it[2]"
SLOWER = """
def loader(n):
    return paced.Paced() if n == 1 else Slower()

class Slower(paced.Paced):
    def __iter__(self):
        import time
        for batch in paced.paced(self.batches):
            time.sleep(0.014)
            yield batch
"""


def name_of(module: str, n: int) -> str:
    return f"test_{module}.py::test_it[{n}]"


EVERY = [name_of(module, n) for module in MODULES for n in (1, 2)]


@dataclass(frozen=True)
class Whole:
    """A project, its run in one, and the results files of its shards."""

    project: Project
    results: Mapping[str, Any]
    outcomes: Mapping[str, str]
    files: Sequence[Path]
    outputs: Sequence[str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One module is worse, and has a check that is skipped; nothing else has changed."""
    folder = tmp_path_factory.mktemp("shards")
    project = tiny.create(folder / "project", test_a=CHECK, test_b=CHECK, test_c=CHECK)
    tiny.accept(project, *EVERY)
    project.write(test_b=CHECK.replace("paced.Paced()", "loader(n)") + SLOWER + SKIPPED)
    one = tiny.report(project, "--loaderperf", tiny.WIDE, environment=tiny.USUAL)
    files, outputs = [], []
    for number in range(1, SHARDS + 1):
        asked = ("--loaderperf", tiny.WIDE, f"--loaderperf-shard={number}/{SHARDS}")
        run = project.pytest(*asked, environment=tiny.USUAL)
        files.append(folder / f"shard-{number}.json")
        files[-1].write_text(json.dumps(run.results))
        outputs.append(run.output)
    return Whole(project, one.run.results, one.outcomes, files, outputs)


@dataclass(frozen=True)
class Merge:
    """How a merge ended, and what it wrote."""

    status: int
    output: str
    results: Mapping[str, Any]
    folder: Path


def merge(project: Project, folder: Path, *files: Path, **variables: str) -> Merge:
    folder.mkdir(exist_ok=True)
    results = folder / "merged.json"
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest_loaderperf.merge", *map(str, files)),
            f"--json={results}",
            f"--html={folder / 'merged.html'}",
            f"--junitxml={folder / 'merged.xml'}",
            f"--summary={folder / 'merged.md'}",
        ],
        cwd=project.root,
        env=environment.clean(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = finished.stdout + finished.stderr
    assert "Traceback" not in output
    content = json.loads(results.read_text()) if results.exists() else {}
    return Merge(finished.returncode, output, content, folder)


def verdicts(results: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {check["nodeid"]: (check["verdict"], check["outcome"]) for check in results["checks"]}


def test_shards_measure_as_one_run_does(whole: Whole, tmp_path: Path) -> None:
    merged = merge(whole.project, tmp_path, *reversed(whole.files))
    assert merged.results["problems"] == []
    assert merged.status == 1  # a check has regressed
    assert verdicts(merged.results) == verdicts(whole.results)
    assert verdicts(merged.results)[OTHER] == ("regressed", "failed")
    assert [check["nodeid"] for check in merged.results["checks"]] == EVERY
    # Seven checks judge three metrics each; of the checks of a shard alone each had 0.001.
    assert merged.results["alpha"] == whole.results["alpha"] == pytest.approx(0.01 / 21)
    commits = [each["commit"] for each in (merged.results, whole.results)]
    assert commits == [whole.project.git("rev-parse", "HEAD")] * 2
    assert merged.results["changes"] == whole.results["changes"] != ""
    told = [(each["number"], each["checks"]) for each in merged.results["shards"]]
    assert told == [(1, 3), (2, 2), (3, 2)]  # the module with most checks comes first


def test_each_shard_says_what_it_is(whole: Whole) -> None:
    assert f"loaderperf: shard 1/{SHARDS}, 3 checks" in whole.outputs[0]
    assert "of 7 in all" in whole.outputs[0]
    assert "4 deselected" in whole.outputs[0]


def test_the_reports_of_a_merge_show_all_checks(whole: Whole, tmp_path: Path) -> None:
    # Also where the log of the job cannot show all characters.
    merged = merge(whole.project, tmp_path, *whole.files, PYTHONIOENCODING="ascii")
    assert OTHER.partition("::")[2] in merged.output
    assert "1 unchanged, 1 regressed, 4 identical" in merged.output
    summary = (tmp_path / "merged.md").read_text()
    assert summary.startswith("## ❌ Loaders got worse\n")
    page = (tmp_path / "merged.html").read_text()
    assert all(name in page and f"`{name}`" in summary for name in EVERY)
    cases = ElementTree.parse(tmp_path / "merged.xml").iter("testcase")
    outcomes = {
        (case.get("classname"), case.get("name")): next(
            (part.tag for part in case if part.tag in ("failure", "error", "skipped")), "passed"
        )
        for case in cases
    }
    assert outcomes == {
        **{(f"test_{m}", f"test_it[{n}]"): "passed" for m in MODULES for n in (1, 2)},
        ("test_b", "test_it[2]"): "failure",
        ("test_b", "test_left"): "skipped",
    }
    assert {name: whole.outcomes[name] for _, name in outcomes if name == "test_left"} == {
        "test_left": "skipped"
    }


def changed(file: Path, folder: Path, **fields: Any) -> Path:
    """A results file as another run would have written it."""
    content = json.loads(file.read_text())
    record = json.loads(content["shard"]["record"])
    record.update(fields)
    content["shard"]["record"] = json.dumps(record)
    path = folder / f"changed-{file.name}"
    path.write_text(json.dumps(content))
    return path


def test_what_is_missing_doubled_or_foreign_is_red_and_said(whole: Whole, tmp_path: Path) -> None:
    first, second, third = whole.files
    alone = merge(whole.project, tmp_path, first, third, GITHUB_ACTIONS="true")
    assert alone.status == 1
    assert "missing of 3 shards: shard 2" in alone.output
    assert "::error title=Shards::missing of 3 shards: shard 2" in alone.output
    assert "❌ The shards do not make a whole run" in (tmp_path / "merged.md").read_text()
    assert "missing of 3 shards" in (tmp_path / "merged.html").read_text()
    assert alone.results["problems"]
    twice = merge(whole.project, tmp_path, first, first, third)
    assert twice.status == 1
    assert "shard 1/3 is there twice" in twice.output
    foreign = changed(third, tmp_path, commit="f" * 40)
    other = merge(whole.project, tmp_path, first, second, foreign)
    assert other.status == 1
    assert "its commit is ffff" in other.output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ('{"checks": []}', "is not the results file of a shard"),
        ('{"shard": {"record": "{}"}, "plugin": "0.0"}', "has a damaged record"),
    ],
)
def test_a_file_that_is_none_of_a_shard_is_an_error_that_names_it(
    whole: Whole, tmp_path: Path, content: str | None, says: str
) -> None:
    file = tmp_path / "other.json"
    if content is not None:
        file.write_text(content)
    merged = merge(whole.project, tmp_path, whole.files[0], file)
    assert merged.status == 2
    assert f"{file} {says}" in merged.output
    assert not merged.results


def test_an_empty_folder_is_an_error_that_names_it(whole: Whole, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    merged = merge(whole.project, tmp_path, tmp_path / "none")
    assert merged.status == 2
    assert f"{tmp_path / 'none'} has no results files" in merged.output


def test_a_shard_that_stops_early_is_named_with_what_it_has_left(
    whole: Whole, tmp_path: Path
) -> None:
    project = whole.project
    run = project.pytest(
        *("--loaderperf", f"--loaderperf-shard=1/{SHARDS}", "-x", "--loaderperf-against=stored"),
        environment=tiny.USUAL,
    )
    file = tmp_path / "early.json"
    file.write_text(json.dumps(run.results))
    merged = merge(project, tmp_path, file)
    assert merged.status == 1
    assert "shard 1/3 ended early: 1 of its 3 checks" in merged.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--loaderperf-shard=4/4"], "are in 3 of them: use no more shards than that"),
        (["--loaderperf-shard=0/2"], "--loaderperf-shard=0/2: give which shard it is"),
        (["--loaderperf-shard=1/2", "--loaderperf-prune"], "--loaderperf-shard measures a part"),
        (
            ["--loaderperf-shard=1/2", "--loaderperf-shard-times=pytest.ini"],
            "pytest.ini is no results file",
        ),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    whole: Whole, arguments: list[str], says: str
) -> None:
    tiny.assert_usage_error(whole.project, *arguments, says=[says])


def test_times_of_an_earlier_run_balance_the_shards(whole: Whole, tmp_path: Path) -> None:
    """Two modules together take as long as the third one."""
    seconds = {name_of("a", 1): 5.0, name_of("b", 1): 20.0, name_of("c", 1): 5.0}
    checks = [
        {"nodeid": name, "seconds": each, "verdict": "unchanged"} for name, each in seconds.items()
    ]
    times = tmp_path / "times.json"
    times.write_text(json.dumps({"checks": checks}))
    asked = ("--loaderperf", "-k", "test_it and 1", "--collect-only", "-q")
    options = (f"--loaderperf-shard-times={times}", "--loaderperf-shard=1/2")
    run = whole.project.pytest(*asked, *options)
    assert [line for line in run.output.splitlines() if "::" in line] == [name_of("b", 1)]
    none = whole.project.pytest(*asked, "--loaderperf-shard-times=none", "--loaderperf-shard=1/2")
    assert "none does not exist: each shard gets about as many checks" in none.output
    assert name_of("a", 1) in none.output
