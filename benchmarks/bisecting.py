"""Does a search through a history name the right commit? Histories with one loss, drawn at random.

    python benchmarks/bisecting.py run FOLDER [--histories 20] [--commits 32] [--loss 0.1]
    python benchmarks/bisecting.py show FOLDER

Each history has merges of branches, a commit that cannot be imported (mended by the next one), and
no check: that is in the working tree alone. One commit makes a small loader slower.
What came of each search is appended to ``FOLDER/bisecting.jsonl``. A search that names a commit
which did not do it is wrong; one that names several, or none, has not found it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from study import append, git

LOADER = """\
def rows():
    while True:
        total = 0
        for number in range({steps}):
            total += number
        yield [total] * 8
"""
CHECK = "import rows\n\ndef test_rows(loaderperf):\n    loaderperf.check(rows.rows)\n"
STEPS = 9000  # of a batch, some 0.3 ms
MERGES = 3


def commit(project: Path, subject: str) -> str:
    """Commit all that there is; its hash."""
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", subject)
    return checked_out(project)


def history(project: Path, count: int, loss: float) -> tuple[str, str]:
    """Make one; returns the first commit, and the one that made the loader slower."""
    project.mkdir()
    git(project, "init", "-q", "-b", "main")
    (project / "rows.py").write_text(LOADER.format(steps=STEPS))
    (project / ".gitignore").write_text("__pycache__/\n.loaderperf/\n.pytest_cache/\n")
    (project / "pytest.ini").write_text("[pytest]\n")
    first = commit(project, "first")
    culprit = random.randint(1, count)
    broken = random.choice([n for n in range(1, count) if not {n, n + 1} & {culprit}])
    merges = random.sample(range(1, count + 1), MERGES)
    slow, found = STEPS, ""
    for number in range(1, count + 1):
        branch = number in merges and number not in {broken, broken + 1}
        if branch:
            git(project, "checkout", "-q", "-b", f"branch-{number}")
        if number == culprit:
            slow = round(STEPS / (1 - loss))
        text = LOADER.format(steps=slow)
        (project / "rows.py").write_text("import nowhere\n" + text if number == broken else text)
        (project / "notes.txt").write_text(f"{number}\n")
        made = commit(project, f"number {number}")
        if branch:
            git(project, "checkout", "-q", "main")
            git(project, "merge", "-q", "--no-ff", "-m", f"merge {number}", f"branch-{number}")
            made = checked_out(project)
        if number == culprit:
            found = made
    (project / "test_rows.py").write_text(CHECK)
    return first, found


def checked_out(project: Path) -> str:
    """The commit that is checked out."""
    head = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(head, cwd=project, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def search(folder: Path, count: int, loss: float) -> dict[str, Any]:
    """Search a history of its own; what came of it."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        project, results = Path(scratch, "project"), Path(scratch, "results.json")
        first, culprit = history(project, count, loss)
        began = time.monotonic()
        span = (f"--loaderperf-bisect={first}..", f"--loaderperf-json={results}")
        command = [sys.executable, "-m", "pytest", "-q", *span]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        (check,) = json.loads(results.read_text())["checks"]
        suspects = [each["commit"] for each in (check["search"] or {"suspects": []})["suspects"]]
        named = "right" if suspects == [culprit] else "wrong" if len(suspects) == 1 else "open"
        if named == "wrong" and done.returncode:
            named = "open"  # it says that it is not sure
        return {
            "named": named,
            "seconds": round(seconds),
            "commits": count,
            "loss": loss,
            "steps": (check["search"] or {}).get("steps"),
            "message": check["message"],
        }


def show(lines: list[dict[str, Any]]) -> None:
    """Counts, and how long the searches took."""
    counts = Counter(line["named"] for line in lines)
    seconds = [line["seconds"] for line in lines]
    tried = [len(line["steps"] or ()) for line in lines]
    print(
        f"{len(lines)} histories: {counts['right']} right, {counts['open']} open, "
        f"{counts['wrong']} wrong; median {statistics.median(seconds):.0f} s, "
        f"{statistics.median(tried):g} commits tried"
    )


def main() -> None:
    """Search some histories, or show what came of all so far."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "show"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--histories", type=int, default=20)
    parser.add_argument("--commits", type=int, default=32)
    parser.add_argument("--loss", type=float, default=0.1)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "bisecting.jsonl"
    for _ in range(options.histories if options.what == "run" else 0):
        line = search(options.folder, options.commits, options.loss)
        append(file, [line])
        print(f"{line['named']} in {line['seconds']} s: {line['message']}", flush=True)
    show([json.loads(line) for line in file.read_text().splitlines()])


if __name__ == "__main__":
    main()
