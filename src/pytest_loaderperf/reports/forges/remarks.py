"""What a run has to say at a line of the project: of a check that failed, or is in doubt.

From what the results file holds.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...model.results import Verdict


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What is said of a check at the line where its test begins; paths are the repository's."""

    path: str
    line: int
    nodeid: str
    verdict: Verdict
    failed: bool
    text: str

    @property
    def title(self) -> str:
        return f"{self.nodeid}: {self.verdict}"


def remarks(results: Mapping[str, Any]) -> Iterator[Remark]:
    """The marks of a run, in the order of its checks."""
    for check in results["checks"]:
        failed = check["outcome"] == "failed"
        if failed or check["verdict"] == Verdict.INCONCLUSIVE:
            yield Remark(
                path=posixpath.normpath(posixpath.join(results.get("root", ""), check["file"])),
                line=check["line"],
                nodeid=check["nodeid"],
                verdict=Verdict(check["verdict"]),
                failed=failed,
                text=_text(check),
            )


def _text(check: Mapping[str, Any]) -> str:
    lines = [
        f"{name}: {metric['verdict']}, ratio {metric['ratio']} {metric['interval'] or ''}".rstrip()
        for name, metric in check["metrics"].items()
        if metric["verdict"] not in (None, "unchanged") and metric["ratio"] is not None
    ]
    return "\n".join([*lines, *filter(None, [check["message"]])]) or "see the log of this job"
