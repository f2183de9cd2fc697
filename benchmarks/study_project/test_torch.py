"""Photographs through two worker processes."""

import loss
import peer
import pytest
from PIL import Image
from torch.utils.data import DataLoader, Dataset, default_collate
from torchvision.transforms import Compose, Normalize, Resize, ToTensor


class PhotoDataset(Dataset):
    def __init__(self, photos):
        self.photos = photos
        normalize = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        self.transform = Compose([Resize((256, 256)), ToTensor(), normalize])

    def __len__(self):
        return len(self.photos.paths)

    def __getitem__(self, index):
        with Image.open(self.photos.paths[index]) as image:
            return self.transform(image.convert("RGB")), self.photos.labels[index]


class Collate:
    """In a worker: the whole of its work is slower, not its decoding alone."""

    def __init__(self):
        self.slower = loss.Slower("copy")  # while one worker sleeps, the other has its CPU

    def __call__(self, samples):
        return self.slower(default_collate(samples))


def load(photos, batch_size):
    return DataLoader(
        PhotoDataset(photos), batch_size, shuffle=True, num_workers=2, collate_fn=Collate()
    )


@pytest.mark.loaderperf(batch_sizes=[32, 64])
def test_photos(photos, batch_size, loaderperf):
    perf = loaderperf(load(photos, batch_size))
    assert perf.throughput >= perf.baseline.throughput


def test_peer(photos, benchmark):
    peer.measure(benchmark, load(photos, 32), batches=4)
