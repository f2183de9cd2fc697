"""The configuration of a run as its arms get it, which are runs of pytest as well."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from .. import data
from ..baselines.reference import Configuration
from ..child.loaderperf_exchange import is_installed
from ..errors import SettingsError
from ..items import ARGUMENTS, ENVIRONMENT, SEARCHED
from ..settings import RunSettings
from ..supervisor.launch import Launch
from ..versions.sources import Sources

# Options of the coordinator's pytest that would make an arm select, report or stop differently, or
# trace what it measures.
_NOT_FOR_ARMS: dict[str, object] = {
    "keyword": "", "markexpr": "", "deselect": None, "lf": False, "failedfirst": False,
    "newfirst": False, "stepwise": False, "maxfail": 0, "collectonly": False, "usepdb": False,
    "trace": False, "xmlpath": None, "durations": None, "capture": "no", "basetemp": None,
    "cov_source": [], "testmon": False, "memray": False, "profile": False,
    "report_log": None, "allure_report_dir": None, "clean_alluredir": False, "htmlpath": None,
    "json_report": False,
    "setuponly": False, "setupshow": False, "setupplan": False, "showfixtures": False,
    "show_fixtures_per_test": False, "pastebin": None, "log_file": None, "debug": None,
    "loaderperf": False, "loaderperf_update": None, "loaderperf_prune": False,
    "loaderperf_init": None,
    "benchmark_autosave": None, "benchmark_save": None, "benchmark_save_data": False,
    "benchmark_compare": None, "benchmark_compare_fail": None, "benchmark_histogram": None,
    "benchmark_disable": True, "benchmark_enable": False, "benchmark_only": False,
}  # fmt: skip


def arm_launch(
    config: pytest.Config, root: Path, settings: RunSettings, scratch: Path, sources: Sources
) -> Launch:
    """The configuration of the run, as far as it is plain data."""
    options = {name: value for name, value in vars(config.option).items() if _is_plain(value)}
    del options["file_or_dir"]
    searched = config.stash.get(SEARCHED, sys.path)
    return Launch(
        root=root,
        invocation_dir=config.invocation_params.dir.resolve(),
        ini_file=config.inipath.resolve() if config.inipath else None,
        options={**options, **_NOT_FOR_ARMS},
        typed=_typed(config),
        environment=config.stash.get(ENVIRONMENT, dict(os.environ)),
        sys_path=[_resolved(path) for path in searched if path],
        more_path=[_resolved(path) for path in sys.path if path and path not in searched],
        data_root=data.root(root),
        scratch=scratch,
        sources=sources,
        fresh={"auto": None, "fork": False, "fresh": True}[settings.trials],
        timeout=settings.timeout,
    )


def _resolved(entry: str) -> str:
    """A folder on the path without links; what is none, as a hook of setuptools, stays."""
    return str(Path(entry).resolve()) if Path(entry).exists() else entry


def configuration(config: pytest.Config, root: Path) -> Configuration:
    """What an old commit may lack of the configuration of this run."""
    names = [*config.option.plugins, *os.environ.get("PYTEST_PLUGINS", "").split(",")]
    files = [getattr(sys.modules.get(name.strip()), "__file__", None) for name in names]
    plugins = [Path(file).resolve() for file in files if file]
    inside = [each for each in plugins if each.is_relative_to(root) and not is_installed(each)]
    ini_file = config.inipath.resolve() if config.inipath else None
    return Configuration(ini_file=ini_file, plugins=tuple(inside))


def _typed(config: pytest.Config) -> dict[str, list[str]]:
    """Options whose values are no plain data, such as paths, as the command line gave them.

    Arms convert them as the run's own pytest did, each with the types of its version.
    """
    values = vars(config.option).items()
    parser: Any = getattr(config._parser, "optparser")  # noqa: B009  (no part of its types)
    actions = {each.dest: each for each in parser._actions}
    dests = [name for name, value in values if name in actions and not _is_plain(value)]
    if not dests:
        return {}
    given = [*map(os.fspath, config.stash.get(ARGUMENTS, config.invocation_params.args))]
    kept = [(actions[name], actions[name].type, actions[name].choices) for name in dests]
    try:
        for action, _, _ in kept:
            action.type = action.choices = None
        texts = vars(parser.parse_known_args(given)[0])
    finally:
        for action, kind, choices in kept:
            action.type, action.choices = kind, choices
    typed = {}
    for name in dests:
        action, text = actions[name], texts[name]
        if text is action.default:  # not given: arms have the default of their version
            continue
        if not _is_plain(text):
            raise SettingsError(
                f"{action.option_strings[0]}: {vars(config.option)[name]!r} cannot be handed to "
                "the processes that measure. Have the option convert its text by type=, not action="
            )
        typed[name] = _arguments(action, text)
    return typed


def _arguments(action: Any, text: Any) -> list[str]:
    """What to write on a command line for an option to have been given these texts."""
    name = action.option_strings[0]
    several = action.nargs not in (None, "?")
    if not isinstance(text, list):
        return [f"{name}={text}"]
    if not several:  # given again and again
        return [f"{name}={each}" for each in text]
    groups = text if text and isinstance(text[0], list) else [text]
    return [each for group in groups for each in (name, *group)]


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
