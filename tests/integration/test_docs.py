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


# What a page takes to be in the reader's project.
LOADING = """\
import torch
from torch.utils.data import DataLoader, Dataset

class Photos(Dataset):
    def __init__(self, folder):
        self.files = sorted(folder.iterdir())

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return torch.load(self.files[index])

def make_train_loader(folder, batch_size):
    return DataLoader(Photos(folder), batch_size=batch_size, shuffle=True)
"""
REMOTE = """\
import urllib.request

@pytest.fixture
def remote_loader(store, photos, batch_size):
    names = sorted(file.name for file in photos.iterdir())

    def batches():
        for start in range(0, len(names), batch_size):
            chosen = names[start : start + batch_size]
            yield [urllib.request.urlopen(f"{store}/{name}").read() for name in chosen]

    return batches
"""
RANKS = """\
import os
import pytest

@pytest.fixture
def train_loader():
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return [[number, number + 1] for number in range(2 * rank, 8_000, 2 * world)]
"""


@pytest.mark.parametrize(
    ("pages", "before", "after"),
    [
        (("README.md",), "", ""),
        (("docs/quickstart.md",), "", ""),
        (("docs/checks.md",), "", ""),
        (("docs/adoption.md", "docs/remote_data.md"), "", REMOTE),
        (("docs/ranks.md",), RANKS, ""),
    ],
    ids=["README", "quickstart", "checks", "adoption and remote data", "ranks"],
)
def test_checks_of_a_page_are_measured(
    tmp_path: Path, pages: tuple[str, ...], before: str, after: str
) -> None:
    module = "\n\n".join([before, *map(example, pages), after])
    for slow, quick in {"range(2_000)": "range(400)", "sleep(0.02)": "sleep(0.005)"}.items():
        module = module.replace(slow, quick)
    project = tiny.create(tmp_path / "project", git=False, test_it=module)
    project.put("myproject/loading.py", LOADING)
    run = project.pytest("--loaderperf", "--loaderperf-budget=8")
    checks = run.results["checks"]
    assert {check["nodeid"].split("::")[1].split("[")[0] for check in checks} == set(
        re.findall(r"^def (test_\w+)", module, re.MULTILINE)
    )
    # There is nothing to compare with yet: that is all that they may complain of.
    for check in checks:
        once = check["nodeid"].endswith("test_each_sample_once")
        expected = ("complete", "passed") if once else ("no_baseline", "failed")
        assert (check["verdict"], check["outcome"]) == expected, run.output


def test_the_variants_of_a_page_are_told_apart(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=example("docs/variants.md"))
    run = project.pytest("--loaderperf", "--loaderperf-budget=8")
    (check,) = run.results["checks"]
    assert (check["verdict"], check["outcome"]) == ("compared", "passed"), run.output


def test_the_tutorial_comes_out_as_it_says(tmp_path: Path) -> None:
    # A busy machine is no reason to fail here: what is slower there is several times as slow.
    wide = "--loaderperf-throughput=80% --loaderperf-epoch-time=80% --loaderperf-budget=40"
    followed = subprocess.run(
        [sys.executable, ROOT / ".ci" / "tutorial.py", tmp_path / "reader"],
        capture_output=True,
        text=True,
        check=False,
        env=clean(PYTEST_ADDOPTS=f"{PLAIN} {wide}"),
    )
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert followed.stdout.splitlines()[-1].startswith("all as the tutorial says")
