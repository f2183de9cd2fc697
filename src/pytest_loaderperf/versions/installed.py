"""Which packages an interpreter has installed that may be a project's, and their files.

A script for any interpreter: ``python installed.py TOP DISTRIBUTIONS NAMES`` prints, as JSON, the
distributions of these names, those that were installed from the folder TOP, and what else has one
of these names when it is imported. Without arguments it prints all distributions that there are.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import re
import site
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any


class Installed(NamedTuple):
    """A distribution, or a package without one: then ``name`` is empty. Its files have no links."""

    name: str
    files: list[str]
    editable: bool


def found(top: str, distributions: Iterable[str], names: Iterable[str]) -> list[Installed]:
    """What this interpreter has of them."""
    wanted = {normalised(name) for name in distributions}
    result: list[Installed] = []
    known: set[str] = set()
    folders = list(dict.fromkeys(map(os.path.realpath, filter(None, sys.path))))
    for folder in folders:
        for info in sorted(Path(folder).glob("*.dist-info")):
            name = normalised(info.name.partition("-")[0])
            source, editable = _origin(info)
            if name in wanted or source == top or source.startswith(top + os.sep):
                files = [os.path.realpath(each) for each in _files(info)]
                known.update(files)
                result.append(Installed(name, files, editable))
    for folder in folders:
        if "site-packages" in folder or "dist-packages" in folder:
            for name in names:
                modules = [*Path(folder, name).rglob("*"), Path(folder, f"{name}.py")]
                files = [os.path.realpath(each) for each in modules if each.is_file()]
                if files and known.isdisjoint(files):
                    result.append(Installed("", files, editable=False))
    return result


def everything() -> dict[str, Any]:
    """All distributions: version and needs of each; of several of a name, of the one that is run.

    With the version of this interpreter, and the folders in which it has its packages.
    """
    distributions: dict[str, Any] = {}
    for each in metadata.distributions():
        name, version = each.metadata["Name"], each.metadata["Version"]
        if name and version:  # else it is what is left of one that was removed
            needs = [*(each.requires or ())]
            distributions.setdefault(normalised(name), [version, needs])
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return {
        "python": platform.python_version(),
        "folders": [each for each in dict.fromkeys(folders) if Path(each).is_dir()],
        "distributions": distributions,
    }


def normalised(name: str) -> str:
    """The name of a distribution as all of its spellings have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _origin(info: Path) -> tuple[str, bool]:
    """The file or folder that a distribution was installed from, and whether it is editable."""
    try:
        content = json.loads((info / "direct_url.json").read_text("utf-8"))
        url = str(content["url"])
        editable = bool(content.get("dir_info", {}).get("editable"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", False
    if not url.startswith("file://"):
        return "", editable
    from urllib.parse import unquote  # noqa: PLC0415  (most have none)

    return os.path.realpath(unquote(url[len("file://") :])), editable


def _files(info: Path) -> Iterator[str]:
    try:
        with (info / "RECORD").open(encoding="utf-8", newline="") as record:
            for row in csv.reader(record):
                if row and not row[0].startswith(info.name + "/"):
                    yield os.path.normpath(info.parent / row[0])
    except OSError:  # a system's own packages have none
        return


if __name__ == "__main__":
    if len(sys.argv) == 1:
        here = str(Path(__file__).parent)
        sys.path[:] = [each for each in sys.path if each != here]
        print(json.dumps(everything()))
    else:
        top, given, modules = sys.argv[1:]
        print(json.dumps(found(top, given.split(","), filter(None, modules.split(",")))))
