"""How often is the guard wrong? Whole checks of three loaders, on identical code and with losses.

    python benchmarks/study.py run FOLDER --condition same [--condition ...] --rounds 100
    python benchmarks/study.py show FOLDER

FOLDER keeps a small git project whose baselines are accepted once, and `results.jsonl`, to which
every check of a round is appended: a study that was interrupted goes on. A round runs ``pytest
--loaderperf`` once for each condition, or, where peers are asked, pytest-benchmark on the same
loaders. `show` prints counts with their bounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers import called
from scipy.special import betaincinv

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "benchmarks" / "study_project"
QUIET = 0.1  # of the CPUs, that others take
SAME_HOUR = 3600  # seconds: peers' runs that lie further apart are not compared
MODULES = ("test_numpy.py", "test_torch.py", "test_tf.py")


@dataclass(frozen=True)
class Condition:
    """What is different about the candidate, or the machine."""

    loss: float = 0.0  # of throughput
    accepted_loss: float = 0.0  # of the accepted code: the candidate gains by as much
    tolerance: str = "10%"
    budget: int = 60  # seconds
    layout: bool = False
    bursts: bool = False
    peers: bool = False


# How a loss comes about: drawn for each round. A tf.data pipeline always works more, in its map.
KINDS = ("work", "sleep", "copy")
CONDITIONS = {
    "same": Condition(),
    "layout": Condition(layout=True),
    "bursts": Condition(bursts=True),
    "loss 5 %, tolerance 5 %": Condition(0.05, tolerance="5%", budget=180),
    "loss 5 %, tolerance 5 %, 300 s": Condition(0.05, tolerance="5%", budget=300),
    "loss 7 %": Condition(0.07),
    "loss 10 %": Condition(0.1),
    "loss 13 %": Condition(0.13),
    "loss 20 %": Condition(0.2),
    "gain 11 %": Condition(accepted_loss=0.1),
    "peers, same": Condition(peers=True),
    "peers, loss 10 %": Condition(0.1, peers=True),
}


def git(project: Path, *arguments: str) -> None:
    """Run git in the project."""
    who = {f"GIT_{r}_{w}": "study" for r in ("AUTHOR", "COMMITTER") for w in ("NAME", "EMAIL")}
    subprocess.run(["git", *arguments], cwd=project, env={**os.environ, **who}, check=True)


def pytest(project: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run the guard; what the results file says of each check."""
    results = project.parent / "round.json"
    results.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments, f"--loaderperf-json={results}"],
        cwd=project,
        stdout=subprocess.DEVNULL,
        check=False,  # a regression is an ordinary outcome here
    )
    checks: list[dict[str, Any]] = json.loads(results.read_text())["checks"]
    return checks


def project_in(folder: Path, accepted_loss: float = 0.0) -> Path:
    """The project, made and accepted if it is not there."""
    project = folder / (f"project-{accepted_loss:g}" if accepted_loss else "project")
    (ROOT / ".loaderperf").mkdir(exist_ok=True)  # may have been cleared since
    if not project.is_dir():
        finished, project = project, folder / "unfinished"
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(SOURCES, project)
        shutil.copy(ROOT / "tests" / "perf" / "corpus.py", project)
        change(project, Condition(accepted_loss))
        ini = "[pytest]\nloaderperf_metrics = throughput\nloaderperf_always = true\n"
        (project / "pytest.ini").write_text(ini)
        (project / ".gitignore").write_text("__pycache__/\n.loaderperf\n.pytest_cache/\n")
        (project / ".loaderperf").symlink_to(ROOT / ".loaderperf")
        git(project, "init", "-q")
        checks = pytest(project, "--loaderperf-update", *MODULES)
        if failed := [check["nodeid"] for check in checks if check["outcome"] != "passed"]:
            raise SystemExit(f"these checks cannot be accepted: {', '.join(failed)}")
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", "accept")
        project = project.rename(finished)
    return project


def change(project: Path, condition: Condition) -> str:
    """Make the working tree what the condition asks for; returns the kind of its loss."""
    kind = random.choice(KINDS)
    text = (SOURCES / "loss.py").read_text()
    text = text.replace("LOSS = 0.0", f"LOSS = {condition.loss}")
    (project / "loss.py").write_text(text.replace('KIND = "work"', f'KIND = "{kind}"'))
    layout = ""
    if condition.layout:
        name, value = "L" * random.randint(1, 40), "x" * random.randint(1, 4000)
        module = random.choice(["xml.dom.minidom", "email.mime.text", "sqlite3", "csv", "ast"])
        kept = random.randint(0, 200_000)
        layout = (
            f"import os\nimport {module}\nos.environ['{name}'] = '{value}'\n"
            f"KEPT = [bytes(n % 3000) for n in range({kept // 100})]\n"
        )
    (project / "layout.py").write_text(layout)
    return kind if condition.loss else ""


@contextlib.contextmanager
def bursts(wanted: bool) -> Iterator[None]:
    """Another process that takes one core for seconds, now and then."""
    if not wanted:
        yield
        return
    code = (
        "import random, time\n"
        "while True:\n"
        "    end = time.monotonic() + random.uniform(0.5, 5)\n"
        "    while time.monotonic() < end: pass\n"
        "    time.sleep(random.uniform(0.5, 5))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as burner:
        try:
            yield
        finally:
            burner.kill()


def one_round(folder: Path, name: str, modules: list[str]) -> None:
    """Run the checks once under a condition, and append what came out."""
    condition = CONDITIONS[name]
    project = project_in(folder, condition.accepted_loss)
    kind = change(project, condition)
    if condition.peers:
        runs = peer_runs(project, modules)
        append(folder / "results.jsonl", ({"condition": name, "kind": kind, **run} for run in runs))
        return
    with bursts(condition.bursts):
        tolerance = f"-oloaderperf_throughput={condition.tolerance}"
        budget = f"--loaderperf-budget={condition.budget}"
        checks = pytest(project, "--loaderperf", tolerance, budget, *modules)
    kept = ("nodeid", "verdict", "pairs", "seconds", "message", "notes", "noise")
    lines = []
    for check in checks:
        metric = check["metrics"].get("throughput", {})
        values = {key: metric.get(key) for key in ("ratio", "ratios", "interval", "detectable")}
        lines.append(
            {"condition": name, "kind": kind, **{key: check[key] for key in kept}, **values}
        )
    append(folder / "results.jsonl", lines)
    if broken := [check for check in checks if check["verdict"] == "error"]:  # so will all others
        raise SystemExit("\n".join(f"{check['nodeid']}: {check['message']}" for check in broken))


def source() -> str:
    """The version of the guard."""
    tree = ["git", "rev-parse", "--short", "HEAD:src"]
    return subprocess.run(tree, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def append(file: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Keep what was found in a file, and with which version of the guard."""
    common = {"when": round(time.time()), "source": source()}
    with file.open("a") as kept:
        for line in lines:
            kept.write(json.dumps({**common, **line}) + "\n")


def peer_runs(project: Path, modules: list[str]) -> Iterator[dict[str, Any]]:
    """The times of pytest-benchmark's rounds, of each loader in a process of its own."""
    results = project.parent / "peer.json"
    for module in modules:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", module, f"--benchmark-json={results}"],
            cwd=project,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        (benchmark,) = json.loads(results.read_text())["benchmarks"]
        yield {"nodeid": benchmark["fullname"], "times": benchmark["stats"]["data"]}


def others(line: Mapping[str, Any]) -> float:
    """The share of the CPUs that others took during a check."""
    shares = [(pair["candidate"] + pair["baseline"]) / 2 for pair in line["noise"]]
    return statistics.fmean(shares) if shares else 0.0


def bound(count: int, total: int) -> float:
    """The highest rate of which a count is plausible (Clopper and Pearson, one-sided, 95 %)."""
    return 1.0 if count == total else float(betaincinv(count + 1, total - count, 0.95))


def show(folder: Path) -> None:
    """Print a line for each condition and check, and one for each peer."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    lines = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    show_peers([line for line in lines if "times" in line])
    for line in [line for line in lines if "times" not in line]:
        found[line["condition"], line["nodeid"]].append(line)
        found[line["condition"], "all"].append(line)
        machine = "quiet" if others(line) < QUIET else "busy"
        found[line["condition"], f"all on a {machine} machine"].append(line)
    for (condition, nodeid), lines in sorted(found.items()):
        verdicts = Counter(line["verdict"] for line in lines)
        total = len(lines)
        counts = ", ".join(
            f"{verdict} {count} (at most {bound(count, total):.1%})"
            for verdict, count in sorted(verdicts.items())
        )
        ratios = [math.log(line["ratio"]) for line in lines if line["ratio"]]
        mean = math.exp(statistics.fmean(ratios)) if ratios else math.nan
        spread = statistics.stdev(ratios) if len(ratios) > 1 else math.nan
        seconds = statistics.median(line["seconds"] for line in lines)
        pairs = statistics.median(line["pairs"] for line in lines)
        print(
            f"{condition}; {nodeid}: {total} checks: {counts}; ratio {mean:.3f}, sd {spread:.1%}; "
            f"median {pairs:g} pairs, {seconds:.0f} s"
        )


def show_peers(lines: list[dict[str, Any]]) -> None:
    """Print what peers call a regression: of a run, and of a slower one, after the same code's."""
    whats = {"peers, same": "the same again", "peers, loss 10 %": "a loss of 10 %"}
    pairs: dict[str, list[tuple[list[float], list[float]]]] = {what: [] for what in whats.values()}
    latest: dict[str, dict[str, Any]] = {}
    for line in lines:
        first = latest.get(line["nodeid"])
        if first and line["when"] - first["when"] < SAME_HOUR:
            pairs[whats[line["condition"]]].append((first["times"], line["times"]))
        if line["condition"] == "peers, same":
            latest[line["nodeid"]] = line
    for what, compared in pairs.items():
        for peer, count in called(compared).items() if compared else ():
            total = len(compared)
            rate = f"{count} of {total} ({count / total:.1%}, at most {bound(count, total):.1%})"
            print(f"{peer}; {what}: called a regression in {rate}")


def main() -> int:
    """Run or show."""
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["run", "show"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--condition", action="append", choices=CONDITIONS)
    parser.add_argument("--module", action="append", choices=MODULES)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(options.rounds if options.action == "run" else 0):
        for name in options.condition or CONDITIONS:
            one_round(folder, name, options.module or list(MODULES))
    show(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
