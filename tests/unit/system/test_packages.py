"""The versions of packages that a process has imported, and those that differ."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pytest_loaderperf.model.units import format_changes
from pytest_loaderperf.system.packages import differing, versions


@pytest.fixture
def _nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "torchvision", "tensorflow", "keras", "numpy", "PIL", "cv2", "datasets"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("_nothing_imported")
def test_versions_are_of_imported_packages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert versions(sys.modules) == {}
    monkeypatch.setitem(sys.modules, "numpy", ModuleType("numpy"))
    assert list(versions(sys.modules)) == ["numpy"]


@pytest.mark.usefixtures("_nothing_imported")
def test_a_package_goes_by_the_name_to_install_it_with(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def version(name: str) -> str:
        return {"pillow": "11.0.0"}[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setitem(sys.modules, "PIL", ModuleType("PIL"))
    assert versions(sys.modules) == {"pillow": "11.0.0"}


@pytest.mark.usefixtures("_nothing_imported")
@pytest.mark.parametrize(("own", "shown"), [("4.9.0", "4.9.0"), (None, "unknown")])
def test_a_package_that_is_not_installed_shows_its_own_version(
    monkeypatch: pytest.MonkeyPatch, own: str | None, shown: str
) -> None:
    from importlib import metadata

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    module = ModuleType("cv2")
    if own:
        module.__dict__["__version__"] = own
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setitem(sys.modules, "cv2", module)
    assert list(versions(sys.modules).values()) == [shown]


@pytest.mark.usefixtures("_nothing_imported")
def test_what_was_imported_before_is_nobodys() -> None:
    assert "pytest" in versions()
    before = frozenset(sys.modules) - {"pytest"}
    assert list(versions(before)) == ["pytest"]


def test_a_module_goes_by_its_distribution_and_the_projects_by_none(tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text("")
    installed = tmp_path / "site-packages"
    for name, text in {
        "by_name.py": "",
        "other.py": "",
        "unnamed.py": "",
        "by_name-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: by-name\nVersion: 1.5\n",
        "another-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Another\nVersion: 2.0\n",
        "another-2.0.dist-info/top_level.txt": "other\n",
    }.items():
        (installed / name).parent.mkdir(parents=True, exist_ok=True)
        (installed / name).write_text(text)
    program = (
        "import sys, json\n"
        "from pytest_loaderperf.system.packages import versions\n"
        f"sys.path[:0] = [{str(tmp_path)!r}, {str(installed)!r}]\n"
        "before = set(sys.modules)\n"
        "import json.tool, ours, by_name, other, unnamed\n"
        "print(json.dumps(versions(before)))"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert json.loads(printed) == {"by-name": "1.5", "Another": "2.0"}


def test_versions_of_both_sides_are_compared() -> None:
    before = {"numpy": "1.0", "imagesize": "1.4.1", "dropped": "1"}
    now = {"imagesize": "2.0.0", "numpy": "1.0", "added": "1"}
    assert differing(before, now) == {"imagesize": ("1.4.1", "2.0.0")}
    two = differing({"b": "1", "a": "3"}, {"b": "2", "a": "4"})
    assert format_changes(two) == "a 3 -> 4, b 1 -> 2"


def test_a_module_that_is_lazy_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise ImportError("it is imported when somebody asks for it")

    monkeypatch.setitem(sys.modules, "a_lazy_one", Lazy("a_lazy_one"))
    assert "a_lazy_one" not in versions(frozenset(sys.modules) - {"a_lazy_one"})
