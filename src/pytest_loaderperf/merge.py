"""Make one run of the shards of a run: ``python -m pytest_loaderperf.merge FILE...``.

The files are those that ``--loaderperf-json`` has written in each shard, or folders of them. Shows
the table of all checks, and writes the reports that are asked for. Ends with 0 if all is well, with
1 if a check or a shard failed, or if a shard is missing, there twice, empty, or of another run, and
with 2 if a file is none of a shard.
In a job of GitHub Actions it marks the tests that failed, and says how it ended.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .baselines.history import Histories, History
from .errors import CheckoutError, LoaderPerfError
from .model.results import Run
from .reports import files, results_json, terminal
from .reports.console import todo
from .reports.console.screen import Glyphs, Screen, printable, room, show_all_characters
from .reports.forges import github, junit
from .session import summary
from .settings import RunSettings
from .shards import merging, records
from .stats.sweeps import Sweep, sweeps
from .versions.repository import Repository

_JUDGES_NOTHING = ("itself", "nothing")  # modes in which there is nothing to accept


def main(arguments: Sequence[str] | None = None) -> int:
    """Merge; the exit status."""
    options = _parser().parse_args(arguments)
    show_all_characters()
    try:
        paths = list(_found(options.files))
        run = merging.merged([(str(path), records.read(path)) for path in paths])
        patch = b"".join(_patches(paths))
    except (LoaderPerfError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    swept = sweeps(run.results, run.memory_limit)
    shell, judges = todo.Shell(beside=_beside(run.mode)), run.mode not in _JUDGES_NOTHING
    lines = [*run.problems, *summary.lines(run.results, swept, _screen())]
    for text in [*lines, *todo.lines(run.results, shell, judges=judges)]:
        for line in text.split("\n"):
            print(printable(line))  # the files may come from anybody
    print(terminal.headline(run.results, run.problems))
    unwritten = _write(run, swept, options)
    if options.patch and patch:
        Path(options.patch).write_bytes(patch)
    for line in unwritten:
        print(line, file=sys.stderr)
    if os.environ.get("GITHUB_ACTIONS"):
        written = {"report": options.json, "page": options.html, "patch": patch and options.patch}
        reports = {name: Path(file) for name, file in written.items() if file}
        told = results_json.to_json(run, swept)
        github.tell(told, reports, os.environ.get("GITHUB_OUTPUT", ""))
    red = any(result.outcome == "failed" for result in run.results)
    red |= any(share.status != 0 for share in run.shares)
    return int(red or not run.results or bool(run.problems) or bool(unwritten))


def _beside(mode: str) -> str:
    """The option of a run beside a commit that is named; empty of any other run."""
    own = ("accepted", "stored", *_JUDGES_NOTHING)
    return "" if mode in own else f"--loaderperf-against={shlex.quote(mode)}"


def _screen() -> Screen:
    """What the terminal can show, or the log of a job."""
    terminal = sys.stdout.isatty()
    columns = room(
        shutil.get_terminal_size().columns, terminal=terminal, told="COLUMNS" in os.environ
    )
    return Screen(columns=columns, glyphs=Glyphs.of(sys.stdout.encoding))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_loaderperf.merge",
        description="Make one run of the shards of a run.",
    )
    parser.add_argument("files", nargs="+", type=Path, help="results files, or folders of them")
    parser.add_argument("--json", default="", metavar="FILE", help="write the results")
    parser.add_argument("--html", default="", metavar="FILE", help="write a report with charts")
    parser.add_argument(
        "--summary",
        default=os.environ.get("GITHUB_STEP_SUMMARY", ""),
        metavar="FILE",
        help="append the results as Markdown; by default to the summary of the job",
    )
    parser.add_argument("--junitxml", default="", metavar="FILE", help="write them as JUnit XML")
    parser.add_argument(
        "--patch",
        default="",
        metavar="FILE",
        help="write the changes of all baselines, which each shard has left beside its results",
    )
    return parser


def _found(places: Sequence[Path]) -> Iterator[Path]:
    """The results files in some places. LoaderPerfError where a place has none."""
    for place in places:
        if not place.is_dir():
            yield place
            continue
        below = sorted(place.rglob("*.json"))
        if not below:
            raise LoaderPerfError(
                f"{place} has no results files of shards (*.json) in it. Each shard writes one: "
                "pytest --loaderperf --loaderperf-shard=1/2 --loaderperf-json=shard-1.json"
            )
        yield from below


def _patches(paths: Sequence[Path]) -> Iterator[bytes]:
    """What shards have changed: whole modules each, so that no two change the same file."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            yield path.with_suffix(".patch").read_bytes()


def _write(run: Run, swept: Sequence[Sweep], options: argparse.Namespace) -> list[str]:
    """Write the reports; returns what could not be written, and why."""
    said: list[str] = []
    settings = RunSettings(json=options.json, html=options.html, summary=options.summary)
    files.write(run, swept, settings, Path.cwd(), lambda: _histories(run), said.append)
    if options.junitxml:
        path, text = Path(options.junitxml), junit.to_xml(run, merging.skipped(run))
        files.written(path, text, said.append)
    return said


def _histories(run: Run) -> Mapping[str, History]:
    """The baselines of the checks over time, where this is the checkout that they lie in."""
    with contextlib.suppress(CheckoutError):
        repository = Repository.find(Path.cwd())
        if repository is not None:
            past = Histories(repository.toplevel / run.root)
            return {result.nodeid: past.of(result.nodeid) for result in run.results}
    return {}


if __name__ == "__main__":
    sys.exit(main())
