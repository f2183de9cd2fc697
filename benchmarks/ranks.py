"""Checks of several ranks: identical code, one rank slower than the others, and what goes wrong.

    python benchmarks/ranks.py run FOLDER [--identical 60] [--slower 20] [--loss 0.25] [--ranks 4]
    python benchmarks/ranks.py show FOLDER

Each rank has a torch DataLoader with one worker, which waits 10 ms for a batch, as for a remote
store, and holds 16 MiB. Of a slower loader one rank, another one each time, waits so much longer;
it is named if the report says that it needs more than in the baseline. What comes out is appended
to `results.jsonl`: an interrupted study goes on. Bars: no identical code is regressed, each slower
rank is found and named. Of ranks that die, hang or end early each is named, and nothing is left.
Peak memory is shown beside what the ranks hold, and what a control group says where there is one.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
from study import bound, git, pytest, source

MIB = 2**20
HELD = 16  # MiB, of each worker
LOADERS = """\
import os
import time

import torch
from torch.utils.data import DataLoader, IterableDataset

RANK = int(os.environ.get("RANK", "0"))
SLOWER = {slower}  # by rank, how many times as long it waits
WRONG = {wrong!r}  # what rank 2 does in its 40th batch


class Remote(IterableDataset):
    def __iter__(self):
        kept = bytearray(b"x") * ({held} * 2**20)
        for number in range(10**9):
            time.sleep(0.010 * SLOWER.get(RANK, 1.0))
            if number == 40 and RANK == 2:
                exec(WRONG)
                if WRONG == "pass  # ends early":
                    return
            yield torch.full((8, 16), number)
        del kept


def make_loader():
    return DataLoader(Remote(), batch_size=None, num_workers=1)
"""
CHECK = """\
import loaders
import pytest

@pytest.mark.loaderperf(ranks={ranks})
def test_it(loaderperf):
    loaderperf.check(loaders.make_loader())
"""
WRONG = {
    "dies": "os.kill(os.getppid(), 9)",
    "hangs": "time.sleep(10**6)",
    "ends early": "pass  # ends early",
}


def loaders(slower: Mapping[int, float] = MappingProxyType({}), wrong: str = "") -> str:
    """The module of loaders, in which ranks may be so many times as slow, or go wrong."""
    return LOADERS.format(slower={**slower}, wrong=wrong, held=HELD)


def project_in(folder: Path, ranks: int) -> Path:
    """The project, made and accepted if it is not there."""
    project = folder / f"project-{ranks}"
    if project.is_dir():
        return project
    project.mkdir(parents=True)
    (project / "pytest.ini").write_text("[pytest]\nloaderperf_always = true\n")
    (project / ".gitignore").write_text("__pycache__/\n.loaderperf\n.pytest_cache/\n")
    (project / "loaders.py").write_text(loaders())
    (project / "test_it.py").write_text(CHECK.format(ranks=ranks))
    git(project, "init", "-q")
    for message, options in (("loaders", ()), ("accept", ("--loaderperf-update",))):
        if options:
            pytest(project, *options)
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", message)
    return project


def measure(project: Path, text: str, *options: str) -> dict[str, Any]:
    """What a check says of some loaders."""
    (project / "loaders.py").write_text(text)
    (check,) = pytest(project, "--loaderperf", *options)
    return check


def left_over(project: Path) -> list[str]:
    """Processes that run in the project still."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cwd", "cmdline"])
        if (process.info["cwd"] or "").startswith(str(project))
    ]


def line_of(check: dict[str, Any], kind: str, rank: int | None) -> dict[str, Any]:
    """What is kept of a check."""
    text = "\n".join([check["message"], *check["notes"]])
    paces = check["ranks"] or {"candidate": [], "baseline": []}
    more = [a - b for a, b in zip(paces["candidate"], paces["baseline"], strict=False)]
    throughput = check["metrics"].get("throughput", {})
    peak = check["metrics"].get("peak_memory", {}).get("value")
    return {
        "when": round(time.time()),
        "source": source(),
        "kind": kind,
        "rank": rank,
        "verdict": check["verdict"],
        "ratio": throughput.get("ratio"),
        "slowest": more.index(max(more)) if more else None,
        "named": [int(each) for each in re.findall(r"rank (\d+)", text)],
        "seconds": check["seconds"],
        "peak": peak and round(peak / MIB, 1),
        "memory_source": check["memory_source"],
        "ranks": check["ranks"],
        "noise": [round((n["candidate"] + n["baseline"]) / 2, 2) for n in check["noise"]],
        "message": check["message"][:300],
    }


def study(folder: Path, ranks: int, wanted: dict[str, int], loss: float) -> None:
    """Measure what is not there yet, of all kinds by turns."""
    project = project_in(folder, ranks)
    results = folder / "results.jsonl"
    lines = (
        [json.loads(each) for each in results.read_text().splitlines()] if results.exists() else []
    )
    done = Counter(line["kind"] for line in lines)
    while left := {kind: n - done[kind] for kind, n in wanted.items() if n > done[kind]}:
        kind = max(left, key=lambda each: left[each])
        rank = None
        if kind == "identical":
            check = measure(project, loaders())
        elif kind == "slower":
            rank = done[kind] % ranks
            check = measure(project, loaders({rank: 1 / (1 - loss)}))
        else:
            rank = 2
            options = ("--loaderperf-timeout=15",)
            check = measure(project, loaders(wrong=WRONG[kind]), *options)
        line = line_of(check, kind, rank)
        line["left over"] = left_over(project)
        done[kind] += 1
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(kind, rank, line["verdict"], line["ratio"], f"{line['seconds']} s", flush=True)


def show(folder: Path) -> int:
    """Print the figures; 1 if they miss a bar."""
    lines = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    missed = False
    for kind in dict.fromkeys(line["kind"] for line in lines):
        some = [line for line in lines if line["kind"] == kind]
        verdicts = Counter(line["verdict"] for line in some)
        counts = ", ".join(
            f"{verdict} {count} (at most {bound(count, len(some)):.1%})"
            for verdict, count in sorted(verdicts.items())
        )
        seconds = sorted(line["seconds"] for line in some)[len(some) // 2]
        print(f"{kind}: {len(some)} checks: {counts}; {seconds:.0f} s")
        if kind == "identical":
            missed |= verdicts["regressed"] > 0
            peaks = sorted(line["peak"] for line in some if line["peak"])
            print(f"  peak memory {peaks[0]} to {peaks[-1]} MiB, from {some[0]['memory_source']}")
        elif kind == "slower":
            named = sum(line["slowest"] == line["rank"] for line in some)
            missed |= verdicts["regressed"] < len(some) or named < len(some)
            print(f"  the rank is named in {named} of {len(some)}")
        else:
            named = sum(line["rank"] in line["named"] for line in some)
            missed |= named < len(some) or verdicts["error"] < len(some)
            print(f"  rank 2 is named in {named} of {len(some)}")
        if remains := [line["left over"] for line in some if line["left over"]]:
            missed = True
            print(f"  left over: {remains}")
    return int(missed)


def main() -> int:
    """Measure or show."""
    parser = argparse.ArgumentParser()
    actions = parser.add_subparsers(dest="action", required=True)
    running = actions.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("--identical", type=int, default=60)
    running.add_argument("--slower", type=int, default=20)
    running.add_argument("--wrong", type=int, default=3)
    running.add_argument("--loss", type=float, default=0.25)
    running.add_argument("--ranks", type=int, default=4)
    actions.add_parser("show").add_argument("folder", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if options.action == "run":
        wanted = {"identical": options.identical, "slower": options.slower}
        wanted |= dict.fromkeys(WRONG, options.wrong)
        study(folder, options.ranks, wanted, options.loss)
    return show(folder)


if __name__ == "__main__":
    raise SystemExit(main())
