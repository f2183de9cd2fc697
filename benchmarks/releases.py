"""Is the verdict right? Two releases of public projects, compared by a check that neither has.

    python benchmarks/releases.py run FOLDER [--only NAME ...]
    python benchmarks/releases.py show FOLDER

The sources of both releases come from the package index, and become two commits of a repository.
Each release is then compared with the other one, by a check of at most ten lines in the working
tree. What came of it is appended to ``FOLDER/releases.jsonl``, with what a plain loop over the same
loader says: rounds of two fresh processes, alternating. It needs a network, and what the projects
need: ``pip install aiohttp jinja2 scikit-image 'setuptools<80' tqdm``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study import append, git

ROUNDS = 12  # of plain loops
SECONDS = 2.0  # of each of them, after a first half
TOLERANCE = 0.1
# The guard calls a loss of a fifth of the tolerance, and more, as it can prove it.
NOTHING = TOLERANCE / 5
CONFIG = "[pytest]\npythonpath = . src\n"
IGNORED = "__pycache__/\n.loaderperf/\n.pytest_cache/\n"
PLAIN = f"""\
import inspect, sys, time
sys.path[:0] = [".", "src"]
from test_speed import loader

made, batches = loader(), 0
while True:
    for batch in made() if inspect.isfunction(made) else made:
        now = time.perf_counter()
        if not batches:
            began = now
        batches += 1
        if now - began > {SECONDS / 2} and began:
            began, counted, end = 0, batches, now + {SECONDS}
            start = now
        if not began and now > end:
            print((batches - counted) / (now - start))
            sys.exit()
"""


@dataclass(frozen=True)
class Project:
    """A project, two of its releases, and what they have in common: a loader."""

    package: str
    releases: tuple[str, str]
    loader: str

    @property
    def check(self) -> str:
        """The module of the check, its test included."""
        return f"{self.loader}\ndef test_speed(loaderperf):\n    loaderperf.check(loader())\n"


PROJECTS = (
    Project(
        "Keras-Preprocessing",
        ("1.0.9", "1.1.2"),
        """\
import numpy
from keras_preprocessing.image import ImageDataGenerator

def loader():
    pictures = numpy.random.default_rng(0).random((1_024, 48, 48, 3))
    made = ImageDataGenerator(rotation_range=20, horizontal_flip=True)
    batches = made.flow(pictures, numpy.arange(1_024), batch_size=16)
    return lambda: (batches[number] for number in range(len(batches)))
""",
    ),
    Project(
        "batchgenerators",
        ("0.24", "0.25"),
        """\
import itertools, numpy
from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter
from batchgenerators.transforms.spatial_transforms import SpatialTransform

def loader():
    volumes = itertools.repeat({"data": numpy.random.rand(8, 1, 64, 64)})
    turned = SpatialTransform((48, 48), do_elastic_deform=False, order_data=1)
    return SingleThreadedAugmenter(volumes, turned)
""",
    ),
    Project(
        "kaldiio",
        ("2.17.2", "2.18.1"),
        """\
import kaldiio, numpy, tempfile

def loader():
    file = tempfile.mkstemp(suffix=".ark")[1]
    kaldiio.save_ark(file, {str(n): numpy.random.rand(100, 40) for n in range(2_000)})
    return lambda: (matrix for _, matrix in kaldiio.load_ark(file))
""",
    ),
    Project(
        "torch_geometric",
        ("2.5.3", "2.6.1"),
        """\
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

def loader():
    edges = torch.randint(0, 32, (2, 128))
    return DataLoader([Data(x=torch.rand(32, 16), edge_index=edges)] * 4_000, batch_size=32)
""",
    ),
    Project(
        "webdataset",
        ("0.2.86", "1.0.2"),
        """\
import tempfile, webdataset

def loader():
    file = tempfile.mkstemp(suffix=".tar")[1]
    with webdataset.TarWriter(file) as shard:
        for n in range(2000):
            shard.write({"__key__": f"{n:06}", "x.json": [n] * 50, "y.cls": n})
    rows = webdataset.WebDataset(file, shardshuffle=False).decode()
    return rows.to_tuple("x.json", "y.cls").batched(32).map(tuple)
""",
    ),
)


def unpacked(package: str, release: str, folder: Path) -> Path:
    """The sources of a release, as the package index has them."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation"]
    wanted = ["--no-binary", ":all:", "-d", str(folder), f"{package}=={release}"]
    subprocess.run([*command, *wanted], stderr=subprocess.DEVNULL, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as sources:
        sources.extractall(folder, filter="data")
    archive.unlink()
    (top,) = folder.iterdir()
    return top


def committed(project: Path, sources: Sequence[Path], check: str) -> None:
    """Make a repository of two commits, a release each; the check is in neither."""
    project.mkdir()
    git(project, "init", "-q", "-b", "main")
    for top in sources:
        git(project, "rm", "-rq", "--ignore-unmatch", ".")
        subprocess.run(["cp", "-a", f"{top}/.", project], check=True)
        for config in ("setup.cfg", "pyproject.toml", "tox.ini"):  # what its own tests need
            (project / config).unlink(missing_ok=True)
        (project / "pytest.ini").write_text(CONFIG)
        (project / ".gitignore").write_text(IGNORED)
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", top.name)
    (project / "test_speed.py").write_text(check)


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; temporary files go beside that."""
    places = {**os.environ, "TMPDIR": str(folder.parent)}
    return subprocess.run(
        command, cwd=folder, env=places, capture_output=True, text=True, check=False
    )


def plain(sources: Sequence[Path], check: str) -> tuple[float, tuple[float, float]]:
    """How the second release's batches/s compare with the first one's: the median of all rounds.

    Also the range that the median has with 95 % confidence or more.
    """
    ratios = []
    for number in range(ROUNDS):
        rates = {}
        for top in sources if number % 2 else reversed(sources):
            (top / "test_speed.py").write_text(check)
            command = [sys.executable, "-c", PLAIN]
            done = run(command, top)
            if done.returncode:
                raise SystemExit(done.stderr)
            rates[top] = float(done.stdout)
        ratios.append(rates[sources[1]] / rates[sources[0]])
    ratios.sort()
    return statistics.median(ratios), (ratios[2], ratios[-3])  # of 12: 96 % (order statistics)


def allowed(ratio: float) -> set[str]:
    """The verdicts that are right for a ratio of throughputs."""
    loss = math.log(1 / ratio)
    right = {"unchanged"} if abs(loss) < -math.log(1 - TOLERANCE) else set()
    if loss > NOTHING:
        right.add("regressed")
    if loss < -NOTHING:
        right |= {"improved"}
    return right


def guarded(root: Path) -> dict[str, Any]:
    """What the guard says of a project's last commit beside the one before it."""
    results = root.parent / "results.json"
    results.unlink(missing_ok=True)
    options = ("--loaderperf-against=HEAD~1", f"--loaderperf-json={results}")
    command = [sys.executable, "-m", "pytest", "-q", "test_speed.py", "--loaderperf", *options]
    began = time.monotonic()
    done = run(command, root)
    if not results.exists():
        raise SystemExit(done.stdout + done.stderr)
    (check,) = json.loads(results.read_text())["checks"]
    throughput = check["metrics"].get("throughput", {})
    return {
        "verdict": check["verdict"],
        "throughput": throughput.get("verdict"),
        "ratio": throughput.get("ratio"),
        "interval": throughput.get("interval"),
        "peak": check["metrics"].get("peak_memory", {}).get("ratio"),
        "seconds": round(time.monotonic() - began),
        "message": check["message"],
    }


def compare(project: Project) -> list[dict[str, Any]]:
    """Compare both releases, each one with the other; what came of it."""
    with tempfile.TemporaryDirectory() as scratch:
        sources = []
        for release in project.releases:
            (folder := Path(scratch, release)).mkdir()
            sources.append(unpacked(project.package, release, folder))
        lines = []
        for direction in (1, -1):
            root = Path(scratch, f"project{direction}")
            committed(root, sources[::direction], project.check)
            lines.append(guarded(root) | {"releases": project.releases[::direction]})
        ratio, (low, high) = plain(sources, project.check)
    lines[0] |= {"plain": ratio, "plain_interval": (low, high)}
    lines[1] |= {"plain": 1 / ratio, "plain_interval": (1 / high, 1 / low)}
    return [{"package": project.package, **line} for line in lines]


def agrees(line: Mapping[str, Any]) -> bool:
    """Whether the verdict on throughput is right for what the plain loops say."""
    return line["throughput"] in allowed(line["plain"])


def show(lines: Sequence[Mapping[str, Any]]) -> None:
    """One line for each comparison."""
    for line in lines:
        if line["ratio"] is None:
            print(f"{line['package']}: {line['verdict']}, {line['message']}")
            continue
        low, high = line["plain_interval"]
        print(
            f"{line['package']} {' -> '.join(line['releases'])}: throughput {line['throughput']}, "
            f"ratio {line['ratio']:.3f}; plain loops {line['plain']:.3f} ({low:.3f} to {high:.3f})"
            f"{'' if agrees(line) else ': NOT what they say'}; verdict {line['verdict']}, "
            f"{line['seconds']} s"
        )


def main() -> None:
    """Compare the releases of some projects, or show what came of all so far."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "show"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="append", choices=[each.package for each in PROJECTS])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "releases.jsonl"
    for project in PROJECTS if options.what == "run" else ():
        if not options.only or project.package in options.only:
            lines = compare(project)
            append(file, lines)
            show(lines)
            sys.stdout.flush()
    if options.what == "show":
        show([json.loads(line) for line in file.read_text().splitlines()])


if __name__ == "__main__":
    main()
