"""Does a search name the package that made a loader slower? Real packages, ten of which differ.

    python benchmarks/blaming.py run FOLDER [--case imagesize] [--rounds 1]
    python benchmarks/blaming.py show FOLDER

Each case is a small loader that uses a package of which a release is slower. By a requirements file
the baseline has the release before that, and older ones of nine packages more. A second run has two
neighbouring releases that are alike: that must be no loss. What came of each run is appended to
``FOLDER/blaming.jsonl``. It needs a network.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study import append, git

from pytest_loaderperf.environments.making import Environments

# Small packages that the loaders do not use: older and newer releases.
OTHERS = {
    "colorama": ("0.4.5", "0.4.6"),
    "humanize": ("4.10.0", "4.12.0"),
    "inflect": ("7.3.0", "7.5.0"),
    "more-itertools": ("10.3.0", "10.7.0"),
    "pyparsing": ("3.1.4", "3.2.3"),
    "six": ("1.16.0", "1.17.0"),
    "tabulate": ("0.8.10", "0.9.0"),
    "toolz": ("0.12.1", "1.0.0"),
    "zipp": ("3.20.0", "3.21.0"),
}
CHECK = "import rows\n\ndef test_rows(loaderperf):\n    loaderperf.check(rows.loader())\n"
IMAGES = """\
import struct
import tempfile
from pathlib import Path

import imagesize

HEAD = b"\\x89PNG\\r\\n\\x1a\\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + bytes(60)

class Sizes:
    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self._paths = [Path(self._folder.name, f"{n}.png") for n in range(64)]
        for path in self._paths:
            path.write_bytes(HEAD)

    def __iter__(self):
        while True:
            for start in range(0, 64, 8):
                yield [imagesize.get(str(path)) for path in self._paths[start : start + 8]]

loader = Sizes
"""
# A release keeps what a filter knows of its images: they are encoded and decoded once more.
PHOTOS = """\
import io

import numpy
from datasets import Dataset, Features, Image, Value
from PIL import Image as Picture

NOISE = numpy.random.default_rng(0)

def photo():
    file, pixels = io.BytesIO(), NOISE.integers(0, 255, (28, 40, 3), dtype=numpy.uint8)
    Picture.fromarray(pixels.repeat(8, 0).repeat(8, 1)).save(file, "JPEG")
    return {"bytes": file.getvalue(), "path": None}

FEATURES = Features(image=Image(), label=Value("int64"))
ROWS = {"image": [photo() for _ in range(256)], "label": [*range(256)]}
PHOTOS = Dataset.from_dict(ROWS, features=FEATURES)

class Photos:
    def __iter__(self):
        kept = PHOTOS.to_iterable_dataset().filter(lambda row: row["label"] >= 0)
        made = kept.map(lambda row: {"size": row["image"].size})
        while True:
            yield from made.iter(batch_size=8)

loader = Photos
"""


@dataclass(frozen=True)
class Case:
    """A package with a release that is slower, and two that are alike; what it needs to run."""

    source: str
    slower: tuple[str, str]
    alike: tuple[str, str]
    needs: tuple[str, ...] = ()


CASES = {
    "imagesize": Case(IMAGES, ("1.4.1", "2.0.0"), ("1.4.0", "1.4.1")),
    "datasets": Case(
        PHOTOS,
        ("3.0.1", "3.0.2"),
        ("3.0.0", "3.0.1"),
        ("pyarrow==17.0.0", "numpy<2.3", "pandas<3", "pillow", "fsspec==2024.6.1"),
    ),
}


def asked(versions: Mapping[str, str], needs: Sequence[str]) -> str:
    """A requirements file."""
    pins = [f"{name}=={version}" for name, version in sorted(versions.items())]
    return "".join(f"{line}\n" for line in (*pins, *needs))


def compare(case: Case, package: str, releases: tuple[str, str]) -> dict[str, Any]:
    """Run the check with the newer release over a baseline with the older one; what came of it."""
    with tempfile.TemporaryDirectory() as scratch:
        project, results = Path(scratch, "project"), Path(scratch, "results.json")
        project.mkdir()
        git(project, "init", "-q", "-b", "main")
        both = {**OTHERS, package: releases}
        old, new = ({name: pair[n] for name, pair in both.items()} for n in (0, 1))
        (project / "rows.py").write_text(case.source)
        (project / "test_rows.py").write_text(CHECK)
        (project / "pytest.ini").write_text("[pytest]\n")
        (project / ".gitignore").write_text("__pycache__/\n.loaderperf/\n.pytest_cache/\n")
        (project / "old.txt").write_text(asked(old, case.needs))
        (project / "new.txt").write_text(asked(new, case.needs))
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", "first")
        environments = Environments(Path(scratch))
        today = environments.of(environments.read(project / "new.txt", "new.txt"), lambda _: None)
        options = (
            "--loaderperf-against=HEAD",
            "--loaderperf-baseline-requirements=old.txt",
            "--loaderperf-blame",
            f"--loaderperf-json={results}",
        )
        command = [today.python, "-m", "pytest", "-q", "--loaderperf", *options]
        began = time.monotonic()
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if not results.exists():
            raise SystemExit(done.stdout + done.stderr)
        (check,) = json.loads(results.read_text())["checks"]
    blame = check["blame"] or {}
    throughput = check["metrics"].get("throughput", {})
    return {
        "package": package,
        "releases": releases,
        "verdict": check["verdict"],
        "ratio": throughput.get("ratio"),
        "differ": len(check["distributions"]),
        "named": [each["package"] for each in blame.get("suspects", ())],
        "told": blame.get("told", ""),
        "lost": blame.get("lost"),
        "steps": blame.get("steps"),
        "seconds": round(seconds),
        "message": check["message"],
    }


def show(lines: Sequence[Mapping[str, Any]]) -> None:
    """One line for each run."""
    for line in lines:
        named = ", ".join(line["named"]) or "nobody"
        print(
            f"{line['package']} {' -> '.join(line['releases'])}: {line['verdict']}, ratio "
            f"{line['ratio']}; of {line['differ']} packages {named} named; {line['seconds']} s"
        )


def main() -> None:
    """Run some cases, or show what came of all so far."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "show"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "blaming.jsonl"
    for _ in range(options.rounds if options.what == "run" else 0):
        for name in options.case or CASES:
            for releases in (CASES[name].slower, CASES[name].alike):
                line = compare(CASES[name], name, releases)
                append(file, [line])
                show([line])
    if options.what == "show":
        show([json.loads(line) for line in file.read_text().splitlines()])


if __name__ == "__main__":
    main()
