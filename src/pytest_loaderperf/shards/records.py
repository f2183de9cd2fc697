"""What a shard writes down of its run, beside its results, and how that is read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import LoaderPerfError
from ..model.results import Run
from ..protocol import codec
from ..settings import RunSettings


def digest(settings: RunSettings) -> str:
    """Stands for all settings that bear upon verdicts: not for files that reports go to."""
    why = settings.why if settings.why in ("", "always", "never") else "file"
    kept = replace(settings, shard=None, shard_times="", json="", html="", summary="", why=why)
    return hashlib.sha256(repr(kept).encode()).hexdigest()[:16]


def to_json(run: Run) -> dict[str, object] | None:
    """The record of a run that is a shard, None of any other."""
    if run.share is None:
        return None
    share = run.share
    return {
        "number": share.shard.number,
        "of": share.shard.of,
        "checks": len(share.own),
        # Text, since JSON has no infinity, and nobody else is to read it.
        "record": codec.to_text(run),
    }


def read(path: Path) -> Run:
    """The run of a shard, from its results file. LoaderPerfError if it is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LoaderPerfError(f"{path} cannot be read as a results file: {error}") from error
    shard = content.get("shard") if isinstance(content, dict) else None
    if not isinstance(shard, Mapping):
        raise LoaderPerfError(
            f"{path} is not the results file of a shard: give those that runs with "
            "--loaderperf-shard=1/N have written by --loaderperf-json"
        )
    try:
        run = codec.from_text(shard["record"], Run)
    except (KeyError, ValueError) as error:
        raise LoaderPerfError(
            f"{path} has a damaged record, or one of another version of pytest-loaderperf "
            f"(it was written by {content.get('plugin')}): {error}"
        ) from error
    if run.share is None:
        raise LoaderPerfError(f"{path} has the record of a run that was no shard")
    return run
