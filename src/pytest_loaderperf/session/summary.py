"""The plugin objects that say how a run ended: what it accepted, its table, and its files."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from dataclasses import replace

import pytest

from .. import __version__
from ..baselines import update
from ..baselines.history import Histories, History
from ..errors import CheckoutError, StoreError
from ..model.results import CheckResult, Run, Verdict
from ..model.shards import Share
from ..reports import accepted, files, terminal, variants
from ..reports.console import table, todo
from ..reports.console.screen import Screen
from ..reports.swept import lines as swept_lines
from ..scaffold import guide
from ..scaffold.seen import look
from ..shards import records
from ..stats.sweeps import Sweep, sweeps
from ..system.cgroups import Memory
from ..system.machine import machine
from ..versions.repository import Repository
from .collecting import Collecting
from .first_test import FirstTest, layout_of
from .progress import screen_of
from .resources import Resources
from .running import Running

_TO_SKIP = 125  # to git bisect run: nobody can tell whether this commit is good
_SOUND = {
    Verdict.UNCHANGED, Verdict.IMPROVED, Verdict.IDENTICAL, Verdict.COMPARED, Verdict.COMPLETE,
}  # fmt: skip


def status_for_bisect(status: int, verdicts: Sequence[Verdict]) -> int:
    """The exit status that ``git bisect run`` understands: 0 good, 1 bad, 125 neither.

    ``status`` is that of pytest: 1 also where a test's own assertion fails.
    """
    if Verdict.REGRESSED in verdicts:
        return 1
    told = verdicts and _SOUND.issuperset(verdicts) and status in (0, 1)
    return status if told else _TO_SKIP


def lines(
    results: Sequence[CheckResult],
    swept: Sequence[Sweep],
    screen: Screen,
    *,
    verbose: bool = False,
) -> list[str]:
    """The table of the checks that were measured, and what there is to know below it."""
    shown = [each for each in results if verbose or each.is_measured]
    everything = verbose or not terminal.is_plain(results)
    return [
        *table.table(shown, screen),
        *variants.lines(results),
        *swept_lines(swept),
        *terminal.below(results, everything=everything),
        *terminal.seconds(results),
        terminal.summary(results),
    ]


class Updates:
    """Writes the baselines that are accepted: also after an interruption, what was measured."""

    def __init__(self, resources: Resources, running: Running) -> None:
        self._resources = resources
        self._running = running
        self.written: list[str] = []  # files below the root

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Show what is accepted, and write it."""
        acceptances, reporter = self._running.accepted, self._resources.reporter
        if reporter is not None and acceptances:
            reporter.write_sep("=", "accepting")
            for line in accepted.table(acceptances):
                reporter.write_line(line)
        try:
            for file, count in update.write(self._resources.root, acceptances):
                self.written.append(file)
                self._resources.say(f"written: {file}, {count} check{'s' * (count != 1)}")
        except StoreError as error:
            self._resources.say(str(error))
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Summary:
    """Prints the table, and writes the reports that are asked for."""

    def __init__(
        self,
        resources: Resources,
        collecting: Collecting,
        running: Running,
        updates: Updates,
        first: FirstTest | None,
    ) -> None:
        self._resources = resources
        self._collecting = collecting
        self._running = running
        self._updates = updates
        self._first = first
        self._state = "", ""  # the commit, and what differs from it

    def pytest_sessionstart(self) -> None:
        """Look at what is checked out before baselines are written."""
        with contextlib.suppress(CheckoutError):  # the run says it, if it needs git
            if self._resources.settings.json and (found := Repository.find(self._resources.root)):
                self._state = found.state()

    def pytest_report_header(self) -> str:
        """Say what the run compares with."""
        return f"loaderperf: {__version__}, against {self._resources.references.mode}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, and what there is to know besides."""
        notes = [
            f"{each.describe(self._resources.root)}; to remove them: pytest --loaderperf-prune"
            for each in self._collecting.stale
        ]
        if self._resources.settings.history:
            notes += self._past()
        beginning = self._beginning()
        if self._running.results or notes or beginning:
            terminalreporter.write_sep("=", "loaderperf")
        for line in notes:
            terminalreporter.write_line(line)
        if not self._running.results:
            for line in beginning:
                terminalreporter.write_line(line)
            return
        if terminalreporter.verbosity < -1:
            terminalreporter.write_line(terminal.summary(self._running.results))
            return
        verbose = terminalreporter.verbosity > 0
        for line in lines(
            self._running.results,
            self._sweeps if self._resources.settings.sweep or verbose else [],
            screen_of(self._resources.config),
            verbose=verbose,
        ):
            terminalreporter.write_line(line)
        for line in self._todo():
            terminalreporter.write_line(line)

    def _todo(self) -> list[str]:
        """What to type next."""
        resources, results, written = self._resources, self._running.results, self._updates.written
        if self._first is not None:
            return self._first.told(resources, results, written)
        settings = resources.settings
        return todo.lines(
            results,
            replace(resources.shell, beside=settings.beside),
            judges=not (settings.selftest or settings.sweep or settings.bisect),
            budget=self._running.budget,
            marked=self._running.marked,
            written=[resources.shell.relative(file) for file in written],
        )

    def _beginning(self) -> list[str]:
        """What to say in a project that has no checks."""
        config, program = self._resources.config, self._resources.shell.program
        looks = self._resources.only_looks or config.option.collectonly
        if looks or not self._collecting.has_none:
            return []
        if config.args_source is pytest.Config.ArgsSource.ARGS:
            given = [config.invocation_params.dir / each.partition("::")[0] for each in config.args]
            there = all(each.exists() for each in given)  # else pytest says that it is not
            return guide.elsewhere(config.args, program) if there else []
        layout = layout_of(config)
        file = (layout.folder / layout.file("train_loader")).relative_to(layout.root)
        shell = self._resources.shell
        return guide.no_checks(
            look(layout.root),
            file.as_posix(),
            program,
            git=shell.git,
            root=shell.relative("."),
        )

    @functools.cached_property
    def _accepted_so_far(self) -> Histories:
        """Reads each file's history once, for the terminal and for the report."""
        return Histories(self._resources.root)

    def _past(self) -> list[str]:
        """The history of all selected checks, as text."""
        lines: list[str] = []
        try:
            for check in self._collecting.checks:
                lines += [*accepted.history_lines(check, self._accepted_so_far.of(check)), ""]
        except CheckoutError as error:
            lines.append(f"--loaderperf-history: {error}")
        return lines

    @functools.cached_property
    def _sweeps(self) -> list[Sweep]:
        return sweeps(self._running.results, self._memory_limit)

    @functools.cached_property
    def _memory_limit(self) -> float:
        """What a loader may use, in bytes: the same in the terminal and in the results file."""
        return self._resources.settings.memory_limit.of(Memory().available)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports."""
        nothing = pytest.ExitCode.NO_TESTS_COLLECTED
        if self._resources.only_looks and session.exitstatus == nothing:
            session.exitstatus = pytest.ExitCode.OK
        commit, changes = self._state
        run = Run(
            results=self._running.results,
            plugin=__version__,
            machine=machine(),
            mode=self._resources.references.mode,
            commits=self._resources.references.commits,
            memory_limit=self._memory_limit,
            root=self._resources.references.prefix,
            commit=commit,
            changes=changes,
            alpha=self._running.rule.alpha,
            share=self._share(int(session.exitstatus)),
        )
        folder = self._resources.config.invocation_params.dir
        settings, say = self._resources.settings, self._resources.say
        files.write(run, self._sweeps, settings, folder, self._histories, say)
        if settings.exit == "bisect":
            verdicts = [result.verdict for result in run.results]
            session.exitstatus = status_for_bisect(session.exitstatus, verdicts)

    def _share(self, status: int) -> Share | None:
        shard = self._resources.settings.shard
        if shard is None:
            return None
        return Share(
            shard=shard,
            selection=tuple(check.nodeid for check in self._collecting.selection),
            own=tuple(self._running.own),
            ended=tuple(self._running.ended),
            settings=records.digest(self._resources.settings),
            status=status,
            machine=machine(),
        )

    def _histories(self) -> dict[str, History]:
        """The baselines of the checks over time, by node id; empty where git tells of none."""
        with contextlib.suppress(CheckoutError):
            past = self._accepted_so_far
            return {result.nodeid: past.of(result.nodeid) for result in self._running.results}
        return {}
