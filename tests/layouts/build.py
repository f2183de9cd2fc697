"""Builds the project of a row, its environment, and runs pytest in it as its invocation says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from layouts.installs import INSTALLS, INVOCATIONS, Install, Invocation
from layouts.layouts import CHECK, IGNORED, INI, LAYOUTS, LOADER, Layout
from layouts.table import Row
from support import environment, tiny
from support.project import Project, Run

THROUGHPUT = 480.0  # samples/s: two every 4 ms
SLOWER = ("SECONDS = 0.004", "SECONDS = 0.008")


@dataclass(frozen=True)
class Built:
    """A project that is set up and accepted, at the path by which its users reach it."""

    row: Row
    top: Path
    python: Path  # of the environment that it is installed in

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.row.layout]

    @property
    def install(self) -> Install | None:
        return INSTALLS[self.row.install]

    @property
    def invocation(self) -> Invocation:
        return INVOCATIONS[self.row.invocation]

    @property
    def node(self) -> str:
        """The node id of the check."""
        return f"{self.layout.test}::test_it"

    def slow_down(self) -> None:
        """Make the loader twice as slow, and install it again where that is the way."""
        source = self.top / (self.layout.moved or self.layout.source)
        source.write_text(source.read_text().replace(*SLOWER))
        if self.install is not None and self.install.again:
            put_in(self)

    def run(self, *arguments: str, path: Path | None = None) -> Run:
        """Run the check; modules in the folder ``path`` are found besides."""
        invocation = self.invocation
        root = Project(self.top / self.layout.rootdir)
        variables = {
            name: value.format(top=self.top) for name, value in invocation.variables.items()
        }
        if path is not None:
            before = variables.get("PYTHONPATH")
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(path), before)))
        variables["PATH"] = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        command = [str(self.python.with_name("pytest"))]
        if not invocation.console:
            command = [str(self.python), "-m", "pytest"]
        folder = root.root / invocation.folder
        folder.mkdir(exist_ok=True)
        arguments = ("--loaderperf", *invocation.arguments, *arguments)
        return root.pytest(*arguments, command=command, folder=folder, environment=variables)


def build(row: Row, folder: Path) -> Built:
    """The project of a row, accepted; ``folder`` is a new one."""
    top = folder / "repository"
    top.mkdir(parents=True)
    layout, invocation = LAYOUTS[row.layout], INVOCATIONS[row.invocation]
    if invocation.link:
        (folder / "link").symlink_to(top)
        top = folder / "link"
    python = Path(sys.executable)
    install = INSTALLS[row.install]
    if install is not None:
        python = virtual_environment(Path(os.path.normpath(top / install.environment)))
    built = Built(row, top, python)
    start_history(layout, top)
    ignored = ["/.tox/", "/.nox/", "/.venv/", "/vendor/", *(f"/{name}" for name in layout.ignored)]
    if install is not None and install.environment == ".":
        ignored += ["/bin/", "/include/", "/lib/", "/lib64", "/pyvenv.cfg"]
    Project(top).put(".gitignore", IGNORED + "\n".join(ignored) + "\n")
    Project(top).put(layout.source, LOADER)
    for name, text in layout.files.items():
        Project(top).put(name, text)
    if layout.compiled:
        compile_in_place(top / layout.compiled)
    root = top / layout.rootdir
    ini = INI.replace("[pytest]", "[tool:pytest]") if layout.ini == "setup.cfg" else INI
    Project(root).put(layout.ini, ini + invocation.ini)
    imports = layout.imports.format(module=layout.module)
    Project(root).put(layout.test, CHECK.format(imports=imports, way=row.way))
    if install is not None:
        describe(built, install)
        put_in(built)
    tiny.accept(Project(root), built.node, throughput=THROUGHPUT, commit=False)
    if layout.submodule:
        Project(top / layout.submodule).commit("the loader")
        Project(top).git("submodule", "-q", "add", f"./{layout.submodule}", layout.submodule)
    Project(top).commit("accept the baselines")
    change(built)
    return built


def start_history(layout: Layout, top: Path) -> None:
    """Make a repository of a new folder."""
    if layout.linked:
        main = Project(top.parent / "main")
        main.start_history()
        main.git("commit", "-q", "--allow-empty", "-m", "nothing yet")
        main.git("worktree", "add", "-q", "-b", "work", str(top))
        return
    Project(top).start_history()
    if layout.submodule:
        inside = Project(top / layout.submodule)
        inside.start_history()
        inside.put(".gitignore", IGNORED)


def change(built: Built) -> None:
    """Change what has changed since the acceptance, beside the speed; install it anew."""
    layout = built.layout
    if layout.moved:
        Project(built.top).put(layout.moved, LOADER)
    for name, text in layout.since.items():
        if text is None:
            (built.top / name).unlink()
        else:
            Project(built.top).put(name, text)
    if layout.moved and built.install is not None:
        put_in(built)


def compile_in_place(source: Path) -> None:
    """Compile an extension of C into the folder of its source."""
    target = source.with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))
    include = sysconfig.get_path("include")
    execute("cc", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(target))


def describe(built: Built, install: Install) -> None:
    """Write the metadata of a project, as its backend wants it."""
    layout = built.layout
    project = built.top / layout.project
    package = PurePosixPath(layout.source).parent.relative_to(layout.project or ".")
    names = {
        "package": str(package),
        "folder": str(package.parent).strip("."),
        "root": str(package.parent),
        "name": package.name,
    }
    name = layout.module.partition(".")[0]
    tables = layout.tables if install.tables is None else install.tables.format(**names)
    Project(project).put(
        "pyproject.toml",
        f'[build-system]\nrequires = ["{install.requires}"]\nbuild-backend = "{install.backend}"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\ndescription = "A loader"\n'
        f'[project.scripts]\nserve = "{layout.module}:serve"\n{tables}',
    )
    for file, text in install.files.items():
        content = text.replace("{package}", names["package"])
        Project(project).put(file.format(**names), content)


def put_in(built: Built) -> None:
    """Install a project into its environment, as pip does it."""
    install = built.install
    assert install is not None
    project = built.top / built.layout.project
    package = built.top / PurePosixPath(built.layout.source).parent
    if install.link or install.path:
        packages = Path(packages_of(built.python))
        if install.link:
            (packages / package.name).symlink_to(package)
        else:
            (packages / "by_hand.pth").write_text(f"{package.parent}\n")
        return
    if install.clone:
        clone = built.top.parent / "clone"
        shutil.copytree(project, clone)
        project = clone
    pip = [sys.executable, "-m", "pip", "--python", str(built.python), "--no-input", "-q"]
    plain = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    what = str(project)
    if install.wheel:
        wheels = built.top / "dist"
        shutil.rmtree(wheels, ignore_errors=True)
        execute(*pip, "wheel", *plain, "-w", str(wheels), what)
        (wheel,) = wheels.glob("*.whl")
        what = str(wheel)
    into = [f"--target={built.top / install.target}", "--upgrade"] if install.target else []
    execute(*pip, "install", *plain, "--force-reinstall", *into, *install.arguments, what)
    if not install.arguments:
        shutil.rmtree(project / "build", ignore_errors=True)  # else its files are taken again


def virtual_environment(folder: Path) -> Path:
    """A virtual environment that finds the packages of this one; returns its interpreter."""
    execute(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    outer = sysconfig.get_path("purelib")
    # Last, so that what is installed into the environment is found first.
    Path(packages_of(python), "zzz_outer.pth").write_text(
        f"import site; site.addsitedir({outer!r})\n"
    )
    script = python.with_name("pytest")
    script.write_text(f"#!{python}\nimport sys\nimport pytest\nsys.exit(pytest.main())\n")
    script.chmod(0o755)
    return python


def packages_of(python: Path) -> str:
    """The folder that an interpreter has its packages in."""
    command = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return execute(str(python), "-c", command).strip()


def execute(*command: str) -> str:
    """Run a program that must succeed; returns what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # of meson and ninja
    finished = subprocess.run(
        command,
        env=environment.clean(PATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout
