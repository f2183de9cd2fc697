"""Run the gate in a job of GitHub Actions: ``python -m pytest_loaderperf.ci [ARGUMENT...]``.

Fetches as much of the history as it takes to find the accepted commits, runs ``pytest
--loaderperf`` with these arguments (or those in ``LOADERPERF_ARGUMENTS``), marks the tests that
failed, and says how it ended: as the summary of the job, and as its outputs ``verdict``,
``regressed`` (a number), ``report`` and ``page`` (files, as JSON and HTML), of an update also
``patch``. Ends as pytest does, or with 1 if nothing was measured.
With ``LOADERPERF_SHARDS=5`` and ``LOADERPERF_SHARD=2`` it measures the second of five parts. With
the first one alone it makes one run of all parts whose files lie below ``LOADERPERF_PARTS``.
In a job of GitLab it also writes a report of Code Quality, beside the results. Outside of a job it
does what it can.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from . import merge
from .baselines import store, update
from .baselines.history import accepted_commit
from .errors import CheckoutError, LoaderPerfError
from .reports.console.screen import show_all_characters
from .reports.forges import github, gitlab
from .system.signals import heed_children
from .versions import git
from .versions.repository import Repository

_REPORT = "loaderperf.json"
_DEEPER = 64  # commits to fetch first; twice as many each time


def fetch_history(folder: Path, arguments: Sequence[str] = ()) -> None:
    """Deepen a shallow clone until it has the commit that accepted each baseline.

    ``folder`` is where pytest starts, with these arguments. Where it cannot be done, the run says
    so, check by check.
    """
    repository = Repository.find(folder)
    if repository is None or not repository.is_shallow:
        return
    named = [folder / each for each in arguments]
    places = [folder, *filter(os.path.exists, named)]  # -k may be longer than a path can be
    commits = _DEEPER
    for path in _stores(repository.toplevel, places):
        try:
            keys = list(store.load(path))
        except LoaderPerfError:  # damaged: the run says so; or of another tool
            continue
        for key in keys:
            while not _is_known(repository, path, key):
                if not repository.is_shallow:
                    return
                print(f"fetching {commits} commits more, to find what was accepted", flush=True)
                repository.deepen(commits)
                commits *= 2


def _stores(top: Path, places: Sequence[Path]) -> Iterator[Path]:
    """The files of baselines that a run may use which begins in some places.

    Pytest's root folder is above or below one of these: only pytest knows which it is.
    """
    real = [each.resolve() for each in places]
    for name in sorted(git.names(top, "ls-files", "-z")):
        file = PurePosixPath(name)
        folders = [each.parent for each in file.parents if each.name == store.FOLDER]
        roots = [top.resolve() / each for each in folders if file.suffix == ".json"]
        pairs = [(root, each) for root in roots for each in real]
        if any(root.is_relative_to(each) or each.is_relative_to(root) for root, each in pairs):
            yield top / name


def _is_known(repository: Repository, path: Path, key: str) -> bool:
    try:
        accepted_commit(repository, path, key)
    except CheckoutError:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate; the exit status of the job."""
    show_all_characters()
    heed_children()
    root, environment = Path.cwd(), os.environ
    if arguments is None:
        arguments = sys.argv[1:] or shlex.split(environment.get("LOADERPERF_ARGUMENTS", ""))
    report = Path(environment.get("LOADERPERF_REPORT") or _REPORT)
    page, patch = report.with_suffix(".html"), report.with_suffix(".patch")
    quality = report.with_suffix(".codequality")
    for file in (report, page, patch, quality):
        file.unlink(missing_ok=True)  # that of an earlier run would be taken for this one's
    shard, shards = environment.get("LOADERPERF_SHARD"), environment.get("LOADERPERF_SHARDS")
    if shards and not shard:
        parts = environment.get("LOADERPERF_PARTS") or os.curdir
        junit = report.with_suffix(".xml")
        files = [f"--json={report}", f"--html={page}", f"--patch={patch}", f"--junitxml={junit}"]
        status = merge.main([*files, parts])
        _write_quality(_read(report), quality)
        return status
    try:
        fetch_history(root, arguments)
    except CheckoutError as error:  # the run says it as well
        print(error, flush=True)
    command = [sys.executable, "-m", "pytest", "--loaderperf"]
    command += [f"--loaderperf-json={report}", f"--loaderperf-html={page}"]
    if shard:
        command.append(f"--loaderperf-shard={shard}/{shards}")
    if summary := environment.get("GITHUB_STEP_SUMMARY"):
        command.append(f"--loaderperf-summary={summary}")
    status = subprocess.run([*command, *arguments], cwd=root, check=False).returncode
    results = _read(report)
    _write_quality(results, quality)
    reports = {"report": report, "page": page}
    if any(each.startswith("--loaderperf-update") for each in arguments):
        reports["patch"] = patch
        try:
            patch.write_bytes(update.patch(root, results.get("root", "")))
        except CheckoutError as error:
            print(f"::error title=No patch::{error}")
    github.tell(results, reports, environment.get("GITHUB_OUTPUT", ""))
    if not results["checks"] and status == 0:
        print("::error title=No loader was measured::The run has proven nothing.")
        return 1
    return status


def _read(report: Path) -> Mapping[str, Any]:
    """What a run has written; no checks if it came to nothing."""
    results: Mapping[str, Any] = {"checks": []}
    return json.loads(report.read_text("utf-8")) if report.exists() else results


def _write_quality(results: Mapping[str, Any], path: Path) -> None:
    """Write what GitLab shows in a merge request, in one of its jobs."""
    if os.environ.get("GITLAB_CI"):
        path.write_text(gitlab.to_json(results), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
