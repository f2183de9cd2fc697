"""A run with an example of everything that a report can show."""

from __future__ import annotations

from dataclasses import replace

from pytest_loaderperf.baselines.history import Accepted, History
from pytest_loaderperf.baselines.store import Record, Stored
from pytest_loaderperf.model.results import (
    Blame,
    CheckResult,
    Comparison,
    Culprit,
    MemorySample,
    Noise,
    Relation,
    Run,
    Search,
    Stack,
    Tried,
    Variant,
    Verdict,
    Why,
)
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.stats import sweeps as stats_sweeps
from pytest_loaderperf.stats.sweeps import Sweep
from pytest_loaderperf.versions.repository import Commit

MIB = 2.0**20
SLOWER = "tests/perf/test_images.py::test_photos[32]"
HOSTILE = "tests/test_x.py::test_<b>&\"'[</script><script>alert(1)</script>-\N{SNOWMAN}]"
MACHINES = ("AMD EPYC x4, Linux x86_64, Python 3.11, torch 2", "Apple M9 x8, Darwin arm64")


def comparison(
    metric: str, value: float, *ratios: float, verdict: Verdict, judged: bool = True
) -> Comparison:
    """A comparison whose ratio is the mean of those of its pairs."""
    ratio = sum(ratios) / len(ratios)
    interval = (min(ratios), max(ratios)) if len(ratios) > 1 else None
    source = "commit 1a2b3c4d5e6f"
    return Comparison(
        metric=metric,
        value=value,
        judged=judged,
        verdict=verdict,
        baseline=value / ratio,
        ratio=ratio,
        interval=interval,
        tolerance=0.1,
        minimum_detectable=0.06,
        pairs=len(ratios),
        source=source,
        spread=0.02,
        ratios=ratios,
    )


def check(nodeid: str, verdict: Verdict, *ratios: float, **fields: object) -> CheckResult:
    """A check with pairs of these ratios of throughput."""
    peaks = [1.01] * len(ratios)
    metrics = (
        comparison("throughput", 451.2, *ratios, verdict=verdict),
        comparison("peak_memory", 64 * MIB, *peaks, verdict=Verdict.UNCHANGED),
        comparison("first_batch", 0.21, 1.1, verdict=Verdict.UNCHANGED, judged=False),
    )
    result = CheckResult(
        nodeid=nodeid,
        verdict=verdict,
        parameters={"batch_size": 32},
        outcome="failed" if verdict.fails else "passed",
        seconds=21.3,
        pairs=len(ratios),
        workload=Workload(
            batch="tuple[float32[*,3,224,224], int64[*]]",
            bytes_per_sample=602120.0,
            samples_per_epoch=2048,
        ),
        metrics={each.metric: each for each in metrics},
        loader="torch DataLoader",
        settings={"num_workers": 2, "prefetch_factor": 2, "start_method": "fork"},
        memory_source="pages of each process",
        memory=looks(),
    )
    return replace(result, **fields)  # type: ignore[arg-type]


def why() -> Why:
    """A resize that takes longer, in the workers, and what the hostile call is called."""
    stacks = [
        Stack(
            calls=("main process", "default_collate (torch/collate.py)"),
            candidate=0.2,
            baseline=0.2,
        ),
        *(
            Stack(
                calls=("workers", "Photos.__getitem__ (photos.py)", *calls),
                candidate=now,
                baseline=before,
            )
            for calls, now, before in (
                ((), 0.1, 0.1),
                (("resize (photos.py)", "Image.resize (PIL/Image.py)"), 5.2, 1.3),
                (("decode (photos.py)",), 1.4, 1.5),
                ((f"{HOSTILE} (photos.py)",), 0.3, 0.0),
            )
        ),
    ]
    resize = Culprit(
        function="resize",
        file="photos.py",
        line=12,
        more=3.9,
        interval=(3.6, 4.2),
        inner="Image.resize (PIL/Image.py)",
        stage="dataset",
    )
    return Why(
        took=7.2,
        lost=4.1,
        clear=True,
        interval=(3.8, 4.4),
        waited=0.1,
        culprits=(resize,),
        stacks=tuple(stacks),
    )


def blame() -> Blame:
    """A search among two packages, of which one did it."""
    change = "1.4.1 -> 2.0.0"
    step = Tried(commit="imagesize", subject=change, verdict=Verdict.REGRESSED, ratio=0.8)
    search = Search(
        good="old.txt", bad="zipp", commits=2, steps=(step,), suspects=(("imagesize", change),)
    )
    text = f"made worse by imagesize {change} (1 of 2 packages tried)"
    return Blame(search=search, text=text, lost={"throughput": (0.8, (0.78, 0.81))})


def looks() -> tuple[MemorySample, ...]:
    """A loader with two workers, whose memory grows and then stays."""
    return tuple(
        MemorySample(
            seconds=0.1 * n,
            added=int(min(n, 10) * 6 * MIB),
            processes={
                "main": int(80 * MIB),
                **{f"child {k}": int((40 + min(n, 10)) * MIB) for k in (1, 2)},
            },
        )
        for n in range(15)
    )


def point(batch_size: int, throughput: float) -> CheckResult:
    """A check of a sweep."""
    metrics = (
        Comparison(
            metric="throughput",
            value=throughput,
            judged=True,
            verdict=Verdict.MEASURED,
            pairs=3,
            spread=0.01,
        ),
        Comparison(
            metric="peak_memory",
            value=(20 + batch_size) * MIB,
            judged=True,
            verdict=Verdict.MEASURED,
        ),
        Comparison(metric="first_batch", value=0.2, judged=False, verdict=Verdict.MEASURED),
    )
    test = "tests/perf/test_images.py::test_photos"
    return CheckResult(
        nodeid=f"{test}[{batch_size}]",
        verdict=Verdict.MEASURED,
        parameters={"batch_size": batch_size},
        outcome="passed",
        seconds=5.0,
        pairs=3,
        workload=Workload(batch="float32[*,8]", bytes_per_sample=32.0),
        metrics={each.metric: each for each in metrics},
        sweep=test,
    )


def variant(name: str, *ratios: float, relation: Relation | None = None) -> Variant:
    """One of the loaders that a test compares; the first one has no ratios."""
    alone = Comparison(metric="throughput", value=400.0, judged=False, verdict=Verdict.COMPARED)
    throughput = alone
    if ratios:
        mean = sum(ratios) / len(ratios)
        compared = comparison("throughput", 400.0 * mean, *ratios, verdict=Verdict.IMPROVED)
        throughput = replace(compared, judged=False, source="variant 'pil'")
    return Variant(
        name=name,
        throughput=throughput,
        relation=relation,
        peak_memory=52 * MIB,
        batch_samples=32.0,
        workload=Workload(batch="uint8[*,3,224,224]", bytes_per_sample=150528.0),
        loader="torch DataLoader",
        settings={"num_workers": 2},
    )


VARIANTS = (
    variant("pil"),
    variant("turbo", 1.36, 1.38, 1.37, 1.37, relation=Relation.FASTER),
    variant("pil again | <b>", 0.99, 1.03, relation=Relation.ALIKE),
    variant("slow", 0.5, 0.7, relation=Relation.INCONCLUSIVE),
)


def compared(**fields: object) -> CheckResult:
    """A test that compares its own loaders."""
    result = CheckResult(
        nodeid="tests/perf/test_images.py::test_decoders",
        verdict=Verdict.COMPARED,
        outcome="passed",
        seconds=31.0,
        pairs=8,
        variants=VARIANTS[:3],
    )
    return replace(result, **fields)  # type: ignore[arg-type]


def sweeps() -> list[Sweep]:
    """What the checks of the run say that differ in batch size."""
    return stats_sweeps.sweeps(run().results, run().memory_limit)


def run() -> Run:
    """Checks with all kinds of verdicts, a hostile one, variants, and a sweep."""
    noise = Noise(
        seconds=7.2,
        candidate=0.123,
        baseline=0.0,
        steal=0.01,
        pressure={"cpu": 0.5, "io": None},
        spoiled=True,
    )
    results = [
        check(
            SLOWER,
            Verdict.REGRESSED,
            *(0.78, 0.81, 0.8, 0.79),
            noise=(noise,),
            why={"time": why()},
            blame=blame(),
        ),
        check("tests/perf/test_text.py::test_words", Verdict.IMPROVED, 1.2, 1.21, 1.19, 1.2),
        check("tests/perf/test_text.py::test_long" + "_name" * 20, Verdict.INCONCLUSIVE, 0.9, 1.1),
        check("tests/test_rows.py::test_rows", Verdict.UNCHANGED, 1.0, 1.004, notes=("a note",)),
        CheckResult(
            nodeid="tests/perf/test_x.py::test_dead",
            verdict=Verdict.ERROR,
            outcome="failed",
            seconds=3.0,
            message="a trial was killed by SIGKILL; its last output:\n<oops>",
        ),
        CheckResult(
            nodeid=HOSTILE, verdict=Verdict.NO_BASELINE, outcome="failed", message="no baseline yet"
        ),
        compared(),
        *(point(2**n, 400 + 10 * n) for n in range(3, 8)),
    ]
    machine: dict[str, str | int] = {"cpu": "AMD EPYC", "cores": 4, "os": "Linux"}
    machine |= {"architecture": "x86_64", "python": "3.11"}
    commits = ["1a2b3c4d5e6f" + "0" * 28]
    return Run(
        results=results,
        plugin="0.1.0",
        machine=machine,
        mode="accepted",
        commits=commits,
        memory_limit=100 * MIB,
    )


def accepted(number: int, throughput: float, peak: float) -> Accepted:
    """What a commit accepted."""
    commit = Commit(
        hash=f"{number:02x}" + 38 * "0",
        day=f"2026-11-{number:02}",
        subject=f"Accept <i>number</i> {number}",
    )
    metrics = {
        "throughput": Stored(value=throughput, spread=0.02),
        "peak_memory": Stored(value=peak, spread=0.01),
    }
    return Accepted(commit=commit, record=Record(metrics=metrics, versions={"torch": "2.14.1"}))


def histories() -> dict[str, History]:
    """The history of the first check, on two machines."""
    there = [accepted(n, 500 + 20 * n, (60 + n) * MIB) for n in range(1, 13)]
    return {SLOWER: {MACHINES[0]: there, MACHINES[1]: [accepted(13, 900, 70 * MIB)]}}
