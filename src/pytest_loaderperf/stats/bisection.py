"""Which commit to try next, of those between a good one and a bad one: pure arithmetic.

Commits are numbers: 0 is the good one, the largest the bad one.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

# Whether a commit is bad; None where nobody can tell.
Answer = Callable[[int], bool | None]


@dataclass(frozen=True, kw_only=True)
class Between:
    """Where a search stands: the last commit that is known to be good, the first that is bad.

    Of those between them nothing can be told once the search is over.
    """

    good: int
    bad: int


def next_commit(between: Between, skipped: Set[int]) -> int | None:
    """The one nearest to the middle of those that are open; None if there is none."""
    middle = (between.good + between.bad) / 2
    left = [n for n in range(between.good + 1, between.bad) if n not in skipped]
    return min(left, key=lambda n: (abs(n - middle), n), default=None)


def search(count: int, is_bad: Answer) -> Between:
    """Find the first bad one of so many commits, of which the last is bad, asking as few as can be.

    One that nobody can tell of is skipped, and others near it are asked.
    """
    between, skipped = Between(good=0, bad=count), set[int]()
    while (commit := next_commit(between, skipped)) is not None:
        answer = is_bad(commit)
        if answer is None:
            skipped.add(commit)
        elif answer:
            between = Between(good=between.good, bad=commit)
        else:
            between = Between(good=commit, bad=between.bad)
    return between
