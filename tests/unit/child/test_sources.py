"""What stands first in every Python that a run starts, with real interpreters and real trees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_loaderperf import child
from pytest_loaderperf.child.loaderperf_exchange import Exchange, is_installed
from pytest_loaderperf.child.loaderperf_sources import EXCHANGE, MAPPED, RAN, WATCH
from pytest_loaderperf.child.loaderperf_watch import OPENED, UNSEEN
from pytest_loaderperf.versions.sources import Ran, read

CHILD = Path(child.__file__).parent
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path.resolve())


class Trees:
    """A working tree and a worktree of it, with the same package of two versions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.old, self.new, self.ran = folder / "tree", folder / "worktree", folder / "ran"
        self.exchange = Exchange(str(self.old), str(self.new), {})
        for top in (self.old, self.new):
            self.write(top / "package/__init__.py", "")
            self.write(top / "package/version.py", f"top = {str(top)!r}\nprint(top)\n")
        self.ran.mkdir()

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def python(
        self,
        *arguments: str,
        path: tuple[Path, ...] = (),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.CompletedProcess[str]:
        """Run a Python as one that takes part in a run."""
        (self.folder / "exchange").write_text(self.exchange.dump(), "utf-8", "surrogateescape")
        environment: Mapping[str, str] = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (CHILD, *path))),
            "PYTHONDONTWRITEBYTECODE": "1",
            EXCHANGE: str(self.folder / "exchange"),
            RAN: str(self.ran),
            **variables,
        }
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def told(self) -> set[Ran]:
        return set(read(self.ran))

    def assert_new_version_ran(self, finished: subprocess.CompletedProcess[str]) -> None:
        assert finished.stdout == f"{self.new}\n", finished.stderr
        assert Ran(name="package.version", path=str(self.new / "package/version.py")) in self.told
        assert not [each for each in self.told if each.path.startswith(f"{self.old}/")]


IMPORT = "import package.version"


# --- which file stands for which ----------------------------------------------------------------


@given(PATHS, PATHS, st.dictionaries(PATHS, PATHS), PATHS, st.sets(PATHS), st.sets(NAMES), PATHS)
def test_an_exchange_survives_the_way_to_another_process(
    old: str,
    new: str,
    copies: dict[str, str],
    kept: str,
    own: set[str],
    names: set[str],
    temporary: str,
) -> None:
    exchange = Exchange(old, new, copies, kept, own, names, temporary)
    again = Exchange.load(exchange.dump())
    assert vars(again) == vars(exchange)


@given(st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3))
def test_what_lies_outside_of_the_tree_stays(names: list[str]) -> None:
    path = "/elsewhere/" + "/".join(names)
    assert Exchange("/tree", "/worktree", {}).place(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "/tree-2/package/version.py",
        "/tree/.venv/lib/python3.11/site-packages/package/version.py",
        "/tree/lib/python3.11/site-packages/package/version.py",  # its own folder is that of one
        "/tree/kept/package.py",
        "/tree/.nox/tmp/run/pytest-of-me/rows.csv",
        "/tree",
    ],
)
def test_what_is_no_source_of_the_tree_stays(path: str) -> None:
    exchange = Exchange("/tree", "/worktree", {}, kept="/tree/kept", temporary="/tree/.nox/tmp/run")
    assert exchange.place(path) == path
    assert not exchange.in_working_tree(path)


def test_a_worktree_inside_the_tree_is_not_exchanged_again() -> None:
    exchange = Exchange("/tree", "/tree/tmp/worktree", {})
    assert exchange.place("/tree/tmp/worktree/package.py") == "/tree/tmp/worktree/package.py"


def test_a_copy_is_exchanged_for_its_source_and_that_for_the_version(trees: Trees) -> None:
    installed = trees.folder / "env/site-packages/package"
    trees.write(installed / "version.py", "")
    trees.write(installed / "built.py", "")
    trees.write(trees.old / "package/newer.py", "")
    copies = {str(installed): str(trees.old / "package")}
    baseline = Exchange(str(trees.old), str(trees.new), copies)
    candidate = Exchange(str(trees.old), "", copies)
    version = str(installed / "version.py")
    assert baseline.place(version) == str(trees.new / "package/version.py")
    assert candidate.place(version) == str(trees.old / "package/version.py")
    # What no tree has was made when it was installed; what one has is new in that one.
    assert baseline.place(str(installed / "built.py")) == str(installed / "built.py")
    assert candidate.place(str(installed / "built.py")) == str(installed / "built.py")
    assert baseline.place(str(installed / "newer.py")) is None


def test_installed_packages_are_told_by_their_folder() -> None:
    assert is_installed("/x/lib/python3.11/site-packages/numpy/__init__.py")
    assert is_installed("/usr/lib/python3/dist-packages/numpy.py")
    assert not is_installed("/home/me/site-packages-tools/numpy.py")


# --- how modules are found ----------------------------------------------------------------------


def test_a_folder_on_the_path_is_exchanged(trees: Trees) -> None:
    trees.assert_new_version_ran(trees.python("-c", IMPORT, path=(trees.old,)))


def test_a_folder_that_is_put_on_the_path_later_is_exchanged(trees: Trees) -> None:
    code = f"import sys; sys.path.insert(0, {str(trees.old)!r}); {IMPORT}"
    trees.assert_new_version_ran(trees.python("-c", code))


def test_the_working_folder_is_exchanged(trees: Trees) -> None:
    code = f"import os; os.chdir({str(trees.old)!r}); {IMPORT}"
    trees.assert_new_version_ran(trees.python("-c", code))


def test_a_link_to_the_tree_is_exchanged(trees: Trees) -> None:
    (trees.folder / "link").symlink_to(trees.old)
    trees.assert_new_version_ran(trees.python("-c", IMPORT, path=(trees.folder / "link",)))


def test_links_to_single_files_are_exchanged(trees: Trees) -> None:
    linked = trees.folder / "linked/package"
    linked.mkdir(parents=True)
    for name in ("__init__.py", "version.py"):
        (linked / name).symlink_to(trees.old / "package" / name)
    trees.assert_new_version_ran(trees.python("-c", IMPORT, path=(linked.parent,)))


def test_a_package_without_a_file_is_exchanged(trees: Trees) -> None:
    for top in (trees.old, trees.new):
        (top / "package/__init__.py").unlink()
    trees.assert_new_version_ran(trees.python("-c", IMPORT, path=(trees.old,)))


FINDER = """\
import importlib.util, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "package":
            return importlib.util.spec_from_file_location(name, {top!r} + "/package/__init__.py")

sys.meta_path.insert(0, Finder())
"""


def test_what_another_finder_finds_is_exchanged(trees: Trees) -> None:
    finder = FINDER.format(top=str(trees.old)).replace("insert(0, Finder())", "append(Finder())")
    trees.assert_new_version_ran(trees.python("-c", f"{finder}\n{IMPORT}"))


def test_what_a_finder_finds_that_comes_first_is_told(trees: Trees) -> None:
    finished = trees.python("-c", f"{FINDER.format(top=str(trees.old))}\n{IMPORT}")
    assert finished.returncode == 0, finished.stderr
    assert Ran(name="package", path=str(trees.old / "package/__init__.py")) in trees.told


def test_who_asks_for_what_is_on_the_path_gets_it_exchanged(trees: Trees) -> None:
    code = (
        "from importlib.machinery import PathFinder as p\n"
        f"print(p.find_spec('package', [{str(trees.old)!r}]).origin)"
    )
    assert trees.python("-c", code).stdout == f"{trees.new}/package/__init__.py\n"


def test_a_module_that_is_new_in_the_tree_is_not_found(trees: Trees) -> None:
    trees.write(trees.old / "package/newer.py", "")
    code = f"import sys; sys.path.append({str(trees.old)!r}); import package.newer"
    trees.write(
        trees.new / "package/__init__.py", f"__path__.append({str(trees.old / 'package')!r})"
    )
    finished = trees.python("-c", code)
    assert "ModuleNotFoundError: No module named 'package.newer'" in finished.stderr
    assert "new in the working tree, or ignored by git" in finished.stderr


@pytest.mark.parametrize(("before", "now"), [("", "src"), ("src", ""), ("python", "src")])
def test_a_package_that_has_moved_is_found_where_it_was(
    trees: Trees, before: str, now: str
) -> None:
    for top, folder in ((trees.new, before), (trees.old, now)):
        (top / "package").rename(top / "moved")
        (top / folder).mkdir(exist_ok=True)
        (top / "moved").rename(top / folder / "package")
    finder = FINDER.format(top=str(trees.old / now)).replace("insert(0, F", "append(F")
    finished = trees.python("-c", f"{finder}\n{IMPORT}")
    assert finished.stdout == f"{trees.new}\n", finished.stderr


def test_a_module_that_the_tree_has_no_longer_is_found(trees: Trees) -> None:
    trees.write(trees.new / "package/older.py", "print('older')")
    finished = trees.python("-c", "import package.older", path=(trees.old,))
    assert finished.stdout == "older\n", finished.stderr


@pytest.mark.parametrize("way", ["spawn", "forkserver", "fork"])
def test_workers_are_told_and_get_the_same(trees: Trees, way: str) -> None:
    code = (
        "import multiprocessing as m, importlib\n"
        f"p = m.get_context({way!r}).Process(target=importlib.import_module, "
        "args=('package.version',))\n"
        "p.start(); p.join()"
    )
    trees.assert_new_version_ran(trees.python("-c", code, path=(trees.old,)))


def test_a_program_of_the_package_is_exchanged(trees: Trees) -> None:
    finished = trees.python("-m", "package.version", path=(trees.old,))
    assert finished.stdout == f"{trees.new}\n", finished.stderr
    assert Ran(name="__main__", path=str(trees.new / "package/version.py")) in trees.told
    assert Ran(name="__main__", path=str(trees.new / "package/__init__.py")) not in trees.told


def test_a_script_of_the_tree_is_told(trees: Trees) -> None:
    script = trees.old / "package/version.py"
    options = ("-X", "utf8", "-Xfrozen_modules=off", "-Wignore::DeprecationWarning", "-B")
    finished = trees.python(*options, str(script), "-m")
    assert finished.returncode == 0, finished.stderr
    assert Ran(name="__main__", path=str(script)) in trees.told


def test_a_file_that_is_loaded_by_its_path_is_told(trees: Trees) -> None:
    path = str(trees.old / "package/version.py")
    code = (
        "import importlib.util as u\n"
        f"s = u.spec_from_file_location('odd', {path!r})\n"
        "s.loader.exec_module(u.module_from_spec(s))"
    )
    assert trees.python("-c", code).returncode == 0
    assert Ran(name="odd", path=path) in trees.told


def test_environments_and_repositories_in_the_tree_are_no_sources(trees: Trees) -> None:
    trees.write(trees.old / "env/pyvenv.cfg", "")
    trees.write(trees.old / "env/src/foo/foo.py", "")
    trees.write(trees.old / "libs/foo/.git/HEAD", "")
    trees.write(trees.old / "libs/module/.git", "gitdir: elsewhere")
    trees.write(trees.old / "libs/old/.git/HEAD", "")
    (trees.new / "libs/old").mkdir(parents=True)
    is_source_of = {"env/src/foo": False, "libs/foo": False, "libs/module": True, "libs/old": True}
    for name, is_source in is_source_of.items():
        assert trees.exchange.in_working_tree(str(trees.old / name / "foo.py")) is is_source


def test_libraries_that_are_loaded_are_told(trees: Trees) -> None:
    source = trees.write(trees.old / "fast.c", "int fast;\n")
    library = trees.old / "build/libfast.so"
    library.parent.mkdir()
    command = ["cc", "-shared", "-o", str(library), str(source)]
    if shutil.which("cc") is None:
        pytest.skip("no compiler")
    subprocess.run(command, check=True)
    code = (
        f"import ctypes, sys; ctypes.CDLL({str(library)!r})\n"
        "sys.modules['loaderperf_sources'].record.sweep()"
    )
    assert trees.python("-c", code).returncode == 0
    assert [each for each in trees.told if each.name == MAPPED] == [
        Ran(name=MAPPED, path=str(library))
    ]


def test_the_package_of_the_guard_is_the_same_for_all(trees: Trees) -> None:
    for top in (trees.old, trees.new):
        trees.write(top / "guard/__init__.py", f"print({str(top)!r})")
    trees.exchange = Exchange(str(trees.old), str(trees.new), {}, str(trees.old / "guard"))
    assert trees.python("-c", "import guard", path=(trees.old,)).stdout == f"{trees.old}\n"
    assert not [each for each in trees.told if "guard" in each.path]


def test_installed_and_standard_modules_are_not_told(trees: Trees) -> None:
    assert trees.python("-c", "import json, pytest").returncode == 0
    assert trees.told == set()


def test_the_sitecustomize_of_the_environment_does_its_work(trees: Trees) -> None:
    trees.write(trees.folder / "own/sitecustomize.py", "print('own')")
    code = "import sitecustomize, sys; print(sitecustomize.__file__)"
    finished = trees.python("-c", code, path=(trees.folder / "own",))
    assert finished.stdout.split() == ["own", str(trees.folder / "own/sitecustomize.py")]


def test_the_path_is_what_it_would_be_and_this_comes_last(trees: Trees) -> None:
    code = "import sys; print(*sys.path, sep='\\n')"
    alone = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=trees.folder
    )
    assert trees.python("-c", code).stdout == f"{alone.stdout}{CHILD}\n"
    # As torch starts its compilers.
    code = (
        "import os, subprocess, sys; path = os.pathsep.join(sys.path)\n"
        "subprocess.run([sys.executable, '-c', 'import package.version'], "
        "env={**os.environ, 'PYTHONPATH': path})"
    )
    trees.assert_new_version_ran(trees.python("-c", code, path=(trees.old,)))


def test_without_a_run_it_does_nothing(trees: Trees) -> None:
    code = "import sys; print(type(sys.meta_path[0]).__name__)"
    finished = trees.python("-c", code, variables={EXCHANGE: str(trees.folder / "gone")})
    assert finished.stdout != "Finder\n"
    assert finished.returncode == 0


# --- what is opened and started -----------------------------------------------------------------


def test_what_is_read_is_told_where_it_is_watched(trees: Trees) -> None:
    data = trees.write(trees.old / "data/rows", "1")
    code = (
        "import os\n"
        f"open({str(data)!r}).close(); os.listdir({str(data.parent)!r})\n"
        f"open({str(trees.old / 'written')!r}, 'w').close(); open('/dev/null').close()"
    )
    assert trees.python("-c", code).returncode == 0
    assert OPENED not in {each.name for each in trees.told}
    assert trees.python("-c", code, variables={WATCH: "1"}).returncode == 0
    opened = {each.path for each in trees.told if each.name == OPENED}
    assert opened == {str(data), str(data.parent)}


@pytest.mark.parametrize(
    ("call", "is_unseen"),
    [
        ("subprocess.run([sys.executable, '-c', ''])", False),
        ("subprocess.run([sys.executable, '-Ic', ''])", True),
        ("subprocess.run([sys.executable, '-B', '-E', '-c', ''])", True),
        ("subprocess.run([sys.executable, '-c', ''], env={})", True),
        ("subprocess.run([sys.executable, '-c', ''], env={**os.environ, 'PYTHONPATH': 'x'})", True),
        ("subprocess.run([sys.executable, '-c', ''], env=dict(os.environ))", False),
        ("subprocess.run([sys.executable, '-m', 'this', '-I'])", False),
        ("subprocess.run([sys.executable, '-Wignore::ImportWarning', '-c', ''])", False),
        ("subprocess.run([sys.executable, '-X', 'dev', '-I', '-c', ''])", True),
        ("os.posix_spawn(sys.executable, [sys.executable, '-Sc', ''], os.environ)", True),
        ("subprocess.run(['true', '-I'], env={})", False),
    ],
)
def test_a_python_that_shows_nothing_is_told(trees: Trees, call: str, is_unseen: bool) -> None:
    finished = trees.python("-c", f"import os, subprocess, sys; {call}", variables={WATCH: "1"})
    assert finished.returncode == 0, finished.stderr
    assert (UNSEEN in {each.name for each in trees.told}) is is_unseen


def test_a_record_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(b"a\0/a.py\0b\0/b")
    assert list(read(tmp_path)) == [Ran(name="a", path="/a.py")]
