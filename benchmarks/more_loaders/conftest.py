"""The photographs of the reference loaders."""

from __future__ import annotations

import pytest

from perf.corpus import Photos, cut_photos, read_photos
from pytest_loaderperf import DataFolder


@pytest.fixture
def photos(loaderperf_data: DataFolder) -> Photos:
    return read_photos(loaderperf_data("photos", cut_photos))
