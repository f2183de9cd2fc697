"""How the run's pytest was started, and what an arm gets of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..model.version import Version
from ..protocol.messages import Setup
from ..versions.sources import Sources


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How the coordinator's own pytest was started: arms are configured alike."""

    root: Path
    invocation_dir: Path
    ini_file: Path | None
    options: Mapping[str, object]
    environment: Mapping[str, str]  # as it was before a conftest has added to it
    sys_path: list[str]
    data_root: Path
    scratch: Path  # the folder for temporary files, which the run removes
    sources: Sources
    fresh: bool | None  # a fresh process for each trial; None: where a fork is not safe
    timeout: float = 300.0  # seconds that one answer may take
    # Arguments of options whose values are no plain data, by name.
    typed: Mapping[str, list[str]] = field(default_factory=dict)
    # What conftests have added to the path; an arm loads its own ones itself.
    more_path: list[str] = field(default_factory=list)

    def setup(self, version: Version, module: str, *, fresh: bool) -> Setup:
        """The message that configures the arm of a version for one module."""
        path = version.root / module
        args = [_argument_of(path), "--rootdir", str(version.root)]
        for plugin in _plugins(self.options.get("plugins")):
            args += ["-p", plugin]  # on a command line: one that is loaded later misses hooks
        if self.ini_file is not None:
            args += ["-c", version.ini_file or version.place(str(self.ini_file))]
        places = {each: version.place(each) for each in self.sys_path}
        more = {each: version.place(each) for each in self.more_path}
        another = not version.is_of_this_python  # it has its own installed packages
        sources, more_sources = (
            [place for each, place in some.items() if place != each or _is_source(each, version)]
            for some in (places, more)
        )
        return Setup(
            args=args,
            module=str(path),
            options={name: _placed(value, version) for name, value in self.options.items()},
            typed={
                name: [_argument(each, version) for each in texts]
                for name, texts in self.typed.items()
            },
            sys_path=sources if another else list(places.values()),
            more_path=more_sources if another else list(more.values()),
            keeps_path=another,
            data_root=str(self.data_root),
            fresh=fresh,
            injected_loss=version.injected_loss,
            variant=version.variant,
        )


def _is_source(place: str, version: Version) -> bool:
    """Whether an entry of the path has sources of the project, and no installed packages."""
    installed = {"site-packages", "dist-packages"} & {*Path(place).parts}
    return Path(place).is_relative_to(version.root) and not installed


def _argument_of(path: Path) -> str:
    """What pytest takes for a path: of one with a bracket, which begins parameters, a folder."""
    return str(next(each for each in (path, *path.parents) if "[" not in str(each)))


def _plugins(plugins: object) -> list[str]:
    """What -p has said last of each plugin: to load it, or to block it (``no:``)."""
    last = {each.removeprefix("no:"): each for each in plugins} if isinstance(plugins, list) else {}
    return [*last.values()]


def _argument(text: str, version: Version) -> str:
    """An argument of a command line, with the path that it may hold as a version has it."""
    name, equals, value = text.partition("=")
    named = text.startswith("-") and equals
    return f"{name}={version.place_all(value)}" if named else version.place_all(text)


def _placed(value: object, version: Version) -> object:
    if isinstance(value, str):
        return version.place(value)
    if isinstance(value, list):
        return [_placed(item, version) for item in value]
    return value
