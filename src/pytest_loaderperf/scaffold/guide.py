"""What to say to somebody who has no check yet, or has just got the first one."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Sequence

from .examples import EXAMPLES, KINDS
from .maker import SWITCH
from .seen import Overview

_MAKERS = 3  # functions of the project at most that are offered


def no_checks(seen: Overview, file: str, program: str, *, git: bool, root: str = ".") -> list[str]:
    """What to write, and what to type then: with an example for what the project imports.

    ``file`` is where that would go below the folder ``root``, from where a run without arguments
    collects it, and ``program`` starts pytest. ``git``: there is a repository.
    """
    place = posixpath.normpath(posixpath.join(root, file))
    framework = seen.framework
    lines = ["No test hands a loader to the fixture `loaderperf` yet: such a test is a check."]
    if seen.makers:
        which = "These functions of yours" if len(seen.makers) > 1 else "This function of yours"
        verb = "seem" if len(seen.makers) > 1 else "seems"
        lines += [
            f"{which} {verb} to make a loader. To have a test of it written:",
            "",
            *(f"    {program} {SWITCH}={each}" for each in seen.makers[:_MAKERS]),
            "",
            f"Or write one for {KINDS[framework]}, as {place}:",
        ]
    else:
        count = seen.frameworks.get(framework, 0)
        if framework:
            files = f"{count} file{'s' * (count != 1)}"
            lines.append(f"Your sources import {framework} ({files}).")
        lines.append(f"Here is one for {KINDS[framework]}. Write it to {place}:")
    indented = [f"    {line}".rstrip() for line in EXAMPLES[framework].splitlines()]
    named = shlex.quote(file)
    commit = f"git add {named} baselines && git commit -m 'Guard the loaders'"
    lines += ["", *indented, "", "Then type:", ""]
    if root != ".":
        lines.append(f"    cd {shlex.quote(root)}")
    lines.append(f"    {program} --loaderperf-update")
    if git:
        lines.append(f"    {commit}")
    lines += [
        f"    {program} --loaderperf",
        "",
        "The first one measures, and writes baselines/. The last one fails from then on",
        "when the loader gets worse.",
    ]
    if not seen.makers:
        lines += [
            "To have the test written for a function of yours that makes a loader:",
            "",
            f"    {program} {SWITCH}=package.module:make_loader",
        ]
    return lines


def elsewhere(given: Sequence[str], program: str) -> list[str]:
    """What to say where no check is among the files that a run was given."""
    return [f"No check is in {', '.join(given)}. To look in all tests: {program} --loaderperf"]


def accepted(files: Sequence[str], run: Sequence[str], title: str, *, git: bool) -> list[str]:
    """What to do with a first check that was measured: ``files`` belong to it.

    ``run`` are the commands that run all checks. ``git``: there is a repository.
    """
    commit = f"git commit -m {shlex.quote(f'Guard {title}')}"
    if git:
        first = f"Commit it:      git add {' '.join(map(shlex.quote, files))} && {commit}"
    else:
        first = (
            "Start a history, so that each change is measured beside this state. "
            f"With data in .gitignore: git init && git add --all && {commit}"
        )
    return [first, f"From then on:   {' && '.join(run)}"]


def failed(file: str, measure: str) -> list[str]:
    """What to do with a first check that could not be measured: ``measure`` is the next command."""
    return [
        f"{file} is written, and could not be measured: the failure above says why. Change it, "
        f"then type: {measure}"
    ]
