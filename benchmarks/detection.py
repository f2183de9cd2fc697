"""Draw how often the study has found a loss of so many per cent, with the bounds of each rate.

    python benchmarks/detection.py FOLDER docs/detection.svg

Needs matplotlib (the extra ``benchmarks``). FOLDER is that of ``study.py``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from scipy.special import betaincinv
from study import CONDITIONS, Condition

# The conditions, by the loss in per cent, that differ in nothing else.
_LOSSES = {
    name: 100 * condition.loss
    for name, condition in CONDITIONS.items()
    if condition == Condition(condition.loss)
}
_LOADERS = {"test_numpy": "numpy", "test_torch": "torch, 2 workers", "test_tf": "tf.data"}


def bounds(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a rate (Clopper and Pearson)."""
    low = float(betaincinv(count, total - count + 1, 0.025)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 0.975)) if count < total else 1.0
    return low, high


def counts(lines: list[dict[str, Any]]) -> dict[str, dict[float, list[bool]]]:
    """Of each loader, whether it was called a regression, by the loss in per cent."""
    found: dict[str, dict[float, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        if (loss := _LOSSES.get(line["condition"])) is not None:
            loader = _LOADERS[line["nodeid"].partition(".py")[0]]
            found[loader][loss].append(line["verdict"] == "regressed")
    return found


def main() -> None:
    """Draw one panel for all loaders, at a tolerance of 10 %."""
    import matplotlib.pyplot as plt

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    text = (options.folder / "results.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for shift, (loader, by_loss) in enumerate(sorted(counts(lines).items())):
        losses = sorted(by_loss)
        rates = [sum(by_loss[loss]) / len(by_loss[loss]) for loss in losses]
        limits = [bounds(sum(by_loss[loss]), len(by_loss[loss])) for loss in losses]
        below = [max(0.0, rate - low) for rate, (low, _) in zip(rates, limits, strict=True)]
        above = [max(0.0, high - rate) for rate, (_, high) in zip(rates, limits, strict=True)]
        places = [loss + 0.15 * (shift - 1) for loss in losses]
        axes.errorbar(places, rates, [below, above], marker="o", capsize=3, label=loader)
    axes.axvline(10, color="grey", linestyle=":", label="tolerance")
    axes.set_xlabel("true loss of throughput, %")
    axes.set_ylabel("called a regression")
    axes.set_ylim(-0.02, 1.02)
    axes.legend()
    figure.savefig(options.picture)


if __name__ == "__main__":
    main()
