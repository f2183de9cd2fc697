"""Does a failure name the line that takes longer? Losses that are put into loaders, one at a time.

    python benchmarks/why.py run FOLDER [--only KIND] [--identical 20]
    python benchmarks/why.py show FOLDER

Each case makes one line of ``benchmarks/why_project/loaders.py`` slower, so that a sample takes
some 10 to 60 % longer. It is compared with the commit before, with ``--loaderperf-why``. The truth
is that line, all of whose loss it is; and, where a single process does all of the work, how much it
takes more, from the throughputs of the verdict, whose trials nobody asks where they are. What came
of each case is appended to ``FOLDER/why.jsonl``. Needs torch, and grain and datasets for some cases
(the extra ``kinds``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from study import append, git

PROJECT = Path(__file__).with_name("why_project")
LOADERS = "loaders"  # the module
# What is put at a mark of the project: source text, for so many milliseconds.
LOSSES = {
    "transform": ("transform", "burn({rounds})"),
    "copy": ("getitem", "np.copy(np.repeat(image.ravel(), {copied}))"),
    "deepcopy": ("getitem", "metadata = [copy.deepcopy(metadata) for _ in range({copies})][0]"),
    "sampler": ("sampler", "burn({rounds})"),
    "collate": ("collate", "burn({rounds} * len(rows))"),
    "lock": ("getitem", "LOCK.acquire(timeout={seconds})"),
    "sleep": ("decode", "time.sleep({seconds})"),
    "read": ("read", "[FILE.read_bytes() for _ in range({reads})]"),
    "worker": ("worker", "burn({starting})"),
    "regex": (
        "getitem",
        "[(re.purge(), re.compile(r'(a|b)+[c-z]{{2,3}}$')) for _ in range({regexes})]",
    ),
}
# Before all: a thread that does not give its lock back.
SETUP = {"lock": "LOCK.acquire()"}
SHARES = (0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
KINDS = ("torch", "torch-fork", "torch-spawn", "torch-forkserver", "plain", "grain", "datasets")
EVERYWHERE = ("torch", "torch-fork")
_SAMPLES = 2000  # of an epoch
_NEAR = 0.8


def cases() -> list[tuple[str, str, float]]:
    """Loader, loss and share of each case: all losses in two kinds of loader, some in others."""
    found: list[tuple[str, str, float]] = []
    for kind in KINDS:
        for number, loss in enumerate(LOSSES):
            in_workers = "-" in kind
            rare = kind not in EVERYWHERE and (number + KINDS.index(kind)) % 2
            if rare or (loss == "worker") > in_workers:
                continue
            if kind == "datasets" and loss == "sampler":  # which it does not have
                continue
            found.append((kind, loss, SHARES[len(found) % len(SHARES)]))
    return found


def units() -> dict[str, float]:
    """How long each thing takes once, in ms, on this machine."""
    program = f"""
import json, sys, timeit
sys.path.insert(0, {str(PROJECT)!r})
from loaders import *
import loaders
FILE = loaders.FILE = pathlib.Path("sample.bin")
FILE.write_bytes(bytes(65536))
image = np.zeros((64, 64), np.float32)
def ms(run, count):
    return 1000 * min(timeit.repeat(run, number=count, repeat=5)) / count
samples = Samples()
print(json.dumps({{
    "rounds": ms(lambda: burn(100), 5) / 100,
    "copied": ms(lambda: np.copy(np.repeat(image.ravel(), 50)), 20) / 50,
    "copies": ms(lambda: copy.deepcopy(METADATA), 50),
    "reads": ms(lambda: FILE.read_bytes(), 100),
    "regexes": ms(lambda: (re.purge(), re.compile(r'(a|b)+[c-z]{{2,3}}$')), 50),
    "sample": ms(lambda: collate([samples[n] for n in range(8)]), 10) / 8,
}}))
"""
    command = [sys.executable, "-c", program]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def seeded(text: str, loss: str, share: float, taking: dict[str, float]) -> tuple[str, int, str]:
    """A text with a loss, the line of that, and its function."""
    mark, added = LOSSES[loss]
    wanted = share * taking["sample"]
    counts = {name: max(1, round(wanted / taking[name])) for name in taking}
    epoch = _SAMPLES * wanted / taking["rounds"] / 2
    line = added.format(seconds=wanted / 1000, starting=round(epoch), **counts)
    text = text.replace(f"# {mark}\n", f"{line}\n")
    if loss in SETUP:
        text += f"\n\n{SETUP[loss]}\n"
    lines = text.splitlines()
    number = next(n for n, each in enumerate(lines, 1) if each.strip() == line)
    function = next(each for each in reversed(lines[:number]) if each.lstrip().startswith("def "))
    return text, number, function.strip().partition("(")[0].removeprefix("def ")


def compared(
    folder: Path, module: str, kind: str, text: str, *asked: str
) -> tuple[dict[str, Any], int, str]:
    """A check of the project with another text of a module, its seconds, and what pytest printed.

    It is compared with the project as it is; ``asked`` are further arguments of pytest.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        project, results = Path(scratch, "project"), Path(scratch, "results.json")
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
        (project / "sample.bin").write_bytes(os.urandom(65536))
        (project / ".gitignore").write_text("__pycache__/\n.loaderperf/\n.pytest_cache/\n")
        (project / "pytest.ini").write_text("[pytest]\nloaderperf_budget = 30\n")
        git(project, "init", "-q", "-b", "main")
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", "first")
        (project / f"{module}.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", f"test_{module}.py", "--loaderperf"]
        against = ["--loaderperf-always", "--loaderperf-against=HEAD"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, *against, *asked, f"--loaderperf-json={results}"],
            cwd=project,
            env={**os.environ, "WHY_LOADER": kind},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = round(time.monotonic() - began)
        (check,) = json.loads(results.read_text())["checks"]
    return check, seconds, done.stdout


def run(
    folder: Path, kind: str, loss: str, share: float, taking: dict[str, float]
) -> dict[str, Any]:
    """Make a loader slower (by nothing: a share of 0), and ask why."""
    before = (PROJECT / f"{LOADERS}.py").read_text()
    text, line, function = before + "\n", 0, ""
    if share:
        text, line, function = seeded(before, loss, share, taking)
    check, seconds, output = compared(folder, LOADERS, kind, text, "--loaderperf-why")
    metric = check["metrics"].get("throughput")
    why = check["why"].get("time", {"culprits": [], "lost": 0.0})
    first = next(iter(why["culprits"]), None)
    truth = 0.0
    if metric and metric["value"] and metric["baseline"]:
        truth = 0.0 if "-" in kind else 1000 * (1 / metric["value"] - 1 / metric["baseline"])
    return {
        "kind": kind,
        "loss": loss if share else "",
        "share": share,
        "verdict": check["verdict"],
        "ratio": metric and metric["ratio"],
        "line": line,
        "function": function,
        "named": first and f"{first['function']}:{first['line']}",
        "right": first is not None
        and first["line"] == line
        and first["function"].endswith(function),
        "named_ms": first and first["more"],
        "lost_ms": why["lost"],
        "true_ms": truth,
        "seconds": seconds,
        "why_seconds": check["phases"].get("why"),
        "why": check["why"],
        "notes": check["notes"],
        "output": "" if check["why"] else output[-2000:],
    }


def told(line: dict[str, Any]) -> str:
    """A case as a line of text."""
    if not line["share"]:
        named = f"named {line['named']}" if line["named"] else "named nothing"
        return f"{line['kind']}, identical: {line['verdict']}, {named}"
    truth = ""
    if line["true_ms"]:
        truth = f" ({(line['named_ms'] or 0) / line['true_ms']:.0%} of the verdict's)"
    name = "right" if line["right"] else f"wrong ({line['named']})"
    return (
        f"{line['kind']}, {line['loss']} {line['share']:.0%}: {line['verdict']} "
        f"{line['ratio'] or 0:.3f}, {name}, {line['named_ms'] or 0:.2f} of {line['lost_ms']:.2f} ms"
        f"{truth}, {line['why_seconds']} s"
    )


def show(lines: list[dict[str, Any]]) -> None:
    """Counts of all that was run so far."""
    slowed = [line for line in lines if line["share"]]
    alike = [line for line in lines if not line["share"]]
    right = [line for line in slowed if line["right"]]
    near = [line for line in right if _NEAR <= line["named_ms"] / line["lost_ms"] <= 2 - _NEAR]
    alone = [line["named_ms"] / line["true_ms"] for line in right if line["true_ms"]]
    named = sum(bool(line["named"]) for line in alike)
    seconds = [line["why_seconds"] for line in lines if line["why_seconds"]]
    print(
        f"{len(slowed)} losses: {len(right)} named right, {len(near)} of them within 20 % of the "
        f"truth; {len(alike)} of identical code: {named} named; "
        f"median {statistics.median(seconds):.1f} s, at most {max(seconds):.1f} s"
    )
    if alone:
        quarters = statistics.quantiles(alone, n=4) if len(alone) > 1 else alone * 3
        print(
            f"of what the throughputs of a single process say: {quarters[1]:.0%} (quartiles "
            f"{quarters[0]:.0%} and {quarters[2]:.0%})"
        )


def study(
    name: str,
    cases: Iterable[tuple[Any, ...]],
    run: Callable[..., dict[str, Any]],
    told: Callable[[dict[str, Any]], str],
    show: Callable[[list[dict[str, Any]]], None],
) -> None:
    """Run the cases whose names are asked for, or show what came of all so far.

    ``run`` gets the folder and what a case consists of. The results go to a file of that name.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "show"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / f"{name}.jsonl"
    if options.what == "run":
        for case in cases:
            if options.only in " ".join(map(str, case)):
                line = run(options.folder, *case)
                append(file, [line])
                print(told(line), flush=True)
    show([json.loads(line) for line in file.read_text().splitlines()])


def main() -> None:
    """Run the cases, or show what came of all so far."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "show"))
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--only", default="", help="kinds of loader or losses whose name holds this"
    )
    parser.add_argument("--identical", type=int, default=0, help="checks of identical code")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "why.jsonl"
    if options.what == "run":
        taking = units()
        wanted = [case for case in cases() if options.only in f"{case[0]} {case[1]}"]
        alike = [(KINDS[n % len(KINDS)], "", 0.0) for n in range(options.identical)]
        for kind, loss, share in wanted + alike:
            line = run(options.folder, kind, loss, share, taking)
            append(file, [line])
            print(told(line), flush=True)
    show([json.loads(line) for line in file.read_text().splitlines()])


if __name__ == "__main__":
    main()
