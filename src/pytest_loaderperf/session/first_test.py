"""The first test of a project, as ``--loaderperf-init`` asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..errors import SettingsError
from ..model.results import CheckResult
from ..reports.console import todo
from ..scaffold import first_check, guide, maker
from ..scaffold.first_check import Layout
from ..scaffold.maker import SWITCH, Maker
from ..versions import git
from .resources import Resources, program, relative, shell


@dataclass(frozen=True, kw_only=True)
class FirstTest:
    """A test that is to be written at ``path``, for a ``maker``."""

    maker: Maker
    path: Path

    @classmethod
    def planned(cls, config: pytest.Config, asked: str) -> FirstTest:
        """What the command line asks for. SettingsError where it cannot be."""
        again = f"{program()} {SWITCH}={asked}"
        if config.option.collectonly:
            raise SettingsError(
                f"{SWITCH} writes a test and measures it. Leave out --collect-only: {again}"
            )
        layout, given = layout_of(config), _given(config)
        found = maker.find(asked, layout.root, _on_path(layout), how=f"{_how(config)}: {again}")
        path = first_check.place(found, layout, given)
        if not path.is_relative_to(layout.root):
            raise SettingsError(
                f"{SWITCH}: {path} lies outside of {layout.root}, where the project has its tests. "
                f"Leave it out: {again}"
            )
        if path.exists():  # told before anything starts
            _write(config, path, "", again)
        return cls(maker=found, path=path)

    def write(self, config: pytest.Config) -> None:
        """Write it, and have the run collect nothing else."""
        again = f"{program()} {SWITCH}={self.maker.module}:{self.maker.name}"
        _write(config, self.path, first_check.text(self.maker), again)
        config.args[:] = [str(self.path)]
        config.args_source = pytest.Config.ArgsSource.ARGS

    def told(
        self, resources: Resources, results: Sequence[CheckResult], written: Sequence[str]
    ) -> list[str]:
        """What to do with it when it was measured, and its baseline ``written``."""
        config, root = resources.config, resources.root
        file = relative(config, _below(self.path, layout_of(config)))
        sound = written and all(result.outcome == "passed" for result in results)
        if not sound:
            return guide.failed(file, _measuring(config, self.path))
        files = [file, *(relative(config, each) for each in written)]
        source = self.maker.file
        top = resources.references.repository
        if top and source and _differs(top.toplevel, source):
            files.append(relative(config, _below(source, layout_of(config))))
        here = config.invocation_params.dir.resolve()
        run = [] if here == root else [f"cd {relative(config, '.')}"]
        title = first_check.name_of(self.maker)
        return guide.accepted(
            files, [*run, f"{program()} --loaderperf"], title, git=top is not None
        )


def layout_of(config: pytest.Config) -> Layout:
    """Where the project has its tests."""
    return Layout(
        root=config.rootpath.resolve(),
        testpaths=config.getini("testpaths"),
        patterns=config.getini("python_files"),
    )


def _write(config: pytest.Config, path: Path, text: str, again: str) -> None:
    shown = relative(config, _below(path, layout_of(config)))
    first_check.write(path, text, shown, again=again, measure=_measuring(config, path))


def _measuring(config: pytest.Config, path: Path) -> str:
    """What to type to measure the test, and to accept it."""
    place = _below(path, layout_of(config))
    return todo.measuring(shell(config), [place], "--loaderperf-update")


def _below(path: Path, layout: Layout) -> str:
    return path.relative_to(layout.root).as_posix()


def _given(config: pytest.Config) -> Path | None:
    """The place for the test that the command line names, if it does."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return None
    places = [each for each in config.args if "::" not in each]
    if len(places) != 1 or len(config.args) != 1:
        raise SettingsError(
            f"{SWITCH}: give one place for the test at most, a folder or a .py file: "
            f"{program()} {SWITCH}=package.module:make_loader tests/perf"
        )
    here, root = config.invocation_params.dir.resolve(), config.rootpath.resolve()
    if shell(config).root and here != root:
        raise SettingsError(
            f"{SWITCH}: pytest takes {root} for the root folder of the project, since it has no "
            f"settings of pytest. Say which it is: {program()} --rootdir=. "
            f"{SWITCH}=package.module:make_loader {places[0]}"
        )
    return (here / places[0]).resolve()


def _on_path(layout: Layout) -> list[Path]:
    """The folder that pytest puts on the path for the test, where tests are packages."""
    folder = layout.folder.parent
    if not (folder / "__init__.py").exists():
        return []
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return [folder]


def _how(config: pytest.Config) -> str:
    """How a folder of the project, named where ``{}`` is, gets onto the path."""
    if config.inipath is None:
        return "Name that in an ini file: printf '[pytest]\\npythonpath = {}\\n' > pytest.ini; then"
    toml = config.inipath.suffix == ".toml"
    setting = 'pythonpath = ["{}"]' if toml else "pythonpath = {}"
    return f"Add `{setting}` to the settings of pytest in {config.inipath.name}, then type"


def _differs(toplevel: Path, file: Path) -> bool:
    """Whether a file of a repository is not as it is committed, if it is one of its own."""
    if not file.resolve().is_relative_to(toplevel.resolve()):
        return False
    found = git.run(toplevel, "status", "--porcelain", "-z", "--", str(file.resolve()))
    return found.returncode == 0 and bool(found.stdout)
