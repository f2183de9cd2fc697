"""Which distributions an interpreter has installed, and the files of some of them.

A script for any interpreter: ``python installed.py TOP [NAME ...]`` prints, as JSON, the
distributions of these names, and those that were installed from the folder TOP.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def distributions(top: str, names: Iterable[str]) -> list[dict[str, object]]:
    """Name, files (real paths) and kind (editable or not) of each distribution."""
    wanted = {normalised(name) for name in names}
    found: list[dict[str, object]] = []
    for folder in dict.fromkeys(map(os.path.realpath, filter(None, sys.path))):
        for info in sorted(Path(folder).glob("*.dist-info")):
            name = normalised(info.name.partition("-")[0])
            source, editable = _origin(info)
            if name in wanted or source == top or source.startswith(top + os.sep):
                files = [os.path.realpath(each) for each in _files(info)]
                found.append({"name": name, "files": files, "editable": editable})
    return found


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
    print(json.dumps(distributions(sys.argv[1], sys.argv[2:])))
