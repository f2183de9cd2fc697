"""The comment of a pull request: which one it is, whose comment is updated, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import examples
from pytest_loaderperf import comment
from pytest_loaderperf.model.results import Run, Verdict
from pytest_loaderperf.reports import results_json
from support.environment import clean
from support.github import BOT, REPOSITORY, TOKEN, FakeGitHub, serving

COMMIT = "1a2b3c4d" * 5
MARKER = "<!-- pytest-loaderperf: loaders -->"
PLACE = f"/repos/{REPOSITORY}/issues"


@pytest.fixture(scope="module")
def listening() -> Iterator[FakeGitHub]:
    with serving() as github:
        yield github


@pytest.fixture
def github(listening: FakeGitHub) -> FakeGitHub:
    """A GitHub with one pull request, from a fork, and two comments of people."""
    fresh = FakeGitHub(url=listening.url)
    vars(listening).update(vars(fresh))
    listening.pull(7, COMMIT)
    listening.say(7, f"{MARKER}\nnot of the bot", "somebody")
    listening.say(7, "of a deleted account", None)
    return listening


def event(**changed: Any) -> dict[str, Any]:
    run = {
        "id": 42,
        "event": "pull_request",
        "conclusion": "failure",
        "head_sha": COMMIT,
        "head_branch": "topic",
        "head_repository": {"full_name": "fork/project"},
        "pull_requests": [],  # as it is for forks
    }
    return {"repository": {"full_name": REPOSITORY}, "workflow_run": {**run, **changed}}


def written(folder: Path, run: Run) -> Path:
    path = folder / "loaderperf.json"
    path.write_text(json.dumps(results_json.to_json(run, [])), "utf-8")
    return path


@pytest.fixture
def job(tmp_path: Path, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a job: its event, the results of a run that failed, its environment."""
    set_event(tmp_path, event())
    written(tmp_path, examples.run())
    variables = {
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": github.url,
        "GITHUB_SERVER_URL": "https://github.example",
        "no_proxy": "127.0.0.1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def set_event(folder: Path, content: object) -> None:
    (folder / "event.json").write_text(json.dumps(content), "utf-8")


def run(folder: Path, *options: str) -> int:
    return comment.main([str(folder / "loaderperf.json"), *options])


def bodies(github: FakeGitHub, number: int = 7) -> list[str]:
    """What the bot has said."""
    of_bot = (each for each in github.comments[number] if each["user"] == {"login": BOT})
    return [each["body"] for each in of_bot]


def test_a_first_run_comments_and_later_ones_update(
    job: Path, github: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(job) == 0
    assert capsys.readouterr().out == "loaderperf: #7: made a comment\n"
    (first,) = bodies(github)
    marker, title, *_ = first.splitlines()
    assert (marker, title) == (MARKER, "## ❌ A loader could not be measured")
    link = f"https://github.example/{REPOSITORY}/actions/runs/42"
    assert f"Commit 1a2b3c4d1a2b, [run]({link}) (it ended with failure)" in first
    assert f"[reports]({link}#artifacts)" in first
    assert "throughput regressed: 451 samples/s, baseline 568 samples/s" in first
    assert "resize (photos.py:12) takes 3.9 ms more" in first
    assert "To accept it: pytest 'tests/perf/test_images.py::test_photos[32]'" in first

    well = [examples.check("test_a.py::test_a", Verdict.UNCHANGED, 1.0, 1.01)]
    written(job, replace(examples.run(), results=well))
    set_event(job, event(conclusion="success"))
    assert run(job) == 0
    assert capsys.readouterr().out == "loaderperf: #7: updated the comment\n"
    (second,) = bodies(github)
    assert second.startswith(f"{MARKER}\n## ✅ No loader got worse\n")
    assert "test_photos" not in second
    assert len(github.comments[7]) == 3
    assert [each["body"] for each in github.comments[7][:2]] != [second, second]


def test_the_comment_is_found_behind_a_hundred_others(job: Path, github: FakeGitHub) -> None:
    for number in range(250):
        github.say(7, f"comment {number}", "somebody")
    github.say(7, f"{MARKER}\nold")
    assert run(job) == 0
    assert len(bodies(github)) == 1
    assert github.asked.count(f"GET {PLACE}/7/comments") == 3
    assert github.asked[-1] == f"PATCH {PLACE}/comments/{1252}"


def test_several_gates_have_a_comment_each(job: Path, github: FakeGitHub) -> None:
    assert [run(job), run(job, "--name", "images"), run(job, "--name", "images")] == [0, 0, 0]
    assert [each.splitlines()[0] for each in bodies(github)] == [
        MARKER, MARKER.replace("loaders", "images"),
    ]  # fmt: skip


def test_another_author_is_one_of_an_app(job: Path, github: FakeGitHub) -> None:
    github.say(7, f"{MARKER}\nold", "app[bot]")
    assert run(job, "--author", "app[bot]") == 0
    assert bodies(github) == []


@pytest.mark.parametrize(
    ("conclusion", "well", "there", "said"),
    [
        ("success", True, False, "made no comment, since all is well"),
        ("success", True, True, "updated the comment"),
        ("success", False, False, "made a comment"),
        ("failure", True, False, "made a comment"),
    ],
)
def test_a_quiet_one_begins_when_something_is_wrong(
    job: Path,
    github: FakeGitHub,
    capsys: pytest.CaptureFixture[str],
    conclusion: str,
    well: bool,
    there: bool,
    said: str,
) -> None:
    if well:
        good = [examples.check("test_a.py::test_a", Verdict.UNCHANGED, 1.0, 1.01)]
        written(job, replace(examples.run(), results=good))
    if there:
        github.say(7, f"{MARKER}\nold")
    set_event(job, event(conclusion=conclusion))
    assert run(job, "--quiet") == 0
    assert capsys.readouterr().out == f"loaderperf: #7: {said}\n"


@pytest.mark.parametrize(
    "change",
    [
        {"state": "closed"},
        {"head": {"sha": "f" * 40, "ref": "topic", "repo": {"full_name": "fork/project"}}},
        {"head": {"sha": COMMIT, "ref": "topic", "repo": {"full_name": "fork/other"}}},
        {"head": {"sha": COMMIT, "ref": "topic", "repo": None}},
        {"base": {"repo": {"full_name": "other/project"}}},
    ],
    ids=["closed", "newer commits", "other repository", "deleted repository", "other base"],
)
def test_nothing_to_comment_on_is_no_failure(
    job: Path, github: FakeGitHub, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    github.pulls[0].update(change)
    assert run(job) == 0
    assert "no open pull request ends in commit 1a2b3c4d1a2b" in capsys.readouterr().out
    assert bodies(github) == []


def test_a_fork_that_is_deleted_is_no_failure(job: Path, github: FakeGitHub) -> None:
    set_event(job, event(head_repository=None))
    assert run(job) == 0
    assert bodies(github) == []


def test_a_run_of_a_push_is_no_failure(
    job: Path, github: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    set_event(job, event(event="push"))
    assert run(job) == 0
    assert "the run is one of push" in capsys.readouterr().out
    assert github.asked == []


def test_several_pull_requests_of_one_commit_say_so(job: Path, github: FakeGitHub) -> None:
    github.pull(8, COMMIT)
    assert run(job) == 0
    for number in (7, 8):
        (body,) = bodies(github, number)
        assert "#7 and #8 have this commit: the run is that of one of them." in body


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, {}, "401 Unauthorized: the job needs 'permissions: pull-requests: write'"),
        (403, {}, "403 Forbidden: the job needs 'permissions: pull-requests: write'"),
        (403, {"x-ratelimit-remaining": "0"}, "too many requests"),
        (429, {"retry-after": "60"}, "too many requests. Run this job again in 60 seconds"),
        (404, {}, "404 Not Found: there is none, or the token of the job may not read it"),
        (422, {}, "422 Unprocessable"),
        (500, {}, "it is GitHub that fails"),
        (503, {}, "it is GitHub that fails"),
        (307, {"location": "http://127.0.0.1:1/elsewhere"}, "307 Temporary Redirect"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_what_github_refuses_is_said(
    job: Path,
    github: FakeGitHub,
    capsys: pytest.CaptureFixture[str],
    method: str,
    status: int,
    headers: dict[str, str],
    said: str,
) -> None:
    if method == "PATCH":
        github.say(7, f"{MARKER}\nold")
    github.status, github.headers, github.on = status, headers, method
    assert run(job) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"loaderperf: no comment: GitHub answers {method} /repos/{REPOSITORY}/")
    assert said in line
    assert github.asked[-1].startswith(method)  # it was asked nothing more


@pytest.mark.parametrize("answer", [b"<html>", b'{"a": 1}', b"[1]", b"null", b"", b'[{"x": 1}]'])
def test_an_answer_that_nobody_expects_is_said(
    job: Path, github: FakeGitHub, capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    github.status, github.answer = 200, answer
    assert run(job) == 1
    assert capsys.readouterr().out.startswith("loaderperf: no comment: GitHub")


def test_a_github_that_is_not_there_is_said(
    job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    assert run(job) == 1
    assert "GitHub does not answer GET /repos/" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GITHUB_TOKEN", "", "GITHUB_TOKEN is not set"),
        ("GITHUB_API_URL", "file:///etc/passwd", "GITHUB_API_URL is no address"),
        ("GITHUB_EVENT_PATH", "", "GITHUB_EVENT_PATH (not set) has no event of workflow_run"),
        ("GITHUB_EVENT_PATH", "/nowhere", "GITHUB_EVENT_PATH (/nowhere) has no event"),
    ],
)
def test_a_step_that_lacks_something_is_told_what(
    job: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert run(job) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        {"pull_request": {"number": 7}},
        [],
        event(head_sha="main"),
        event(conclusion="<b>"),
        event(id="x"),
        {**event(), "repository": {"full_name": "a/b/../c"}},
    ],
)
def test_the_event_of_another_trigger_is_refused(
    job: Path, github: FakeGitHub, capsys: pytest.CaptureFixture[str], content: object
) -> None:
    set_event(job, content)
    assert run(job) == 1
    assert "has no event of workflow_run" in capsys.readouterr().out
    assert github.asked == []


@pytest.mark.parametrize("name", ["a--b", "x -->", "", "ü", "a" * 51])
def test_a_name_that_could_end_the_marker_is_refused(job: Path, name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(job, "--name", name)
    assert ended.value.code == 2


def test_a_file_that_is_no_results_file_changes_nothing(
    job: Path, github: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    (job / "loaderperf.json").write_text('{"schema": "##[add-matcher]x\\n::error::y"}')
    assert run(job) == 1
    (line,) = capsys.readouterr().out.splitlines()  # that the runner takes for no command
    assert line.startswith("loaderperf: no comment: ")
    assert "##[" not in line
    assert github.asked == []


def test_it_is_a_command(job: Path) -> None:
    command = [sys.executable, "-m", "pytest_loaderperf.comment", "nowhere.json"]
    variables = clean(GITHUB_EVENT_PATH=str(job / "event.json"))
    done = subprocess.run(
        command, cwd=job, env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "nowhere.json is no results file" in done.stdout
