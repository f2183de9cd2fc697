"""What lock files pin: those of uv and of poetry, and the standard one (pylock.toml).

A lock names packages for all systems, groups and extras. Those count that the project needs here,
in its default group, and those that the environment has which they are to replace.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName, default_environment

from ..errors import PackagesError
from ..versions.installed import normalised

Table = Mapping[str, Any]
_GROUP = "dev"  # the one that uv installs unless it is told otherwise
_LOCAL = ("editable", "virtual", "directory", "path")  # sources of uv that are folders or files


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an environment is to be like: of this version of Python, and what is ``there`` now."""

    python: str
    there: Set[str] = frozenset()

    def holds(self, marker: str) -> bool:
        """Whether a marker holds in it; PackagesError for one that cannot be read."""
        if not marker:
            return True
        nothing: Any = frozenset()  # of extras and groups: the default ones
        here: dict[str, Any] = {
            **default_environment(),
            "python_full_version": self.python,
            "python_version": ".".join(self.python.split(".")[:2]),
            "extra": "",
            "extras": nothing,
            "dependency_groups": nothing,
        }
        try:
            return Marker(marker).evaluate(here)
        except (InvalidMarker, UndefinedEnvironmentName) as error:
            raise PackagesError(f"the marker {marker!r} cannot be read: {error}") from None


@dataclass(kw_only=True)
class Pins:
    """Lines of a requirements file, and the names of what lies in folders of the project."""

    lines: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)

    def add(self, package: Table, url: str = "", *, local: bool = False) -> None:
        """Pin a package of a lock."""
        name = str(package["name"])
        if local or not (url or "version" in package):
            self.local.append(name)
        else:
            self.lines.append(f"{name} @ {url}" if url else f"{name}=={package['version']}")


def reader(content: Table) -> Callable[[Table, Target], Pins] | None:
    """The one that reads such a lock; None if it is no kind of lock that is known."""
    if "lock-version" in content and "packages" in content:
        return _standard
    if "package" not in content:
        return None
    if "lock-version" in content.get("metadata", {}):
        return _poetry
    return _uv if isinstance(content.get("version"), int) else None


def _standard(content: Table, target: Target) -> Pins:
    """What ``pylock.toml`` pins, which is meant to be installed as a whole."""
    pins = Pins()
    for package in content["packages"]:
        if target.holds(package.get("marker", "")):
            vcs, archive = package.get("vcs", {}), package.get("archive", {})
            below = _below(vcs.get("subdirectory", ""))
            url = f"{vcs['type']}+{vcs['url']}@{vcs['commit-id']}{below}" if "url" in vcs else ""
            pins.add(package, url or archive.get("url", ""), local="directory" in package)
    return pins


def _poetry(content: Table, target: Target) -> Pins:
    """What ``poetry.lock`` pins: all but what is optional, unless that is there already."""
    pins, unneeded = Pins(), _unneeded(content["package"], target)
    for package in content["package"]:
        markers = package.get("markers", "")  # one for each group, where they differ
        some = markers.values() if isinstance(markers, Mapping) else [markers]
        name = normalised(package["name"])
        wanted = name in target.there or not (package.get("optional") or name in unneeded)
        if wanted and any(map(target.holds, some)):
            source = package.get("source", {})
            kind, url = source.get("type", ""), source.get("url", "")
            if kind == "git":
                below = _below(source.get("subdirectory", ""))
                url = f"git+{url}@{source['resolved_reference']}{below}"
            is_url = kind in ("git", "url")
            pins.add(package, url if is_url else "", local=kind in ("directory", "file"))
    return pins


def _unneeded(packages: Sequence[Table], target: Target) -> set[str]:
    """What a lock of poetry 1 has for other systems: packages there have no markers of their own.

    They are those that others need, and none of these others needs them here.
    """
    needed_by: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for package in packages:
        for name, how in package.get("dependencies", {}).items():
            for each in how if isinstance(how, list) else [how]:
                marker = each.get("markers", "") if isinstance(each, Mapping) else ""
                needed_by[normalised(name)].append((normalised(package["name"]), marker))
    here = {
        name: {source for source, marker in sources if target.holds(marker)}
        for name, sources in needed_by.items()
    }
    found = set[str]()
    while new := {name for name, sources in here.items() if sources <= found} - found:
        found |= new
    return set() if any("groups" in package for package in packages) else found


def _uv(content: Table, target: Target) -> Pins:
    """What ``uv.lock`` pins for the projects that it is of, and what else is there already."""
    packages: Sequence[Table] = content["package"]
    by_name: dict[str, list[Table]] = defaultdict(list)
    for package in packages:
        by_name[package["name"]].append(package)
    own = [each for each in packages if {"editable", "virtual"} & each.get("source", {}).keys()]
    todo = [need for each in own for need in _needs(each, group=_GROUP)]
    todo += [{"name": name} for name in target.there if len(by_name.get(name, ())) == 1]
    taken: list[Table] = []
    asked: list[Table] = []
    while todo:
        need = todo.pop()
        if need in asked or not target.holds(need.get("marker", "")):
            continue
        asked.append(need)
        for package in by_name.get(need["name"], ()):
            if need.get("version", package.get("version")) != package.get("version"):
                continue
            todo += _needs(package, extras=need.get("extra", ()))
            if package not in taken:
                taken.append(package)
    pins = Pins()
    for package in sorted(taken, key=lambda each: str(each["name"])):
        source = package.get("source", {})
        pins.add(package, _url(source), local=any(kind in source for kind in _LOCAL))
    return pins


def _needs(package: Table, *, extras: Sequence[str] = (), group: str = "") -> Iterator[Table]:
    """What a package of ``uv.lock`` needs, with some of its extras, or with a group."""
    yield from package.get("dependencies", ())
    for extra in extras:
        yield from package.get("optional-dependencies", {}).get(extra, ())
    yield from package.get("dev-dependencies", {}).get(group, ())


def _below(folder: str) -> str:
    """What says of a repository's address that the package lies in a folder of it."""
    return f"#subdirectory={folder}" if folder else ""


def _url(source: Table) -> str:
    """The address of what comes from no index; a repository's has the commit behind a ``#``."""
    if "git" in source:
        where, _, commit = str(source["git"]).partition("#")
        where, _, query = where.partition("?")
        below = dict(each.partition("=")[::2] for each in query.split("&")).get("subdirectory", "")
        return f"git+{where}@{commit}{_below(below)}"
    return str(source.get("url", ""))
