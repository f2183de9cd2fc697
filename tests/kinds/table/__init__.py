"""The table of all kinds."""

from __future__ import annotations

from collections.abc import Mapping

from kinds.kind import Kind

from . import (
    dali,
    datasets,
    grain,
    iterables,
    keras,
    lightning,
    nodes,
    ray,
    spdl,
    streaming,
    tf_data,
    torch,
    webdataset,
)

KINDS: Mapping[str, Kind] = {
    "dali": dali.KIND,
    "datasets": datasets.KIND,
    "grain": grain.KIND,
    "iterables": iterables.KIND,
    "keras": keras.KIND,
    "lightning": lightning.KIND,
    "litdata": streaming.LITDATA_KIND,
    "nodes": nodes.KIND,
    "ray": ray.KIND,
    "spdl": spdl.KIND,
    "stateful": torch.STATEFUL,
    "streaming": streaming.STREAMING,
    "tf.data": tf_data.KIND,
    "torch": torch.KIND,
    "webdataset": webdataset.KIND,
}
