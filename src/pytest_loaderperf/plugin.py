"""The pytest plugin: options, marker, fixtures and hooks; the work is done elsewhere.

Everything heavy is imported only for a run with ``--loaderperf``.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import LoaderPerfError, SettingsError
from .items import (
    ARGUMENTS,
    ARM,
    ENVIRONMENT,
    MARKER,
    NEEDS_OPTION,
    SEARCHED,
    declares,
    is_check,
    marker_arguments,
    take_parametrization,
)
from .options import BARE, LOOKS, OPTIONS, RUNS, Option
from .session import discovery
from .session.collection import CheckFile, SkippedFile, UnimportedCheck

if TYPE_CHECKING:
    from .arm.fixture import LoaderPerf
    from .arm.plugin import ArmPlugin
    from .data import DataFolder
    from .session.run import Session

SESSION = "loaderperf-session"  # the plugin object of a run with --loaderperf


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each with its ini twin."""
    group = parser.getgroup("loaderperf", "speed and memory of data loaders")
    for option in OPTIONS:
        if option.command_line:
            group.addoption(option.switch, dest=option.key, help=_help(option), **_action(option))
        if option.ini:
            kind = {"flag": "bool", "list": "args"}.get(option.kind, "string")
            parser.addini(option.key, option.help, type=kind, default=None)  # type: ignore[arg-type]


def _help(option: Option) -> str:
    return option.help.replace("%", "%%")


def _action(option: Option) -> dict[str, Any]:
    """How the command line takes an option; without it the value is None, of a mere flag False."""
    if option.flag:
        return {"action": "store_true", "default": None if option.ini else False}
    if option.kind in BARE:
        bare = BARE[option.kind]
        return {"nargs": "?", "const": bare, "default": None, "metavar": option.metavar}
    if option.kind == "maker":  # without a value it says what it needs
        return {"nargs": "?", "const": ":", "default": None, "metavar": option.metavar}
    return {"default": None, "metavar": option.metavar}


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Keep ``--loaderperf-update tests/perf`` from taking the path for an option's value.

    And keep the environment and the path as they are before a conftest of the working tree has
    added to them: that of another version must do so by itself.
    """
    early_config.stash[ENVIRONMENT] = dict(os.environ)
    early_config.stash[SEARCHED] = [*sys.path]
    early_config.stash[ARGUMENTS] = args
    valued = [option for option in OPTIONS if option.kind in BARE]
    bare = {option.switch: f"{option.switch}={BARE[option.kind]}" for option in valued}
    args[:] = [bare.get(argument, argument) for argument in args]


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the run itself where it is asked for.

    Last: both versions get the options as other plugins have settled them, such as a random seed.
    """
    config.addinivalue_line(
        "markers",
        "loaderperf(batch_sizes=, metrics=, budget=, throughput=, peak_memory=, ...): a loader "
        "check; batch_sizes parametrizes the argument batch_size",
    )
    asked = any(config.getoption(name) for name in (*RUNS, *LOOKS))
    if not asked or config.pluginmanager.has_plugin(ARM):
        return
    for option in OPTIONS:
        others = [next(o for o in OPTIONS if o.name == name) for name in option.excludes]
        if config.getoption(option.key, None) and any(
            config.getoption(each.key) for each in others
        ):
            *first, last = [each.switch for each in others]
            raise pytest.UsageError(
                f"{option.switch} {option.nature}: leave out {', '.join(first)} and {last}"
            )
    if config.getoption("numprocesses", None) or config.getoption("tx", None):
        raise pytest.UsageError(
            "--loaderperf cannot run under xdist (-n): checks that run at once measure each other. "
            "Add -n 0, also where the ini file or PYTEST_ADDOPTS has -n: pytest --loaderperf -n 0"
        )
    covers = config.getoption("cov_source", None) and not config.getoption("no_cov", False)
    if covers and config.getoption("cov_fail_under", None):
        raise pytest.UsageError(
            "--loaderperf runs no tests but checks, and these in processes that nothing traces: no "
            "coverage would reach --cov-fail-under. Add --no-cov: pytest --loaderperf --no-cov"
        )
    from .session.run import Session  # noqa: PLC0415

    try:
        Session(config).register(config.pluginmanager, SESSION)
    except LoaderPerfError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> Generator[None, object, object]:
    """Collect test modules with checks without importing them."""
    made = yield
    manager = parent.config.pluginmanager
    if manager.has_plugin(ARM):
        return made
    session: Session | None = manager.get_plugin(SESSION)
    if session is not None:
        root = parent.config.rootpath
        mentions = discovery.read(module_path).mentions
        holds = mentions or discovery.conftest_mentions(module_path, root)
        return session.collecting.check_file(module_path, parent) if holds else made
    if not _has_usual_names(parent.config):
        return made
    if any("::" in argument for argument in parent.config.args):
        return made  # only an imported file knows its tests by their full names
    written = discovery.read(module_path).written
    if written is None:
        return made
    file: SkippedFile = SkippedFile.from_parent(parent, path=module_path)
    file.written = written
    return file


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(parent: pytest.Collector) -> Generator[None, list[object], list[object]]:
    """Leave what is no check to a run without ``--loaderperf``, such as doctests."""
    collectors = yield
    if not parent.config.pluginmanager.has_plugin(SESSION):
        return collectors
    return [each for each in collectors if isinstance(each, CheckFile)]


def _has_usual_names(config: pytest.Config) -> bool:
    """Whether tests are named as the reader of test files knows it."""
    names = config.getini("python_functions"), config.getini("python_classes")
    return names == (["test"], ["Test"])


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize ``batch_size`` as the marker says, or what a sweep is over as that does."""
    definition = metafunc.definition
    sweep = is_check(definition) and metafunc.config.getoption("loaderperf_sweep")
    if not sweep and definition.get_closest_marker(MARKER) is None:
        return
    from .model.parameters import sweep_axes  # noqa: PLC0415
    from .settings import batch_sizes  # noqa: PLC0415

    try:
        sizes = batch_sizes(marker_arguments(definition))
    except SettingsError as error:
        raise pytest.UsageError(f"{definition.nodeid}: {error}") from None
    axes = sweep_axes(sweep) if sweep else ()
    if axes and all(declares(definition, metafunc.fixturenames, axis.name) for axis in axes):
        for axis in axes:
            take_parametrization(definition, axis.name)
            # Fixtures of any scope may ask for it.
            metafunc.parametrize(axis.name, axis.values, scope="session")
        if "batch_size" in [axis.name for axis in axes]:
            return
    if not sizes:
        return
    if "batch_size" not in metafunc.fixturenames:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: the marker gives batch_sizes, but neither the test nor "
            "one of its fixtures has an argument batch_size"
        )
    metafunc.parametrize("batch_size", sizes)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip checks in a run without ``--loaderperf``."""
    if config.pluginmanager.has_plugin(ARM) or config.pluginmanager.has_plugin(SESSION):
        return
    for item in items:
        if not isinstance(item, UnimportedCheck) and is_check(item):
            item.add_marker(pytest.mark.skip(reason=NEEDS_OPTION))


@pytest.fixture
def loaderperf(request: pytest.FixtureRequest) -> LoaderPerf:
    """Measures a loader and judges it; called once in a test."""
    arm: ArmPlugin | None = request.config.pluginmanager.get_plugin(ARM)
    if arm is None:
        pytest.skip(NEEDS_OPTION)
    return arm.handle()


@pytest.fixture(scope="session")
def loaderperf_data(request: pytest.FixtureRequest) -> DataFolder:
    """A folder that is built once and reused by later runs: ``loaderperf_data(name, build)``."""
    arm: ArmPlugin | None = request.config.pluginmanager.get_plugin(ARM)
    project = request.config.rootpath
    if arm is not None:
        return functools.partial(arm.data_folder, project)
    from . import data  # noqa: PLC0415

    return lambda name, build: data.folder(data.root(project), name, build, project)[0]
