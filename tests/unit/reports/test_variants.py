"""Tests that compare loaders, in every report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import examples
from pytest_loaderperf.model.results import Coverage, Relation, Verdict
from pytest_loaderperf.reports import explain, html, results_json, terminal, variants
from pytest_loaderperf.reports.forges import markdown
from pytest_loaderperf.reports.forges.junit import properties

COMPARED = examples.compared()
UNSURE = examples.compared(verdict=Verdict.INCONCLUSIVE, variants=examples.VARIANTS)


def test_a_table_has_a_row_for_each_variant_beside_the_first() -> None:
    assert variants.lines([examples.run().results[0], COMPARED]) == [
        "",
        "tests/perf/test_images.py::test_decoders, beside pil, with a tolerance of 10 %",
        "  variant             throughput  ratio [95 %]          pairs  peak memory  verdict",
        "  pil              400 samples/s  -                         -       52 MiB  -",
        "  turbo            548 samples/s  1.370 [1.360, 1.380]      4       52 MiB  faster",
        "  pil again | <b>  404 samples/s  1.010 [0.990, 1.030]      2       52 MiB  alike",
        "",
    ]
    assert variants.lines(examples.run().results[:1]) == []


def test_alike_says_of_how_much_of_an_epoch() -> None:
    seen = Coverage(batches=38, epoch_batches=100)
    partly = tuple(replace(each, coverage=seen) for each in COMPARED.variants)
    cells = [row[-1] for row in variants.rows(replace(COMPARED, variants=partly))]
    assert cells == ["-", "faster", "alike in 38 % of an epoch"]


def test_each_variant_has_its_own_share_of_an_epoch() -> None:
    whole = Coverage(batches=100, epoch_batches=100, whole=True)
    first, second, alike = COMPARED.variants
    each = (first, replace(second, coverage=whole), alike)
    cells = [row[-1] for row in variants.rows(replace(COMPARED, variants=each, coverage=whole))]
    assert cells == ["-", "faster", "alike"]


def test_to_have_compared_is_well() -> None:
    assert terminal.is_plain([COMPARED])
    assert not terminal.is_plain([UNSURE])
    assert terminal.headline([COMPARED]) == "📊 Loaders were compared"
    failed = replace(COMPARED, outcome="failed")
    assert terminal.headline([failed]).startswith("❌ A test failed")
    assert explain.failure(failed) == ["An assertion of the test failed."]


def test_what_is_inconclusive_says_what_it_could_have_seen() -> None:
    told = explain.warning(UNSURE)
    assert told == (
        "tests/perf/test_images.py::test_decoders is inconclusive; slow beside pil: ratio 0.600 "
        "after 2 pairs, in which a difference of less than 6 % could not have been detected"
    )
    assert explain.failure(replace(UNSURE, outcome="failed")) == [told]


def test_the_results_file_has_every_variant() -> None:
    run = replace(examples.run(), results=[COMPARED])
    checks: Any = results_json.to_json(run, [])["checks"]
    first, turbo, again = checks[0]["variants"]
    assert (first["name"], first["verdict"], first["throughput"]["ratio"]) == ("pil", None, None)
    assert (turbo["verdict"], again["verdict"]) == ("faster", "alike")
    assert turbo["throughput"]["ratios"] == [1.36, 1.38, 1.37, 1.37]
    assert turbo["throughput"]["interval"] == [1.36, 1.38]
    assert turbo["throughput"]["verdict"] is None  # it has a verdict of its own
    assert turbo["loader"] == {"kind": "torch DataLoader", "settings": {"num_workers": 2}}
    assert (turbo["peak_memory"], turbo["batch_samples"]) == (54530000.0, 32.0)


def test_the_page_has_a_table_of_variants() -> None:
    page = html.render(replace(examples.run(), results=[COMPARED]), [], {})
    assert "Variants, beside pil, with a tolerance of 10 %</h4>" in page
    assert '<th scope="row">pil again | &lt;b&gt;</th>' in page
    assert "<td>faster</td>" in page


def test_the_summary_of_a_job_has_a_table_of_variants() -> None:
    text = markdown.summary([COMPARED], [])
    assert "### `tests/perf/test_images.py::test_decoders`, beside pil, with a" in text
    assert "| `turbo` | 548 samples/s | 1.370 [1.360, 1.380] | 4 | 52 MiB | faster |" in text
    assert "| `pil again \\| <b>` |" in text


def test_reports_of_pytest_keep_the_ratios() -> None:
    kept = dict(properties(COMPARED))
    assert kept["loaderperf.verdict"] == "compared"
    assert kept["loaderperf.variants.turbo.ratio"] == 1.37
    assert kept["loaderperf.variants.turbo.verdict"] == Relation.FASTER.value
    assert kept["loaderperf.variants.pil.throughput"] == 400.0
    assert "loaderperf.variants.pil.ratio" not in kept
