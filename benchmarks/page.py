"""Times how long a browser takes to open the HTML report, of 12 checks and of 200.

    python benchmarks/page.py [RESULTS] [--screenshots FOLDER]

RESULTS is what a run with ``--loaderperf-shard=1/1 --loaderperf-json=RESULTS`` has written; by
default that of the reference checks, with a loss in one loader. The pages have their results as
often as it takes, with other ratios. FOLDER gets pictures of both pages, at two sizes and in both
colour schemes. Needs Chromium and its driver, and selenium (the extra ``dev``).
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from chromium import SCHEMES, SIZES, ask, complaints, launched, show
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait

from pytest_loaderperf.baselines.history import Histories, History
from pytest_loaderperf.model.results import CheckResult, Comparison, Run, Verdict
from pytest_loaderperf.reports import html
from pytest_loaderperf.shards import records
from pytest_loaderperf.stats.sweeps import sweeps

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT / "benchmarks" / "results" / "reference.json"
BAR = 2.0  # seconds, for 200 checks
_ROUNDS, _PATIENCE = 5, 60
_NOISE = 0.015  # of the ratios of copies
# What is loaded, and drawn of what is in view: ms since the start of the navigation.
_LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
_DRAWN = "performance.getEntriesByName('drawn')[0]?.startTime"


def many(run: Run, count: int, seed: int = 0) -> Run:
    """A run of so many checks: all that it has, and then its results again, with other ratios.

    Of the copies hardly any fails, as in a real project; some got better, and some are in doubt.
    """
    draw = random.Random(seed)
    failed = [each for each in run.results if each.outcome == "failed"]
    calm = [each for each in run.results if each.outcome != "failed"] or failed
    results = list(run.results)
    while len(results) < count:
        number = len(results)
        kind = failed if failed and number % 40 == 0 else calm
        results.append(_again(kind[number % len(kind)], number, number // len(calm), draw))
    return replace(run, results=results[:count])


def _again(result: CheckResult, number: int, turn: int, draw: random.Random) -> CheckResult:
    module, _, name = result.nodeid.partition("::")
    copy = replace(result, nodeid=f"{module.removesuffix('.py')}_{turn + 1}.py::{name}", sweep="")
    if result.verdict not in (Verdict.UNCHANGED, Verdict.INCONCLUSIVE):
        return copy
    verdict, gain, width = Verdict.UNCHANGED, 1.0, 0.04
    if number % 23 == 0:
        verdict, gain = Verdict.IMPROVED, 1.3
    elif number % 29 == 0:
        verdict, gain, width = Verdict.INCONCLUSIVE, 0.93, 0.12
    metrics = {
        metric: _drawn(each, verdict, gain * draw.lognormvariate(0, _NOISE), width)
        if metric == "throughput"
        else _drawn(each, Verdict.UNCHANGED, draw.lognormvariate(0, _NOISE / 5), 0.01)
        for metric, each in result.metrics.items()
    }
    return replace(copy, verdict=verdict, metrics=metrics)


def _drawn(comparison: Comparison, verdict: Verdict, ratio: float, width: float) -> Comparison:
    if comparison.ratio is None or comparison.baseline is None:
        return comparison
    by = ratio / comparison.ratio
    return replace(
        comparison,
        value=comparison.baseline * ratio,
        verdict=verdict,
        ratio=ratio,
        interval=(ratio - width, ratio + width),
        ratios=tuple(each * by for each in comparison.ratios),
    )


def histories(run: Run) -> Mapping[str, History]:
    """What was accepted of each check; of a copy, what was of the check that it copies."""
    past = Histories(ROOT)
    return {each.nodeid: past.of(each.nodeid) for each in run.results}


def written(run: Run, folder: Path) -> Path:
    """The page of a run, in a folder."""
    page = folder / f"{len(run.results)}.html"
    page.write_text(
        html.render(run, sweeps(run.results, run.memory_limit), histories(run)), "utf-8"
    )
    return page


def timed(browser: Chrome, page: Path) -> tuple[float, float]:
    """Seconds until the page is loaded, and until all that is in view is drawn."""
    show(browser, page)
    WebDriverWait(browser, _PATIENCE).until(
        lambda _: ask(browser, _LOADED) and ask(browser, _DRAWN)
    )
    return ask(browser, _LOADED) / 1000, ask(browser, _DRAWN) / 1000


def pictured(browser: Chrome, page: Path, folder: Path) -> None:
    """Pictures of the first screen, and of the whole page."""
    for size, (width, _) in SIZES.items():
        for scheme in SCHEMES:
            show(browser, page, size, scheme)
            WebDriverWait(browser, _PATIENCE).until(lambda _: ask(browser, _DRAWN))
            browser.save_screenshot(str(folder / f"{page.stem}-{width}-{scheme}.png"))


def main() -> None:
    """Print the seconds, and whether the bar is met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path, nargs="?", default=REAL)
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    run = records.read(options.results)
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        for count in (12, 200):
            page = written(many(run, count), Path(folder))
            rounds = [timed(browser, page) for _ in range(_ROUNDS)]
            loaded, drawn = (statistics.median(each) for each in zip(*rounds, strict=True))
            print(
                f"{count} checks, {page.stat().st_size / 2**20:.1f} MiB: loaded after "
                f"{loaded:.2f} s, drawn after {drawn:.2f} s, "
                f"{max(each for _, each in rounds):.2f} s at most"
            )
            if said := complaints(browser):
                print(f"the console says: {said}")
            if options.screenshots:
                options.screenshots.mkdir(parents=True, exist_ok=True)
                pictured(browser, page, options.screenshots)
    print(f"the bar of {BAR:g} s is {'met' if drawn < BAR else 'missed'}")


if __name__ == "__main__":
    main()
