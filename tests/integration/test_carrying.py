"""What the accepted commit lacks comes from the checkout, so that a slower loader is found."""

from __future__ import annotations

import hashlib
from pathlib import Path

from integration import tiny
from integration.project import Project

SLOWER = tiny.PACED.replace("0.002", "0.004")


def assert_slower_is_found(project: Project, *carried: str) -> None:
    """Unchanged it passes, side by side; slowed down it fails. And what was carried is noted."""
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output
    assert len(run.results["checks"][0]["metrics"]["throughput"]["ratios"]) >= 2, run.output
    project.write(paced=SLOWER)
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    for name in carried:
        assert name in " ".join(run.results["checks"][0]["notes"])


def test_ini_file_that_became_another(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    (project.root / "pyproject.toml").write_text('[project]\nname = "paced"\n')
    tiny.accept(project)
    (project.root / "pytest.ini").unlink()
    section = '[tool.pytest.ini_options]\nloaderperf_budget = "12"\n'
    with (project.root / "pyproject.toml").open("a") as file:
        file.write(section)
    assert_slower_is_found(project, "pyproject.toml")


def test_ini_file_that_is_new(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    (project.root / "pytest.ini").rename(tmp_path / "pytest.ini")
    tiny.accept(project)
    (tmp_path / "pytest.ini").rename(project.root / "pytest.ini")
    assert_slower_is_found(project, "pytest.ini")


PLUGIN = """\
import pytest

def pytest_addoption(parser):
    parser.addoption("--pace", default="1")

@pytest.fixture
def pace(request):
    return request.config.getoption("--pace")
"""


def test_plugin_that_is_new_in_the_options(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    project.write(pacing=PLUGIN)
    ini = project.root / "pytest.ini"
    ini.write_text(f"{ini.read_text()}addopts = -p pacing --pace=2\npythonpath = .\n")
    assert_slower_is_found(project, "pacing.py")


def test_plugin_that_the_environment_names(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    project.write(pacing=PLUGIN, paced=SLOWER)
    run = project.pytest("--loaderperf", environment={"PYTEST_PLUGINS": "pacing"})
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output


READS = """\
import paced
from pathlib import Path

def test_paced(loaderperf):
    rows = Path(__file__).with_name("rows.bin").read_bytes()
    assert rows.startswith(b"rows")
    loaderperf.check(paced.Paced())
"""


def test_data_in_large_files(tmp_path: Path) -> None:
    """Git has a pointer, which is no data; git-lfs keeps what it points to."""
    project = tiny.create(tmp_path / "project", test_it=READS)
    content = b"rows" * 100
    name = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize 400\n"
    (project.root / "rows.bin").write_text(pointer)
    (project.root / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    tiny.accept(project)
    stored = project.root / ".git/lfs/objects" / name[:2] / name[2:4] / name
    stored.parent.mkdir(parents=True)
    stored.write_bytes(content)
    (project.root / "rows.bin").write_bytes(content)
    assert_slower_is_found(project)


def test_generated_module_that_git_ignores(tmp_path: Path) -> None:
    imports = f"import _version\n{tiny.PACED}"
    project = tiny.create(tmp_path / "project", paced=imports, test_it=tiny.CHECK)
    with (project.root / ".gitignore").open("a") as file:
        file.write("_version.py\n")
    tiny.accept(project)
    project.write(_version="version = 1\n")
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output
    project.write(paced=f"import _version\n{SLOWER}")
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    note = " ".join(run.results["checks"][0]["notes"])
    assert "carried over from the working tree to commit" in note
    assert "_version.py" in note


def test_what_nobody_can_carry_over_is_named(tmp_path: Path) -> None:
    """A file that is opened in another language is not seen."""
    opens = "import os, subprocess\nsubprocess.run(['cat', 'data/rows'], check=True)\n"
    project = tiny.create(tmp_path / "project", test_it=opens + tiny.CHECK)
    with (project.root / ".gitignore").open("a") as file:
        file.write("data/\n")
    tiny.accept(project)
    (project.root / "data").mkdir()
    (project.root / "data/rows").touch()
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "git ignores data" in report.texts[tiny.KEY]
    assert "name what its tests need in loaderperf_share" in report.texts[tiny.KEY]
    ini = project.root / "pytest.ini"
    ini.write_text(f"{ini.read_text()}loaderperf_share = data\n")
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output
