import layout  # noqa: F401  (the study gives the candidate another one)
import pytest
from corpus import cut_photos, read_photos


@pytest.fixture
def photos(loaderperf_data):
    return read_photos(loaderperf_data("photos", cut_photos))
