"""Loader checks as pytest nodes of the coordinator, which imports no test module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from ..errors import LoaderPerfError
from ..items import NEEDS_OPTION

if TYPE_CHECKING:  # a plain `pytest` needs no messages
    from ..protocol.messages import Collected, CollectedCheck


class CheckFile(pytest.File):
    """A test module whose checks an arm has collected."""

    collect_in_arm: Callable[[str], Collected]

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The checks of the module, below a node for each class."""
        try:
            collected = self.collect_in_arm(self.nodeid)
        except LoaderPerfError as error:
            raise self.CollectError(str(error)) from None
        if collected.error:
            raise self.CollectError(collected.error)
        yield from _nodes(self, collected.checks, depth=0)


class CheckGroup(pytest.Collector):
    checks: Sequence[CollectedCheck]
    depth: int

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The checks of the class."""
        yield from _nodes(self, self.checks, self.depth)


class Check(pytest.Item):
    """A loader check; it is run by the coordinator, never here."""

    collected: CollectedCheck

    @property
    def location(self) -> tuple[str, int | None, str]:
        """File, line and name, as the arm's pytest has them."""
        return self.collected.location

    def reportinfo(self) -> tuple[str, int | None, str]:
        return self.collected.location

    def runtest(self) -> None:
        """Never called: the plugin answers ``pytest_runtest_protocol``."""
        raise NotImplementedError


class UnimportedFile(pytest.File):
    """A test module with nothing but checks, in a run without ``--loaderperf``."""

    checks: Sequence[str]

    def collect(self) -> Iterator[pytest.Item]:
        """One skipped test for each check: its parameters show only when it is imported."""
        for name in self.checks:
            yield SkippedCheck.from_parent(self, name=name)


class SkippedCheck(pytest.Item):
    # pytest-benchmark 5.0 expects every test to have some.
    funcargs: Mapping[str, object] = MappingProxyType({})

    def setup(self) -> None:
        pytest.skip(NEEDS_OPTION)

    def runtest(self) -> None:
        raise NotImplementedError

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Where the skip is shown."""
        return str(self.path), None, self.name


def _nodes(
    parent: pytest.Collector, checks: Sequence[CollectedCheck], depth: int
) -> Iterator[pytest.Item | pytest.Collector]:
    named: dict[str, list[CollectedCheck]] = {}  # in the order in which the arm has them
    for check in checks:
        named.setdefault(check.names[depth], []).append(check)
    for name, members in named.items():
        inside = [check for check in members if len(check.names) > depth + 1]
        for check in members:
            if check not in inside:
                yield _check(parent, name, check)
        if inside:
            group: CheckGroup = CheckGroup.from_parent(parent, name=name)
            group.checks = inside
            group.depth = depth + 1
            yield group


def _check(parent: pytest.Collector, name: str, collected: CollectedCheck) -> Check:
    # With its id as a text pytest tells the parameters from the name, as --lf needs it.
    item: Check = Check.from_parent(parent, name=name, nodeid=f"{parent.nodeid}::{name}")
    item.collected = collected
    item.extra_keyword_matches.update(collected.keywords)
    for marker, args, kwargs in collected.markers:
        item.add_marker(getattr(pytest.mark, marker)(*args, **kwargs))
    return item
