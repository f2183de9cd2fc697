"""What a run has at hand: its settings, the versions to compare, and the processes that measure."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..baselines.reference import References, interpreter
from ..environments.making import Environments
from ..errors import SettingsError
from ..model.version import Version
from ..options import RUNS
from ..reports.console.todo import Shell
from ..settings import RunSettings
from ..supervisor.arms import Arms
from ..system.files import temporary_place
from ..versions.project import Project
from ..versions.sources import Sources
from .arm_options import arm_launch, configuration


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the plugin objects of a run share; ``candidate`` is the working tree at ``root``."""

    config: pytest.Config
    settings: RunSettings
    root: Path
    candidate: Version
    references: References
    sources: Sources
    arms: Arms

    @classmethod
    def opened(cls, config: pytest.Config, cleanup: contextlib.ExitStack) -> Resources:
        """Those of a run, which ``cleanup`` closes. LoaderPerfError for settings without sense."""
        settings = RunSettings.read(
            lambda key: config.getoption(key, None), lambda key: _ini(config, key)
        )
        root = config.rootpath.resolve()
        # One folder for all that is temporary: worktrees, logs, what loaders leave behind.
        folder = tempfile.TemporaryDirectory(
            prefix="lp-", dir=temporary_place(), ignore_cleanup_errors=True
        )
        scratch = Path(cleanup.enter_context(folder)).resolve()
        sources = Sources(lambda: Project.find(root), scratch)
        environments = Environments(
            root,
            interpreter(settings.baseline_python),
            lambda: sources.project.distributions,
            lambda text: say(config, text),
        )
        references = References(root, settings, scratch, configuration(config, root), environments)
        cleanup.callback(references.close)
        arms = Arms(arm_launch(config, root, settings, scratch, sources), settings.memory_limit)
        cleanup.callback(arms.close)
        return cls(
            config=config,
            settings=settings,
            root=root,
            candidate=Version(root=root),
            references=references,
            sources=sources,
            arms=arms,
        )

    @property
    def only_looks(self) -> bool:
        """Whether nothing is to be measured."""
        return not any(getattr(self.config.option, name) for name in RUNS)

    @property
    def shell(self) -> Shell:
        """Where the commands are typed that a run tells."""
        return shell(self.config, git=self.references.repository is not None)

    @property
    def reporter(self) -> pytest.TerminalReporter | None:
        """What writes to the terminal, if anything does."""
        return _reporter(self.config)

    def say(self, text: str) -> None:
        """Write a line of this plugin to the terminal."""
        say(self.config, text)


def shell(config: pytest.Config, *, git: bool = True) -> Shell:
    """Where the commands are typed that a run tells."""
    # Of a project without any settings pytest takes the folder of what is named for the root.
    settled = config.inipath is not None or (config.rootpath / "setup.py").exists()
    return Shell(
        program=program(),
        relative=functools.partial(relative, config),
        root="" if settled else f"--rootdir={shlex.quote(relative(config, '.'))}",
        git=git,
    )


def program() -> str:
    """What has started pytest: with ``python -m`` more can be imported."""
    return "python -m pytest" if Path(sys.argv[0]).name == "__main__.py" else "pytest"


def relative(config: pytest.Config, place: str) -> str:
    """A path or node id below the root folder, as it is written where pytest was started."""
    path, names, name = place.partition("::")
    folder = config.invocation_params.dir.resolve()
    return f"{os.path.relpath(config.rootpath.resolve() / path, folder)}{names}{name}"


def say(config: pytest.Config, text: str) -> None:
    """Write a line of this plugin to the terminal, if anything does."""
    if (reporter := _reporter(config)) is not None:
        reporter.write_line(f"loaderperf: {text}")
        reporter.flush()  # it may be all there is to see for minutes


def _reporter(config: pytest.Config) -> pytest.TerminalReporter | None:
    return config.pluginmanager.get_plugin("terminalreporter")


def _ini(config: pytest.Config, key: str) -> object:
    try:
        return config.getini(key)
    except (ValueError, TypeError, pytest.UsageError) as error:  # which, depends on the version
        raise SettingsError(f"ini {key}: {error}") from error
