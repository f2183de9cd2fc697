import growing
import pytest


@pytest.fixture
def loader():
    return growing.make()


@pytest.mark.loaderperf(metrics=["peak_memory"])
def test_growing(loader, loaderperf):
    loaderperf(loader)
