"""The options, as a table: light, since every run of pytest reads it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Update = Literal["new", "changed", "all"]

# The metrics and their default tolerances.
TOLERANCES = {
    "throughput": "10%",
    "peak_memory": "5%+8MiB",
    "first_batch": "25%+100ms",
    "cpu_time": "10%",
    "memory_growth": "10%+1MiB",
    "epoch_overhead": "25%+100ms",
    "stall": "0.02",
    "epoch_time": "10%",
    "wait_p99": "25%+5ms",
    "stalled": "0.02",
}


# How a value is read: the parser of each is in ``settings``.
ValueKind = Literal[
    "text", "flag", "mode", "list", "check", "duration", "fraction", "size", "range", "start",
    "fallback", "whose", "span", "reason", "exit", "shard", "maker",
]  # fmt: skip


class Option(NamedTuple):
    """A setting that is read from the command line, the ini file, or both."""

    name: str  # as in the ini file: loaderperf_name, and on the command line: --loaderperf-name
    help: str
    metavar: str = ""
    kind: ValueKind = "text"
    command_line: bool = True
    ini: bool = True
    asks: Literal["", "run", "look"] = ""  # for a run of the checks, or for something without one
    nature: str = ""  # of the run that it asks for, with which others make no sense:
    excludes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The ini name, which is also where the command line keeps its value."""
        return f"loaderperf_{self.name}" if self.name else "loaderperf"

    @property
    def switch(self) -> str:
        """The option on the command line."""
        return "--" + self.key.replace("_", "-")

    @property
    def flag(self) -> bool:
        """Whether it has no value."""
        return self.kind == "flag"


# What an option stands for that has no value on the command line.
BARE = {"mode": "changed", "reason": "always"}
UPDATES: tuple[Update, ...] = ("new", "changed", "all")
OPTIONS: tuple[Option, ...] = (
    Option("", "run the loader checks, and only them", kind="flag", ini=False, asks="run"),
    Option(
        "update",
        "write baselines: 'new' checks only, those that 'changed' too (the default), or 'all'; "
        "implies --loaderperf",
        "|".join(UPDATES),
        kind="mode",
        ini=False,
        asks="run",
    ),
    Option(
        "init",
        "write a first test of the loader that a function makes, measure it, and write its "
        "baseline; the test goes into the folder of the tests, or where a path says. Implies "
        "--loaderperf",
        "PACKAGE.MODULE:FUNCTION",
        kind="maker",
        ini=False,
        asks="run",
        nature="writes a first test, and its baseline",
        excludes=("against", "selftest", "sweep", "bisect", "shard", "prune", "history"),
    ),
    Option(
        "prune",
        "remove baselines whose tests no longer exist, after a complete collection; without "
        "another option of a run it measures nothing",
        kind="flag",
        ini=False,
        asks="look",
    ),
    Option(
        "against",
        "what to compare with: 'accepted' (the commit that last changed a check's baseline; the "
        "default inside git), 'stored' (the stored numbers; the default elsewhere), or any commit",
        "accepted|stored|REF",
    ),
    Option(
        "tests",
        "whose tests run over the sources of the commit that is compared with: 'theirs', its own; "
        "or 'mine', those of the working tree. By default its own, and for a REF that lacks a "
        "check those of the working tree",
        "mine|theirs",
        "whose",
    ),
    Option("budget", "cap on the judging time of one check, default 60s", "SECONDS", "check"),
    Option("strict", "an inconclusive check fails", kind="flag"),
    Option(
        "always",
        "measure every check, also one that uses nothing that differs from the accepted commit",
        kind="flag",
    ),
    Option(
        "why",
        "tell of every check where its time goes, and not only of one that got slower; with a FILE "
        "write all stacks to it as well, for speedscope; with 'never' do not even look at that one",
        "never|FILE",
        "reason",
    ),
    Option(
        "build",
        "a command that is run once in the worktree of each commit, such as 'python setup.py "
        "build_ext --inplace'; what it makes is kept",
        command_line=False,
    ),
    Option(
        "unused",
        "files, folders or patterns that no loader uses, relative to the top folder of the "
        "repository: what differs there is no reason to measure",
        kind="list",
        command_line=False,
    ),
    Option(
        "memory_limit",
        "how much memory a trial may take before it is ended: a size such as '12GiB', or a share "
        "of what is available when it starts, default 80%",
        "SIZE",
        "size",
    ),
    Option(
        "timeout",
        "how long one answer of a trial may take, such as the setting up or a batch, and the "
        "import of a module, before the process counts as stuck and is ended, default 300s",
        "SECONDS",
        "duration",
    ),
    Option("baseline_python", "interpreter of the baseline arm", "PATH", ini=False),
    Option(
        "baseline_requirements",
        "packages of the baseline: a requirements.txt, uv.lock, poetry.lock or pylock.toml, or "
        "'accepted': the one of the commit that is compared with. What it does not ask for is as "
        "in the environment of the run",
        "FILE|accepted[:FILE]",
        ini=False,
        nature="gives the baseline other packages",
        excludes=("selftest", "sweep"),
    ),
    Option(
        "blame",
        "of a check that got worse, find the package that did it, of those in which the packages "
        "of --loaderperf-baseline-requirements differ from the ones that are here",
        kind="flag",
        ini=False,
        nature="searches the packages of one comparison",
        excludes=("baseline_python", "bisect"),
    ),
    Option("json", "write the results to a file", "FILE", ini=False),
    Option(
        "html",
        "write a report with charts to a file: one page that needs no network",
        "FILE",
        ini=False,
    ),
    Option(
        "summary",
        "append the results to a file as Markdown, such as the summary of a CI job",
        "FILE",
        ini=False,
    ),
    Option(
        "metrics", f"metrics to judge in every check, of {', '.join(TOLERANCES)}", "NAMES", "check"
    ),
    *(
        Option(name, f"tolerance of {name}, default {default}", "TOLERANCE", "check")
        for name, default in TOLERANCES.items()
    ),
    Option(
        "step_time",
        "how long a training step takes, such as '50ms': for the metric stall",
        "TIME",
        "check",
    ),
    Option(
        "coverage",
        "how much of an epoch to see, such as '100%', as far as the budget allows",
        "SHARE",
        "check",
    ),
    Option(
        "trials",
        "how a trial starts: 'fork' of a process that has imported the tests, a 'fresh' process "
        "(slower), or 'auto' (the default): fork where that is safe",
        "auto|fork|fresh",
        "start",
    ),
    Option(
        "drift",
        "how much numbers of one machine move between days, for comparisons with stored numbers: "
        "a standard deviation, default 25%, 0% for a dedicated machine",
        kind="fraction",
        command_line=False,
    ),
    Option(
        "selftest",
        "compare each loader with itself, and with a known loss: can verdicts be trusted here, and "
        "at what tolerance? Implies --loaderperf",
        kind="flag",
        ini=False,
        asks="run",
        nature="compares the working tree with itself, and writes nothing",
        excludes=("against", "update"),
    ),
    Option(
        "bisect",
        "find the commit that made a check worse, between a good one and a bad one such as "
        "v2.2..main: each that is tried is measured beside the good one, with the tests of the "
        "working tree; implies --loaderperf",
        "GOOD..BAD",
        "span",
        ini=False,
        asks="run",
        nature="searches the history, and writes nothing",
        excludes=("against", "update", "selftest", "sweep"),
    ),
    Option(
        "shard",
        "measure one part of the checks, such as '2/5', the second of five: whole modules. "
        "'python -m pytest_loaderperf.merge' makes one run of the results files of all parts",
        "N/COUNT",
        "shard",
        ini=False,
        nature="measures a part of the checks",
        excludes=("bisect", "prune"),
    ),
    Option(
        "shard_times",
        "the results file (--loaderperf-json) of an earlier run, by which the parts take about as "
        "long as one another; by default they have about as many checks",
        "FILE",
        ini=False,
    ),
    Option(
        "exit",
        "whose exit status the run has: that of 'pytest' (the default), or what 'git bisect run' "
        "wants: 125 where a check could not be judged",
        "pytest|bisect",
        "exit",
        ini=False,
    ),
    Option(
        "history",
        "print what was accepted for each check, commit by commit; without another option of a "
        "run it measures nothing",
        kind="flag",
        ini=False,
        asks="look",
    ),
    Option(
        "sweep",
        "measure every test that declares a batch_size at the powers of two in a range such as "
        "8:1024, without baselines and without judging; or over other parameters, such as "
        "'num_workers=1:8 prefetch_factor=2,4'; implies --loaderperf",
        "[NAME=]LOW:HIGH",
        "range",
        ini=False,
        asks="run",
        nature="compares with nothing, and writes nothing",
        excludes=("against", "update", "selftest"),
    ),
    Option(
        "fallback",
        "what becomes of a check whose accepted commit cannot be measured: an 'error' (the "
        "default), or a comparison with its 'stored' numbers",
        kind="fallback",
        command_line=False,
    ),
    Option(
        "share",
        "files and folders that git ignores but tests need, linked into the worktree of the "
        "accepted commit",
        kind="list",
        command_line=False,
    ),
)
RUNS = tuple(option.key for option in OPTIONS if option.asks == "run")
LOOKS = tuple(option.key for option in OPTIONS if option.asks == "look")
