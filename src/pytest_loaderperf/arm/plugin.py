"""A pytest process that collects one module once, then forks a trial for each request.

It depends on its channel for everything: when the coordinator is gone the arm ends its trials and
itself.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import socket
import sys
import traceback
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from _pytest import runner

from .. import data
from ..child import loaderperf_allocations, loaderperf_stacks
from ..errors import ArmError, LoaderPerfError, SettingsError
from ..items import (
    BENCHMARK,
    is_check,
    marker_arguments,
    names_below_module,
    parameters_of,
    sweep_of,
)
from ..loaders.kinds import kinds
from ..model.parameters import sweep_axes
from ..protocol.channel import Channel, ChannelClosed
from ..protocol.messages import (
    Begin,
    Collected,
    CollectedCheck,
    Ended,
    Finished,
    Reap,
    Setup,
    Started,
    StartTrial,
)
from ..reports.explain import explain
from ..settings import CheckSettings, batch_sizes
from ..system import packages, process_tree, signals
from ..system.files import new_file, tail
from . import forking, isolation
from .diagnostics import as_json, flush, register, shipped, silence
from .fixture import Conversation, LoaderPerf
from .perf import Measured
from .variants import Ratio

if TYPE_CHECKING:
    from ..child.loaderperf_sources import Ledger

_SHOWN_FRAMES = 4  # of what ends a trial: the last ones lie in the test, the others in pytest


class ArmPlugin:
    """The pytest plugin that takes over the run loop of this process."""

    def __init__(self, channel: Channel, setup: Setup) -> None:
        self._channel = channel
        self._setup = setup
        self._imported = frozenset(sys.modules)  # which no test has asked for
        self._errors: list[str] = []
        self._usage_error = ""
        self._trials: set[int] = set()
        self._conversation: Conversation | None = None
        self._reports: list[pytest.TestReport] = []
        self._benchmark: dict[str, object] = {}  # what the test has set of its benchmark

    def handle(self) -> LoaderPerf:
        """What the fixture ``loaderperf`` is, inside a trial."""
        assert self._conversation is not None
        return LoaderPerf(self._conversation)

    def data_folder(self, project: Path, name: str, build: data.Build) -> Path:
        """What the fixture ``loaderperf_data`` does: both versions share one folder."""
        path, built = data.folder(Path(self._setup.data_root), name, build, project)
        if self._conversation is not None:
            self._conversation.built_data |= built
        return path

    # --- collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Collect one module, also where pytest's argument is a folder around it."""
        module = Path(self._setup.module)
        return None if module.is_relative_to(collection_path) else True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what went wrong, for the coordinator to report."""
        if report.failed:
            self._errors.append(str(report.longrepr))

    def pytest_exception_interact(self, call: pytest.CallInfo[object]) -> None:
        """Tell a usage error from a broken module, and misuse of this package from other bugs."""
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, pytest.UsageError):
            self._usage_error = self._usage_error or str(error)
        if self._conversation is not None:
            self._conversation.misused |= isinstance(error, LoaderPerfError)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Keep all tests: whatever plugin selects some has done so in the coordinator."""
        collected = [*items]
        yield
        items[:] = [*collected, *(item for item in items if item not in collected)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Serve trials instead of running tests."""
        items = {item.nodeid: item for item in session.items if is_check(item)}
        _record().sweep()
        self._channel.send(self._collected(list(items.values())))
        _ = list(kinds())  # imported once, for all trials
        # What is alive now stays: a collection in a trial would write to every object's header
        # and so copy pages that are shared with this process.
        gc.collect()
        gc.freeze()
        try:
            self._serve(items)
        except ChannelClosed:
            for pid in self._trials:
                signals.end(pid)
            os._exit(0)
        return True

    def _collected(self, items: list[pytest.Item]) -> Collected:
        if self._usage_error or self._errors:
            text = self._usage_error or self._errors[0]
            return failed(text, usage=bool(self._usage_error))
        try:
            checks = [_check(item) for item in items]
        except SettingsError as error:
            return failed(str(error), usage=True)
        return Collected(
            checks=checks,
            error="",
            usage_error=False,
            versions=packages.versions(self._imported),
            fork_hazard="" if self._setup.fresh else forking.hazard(),
        )

    # --- trials

    def _serve(self, items: Mapping[str, pytest.Item]) -> None:
        while True:
            message, descriptors = self._channel.receive_with_descriptors()
            if isinstance(message, StartTrial):
                self._start(items[message.nodeid], message, descriptors)
            elif isinstance(message, Reap):
                _, status = os.waitpid(message.pid, 0)
                self._trials.discard(message.pid)
                self._channel.send(Ended(status=os.waitstatus_to_exitcode(status)))
            else:
                raise ArmError(f"not for an arm: {message}")

    def _start(self, item: pytest.Item, start: StartTrial, descriptors: Sequence[int]) -> None:
        log, output = new_file("trial")
        if self._setup.fresh:
            self._channel.send(Started(pid=os.getpid(), output=output))
            self._run(item, start, descriptors, log, output)
        pid = os.fork()
        if pid == 0:
            self._channel.close()
            os.setsid()
            signals.die_with_parent()
            self._run(item, start, descriptors, log, output)
        for each in descriptors:
            os.close(each)
        os.close(log)
        self._trials.add(pid)
        self._channel.send(Started(pid=pid, output=output))

    def _run(
        self,
        item: pytest.Item,
        start: StartTrial,
        descriptors: Sequence[int],
        log: int,
        output: str,
    ) -> NoReturn:
        """Be a trial: run the test with pytest's own runner, report, and end the process."""
        status = 1
        try:
            _record().turn_to(start.ran)
            if start.port:
                os.environ["MASTER_PORT"] = str(start.port)
            flush()
            os.dup2(log, 1)
            os.dup2(log, 2)
            faulthandler.enable()
            register(log)
            for each in descriptors:
                os.set_inheritable(each, False)
            silence(item.config)
            own, *links = (socket.socket(fileno=each) for each in descriptors)
            channel = Channel(own)
            begin = channel.receive(Begin)
            process_tree.join(os.getpid(), begin.others)
            if begin.result is None:
                isolation.settle(keep=begin.timed or bool(begin.copies))
            if begin.watched:
                _record().watch()
            if begin.stacks:
                loaderperf_stacks.start(begin.stacks)
            if begin.allocations:  # entered here, where nothing returns
                loaderperf_allocations.tracking(begin.allocations).__enter__()
            if begin.copies:
                from ..child import loaderperf_copies  # noqa: PLC0415  (few trials need it)

                loaderperf_copies.start(begin.copies)
            self._conversation = test = Conversation(channel, begin, self._setup, links)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            flush()
            printed = tail(output)
            reports = [shipped(item, report, printed) for report in self._reports]
            failure = next((r.longreprtext for r in self._reports if not r.passed), "")
            _record().sweep()
            channel.send(
                Finished(
                    reports=reports,
                    text=failure,
                    asserted=test.asserted,
                    used=test.used,
                    misused=test.misused,
                    benchmark=as_json(self._benchmark),
                )
            )
            status = 0
        except ChannelClosed as closed:
            with contextlib.suppress(Exception):
                print(f"no channel to the run: {closed}", file=sys.stderr)
        except BaseException:  # noqa: BLE001  (the process ends here whatever happened)
            traceback.print_exc(limit=-_SHOWN_FRAMES)
        finally:
            flush()
            os._exit(status)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test once, whatever other plugins do with those that fail.

        They hear of no report here: a trial is no test, and the coordinator logs its reports.
        """
        reports = runner.runtestprotocol(item, log=False, nextitem=nextitem)
        # That the test was cut short, which pytest takes for a failure, is none.
        cut = "call" if self._conversation is not None and self._conversation.unwound else ""
        self._reports = [report for report in reports if report.when != cut]
        return True

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self) -> bool:
        """Keep pytest-timeout from ending a trial: it counts the time of its suspension."""
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail a test whose verdict fails, if no assertion of its own has failed before."""
        try:
            outcome = yield
        finally:
            self._benchmark = _settle_benchmark(item)
        if self._conversation is not None:
            failure = self._conversation.failure()
            if failure is not None:
                pytest.fail("\n".join(explain(failure)), pytrace=False)
        return outcome

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Explain a false comparison of a metric, or of a ratio."""
        if isinstance(left, Measured | Ratio):
            return left.explain(op, right)
        if isinstance(right, Measured | Ratio):
            return right.explain({">=": "<=", "<=": ">=", ">": "<", "<": ">"}.get(op, op), left)
        return None


def _record() -> Ledger:
    """What this process writes down; ``sitecustomize`` has begun it, before anything was run."""
    # The module as that has imported it, which is not the one of this package.
    record: Ledger | None = getattr(sys.modules.get("loaderperf_sources"), "record", None)
    if record is None:
        raise ArmError(
            f"{sys.executable} has not started what shows which files are run: it must heed "
            "PYTHONPATH and import sitecustomize"
        )
    return record


def _settle_benchmark(item: pytest.Item) -> dict[str, object]:
    """Spare a check's benchmark, which is disabled in an arm, the warning that nobody used it.

    Returns what the test has set of it.
    """
    benchmark = getattr(item, "funcargs", {}).get(BENCHMARK)
    if benchmark is None or not type(benchmark).__module__.startswith("pytest_benchmark"):
        return {}
    with contextlib.suppress(Exception):  # it was used, which is as well
        benchmark.pedantic(lambda: None)
    return {"group": benchmark.group, "extra_info": benchmark.extra_info}


def _check(item: pytest.Item) -> CollectedCheck:
    arguments = marker_arguments(item)
    batch_sizes(arguments)
    settings = {name: value for name, value in arguments.items() if name != "batch_sizes"}
    CheckSettings().with_values(settings, f"{item.nodeid}: loaderperf marker")
    sweep = str(item.config.getoption("loaderperf_sweep") or "")
    parameters = parameters_of(item, sweep_axes(sweep) if sweep else ())
    return CollectedCheck(
        names=names_below_module(item),
        location=item.location,
        keywords=sorted(item.listextrakeywords()),
        attributes=sorted(getattr(getattr(item, "function", None), "__dict__", ())),
        fixturenames=list(getattr(item, "fixturenames", ())),
        markers=[
            (m.name, list(m.args), dict(m.kwargs)) for m in item.iter_markers() if _is_json(m)
        ],
        settings=settings,
        parameters=parameters,
        sweep=sweep_of(item, parameters) if parameters else "",
        benchmark=BENCHMARK in getattr(item, "fixturenames", ()),
    )


def _is_json(marker: pytest.Mark) -> bool:
    try:
        json.dumps([marker.args, marker.kwargs])
    except (TypeError, ValueError):
        return False
    return True


def failed(error: str, *, usage: bool) -> Collected:
    """What to answer where the tests cannot be collected."""
    return Collected(checks=[], error=error, usage_error=usage, versions={}, fork_hazard="")
