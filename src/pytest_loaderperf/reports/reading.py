"""The results file, read as if a stranger had written it: strictly, or not at all.

The job of a pull request writes whatever its author wants. What is read here is of the right type
and size, and its numbers are finite. Its texts are still anything.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import LoaderPerfError
from ..model.metrics import METRICS
from ..model.results import STORED, Run, Verdict
from ..protocol import codec
from .results_json import SCHEMA

LIMIT = 32 * 2**20  # bytes: a check has some thousand, a loss with all its stacks up to 200,000
_MOST_CHECKS = 10_000
_MOST_DIGITS = 15  # of a whole number
_OUTCOMES = ("passed", "failed")
_AS_THEY_ARE = (
    "nodeid", "verdict", "outcome", "seconds", "pairs", "message", "notes", "packages", "file",
    "line",
)  # fmt: skip


def read(path: Path) -> Run:
    """The run that a results file is of, without charts. LoaderPerfError if it is none."""
    try:
        text = _bytes(path).decode("utf-8")
        content = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refused,
            parse_float=_finite,
            parse_int=_whole,
        )
        return _run(content)
    except (OSError, *codec.DAMAGE) as error:
        raise LoaderPerfError(f"{path} is no results file: {error!s:.200}") from error


def _bytes(path: Path) -> bytes:
    """What a file has; ValueError if it is no file, or too large."""
    # Neither a link to a file of the reader's, nor a pipe that nobody writes to.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a file")
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise ValueError(f"it is larger than {LIMIT} bytes")
    return content


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it names a field twice")
    return found


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _finite(text: str) -> float:
    if math.isfinite(number := float(text)):
        return number
    raise ValueError(f"{text:.20} is no number")


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text:.20}... is too large a number")
    return int(text)


def _run(content: Any) -> Run:
    if (schema := content["schema"]) != SCHEMA:
        raise ValueError(f"its schema is {schema!r:.20}, and {SCHEMA} is what this version reads")
    if len(content["checks"]) > _MOST_CHECKS:
        raise ValueError(f"it has more than {_MOST_CHECKS} checks")
    against = content["against"]
    fields = {
        "plugin": content["plugin"],
        "machine": {},
        "mode": against["mode"],
        "commits": against["commits"],
        "memory_limit": 0.0,
        "root": content["root"],
        "commit": content["commit"],
        "problems": content["problems"],
        "results": [],
    }
    source = _source(codec.from_json(fields, Run))
    fields["results"] = [_check(each, source) for each in content["checks"]]
    run = codec.from_json(fields, Run)
    if not all(result.outcome in _OUTCOMES for result in run.results):
        raise ValueError(f"a check has an outcome that is none of {_OUTCOMES}")
    return run


def _source(run: Run) -> str:
    """What baselines are: the file tells it of the whole run alone."""
    if run.mode == "stored" or not run.commits:
        return STORED
    if len(run.commits) == 1:
        return f"commit {run.commits[0][:12]}"
    return "its accepted commit"


def _check(content: Any, source: str) -> dict[str, Any]:
    """The fields of a result, as its file has them."""
    metrics = {
        name: _comparison(name, each, source)
        for name, each in content["metrics"].items()
        if each["value"] is not None
    }
    return {
        **{name: content[name] for name in _AS_THEY_ARE},
        "metrics": metrics,
        "coverage": _coverage(content["coverage"]),
        "why": {name: _why(each) for name, each in content["why"].items()},
    }


def _comparison(name: str, content: Any, source: str) -> dict[str, Any]:
    if name not in METRICS:
        raise ValueError(f"{name!r:.50} is no metric")
    interval, verdict = content["interval"], content["verdict"]
    return {
        "metric": name,
        "judged": verdict is not None,
        "verdict": verdict or Verdict.MEASURED.value,
        "interval": interval and [math.inf if end is None else end for end in interval],
        "minimum_detectable": content["detectable"],
        "source": source,
        **{name: content[name] for name in ("value", "baseline", "ratio", "tolerance", "pairs")},
    }


def _coverage(content: Any) -> dict[str, Any] | None:
    if content is None:
        return None
    batches, epoch = content["batches"], content["epoch_batches"]
    if batches <= 0 or (epoch is not None and epoch <= 0):
        raise ValueError("an epoch without a batch")
    whole = epoch is not None and batches >= epoch
    return {"batches": batches, "epoch_batches": epoch, "whole": whole}


def _why(content: Mapping[str, Any]) -> dict[str, Any]:
    """Without the stacks: they are for charts."""
    return {name: each for name, each in content.items() if name != "stacks"}
