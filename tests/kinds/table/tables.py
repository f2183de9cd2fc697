"""Tables in batches: of pandas, polars and Arrow."""

from __future__ import annotations

import pytest

from kinds.kind import Expected, Kind, Slowed

COLUMNS = """\
import time
import numpy as np

def columns(rows):
    texts = [f"row {i}" for i in range(rows)]
    return {"a": np.arange(rows) + 0.5, "b": np.arange(rows), "t": texts}

class Slowly:
    def __init__(self, batches, seconds):
        self.batches, self.seconds = batches, seconds

    def __iter__(self):
        for batch in self.batches():
            time.sleep(self.seconds * len(batch))
            yield batch
"""
PANDAS_LOADERS = """\
import pandas
LOADERS
def frames(folder, rows, seconds):
    frame = pandas.DataFrame(columns(rows))
    return Slowly(lambda: (frame[i : i + 10] for i in range(0, rows, 10)), seconds)

def beside_labels(folder, rows, seconds):
    frame = pandas.DataFrame(columns(rows))
    return [(frame[["a"]][i : i + 10], frame["b"][i : i + 10]) for i in range(0, rows, 10)]
"""
POLARS_LOADERS = """\
import polars
LOADERS
def frames(folder, rows, seconds):
    frame = polars.DataFrame(columns(rows))
    return Slowly(lambda: frame.iter_slices(10), seconds)
"""
ARROW_LOADERS = """\
import pyarrow
LOADERS
def record_batches(folder, rows, seconds):
    table = pyarrow.table(columns(rows))
    return Slowly(lambda: iter(table.to_batches(max_chunksize=10)), seconds)

def tables(folder, rows, seconds):
    table = pyarrow.table(columns(rows))
    return [table.slice(i, 10) for i in range(0, rows, 10)]

def of_columns(folder, rows, seconds):
    table = pyarrow.table(columns(rows))
    return [dict(zip(b.schema.names, b.columns)) for b in table.to_batches(max_chunksize=10)]
"""
# Two numbers of eight bytes, and a text of some five with where it begins.
SIZE = pytest.approx(25, abs=4)
PANDAS = Kind(
    needs=("pandas",),
    source=PANDAS_LOADERS.replace("LOADERS", COLUMNS),
    loaders={
        "frames": Expected(
            kind="iterable", batch="DataFrame[a: float64[*], b: int64[*], t: str[*]]"
        ),
        "beside_labels": Expected(
            batch="tuple[DataFrame[a: float64[*]], int64[*]]", bytes_per_sample=16
        ),
    },
    slowed={"frames": Slowed(rows=4000)},
)
POLARS = Kind(
    needs=("polars",),
    source=POLARS_LOADERS.replace("LOADERS", COLUMNS),
    loaders={
        "frames": Expected(
            batch="DataFrame[a: Float64[*], b: Int64[*], t: String[*]]", bytes_per_sample=SIZE
        )
    },
    slowed={"frames": Slowed(rows=4000)},
)
ARROW = Kind(
    needs=("pyarrow",),
    source=ARROW_LOADERS.replace("LOADERS", COLUMNS),
    loaders={
        "record_batches": Expected(
            batch="RecordBatch[a: double[*], b: int64[*], t: string[*]]", bytes_per_sample=SIZE
        ),
        "tables": Expected(
            batch="Table[a: double[*], b: int64[*], t: string[*]]", bytes_per_sample=SIZE
        ),
        "of_columns": Expected(
            batch="dict[a: double[*], b: int64[*], t: string[*]]", bytes_per_sample=SIZE
        ),
    },
    slowed={"record_batches": Slowed(rows=4000)},
)
