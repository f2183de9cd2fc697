import pipelines
import pytest


@pytest.fixture
def loader():
    return pipelines.make()


def test_pipeline(loader, loaderperf):
    loaderperf(loader)
