"""What a release must pass, on every Python: ``nox -f .ci/noxfile.py``, or one of ``--list``.

The sessions install what is built, and no framework: what works without torch and tensorflow is
tested here, by unit tests and a few real runs. ``pytest`` tests the rest (see CONTRIBUTING.md).
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
TESTED_WITH = ("cmarkgfm", "hypothesis", "import-linter", "pytest-xdist", "pyyaml", "selenium")
# Real runs, of all that depends on the versions of Python and pytest: options and settings, plain
# runs, ranks that deliver, and a gate from its checkout to what CI services show.
INTEGRATION = tuple(
    f"tests/integration/test_{name}.py"
    for name in ("ci", "delivery", "history", "plain_pytest", "settings")
)
# The lowest that pyproject.toml allows, and of what it needs itself.
OLDEST = (
    "pytest==8.2.*", "pytest-benchmark==5.0.*", "packaging==22.*", "psutil==5.9.*",
    "greenlet==3.0.*", "jinja2==3.1.*", "numpy==1.24.*", "scipy==1.11.*",
)  # fmt: skip
SCHEMAS = {
    "citation-file-format": "CITATION.cff",
    "github-actions": ".github/actions/*/action.yml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "github-workflows": ".github/workflows/*.yml",
}
CHECK = """\
import numpy


class Rows:
    def __iter__(self):
        for _ in range(256):
            yield numpy.ones((32, 4096)).cumsum(axis=1)


def test_rows(loaderperf):
    assert loaderperf(Rows()).throughput >= 10
"""

nox.options.sessions = ["lint", "schemas", "build", "oldest", "tests"]
nox.options.error_on_missing_interpreters = False


def _test(session: nox.Session) -> None:
    # Neither the sources nor another environment's packages: what is installed is tested.
    clean = {"PYTHONPATH": ""}
    usual = ["-q", "-n", "2", "--dist", "loadfile", "tests/unit", *INTEGRATION]
    session.run("pytest", *(session.posargs or usual), env=clean)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Unit tests and some real runs, with numpy and no framework."""
    session.chdir(ROOT)
    session.install(".", *TESTED_WITH)
    _test(session)


@nox.session(python="3.10")
def oldest(session: nox.Session) -> None:
    """The same with the oldest of everything that is needed."""
    session.chdir(ROOT)
    session.install(".", *TESTED_WITH, *OLDEST)
    _test(session)


@nox.session(python="3.11")
def build(session: nox.Session) -> None:
    """Build into dist/, look into what was built, and run a check with it alone.

    An argument is the tag that it is built for.
    """
    session.chdir(ROOT)
    session.install("build", "twine", "check-wheel-contents")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build")  # the wheel from the sdist
    (sdist,), (wheel,) = Path("dist").glob("*.tar.gz"), Path("dist").glob("*.whl")
    for tag in session.posargs:
        if not wheel.name.startswith(f"pytest_loaderperf-{tag.removeprefix('v')}-"):
            session.error(f"{wheel.name} is not what the tag {tag} says")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))
    session.run("check-wheel-contents", str(wheel))
    if wrong := [*_wrong_in(sdist), *_wrong_in_wheel(wheel)]:
        session.error("\n".join(wrong))
    with tempfile.TemporaryDirectory() as folder:
        alone = f"{folder}/alone/bin/python"
        session.run("python", "-m", "venv", f"{folder}/alone")
        session.run(alone, "-m", "pip", "install", "-q", str(wheel), external=True)
        Path(folder, "test_rows.py").write_text(CHECK)
        command = [
            "-m",
            "pytest",
            "--loaderperf-update",
            "--rootdir",
            folder,
            f"{folder}/test_rows.py",
        ]
        session.run(alone, *command, external=True, env={"PYTHONPATH": ""})


def _wrong_in(sdist: Path) -> list[str]:
    """What the sdist lacks of the project, beside what it is not to have."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("src/**/*.*")}
    wanted = {each for each in sources if "__pycache__" not in each and "." in Path(each).name}
    wanted |= {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "tests/conftest.py"}
    return [f"the sdist lacks {name}" for name in sorted(wanted - names)]


def _wrong_in_wheel(wheel: Path) -> list[str]:
    """What the wheel has too much of, lacks, or has otherwise: all of the package, nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    built = {name: content for name, content in inside.items() if ".dist-info/" not in name}
    package = {
        path.relative_to(ROOT / "src").as_posix(): path.read_bytes()
        for path in ROOT.glob("src/pytest_loaderperf/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    typed = {"pytest_loaderperf/py.typed"}
    same = package.keys() & built.keys()
    return [
        *(f"the wheel lacks {name}" for name in sorted((package.keys() | typed) - built.keys())),
        *(f"the wheel has {name} of no package" for name in sorted(built.keys() - package.keys())),
        *(f"{name} is another one in the wheel" for name in same if built[name] != package[name]),
    ]


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Linters that need no framework."""
    session.chdir(ROOT)
    session.install("-e", ".", "ruff", "import-linter", "zizmor")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("zizmor", "--offline", "--no-progress", ".github")


@nox.session(python="3.11")
def schemas(session: nox.Session) -> None:
    """Files that other services read are of the form that they publish."""
    session.chdir(ROOT)
    session.install("check-jsonschema")
    for schema, files in SCHEMAS.items():
        found = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(files))
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *found)
