"""Writes the reports of a run to the files that are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..baselines.history import History
from ..model.results import Run
from ..settings import RunSettings
from ..stats.sweeps import Sweep
from ..system import files
from . import html, results_json, speedscope
from .forges import markdown


def write(
    run: Run,
    sweeps: Sequence[Sweep],
    settings: RunSettings,
    folder: Path,
    histories: Callable[[], Mapping[str, History]],
    say: Callable[[str], None],
) -> None:
    """Write all reports, named relative to a folder; ``say`` hears of those that cannot be.

    ``histories`` are read only if a report shows them.
    """
    if settings.json:
        text = json.dumps(results_json.to_json(run, sweeps), indent=2, ensure_ascii=False) + "\n"
        written(folder / settings.json, text, say)
    if settings.summary:
        text = markdown.summary(run.results, sweeps, run.problems)
        written(folder / settings.summary, text, say, files.append)
    if settings.why not in ("", "always", "never"):
        text = json.dumps(speedscope.to_speedscope(run.results)) + "\n"
        written(folder / settings.why, text, say)
    if settings.html:
        written(folder / settings.html, html.render(run, sweeps, histories()), say)


def written(
    path: Path,
    text: str,
    say: Callable[[str], None],
    put: Callable[[Path, str], None] = files.replace,
) -> None:
    """Write one report; ``say`` hears of it if it cannot be."""
    try:
        put(path, text)
    except OSError as error:
        say(f"the report {path} could not be written: {error}")
