"""The gate as a job of GitHub Actions runs it: the script behind the action, on a real checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import examples
from pytest_loaderperf.reports import reading, results_json, terminal
from support import environment, tiny
from support.github import REPOSITORY, TOKEN, serving
from support.project import Project

_LATER = 80  # commits since the baselines were accepted: more than are fetched at first
# What the pull request makes of the loader, or of the checks.
CHANGES: Mapping[str, dict[str, str]] = {
    "pass": {},
    "regressed": {"paced": tiny.PACED.replace("0.002", "0.004")},
    "no_baseline": {"test_it": tiny.CHECK.replace("test_paced", "test_new")},
    "error": {"paced": tiny.PACED.replace("yield list(batch)", "raise OSError('no, 50% off')")},
    "crash": {"paced": "import os\n" + tiny.PACED.replace("yield list(batch)", "os.abort()")},
    "nothing": {"test_it": "def test_plain(): pass\n"},
}


@dataclass(frozen=True)
class Job:
    """How a job ended."""

    status: int
    log: str
    summary: str
    outputs: Mapping[str, str]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A repository whose baselines were accepted long ago."""
    project = tiny.create(tmp_path_factory.mktemp("origin") / "project", test_it=tiny.CHECK)
    tiny.accept(project)
    for number in range(_LATER):
        project.git("commit", "-q", "--allow-empty", "-m", f"later {number}")
    return project


def pull_request(origin: Project, name: str, folder: Path, **changed: str) -> Project:
    """A checkout as a job has it: one commit, the merge of a branch that is not fetched."""
    origin.git("checkout", "-q", "-b", name, "main")
    origin.write(**changed)
    origin.git("add", "-A")
    origin.git("commit", "-q", "--allow-empty", "-m", f"change: {name}")
    origin.git("checkout", "-q", "--detach", "main")
    origin.git("merge", "-q", "--no-ff", "-m", "merge", name)
    origin.git("update-ref", f"refs/pull/{name}/merge", "HEAD")
    origin.git("checkout", "-q", "main")
    job = Project(folder)
    job.start_history()
    job.git("remote", "add", "origin", origin.root.as_uri())
    job.git("fetch", "-q", "--depth=1", "origin", f"refs/pull/{name}/merge")
    job.git("checkout", "-q", "--detach", "FETCH_HEAD")
    return job


def run(
    project: Project,
    folder: Path,
    *arguments: str,
    given: str = "",
    start: str = "",
    **variables: str,
) -> Job:
    """Run the script with the files that a runner gives, and the arguments of an action.

    It starts in the folder ``start`` of the project.
    """
    files = {name: folder / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for file in files.values():
        file.touch()
    finished = subprocess.run(
        [sys.executable, "-m", "pytest_loaderperf.ci", *arguments],
        cwd=project.root / start,
        env=environment.clean(
            **{name: str(file) for name, file in files.items()},
            GITHUB_ACTIONS="true",
            LOADERPERF_ARGUMENTS=given,
            CI="true",
            TMPDIR=str(folder),
            **{"LOADERPERF_REPORT": str(folder / "out" / "report.json"), **variables},
        ),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    lines = files["GITHUB_OUTPUT"].read_text().splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    summary = files["GITHUB_STEP_SUMMARY"].read_text()
    return Job(finished.returncode, finished.stdout + finished.stderr, summary, outputs)


@pytest.mark.parametrize(
    ("name", "status", "title", "mark"),
    [
        ("pass", 0, "✅ No loader got worse", None),
        ("regressed", 1, "❌ Loaders got worse", "throughput: regressed, ratio 0."),
        ("no_baseline", 1, "❌ A loader has no baseline", "this check has no baseline yet"),
        ("error", 1, "❌ A loader could not be measured", "the test failed before its loader"),
        ("crash", 1, "❌ A loader could not be measured", "a trial of the working tree was killed"),
        ("nothing", 5, "❌ No loader was measured", None),
    ],
)
def test_a_job_ends_as_its_run_does(
    origin: Project, tmp_path: Path, name: str, status: int, title: str, mark: str | None
) -> None:
    project = pull_request(origin, name, tmp_path / "job", **CHANGES[name])
    job = run(project, tmp_path, *([tiny.WIDE] if name == "pass" else []), GITLAB_CI="true")
    assert job.status == status, job.log
    assert job.summary.splitlines()[0] == f"## {title}", job.log
    verdict = {"pass": "unchanged", "crash": "error"}.get(name, name)
    report, page = tmp_path / "out" / "report.json", tmp_path / "out" / "report.html"
    assert job.outputs == {
        "verdict": verdict,
        "regressed": str(int(name == "regressed")),
        "report": str(report),
        "page": str(page),
    }
    assert title in page.read_text()
    command = r"^::(error|warning) file=test_it.py,line=3,title=(.*?)::(.*)$"
    marks = re.findall(command, job.log, re.MULTILINE)
    assert len(marks) == (mark is not None)
    for level, where, text in marks:
        assert level == "error"
        assert where.endswith(verdict)
        assert mark is not None
        assert text.startswith(mark)
    if name in ("pass", "regressed"):
        assert "fetching 64 commits more" in job.log
        assert "fetching 128 commits more" in job.log
        accepted = origin.git("log", "-1", "--format=%H", "--", "baselines")
        assert json.loads(report.read_text())["against"]["commits"] == [accepted]
    # What GitLab shows at the test.
    issues = json.loads(report.with_suffix(".codequality").read_text())
    assert [each["location"] for each in issues] == [
        {"path": "test_it.py", "lines": {"begin": 3}} for _ in marks
    ]
    assert all(str(mark) in each["description"] for each in issues)
    # What another job makes a comment of, that trusts no file.
    assert terminal.headline(reading.read(report).results) == title


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A repository with the ini file in a folder of tests, and baselines from long ago."""
    files = {
        "pkg/tests/pytest.ini": "[pytest]\n",
        "pkg/tests/test_it.py": "def test_größe(loaderperf): raise OSError('a → b')\n",
        "data/baselines/other.json": "{}",
    }
    root = tmp_path_factory.mktemp("nested") / "project"
    project = Project.create(root, files)
    tiny.accept(Project(root / "pkg" / "tests"), "test_it.py::test_größe", commit=False)
    project.commit("accept")
    for number in range(_LATER):
        project.git("commit", "-q", "--allow-empty", "-m", f"later {number}")
    return project


@pytest.mark.parametrize(("start", "argument"), [("pkg", "tests"), ("", "pkg/tests"), ("", ".")])
def test_the_history_is_that_of_the_root_folder_wherever_it_lies(
    nested: Project, tmp_path: Path, start: str, argument: str
) -> None:
    clone = nested.clone(tmp_path / "job", "--depth=1")
    job = run(clone, tmp_path, argument, start=start, PYTHONIOENCODING="ascii")
    if argument != ".":
        assert job.status == 1, job.log
        assert job.outputs["verdict"] == "error"
        (mark,) = re.findall(r"^::error .*$", job.log, re.MULTILINE)
        assert "::error file=pkg/tests/test_it.py,line=1,title=test_it.py%3A%3Atest_gr\\xf6" in mark
    assert "fetching 64 commits more" in job.log
    assert "fetching 128 commits more" in job.log
    assert "Traceback" not in job.log


def test_a_repository_that_git_refuses_is_said_in_gits_words(
    nested: Project, tmp_path: Path
) -> None:
    job = run(nested, tmp_path, "pkg/tests", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert job.status == 4, job.log
    assert "git refuses the repository" in job.log
    assert "Traceback" not in job.log
    assert job.outputs["verdict"] == "nothing"


def test_what_is_in_doubt_is_a_warning_and_red_where_it_is_strict(
    origin: Project, tmp_path: Path
) -> None:
    project = pull_request(origin, "doubt", tmp_path / "job")
    doubt = ("-o", "loaderperf_drift=40%", "--loaderperf-against=stored")
    job = run(project, tmp_path, *doubt)
    assert job.status == 0, job.log
    assert "::warning file=test_it.py,line=3,title=" in job.log
    assert job.outputs["verdict"] == "inconclusive"
    assert "❔ Nothing was proven" in job.summary
    job = run(project, tmp_path, given=f"{' '.join(doubt)} '--loaderperf-strict'")
    assert job.status == 1
    assert "::error file=test_it.py,line=3,title=" in job.log


def test_a_run_that_measures_nothing_and_ends_well_is_red(tmp_path: Path) -> None:
    skipped = "import pytest\n@pytest.mark.skip\n" + tiny.CHECK.removeprefix("import paced\n")
    project = tiny.create(tmp_path / "project", git=False, test_it=skipped)
    job = run(project, tmp_path)
    assert job.status == 1, job.log
    assert "::error title=No loader was measured::" in job.log
    assert job.outputs["verdict"] == "nothing"


def test_an_old_report_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it="import nowhere\n")
    report = tmp_path / "out" / "report.json"
    report.parent.mkdir()
    report.write_text(json.dumps({"checks": [{"verdict": "unchanged"}]}))
    job = run(project, tmp_path, "--no-such-option")
    assert job.status == 4
    assert job.outputs["verdict"] == "nothing"
    assert not report.exists()


def block(language: str, part: str) -> str:
    """The one block of the docs that has some text in it."""
    text = (Path(__file__).parents[2] / "docs" / "ci.md").read_text("utf-8")
    (found,) = (x for x in re.findall(rf"```{language}\n(.*?)```", text, re.S) if part in x)
    return str(found)


def steps_of_docs() -> list[dict[str, str]]:
    """What the workflow of the docs gives the action in each of its jobs, matrix included."""
    found = []
    for job in yaml.safe_load(block("yaml", "matrix"))["jobs"].values():
        given = next(step["with"] for step in job["steps"] if "loaderperf@" in step.get("uses", ""))
        for shard in job.get("strategy", {}).get("matrix", {}).get("shard", [None]):
            filled = {
                k: str(v).replace("${{ matrix.shard }}", str(shard)) for k, v in given.items()
            }
            found.append(filled)
    return found


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A repository with four modules of checks, one of which gets worse."""
    names = [f"test_{letter}" for letter in "abcd"]
    project = tiny.create(tmp_path_factory.mktemp("many") / "project", test_a=tiny.CHECK)
    project.write(**{name: tiny.CHECK.replace("test_paced", name) for name in names})
    tiny.accept(project, *(f"{name}.py::{name}" for name in names))
    slow = tiny.CHECK.replace("test_paced", "test_b").replace("Paced()", "paced(batch=(1,))")
    project.write(test_b=slow)
    project.commit("a change")
    return project


@pytest.mark.parametrize("kind", ["gate", "update"])
def test_the_workflow_of_the_docs_makes_one_run_of_its_jobs(
    many: Project, tmp_path: Path, kind: str
) -> None:
    arguments = "--loaderperf-update=changed" if kind == "update" else ""
    *shards, last = steps_of_docs()
    assert [each["shard"] for each in shards] == ["1", "2", "3", "4"]
    assert "shard" not in last
    parts = tmp_path / "parts"
    for given in shards:
        clone = many.clone(tmp_path / f"job-{given['shard']}")
        variables = {f"LOADERPERF_{name.upper()}": value for name, value in given.items()}
        out = parts / f"loaderperf-{given['shard']}-of-{given['shards']}"
        job = run(
            clone,
            tmp_path,
            given=arguments,
            LOADERPERF_REPORT=str(out / "loaderperf.json"),
            PYTEST_ADDOPTS=tiny.USUAL["PYTEST_ADDOPTS"],
            **variables,
        )
        assert job.status == int(kind == "gate" and "test_b" in job.log), job.log
    clone = many.clone(tmp_path / "job-last")
    variables = {f"LOADERPERF_{name.upper()}": value for name, value in last.items()}
    job = run(clone, tmp_path, LOADERPERF_PARTS=str(parts), **variables)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    nodes = [f"test_{letter}.py::test_{letter}" for letter in "abcd"]
    assert [check["nodeid"] for check in report["checks"]] == nodes
    if kind == "gate":
        assert job.status == 1
        assert job.outputs["verdict"] == report["checks"][1]["verdict"]
        assert "::error file=test_b.py," in job.log
        assert "patch" not in job.outputs
    else:
        assert job.status == 0, job.log
        clone.git("apply", job.outputs["patch"])
        assert clone.git("status", "--porcelain") == "M baselines/test_b.json"


# --- the other services of the docs, by the commands that stand there

TOOLS = {
    "pip": "exit 0",  # what is installed already
    "python": f"""\
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && ln -s "${{0%/*}}"/* "$3/bin" ;;
  *) exec {sys.executable} "$@" ;;
esac""",
}


def shell(folder: Path, start: Path, commands: list[str], **variables: str) -> Job:
    """Run commands as a job does that ends with the first that fails."""
    tools = folder / "tools"
    tools.mkdir()
    for name, text in TOOLS.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    finished = subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        cwd=start,
        env=environment.clean(
            **{"CI": "true", "TMPDIR": str(folder), **variables},
            PATH=f"{tools}:{os.environ['PATH']}",
        ),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Job(finished.returncode, finished.stdout + finished.stderr, "", {})


def failures(junit: Path) -> list[str]:
    """The messages of the tests that failed."""
    return [str(each.get("message")) for each in ElementTree.parse(junit).iter("failure")]


def test_the_job_of_gitlab_leaves_what_it_shows(origin: Project, tmp_path: Path) -> None:
    (written,) = yaml.safe_load(block("yaml", "codequality")).values()
    project = pull_request(origin, "gitlab", tmp_path / "job", **CHANGES["error"])
    job = shell(tmp_path, project.root, written["script"], GITLAB_CI="true")
    assert job.status == 1, job.log
    artifacts = written["artifacts"]
    reports = {name: project.root / file for name, file in artifacts["reports"].items()}
    assert all((project.root / file).exists() for file in artifacts["paths"])
    assert failures(reports["junit"]) == ["OSError: no, 50% off"]
    (issue,) = json.loads(reports["codequality"].read_text())
    assert issue["check_name"] == "loaderperf.error"
    assert issue["location"] == {"path": "test_it.py", "lines": {"begin": 3}}


def test_the_steps_of_jenkins_leave_what_it_shows(origin: Project, tmp_path: Path) -> None:
    written = block("groovy", "pipeline")
    project = pull_request(origin, "jenkins", tmp_path / "job", **CHANGES["error"])
    job = shell(tmp_path, project.root, re.findall(r"^ *sh '(.*)'$", written, re.MULTILINE))
    assert job.status == 1, job.log
    junit, artifacts = re.findall(r"^ *(?:junit|archiveArtifacts) '(.*)'$", written, re.MULTILINE)
    assert failures(project.root / junit) == ["OSError: no, 50% off"]
    assert all((project.root / file).exists() for file in artifacts.split(", "))
    assert not (project.root / "loaderperf.codequality").exists()


COMMIT = "1a2b3c4d" * 5


@pytest.mark.parametrize("where", ["docs", "project"])
def test_the_workflow_that_comments_has_few_rights_and_trusts_nothing(where: str) -> None:
    text = block("yaml", "workflow_run")
    if where == "project":
        text = (Path(__file__).parents[2] / ".github/workflows/comment.yml").read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert workflow[True] == {  # that is how YAML reads "on"
        "workflow_run": {
            "workflows": workflow[True]["workflow_run"]["workflows"],
            "types": ["completed"],
        }
    }
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    rights = {"actions": "read", "pull-requests": "write"}
    assert job["permissions"] == rights | ({} if where == "docs" else {"contents": "read"})
    # Expressions are no part of a command, and what is checked out is the default branch.
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert not any("${{" in command or "\n" in command for command in commands)
    given = [step.get("with", {}) for step in job["steps"]]
    assert not any("ref" in each or "repository" in each for each in given)
    (artifact,) = (each for each in given if "run-id" in each)
    assert artifact["path"] == "${{ runner.temp }}/loaderperf"  # beside the code, not among it


def test_the_workflow_of_the_docs_comments(tmp_path: Path) -> None:
    workflow = yaml.safe_load(block("yaml", "workflow_run"))
    gate = yaml.safe_load(block("yaml", "on: pull_request"))
    assert workflow[True]["workflow_run"]["workflows"] == [gate["name"]]
    results = tmp_path / "loaderperf" / "loaderperf.json"
    results.parent.mkdir()
    results.write_text(json.dumps(results_json.to_json(examples.run(), [])))
    event = tmp_path / "event.json"
    run = {
        "id": 42, "event": "pull_request", "conclusion": "failure", "head_sha": COMMIT,
        "head_branch": "topic", "head_repository": {"full_name": "fork/project"},
    }  # fmt: skip
    content = {"repository": {"full_name": REPOSITORY}, "workflow_run": run}
    event.write_text(json.dumps(content))
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    with serving() as github:
        github.pull(7, COMMIT)
        done = shell(
            tmp_path,
            tmp_path,
            commands,
            RUNNER_TEMP=str(tmp_path),
            GITHUB_TOKEN=TOKEN,
            GITHUB_EVENT_PATH=str(event),
            GITHUB_API_URL=github.url,
            no_proxy="127.0.0.1",
        )
        assert done.log == "loaderperf: #7: made a comment\n"
        (said,) = github.comments[7]
    assert "throughput regressed" in said["body"]
