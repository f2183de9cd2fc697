"""One run with ``--loaderperf``: the plugin object that collects, runs and reports checks."""

from __future__ import annotations

import contextlib
import functools
import signal
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from .. import __version__
from ..baselines import update
from ..baselines.history import Histories, History
from ..baselines.reference import References
from ..baselines.update import Stale
from ..check.runner import Coordinator, Outcome
from ..check.state import Spec
from ..errors import CheckoutError, InconclusiveWarning, SettingsError, StoreError
from ..model.results import CheckResult, Run, Verdict
from ..model.version import Version
from ..options import RUNS
from ..protocol.messages import Collected
from ..reports import accepted, batch_sizes, explain, files, terminal
from ..settings import RunSettings
from ..stats.sequential import Rule
from ..supervisor.arm import Arms
from ..system.available import Memory
from ..system.files import machine_lock
from ..system.machine import machine
from ..versions.project import Project
from ..versions.proof import Proof
from ..versions.sources import Sources
from . import pytest_benchmark, pytest_reports
from .arm_options import arm_launch, configuration
from .collection import Check, CheckFile
from .interrupt import interrupted_by, uninterrupted
from .progress import LiveLine, Schedule


class Session:
    """State and hooks of a run. LoaderPerfError where its settings make no sense."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._settings = RunSettings.read(
            lambda key: config.getoption(key, None), lambda key: _ini(config, key)
        )
        self._root = config.rootpath.resolve()
        self._candidate = Version(root=self._root)
        with contextlib.ExitStack() as cleanup:
            # One folder for all that is temporary: worktrees, logs, what loaders leave behind.
            folder = tempfile.TemporaryDirectory(prefix="loaderperf-", ignore_cleanup_errors=True)
            scratch = Path(cleanup.enter_context(folder)).resolve()
            self._references = References(
                self._root, self._settings, scratch, configuration(config, self._root)
            )
            cleanup.callback(self._references.close)
            self._sources = Sources(lambda: Project.find(self._root), scratch)
            launch = arm_launch(config, self._root, self._settings, scratch, self._sources)
            self._arms = Arms(launch, self._settings.memory_limit)
            cleanup.callback(self._arms.close)
            self._cleanup = cleanup.pop_all()
        self._coordinator: Coordinator | None = None
        self._schedule = Schedule([])
        self._results: list[CheckResult] = []
        self._checks: list[str] = []  # node ids of all that were selected
        self._collected: dict[str, set[str]] = {}
        self._stale: list[Stale] = []
        self._usage_error = ""
        self._live: LiveLine | None = None

    def pytest_sessionstart(self) -> None:
        """Clean up after SIGTERM as after Ctrl-C: it is how CI cancels a run."""
        self._cleanup.enter_context(interrupted_by(signal.SIGTERM))

    # --- collection

    def check_file(self, path: Path, parent: pytest.Collector) -> CheckFile:
        """The node of a file that may hold checks."""
        node: CheckFile = CheckFile.from_parent(parent, path=path)
        node.collect_in_arm = self._collect
        return node

    def _collect(self, module: str) -> Collected:
        collected = None
        try:
            collected = self._arms.get(self._candidate, module).collected
        finally:
            if collected is None or not collected.checks:
                self._arms.drop(self._candidate, module)
        if collected.usage_error and not self._usage_error:
            self._usage_error = collected.error
        if not collected.error:
            self._collected[module] = {check.key for check in collected.checks}
        return collected

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, object, object]:
        """Turn a usage error that an arm found into one of this run."""
        result = yield
        if self._usage_error:
            raise pytest.UsageError(self._usage_error)
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Leave what is no check to a run without ``--loaderperf``; look for stale baselines."""
        whole = _is_whole(self._config) and not session.testsfailed
        self._stale = update.find_stale(self._root, self._collected, whole=whole)
        if self._config.option.loaderperf_prune and not session.testsfailed:
            self._prune(whole=whole)
        checks = [item for item in items if isinstance(item, Check)]
        self._checks = [item.nodeid for item in checks]
        run = [] if self._only_looks else checks
        if self._settings.sweep:
            run = [check for check in run if check.collected.batch_size is not None]
        if getattr(self._config.option, "benchmark_only", False):
            run = [check for check in run if check.collected.benchmark]
        others = [item for item in items if item not in run]
        if others:
            self._config.hook.pytest_deselected(items=others)
            items[:] = run

    @property
    def _only_looks(self) -> bool:
        """Whether nothing is to be measured."""
        option = self._config.option
        return not any(getattr(option, name) for name in RUNS)

    def _prune(self, *, whole: bool) -> None:
        if not whole:
            raise pytest.UsageError(
                "--loaderperf-prune needs a complete collection, to know which tests exist: leave "
                "out paths, -k, -m, --deselect, --ignore and --lf, and start it in the root folder"
            )
        for each in self._stale:
            try:
                update.prune(each)
            except StoreError as error:
                raise pytest.UsageError(str(error)) from None
            self._say(f"removed from {each.describe(self._root)}")
        self._stale = []

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> str | list[str]:
        """Say what the run is in for."""
        option = self._config.option
        if option.collectonly or option.verbose < 0:
            return []
        return f"loaderperf: {_schedule(self._specs(items)).plan}"

    def _specs(self, items: Sequence[pytest.Item]) -> list[Spec]:
        return [_spec(item, self._settings) for item in items if isinstance(item, Check)]

    # --- running

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Get ready to measure; pytest's own loop follows."""
        if session.config.option.collectonly or not session.items:
            return
        self._cleanup.enter_context(machine_lock(self._say))
        specs = self._specs(session.items)
        self._coordinator = Coordinator(
            self._arms,
            self._references,
            self._candidate,
            Proof(self._sources),
            self._settings,
            Rule.for_metrics(sum(len(spec.settings.metrics) for spec in specs)),
        )
        self._schedule = _schedule(specs)
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            self._live = LiveLine(self._config.get_terminal_writer())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Run a check, and report it as the test that it is."""
        if not isinstance(item, Check):
            return None
        assert self._coordinator is not None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        spec = _spec(item, self._settings)
        started = time.monotonic()
        now = self._schedule.now
        try:
            outcome = self._coordinator.check(
                spec, lambda news: self._show(f"{spec.key}: {news} ({now})")
            )
        finally:
            self._clear()
        self._schedule.ended(time.monotonic() - started)
        for each in self._reports(item, outcome):
            item.ihook.pytest_runtest_logreport(report=each)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Keep pytest-timeout from cutting a check short: its budget and its timeout do that."""
        return True if isinstance(item, Check) else None

    def _reports(self, item: Check, outcome: Outcome) -> list[pytest.TestReport]:
        result = outcome.result
        if result is not None:
            file, line, _ = item.location
            result = replace(result, file=file, line=(line or 0) + 1)
        reports = [pytest_reports.restored(self._config, fields) for fields in outcome.reports]
        if result is not None and not reports:
            reports = [
                pytest_reports.of_check(item, result.outcome, result.message, result.seconds)
            ]
        elif result is not None and result.verdict is Verdict.INCONCLUSIVE:
            text = explain.warning(result)
            try:
                item.warn(InconclusiveWarning(text))
            except InconclusiveWarning:  # the project turns warnings into errors
                result = replace(result, outcome="failed")
                failure = pytest_reports.of_check(item, "failed", text, result.seconds)
                reports = [failure if each.when == "call" else each for each in reports]
        if result is not None:
            if pytest_benchmark.wanted(item):
                reports += pytest_benchmark.replay(item, result, outcome.benchmark)
            self._results.append(result)
            properties = pytest_reports.properties(result)
            for each in reports:
                each.user_properties += properties
        return reports

    # --- reporting

    def pytest_report_header(self) -> str:
        """Say what the run compares with."""
        return f"loaderperf: {__version__}, against {self._references.mode}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, and what there is to know besides."""
        notes = [
            f"{each.describe(self._root)}; --loaderperf-prune removes them" for each in self._stale
        ]
        if self._settings.history:
            notes += self._past()
        if self._results or notes:
            terminalreporter.write_sep("=", "loaderperf")
        for line in notes:
            terminalreporter.write_line(line)
        if not self._results:
            return
        summary = terminal.summary(self._results)
        if terminalreporter.verbosity < -1:
            terminalreporter.write_line(summary)
            return
        writer = self._config.get_terminal_writer()
        for lines in (
            terminal.table(self._results, lambda text, v: writer.markup(text, **_colors(v))),
            batch_sizes.lines(self._results, self._memory_limit),
            terminal.notes(self._results),
            terminal.noise(self._results),
            terminal.memory_sources(self._results),
        ):
            for line in lines:
                terminalreporter.write_line(line)
        terminalreporter.write_line(summary)

    @functools.cached_property
    def _accepted_so_far(self) -> Histories:
        """Reads each file's history once, for the terminal and for the report."""
        return Histories(self._root)

    def _past(self) -> list[str]:
        """The history of all selected checks, as text."""
        lines: list[str] = []
        try:
            for check in self._checks:
                lines += [*accepted.history_lines(check, self._accepted_so_far.of(check)), ""]
        except CheckoutError as error:
            lines.append(f"--loaderperf-history: {error}")
        return lines

    @functools.cached_property
    def _memory_limit(self) -> float:
        """What a loader may use, in bytes: the same in the terminal and in the results file."""
        return self._settings.memory_limit.of(Memory().available)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the baselines that are accepted, and the reports that are asked for."""
        try:
            self._accept()
        except StoreError as error:
            self._say(str(error))
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._only_looks and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        run = Run(
            results=self._results,
            plugin=__version__,
            machine=machine(),
            mode=self._references.mode,
            commits=self._references.commits,
            memory_limit=self._memory_limit,
        )
        files.write(
            run, self._settings, self._config.invocation_params.dir, self._histories, self._say
        )

    def _accept(self) -> None:
        """Show what is accepted, and write it: also after an interruption, what was measured."""
        acceptances = self._coordinator.accepted if self._coordinator else []
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and acceptances:
            reporter.write_sep("=", "accepting")
            for line in accepted.table(acceptances):
                reporter.write_line(line)
        for file in update.write(self._root, acceptances):
            self._say(f"written: {file}")

    def _histories(self) -> dict[str, History]:
        """The baselines of the checks over time, by node id; empty where git tells of none."""
        with contextlib.suppress(CheckoutError):
            past = self._accepted_so_far
            return {result.nodeid: past.of(result.nodeid) for result in self._results}
        return {}

    def pytest_unconfigure(self) -> None:
        """Leave no process and no worktree behind, also where Ctrl-C is pressed twice."""
        with uninterrupted():
            self._cleanup.close()

    def _show(self, text: str) -> None:
        if self._live is None:
            return
        if self._live.works:
            self._live.show(text)
        elif self._config.option.verbose > 0:
            self._say(text)

    def _clear(self) -> None:
        if self._live is not None:
            self._live.clear()

    def _say(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"loaderperf: {text}")
            reporter.flush()  # it may be all there is to see for minutes


def _colors(verdict: Verdict) -> dict[str, bool]:
    """How pytest's terminal shows a verdict, where it has colours."""
    if verdict.fails:
        return {"red": True, "bold": True}
    return {"yellow" if verdict is Verdict.INCONCLUSIVE else "green": True}


def _ini(config: pytest.Config, key: str) -> object:
    try:
        return config.getini(key)
    except (ValueError, TypeError, pytest.UsageError) as error:  # which, depends on the version
        raise SettingsError(f"ini {key}: {error}") from error


def _spec(item: Check, settings: RunSettings) -> Spec:
    module, _, key = item.nodeid.partition("::")
    check = settings.check.with_values(item.collected.settings, f"{item.nodeid}: loaderperf marker")
    sweep = f"{module}::{item.collected.sweep}" if item.collected.sweep else ""
    return Spec(
        nodeid=item.nodeid,
        module=module,
        key=key,
        batch_size=item.collected.batch_size,
        settings=check,
        sweep=sweep,
    )


def _is_whole(config: pytest.Config) -> bool:
    """Whether all tests of the project are collected, and none is left out."""
    option = config.option
    chosen = (
        option.keyword, option.markexpr, option.deselect, option.ignore, option.ignore_glob,
        getattr(option, "lf", False), getattr(option, "stepwise", False),
    )  # fmt: skip
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    in_root = config.invocation_params.dir.resolve() == config.rootpath.resolve()
    return in_root and not given and not any(chosen)


def _schedule(specs: Sequence[Spec]) -> Schedule:
    return Schedule([spec.settings.budget for spec in specs])
