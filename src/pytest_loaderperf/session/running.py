"""The plugin object that runs checks, and reports them as the tests that they are."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ..baselines.update import Acceptance
from ..check.runner import Coordinator, Outcome
from ..errors import InconclusiveWarning
from ..model.results import CheckResult, Verdict
from ..reports import explain
from ..reports.forges.junit import properties
from ..stats.sequential import Rule
from ..system.files import machine_lock
from . import pytest_benchmark
from .collecting import Collecting, schedule, spec_of, specs
from .collection import Check
from .progress import LiveLine, Rows, Schedule, screen_of, told
from .resources import Resources


class Running:
    """Hooks of the run loop; ``results`` are those of all checks that have ended.

    ``own`` are the node ids of those that are to be run, and ``ended`` of those that were, with
    those that were skipped.
    """

    def __init__(
        self, resources: Resources, collecting: Collecting, cleanup: contextlib.ExitStack
    ) -> None:
        self._resources = resources
        self._collecting = collecting
        self._cleanup = cleanup
        self._coordinator: Coordinator | None = None
        self._schedule = Schedule([])
        self._live: LiveLine | None = None
        self._rows: Rows | None = None
        self.rule = Rule()
        self.results: list[CheckResult] = []
        self.own: list[str] = []
        self.ended: list[str] = []
        self.marked: set[str] = set()  # checks whose marker has their budget

    @property
    def budget(self) -> float:
        """The largest that a check has (s)."""
        return self._schedule.largest

    @property
    def accepted(self) -> Sequence[Acceptance]:
        """What the checks so far have accepted."""
        return self._coordinator.accepted if self._coordinator else ()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Get ready to measure; pytest's own loop follows."""
        if session.config.option.collectonly or not session.items:
            return
        self._cleanup.enter_context(machine_lock(self._resources.say))
        checks = specs(session.items, self._resources.settings)
        self.own = [spec.nodeid for spec in checks]
        # Of all shards: alpha is that of the run which they make.
        everything = specs(self._collecting.selection, self._resources.settings)
        self.rule = Rule.for_metrics(sum(len(spec.settings.metrics) for spec in everything))
        coordinator = self._coordinator = Coordinator(
            self._resources.arms,
            self._resources.references,
            self._resources.candidate,
            self._resources.sources,
            self._resources.settings,
            self.rule,
            [str(each) for each in session.config.invocation_params.args],
        )
        # What has changed comes first: whoever waits sees the news at once. The order stays else.
        identical = {spec.nodeid for spec in checks if coordinator.is_identical(spec)}
        session.items.sort(key=lambda item: item.nodeid in identical)
        measured = [spec for spec in checks if spec.nodeid not in identical]
        self._schedule = schedule(measured, self._resources.settings)
        found = [each for each in session.items if isinstance(each, Check)]
        self.marked = {each.nodeid for each in found if "budget" in each.collected.settings}
        if self._resources.reporter is not None:
            self._live = LiveLine(session.config.get_terminal_writer())
            screen = screen_of(session.config)
            self._rows = Rows(self._resources.reporter, screen, [spec.key for spec in measured])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Run a check, and report it as the test that it is."""
        if not isinstance(item, Check):
            return None
        assert self._coordinator is not None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        spec = spec_of(item, self._resources.settings)
        started = time.monotonic()
        try:
            outcome = self._coordinator.check(
                spec, lambda news: self._show(spec.key, news, time.monotonic() - started)
            )
        finally:
            self._clear()
        self._schedule.ended(time.monotonic() - started)
        self.ended.append(item.nodeid)
        reports = self._reports(item, outcome)
        if self._rows is not None:
            self._rows.begin(outcome.result)
        for each in reports:
            item.ihook.pytest_runtest_logreport(report=each)
        if self._rows is not None:
            self._rows.end(outcome.result)
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
        reports = [_restored(self._resources.config, fields) for fields in outcome.reports]
        if result is not None and not reports:
            reports = [_report(item, result.outcome, _text(result), result.seconds)]
        elif result is not None and result.verdict is Verdict.INCONCLUSIVE:
            text = explain.warning(result)
            try:
                item.warn(InconclusiveWarning(text))
            except InconclusiveWarning:  # the project turns warnings into errors
                result = replace(result, outcome="failed")
                failure = _report(item, "failed", text, result.seconds)
                reports = [failure if each.when == "call" else each for each in reports]
        if result is not None:
            if pytest_benchmark.wanted(item):
                reports += pytest_benchmark.replay(item, result, outcome.benchmark)
            self.results.append(result)
            told = properties(result)
            for each in reports:
                each.user_properties += told
        return reports

    def _show(self, name: str, news: str, elapsed: float) -> None:
        if self._live is None:
            return
        texts = told(self._schedule, name, news, elapsed)
        if self._live.works:
            self._live.show(*texts)
        elif self._resources.config.option.verbose > 0:
            self._resources.say(texts[0])

    def _clear(self) -> None:
        if self._live is not None:
            self._live.clear()


def _text(result: CheckResult) -> str:
    """Why a check failed that has no reports of its own."""
    failed = result.verdict is Verdict.ERROR
    return "\n".join(explain.explain(result)) if failed else result.message


def _restored(config: pytest.Config, fields: Mapping[str, object]) -> pytest.TestReport:
    """A report as the trial's pytest made it: JSON has made lists of its tuples."""
    report: pytest.TestReport = config.hook.pytest_report_from_serializable(
        config=config, data=dict(fields)
    )
    if isinstance(report.longrepr, list):  # where a test was skipped, and why
        path, line, reason = report.longrepr
        report.longrepr = path, line, reason
    return report


def _report(item: Check, outcome: str, message: str, seconds: float) -> pytest.TestReport:
    """The report of a check that has no reports of its own."""
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="passed" if outcome == "passed" else "failed",
        longrepr=None if outcome == "passed" else message,
        when="call",
        duration=seconds,
    )
