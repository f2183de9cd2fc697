"""Follow all links within a built site, and refuse what a page would load from elsewhere.

Usage: ``links.py FOLDER``. Every link to a page, an anchor or a file of the site must lead there,
those in HTML and of the theme too. Links to other sites are only links: they are not followed. A
script, style, font or picture of another site is a fault, since a reader of the documentation is
nobody else's business.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "link": "href"}
ONLY_SAID = {"canonical", "prev", "next", "alternate"}  # what a <link> may say of other places


@dataclass
class Page(HTMLParser):
    """What a page leads to, what it loads, and the anchors that it has."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif given.get(LOADED.get(tag, "")) and not ONLY_SAID & set(given.get("rel", "").split()):
            self.loaded.append(given[LOADED[tag]])


def read(path: Path) -> Page:
    """Parse a page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def faults(site: Path) -> Iterator[str]:
    """What is wrong with the links of a site."""
    pages = {path: read(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: no pages"
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    yield f"{path.relative_to(site)}: loads {link}"
                continue
            if parts.path.startswith("/"):  # of the page for what is not there, wherever that is
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                yield f"{path.relative_to(site)}: {link} is not there"
            elif (
                link in page.links
                and parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                yield f"{path.relative_to(site)}: {link} has no such anchor"


def main(arguments: list[str]) -> int:
    """Print the faults; returns 1 if there are any."""
    if len(arguments) != 1:
        sys.exit(f"usage: {Path(__file__).name} FOLDER")
    found = list(faults(Path(arguments[0]).resolve()))
    print("\n".join(found) or "all links of the site lead somewhere")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
