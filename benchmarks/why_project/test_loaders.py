import loaders
import pytest


@pytest.fixture
def loader():
    return loaders.make()


def test_loader(loader, loaderperf):
    loaderperf(loader, samples=lambda batch: len(batch[0]))
