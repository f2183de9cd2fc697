"""Where time and memory go, as https://www.speedscope.app reads it: a profile of each version."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.results import CheckResult, Stack

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_TIME = "milliseconds", 1.0
_MEMORY = "bytes", 2.0**20
# How speedscope calls the units, and how many of them are one of ours: it knows no MiB.
_UNITS = {"time": _TIME, "first_batch": _TIME, "memory": _MEMORY, "copies": _MEMORY}


def to_speedscope(results: Sequence[CheckResult]) -> dict[str, object]:
    """All stacks of all checks; without any there are no profiles."""
    frames: dict[str, int] = {}
    profiles = [
        _profile(f"{result.nodeid}, {what} of the {side}", what, side, why.stacks, frames)
        for result in results
        for what, why in result.why.items()
        for side in ("candidate", "baseline")
    ]
    return {
        "$schema": _SCHEMA,
        "exporter": "pytest-loaderperf",
        "shared": {"frames": [{"name": name} for name in frames]},
        "profiles": profiles,
    }


def _profile(
    name: str, what: str, side: str, stacks: Sequence[Stack], frames: dict[str, int]
) -> dict[str, object]:
    unit, scale = _UNITS[what]
    weights = [scale * getattr(stack, side) for stack in stacks]
    return {
        "type": "sampled",
        "name": name,
        "unit": unit,
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [
            [frames.setdefault(call, len(frames)) for call in stack.calls] for stack in stacks
        ],
        "weights": weights,
    }
