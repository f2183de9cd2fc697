"""Draws the forest plot of the HTML report as pictures for the README, in light and in dark.

    python benchmarks/picture.py [RESULTS] [--measure] [--folder docs]

RESULTS is what a run with ``--loaderperf-shard=1/1 --loaderperf-json=RESULTS`` has written; by
default that of the reference checks, with a loss in one loader. ``--measure`` makes that run anew,
in a clone of what is committed: on a machine with nothing else to do it takes about 10 minutes.
Rows, order, scale and colours are those of the page.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from page import REAL, ROOT

from pytest_loaderperf.model.results import Run
from pytest_loaderperf.reports import html, terminal
from pytest_loaderperf.reports.page import forest
from pytest_loaderperf.reports.page.forest import ForestRow
from pytest_loaderperf.shards import records

_WIDTH, _MARGIN = 880, 16
_PLOT = (280, 625)  # where it begins and ends
_CHANGE = _PLOT[1] + 24
_HEAD, _GROUP, _ROW, _WHY = 106, 34, 40, 22  # heights
_COLORS = {"failed": "bad", "inconclusive": "other", "improved": "good", "rest": "quiet"}
_WIDE = 0.7  # a scale that has room for every second label
_LINE, _NAME = 120, 34  # characters that fit


_LOADER = "tests/perf/test_torch_photos.py"
_IMPORT = "from PIL import Image\n"
_READ = 'image.convert("RGB")'
# What somebody may well add to a loader, and what takes a quarter of its throughput.
_LOSS = """def evened(image: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(ImageOps.equalize(image.convert("RGB")))


class PhotoDataset"""


def measure(results: Path) -> None:
    """Run the reference checks with a loss in one loader, and keep what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        (ROOT / ".loaderperf").mkdir(exist_ok=True)
        (clone / ".loaderperf").symlink_to(ROOT / ".loaderperf")  # its photographs and sentences
        loader = clone / _LOADER
        text = loader.read_text("utf-8").replace(_READ, "evened(image)")
        text = text.replace(_IMPORT, _IMPORT.replace("Image\n", "Image, ImageOps\n"))
        loader.write_text(text.replace("class PhotoDataset", _LOSS), "utf-8")
        options = ["--loaderperf-always", "--loaderperf-shard=1/1", f"--loaderperf-json={results}"]
        subprocess.run(
            [sys.executable, "-m", "pytest", "--loaderperf", *options, "tests/perf"],
            cwd=clone,
            check=False,  # a regression is what is wanted
        )


def schemes() -> dict[str, dict[str, str]]:
    """The colours of the page, by scheme."""
    found = re.findall(r":root \{(.*?)\}", html.asset("report.css"), re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+): (#\w{6});", each)) for each in found)
    return {"light": light, "dark": dark}


def fonts() -> str:
    """Those of the page, by name."""
    found = re.search(r"font: [\d.]+rem/[\d.]+ (.*?);", html.asset("report.css"))
    assert found
    return found[1].replace('"', "'")


class Picture:
    """The picture of a run in some colours."""

    def __init__(self, run: Run, colors: dict[str, str]) -> None:
        self._colors = colors
        self._groups = forest.groups(run.results)
        rows = [row for group in self._groups for row in group.rows]
        self._scale = forest.scale(rows)
        self._title = terminal.headline(run.results, run.problems).partition(" ")[2]
        self._counts = terminal.summary(run.results)

    def svg(self) -> str:
        """All of it."""
        y, font = _HEAD, fonts()
        lines = [*self._header()]
        for group in self._groups:
            lines.append(
                self._text(_MARGIN, y + 24, f"{group.title}  {len(group.rows)}", bold=True)
            )
            y += _GROUP
            for row in group.rows:
                lines += self._row(row, y)
                y += _ROW + _WHY * bool(forest.reason(row.result))
                lines.append(self._line((_MARGIN, _WIDTH - _MARGIN), (y, y), "line"))
        y += _MARGIN
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" '
            f'width="{_WIDTH}" height="{y}" font-family="{escape(font)}" font-size="13">',
            f"<title>{escape(self._title)}: {escape(self._counts)}</title>",
            f'<rect width="{_WIDTH}" height="{y}" rx="6" fill="{self._colors["page"]}"/>',
            *lines,
            "</svg>\n",
        ])  # fmt: skip

    def _header(self) -> Iterator[str]:
        yield self._text(_MARGIN, 30, self._title, size=20, bold=True)
        yield self._text(_MARGIN, 52, self._counts, "quiet")
        yield self._text(_PLOT[0], 80, "← worse", "bad", bold=True)
        yield self._text(_PLOT[1], 80, "better →", "good", "end", bold=True)
        gain, loss = self._scale
        step = 1 if loss - gain < _WIDE else 2  # labels must not touch
        first, last = -int(loss * 10 / step + 1e-9), int(-gain * 10 / step + 1e-9)
        for tenth in range(first * step, last * step + 1, step):
            label = f"{abs(tenth) * 10} %" if tenth else "same"
            yield self._text(self._x(-tenth / 10), 97, label, "quiet", "middle")
        yield self._text(_CHANGE, 97, "ratio [95 %]", "quiet")
        yield self._line((_MARGIN, _WIDTH - _MARGIN), (_HEAD, _HEAD), "line")

    def _row(self, row: ForestRow, y: float) -> Iterator[str]:
        module, _, name = row.result.nodeid.partition("::")
        told, middle = forest.cells(row), y + _ROW / 2
        yield from self._drawn(row, y)
        yield self._text(_MARGIN, middle - 2, shortened(name or module, _NAME), bold=True)
        yield self._text(
            _MARGIN, middle + 13, shortened(module if name else "", _NAME + 6), "quiet", size=11
        )
        color = _COLORS[row.state] if row.state != "rest" else "text"
        if not told["ratio"]:
            color = "quiet"
        yield self._text(_CHANGE, middle - 2, told["change"], color, bold=color != "quiet")
        told_of = f"{told['metric']} {told['ratio']}" if told["ratio"] else ""
        yield self._text(_CHANGE, middle + 13, told_of, "quiet", size=11)
        if why := forest.reason(row.result):
            yield self._text(_MARGIN, y + _ROW + 10, shortened(why, _LINE))

    def _drawn(self, row: ForestRow, y: float) -> Iterator[str]:
        if row.decides is None:
            return
        color, middle = _COLORS[row.state], y + _ROW / 2
        allowed = row.decides.tolerance or 0.0
        left, right = self._x(allowed), self._x(-allowed)
        yield (
            f'<rect x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{_ROW}" '
            f'fill="{self._colors["band"]}"/>'
        )
        yield self._line((left, left), (y, y + _ROW), "quiet", 'stroke-dasharray="2 3"')
        zero = self._x(0.0)
        yield self._line((zero, zero), (y, y + _ROW), "quiet")
        if bounds := forest.span(row.decides):
            ends = self._x(bounds[0]), self._x(bounds[1])
            yield self._line(ends, (middle, middle), color, 'stroke-width="3"')
        yield (
            f'<circle cx="{self._x(row.loss):.1f}" cy="{middle}" r="5" '
            f'fill="{self._colors[color]}" stroke="{self._colors["page"]}" stroke-width="1.5"/>'
        )

    def _x(self, loss: float) -> float:
        """Where a loss lies, or the end that is nearest to it."""
        gain, worst = self._scale
        share = (worst - min(worst, max(gain, loss))) / (worst - gain)
        return _PLOT[0] + 8 + share * (_PLOT[1] - _PLOT[0] - 16)

    def _text(
        self, x: float, y: float, text: str, color: str = "text", anchor: str = "start",
        *, size: int = 13, bold: bool = False,
    ) -> str:  # fmt: skip
        weight = ' font-weight="600"' * bold
        return (
            f'<text x="{x:.1f}" y="{y:g}" fill="{self._colors[color]}" text-anchor="{anchor}" '
            f'font-size="{size}"{weight}>{escape(text)}</text>'
        )

    def _line(self, xs: Sequence[float], ys: Sequence[float], color: str, more: str = "") -> str:
        return (
            f'<line x1="{xs[0]:.1f}" x2="{xs[1]:.1f}" y1="{ys[0]:g}" y2="{ys[1]:g}" '
            f'stroke="{self._colors[color]}" {more}/>'
        )


def shortened(text: str, longest: int) -> str:
    """A text that fits into the picture."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path, nargs="?", default=REAL)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs")
    parser.add_argument("--measure", action="store_true", help="make RESULTS anew")
    options = parser.parse_args()
    if options.measure:
        measure(options.results.resolve())
    run = records.read(options.results)
    for scheme, colors in schemes().items():
        path = options.folder / f"forest-{scheme}.svg"
        path.write_text(Picture(run, colors).svg(), "utf-8")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
