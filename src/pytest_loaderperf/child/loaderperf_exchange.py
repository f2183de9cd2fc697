"""Which file of one tree stands for which of another, and which of them are a project's.

Beside ``loaderperf_sources``, and like that in need of nothing but the standard library.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
SYSTEM = ("/usr/", "/lib", "/opt/", os.path.realpath(sys.base_prefix) + os.sep)
_STANDARD_LIBRARY = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
USUAL = ("", "src", "lib", "python")  # folders in which the sources of a project begin
HERE = os.path.dirname(os.path.abspath(__file__))


class Exchange:
    """Which file stands for which.

    ``old`` is the working tree and ``new`` the tree that takes its place, both empty where none
    does. ``copies`` gives the place in the working tree of files and folders that are installed as
    copies of it. ``kept`` (a package's folder, or nothing) is the same for all versions, and so is
    ``temporary``, a folder that is no part of the tree although it may lie inside of it. ``own``
    are other installed files that belong to the project, ``names`` its modules and packages.
    """

    def __init__(
        self,
        old: str,
        new: str,
        copies: Mapping[str, str],
        kept: str = "",
        own: Iterable[str] = (),
        names: Iterable[str] = (),
        temporary: str = "",
    ) -> None:
        self.old, self.new = old, new
        self.copies = dict(sorted(copies.items(), key=lambda copy: -len(copy[0])))
        self.kept, self.temporary = kept, temporary
        self.own, self.names = frozenset(own), frozenset(names)
        self._folders: dict[str, str] = {}
        self._foreign: dict[str, bool] = {}

    def dump(self) -> str:
        """All of it as a text, which ``load`` reads."""
        fields = [self.old, self.new, self.kept, self.temporary]
        for each in (self.own, self.names):
            fields += [str(len(each)), *each]
        for place in self.copies.items():
            fields += place
        return "\0".join(fields)

    @classmethod
    def load(cls, text: str) -> Exchange:
        """The one that ``dump`` has made a text of."""
        old, new, kept, temporary, *rest = text.split("\0")
        sets = []
        for _ in range(2):
            end = 1 + int(rest[0])
            sets.append(rest[1:end])
            rest = rest[end:]
        copies = dict(zip(rest[::2], rest[1::2]))  # noqa: B905  (3.9)
        own, names = sets
        return cls(old, new, copies, kept, own, names, temporary)

    def real(self, path: str) -> str:
        """A path without links; a folder with installed packages is asked for only once."""
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        real = os.path.join(self._folders[folder], name)
        return real if is_installed(real) else os.path.realpath(real)

    def in_working_tree(self, real: str) -> bool:
        """Whether a file is a source of the working tree; what is installed inside it is none."""
        return (
            bool(self.old)
            and real.startswith(self.old + os.sep)
            and not (self.new and real.startswith(self.new + os.sep))
            and not self._is_kept(real)
            and not (self.temporary and real.startswith(self.temporary + os.sep))
            and not real.startswith(_STANDARD_LIBRARY)
            and not is_installed(real + os.sep)
            and not self._is_foreign(real)
        )

    def _is_foreign(self, folder: str) -> bool:
        """Whether it lies in an environment, or in a repository of its own, inside of the tree.

        A submodule is a part of it: there ``.git`` is a file, or git makes a folder for it.
        """
        if len(folder) <= len(self.old):
            return False
        if folder not in self._foreign:
            self._foreign[folder] = (
                os.path.isfile(os.path.join(folder, "pyvenv.cfg"))
                or self._is_clone(folder)
                or self._is_foreign(os.path.dirname(folder))
            )
        return self._foreign[folder]

    def _is_clone(self, folder: str) -> bool:
        has_a_place = bool(self.new) and os.path.isdir(self.new + folder[len(self.old) :])
        return os.path.isdir(os.path.join(folder, ".git")) and not has_a_place

    def place(self, real: str) -> str | None:
        """The path that stands for a path without links; None where its version has no such file.

        What no tree has (an extension that was compiled for an installed copy) stays where it is.
        """
        source = self.source(real)
        if self.new and self.in_working_tree(source):
            moved = self.new + source[len(self.old) :]
            if os.path.lexists(moved):
                return moved
            return real if source != real and not os.path.exists(source) else None
        return source if source == real or os.path.exists(source) else real

    def source(self, real: str) -> str:
        """The place in the working tree of what is a copy of it; other paths stay as they are."""
        for installed, source in self.copies.items():
            if real == installed or real.startswith(installed + os.sep):
                return source + real[len(installed) :]
        return real

    def is_told(self, name: str, real: str) -> bool:
        """Whether it is worth writing down that a file was run: it may be the project's."""
        if real.startswith(_STANDARD_LIBRARY) and not is_installed(real):
            return False
        if self._is_kept(real) or real.startswith(HERE + os.sep):
            return False
        if not is_installed(real):
            return True
        is_like_one = name.partition(".")[0] in self.names
        return is_like_one or real in self.own or self.source(real) != real

    def _is_kept(self, real: str) -> bool:
        return bool(self.kept) and real.startswith(self.kept + os.sep)


def is_installed(path: str | os.PathLike[str]) -> bool:
    """Whether a path lies among installed packages."""
    return any(folder in os.fspath(path) for folder in _INSTALLED)
