"""Sizes, durations and fractions: what people write is read, anything else is a usage error."""

import math
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.model.units import (
    format_change,
    format_duration,
    format_percent,
    format_size,
    format_value,
    parse_duration,
    parse_fraction,
    parse_size,
    round_significant,
)

Parser = Callable[[str], float]
PARSERS: tuple[Parser, ...] = (parse_size, parse_duration, parse_fraction)

# Texts near the grammar: most of what st.text() makes has no digit in it.
number_texts = st.from_regex(r"[+-]?[0-9]{0,3}[.,]?[0-9]{0,3}(e[0-9]{1,3})?", fullmatch=True)
unit_texts = st.sampled_from(["", "%", "B", "kB", "MiB", "TB", "ms", "s", "min", "us", "h", "²"])
spaces = st.sampled_from(["", " ", "\t", "\n", "\u00a0"])
near_misses = st.tuples(spaces, number_texts, spaces, unit_texts, spaces).map("".join)
no_deadline = settings(deadline=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 B", 0),
        ("512B", 512),
        ("1 kB", 1000),
        ("1KB", 1000),
        ("1 KiB", 1024),
        ("8MiB", 8 * 2**20),
        ("200 MB", 200e6),
        ("1.5 GiB", 1.5 * 2**30),
        (".5 GB", 0.5e9),
        ("3. TiB", 3 * 2**40),
        ("\t2  TB\n", 2e12),
    ],
)
def test_sizes(text: str, expected: float) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("60s", 60), ("50ms", 0.05), ("2 min", 120), ("7 us", 7e-6), ("0s", 0)]
)
def test_durations(text: str, expected: float) -> None:
    assert parse_duration(text) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "expected"), [("10%", 0.1), ("2.5 %", 0.025), ("0.1", 0.1)])
def test_fractions(text: str, expected: float) -> None:
    assert parse_fraction(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        *((parse_size, text) for text in ["8", "10%", "5 s", "8 mib", "8 MiBs", "MiB", "1 2 B"]),
        *((parse_size, text) for text in ["-1 B", "+1 B", "1e3 B", "1,5 GiB", "inf B", "٣ MiB"]),
        *((parse_duration, text) for text in ["60", "5 h", "5 MS", "1 m", "1:30"]),
        *((parse_fraction, text) for text in ["10 %%", "%", "10 percent", "1/10", "10 s"]),
        *((parser, text) for parser in PARSERS for text in ["", " ", ".", "nan", "-", "\0"]),
    ],
)
def test_what_is_not_understood_is_named(parser: Parser, text: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(repr(text))):
        parser(text)


@pytest.mark.parametrize("parser", PARSERS)
@given(text=st.text() | near_misses)
@example(text="9" * 400 + "GiB")
@example(text="9" * 400 + "min")
@example(text="9" * 400 + "%")
@no_deadline
def test_any_text_gives_a_finite_value_or_a_settings_error(parser: Parser, text: str) -> None:
    try:
        value = parser(text)
    except SettingsError:
        return
    assert 0 <= value < math.inf


# --- and back -----------------------------------------------------------------------------------

HALF_A_PER_CENT = 0.00501  # what three significant digits may be off


@no_deadline
@given(st.floats(1, 900 * 1024**4))
def test_a_formatted_size_reads_back(value: float) -> None:
    assert parse_size(format_size(value)) == pytest.approx(value, rel=HALF_A_PER_CENT)


@no_deadline
@given(st.floats(1e-6, 999))
@example(0.9996)  # not "1,000 ms"
def test_a_formatted_duration_reads_back(value: float) -> None:
    assert parse_duration(format_duration(value)) == pytest.approx(value, rel=HALF_A_PER_CENT)


@no_deadline
@given(st.floats(1e-5, 9.9))
def test_a_formatted_percentage_reads_back(value: float) -> None:
    assert parse_fraction(format_percent(value)) == pytest.approx(value, rel=HALF_A_PER_CENT)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (561.9, "samples/s", "562 samples/s"),
        (1234567.0, "samples/s", "1,234,567 samples/s"),
        (0.25, "samples/s", "0.25 samples/s"),
        (8 * 2**20, "bytes", "8 MiB"),
        (1000.0, "bytes", "0.977 KiB"),
        (-3 * 2**30, "bytes", "-3 GiB"),
        (0, "bytes", "0 B"),
        (2**60, "bytes", "1,048,576 TiB"),
        (3 * 2**20, "bytes/1000 samples", "3 MiB/1000 samples"),
        (0.0421, "s", "42.1 ms"),
        (75.0, "s", "75 s"),
        (5e-6, "s/sample", "5 us/sample"),
    ],
)
def test_values_are_shown_in_the_scale_that_reads_best(
    value: float, unit: str, expected: str
) -> None:
    assert format_value(value, unit) == expected


@no_deadline
@given(st.floats(-1e300, 1e300), st.integers(1, 15))
def test_rounding_keeps_the_digits_asked_for(value: float, digits: int) -> None:
    rounded = round_significant(value, digits)
    assert rounded == pytest.approx(value, rel=0.5001 * 10 ** (1 - digits), abs=1e-320)
    assert round_significant(rounded, digits) == rounded


@pytest.mark.parametrize(
    ("value", "expected"), [(561.87654, 561.9), (786440.0, 786400.0), (0.0, 0.0), (math.inf,) * 2]
)
def test_rounding(value: float, expected: float) -> None:
    assert round_significant(value) == expected


def test_a_change_is_told_in_per_cent_with_its_sign() -> None:
    assert format_change(90.0, 100.0) == "-10.0 %"
    assert format_change(100.04, 100.0) == "+0.0 %"
    assert format_change(250.0, 100.0) == "+150.0 %"
