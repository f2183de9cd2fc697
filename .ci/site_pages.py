"""Hooks of the site: its home page is the README, and what is outside of docs/ is on GitHub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURE = re.compile(r"<picture>.*?</picture>", re.DOTALL)
IMAGE = re.compile(r'<img alt="([^"]*)" src="(.*)-light\.svg">')


def home(readme: str) -> str:
    """The README as a page of docs/: there, the reader and not the system chooses the colours."""

    def pictures(found: re.Match[str]) -> str:
        return IMAGE.sub(
            r'<img alt="\1" src="\2-light.svg#only-light">'
            r'<img alt="\1" src="\2-dark.svg#only-dark">',
            re.sub(r"</?picture>|<source[^>]*>", "", found[0]),
        )

    return re.sub(r'(\]\(|src=")docs/', r"\1", PICTURE.sub(pictures, readme))


def tables(markdown: str) -> str:
    """Without the backslash before a pipe in code of a table: GitHub wants it, MkDocs shows it."""

    def code(found: re.Match[str]) -> str:
        return found[0].replace(r"\|", "|")

    lines = markdown.split("\n")
    return "\n".join(re.sub("`[^`]*`", code, x) if x.startswith("|") else x for x in lines)


def on_files(files: Any, config: Any) -> Any:
    """Add the home page."""
    from mkdocs.structure.files import File  # noqa: PLC0415  # the tests of home() need none of it

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=home(readme)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Lead links to files outside of docs/ to the repository, and mend tables."""
    markdown = tables(markdown)
    repository = f"{config.extra['repository']}/blob/main/"
    if page.file.src_uri == "index.md":
        return re.sub(r"\]\((CONTRIBUTING|CHANGELOG|LICENSE)", rf"]({repository}\1", markdown)
    return re.sub(r"\]\(\.\./", f"]({repository}", markdown)
