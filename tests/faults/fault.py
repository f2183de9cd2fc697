"""What all fault tests share: faults, a project that holds many, what must hold after a run."""

from __future__ import annotations

import hashlib
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import tiny
from support.leftovers import shared_memory
from support.project import Project
from support.tiny import Report

_PATIENCE = 20.0  # seconds

FASTER = tiny.PACED.replace("0.002", "0.0005")

# At the end of the accepted version: its fixtures hang or fail no more.
NO_FAULTS = "\nfail = sleep = lambda *_: None\n"


@dataclass(frozen=True)
class Fault:
    """A check that goes wrong: the body of its module, the verdict, and what its message says.

    ``source`` defines ``make()``, which gives the loader; ``before`` runs in the test before that.
    ``leaves_out`` is what the message must not have.
    """

    source: str
    verdict: str
    says: Sequence[str] = ()
    leaves_out: Sequence[str] = ()
    outcome: str = "failed"
    fixture: str = ""


def module(faults: Mapping[str, Fault], prologue: str = "") -> str:
    """One module with a check for each fault."""
    checks = [
        f"@pytest.mark.usefixtures({fault.fixture!r})\n"
        * bool(fault.fixture)
        + f"def test_{name}(loaderperf, tmp_path):\n"
        f"{textwrap.indent(textwrap.dedent(fault.source).strip(), '    ')}\n"
        for name, fault in faults.items()
    ]
    return "\n\n".join([prologue, *checks])


def accepted_before(
    root: Path, faults: Mapping[str, Fault], prologue: str, sound: str, *, ini: str = ""
) -> Project:
    """A project with these faults, whose accepted loaders were sound, and faster.

    So `unchanged` is false of all of them. ``sound`` is the body of each accepted check.
    """
    project = tiny.create(root / "project", ini=ini)
    accepted = {name: Fault(sound, "", fixture=fault.fixture) for name, fault in faults.items()}
    project.write(paced=FASTER, test_it=module(accepted, prologue + NO_FAULTS))
    checks = [f"test_it.py::test_{name}" for name in faults]
    tiny.accept(project, *checks, throughput=4 * tiny.THROUGHPUT)
    project.write(paced=tiny.PACED, test_it=module(faults, prologue))
    return project


def report(project: Project, *arguments: str, **options: object) -> Report:
    """Run pytest; nothing may be left of it, and no file may have changed."""
    files, shared = contents(project.root), shared_memory()
    found = tiny.report(project, *arguments, **options)
    assert contents(project.root) == files
    end = time.monotonic() + _PATIENCE  # tests that run beside this one have segments as well
    while not shared_memory() <= shared and time.monotonic() < end:
        time.sleep(0.1)
    assert shared_memory() <= shared
    assert "INTERNALERROR" not in found.run.output, found.run.output
    if (project.root / ".git").exists():
        assert not project.worktrees()
    return found


def assert_ended_as(found: Report, name: str, fault: Fault) -> None:
    """The verdict, the outcome and the message of one check."""
    check = found.checks[f"test_{name}"]
    text = found.texts[f"test_{name}"]
    assert (check["verdict"], check["outcome"]) == (fault.verdict, fault.outcome), text
    for part in fault.says:
        assert part in text, text
    for part in fault.leaves_out:
        assert part not in text, text


def contents(root: Path) -> dict[str, str]:
    """All files of a project, byte for byte, but for what git and pytest keep for themselves."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not name.startswith((".git/", ".pytest_cache/")):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
