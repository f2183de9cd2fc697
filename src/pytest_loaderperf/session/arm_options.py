"""The configuration of a run as its arms get it, which are runs of pytest as well."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from .. import data
from ..baselines.reference import Configuration
from ..child.loaderperf_exchange import is_installed
from ..items import ENVIRONMENT
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
    "setuponly": False, "setupshow": False, "setupplan": False,
    "loaderperf": False, "loaderperf_update": None, "loaderperf_prune": False,
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
    return Launch(
        root=root,
        invocation_dir=config.invocation_params.dir.resolve(),
        ini_file=config.inipath.resolve() if config.inipath else None,
        options={**options, **_NOT_FOR_ARMS},
        environment=config.stash.get(ENVIRONMENT, dict(os.environ)),
        sys_path=[_resolved(path) for path in sys.path if path],
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


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
