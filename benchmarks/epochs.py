"""Is a verdict true of whole epochs? Checks of losses in bursts, and of loaders that wait.

    python benchmarks/epochs.py checks FOLDER bursts [--loss 0.1] [--rounds 20] [--only NAME]
    python benchmarks/epochs.py checks FOLDER waiting [--loss 0.25] [--rounds 10] [--only NAME]
    python benchmarks/epochs.py show FOLDER
    python benchmarks/epochs.py figures [--rounds 7]

`checks` runs whole checks of the loaders in `benchmarks/bursts_project` or `waiting_project`, in a
small git project below FOLDER, and appends what came out to `results.jsonl` there: an interrupted
study goes on. The loss is a share of throughput. `figures` alternates a bare loop and a timing
trial of the guard, and prints the ratio of what they say for each loader that waits.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from study import bound, git, pytest, source

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 5.0  # of a bare loop
SHOWN = ("throughput", "epoch_time")
# The project, and the line of its loaders that makes a loss.
PROJECTS = {
    "bursts": ("LOSS = 0.0", "LOSS = {}"),
    "waiting": ("FACTOR = 1.0", "FACTOR = 1 / (1 - {})"),
}


def names(project: Path) -> list[str]:
    """The loaders."""
    code = "import loaders; print(*loaders.LOADERS)"
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    return output.stdout.split()


def bare(project: Path, name: str) -> float:
    """Samples/s of a plain loop."""
    command = [sys.executable, str(Path(__file__).with_name("bare.py")), str(project), name]
    output = subprocess.run(
        [*command, str(SECONDS)], cwd=project, capture_output=True, text=True, check=True
    )
    return float(output.stdout)


def project_in(folder: Path, name: str) -> Path:
    """The project of that name, made and accepted if it is not there."""
    project = folder / name
    if not project.is_dir():
        unfinished = folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(sources(name), unfinished, ignore=shutil.ignore_patterns("__pycache__"))
        (unfinished / "pytest.ini").write_text("[pytest]\nloaderperf_always = true\n")
        (unfinished / ".gitignore").write_text("__pycache__/\n.loaderperf\n.pytest_cache/\n")
        git(unfinished, "init", "-q")
        git(unfinished, "add", "-A")
        git(unfinished, "commit", "-q", "-m", "loaders")
        accepted = pytest(unfinished, "--loaderperf-update")
        if failed := [check["nodeid"] for check in accepted if check["outcome"] != "passed"]:
            raise SystemExit(f"these checks cannot be accepted: {', '.join(failed)}")
        git(unfinished, "add", "-A")
        git(unfinished, "commit", "-q", "-m", "accept")
        unfinished.rename(project)
    return project


def sources(name: str) -> Path:
    """Where the project of that name comes from."""
    return ROOT / "benchmarks" / f"{name}_project"


def figures(project: Path, rounds: int) -> int:
    """Print a line for each loader; 1 if one misses the bar of 3 %."""
    worst = 0.0
    for name in names(project):
        ratios, guards = [], []
        for turn in range(rounds):
            found = {}
            for way in ("guard", "bare") if turn % 2 else ("bare", "guard"):
                found[way] = bare(project, name) if way == "bare" else guarded(project, name)
            ratios.append(found["guard"] / found["bare"])
            guards.append(found["guard"])
        median = statistics.median(ratios)
        worst = max(worst, abs(median - 1))
        shown = " ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
        typical = statistics.median(guards)
        print(f"{name}: {typical:.0f} samples/s, median {median:.3f}, all {shown}", flush=True)
    return int(worst > 0.03)


def guarded(project: Path, name: str) -> float:
    """What a run of the guard says of the throughput, compared with nothing."""
    results = project / ".loaderperf-results.json"
    against = ["--loaderperf-against=stored", f"--loaderperf-json={results}"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"test_{project.name.removesuffix('_project')}.py::test_it[{name}]",
    ]
    plain = ["-c", os.devnull, f"--rootdir={project}"]
    try:
        subprocess.run(
            [*command, *plain, "--loaderperf", *against],
            cwd=project,
            stdout=subprocess.DEVNULL,
            check=False,  # there is no baseline
        )
        (check,) = json.loads(results.read_text())["checks"]
    finally:
        results.unlink(missing_ok=True)
        shutil.rmtree(project / ".loaderperf", ignore_errors=True)
    return float(check["metrics"]["throughput"]["value"])


def checks(folder: Path, name: str, loss: float, rounds: int, only: str) -> None:
    """Run checks, and append what came out."""
    project = project_in(folder, name)
    before, now = PROJECTS[name]
    text = (sources(name) / "loaders.py").read_text()
    changed = text.replace(before, now.format(loss)) if loss else text
    assert (changed != text) == (loss > 0)
    (project / "loaders.py").write_text(changed)
    chosen = ["-k", only] if only else []
    for _ in range(rounds):
        found = pytest(project, "--loaderperf", *chosen)
        with (folder / "results.jsonl").open("a") as file:
            for check in found:
                file.write(json.dumps(line_of(check, name, loss)) + "\n")


def line_of(check: dict[str, Any], project: str, loss: float) -> dict[str, Any]:
    """What is kept of a check."""
    kept = ("nodeid", "verdict", "pairs", "seconds", "message", "notes", "coverage", "noise")
    ratios = {name: metric["ratio"] for name, metric in check["metrics"].items()}
    pairs = {name: check["metrics"].get(name, {}).get("ratios") for name in SHOWN}
    common = {"when": round(time.time()), "source": source(), "project": project, "loss": loss}
    return {**common, **{key: check[key] for key in kept}, "ratios": ratios, "each": pairs}


def show(folder: Path) -> None:
    """Print a line for each project and loss, and for each loader with it."""
    lines = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    for project, loss in sorted({(line["project"], line["loss"]) for line in lines}):
        chosen = [line for line in lines if (line["project"], line["loss"]) == (project, loss)]
        for nodeid in (None, *dict.fromkeys(line["nodeid"] for line in chosen)):
            some = [line for line in chosen if nodeid in (None, line["nodeid"])]
            verdicts = Counter(line["verdict"] for line in some)
            counts = ", ".join(
                f"{verdict} {count} (at most {bound(count, len(some)):.1%})"
                for verdict, count in sorted(verdicts.items())
            )
            ratios = " ".join(
                f"{name} {statistics.median(values):.3f}"
                for name in SHOWN
                if (values := [r for line in some if (r := line["ratios"].get(name))])
            )
            seconds = statistics.median(line["seconds"] for line in some)
            print(
                f"{project}, loss {loss:.0%}; {nodeid or 'all'}: {len(some)} checks: {counts}; "
                f"{ratios}; {seconds:.0f} s"
            )


def main() -> int:
    """Measure or show."""
    parser = argparse.ArgumentParser()
    actions = parser.add_subparsers(dest="action", required=True)
    running = actions.add_parser("checks")
    running.add_argument("folder", type=Path)
    running.add_argument("project", choices=PROJECTS)
    running.add_argument("--loss", type=float, default=0.0)
    running.add_argument("--rounds", type=int, default=1)
    running.add_argument("--only", default="")
    actions.add_parser("show").add_argument("folder", type=Path)
    alternating = actions.add_parser("figures")
    alternating.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if options.action == "figures":
        return figures(sources("waiting"), options.rounds)
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if options.action == "checks":
        checks(folder, options.project, options.loss, options.rounds, options.only)
    show(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
