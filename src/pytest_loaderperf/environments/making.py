"""Environments with the packages of a baseline: made once, kept, and mixed with those of today.

Such an environment lies over another one: what it does not have is found there.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path

from .. import __version__
from ..data import fill, forget
from ..errors import PackagesError
from ..system.files import tail
from ..system.signals import run_to_end
from ..versions import installed
from ..versions.installed import normalised
from . import requirements
from .contents import Distributions, Environment
from .locks import Target
from .requirements import GUARD, Home, Requirements

_KEPT = 32  # environments: a search for a package takes some
# What would have an installer, or a Python, look elsewhere.
_NOT_FOR_INSTALLERS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
_BASE = "loaderperf_base.pth"


class Environments:
    """Makes environments of the project at ``root``, over that of the interpreter ``python``.

    ``names`` gives those of the project's own distributions; ``say`` tells the user something.
    """

    def __init__(
        self,
        root: Path,
        python: str = sys.executable,
        names: Callable[[], Iterable[str]] = tuple,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._root = root.resolve()
        self._place = self._root / ".loaderperf" / "environments"
        self._python = python
        self._names = names
        self._say = say
        self._made: dict[tuple[str, str], Environment | PackagesError] = {}

    @functools.cached_property
    def base(self) -> Distributions:
        """What the interpreter has that all of them lie over. PackagesError if it does not run."""
        return _seen(self._python)

    def read(
        self, path: Path, label: str, root: Path | None = None, top: Path | None = None
    ) -> Requirements:
        """What a file asks for, of the working tree or of another one. PackagesError names it."""
        names = frozenset(map(normalised, self._names()))
        root = root or self._root
        home = Home(root=root, top=top or root, names=names)
        target = Target(python=self.base.python, there=self.base.versions.keys())
        return requirements.read(path, label, home, target)

    def of(self, asked: Requirements, progress: Callable[[str], None]) -> Environment:
        """The environment that has what was asked for. PackagesError where it cannot be had."""
        key = self._key(asked.state)
        made = self._made.get((key, asked.label))
        if made is None:
            try:
                made = self._new(key, asked, progress)
            except PackagesError as error:
                made = error
            self._made[key, asked.label] = made
        if isinstance(made, PackagesError):
            raise made
        os.utime(made.folder)  # it is in use
        return made

    def mixed(self, environment: Environment, names: Iterable[str]) -> Environment:
        """One that has only these of what differs in another one, and today's version of the rest.

        PackagesError where these cannot be together.
        """
        kept = sorted(names)
        seen = environment.over.with_those_of(environment.seen, kept)
        known = {*environment.over.unmet(), *environment.seen.unmet()}
        if new := [line for line in seen.unmet() if line not in known]:
            raise PackagesError(f"these packages cannot be together: {'; '.join(new)}")
        folder = self._place / f"mixed-{self._key(environment.folder.name, *kept)}"

        def make(folder: Path) -> None:
            self._lay_over(folder)
            for name in kept:
                _copy(name, environment.folder, folder)

        self._filled(folder, make)
        return Environment(
            python=_python_of(folder),
            folder=folder,
            label=environment.label,
            over=environment.over,
            seen=seen,
        )

    def _key(self, *parts: str) -> str:
        """A digest of parts, and of all that the packages lie over."""
        below = [f"{name} {version}" for name, version in sorted(self.base.versions.items())]
        told = "\0".join((self._python, self.base.python, *below, *parts))
        return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:16]

    def _new(self, key: str, asked: Requirements, progress: Callable[[str], None]) -> Environment:
        folder = self._place / f"baseline-{key}"

        def make(folder: Path) -> None:
            progress(f"installing {asked.label}")
            self._lay_over(folder)
            self._install(folder, asked)

        self._filled(folder, make)
        seen = _seen(_python_of(folder))
        before = {*self.base.unmet()}
        broken = [each for each in seen.unmet(seen.closure(GUARD)) if each not in before]
        self._check_guard(_python_of(folder), asked.label, broken)
        environment = Environment(
            python=_python_of(folder),
            folder=folder,
            label=asked.label,
            over=self.base,
            seen=seen,
            named=asked.names,
            notes=tuple(_notes(asked, broken)),
        )
        count = len(environment.differing)
        self._say(f"the baseline has the packages of {asked.label}, of which {count} differ")
        for note in environment.notes:
            self._say(note)
        return environment

    def _check_guard(self, python: str, label: str, broken: Sequence[str]) -> None:
        """The plugin measures in that environment, too: it must run with those packages."""
        command = [python, "-c", f"import {GUARD.replace('-', '_')}.arm.__main__"]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:
            said = finished.stderr.strip().rpartition("\n")[2]
            raise PackagesError(
                f"{GUARD} does not run with the packages of {label} ({'; '.join([*broken, said])}):"
                " have the file ask for versions that it can run with"
            )

    def _filled(self, folder: Path, make: Callable[[Path], None]) -> None:
        if not fill(folder, make):
            os.utime(folder)
        forget(self._place, _KEPT)

    def _lay_over(self, folder: Path) -> None:
        """Make an environment without packages, which finds what the interpreter has."""
        self._run([self._python, "-m", "venv", "--without-pip", str(folder)], "an environment")
        lines = (f"import site; site.addsitedir({each!r})\n" for each in self.base.folders)
        (_packages_of(folder) / _BASE).write_text("".join(lines), "utf-8")

    def _install(self, folder: Path, asked: Requirements) -> None:
        file = folder / "requirements.txt"
        file.write_text("".join(f"{line}\n" for line in asked.lines), "utf-8")
        uv = shutil.which("uv")
        install = self._by_uv(uv, folder, asked) if uv else self._by_pip(_python_of(folder))
        self._run([*install, "-r", str(file)], asked.label)

    def _by_pip(self, python: str) -> list[str]:
        """The command that installs: by the pip that lies below, or the one of this Python."""
        if not self._has_pip(python):
            self._run([python, "-I", "-m", "ensurepip"], "pip")
        quiet = ("--no-input", "--disable-pip-version-check", "--no-warn-script-location")
        return [python, "-I", "-m", "pip", "install", *quiet]

    def _by_uv(self, uv: str, folder: Path, asked: Requirements) -> list[str]:
        """The command that installs by uv, which does not see what lies below.

        It is told what is there, keeps to that where it can, and installs the rest.
        """
        pins, python, file = folder / "pins.txt", _python_of(folder), folder / "requirements.txt"
        have = {f"{name}=={version}" for name, version in self.base.versions.items()}
        pins.write_text("".join(f"{each}\n" for each in sorted(have)), "utf-8")
        plain = ("--no-header", "--no-annotate", "--no-emit-index-url", "--python", python)
        self._run([uv, "pip", "compile", *plain, "-o", str(pins), str(file)], asked.label)
        new = [line for line in pins.read_text("utf-8").splitlines() if line not in have]
        file.write_text("".join(f"{line}\n" for line in (*asked.options, *new)), "utf-8")
        return [uv, "pip", "install", "--python", python, "--no-deps"]

    @staticmethod
    def _has_pip(python: str) -> bool:
        command = [python, "-I", "-c", "import pip"]
        return not subprocess.run(command, capture_output=True, check=False).returncode

    def _run(self, command: Sequence[str], label: str) -> None:
        """Run a program; PackagesError, with what it said, if it fails."""
        kept = {k: v for k, v in os.environ.items() if k not in _NOT_FOR_INSTALLERS}
        with tempfile.NamedTemporaryFile() as output:
            status = run_to_end(command, self._root, output.fileno(), kept)
            if status:
                raise PackagesError(
                    f"{label} cannot be installed (exit status {status}): {' '.join(command)}\n"
                    f"{tail(output.name)}"
                )


def _notes(asked: Requirements, broken: Sequence[str]) -> list[str]:
    """What there is to say of requirements before anything is measured."""
    notes = []
    if other := asked.other_guard(__version__):
        notes.append(
            f"{asked.label} asks for {other}: both sides are measured with {GUARD} {__version__}, "
            "which runs here, since two versions would not measure alike"
        )
    if broken:
        notes.append(f"{asked.label} has what {GUARD} may not run with: {'; '.join(broken)}")
    if asked.left_out:
        notes.append(
            f"left out of {asked.label}: {', '.join(asked.left_out)}. The project's own sources "
            "are those of each version"
        )
    return notes


def _seen(python: str) -> Distributions:
    """What an interpreter has."""
    kept = {k: v for k, v in os.environ.items() if k not in _NOT_FOR_INSTALLERS}
    command = [python, installed.__file__]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
    try:
        told = json.loads(finished.stdout)
    except ValueError:
        raise PackagesError(f"{python} does not run: {finished.stderr.strip()}") from None
    return Distributions(
        python=told["python"],
        folders=tuple(told["folders"]),
        versions={name: version for name, (version, _) in told["distributions"].items()},
        needs={name: needs for name, (_, needs) in told["distributions"].items()},
    )


def _python_of(folder: Path) -> str:
    return str(folder / "bin" / "python")


def _packages_of(folder: Path) -> Path:
    """Where an environment has its packages."""
    return next(folder.glob("lib/*/site-packages"))


def _copy(name: str, source: Path, target: Path) -> None:
    """Have an environment share the files of a distribution with another one.

    Not its programs: they would run in the other one.
    """
    for each in metadata.distributions(path=[str(_packages_of(source))]):
        if normalised(each.metadata["Name"]) == name:
            for file in each.files or ():
                path = Path(os.path.normpath(str(each.locate_file(file))))
                if path.is_relative_to(source / "lib") and path.is_file():
                    new = target / path.relative_to(source)
                    new.parent.mkdir(parents=True, exist_ok=True)
                    _link(path, new)
            return
    raise PackagesError(f"nobody can tell which files {name} has, in {source}")


def _link(path: Path, new: Path) -> None:
    try:
        os.link(path, new)
    except FileExistsError:  # of two distributions
        pass
    except OSError:  # on a file system without links
        shutil.copy2(path, new)
