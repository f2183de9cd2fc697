"""The plugin object that collects checks, and looks for baselines whose tests have gone."""

from __future__ import annotations

import math
import shlex
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from ..baselines import update
from ..baselines.update import Stale
from ..check.state import Spec
from ..errors import SettingsError, StoreError
from ..model.parameters import titled
from ..model.shards import Shard
from ..protocol.messages import Collected
from ..settings import RunSettings
from ..shards import balance
from .collection import Check, CheckFile
from .progress import Schedule
from .resources import Resources

_AHEAD = 2  # modules that are imported at a time: more would need more memory at once


class Collecting:
    """Hooks of the collection; ``checks`` are the node ids of all that were selected."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._collected: dict[str, set[str]] = {}  # by module
        self._waiting: list[str] = []  # modules that are going to be collected, in order
        arguments = resources.config.args
        self._names_files = any("::" in each or each.endswith(".py") for each in arguments)
        self._usage_error = ""
        self.checks: list[str] = []
        self.selection: list[Check] = []  # all that a run is to measure, or its shards together
        self.stale: list[Stale] = []
        self._failed = False  # whether something could not be collected

    @property
    def has_none(self) -> bool:
        """Whether there is no check to select from, and nothing that may be one."""
        return not self._failed and not any(self._collected.values())

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Heed what cannot be collected: it may hold checks."""
        self._failed |= report.failed

    def check_file(self, path: Path, parent: pytest.Collector) -> CheckFile:
        """The node of a file that may hold checks."""
        node: CheckFile = CheckFile.from_parent(parent, path=path)
        node.collect_in_arm = self._collect
        if not self._names_files:
            self._waiting.append(node.nodeid)
        return node

    def _collect(self, module: str) -> Collected:
        collected = None
        arms, candidate = self._resources.arms, self._resources.candidate
        try:
            arm = arms.get(candidate, module)
            if module in self._waiting:  # with the next one, which imports meanwhile
                self._waiting.remove(module)
                for following in self._waiting[: _AHEAD - 1]:
                    arms.get(candidate, following)
            collected = arm.collected
        finally:
            if collected is None or not collected.checks:
                arms.drop(candidate, module)
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
        whole = _is_whole(self._resources.config) and not session.testsfailed
        self.stale = update.find_stale(self._resources.root, self._collected, whole=whole)
        if self._resources.config.option.loaderperf_prune and not session.testsfailed:
            self._prune(whole=whole)
        checks = [item for item in items if isinstance(item, Check)]
        self.checks = [item.nodeid for item in checks]
        run = [] if self._resources.only_looks else checks
        if self._resources.settings.sweep:
            run = [check for check in run if check.collected.parameters]
            if checks and not run:
                names = titled([axis.name for axis in self._resources.settings.sweep])
                raise pytest.UsageError(
                    f"--loaderperf-sweep: no check has the parameter {names}: give the test, or a "
                    "fixture that it uses, an argument of that name, which no mark of its class, "
                    "of several parameters or with indirect= sets"
                )
        if getattr(self._resources.config.option, "benchmark_only", False):
            run = [check for check in run if check.collected.benchmark]
        self.selection = run
        if self._resources.settings.shard is not None and run:
            run = self._own(run, self._resources.settings.shard)
        others = [item for item in items if item not in run]
        if others:
            self._resources.config.hook.pytest_deselected(items=others)
            items[:] = run

    def _own(self, selection: list[Check], shard: Shard) -> list[Check]:
        """Those of some checks that a shard measures; the arms of the others end."""
        seconds: dict[str, float] | None = {}
        try:
            if file := self._resources.settings.shard_times:
                path = self._resources.config.invocation_params.dir / file
                seconds = balance.seconds_in(path)
                if seconds is None:
                    self._resources.say(
                        f"--loaderperf-shard-times={file} does not exist: each shard gets about as "
                        "many checks"
                    )
            own = balance.own([each.nodeid for each in selection], seconds or {}, shard)
        except SettingsError as error:
            raise pytest.UsageError(str(error)) from None
        nodes, modules = {*own}, {*map(balance.module_of, own)}
        for module in self._collected.keys() - modules:
            self._resources.arms.drop(self._resources.candidate, module)
        return [each for each in selection if each.nodeid in nodes]

    def _prune(self, *, whole: bool) -> None:
        if not whole:
            raise pytest.UsageError(
                "--loaderperf-prune needs a complete collection, to know which tests exist: leave "
                "out paths, -k, -m, --deselect, --ignore and --lf, and start it in the root "
                f"folder: cd {shlex.quote(str(self._resources.root))} && pytest --loaderperf-prune"
            )
        for each in self.stale:
            try:
                update.prune(each)
            except StoreError as error:
                raise pytest.UsageError(str(error)) from None
            self._resources.say(f"removed from {each.describe(self._resources.root)}")
        self.stale = []

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> str | list[str]:
        """Say what the run is in for."""
        option = self._resources.config.option
        if option.collectonly or option.verbose < 0:
            return []
        settings = self._resources.settings
        plan = schedule(specs(items, settings), settings).plan
        if settings.shard is not None:
            return f"loaderperf: shard {settings.shard}, {plan}, of {len(self.selection)} in all"
        return f"loaderperf: {plan}"


def specs(items: Sequence[pytest.Item], settings: RunSettings) -> list[Spec]:
    """What is asked of the checks among some items."""
    return [spec_of(item, settings) for item in items if isinstance(item, Check)]


def schedule(checks: Sequence[Spec], settings: RunSettings) -> Schedule:
    """How long they may take; that of a search depends on what it finds."""
    searches = settings.bisect is not None or settings.blame
    return Schedule([math.inf if searches else spec.settings.budget for spec in checks])


def spec_of(item: Check, settings: RunSettings) -> Spec:
    """What is asked of a check. SettingsError where its marker makes no sense."""
    module, _, key = item.nodeid.partition("::")
    check = settings.check.with_values(item.collected.settings, f"{item.nodeid}: loaderperf marker")
    sweep = f"{module}::{item.collected.sweep}" if item.collected.sweep else ""
    return Spec(
        nodeid=item.nodeid,
        module=module,
        key=key,
        parameters=item.collected.parameters,
        settings=check,
        sweep=sweep,
        names=tuple(name.partition("[")[0] for name in item.collected.names),
        benchmark=item.collected.benchmark,
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
