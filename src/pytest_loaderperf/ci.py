"""Run the gate in a job of GitHub Actions: ``python -m pytest_loaderperf.ci [ARGUMENT...]``.

Fetches as much of the history as it takes to find the accepted commits, runs ``pytest
--loaderperf`` with these arguments (or those in ``LOADERPERF_ARGUMENTS``), marks the tests that
failed, and says how it ended: as the summary of the job, and as its outputs ``verdict``,
``regressed`` (a number), ``report`` and ``page`` (files, as JSON and HTML). Ends as pytest does, or
with 1 if nothing was measured.
Outside of a job it does what it can.
"""

from __future__ import annotations

import io
import json
import os
import posixpath
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from .baselines import store
from .baselines.history import accepted_commit
from .errors import CheckoutError, LoaderPerfError
from .model.results import Verdict, worst
from .system.signals import heed_children
from .versions import git
from .versions.repository import Repository

_REPORT = "loaderperf.json"
_DEEPER = 64  # commits to fetch first; twice as many each time
_NOTHING = "nothing"  # the verdict of a run that has measured nothing
# What annotations must not hold, in their text, and in their properties as well.
_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY_ESCAPES = {**_ESCAPES, ":": "%3A", ",": "%2C"}


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


def marks(results: Mapping[str, Any]) -> Iterator[str]:
    """A command for each check that failed or is in doubt: the runner shows it at the test."""
    for check in results["checks"]:
        failed = check["outcome"] == "failed"
        if failed or check["verdict"] == Verdict.INCONCLUSIVE:
            properties = {
                "file": posixpath.normpath(posixpath.join(results.get("root", ""), check["file"])),
                "line": str(check["line"]),
                "title": f"{check['nodeid']}: {check['verdict']}",
            }
            shown = ",".join(
                f"{name}={_escaped(text, _PROPERTY_ESCAPES)}" for name, text in properties.items()
            )
            level = "error" if failed else "warning"
            yield f"::{level} {shown}::{_escaped(_message(check), _ESCAPES)}"


def outputs(results: Mapping[str, Any], report: Path, page: Path) -> dict[str, str]:
    """The outputs of the job."""
    verdicts = [Verdict(check["verdict"]) for check in results["checks"]]
    regressed = sum(verdict is Verdict.REGRESSED for verdict in verdicts)
    verdict = str(worst(verdicts)) if verdicts else _NOTHING
    files = {"report": str(report), "page": str(page)}
    return {"verdict": verdict, "regressed": str(regressed), **files}


def _message(check: Mapping[str, Any]) -> str:
    lines = [
        f"{name}: {metric['verdict']}, ratio {metric['ratio']} {metric['interval'] or ''}".rstrip()
        for name, metric in check["metrics"].items()
        if metric["verdict"] not in (None, "unchanged") and metric["ratio"] is not None
    ]
    return "\n".join([*lines, *filter(None, [check["message"]])]) or "see the log of this job"


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate; the exit status of the job."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of tests may have more than it can show
        sys.stdout.reconfigure(errors="backslashreplace")
    heed_children()
    root, environment = Path.cwd(), os.environ
    if arguments is None:
        arguments = sys.argv[1:] or shlex.split(environment.get("LOADERPERF_ARGUMENTS", ""))
    report = Path(environment.get("LOADERPERF_REPORT") or _REPORT)
    page = report.with_suffix(".html")
    for file in (report, page):
        file.unlink(missing_ok=True)  # that of an earlier run would be taken for this one's
    try:
        fetch_history(root, arguments)
    except CheckoutError as error:  # the run says it as well
        print(error, flush=True)
    command = [sys.executable, "-m", "pytest", "--loaderperf"]
    command += [f"--loaderperf-json={report}", f"--loaderperf-html={page}"]
    if summary := environment.get("GITHUB_STEP_SUMMARY"):
        command.append(f"--loaderperf-summary={summary}")
    status = subprocess.run([*command, *arguments], cwd=root, check=False).returncode
    results: Mapping[str, Any] = {"checks": []}
    if report.exists():
        results = json.loads(report.read_text("utf-8"))
    if said := environment.get("GITHUB_OUTPUT"):
        with Path(said).open("a", encoding="utf-8") as out:
            out.writelines(f"{k}={v}\n" for k, v in outputs(results, report, page).items())
    for line in marks(results):
        print(line)
    if not results["checks"] and status == 0:
        print("::error title=No loader was measured::The run has proven nothing.")
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
