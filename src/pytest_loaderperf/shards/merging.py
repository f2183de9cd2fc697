"""One run of many shards, and what keeps them from being one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..model.results import CheckResult, Run
from ..model.shards import Share

_ENDED = (0, 1)  # what pytest returns where all tests have run
_NAMED = 3  # checks that are named, at most

# What all shards of a run have in common, and how to say that one has not.
_COMMON: Mapping[str, Callable[[Run], object]] = {
    "number of shards": lambda run: _share(run).shard.of,
    "commit": lambda run: run.commit,
    "changes since the commit": lambda run: run.changes,
    "version of pytest-loaderperf": lambda run: run.plugin,
    "reference": lambda run: run.mode,
    "root folder": lambda run: run.root,
    "settings": lambda run: _share(run).settings,
    "alpha": lambda run: run.alpha,
    "selection of checks": lambda run: _share(run).selection,
}


def merged(runs: Sequence[tuple[str, Run]]) -> Run:
    """One run of those of shards, each with the name of its file.

    ``problems`` say why it is not whole, if it is not: a shard is missing, there twice, empty, of
    another run, or ended early. Then nothing is proven by the checks that are there.
    """
    problems: list[str] = []
    kept: dict[int, Run] = {}
    named: dict[int, str] = {}
    usual = _usual([run for _, run in runs])
    for name, run in runs:
        shard = _share(run).shard
        if strange := _strange(run, usual):
            problems.append(f"{name}, shard {shard}, is of another run: {strange}")
        elif shard.number in kept:
            problems.append(f"shard {shard} is there twice: {named[shard.number]} and {name}")
        else:
            kept[shard.number], named[shard.number] = run, name
    of = _share(usual).shard.of
    missing = [str(number) for number in range(1, of + 1) if number not in kept]
    if missing:
        noun = "shard" if len(missing) == 1 else "shards"
        problems.append(f"missing of {of} shards: {noun} {', '.join(missing)}")
    in_order = [kept[number] for number in sorted(kept)]
    for run in in_order:
        problems += _unfinished(_share(run))
    problems += _division(_share(usual).selection, in_order, missing=bool(missing))
    results = [result for run in in_order for result in run.results]
    place = {check: i for i, check in enumerate(_share(usual).selection)}
    results.sort(key=lambda result: place.get(result.nodeid, len(place)))
    return replace(
        usual,
        results=_once(results),
        commits=list(dict.fromkeys(commit for run in in_order for commit in run.commits)),
        memory_limit=min(run.memory_limit for run in in_order),
        share=None,
        shares=tuple(_share(run) for run in in_order),
        problems=tuple(problems),
    )


def _share(run: Run) -> Share:
    assert run.share is not None
    return run.share


def _usual(runs: Sequence[Run]) -> Run:
    """The one that the most of them agree with."""
    seen = Counter(_identity(run) for run in runs)
    return max(runs, key=lambda run: seen[_identity(run)])


def _identity(run: Run) -> tuple[object, ...]:
    return tuple(of(run) for of in _COMMON.values())


def _strange(run: Run, usual: Run) -> str:
    """In what a shard is not of the run that the others are of; empty if it is."""
    for what, of in _COMMON.items():
        mine, theirs = of(run), of(usual)
        if mine != theirs and isinstance(mine, str | int | float):
            return f"its {what} is {mine or 'none'}, that of the others {theirs or 'none'}"
        if mine != theirs:
            return f"its {what} is another one"
    return ""


def _unfinished(share: Share) -> Iterator[str]:
    """Why a shard has not done what it was to do."""
    if not share.own:
        yield f"shard {share.shard} is empty: it had no check to measure"
    ended = {*share.ended}
    left = [check for check in share.own if check not in ended]
    if left:
        yield (
            f"shard {share.shard} ended early: {len(left)} of its {len(share.own)} checks have no "
            f"result ({_some(left)})"
        )
    if share.status not in _ENDED:
        yield f"the pytest of shard {share.shard} ended with exit status {share.status}"


def _division(selection: Sequence[str], runs: Sequence[Run], *, missing: bool) -> Iterator[str]:
    """What is wrong with how the checks were divided."""
    times = Counter(check for run in runs for check in _share(run).own)
    twice = [check for check, count in times.items() if count > 1]
    nowhere = [check for check in selection if check not in times]
    told = "were they balanced by different files (--loaderperf-shard-times)?"
    if twice:
        yield f"{len(twice)} checks were measured by several shards ({_some(twice)}): {told}"
    if nowhere and missing:
        yield f"{len(nowhere)} of {len(selection)} checks were not measured ({_some(nowhere)})"
    elif nowhere:
        yield f"{len(nowhere)} checks were measured by no shard ({_some(nowhere)}): {told}"


def _some(checks: Sequence[str]) -> str:
    more = f" and {len(checks) - _NAMED} more" if len(checks) > _NAMED else ""
    return f"{', '.join(checks[:_NAMED])}{more}"


def _once(results: Sequence[CheckResult]) -> list[CheckResult]:
    return list({result.nodeid: result for result in results}.values())


def skipped(run: Run) -> list[str]:
    """The checks of a merged run that were skipped, by their node ids."""
    has_result = {result.nodeid for result in run.results}
    ended = (check for share in run.shares for check in share.ended)
    return [check for check in ended if check not in has_result]
