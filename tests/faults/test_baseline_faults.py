"""Accepted commits that lack something: it is carried over, or an error; never `unchanged`."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
from pathlib import Path

import pytest

from faults.fault import report
from support import tiny
from support.project import Project
from support.tiny import Report

IGNORED = """\
import paced

def test_paced(loaderperf):
    with open("data/rows") as rows:
        rows.read()
    loaderperf.check(paced.Paced())
"""


@dataclasses.dataclass(frozen=True)
class Accepted:
    """What is wrong with the module of the accepted commit, and what the check says of it."""

    module: str
    says: list[str]


ROOMY = ("--loaderperf", "--loaderperf-budget=24")  # for pairs while other tests run

FAULTS = {
    "hangs at import": Accepted(
        "import time\ndef stays():\n    time.sleep(600)\nstays()\n" + tiny.CHECK,
        ["while importing and collecting its tests", "in stays"],
    ),
    "dies at import": Accepted("import os\nos._exit(7)\n" + tiny.CHECK, ["exit status 7"]),
    "a dependency is missing": Accepted(
        "import no_such_package\n" + tiny.CHECK, ["No module named 'no_such_package'"]
    ),
    "the test had another name": Accepted(
        tiny.CHECK.replace("test_paced", "test_other"), ["it does not have this check"]
    ),
    "needs ignored data": Accepted(IGNORED, ["FileNotFoundError", "data/rows"]),
    "fails": Accepted(
        tiny.CHECK.replace("    loader", "    raise OSError('of old')\n    loader"),
        ["OSError: of old"],
    ),
    "its loader fails": Accepted(
        tiny.CHECK.replace("paced.Paced()", "iter(lambda: 1 / 0, 1)"), ["ZeroDivisionError"]
    ),
    "its loader dies": Accepted(
        "import os\n" + tiny.CHECK.replace("paced.Paced()", "iter(lambda: os._exit(5), 1)"),
        ["exit status 5"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_commit_that_cannot_be_measured_is_an_error(tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    ini = "loaderperf_timeout = 4\n"
    project = tiny.create(tmp_path / "project", ini=ini, test_it=fault.module)
    tiny.accept(project, machine="another machine")
    project.write(test_it=tiny.CHECK)
    found = report(project, "--loaderperf")
    assert found.run.status == 1
    assert found.run.verdicts == {tiny.NODE: "error"}
    commit = project.git("rev-parse", "HEAD")[:12]
    for part in (f"commit {commit}", *fault.says):
        assert part in found.texts[tiny.KEY], found.texts[tiny.KEY]


def submodule(tmp_path: Path) -> Project:
    """A project whose loader is in a submodule; not committed."""
    lib = tiny.create(tmp_path / "lib", test_it="")
    lib.commit("a loader")
    check = tiny.CHECK.replace("import paced", "from lib import paced")
    project = tiny.create(tmp_path / "project", paced="", test_it=check)
    project.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(lib.root), "lib")
    return project


def test_submodule_is_checked_out_as_its_commit_has_it(tmp_path: Path) -> None:
    """No network is used to fill it: what it needs is in the checkout's own."""
    project = submodule(tmp_path)
    tiny.accept(project)
    lib = Project(project.root / "lib")
    lib.write(paced=tiny.PACED.replace("0.002", "0.004"))
    found = report(project, *ROOMY)
    assert found.run.verdicts == {tiny.NODE: "regressed"}, found.run.output
    lib.commit("slower")
    project.commit("the slower loader")
    found = report(project, *ROOMY)
    assert found.run.verdicts == {tiny.NODE: "regressed"}, found.run.output
    assert lib.git("status", "--porcelain") == project.git("status", "--porcelain") == ""


def test_submodule_whose_commit_is_not_here_is_an_error(tmp_path: Path) -> None:
    project = submodule(tmp_path)
    project.git("update-index", "--cacheinfo", f"160000,{'1' * 40},lib")
    project.git("commit", "-q", "-m", "a submodule that nobody has")
    project.git("-C", "lib", "checkout", "-q", "--detach")
    store = tiny.accept(project, commit=False)
    project.git("add", str(store), "test_it.py", "pytest.ini", "paced.py")
    project.git("commit", "-q", "-m", "accept the baselines")
    found = report(project, "--loaderperf")
    assert found.run.verdicts == {tiny.NODE: "error"}
    assert "submodule lib at 111111111111, which is not in this checkout" in found.texts[tiny.KEY]
    assert "git -C lib fetch" in found.texts[tiny.KEY]


def test_pointer_of_a_large_file_is_not_taken_for_the_file(tmp_path: Path) -> None:
    reads = tiny.CHECK.replace("    load", "    int(open('rows').read())\n    load", 1)
    reads = reads.replace("open('rows')", "open(__file__.replace('test_it.py', 'rows'))")
    project = tiny.create(tmp_path / "project", test_it=reads)
    rows = project.root / "rows"
    rows.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2\n")
    tiny.accept(project)
    rows.write_text("12")
    found = report(project, "--loaderperf")
    assert found.run.verdicts == {tiny.NODE: "error"}
    assert "git-lfs" in found.texts[tiny.KEY]


@pytest.mark.parametrize("folder", ["ein Ordner für Größen", 'it\'s "odd" %20 & more'])
def test_paths_with_spaces_and_letters_of_any_kind(tmp_path: Path, folder: str) -> None:
    project = tiny.create(tmp_path / folder / "project", test_it="import paket\n" + tiny.CHECK)
    (project.root / "paket").mkdir()  # a package without a file of its own
    (project.root / "paket" / "größe.py").write_text("rows = 2\n")
    tiny.accept(project)
    assert_paired(report(project, *ROOMY), tiny.NODE)


def extension(project: Project) -> Path:
    """An extension that was compiled in place, which git ignores."""
    source = importlib.util.find_spec("markupsafe._speedups")
    if source is None or source.origin is None:
        pytest.skip("markupsafe has no compiled extension here")
    built = project.root / "fast" / Path(source.origin).name
    built.parent.mkdir()
    shutil.copy(source.origin, built)
    (built.parent / "__init__.py").touch()
    project.append(".gitignore", "*.so\n*.pyd\n")
    return built


COMPILED = "from fast import _speedups\n" + tiny.CHECK


def test_extension_that_is_compiled_in_place_is_carried_over(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=COMPILED)
    built = extension(project)
    tiny.accept(project)
    found = report(project, *ROOMY)
    assert_paired(found, tiny.NODE)
    assert "carried over from the working tree to commit" in found.run.output
    assert f"fast/{built.name}" in found.run.output


def test_extension_whose_sources_have_changed_is_an_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=COMPILED)
    built = extension(project)
    (built.parent / "_speedups.c").write_text("int old;\n")
    tiny.accept(project)
    (built.parent / "_speedups.c").write_text("int new;\n")
    found = report(project, *ROOMY)
    assert found.run.verdicts == {tiny.NODE: "error"}
    assert f"{built.name}, which was compiled from the working tree" in found.texts[tiny.KEY]
    assert "fast/_speedups.c" in found.texts[tiny.KEY]
    refused = report(project, "--loaderperf-update", "--loaderperf-budget=24")
    assert "--loaderperf-update=all" in refused.texts[tiny.KEY]
    accepted = project.pytest("--loaderperf-update=all", "--loaderperf-budget=24")
    assert accepted.status == 0, accepted.output
    assert "accepted without a comparison" in accepted.output
    project.git("checkout", "-q", "--", "baselines")
    project.append("pytest.ini", f"loaderperf_share = fast/{built.name}\n")
    assert_paired(report(project, *ROOMY), tiny.NODE)


def test_extension_that_is_shared_is_used_by_both_versions(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=COMPILED)
    built = extension(project)
    project.append("pytest.ini", f"loaderperf_share = fast/{built.name}\n")
    tiny.accept(project)
    assert_paired(report(project, *ROOMY), tiny.NODE)


def test_project_in_a_folder_of_its_repository(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "repository" / "project", git=False)
    Project(tmp_path / "repository").start_history()
    tiny.accept(project)
    assert_paired(report(project, *ROOMY), tiny.NODE)
    assert not project.worktrees()


def test_root_folder_that_is_not_the_working_folder(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", conftest="")
    inside = Project(project.root / "checks")
    inside.root.mkdir()
    inside.write(test_it=tiny.CHECK, paced=tiny.PACED)
    node = f"checks/{tiny.NODE}"
    tiny.accept(project, node)
    options = ("--rootdir=..", "-c", "../pytest.ini", "-p", "no:cacheprovider")
    assert_paired(tiny.report(inside, *ROOMY, *options), node)


def assert_paired(found: Report, node: str) -> None:
    """The check was compared with the accepted commit, which is the same."""
    assert found.run.verdicts[node] in ("unchanged", "inconclusive"), found.run.output
    (check,) = found.run.results["checks"]
    assert len(check["metrics"]["throughput"]["ratios"]) >= 2, found.run.output
