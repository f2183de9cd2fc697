"""What a failure says of where time goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from examples import check, why
from pytest_loaderperf.model.results import Verdict, Why
from pytest_loaderperf.reports import explain


def said(**reasons: Why) -> list[str]:
    return explain.why(replace(check("test_a.py::test_a", Verdict.REGRESSED, 0.8), why=reasons))


@pytest.mark.parametrize(
    ("reason", "each"), [("time", "a sample"), ("first_batch", "a first batch")]
)
def test_a_line_is_named_with_what_of_the_loss_it_took(reason: str, each: str) -> None:
    assert said(**{reason: why()}) == [
        f"resize (photos.py:12) takes 3.9 ms more of the 4.1 ms {each} that were lost [3.6, 4.2], "
        "in Image.resize (PIL/Image.py) [dataset]"
    ]
    unclear = replace(why(), clear=False, culprits=())
    assert said(**{reason: unclear}) == [
        f"no line takes clearly longer: +4.1 ms [3.8, 4.4] of the 7.2 ms that {each} takes"
    ]
    nowhere = replace(why(), culprits=(), waited=4.0)
    assert said(**{reason: nowhere}) == [
        f"4.1 ms of the 4.1 ms more that {each} takes are in no single line; most of it is spent "
        "waiting"
    ]


def test_large_and_small_figures_have_no_exponent() -> None:
    (culprit,) = why().culprits
    large = replace(culprit, more=1234.5, interval=(1199.0, 1301.0))
    (line,) = said(first_batch=replace(why(), lost=180.4, culprits=(large,)))
    assert "takes 1,230 ms more of the 180 ms a first batch that were lost [1,200, 1,300]" in line
    small = replace(culprit, more=0.0233, interval=(0.0218, 0.0241))
    (line,) = said(time=replace(why(), lost=0.02351, culprits=(small,)))
    assert "takes 0.0233 ms more of the 0.0235 ms a sample that were lost [0.022, 0.024]" in line


def test_copies_of_shared_memory_are_told_with_what_makes_them() -> None:
    line, hint = said(copies=replace(why(), lost=30.0))
    assert line == (
        "resize (photos.py:12) copies 3.9 MiB more of the memory that processes share, in "
        "Image.resize (PIL/Image.py) [dataset]"
    )
    assert hint == "to look at an object of Python is to write to it; arrays stay shared"
    (line,) = said(copies=replace(why(), lost=-0.123, clear=False, culprits=()))
    assert line == "what processes copy of the memory that they share differs by -0.12 MiB"


def test_reasons_come_in_one_order() -> None:
    lines = said(memory=why(), first_batch=why(), time=why())
    assert ["a sample" in lines[0], "a first batch" in lines[1], "MiB" in lines[2]] == [True] * 3
