"""Environments over the one of the tests: made once, mixed, and refused where they are no use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_loaderperf import __version__
from pytest_loaderperf.environments.contents import Distributions, Environment
from pytest_loaderperf.environments.making import Environments, _seen
from pytest_loaderperf.errors import PackagesError
from support.wheels import asking, wheel

OLD = ("single==1", "upper==1", "Lower_One==1", "alone==1")


def environments(root: Path, python: str = sys.executable) -> tuple[Environments, list[str]]:
    said: list[str] = []
    return Environments(root, python, say=said.append), said


def made(root: Path, text: str, python: str = sys.executable) -> tuple[Environment, int, list[str]]:
    """The environment of some requirements, how often it had to be installed, and what was said."""
    (root / "old.txt").write_text(text)
    here, said = environments(root, python)
    progress: list[str] = []
    made = here.of(here.read(root / "old.txt", "old.txt"), progress.append)
    return made, len(progress), said


def imported(python: str, *modules: str) -> list[str]:
    """The versions of these modules; "none" of one that is not there."""
    code = (
        "import json, sys\nfound = []\nfor name in sys.argv[1:]:\n"
        "    try:\n        found.append(__import__(name).VERSION)\n"
        "    except ImportError:\n        found.append('none')\nprint(json.dumps(found))"
    )
    command = [python, "-c", code, *modules]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    versions: list[str] = json.loads(run.stdout)
    return versions


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1", "2"):
        wheel(folder, "single", version)
        wheel(folder, "lower_one", version)
        wheel(folder, "upper", version, needs=[f"lower-one>={version}"])
    wheel(folder, "alone", "1")
    wheel(folder, "pytest", "7.0")
    return folder


@pytest.fixture(scope="module")
def today(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What stands for the environment of a run."""
    root = tmp_path_factory.mktemp("today")
    return made(root, asking(wheels, "single==2", "upper==2", "lower-one==2"))[0]


@pytest.fixture(scope="module")
def baseline(
    wheels: Path, today: Environment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Environment]:
    root = tmp_path_factory.mktemp("project")
    environment, installed, said = made(root, asking(wheels, *OLD), today.python)
    assert installed == 1
    assert said == ["the baseline has the packages of old.txt, of which 4 differ"]
    return root, environment


def test_it_has_what_was_asked_for_over_all_that_is_there(
    baseline: tuple[Path, Environment], today: Environment
) -> None:
    _, environment = baseline
    assert environment.differing == {
        "alone": ("1", ""),
        "lower-one": ("1", "2"),
        "single": ("1", "2"),
        "upper": ("1", "2"),
    }
    assert imported(environment.python, "single", "lower_one", "alone") == ["1", "1", "1"]
    assert imported(today.python, "single", "lower_one", "alone") == ["2", "2", "none"]
    run = [environment.python, "-c", "import pytest, psutil"]
    assert subprocess.run(run, check=False).returncode == 0
    assert environment.told == (
        "packages of old.txt: lower-one 1 -> 2, single 1 -> 2, upper 1 -> 2; the baseline alone "
        "has alone"
    )
    assert environment.same_for_both(["single", "Lower.One", "psutil"]) == [
        "the same for both, since old.txt does not ask for it: psutil"
    ]
    assert not environment.seen.unmet(["single", "upper", "lower-one", "alone"])


def test_it_is_made_once_for_what_is_asked_and_what_lies_below(
    baseline: tuple[Path, Environment], wheels: Path, today: Environment
) -> None:
    root, environment = baseline
    again, installed, _ = made(root, asking(wheels, *OLD), today.python)
    assert (again.folder, installed) == (environment.folder, 0)
    # The same file over other packages leaves others to be found below.
    other, installed, _ = made(root, asking(wheels, *OLD))
    assert installed == 1
    assert other.folder != environment.folder
    assert other.differing["single"] == ("1", "")


def test_a_mixed_one_has_some_of_the_old_packages(
    baseline: tuple[Path, Environment], today: Environment
) -> None:
    root, environment = baseline
    here, _ = environments(root, today.python)
    mixed = here.mixed(environment, ["single", "alone"])
    assert imported(mixed.python, "single", "lower_one", "upper", "alone") == ["1", "2", "2", "1"]
    assert mixed.differing == {"alone": ("1", ""), "single": ("1", "2")}
    assert here.mixed(environment, ["alone", "single"]).folder == mixed.folder
    # Upper is as it is today, and needs today's lower one.
    assert environment.in_order == ["alone", "lower-one", "single", "upper"]
    with pytest.raises(PackagesError, match="upper 2 needs lower-one>=2, and has 1"):
        here.mixed(environment, ["lower-one"])


@pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv")
def test_uv_and_pip_install_the_same(
    baseline: tuple[Path, Environment],
    wheels: Path,
    today: Environment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_uv, installed, _ = made(tmp_path, asking(wheels, *OLD), today.python)
    assert installed == 1
    assert (by_uv.folder / "pins.txt").is_file()
    assert by_uv.differing == baseline[1].differing
    monkeypatch.setenv("PATH", os.defpath)
    (tmp_path / "pip").mkdir()
    by_pip, _, _ = made(tmp_path / "pip", asking(wheels, *OLD), today.python)
    assert not (by_pip.folder / "pins.txt").exists()
    assert by_pip.differing == by_uv.differing


def test_what_cannot_be_installed_says_so_each_time(tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "old.txt").write_text(asking(wheels, "single==3"))
    here, said = environments(tmp_path)
    asked, progress = here.read(tmp_path / "old.txt", "old.txt"), list[str]()
    for _ in range(2):
        with pytest.raises(PackagesError, match=r"old\.txt cannot be installed") as raised:
            here.of(asked, progress.append)
        assert "single==3" in str(raised.value)
    assert len(progress) == 1
    assert not said
    assert not [each for each in (tmp_path / ".loaderperf/environments").iterdir() if each.is_dir()]


def test_one_in_which_the_plugin_cannot_run_is_refused(tmp_path: Path, wheels: Path) -> None:
    with pytest.raises(PackagesError) as raised:
        made(tmp_path, asking(wheels, "pytest==7.0"))
    assert "pytest-loaderperf does not run with the packages of old.txt" in str(raised.value)
    assert f"pytest-loaderperf {__version__} needs pytest>=8.2, and has 7.0" in str(raised.value)


def test_what_is_left_out_is_said(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("single==1", "-e .", "pytest-loaderperf==0.0.1")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path)  # a relative root is as good as another
    environment, _, said = made(Path("project"), asking(wheels, *lines))
    assert environment.folder.is_relative_to(tmp_path / "project")
    assert said[1:] == [*environment.notes]
    plugin, project = environment.notes
    assert plugin.startswith("old.txt asks for pytest-loaderperf==0.0.1: both sides are measured")
    assert __version__ in plugin
    assert project.startswith("left out of old.txt: -e .")


def test_needs_are_those_of_this_python_without_extras() -> None:
    needs = ["a<2", "b; extra == 'x'", "c; python_version < '3'", "no requirement at all,,"]
    needs.append("old<1")
    versions = {"top": "1", "a": "2", "old": "1.0-of-old"}  # no version by today's rules
    seen = Distributions(python="3.11.7", versions=versions, needs={"top": needs})
    assert seen.unmet() == ["top 1 needs a<2, and has 2"]
    assert seen.closure("top") == ["top", "a", "old"]
    assert seen.closure("none") == []


def test_what_was_imported_from_elsewhere_is_no_proof() -> None:
    environment = Environment(
        python="python",
        folder=Path("/environment"),
        label="old.txt",
        over=Distributions(python="3.11.7", versions={"my-lib": "2", "other": "1"}),
        seen=Distributions(python="3.11.7", versions={"my-lib": "1", "other": "1"}),
    )
    environment.check({"My_lib": "1", "other": "3", "third": "1"})
    with pytest.raises(PackagesError, match=r"My_lib 2 was imported, and not 1 of old\.txt"):
        environment.check({"My_lib": "2"})


def test_packages_change_after_what_they_need() -> None:
    names = ("a", "b", "c", "d")
    needs = {"a": ["d>=2"], "b": ["c"], "c": ["b", "unknown"]}
    over = Distributions(python="3.11.7", versions=dict.fromkeys(names, "2"), needs=needs)
    seen = Distributions(python="3.11.7", versions=dict.fromkeys(names, "1"))
    environment = Environment(python="", folder=Path(), label="", over=over, seen=seen)
    assert environment.in_order == ["d", "a", "c", "b"]


def test_a_python_that_does_not_run_is_named(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no such library >&2\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(PackagesError, match="python does not run: no such library"):
        _seen(str(script))
