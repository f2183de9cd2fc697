"""Photographs and sentences for the loader checks; no framework is imported here."""

from __future__ import annotations

import pytest

from perf.corpus import Photos, collect_sentences, cut_photos, read_photos, read_sentences
from pytest_loaderperf import DataFolder


@pytest.fixture
def photos(loaderperf_data: DataFolder) -> Photos:
    return read_photos(loaderperf_data("photos", cut_photos))


@pytest.fixture
def sentences(loaderperf_data: DataFolder) -> list[str]:
    return read_sentences(loaderperf_data("sentences", collect_sentences))
