"""Which layouts, installs, ways to start workers and invocations are combined."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Row:
    """One combination."""

    layout: str
    install: str = "paths"
    way: str = "here"
    invocation: str = "module"
    quick: bool = False  # in the part of the table that every run of CI goes through
    error: str = ""  # said of it, where it cannot be measured

    @property
    def name(self) -> str:
        """What the row is called in the table and in test ids."""
        return " ".join((self.layout, self.install, self.way, self.invocation))


def _rows(layouts: str, installs: str, ways: str, invocations: str = "console") -> list[Row]:
    return [
        Row(layout=layout, install=install, way=way, invocation=invocation)
        for layout in layouts.split()
        for install in installs.split()
        for way in ways.split()
        for invocation in invocations.split()
    ]


# The first ones are those that once passed while both sides ran the same code, or that were
# compared with stored numbers; they are the quick part.
QUICK = tuple(
    replace(row, quick=True)
    for row in [
        *_rows("flat", "editable", "spawn"),
        *_rows("src", "editable", "-m"),
        *_rows("python renamed single", "copy", "here"),
        *_rows("root-in-tests", "copy", "here"),
        *_rows("monorepo", "editable", "here"),
        *_rows("version reading", "paths", "here"),
        *_rows("src", "tox", "spawn"),
        *_rows("flat", "venv-is-project", "spawn"),
    ]
)
MORE = (
    *_rows("flat", "editable", "spawn", "module"),  # which has the working folder on the path
    *_rows("flat", "editable", "fork forkserver pool -m script"),
    *_rows("src", "editable", "spawn forkserver pool script"),
    *_rows("flat src", "strict compat", "spawn"),
    *_rows("flat", "copy", "spawn -m script"),
    *_rows("src", "copy stale-copy wheel nox venv-inside-copy", "spawn"),
    *_rows("python renamed single single-src namespace namespace-src", "editable", "spawn"),
    *_rows("namespace namespace-src single-src", "copy", "-m"),
    *_rows("monorepo", "editable copy", "spawn -m"),
    *_rows("monorepo-src", "editable copy", "spawn"),
    *_rows("plugin", "editable copy", "here spawn"),
    *_rows("workspace", "uv copy", "spawn"),
    *_rows("root-in-tests", "editable", "spawn"),
    *_rows("root-in-tests-src", "copy", "-m"),
    *_rows("src", "hatch hatch-exact flit poetry pdm pdm-editables uv", "spawn"),
    *_rows("src", "hatch-copy", "-m"),
    *_rows("flat", "flit pdm", "-m"),
    *_rows("flat src", "meson scikit-build", "spawn"),
    *_rows("flat src", "venv-inside", "spawn"),
    *_rows("src", "venv-is-project", "-m"),
    *_rows("flat", "paths", "here spawn -m", "module"),
    *_rows("flat", "paths", "spawn", "fresh"),
    *_rows("src", "paths", "spawn -m", "PYTHONPATH"),
    *_rows("src", "paths", "here", "PYTHONPATH-relative pythonpath-ini"),
    *_rows("conftest", "paths", "here spawn"),
    *_rows("helper", "paths", "here spawn", "console prepend append"),
    *_rows("src", "editable", "here", "sub-folder prepend append importlib"),
    *_rows("flat", "editable", "spawn", "link link-module"),
    *_rows("src", "copy", "spawn", "link"),
    *_rows("version", "editable", "spawn"),
    *_rows("reading-later", "paths", "here spawn"),
    *_rows("src", "editable", "fork -c shell entry runpy elsewhere"),
    *_rows("src", "copy", "entry shell"),
    *_rows("src", "hatch poetry uv", "entry"),
    *_rows("flat", "paths", "elsewhere runpy", "module"),
    *_rows("flat", "paths", "absolute", "LOADER"),  # the path, in a variable
    *_rows("src", "paths", "elsewhere", "pythonpath-ini"),
    *_rows("src", "paths", "-m", "PYTHONPATH-relative"),
    *_rows("compiled", "paths", "here spawn", "module"),
    *_rows("compiled", "editable", "spawn"),
    *_rows("flat src", "extension", "spawn"),
    *_rows("submodule", "editable", "-m"),
    *_rows("worktree", "editable copy", "spawn"),
    *_rows("ini-moved", "paths", "here", "pythonpath-ini"),
    *_rows("setup.cfg", "editable", "spawn"),
    *_rows("ini-elsewhere", "paths", "here", "-c"),
    *_rows("plugin-named", "paths", "spawn", "-p"),
    *_rows("plugin-named", "editable", "spawn", "-p"),
    *_rows("plugin-new", "paths", "here", "module"),
    *_rows("plugin-new", "editable", "spawn"),
    *_rows("plugin-of-conftest", "paths", "-m", "module"),
    *_rows("to-src", "editable", "here spawn", "module console"),
    *_rows("tests-in-package", "editable", "spawn", "console --pyargs importlib"),
    *_rows("tests-package", "paths", "spawn", "console in-tests"),
    *_rows("sitecustomize", "paths", "spawn", "PYTHONPATH-dev"),
    *_rows("namespaces", "paths", "spawn", "PYTHONPATH-two"),
    *_rows("monorepo-src", "editable", "-m", "from-top"),
    *_rows("src", "linked-package pth", "spawn"),
    *_rows("flat", "editable", "spawn", "bytecode strict-warnings safe-path"),
    *_rows("src", "target", "-m", "PYTHONPATH-vendor"),
    *_rows("src", "target-outside", "-m", "PYTHONPATH-outside"),
)
# Combinations of which nothing can be said: a verdict would be that of some other code.
UNMEASURABLE = (
    *(
        replace(row, error="does not show which files it runs")
        for row in _rows("flat", "paths", "isolated bare", "module")
    ),
    *(
        replace(row, error="every version would measure that copy")
        for row in _rows("src", "of-a-clone", "here spawn")
    ),
    *(  # both versions would run the one that is there
        replace(row, error="git ignores lib/mypkg/loader.py")
        for row in _rows("ignored", "paths", "here spawn")
    ),
)
