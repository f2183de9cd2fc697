"""What a trial prints and reports, and what a process shows when it is stuck."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import sys
from collections.abc import Mapping

import pytest

from ..system.process_tree import LINUX
from ..system.signals import SHOW_STACKS

# What a report of pytest has, in which a test may have recorded anything.
_OF_PYTEST = frozenset(
    {
        "$report_type", "duration", "keywords", "location", "longrepr", "nodeid", "outcome",
        "sections", "start", "stop", "user_properties", "when",
    }
)  # fmt: skip


def register(descriptor: int) -> None:
    """Have this process, and all that it forks, write its stacks to a file when it is asked."""
    if LINUX:
        faulthandler.register(SHOW_STACKS, file=descriptor, all_threads=True, chain=False)


def flush() -> None:
    """Write what was printed, as far as the test has left its streams open."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def silence(config: pytest.Config) -> None:
    """Keep pytest's own lines about a test out of what the test prints."""
    if config.pluginmanager.has_plugin("terminalreporter"):
        config.get_terminal_writer()._file = io.StringIO()


def shipped(item: pytest.Item, report: pytest.TestReport, output: str) -> dict[str, object]:
    """A report as JSON, with what was printed if it failed."""
    if report.failed and output.strip():
        report.sections.append(("Captured output", output))
    hook = item.config.hook
    fields = hook.pytest_report_to_serializable(config=item.config, report=report)
    return as_json({name: each for name, each in fields.items() if _is_carried(name, each)})


def _is_carried(field: str, value: object) -> bool:
    """Whether it is pytest's own, or another plugin finds in it what it has put there."""
    if field in _OF_PYTEST:
        return True
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def as_json(fields: Mapping[str, object]) -> dict[str, object]:
    """Fields in which a test may have recorded anything, as another process can read them."""
    readable: dict[str, object] = json.loads(json.dumps(fields, default=str))
    return readable
