"""Sizes, durations and fractions as people write them, and back."""

import math
import re
from collections.abc import Callable, Mapping

from ..errors import SettingsError

_SIZES = {
    "B": 1.0,
    **{f"{p}iB": 1024.0**i for i, p in enumerate("KMGT", 1)},
    **{f"{p}B": 1000.0**i for i, p in enumerate("KMGT", 1)},
    "kB": 1000.0,
}
_DURATIONS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z%]*)\s*", re.ASCII)


def parse_size(text: str) -> float:
    """Bytes of a size such as ``"1.5 GiB"``, ``"8MiB"`` or ``"200 MB"``."""
    return _parse(text, _SIZES, "a size such as '8MiB' or '1.5 GiB'")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``"60s"``, ``"50ms"`` or ``"2 min"``."""
    return _parse(text, _DURATIONS, "a duration such as '60s' or '50ms'")


def parse_fraction(text: str) -> float:
    """The fraction that ``"10%"`` or ``"0.1"`` means."""
    return _parse(text, {"%": 0.01, "": 1.0}, "a fraction such as '10%' or '0.1'")


# How people write amounts of a unit.
PARSERS: dict[str, Callable[[str], float]] = {
    "bytes": parse_size,
    "bytes/1000 samples": parse_size,
    "s": parse_duration,
    "of time": parse_fraction,
}


def _parse(text: str, units: dict[str, float], expected: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if not match or match[2] not in units:
        raise SettingsError(f"{text!r} is not {expected}")
    value = float(match[1]) * units[match[2]]
    if not math.isfinite(value):
        raise SettingsError(f"{text!r} is not {expected}")
    return value


def format_size(value: float) -> str:
    """``1610612736`` as ``"1.50 GiB"``: three significant digits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 999.5:
            return f"{_three_digits(value)} {unit}"
        value /= 1024
    return f"{_three_digits(value)} TiB"


def format_duration(value: float) -> str:
    """``0.0421`` as ``"42.1 ms"``: three significant digits."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if abs(value) >= 0.9995 * scale:
            return f"{_three_digits(value / scale)} {unit}"
    return f"{_three_digits(value / 1e-6)} us"


def format_percent(fraction: float) -> str:
    """``0.1`` as ``"10 %"``, ``0.025`` as ``"2.5 %"``."""
    return f"{_three_digits(fraction * 100)} %"


def format_change(value: float, before: float) -> str:
    """How much a value differs from the one before it: ``"-9.1 %"``."""
    return f"{100 * (value / before - 1):+.1f} %"


def format_changes(changes: Mapping[str, tuple[object, object]]) -> str:
    """What things were and are, by name: ``"num_workers 2 -> 0, prefetch_factor 3 -> 4"``."""
    return ", ".join(f"{name} {before} -> {now}" for name, (before, now) in changes.items())


def format_value(value: float, unit: str) -> str:
    """A value with its unit, in the scale that reads best."""
    if unit == "bytes":
        return format_size(value)
    if unit == "bytes/1000 samples":
        return f"{format_size(value)}/1000 samples"
    if unit == "s":
        return format_duration(value)
    if unit == "of time":
        return f"{format_percent(value)} of the time"
    if unit == "s/sample":
        return f"{format_duration(value)}/sample"
    return f"{_three_digits(value)} {unit}"


def round_significant(value: float, digits: int = 4) -> float:
    """A value rounded to what is meaningful, so that a stored number does not jitter."""
    if value == 0 or not math.isfinite(value):
        return value
    return float(f"{value:.{digits}g}")


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"
