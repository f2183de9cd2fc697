"""Which shard measures which modules."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import SettingsError
from ..model.results import Verdict
from ..model.shards import Shard


def module_of(nodeid: str) -> str:
    """The module of a check: all that a shard measures of it shares an arm, and a baseline file."""
    return nodeid.partition("::")[0]


def own(selection: Sequence[str], seconds: Mapping[str, float], shard: Shard) -> list[str]:
    """The checks of a shard, in order: whole modules.

    ``seconds`` are what checks took in an earlier run; one that is not among them counts as the
    mean of those that are. SettingsError where there are fewer modules than shards.
    """
    usual = statistics.fmean(seconds.values()) if seconds else 1.0
    loads: dict[str, float] = {}
    for check in selection:
        module = module_of(check)
        loads[module] = loads.get(module, 0.0) + seconds.get(check, usual)
    if len(loads) < shard.of:
        raise SettingsError(
            f"--loaderperf-shard={shard}: a module is never divided, and the checks that are "
            f"selected are in {len(loads)} of them: use no more shards than that"
        )
    modules = split(loads, shard.of)[shard.number - 1]
    return [check for check in selection if module_of(check) in modules]


def split(loads: Mapping[str, float], shards: int) -> list[set[str]]:
    """Modules for each shard: the longest first, each to the one that has the least to do.

    The longest shard takes at most a third more than in the best division there is (Graham, 1969).
    None is left without a module if there are enough of them.
    """
    parts: list[set[str]] = [set() for _ in range(shards)]
    sums = [0.0] * shards
    for module in sorted(loads, key=lambda each: (-loads[each], each)):
        least = min(range(shards), key=lambda i: (sums[i], len(parts[i]), i))
        parts[least].add(module)
        sums[least] += loads[module]
    return parts


def seconds_in(path: Path) -> dict[str, float] | None:
    """What each measured check took in the run of a results file; None where there is no file.

    A check that was identical took no time, which tells nothing of the next run. SettingsError
    where the file is none of results.
    """
    try:
        checks = json.loads(path.read_text("utf-8"))["checks"]
        found = {
            check["nodeid"]: float(check["seconds"])
            for check in checks
            if check["verdict"] != Verdict.IDENTICAL
        }
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingsError(
            f"{path} is no results file (--loaderperf-json) of an earlier run: {error}"
        ) from error
    if not all(math.isfinite(each) and each >= 0 for each in found.values()):
        raise SettingsError(f"{path} has seconds that are no time")
    return found
