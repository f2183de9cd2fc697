"""The summary of a CI job and the comment of a pull request, as GitHub itself renders them."""

from __future__ import annotations

import html.parser
import re
from dataclasses import replace

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given, settings
from hypothesis import strategies as st

import examples
from pytest_loaderperf.model.results import (
    CheckResult,
    Comparison,
    Coverage,
    Culprit,
    Noise,
    Relation,
    Verdict,
    Why,
)
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.reports.forges import markdown
from pytest_loaderperf.stats.sweeps import sweeps

MIB = 2.0**20
LIMIT = 8.0 * 2**30
no_deadline = settings(deadline=None)


def check(
    name: str = "test_a.py::test_b[32]",
    verdict: Verdict = Verdict.UNCHANGED,
    outcome: str = "passed",
    **fields: object,
) -> CheckResult:
    metrics = {
        "throughput": Comparison(
            metric="throughput",
            value=400.0,
            judged=True,
            verdict=verdict,
            baseline=500.0,
            ratio=0.8,
            interval=(0.75, 0.85),
            tolerance=0.1,
            minimum_detectable=0.05,
            pairs=6,
            source="commit 1a2b",
        ),
        "peak_memory": Comparison(
            metric="peak_memory",
            value=66 * MIB,
            judged=True,
            verdict=Verdict.UNCHANGED,
            baseline=64 * MIB,
            ratio=1.031,
            interval=None,
            tolerance=0.125,
            minimum_detectable=None,
            pairs=0,
            source="stored numbers",
        ),
        "first_batch": Comparison(
            metric="first_batch", value=0.25, judged=False, verdict=Verdict.UNCHANGED
        ),
    }
    result = CheckResult(
        nodeid=name,
        verdict=verdict,
        parameters={"batch_size": 32},
        outcome=outcome,
        seconds=21.3,
        pairs=6,
        workload=Workload(batch="int", bytes_per_sample=8.0, samples_per_epoch=100),
        metrics=metrics,
    )
    return replace(result, **fields)  # type: ignore[arg-type]


def test_a_regression_comes_first_with_its_numbers_and_what_to_do() -> None:
    good, bad = check("test_a.py::test_a"), check(verdict=Verdict.REGRESSED, outcome="failed")
    text = markdown.summary([good, bad], [])
    assert text.splitlines()[0] == "## ❌ Loaders got worse"
    assert "1 unchanged, 1 regressed" in text
    failure, table = text.split("| check |")
    assert "### `test_a.py::test_b[32]`: regressed" in failure
    assert "throughput regressed: 400 samples/s, baseline 500 samples/s (commit 1a2b)" in failure
    assert "ratio 0.800, 95 % interval 0.750 to 0.850, tolerance 10 %, 6 pairs" in failure
    assert "pytest 'test_a.py::test_b[32]' --loaderperf-update" in failure
    assert (
        "| `test_a.py::test_b[32]` | 400 samples/s | 0.800 [0.750, 0.850] | 66 MiB | 1.031 | "
        "❌ regressed (throughput) |" in table
    )


@pytest.mark.parametrize(
    ("results", "title"),
    [
        ([], "❌ No loader was measured"),
        ([check()], "✅ No loader got worse"),
        ([check(verdict=Verdict.IMPROVED)], "🚀 Loaders got better"),
        ([check(verdict=Verdict.INCONCLUSIVE)], "❔ Nothing was proven about some loaders"),
        (
            [check(verdict=Verdict.INCONCLUSIVE, outcome="failed")],
            "❌ Nothing was proven about some loaders",
        ),
        ([check(verdict=Verdict.NO_BASELINE, outcome="failed")], "❌ A loader has no baseline"),
        ([check(outcome="failed")], "❌ A test failed, although no loader got worse"),
        ([check(verdict=Verdict.MEASURED)], "📏 Loaders were measured"),
    ],
)
def test_the_title_says_how_the_run_ended(results: list[CheckResult], title: str) -> None:
    assert markdown.summary(results, []).splitlines()[0] == f"## {title}"


def test_notes_coverage_and_noise_come_last() -> None:
    pair = Noise(seconds=7.0, candidate=0.02, baseline=0.02, steal=0.0, pressure={}, spoiled=False)
    seen = Coverage(batches=38, epoch_batches=100)
    noted = check(notes=("a *note*",), noise=(pair,), memory_source="it", coverage=seen)
    *_, note, coverage, machine, memory = markdown.summary([noted], []).splitlines()
    assert note == r"- test\_a.py\:\:test\_b\[32\]\: a \*note\*"
    assert coverage.endswith(r"\: saw 38 % of an epoch, 38 of 100 batches")
    assert machine.startswith(r"- machine\: external load 2 % of its CPUs")
    assert memory == r"- memory\: from it"


def test_sizes_of_one_test_are_put_together() -> None:
    test = "test_a.py::test_b"
    sizes = [
        check(f"{test}[{size}]", parameters={"batch_size": size}, sweep=test) for size in (32, 64)
    ]
    text = markdown.summary(sizes, sweeps(sizes, LIMIT))
    assert "### `test_a.py::test_b`, by batch size" in text
    assert "| 32 | 400 samples/s | 250 ms | 66 MiB |" in text
    assert "best batch size" in text


@given(st.text(), st.text(), st.sampled_from(Verdict))
@no_deadline
def test_nothing_in_a_text_is_markup(name: str, message: str, verdict: Verdict) -> None:
    result = check(f"t.py::{name}", verdict, "failed", message=message, notes=(message,))
    text = markdown.summary([result], [])
    rows = [line for line in text.splitlines() if line.startswith("| ") and "samples/s" in line]
    if not set(name + message) & set("\v\f\x1c\x1d\x1e\x85\u2028\u2029\r\n"):
        (row,) = rows
        assert len(re.findall(r"(?<!\\)\|", row)) == 7
        fence = next(line for line in text.splitlines() if line.startswith("```"))
        assert text.count(f"\n{fence.removesuffix('text')}\n") == 1


# --- hostile names


class Page(html.parser.HTMLParser):
    """What a browser would make of some Markdown: tags, links, and the text outside of code."""

    def __init__(self, markdown_text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.comments: list[str] = []
        self._code = 0
        unsafe = Options.CMARK_OPT_UNSAFE  # GitHub removes some tags; none may come so far
        self.feed(cmarkgfm.github_flavored_markdown_to_html(markdown_text, options=unsafe))
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._code += tag == "code"
        self.links += [str(value) for name, value in attributes if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._code else data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


HARMLESS = {
    "h2", "h3", "p", "br", "pre", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li",
}  # fmt: skip
HOSTILE = (
    "@evil",
    "@evil/team please",
    "<script>evil()</script>",
    "<img src=https://evil.example/x.png>",
    "</td></table><a href='https://evil.example'>evil</a>",
    "<!-- evil -->",
    "--><b>evil",
    "![evil](https://evil.example/x.png)",
    "[evil](javascript:evil())",
    "[evil]: https://evil.example",
    "https://evil.example www.evil.example evil@evil.example mailto:evil@evil.example",
    "evil/evil#1 #1 GH-1",
    "`@evil`",
    "``` evil ```",
    "evil\n```\n\n# evil @evil",
    "~~~\nevil",
    "`evil",
    "evil`",
    "evil``` ` `` @evil",
    "| evil | @evil |",
    "evil \\| @evil \\\\| @evil",
    "evil\\",
    "\n\n# evil\n\n@evil",
    "\r# evil\r\r@evil",
    "\x85\u2028\u2029@evil",
    "evil\u202e\u2066gnp.exe\u2069",
    "evil\x00\x1b[31m\x07",
    "evil\ud800",
    "\ufeffevil\u200b\u00ad",
    "&lt;b&gt;evil&#64;evil",
    "**evil** __evil__ ~~evil~~ *evil* $evil$ [^evil] :evil:",
    "    evil\n\t@evil",
    "> evil\n- [ ] @evil\n1. evil\n===\n---",
    "<details><summary>evil",
    "evil " * 20_000,
    "`" * 2_000 + "evil",
    "x\n" + "`" * 300 + "\n# evil @evil",
)


def hostile(text: str) -> CheckResult:
    """A check in which everything has this text that a project may name."""
    culprit = Culprit(
        function=text, file=text, line=3, more=1.0, interval=(0.9, 1.1), inner=text, stage=text
    )
    why = Why(took=2.0, lost=1.0, clear=True, interval=(0.9, 1.1), waited=0.0, culprits=(culprit,))
    return check(
        text,
        Verdict.REGRESSED,
        "failed",
        message=text,
        notes=(text,),
        packages={text: (text, text)},
        why={"time": why},
        memory_source=text,
    )


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_comment_shows_hostile_texts_as_code_alone(text: str) -> None:
    about = ["[run](https://github.example/run)"]
    good = check(text)
    written = markdown.comment([hostile(text), good], [text] * 20, about=about)
    assert len(written) <= 60_500
    assert written.encode("utf-8")
    page = Page(f"<!-- marker -->\n{written}")
    assert page.tags <= HARMLESS | {"a"}
    assert page.links == ["https://github.example/run"]
    assert page.comments == [" marker "]
    assert "evil" not in page.text
    assert not re.search("[@#\u202e\u2066\x00\x1b\u200b`]", page.text)
    assert not set(written) & set("\u202e\u2066\u2069\x00\x1b\x07\u200b\u00ad\ufeff\u2028\x85\r\t")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_summary_makes_no_markup_of_hostile_texts(text: str) -> None:
    test = "test_a.py::test_b"
    variants = tuple(
        replace(each, name=text, relation=relation)
        for each, relation in zip(examples.VARIANTS, (None, *Relation), strict=False)
    )
    points = [
        check(f"{test}[{n}]", parameters={text: f"{text}{n}"}, sweep=text or test) for n in (1, 2)
    ]
    results = [hostile(text), examples.compared(variants=variants), *points]
    written = markdown.summary(results, sweeps(results, LIMIT), [text])
    page = Page(written)
    assert page.tags <= HARMLESS
    assert page.links == page.comments == []


def test_a_comment_has_the_failures_first_and_says_what_it_leaves_out() -> None:
    failed = [check(f"test_f.py::test_{n}", Verdict.REGRESSED, "failed") for n in range(300)]
    passed = [check(f"test_p.py::test_{n}") for n in range(2_000)]
    written = markdown.comment([*passed, *failed], [], about=["about"])
    assert 45_000 < len(written) <= 60_500
    titles = re.findall(r"^### `(.*?)`", written, re.MULTILINE)
    assert titles == [f"test_f.py::test_{n}" for n in range(len(titles))]
    assert f"\n\n{300 - len(titles)} more checks failed: the reports have them.\n" in written
    rows = re.findall(r"^\| `(.*?)`", written, re.MULTILINE)
    assert rows == [f"test_f.py::test_{n}" for n in range(len(rows))]
    assert f"\n\n{2_300 - len(rows):,} more checks are in the reports.\n" in written
    assert written.index("about") < written.index("###") < written.index("| check |")


def test_a_comment_on_a_run_that_measured_nothing_says_so() -> None:
    assert markdown.comment([], [], about=["about"]) == "## ❌ No loader was measured\n\nabout\n"


@given(st.text())
@no_deadline
def test_no_text_leaves_its_code(text: str) -> None:
    page = Page(markdown.comment([hostile(text)], [text], about=[]))
    assert page.tags <= HARMLESS
    plain = Page(markdown.comment([hostile("x")], ["x"], about=[]))
    assert page.text == plain.text
