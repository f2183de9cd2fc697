"""What the loaders do with a photograph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image


def decode(path: str) -> npt.NDArray[np.float32]:
    """Read a JPEG as float32[256,256,3] between 0 and 1."""
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB").resize((256, 256)), np.float32)
    pixels /= 255
    return pixels
