"""What environments have, and in what one differs from another that it lies over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from ..errors import PackagesError
from ..model.units import format_changes
from ..versions.installed import normalised
from .locks import Target
from .requirements import meets


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """What an interpreter has: versions of distributions by name, what each of them needs.

    ``folders`` are those in which packages are installed.
    """

    python: str  # its version
    folders: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def with_those_of(self, other: Distributions, names: Iterable[str]) -> Distributions:
        """The same, with what another one has of some distributions."""
        names = [*names]
        return Distributions(
            python=self.python,
            folders=self.folders,
            versions={**self.versions, **{name: other.versions[name] for name in names}},
            needs={**self.needs, **{name: other.needs[name] for name in names}},
        )

    def unmet(self, names: Iterable[str] | None = None) -> list[str]:
        """What distributions need and do not get, of all of them or of some: a line for each.

        What is not there at all counts as well.
        """
        lines = []
        for name in self.versions if names is None else names:
            for need in self.needed(name):
                version = self.versions.get(normalised(need.name))
                if version is None or not meets(version, need):
                    there = f"has {version}" if version else "has none"
                    lines.append(f"{name} {self.versions[name]} needs {need}, and {there}")
        return lines

    def needed(self, name: str) -> list[Requirement]:
        """What a distribution needs here, without its extras."""
        target, found = Target(python=self.python), list[Requirement]()
        for each in self.needs.get(name, ()):
            try:
                need = Requirement(each)
            except InvalidRequirement:  # of an old one
                continue
            if need.marker is None or target.holds(str(need.marker)):
                found.append(need)
        return found

    def closure(self, name: str) -> list[str]:
        """A distribution with all that it needs, as far as there is such."""
        found = [name] if name in self.versions else []
        for each in found:
            needed = (normalised(need.name) for need in self.needed(each))
            found += [one for one in needed if one in self.versions and one not in found]
        return found


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Packages over those of another interpreter.

    ``python`` is its interpreter, ``folder`` what holds it, ``label`` what it was made of.
    ``over`` and ``seen`` are what the other one and this one have. ``named`` are the distributions
    that were asked for.
    """

    python: str
    folder: Path
    label: str
    over: Distributions
    seen: Distributions
    named: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def differing(self) -> dict[str, tuple[str, str]]:
        """The distributions that differ: the version here, and below; empty where there is none."""
        over = self.over.versions
        return {
            name: (version, over.get(name, ""))
            for name, version in sorted(self.seen.versions.items())
            if over.get(name) != version
        }

    def check(self, imported: Mapping[str, str]) -> None:
        """Have it proven that what was imported is what it has, by name and version.

        PackagesError where a folder before it on the path, of PYTHONPATH say, has another version.
        """
        for name, version in imported.items():
            has = self.seen.versions.get(normalised(name))
            if normalised(name) in self.differing and version != has:
                raise PackagesError(
                    f"{name} {version} was imported, and not {has} of {self.label}: another folder "
                    "comes first on the path, such as one of PYTHONPATH"
                )

    @property
    def told(self) -> str:
        """What to say of what differs."""
        both = {name: each for name, each in self.differing.items() if each[1]}
        alone = [name for name in self.differing if name not in both]
        more = f"; the baseline alone has {', '.join(alone)}" if alone else ""
        return f"packages of {self.label}: {format_changes(both) or 'those that are here'}{more}"

    def same_for_both(self, imported: Iterable[str]) -> list[str]:
        """What to note of packages that a check has imported, and nobody has asked for here."""
        known = {*self.differing, *self.named}
        names = [name for name in imported if normalised(name) not in known]
        told = f"the same for both, since {self.label} does not ask for it: {', '.join(names)}"
        return [told] if names else []

    @property
    def in_order(self) -> list[str]:
        """Those that differ, each after what it needs as it is below, as far as that can be."""
        differing, found = self.differing, list[str]()

        def take(name: str, above: frozenset[str]) -> None:
            if name in differing and name not in above and name not in found:
                for need in self.over.needed(name):
                    take(normalised(need.name), above | {name})
                found.append(name)

        for name in differing:
            take(name, frozenset())
        return found
