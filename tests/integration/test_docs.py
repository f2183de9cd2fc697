"""The examples of the documentation run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import tiny
from support.environment import PLAIN, clean

ROOT = Path(__file__).resolve().parents[2]


def example(page: str) -> str:
    """All examples of a page that are tests, and what they need: one module, as a reader has it."""
    text = (ROOT / page).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "\n\n".join(blocks)


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md", "docs/checks.md"])
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


def test_the_variants_of_a_page_are_told_apart(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=example("docs/variants.md"))
    run = project.pytest("--loaderperf", "--loaderperf-budget=8")
    (check,) = run.results["checks"]
    assert (check["verdict"], check["outcome"]) == ("compared", "passed"), run.output


def test_the_tutorial_comes_out_as_it_says(tmp_path: Path) -> None:
    # A busy machine is no reason to fail here: what is slower there is several times as slow.
    wide = "--loaderperf-throughput=60% --loaderperf-epoch-time=60%"
    followed = subprocess.run(
        [sys.executable, ROOT / ".ci" / "tutorial.py", tmp_path / "reader"],
        capture_output=True,
        text=True,
        check=False,
        env=clean(PYTEST_ADDOPTS=f"{PLAIN} {wide}"),
    )
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert followed.stdout.splitlines()[-1].startswith("all as the tutorial says")
