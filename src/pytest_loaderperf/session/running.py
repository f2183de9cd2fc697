"""The plugin object that runs checks, and reports them as the tests that they are."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
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
from . import pytest_benchmark, pytest_reports
from .collecting import Collecting, schedule, spec_of, specs
from .collection import Check
from .progress import LiveLine, Schedule
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
        self.rule = Rule()
        self.results: list[CheckResult] = []
        self.own: list[str] = []
        self.ended: list[str] = []

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
        if self._resources.reporter is not None:
            self._live = LiveLine(session.config.get_terminal_writer())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Run a check, and report it as the test that it is."""
        if not isinstance(item, Check):
            return None
        assert self._coordinator is not None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        spec = spec_of(item, self._resources.settings)
        started = time.monotonic()
        now = self._schedule.now
        try:
            outcome = self._coordinator.check(
                spec, lambda news: self._show(f"{spec.key}: {news} ({now})")
            )
        finally:
            self._clear()
        self._schedule.ended(time.monotonic() - started)
        self.ended.append(item.nodeid)
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
        reports = [
            pytest_reports.restored(self._resources.config, fields) for fields in outcome.reports
        ]
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
            self.results.append(result)
            told = properties(result)
            for each in reports:
                each.user_properties += told
        return reports

    def _show(self, text: str) -> None:
        if self._live is None:
            return
        if self._live.works:
            self._live.show(text)
        elif self._resources.config.option.verbose > 0:
            self._resources.say(text)

    def _clear(self) -> None:
        if self._live is not None:
            self._live.clear()
