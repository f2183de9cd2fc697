"""The table of all kinds."""

from __future__ import annotations

from collections.abc import Mapping

from kinds.kind import Kind

from . import (
    dali,
    datasets,
    grain,
    graphs,
    iterables,
    keras,
    lightning,
    nodes,
    ray,
    rows,
    spdl,
    streaming,
    tables,
    tensors,
    tf_data,
    torch,
    webdataset,
    wrappers,
)

KINDS: Mapping[str, Kind] = {
    "accelerate": wrappers.ACCELERATE,
    "arrow": tables.ARROW,
    "dali": dali.KIND,
    "datasets": datasets.KIND,
    "grain": grain.KIND,
    "graphs": graphs.KIND,
    "iterables": iterables.KIND,
    "keras": keras.KIND,
    "lightning": lightning.KIND,
    "litdata": streaming.LITDATA_KIND,
    "monai": wrappers.MONAI,
    "nodes": nodes.KIND,
    "pandas": tables.PANDAS,
    "polars": tables.POLARS,
    "ray": ray.KIND,
    "rows": rows.KIND,
    "spdl": spdl.KIND,
    "stateful": torch.STATEFUL,
    "streaming": streaming.STREAMING,
    "tensordict": tensors.TENSORDICT,
    "tensors": tensors.TENSORS,
    "tf.data": tf_data.KIND,
    "timm": wrappers.TIMM,
    "torch": torch.KIND,
    "webdataset": webdataset.KIND,
}
