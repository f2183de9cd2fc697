"""The table of faults in docs/reliability.md says of each what its test holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from faults.fault import Fault
from faults.test_baseline_faults import FAULTS as OF_BASELINES
from faults.test_loader_faults import FAILS, HANGS, MISBEHAVES, WORKERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def rows(who: str, faults: Mapping[str, Fault]) -> Iterable[str]:
    for name, fault in faults.items():
        says = "; ".join(f"`{part}`" for part in fault.says) or "ratio of throughput below 0.7"
        yield f"| {who} {name.replace('_', ' ')} | `{fault.verdict}` | {says} |"


def test_table_is_that_of_the_tests() -> None:
    of_commits = {name: Fault("", "error", fault.says) for name, fault in OF_BASELINES.items()}
    table = [
        "| fault | verdict | the message has |",
        "|---|---|---|",
        *rows("a loader", {**FAILS, **HANGS, **MISBEHAVES}),
        *rows("a worker of torch", WORKERS),
        *rows("the accepted commit:", of_commits),
    ]
    assert "\n".join(table) in PAGE.read_text("utf-8")
