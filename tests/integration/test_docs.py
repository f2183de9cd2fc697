"""The examples of the documentation run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import tiny

DOCS = Path(__file__).resolve().parents[2] / "docs"


def example(page: str) -> str:
    """All examples of a page that are tests, and what they need: one module, as a reader has it."""
    text = (DOCS / page).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "\n\n".join(blocks)


@pytest.mark.parametrize("page", ["quickstart.md", "checks.md"])
def test_checks_of_a_page_are_measured(tmp_path: Path, page: str) -> None:
    module = example(page)
    project = tiny.create(tmp_path / "project", git=False, test_it=module)
    run = project.pytest("--loaderperf", "--loaderperf-budget=8")
    checks = run.results["checks"]
    assert {check["nodeid"].split("::")[1].split("[")[0] for check in checks} == set(
        re.findall(r"^def (test_\w+)", module, re.MULTILINE)
    )
    # There is nothing to compare with yet: that is all that they may complain of.
    for check in checks:
        assert (check["verdict"], check["outcome"]) == ("no_baseline", "failed"), run.output
