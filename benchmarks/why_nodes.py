"""Does a failure name the node that takes longer? Functions of tf.data, slowed one at a time.

    python benchmarks/why_nodes.py run FOLDER [--only NODE]
    python benchmarks/why_nodes.py show FOLDER

Each case makes one of the eight functions of ``benchmarks/why_project/pipelines.py`` slower, by 15
to 60 % of the work of all, and is compared with the commit before. The truth is that node, and
what a sample takes more by the throughputs of the verdict. What came of each case is appended to
``FOLDER/nodes.jsonl``. Needs tensorflow.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from why import PROJECT, compared, study

MODULE = "pipelines"
IN_A_SAMPLE = 24  # turns of work, of all functions together
NODES = {  # the share that is added to a sample
    "load": 0.3,
    "decode": 0.2,
    "keep": 0.4,
    "count": 0.6,
    "crop": 0.15,
    "augment": 0.3,
    "normalize": 0.2,
    "convert": 0.4,
}
OF_BATCHES = ("normalize", "convert")
BATCH = 32
_NEAR = 0.2


def seeded(text: str, node: str, share: float) -> str:
    """A text in which one function does more turns of work."""
    turns = round(share * IN_A_SAMPLE * (BATCH if node in OF_BATCHES else 1))
    before, begun, after = text.partition(f"def {node}(")
    return before + begun + after.replace(", 0)", f", {turns})", 1)


def run(folder: Path, node: str, share: float) -> dict[str, Any]:
    """Make a node slower, and ask why."""
    text = seeded((PROJECT / f"{MODULE}.py").read_text(), node, share)
    check, seconds, output = compared(folder, MODULE, "", text, "--loaderperf-budget=60")
    metric = check["metrics"].get("throughput", {"value": 1, "baseline": 1, "ratio": 1})
    why = check["why"].get("time", {"culprits": [], "lost": 0.0})
    first = next(iter(why["culprits"]), None)
    return {
        "node": node,
        "share": share,
        "verdict": check["verdict"],
        "ratio": metric["ratio"],
        "right": first is not None and f"({node})" in first["function"],
        "named": first and first["function"],
        "named_ms": first["more"] if first else 0.0,
        "true_ms": 1000 * (1 / metric["value"] - 1 / metric["baseline"]),
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
        f"{line['node']} {line['share']:.0%}: {line['verdict']} {line['ratio']:.3f}, {name}, "
        f"{line['named_ms']:.3f} of {line['true_ms']:.3f} ms, {line['why_seconds']} s"
    )


def show(lines: list[dict[str, Any]]) -> None:
    """Counts of all that was run so far."""
    right = [line for line in lines if line["right"]]
    near = [line for line in right if abs(line["named_ms"] / line["true_ms"] - 1) <= _NEAR]
    seconds = [line["why_seconds"] for line in lines if line["why_seconds"]]
    print(
        f"{len(lines)} nodes: {len(right)} named right, {len(near)} of them within 20 % of what "
        f"the verdict measured; median {statistics.median(seconds):.1f} s, at most "
        f"{max(seconds):.1f} s"
    )


if __name__ == "__main__":
    study("nodes", NODES.items(), run, told, show)
