"""Comment what the run of a pull request says: ``python -m pytest_loaderperf.comment FILE``.

FILE is the results file of the run. This is for a workflow of GitHub Actions that ``workflow_run``
starts in the default branch: it may write comments, and runs nothing of the pull request. The file
comes from there, and counts as hostile. Which pull request it is, GitHub itself says. A run updates
the comment of earlier ones.
Takes GITHUB_TOKEN, GITHUB_EVENT_PATH, GITHUB_API_URL and GITHUB_SERVER_URL from the environment.
Ends with 0, also where there is nothing to comment on any more, and with 1 if it could not comment.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LoaderPerfError
from .model.results import Run
from .protocol.codec import DAMAGE
from .reports import reading
from .reports.console.screen import show_all_characters
from .reports.forges import markdown

_BOT = "github-actions[bot]"  # whose token a job has
_NAME = re.compile(r"[\w .-]{1,50}", re.ASCII)  # what may stand in a comment of HTML
_PLAIN = (
    "[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+",
    "[a-z_]+",
    "[0-9a-f]{40,64}",
)  # parts of a comment, as they are
_PAGE = 100  # the most that GitHub lists at a time
_MOST_PAGES = 100
_MOST_REQUESTS = 10  # of pull requests for one commit
_TIMEOUT = 30.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Event:
    """The run that has ended: what GitHub says of it, and nothing of its files.

    ``head`` is the repository that the pull request comes from, ``branch`` its branch there.
    """

    repository: str
    run: int
    conclusion: str
    kind: str
    commit: str
    branch: str
    head: str

    @classmethod
    def read(cls, path: str) -> Event:
        """The event of the job. LoaderPerfError if it is another one."""
        try:
            content = json.loads(Path(path).read_text("utf-8"))
            run = content["workflow_run"]
            event = cls(
                repository=str(content["repository"]["full_name"]),
                run=int(run["id"]),
                conclusion=str(run["conclusion"]),
                kind=str(run["event"]),
                commit=str(run["head_sha"]),
                branch=str(run["head_branch"]),
                head=str((run["head_repository"] or {}).get("full_name")),  # none: it is deleted
            )
            if not all(
                map(re.fullmatch, _PLAIN, (event.repository, event.conclusion, event.commit))
            ):
                raise ValueError("a field is not what GitHub has there")
        except (OSError, *DAMAGE) as error:
            raise LoaderPerfError(
                f"GITHUB_EVENT_PATH ({path or 'not set'}) has no event of workflow_run: start this "
                f"from a workflow with 'on: workflow_run' ({type(error).__name__}: {error})"
            ) from error
        return event


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: the token would go along."""

    def redirect_request(self, *_: object) -> None:
        return None


class GitHub:
    """The REST API of GitHub, with the token of the job."""

    def __init__(self, url: str, token: str) -> None:
        if not url.startswith(("https://", "http://")):
            raise LoaderPerfError(f"GITHUB_API_URL is no address: {url!r}")
        if not token:
            raise LoaderPerfError(
                "GITHUB_TOKEN is not set: give the step 'env: GITHUB_TOKEN: ${{ github.token }}'"
            )
        self._url = url.rstrip("/")
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": "pytest-loaderperf",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._open = urllib.request.build_opener(_Stay).open

    def call(self, method: str, path: str, **content: str) -> Any:
        """What GitHub answers. LoaderPerfError if it refuses, or cannot be reached."""
        request = urllib.request.Request(  # noqa: S310 - its scheme has been looked at
            f"{self._url}{path}",
            data=json.dumps(content).encode() if content else None,
            headers=self._headers,
            method=method,
        )
        asked = f"{method} {path.partition('?')[0]}"
        try:
            with self._open(request, timeout=_TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise LoaderPerfError(f"GitHub answers {asked} with {_reason(error)}") from error
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise LoaderPerfError(f"GitHub does not answer {asked}: {error}") from error

    def pages(self, path: str, **query: str) -> Iterator[Mapping[str, Any]]:
        """All that GitHub lists there, page by page."""
        for page in range(1, _MOST_PAGES + 1):
            asked = urllib.parse.urlencode({**query, "per_page": _PAGE, "page": page})
            listed = self.call("GET", f"{path}?{asked}")
            yield from listed
            if len(listed) < _PAGE:
                return


def _reason(error: urllib.error.HTTPError) -> str:
    """Why GitHub refuses, and what to do."""
    headers, status = error.headers, f"{error.code} {error.reason}"
    if headers.get("x-ratelimit-remaining") == "0" or headers.get("retry-after"):
        wait = headers.get("retry-after") or "some hundred"
        return f"{status}: too many requests. Run this job again in {wait} seconds"
    if error.code in (401, 403):
        return f"{status}: the job needs 'permissions: pull-requests: write', and its token"
    if error.code == 404:
        return f"{status}: there is none, or the token of the job may not read it"
    if error.code >= 500:
        return f"{status}: it is GitHub that fails. Run this job again later"
    return status


def pull_requests(github: GitHub, event: Event) -> list[int]:
    """The open pull requests whose last commit is that of the run.

    GitHub does not know by the commit alone which those of forks are; by their branch it does.
    """
    owner, _, _ = event.head.partition("/")
    listed = github.pages(
        f"/repos/{event.repository}/pulls", state="open", head=f"{owner}:{event.branch}"
    )
    return [
        int(each["number"])
        for each in listed
        if each["head"]["sha"] == event.commit
        and (each["head"]["repo"] or {}).get("full_name") == event.head
        and each["base"]["repo"]["full_name"] == event.repository
    ]


def put(github: GitHub, place: str, body: str, *, author: str, marker: str, anew: bool) -> str:
    """Write a comment on a pull request, or write it anew; what was done.

    Where there is none, one is made if it is to be ``anew``.
    """
    for each in github.pages(f"{place}/comments"):
        user = each["user"] or {}  # none: the account is deleted
        if user.get("login") == author and str(each["body"]).startswith(marker):
            repository, _, _ = place.partition("/issues/")
            github.call("PATCH", f"{repository}/issues/comments/{int(each['id'])}", body=body)
            return "updated the comment"
    if not anew:
        return "made no comment, since all is well"
    github.call("POST", f"{place}/comments", body=body)
    return "made a comment"


def body(run: Run, event: Event, numbers: Sequence[int], *, server: str, marker: str) -> str:
    """The comment."""
    link = f"{server}/{event.repository}/actions/runs/{event.run}"
    about = [
        f"Commit {event.commit[:12]}, [run]({link}) (it ended with {event.conclusion}), "
        f"[reports]({link}#artifacts)"
    ]
    if len(numbers) > 1:
        listed = " and ".join(f"#{number}" for number in numbers)
        about.append(f"{listed} have this commit: the run is that of one of them.")
    return f"{marker}\n{markdown.comment(run.results, run.problems, about=about)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Comment; the exit status."""
    options = _parser().parse_args(arguments)
    show_all_characters()
    try:
        for line in _said(options, os.environ):
            _say(line)
    except LoaderPerfError as error:
        _say(f"no comment: {error}")
        return 1
    except DAMAGE as error:
        _say(f"no comment: GitHub's answer or the results hold {type(error).__name__}: {error}")
        return 1
    return 0


def _said(options: argparse.Namespace, environment: Mapping[str, str]) -> Iterator[str]:
    event = Event.read(environment.get("GITHUB_EVENT_PATH", ""))
    if event.kind != "pull_request":
        yield f"no comment: the run is one of {event.kind}, and not of a pull request"
        return
    run = reading.read(options.file)
    url = environment.get("GITHUB_API_URL") or "https://api.github.com"
    github = GitHub(url, environment.get("GITHUB_TOKEN", ""))
    numbers = pull_requests(github, event)[:_MOST_REQUESTS]
    if not numbers:
        yield (
            f"no comment: no open pull request ends in commit {event.commit:.12}. It was closed, "
            "or has newer commits"
        )
    marker = f"<!-- pytest-loaderperf: {options.name} -->"
    server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
    text = body(run, event, numbers, server=server, marker=marker)
    well = bool(run.results) and not run.problems and event.conclusion == "success"
    well &= all(result.outcome == "passed" for result in run.results)
    for number in numbers:
        place = f"/repos/{event.repository}/issues/{number}"
        anew = not (options.quiet and well)
        done = put(github, place, text, author=options.author, marker=marker, anew=anew)
        yield f"#{number}: {done}"


def _say(line: str) -> None:
    # What a line begins with, or "##[" anywhere in it, may be a command to the runner.
    print(f"loaderperf: {markdown.visible(line).replace('##[', '# #[')}")


def _name(text: str) -> str:
    if _NAME.fullmatch(text) and "--" not in text:
        return text
    raise argparse.ArgumentTypeError("a name has up to 50 letters, digits, dots and single dashes")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_loaderperf.comment",
        description="Comment on a pull request what its run has measured.",
    )
    parser.add_argument("file", type=Path, help="the results file of the run, as JSON")
    parser.add_argument(
        "--name", type=_name, default="loaders", help="tells the comments of several gates apart"
    )
    parser.add_argument("--author", default=_BOT, help=f"whose token it is; {_BOT} by default")
    parser.add_argument(
        "--quiet", action="store_true", help="make no comment where all is well; update one"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
