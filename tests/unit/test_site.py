"""The site: it builds without a warning, links lead somewhere, and nothing comes from afar."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.scripts import script

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / ".ci" / "mkdocs.yml"
faults = script("links").faults
home = script("site_pages").home
tables = script("site_pages").tables


def site(folder: Path, **pages: str) -> Path:
    for name, text in pages.items():
        path = folder / name / "index.html" if name != "index" else folder / "index.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_a_sound_site_has_no_faults(tmp_path: Path) -> None:
    (tmp_path / "picture.svg").write_text("<svg/>")
    index = (
        '<a href="guide/#steps">in</a><a href="https://a.b/c">out</a><a href="mailto:a@b.c">to</a>'
        '<h1 id="top">T</h1><a href="#top">up</a><a href=".">home</a>'
        '<img src="picture.svg#only-dark"><link rel="canonical" href="https://a.b/">'
    )
    guide = '<h2 id="steps">S</h2><a href="..">home</a><a href="../picture.svg">p</a>'
    assert list(faults(site(tmp_path, index=index, guide=guide))) == []


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ('<a href="gone/">x</a>', "index.html: gone/ is not there"),
        ('<a href="#gone">x</a>', "index.html: #gone has no such anchor"),
        ('<a href="guide/#gone">x</a>', "index.html: guide/#gone has no such anchor"),
        ('<img src="gone.svg">', "index.html: gone.svg is not there"),
        ('<script src="https://a.b/c.js"></script>', "index.html: loads https://a.b/c.js"),
        ('<link rel="stylesheet" href="//a.b/c.css">', "index.html: loads //a.b/c.css"),
        ('<img src="http://a.b/c.png">', "index.html: loads http://a.b/c.png"),
    ],
)
def test_faults_are_found(tmp_path: Path, page: str, fault: str) -> None:
    assert list(faults(site(tmp_path, index=page, guide="<p>G</p>"))) == [fault]


def test_a_folder_without_pages_is_a_fault(tmp_path: Path) -> None:
    assert len(list(faults(tmp_path))) == 1


def test_the_home_page_is_the_readme_as_seen_from_docs() -> None:
    readme = (
        "See [it](docs/ci.md#use), [that](https://a.b/docs/c) and [how](CONTRIBUTING.md).\n\n"
        '<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="docs/a-dark.svg">\n'
        '  <img alt="An A" src="docs/a-light.svg">\n</picture>\n'
    )
    page = home(readme)
    assert "[it](ci.md#use), [that](https://a.b/docs/c) and [how](CONTRIBUTING.md)" in page
    assert '<img alt="An A" src="a-light.svg#only-light">' in page
    assert '<img alt="An A" src="a-dark.svg#only-dark">' in page
    assert "docs/a-" not in page
    assert "picture>" not in page


def test_a_pipe_in_the_code_of_a_table_needs_no_backslash() -> None:
    text = "| a |\n|---|\n| `x\\|y` \\| z |\n`p\\|q`\n"
    assert tables(text) == "| a |\n|---|\n| `x|y` \\| z |\n`p\\|q`\n"


def test_every_page_is_in_the_navigation() -> None:
    settings = SETTINGS.read_text("utf-8")
    pages = [page.name for page in (ROOT / "docs").glob("*.md")]
    assert [name for name in pages if f": {name}\n" not in settings] == []


def test_it_builds_without_a_warning_and_leads_nowhere_else(tmp_path: Path) -> None:
    pytest.importorskip("material")
    # Not with -q: that would silence warnings before they are counted.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(SETTINGS)]
    built = subprocess.run(
        [*command, "-d", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert (built.returncode, "WARNING" in built.stderr) == (0, False), built.stderr
    assert list(faults(tmp_path)) == []
    # Search runs in the reader's browser, and nobody is asked how popular the project is.
    assert (tmp_path / "search" / "search_index.json").exists()
    assert 'data-md-component="source"' not in (tmp_path / "index.html").read_text("utf-8")
    assert "fonts.g" not in (tmp_path / "index.html").read_text("utf-8")
