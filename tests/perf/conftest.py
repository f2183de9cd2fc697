"""Photographs and sentences for the loader checks; no framework is imported here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from perf.corpus import Photos, collect_sentences, cut_photos, read_photos, read_sentences

LoaderperfData = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture
def photos(loaderperf_data: LoaderperfData) -> Photos:
    return read_photos(loaderperf_data("photos", cut_photos))


@pytest.fixture
def sentences(loaderperf_data: LoaderperfData) -> list[str]:
    return read_sentences(loaderperf_data("sentences", collect_sentences))
