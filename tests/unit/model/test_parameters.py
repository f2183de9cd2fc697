"""Parameters of a sweep: what its option says, and how they are named."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.model.parameters import described, sweep_axes, titled

no_deadline = settings(deadline=None)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
@no_deadline
def test_a_sweep_takes_every_power_of_two_in_its_range(low: int, high: int) -> None:
    powers = [2**n for n in range(40) if low <= 2**n <= high]
    if powers:
        (axis,) = sweep_axes(f"{low}:{high}")
        assert (axis.name, [*axis.values]) == ("batch_size", powers)
    else:
        with pytest.raises(SettingsError, match="range of batch sizes"):
            sweep_axes(f"{low}:{high}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("num_workers=0:8", {"num_workers": (0, 1, 2, 4, 8)}),
        ("num_workers=3", {"num_workers": (3,)}),
        ("16,48,96", {"batch_size": (16, 48, 96)}),
        ("0:4", {"batch_size": (1, 2, 4)}),
        (
            "pin=true,False  start=fork,spawn share=0.5,1",
            {"pin": (True, False), "start": ("fork", "spawn"), "share": (0.5, 1)},
        ),
        ("num_workers=0 prefetch_factor=None", {"num_workers": (0,), "prefetch_factor": (None,)}),
        ("timeout=none,2", {"timeout": (None, 2)}),
        ("8:16 num_workers=1:2", {"batch_size": (8, 16), "num_workers": (1, 2)}),
    ],
)
def test_a_sweep_is_over_any_parameters(text: str, expected: dict[str, tuple[object, ...]]) -> None:
    assert {axis.name: axis.values for axis in sweep_axes(text)} == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1024", "'1024' is no range of batch sizes"),
        ("batch_size=fast", "no range of batch sizes"),
        ("batch_size=8,none", "no range of batch sizes"),
        ("a=None,none", "gives a value twice"),
        ("num_workers=3:3", "'num_workers=3:3' is no range of values"),
        ("num_workers=a:b", "no range of values"),
        ("num workers=1:2", "no range of batch sizes"),
        ("num-workers=1:2", "'num-workers=1:2' names no parameter"),
        ("a=1,2,1", "'a=1,2,1' gives a value twice"),
        ("a=1,2 a=3", "gives a parameter twice"),
        (" ", "gives a parameter twice, or none"),
    ],
)
def test_what_is_no_sweep_is_refused(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        sweep_axes(text)


@given(st.text())
@no_deadline
def test_any_text_is_a_sweep_or_refused(text: str) -> None:
    try:
        axes = sweep_axes(text)
    except SettingsError:
        return
    assert axes
    assert all(axis.name.isidentifier() and axis.values for axis in axes)


def test_names_are_as_people_say_them() -> None:
    assert titled(["batch_size"]) == "batch size"
    assert titled(["num_workers", "batch_size"]) == "num_workers and batch size"
    assert described({"batch_size": 1024}) == "batch size 1024"
    assert described({"num_workers": 2, "share": 0.5}) == "num_workers=2, share=0.5"
