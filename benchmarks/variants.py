"""Are loaders of one commit told apart, if and only if they differ? Pairs of them, side by side.

    python benchmarks/variants.py run FOLDER [--rounds 30] [--difference 0.15] [--budget 60]
    python benchmarks/variants.py show FOLDER

Each round compares two loaders that are identical, and two of which one makes 15 % less. Rounds
have loaders of four kinds, in turns. Which of two is the slow one is drawn. What came of each
comparison is appended to ``FOLDER/variants.jsonl``. A study that was interrupted goes on:
``--rounds`` are those of all its runs. Needs torch.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from study import append, bound, others

CONDITIONS = ("same", "differs")
CHECK = """\
import functools
import zlib

import numpy
import torch.utils.data

BYTES = bytes(1_000_000)
TABLE = numpy.random.default_rng(0).random((64, 20_000))

def loop(steps, number):
    total = 0
    for each in range(steps):
        total += each
    return total

def checksum(steps, number):
    return zlib.crc32(BYTES[:steps])

def sort(steps, number):
    return float(numpy.sort(TABLE[number % 64, :steps])[0])

class Rows(torch.utils.data.Dataset):
    def __init__(self, sample):
        self.sample = sample

    def __len__(self):
        return 4_000

    def __getitem__(self, number):
        return self.sample(number)

def batches(sample):
    for start in range(0, 4_000, 8):
        yield [sample(number) for number in range(start, start + 8)]

def made(work, steps, workers):
    sample = functools.partial(work, steps)
    if workers:
        return torch.utils.data.DataLoader(Rows(sample), batch_size=8, num_workers=workers)
    return batches(sample)

def test_two(loaderperf):
    loaderperf.compare({
        "one": lambda: made(KIND, STEPS, WORKERS), "other": lambda: made(KIND, OTHER, WORKERS),
    })
"""
# What makes a sample, in so many steps (some 0.1 ms), with so many workers.
KINDS = {
    "loop": ("loop", 2_000, 0),
    "checksums": ("checksum", 100_000, 0),
    "sorting": ("sort", 10_000, 0),
    "loop in workers": ("loop", 4_000, 2),
}


def compare(folder: Path, kind: str, difference: float, budget: int) -> dict[str, Any]:
    """Compare two loaders, of which one makes so much less; what came of it."""
    work, steps, workers = KINDS[kind]
    sides = [steps, round(steps / (1 - difference))]
    random.shuffle(sides)
    named = {"KIND": work, "STEPS": str(sides[0]), "OTHER": str(sides[1]), "WORKERS": str(workers)}
    text = CHECK
    for name, value in named.items():
        text = text.replace(name, value)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        project, results = Path(scratch), Path(scratch, "results.json")
        (project / "test_two.py").write_text(text)
        (project / "pytest.ini").write_text("[pytest]\n")
        options = (f"--loaderperf-budget={budget}", f"--loaderperf-json={results}")
        command = [sys.executable, "-m", "pytest", "-q", "--loaderperf", *options]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        (check,) = json.loads(results.read_text())["checks"]
    if not check["variants"]:  # so will all others
        raise SystemExit(f"{check['message']}\n{done.stdout[-2000:]}")
    other = check["variants"][1]
    right = "alike" if sides[0] == sides[1] else "slower" if sides[1] > sides[0] else "faster"
    return {
        "condition": "differs" if difference else "same",
        "kind": kind,
        "difference": difference,
        "right": right,
        "verdict": other["verdict"],
        **{name: other["throughput"][name] for name in ("ratio", "interval", "ratios", "pairs")},
        **{name: check[name] for name in ("seconds", "notes", "noise")},
    }


def told(line: dict[str, Any]) -> str:
    """A comparison as a line of text."""
    return (
        f"{line['condition']}, {line['kind']}: {line['verdict']} ({line['right']} is right), ratio "
        f"{line['ratio']} {line['interval']}, {line['pairs']} pairs, {line['seconds']:.0f} s, "
        f"others took {others(line):.0%} of the CPUs"
    )


def show(lines: list[dict[str, Any]]) -> None:
    """Counts of all that was run so far, by condition, and by kind of loader."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        found[line["condition"], "all"].append(line)
        found[line["condition"], line["kind"]].append(line)
    for (condition, kind), group in sorted(found.items()):
        counts = Counter(line["verdict"] for line in group)
        wrong = sum(line["verdict"] not in (line["right"], "inconclusive") for line in group)
        seconds = statistics.median(line["seconds"] for line in group)
        pairs = statistics.median(line["pairs"] for line in group)
        print(
            f"{condition}, {kind}: {len(group)} comparisons, "
            f"{', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}; "
            f"{wrong} wrong (at most {bound(wrong, len(group)):.1%}); median {pairs:g} pairs, "
            f"{seconds:.0f} s"
        )


def main() -> None:
    """Run the rounds that are missing, or show what came of all so far."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "show"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--difference", type=float, default=0.15)
    parser.add_argument("--budget", type=int, default=60)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder.resolve() / "variants.jsonl"
    lines = [json.loads(each) for each in file.read_text().splitlines()] if file.exists() else []
    for number in range(options.rounds if options.what == "run" else 0):
        for condition in CONDITIONS:
            if sum(line["condition"] == condition for line in lines) > number:
                continue
            kind = list(KINDS)[number % len(KINDS)]
            difference = options.difference if condition == "differs" else 0.0
            line = compare(file.parent, kind, difference, options.budget)
            append(file, [line])
            lines.append(line)
            print(told(line), flush=True)
    show(lines)


if __name__ == "__main__":
    main()
