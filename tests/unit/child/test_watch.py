"""What a process tells that is watched wholly: all that a record of its files needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from pytest_loaderperf import child
from pytest_loaderperf.child.loaderperf_exchange import Exchange
from pytest_loaderperf.child.loaderperf_sources import EXCHANGE, RAN, WATCH, WHOLLY
from pytest_loaderperf.child.loaderperf_watch import LINKED, LISTED, OPENED, STARTED, UNSEEN
from pytest_loaderperf.versions.sources import read

CHILD = str(Path(child.__file__).parent)
FILES = {
    "package/__init__.py": "",
    "package/part.py": "VALUE = 1\n",
    "data/rows.csv": "1\n",
    "data/deep/more.csv": "1\n",
    "run.sh": "cat data/rows.csv\n",
}


class Tree:
    """A working tree, and Pythons in it that are watched wholly."""

    def __init__(self, folder: Path) -> None:
        self.top, self.ran, self._exchange = folder / "tree", folder / "ran", folder / "exchange"
        for name, text in FILES.items():
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.top / "linked").symlink_to("data")
        (self.top / "link.csv").symlink_to("linked/rows.csv")
        (self.top / "link.py").symlink_to("package/part.py")
        self.ran.mkdir()

    def python(
        self,
        code: str,
        *,
        copies: Mapping[str, str] = MappingProxyType({}),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.CompletedProcess[str]:
        self._exchange.write_text(Exchange(str(self.top), "", copies).dump())
        environment = {
            **os.environ,
            "PYTHONPATH": CHILD,
            "PYTHONDONTWRITEBYTECODE": "1",
            EXCHANGE: str(self._exchange),
            RAN: str(self.ran),
            WATCH: WHOLLY,
            **variables,
        }
        return subprocess.run(
            [sys.executable, "-c", f"import os, subprocess, sys\n{code}"],
            cwd=self.top,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def told(self, kind: str, code: str, **more: Mapping[str, str]) -> set[str]:
        """What is told of a kind by a process that runs some code, relative to the tree."""
        finished = self.python(code, **more)
        assert finished.returncode == 0, finished.stderr
        found = {each.path for each in read(self.ran) if each.name == kind}
        return {os.path.relpath(each, self.top) if each.startswith("/") else each for each in found}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path.resolve())


@pytest.mark.parametrize(
    "code",
    [
        "open('data/rows.csv').close()",
        "open('data/rows.csv', 'r+b').close()",
        "open('data/rows.csv', 'a+').close()",
        "os.close(os.open('data/rows.csv', os.O_RDONLY))",
        "os.close(os.open('data/rows.csv', os.O_RDWR))",
        "import mmap; mmap.mmap(os.open('data/rows.csv', os.O_RDONLY), 0, prot=mmap.PROT_READ)",
        "os.link('data/rows.csv', 'taken')",
        "os.rename('data/rows.csv', 'data/taken'); os.link('data/taken', 'data/rows.csv')",
        "import shutil; shutil.copyfile('data/rows.csv', os.devnull)",
        "import linecache; linecache.getlines('data/rows.csv')",
        "os.chdir('data'); open('rows.csv').close()",
        "from pathlib import Path; Path('data/rows.csv').read_bytes()",
        "if os.fork(): os.wait()\nelse: open('data/rows.csv')",
        "from multiprocessing import get_context\n"
        "worker = get_context('spawn').Process(target=open, args=('data/rows.csv',))\n"
        "worker.start(); worker.join()",
        "from multiprocessing import get_context\n"
        "worker = get_context('forkserver').Process(target=open, args=('data/rows.csv',))\n"
        "worker.start(); worker.join()",
        "import threading\nt = threading.Thread(target=open, args=('data/rows.csv',))\n"
        "t.start(); t.join()",
        "subprocess.run([sys.executable, '-c', 'open(\"data/rows.csv\")'], check=True)",
    ],
)
def test_what_is_read_in_any_way_is_told(tree: Tree, code: str) -> None:
    assert "data/rows.csv" in tree.told(OPENED, code)


def test_what_is_run_is_told_too(tree: Tree) -> None:
    assert "package/part.py" in tree.told("package.part", "import package.part")
    code = "import runpy; runpy.run_path('package/part.py')"
    assert "package/part.py" in tree.told(OPENED, code)


def test_what_is_only_written_is_not(tree: Tree) -> None:
    assert tree.told(OPENED, "open('new', 'w').close(); open('new', 'ab').close()") == set()


def test_a_file_is_told_by_all_threads_at_once(tree: Tree) -> None:
    for number in range(200):
        (tree.top / f"data/{number}").write_text("")
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "sys.setswitchinterval(1e-6)\n"
        "def read(number): open(f'data/{number}').close()\n"
        "with ThreadPoolExecutor(16) as pool: list(pool.map(read, range(200)))"
    )
    assert {f"data/{number}" for number in range(200)} <= tree.told(OPENED, code)


@pytest.mark.parametrize(
    "code",
    [
        "os.listdir('data')",
        "list(os.scandir('data'))",
        "import glob; glob.glob('data/*.csv')",
        "from pathlib import Path; list(Path('data').iterdir())",
        "os.chdir('data'); os.listdir()",
        "import pkgutil; list(pkgutil.iter_modules(['data']))",
    ],
)
def test_a_listed_folder_is_told(tree: Tree, code: str) -> None:
    assert tree.told(LISTED, code) - {"data/deep"} == {"data"}


def test_the_top_folder_may_be_listed(tree: Tree) -> None:
    assert tree.told(LISTED, "os.listdir('.')") == {"."}


def test_who_looks_for_a_module_lists_nothing(tree: Tree) -> None:
    code = (
        "import package.part, importlib.metadata, importlib.util\n"
        "importlib.util.find_spec('package.none')\n"
        "try: importlib.metadata.version('none')\nexcept ImportError: pass"
    )
    assert tree.told(LISTED, code) == set()


def test_a_folder_that_is_opened_stands_for_all_below(tree: Tree) -> None:
    code = "top = os.open('data', 0); os.open('deep/more.csv', os.O_RDONLY, dir_fd=top)"
    assert tree.told(OPENED, code) == {"data"}


def test_each_link_on_the_way_is_told(tree: Tree) -> None:
    assert tree.told(LINKED, "open('link.csv').close()") == {"link.csv", "linked"}
    assert "data/rows.csv" in tree.told(OPENED, "")


def test_the_link_to_a_module_is_told(tree: Tree) -> None:
    assert tree.told(LINKED, "sys.path.insert(0, ''); import link") == {"link.py"}


def test_the_link_to_a_module_is_told_although_its_bytecode_is_read(tree: Tree) -> None:
    """Which lies beside the link."""
    code = "sys.path.insert(0, ''); import link"
    tree.python(code, variables={"PYTHONDONTWRITEBYTECODE": "", RAN: str(tree.top.parent)})
    assert (tree.top / "__pycache__").is_dir()
    assert tree.told(LINKED, code) == {"link.py"}


def test_a_copy_stands_for_its_source(tree: Tree, tmp_path: Path) -> None:
    copy = tmp_path / "lib/site-packages/package"
    copy.mkdir(parents=True)
    (copy / "part.py").write_text("")
    copies = {str(copy): str(tree.top / "package")}
    assert tree.told(OPENED, f"open({str(copy / 'part.py')!r})", copies=copies) == {
        "package/part.py"
    }


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("subprocess.run(['sh', 'run.sh'])", "sh"),
        ("subprocess.run('cat data/rows.csv', shell=True)", "sh"),
        ("os.system('true')", "what os.system runs"),
        ("os.posix_spawn('/bin/true', ['true'], os.environ)", "true"),
        ("os.spawnv(os.P_WAIT, '/bin/true', ['true'])", "true"),
        ("os.popen('true').read()", "sh"),
    ],
)
def test_a_program_that_reads_what_it_likes_is_told(tree: Tree, code: str, told: str) -> None:
    assert tree.told(STARTED, code) == {told}


def test_a_program_that_asks_for_the_system_is_not(tree: Tree) -> None:
    code = "import platform; platform.processor(); platform.architecture()"
    assert tree.told(STARTED, f"{code}\nsubprocess.run([sys.executable, '-c', ''])") == set()


def test_a_python_is_told_that_inherits_too_little(tree: Tree) -> None:
    code = "del os.environ['PYTHONPATH']; subprocess.run([sys.executable, '-c', ''])"
    assert len(tree.told(UNSEEN, code)) == 1


def test_nothing_is_read_where_it_cannot_be_told(tree: Tree) -> None:
    """What is missing in a record would be taken for unused."""
    code = f"import shutil; shutil.rmtree({str(tree.ran)!r}); open('data/rows.csv')"
    finished = tree.python(code)
    assert finished.returncode != 0
    assert "cannot be written down" in finished.stderr
