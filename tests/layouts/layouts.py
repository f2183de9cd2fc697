"""Layouts of projects, whose loaders start their workers in many ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from support import project

# The speed of a loader is that of `make`, in whichever process that runs.
LOADER = '''\
import multiprocessing, os, runpy, subprocess, sys, time
from pathlib import Path

SECONDS = 0.004

def make():
    time.sleep(SECONDS)
    return [1, 2]

def feed(queue):
    while True:
        queue.put(make())

def here():
    while True:
        yield make()

def worker(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue(1)
    process = context.Process(target=feed, args=(queue,), daemon=True)
    process.start()
    try:
        while True:
            yield queue.get()
    finally:
        process.kill()

def pool():
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        ready = [executor.submit(make), executor.submit(make)]
        while True:
            yield ready.pop(0).result()
            ready.append(executor.submit(make))

def program(*command, start=(sys.executable,), **options):
    with subprocess.Popen([*start, *command], stdout=subprocess.PIPE, **options) as process:
        try:
            for line in process.stdout:
                yield [int(each) for each in line.split()]
        finally:
            process.kill()

class Loader:
    """Batches of two samples, made in the way that is asked for."""

    def __init__(self, way):
        self.way = way

    def __iter__(self):
        if self.way == "here":
            return here()
        if self.way == "pool":
            return pool()
        if self.way == "-m":
            return program("-m", __name__)
        if self.way == "script":
            return program(__file__)
        if self.way == "-c":
            return program("-c", f"import {__name__} as loader; loader.serve()")
        if self.way == "shell":
            return program("-c", f"exec {sys.executable} -m {__name__}", start=["sh"])
        if self.way == "elsewhere":
            return program("-m", __name__, cwd=Path(__file__).parents[__name__.count(".")])
        if self.way == "entry":
            return program(start=[Path(sys.executable).with_name("serve")])
        if self.way == "runpy":
            return runpy.run_path(__file__, run_name="copy")["here"]()
        if self.way == "absolute":
            return program(os.environ["LOADER"])
        if self.way == "isolated":
            return program("-I", __file__)
        if self.way == "bare":
            return program(__file__, env={})
        return worker(self.way)

def serve():
    while True:
        print(*make(), flush=True)

if __name__ == "__main__":
    serve()
'''
CHECK = """\
import pytest
{imports}

@pytest.mark.loaderperf(metrics=["throughput"])
def test_it(loaderperf):
    perf = loaderperf(Loader({way!r}))
    assert perf.throughput >= perf.baseline.throughput
"""
INI = "[pytest]\nloaderperf_budget = 24\n"
IGNORED = f"{project.IGNORED}*.egg-info/\nbuild/\ndist/\n*.so\n"

# A compiled module, for backends that are made for such.
EXTENSION = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", NULL, -1, NULL};
PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }
"""
FAST = "from . import _fast\n"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A project: where its parts are, relative to the top folder of its repository."""

    source: str = "mypkg/loader.py"  # the file that is slowed down
    module: str = "mypkg.loader"
    files: Mapping[str, str] = field(default_factory=lambda: {"mypkg/__init__.py": ""})
    project: str = ""  # the folder that is installed
    rootdir: str = ""  # pytest's, with its ini file
    test: str = "tests/test_it.py"  # relative to that
    imports: str = "from {module} import Loader"
    tables: str = ""  # of pyproject.toml, for setuptools
    ignored: tuple[str, ...] = ()  # what git is to ignore
    ini: str = "pytest.ini"  # the file, relative to pytest's root
    since: Mapping[str, str | None] = field(default_factory=dict)  # written or removed since then
    moved: str = ""  # where the source is now
    compiled: str = ""  # a source of C that is compiled where it lies
    submodule: str = ""  # the folder that is one
    linked: bool = False  # whether the checkout is itself a worktree of another one


def in_src(layout: Layout, folder: str = "src") -> Layout:
    """The same with its package in a folder of sources."""
    return replace(
        layout,
        source=f"{folder}/{layout.source}",
        files={f"{folder}/{name}": text for name, text in layout.files.items()},
        tables=f'[tool.setuptools]\npackage-dir = {{"" = "{folder}"}}\n{layout.tables}',
    )


FLAT = Layout(tables='[tool.setuptools]\npackages = ["mypkg"]\n')
SRC = in_src(Layout(tables='packages = ["mypkg"]\n'))
SINGLE = Layout(source="single.py", module="single", files={})
NAMESPACE = Layout(
    source="acme/loaders/loader.py",
    module="acme.loaders.loader",
    files={"acme/loaders/__init__.py": ""},
    tables='[tool.setuptools]\npackages = ["acme.loaders"]\n',
)
VERSIONED = replace(
    FLAT,
    files={
        "mypkg/__init__.py": "from ._version import version\n",
        "mypkg/_version.py": "version = 1\n",
    },
    ignored=("mypkg/_version.py",),
    test="test_it.py",
)
READING = replace(
    FLAT,
    files={
        "mypkg/__init__.py": "from pathlib import Path\n"
        "ROWS = Path(__file__).with_name('rows.txt').read_text()\n",
        "mypkg/rows.txt": "1 2\n",
    },
    ignored=("mypkg/rows.txt",),
    test="test_it.py",
)
READING_LATER = replace(
    FLAT,
    imports="from mypkg.loader import Loader as Plain\nfrom pathlib import Path\n\n"
    "def Loader(way):\n    Path(__file__).with_name('rows').joinpath('1').read_text()\n"
    "    return Plain(way)",
    files={**FLAT.files, "rows/1": "1 2\n"},
    ignored=("rows",),
    test="test_it.py",
)
PLUGIN = "import mypkg.loader\n"
INSERTS = """\
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent / "lib"))
"""
LAYOUTS: Mapping[str, Layout] = {
    "flat": FLAT,
    "src": SRC,
    "python": in_src(Layout(tables='packages = ["mypkg"]\n'), "python"),
    "renamed": Layout(
        source="code/loader.py",
        files={"code/__init__.py": ""},
        tables='[tool.setuptools]\npackages = ["mypkg"]\npackage-dir = {"mypkg" = "code"}\n',
    ),
    "single": replace(SINGLE, tables='[tool.setuptools]\npy-modules = ["single"]\n'),
    "single-src": in_src(replace(SINGLE, tables='py-modules = ["single"]\n')),
    "namespace": NAMESPACE,
    "namespace-src": in_src(replace(NAMESPACE, tables='packages = ["acme.loaders"]\n')),
    "monorepo": Layout(
        source="services/ml/mypkg/loader.py",
        files={"services/ml/mypkg/__init__.py": "", "services/web/mypkg/loader.py": ""},
        project="services/ml",
        rootdir="services/ml",
        tables=FLAT.tables,
    ),
    "monorepo-src": Layout(
        source="services/ml/src/mypkg/loader.py",
        files={"services/ml/src/mypkg/__init__.py": ""},
        project="services/ml",
        rootdir="services/ml",
        tables=SRC.tables,
    ),
    "workspace": Layout(  # the tests of one of its packages use the loader of the other one
        source="packages/b/src/mypkg/loader.py",
        files={
            "packages/b/src/mypkg/__init__.py": "",
            "packages/a/pyproject.toml": '[project]\nname = "a"\nversion = "1.0"\n',
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
        },
        project="packages/b",
        rootdir="packages/a",
        tables=SRC.tables,
    ),
    "plugin": replace(  # of pytest, which rewrites all modules of such a project
        FLAT,
        files={"mypkg/__init__.py": "", "mypkg/plugin.py": "import mypkg.loader\n"},
        tables=f'[project.entry-points.pytest11]\nmypkg = "mypkg.plugin"\n{FLAT.tables}',
    ),
    "root-in-tests": replace(FLAT, rootdir="tests", test="test_it.py"),
    "root-in-tests-src": replace(SRC, rootdir="tests", test="test_it.py"),
    "version": VERSIONED,
    "reading": READING,
    "reading-later": READING_LATER,
    "conftest": Layout(
        source="lib/mypkg/loader.py",
        files={
            "lib/mypkg/__init__.py": "",
            "conftest.py": INSERTS,
        },
    ),
    "ignored": Layout(  # as a template for Python's repositories does with all that is called lib
        source="lib/mypkg/loader.py",
        files={"lib/mypkg/__init__.py": "", "conftest.py": INSERTS},
        ignored=("lib",),
    ),
    "helper": Layout(
        source="tests/perf/helper.py", module="helper", files={}, test="tests/perf/test_it.py"
    ),
    "compiled": replace(
        FLAT,
        files={"mypkg/__init__.py": FAST, "mypkg/_fast.c": EXTENSION},
        tables='[tool.setuptools]\npackages = ["mypkg"]\n',
        compiled="mypkg/_fast.c",
    ),
    "submodule": Layout(
        source="third/party/mypkg/loader.py",
        files={"third/party/mypkg/__init__.py": ""},
        project="third/party",
        submodule="third/party",
        tables=FLAT.tables,
    ),
    "worktree": replace(SRC, linked=True),
    # The commit has its configuration in another file than the working tree.
    "ini-moved": replace(
        SRC,
        since={
            "pytest.ini": None,
            "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = 'src'\n"
            "loaderperf_budget = '24'\n",
        },
    ),
    "setup.cfg": replace(SRC, ini="setup.cfg"),
    "ini-elsewhere": replace(SRC, ini="config/pytest.ini"),
    "plugin-named": replace(FLAT, files={**FLAT.files, "mypkg/plugin.py": PLUGIN}),
    # What the commit does not have, and its configuration does not name.
    "plugin-new": replace(
        FLAT, since={"mypkg/plugin.py": PLUGIN, "pytest.ini": f"{INI}addopts = -p mypkg.plugin\n"}
    ),
    "plugin-of-conftest": replace(
        FLAT,
        files={
            **FLAT.files,
            "mypkg/plugin.py": PLUGIN,
            "conftest.py": "pytest_plugins = ['mypkg.plugin']\n",
        },
    ),
    "to-src": replace(
        FLAT,
        tables="",
        since={"mypkg/loader.py": None, "mypkg/__init__.py": None, "src/mypkg/__init__.py": ""},
        moved="src/mypkg/loader.py",
    ),
    "tests-in-package": replace(
        SRC,
        files={**SRC.files, "src/mypkg/tests/__init__.py": ""},
        test="src/mypkg/tests/test_it.py",
        imports="from ..loader import Loader",
    ),
    "tests-package": Layout(
        source="tests/helper.py",
        module="tests.helper",
        files={"tests/__init__.py": ""},
        test="tests/test_it.py",
        imports="from .helper import Loader",
    ),
    "sitecustomize": replace(
        SRC,
        files={
            **SRC.files,
            "dev/sitecustomize.py": "import sys\n"
            "sys.path.append(__file__.rpartition('/dev/')[0] + '/src')\n",
        },
    ),
    "namespaces": Layout(  # two folders, one namespace
        source="loaders/acme/loaders/loader.py",
        module="acme.loaders.loader",
        files={"tools/acme/tools/__init__.py": "", "loaders/acme/loaders/__init__.py": ""},
        imports="import acme.tools\nfrom {module} import Loader",
    ),
}
