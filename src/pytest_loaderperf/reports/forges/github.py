"""Results as commands and outputs of a job of GitHub Actions, from what the results file holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...model.results import Verdict, worst
from . import remarks

_NOTHING = "nothing"  # the verdict of a run that has measured nothing
# What annotations must not hold, in their text, and in their properties as well.
_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY_ESCAPES = {**_ESCAPES, ":": "%3A", ",": "%2C"}


def tell(results: Mapping[str, Any], files: Mapping[str, Path], output: str) -> None:
    """Print the marks of a run, and append the outputs of its job to a file, if there is one.

    ``files`` are the reports of the run, by the names of their outputs.
    """
    if output:
        with Path(output).open("a", encoding="utf-8") as out:
            out.writelines(f"{k}={v}\n" for k, v in outputs(results, files).items())
    for line in marks(results):
        print(line)


def marks(results: Mapping[str, Any]) -> Iterator[str]:
    """A command for each check that failed or is in doubt: the runner shows it at the test.

    And one for all that keeps shards from being a whole run.
    """
    for problem in results.get("problems", []):
        yield f"::error title=Shards::{_escaped(problem, _ESCAPES)}"
    for remark in remarks.remarks(results):
        properties = {"file": remark.path, "line": str(remark.line), "title": remark.title}
        shown = ",".join(
            f"{name}={_escaped(text, _PROPERTY_ESCAPES)}" for name, text in properties.items()
        )
        level = "error" if remark.failed else "warning"
        yield f"::{level} {shown}::{_escaped(remark.text, _ESCAPES)}"


def outputs(results: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, str]:
    """The outputs of the job."""
    verdicts = [Verdict(check["verdict"]) for check in results["checks"]]
    regressed = sum(verdict is Verdict.REGRESSED for verdict in verdicts)
    verdict = str(worst(verdicts)) if verdicts else _NOTHING
    if results.get("problems"):
        verdict = str(Verdict.ERROR)
    return {
        "verdict": verdict,
        "regressed": str(regressed),
        **{name: str(file) for name, file in files.items()},
    }


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
