"""Does a failure name the line that holds more memory? Growths that are put into loaders.

    python benchmarks/why_growths.py run FOLDER [--only KIND]
    python benchmarks/why_growths.py show FOLDER

Each case has one line of ``benchmarks/why_project/growing.py`` hold 8 to 64 MiB more, in the main
process or in each of two workers, and is compared with the commit before. The truth is that line,
and what the guard's own trials measure as the growth of peak memory, which memray has no part in.
Batches in flight have no line: these must be told as such. Pages that workers share with the main
process, and copy, are told by the line that looks at them. What came of each case is appended to
``FOLDER/growths.jsonl``. Needs torch and memray.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from why import PROJECT, compared, study

MODULE = "growing"
# Where a line is put, the line, and how much of what is named in it makes a MiB.
GROWTHS = {
    "cache": ("getitem", "len(KEPT) < 100 and KEPT.append(np.ones({count}))", 2**17 / 100),
    "image": ("decode", "len(KEPT) < {count} and KEPT.append(image)", 64),
    "list": ("init", "KEPT.extend([number] for number in range({count}))", 2**20 / 100),
    "shared": ("getitem", "KEPT or KEPT.append(share({count}))", 2**20),
    "counts": ("getitem", "KEPT or KEPT.append(sum(map(len, self.names[:{count}])))", 2**20 / 80),
    "ahead": ("", "ahead = {count}  # batches", 2),
}
CASES = (  # loader, growth, MiB in each process that holds it
    ("plain", "cache", 8),
    ("plain", "cache", 64),
    ("torch", "cache", 32),
    ("torch-fork", "cache", 8),
    ("torch-fork", "cache", 32),
    ("torch-spawn", "cache", 16),
    ("torch-forkserver", "cache", 16),
    ("plain", "image", 16),
    ("torch", "image", 32),
    ("torch-fork", "image", 16),
    ("torch-spawn", "image", 32),
    ("plain", "list", 16),
    ("torch", "list", 32),
    ("torch-fork", "list", 24),
    ("plain", "shared", 16),
    ("torch", "shared", 32),
    ("torch-fork", "shared", 16),
    ("torch-fork", "ahead", 16),
    ("torch-spawn", "ahead", 8),
    ("torch-fork", "counts", 8),
    ("torch-fork", "counts", 16),
)
_NEAR = 0.1
_MIB = 2**20


def seeded(text: str, growth: str, size: int) -> tuple[str, int]:
    """A text that holds so many MiB more, and the number of the line that holds them."""
    mark, added, of_a_mib = GROWTHS[growth]
    line = added.format(count=round(size * of_a_mib))
    text = text.replace(f"# {mark}\n" if mark else "ahead = 2  # batches\n", f"{line}\n")
    holding = "image = np.full" if growth == "image" else line
    numbers = [n for n, each in enumerate(text.splitlines(), 1) if each.strip().startswith(holding)]
    return text, numbers[0]


def run(folder: Path, kind: str, growth: str, size: int) -> dict[str, Any]:
    """Have a loader hold more, and ask why."""
    text, line = seeded((PROJECT / f"{MODULE}.py").read_text(), growth, size)
    check, seconds, output = compared(folder, MODULE, kind, text)
    metric = check["metrics"].get("peak_memory", {"value": 0, "baseline": 0})
    why = check["why"].get("memory", {"culprits": [], "in_flight": [0, 0]})
    copies = check["why"].get("copies", {"culprits": []})
    first = next(iter([*why["culprits"], *copies["culprits"]]), None)
    named, more = first and first["line"], first["more"] if first else 0.0
    if growth == "ahead":
        named, more = (line if why["in_flight"][0] > 0 else None), why["in_flight"][1]
    return {
        "kind": kind,
        "growth": growth,
        "size": size,
        "verdict": check["verdict"],
        "line": line,
        "right": named == line,
        "named": first and f"{first['file']}:{first['line']}",
        "named_mib": more,
        "true_mib": (metric["value"] - metric["baseline"]) / _MIB,
        "seconds": seconds,
        "why_seconds": check["phases"].get("why"),
        "why": check["why"],
        "notes": check["notes"],
        "output": "" if check["why"] else output[-2000:],
    }


def told(line: dict[str, Any]) -> str:
    """A case as a line of text."""
    name = "right" if line["right"] else f"wrong ({line['named']})"
    return (
        f"{line['kind']}, {line['growth']} {line['size']} MiB: {line['verdict']}, {name}, "
        f"{line['named_mib']:.1f} of {line['true_mib']:.1f} MiB, {line['why_seconds']} s"
    )


def show(lines: list[dict[str, Any]]) -> None:
    """Counts of all that was run so far."""
    right = [line for line in lines if line["right"]]
    near = [line for line in right if abs(line["named_mib"] / line["true_mib"] - 1) <= _NEAR]
    seconds = [line["why_seconds"] for line in lines if line["why_seconds"]]
    print(
        f"{len(lines)} growths: {len(right)} named right, {len(near)} of them within 10 % of what "
        f"the verdict measured; median {statistics.median(seconds):.1f} s, at most "
        f"{max(seconds):.1f} s"
    )


if __name__ == "__main__":
    study("growths", CASES, run, told, show)
