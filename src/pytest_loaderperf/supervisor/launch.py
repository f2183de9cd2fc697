"""How the run's pytest was started, and what an arm gets of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

    def setup(self, version: Version, module: str, *, fresh: bool) -> Setup:
        """The message that configures the arm of a version for one module."""
        args = [str(version.root / module), "--rootdir", str(version.root)]
        for plugin in _plugins(self.options.get("plugins")):
            args += ["-p", plugin]  # on a command line: one that is loaded later misses hooks
        if self.ini_file is not None:
            args += ["-c", version.ini_file or version.place(str(self.ini_file))]
        path = {each: version.place(each) for each in self.sys_path}
        another = not version.is_of_this_python  # it has its own installed packages
        sources = [place for each, place in path.items() if place != each]
        return Setup(
            args=args,
            options={name: _placed(value, version) for name, value in self.options.items()},
            sys_path=sources if another else list(path.values()),
            keeps_path=another,
            data_root=str(self.data_root),
            fresh=fresh,
            injected_loss=version.injected_loss,
        )


def _plugins(plugins: object) -> list[str]:
    """What -p has said last of each plugin: to load it, or to block it (``no:``)."""
    last = {each.removeprefix("no:"): each for each in plugins} if isinstance(plugins, list) else {}
    return [*last.values()]


def _placed(value: object, version: Version) -> object:
    if isinstance(value, str):
        return version.place(value)
    if isinstance(value, list):
        return [_placed(item, version) for item in value]
    return value
