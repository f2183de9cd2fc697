"""All that is known of single kinds of loader; nothing here imports one.

A kind is found through ``sys.modules``: a loader of a framework can only exist where its test has
imported that framework.
"""

from ..adapter import Collate, Kind, Loader, Wrap
from . import dali, grain, huggingface, ray, spdl, tensorflow, torch, webdataset

__all__ = ["KINDS", "Collate", "Kind", "Loader", "Wrap"]

# The first one that fits is taken: whatever is a loader of another kind as well goes before it.
KINDS: tuple[Kind, ...] = (
    *torch.KINDS,
    *webdataset.KINDS,
    *tensorflow.KINDS,
    *huggingface.KINDS,
    *grain.KINDS,
    *ray.KINDS,
    *spdl.KINDS,
    *dali.KINDS,
)
