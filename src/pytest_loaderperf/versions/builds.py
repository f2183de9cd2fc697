"""What a commit must have built before it runs: by a command of the user, once, kept by commit."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from ..child.loaderperf_sources import MAPPED
from ..data import fill, forget
from ..errors import ArmError, CheckoutError
from ..system.files import tail
from ..system.signals import run_to_end
from . import git
from .sources import Ran
from .worktree import Worktree

# What is compiled, and what says how.
SOURCES = (
    ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".cu", ".cuh", ".pyx", ".pxd", ".pxi", ".rs",
    ".f", ".f90", ".go", ".zig", ".i", "CMakeLists.txt", "meson.build", "Cargo.toml", "Cargo.lock",
)  # fmt: skip
_SHOWN = 3  # of several sources
_KEPT = 32  # builds, as many as a search through some history uses


@dataclass(frozen=True, kw_only=True)
class Builds:
    """The builds of a project: ``command`` makes them, ``place`` keeps them."""

    command: str
    place: Path

    def build(
        self, worktree: Worktree, root: Path, python: str, progress: Callable[[str], None]
    ) -> set[str]:
        """Give a worktree what the command makes there; ``root`` is the project's folder in it.

        ``python`` is the interpreter that is to run it, and the first on the command's path.
        Returns the files that were made, relative to the top folder. CheckoutError, with what the
        command said, if it fails, or changes what git tracks.
        """
        told = hashlib.sha256(f"{self.command}\0{python}".encode(errors="surrogateescape"))
        kept = self.place / f"{worktree.commit[:12]}-{told.hexdigest()[:8]}"

        def make(folder: Path) -> None:
            progress(f"building commit {worktree.commit[:12]}")
            for name in self._made(worktree, root, python):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(worktree.top / name, folder / name, follow_symlinks=False)

        if not fill(kept, make):
            os.utime(kept)
            shutil.copytree(kept, worktree.top, symlinks=True, dirs_exist_ok=True)
        forget(self.place, _KEPT)
        found = (each for each in kept.rglob("*") if each.is_symlink() or each.is_file())
        return {str(each.relative_to(kept)) for each in found}

    def _made(self, worktree: Worktree, root: Path, python: str) -> list[str]:
        """Run the command; what it has made that git does not track."""
        before, changed = _untracked(worktree.top), git.differing(worktree.top, "HEAD")
        variables = {"PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        with tempfile.NamedTemporaryFile() as output:
            given = {**os.environ, **variables}
            status = run_to_end(self.command, root, output.fileno(), given)
            if status:
                raise CheckoutError(
                    f"loaderperf_build fails in the worktree of commit {worktree.commit[:12]} "
                    f"(exit status {status}): {self.command}\n{tail(Path(output.name))}"
                )
        if spoiled := sorted({*git.differing(worktree.top, "HEAD")} - {*changed}):
            raise CheckoutError(
                f"loaderperf_build ({self.command}) changes {', '.join(spoiled)}, which git "
                f"tracks: commit {worktree.commit[:12]} would not be measured as it is. Have it "
                "write to files that git ignores"
            )
        return sorted(_untracked(worktree.top) - before)


def is_compiled(ran: Ran) -> bool:
    """Whether a file that a process has run was compiled."""
    return ran.name == MAPPED or ran.path.endswith(tuple(EXTENSION_SUFFIXES))


def check_age(built: Iterable[str], sources: Iterable[str], top: Path) -> None:
    """Where commits are built, the working tree must have been built since its sources changed.

    ``built`` are paths, ``sources`` are relative to the top folder. ArmError names what is older.
    """
    for path in sorted(built):
        if not Path(path).is_relative_to(top):
            continue
        made = Path(path).stat().st_mtime
        files = (each for each in sources if (top / each).is_file())
        newer = [each for each in files if (top / each).stat().st_mtime > made]
        if newer:
            raise ArmError(
                f"{Path(path).relative_to(top)} is older than {', '.join(newer[:_SHOWN])}: build "
                "the working tree, too, as loaderperf_build does its commits"
            )


def _untracked(top: Path) -> set[str]:
    return {*git.names(top, "ls-files", "-z", "--others")}
