"""Kinds of loader: what is known of each, with stand-ins here and frameworks in a subprocess."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.loaders import kinds as kinds_of
from pytest_loaderperf.loaders.kinds import HOMES
from pytest_loaderperf.loaders.recognise import describe


def facts(loader: object) -> dict[str, object]:
    """What a loader tells about itself, all but what it can do and how it is set."""
    known = dict(vars(describe(loader)))
    del known["start"], known["follow"], known["count"], known["settings"], known["batch_size"]
    del known["nodes"], known["alone"], known["drops"], known["shuffles"]
    return known


def started(loader: object) -> list[list[object]]:
    """The first batches of three epochs."""
    known = describe(loader)
    return [list(itertools.islice(known.start(), 5)) for _ in range(3)]


class Sized:
    """Iterable, with or without a length."""

    def __init__(self, length: int | Exception) -> None:
        self.length = length

    def __len__(self) -> int:
        if isinstance(self.length, Exception):
            raise self.length
        return self.length

    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


class Sequence:
    """Old-style: no ``__iter__``, and it never says where it ends."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        return index


# --- loaders of no framework --------------------------------------------------------------------


@pytest.mark.parametrize("loader", [[0, 1, 2], range(3), Sized(3), {0: "a", 1: "b", 2: "c"}])
def test_an_iterable_starts_again_and_has_its_length(loader: object) -> None:
    assert describe(loader).epoch_batches == 3
    assert started(loader) == [[0, 1, 2]] * 3


@pytest.mark.parametrize("error", [TypeError("no length"), NotImplementedError()])
def test_a_length_that_is_refused_is_unknown(error: Exception) -> None:
    assert describe(Sized(error)).epoch_batches is None
    assert started(Sized(error)) == [[0, 1, 2]] * 3


def test_of_an_iterable_nothing_else_is_known() -> None:
    known = describe([1])
    assert (known.kind, known.workers, known.prefetch) == ("iterable", 0, 0)
    assert known.samples_per_epoch is None


def test_a_sequence_ends_at_its_length() -> None:
    assert describe(Sequence()).epoch_batches == 3
    assert started(Sequence()) == [[0, 1, 2]] * 3


def test_a_callable_makes_a_new_iterator_each_time() -> None:
    made = itertools.count()

    def make() -> Iterator[str]:
        name = f"epoch {next(made)}"
        return (f"{name}, batch {i}" for i in range(2))

    known = describe(make)  # which makes one to look at
    assert known.epoch_batches is None
    assert [next(known.start()) for _ in range(3)] == [f"epoch {i}, batch 0" for i in (1, 2, 3)]


def test_an_iterable_that_can_be_called_is_iterated() -> None:
    class Both(Sized):
        def __call__(self) -> object:
            raise AssertionError

    assert started(Both(3))[0] == [0, 1, 2]


@pytest.mark.parametrize("thing", [None, 3, object()], ids=["None", "number", "object"])
def test_what_cannot_be_iterated_is_refused_by_its_type(thing: object) -> None:
    with pytest.raises(LoaderError, match=rf"got a {type(thing).__name__}, which cannot be iter"):
        describe(thing)


def test_a_callable_that_makes_no_iterable_is_refused_by_what_it_made() -> None:
    with pytest.raises(LoaderError, match="made a NoneType, which cannot be iterated"):
        describe(lambda: None)


# --- loaders of a framework, recognised through what is imported --------------------------------


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Puts a stand-in for an imported module in place."""

    def make(name: str, **contents: object) -> ModuleType:
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return make


class DataLoader(Sized):
    """As far as a torch DataLoader is asked about itself: 100 samples, unless told otherwise."""

    def __init__(
        self,
        length: int | Exception = 10,
        num_workers: int = 0,
        prefetch_factor: int | None = None,
        sampler: object = range(100),
        **options: Any,
    ) -> None:
        super().__init__(length)
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.sampler = sampler
        self.batch_size = options.get("batch_size", 10)
        self.drop_last = options.get("drop_last", False)
        self.batch_sampler = None if self.batch_size is None else object()
        self.dataset = range(100)
        self.multiprocessing_context = None
        self.persistent_workers = self.pin_memory = False


ENDLESS = TypeError("has no length")


@pytest.mark.parametrize(
    ("loader", "workers", "prefetch", "batches", "samples"),
    [
        (DataLoader(), 0, 0, 10, 100),
        (DataLoader(num_workers=2, prefetch_factor=2), 2, 2, 10, 100),
        (DataLoader(num_workers=4, prefetch_factor=8), 4, 8, 10, 100),
        (DataLoader(num_workers=4, prefetch_factor=None), 4, 2, 10, 100),
        (DataLoader(11, sampler=range(105)), 0, 0, 11, 105),
        (DataLoader(10, sampler=range(105), drop_last=True), 0, 0, 10, 100),
        (DataLoader(100, batch_size=None), 0, 0, 100, None),
        (DataLoader(ENDLESS, sampler=object()), 0, 0, None, None),
        (DataLoader(ENDLESS, sampler=object(), drop_last=True), 0, 0, None, None),
        (DataLoader(10, sampler=object(), drop_last=True), 0, 0, 10, None),
    ],
)
def test_a_torch_loader_tells_all(
    fake: Callable[..., ModuleType],
    loader: DataLoader,
    workers: int,
    prefetch: int,
    batches: int | None,
    samples: int | None,
) -> None:
    fake("torch.utils.data", DataLoader=DataLoader)
    assert facts(loader) == {
        "kind": "torch DataLoader",
        "workers": workers,
        "prefetch": prefetch,
        "epoch_batches": batches,
        "samples_per_epoch": samples,
        "note": "",
        "scattered": False,
        "endless": False,
    }
    assert started(loader)[0] == [0, 1, 2]


def test_a_callable_is_of_the_kind_that_it_makes(fake: Callable[..., ModuleType]) -> None:
    fake("torch.utils.data", DataLoader=DataLoader)
    known = describe(lambda: DataLoader(num_workers=2, prefetch_factor=3))
    assert known.kind == "factory of torch DataLoader"
    assert (known.workers, known.prefetch, known.epoch_batches) == (2, 3, 10)


def test_a_subclass_is_of_the_same_kind(fake: Callable[..., ModuleType]) -> None:
    class Photos(DataLoader):
        pass

    fake("torch.utils.data", DataLoader=DataLoader)
    assert describe(Photos()).kind == "torch DataLoader"


class Thread(threading.Thread):
    """A worker of a loader whose workers are threads."""


@pytest.mark.parametrize(
    "told",
    [{"worker_method": "thread"}, {"multiprocessing_context": SimpleNamespace(Process=Thread)}],
)
def test_threads_of_a_torch_loader_are_no_workers(
    fake: Callable[..., ModuleType], told: dict[str, object]
) -> None:
    fake("torch.utils.data", DataLoader=DataLoader)
    loader = DataLoader(num_workers=3, prefetch_factor=2)
    loader.collate_fn = list  # type: ignore[attr-defined]
    vars(loader).update(told)
    known = describe(loader)
    assert (known.workers, known.prefetch) == (0, 6)
    assert (known.settings["num_workers"], known.settings["start_method"]) == (3, "thread")
    known.follow(lambda _: print)
    assert loader.collate_fn is list  # type: ignore[attr-defined]


class Prefetcher(Sized):
    """An object around a loader, of which no more is known."""

    def __init__(self, length: int | Exception = 10, **held: object) -> None:
        super().__init__(length)
        vars(self).update(held)


def test_an_object_around_a_loader_has_its_workers_and_settings(
    fake: Callable[..., ModuleType],
) -> None:
    fake("torch.utils.data", DataLoader=DataLoader)
    inner = DataLoader(num_workers=2, prefetch_factor=3)
    wrapper = Prefetcher(loader=inner, again=inner, mean=[0.5])
    known = describe(wrapper)
    assert known.kind == "Prefetcher of torch DataLoader"
    assert (known.workers, known.prefetch, known.epoch_batches) == (2, 3, 10)
    assert (known.samples_per_epoch, known.batch_size) == (100, 10)
    assert known.settings == describe(inner).settings
    assert started(wrapper)[0] == [0, 1, 2]
    assert describe(lambda: wrapper).kind == f"factory of {known.kind}"


def test_an_object_that_makes_others_of_the_batches_tells_no_more_than_workers(
    fake: Callable[..., ModuleType],
) -> None:
    fake("torch.utils.data", DataLoader=DataLoader)
    for length in (5, TypeError()):
        inner = DataLoader(num_workers=2)
        inner.collate_fn = list  # type: ignore[attr-defined]
        known = describe(Prefetcher(length, loader=inner))
        assert (known.workers, known.samples_per_epoch, known.batch_size) == (2, None, None)
        known.follow(lambda _: print)
        assert inner.collate_fn is list  # type: ignore[attr-defined]


def test_an_object_around_no_loader_or_several_is_any_iterable(
    fake: Callable[..., ModuleType],
) -> None:
    fake("torch.utils.data", DataLoader=DataLoader)
    assert describe(Prefetcher()).kind == "iterable"
    assert describe(Prefetcher(one=DataLoader(), other=DataLoader())).kind == "iterable"


def test_what_looks_like_a_loader_and_has_it_inside_is_followed_there(
    fake: Callable[..., ModuleType],
) -> None:
    fake("torch.utils.data", DataLoader=DataLoader)
    shard, inner = DataLoader(num_workers=2), DataLoader(num_workers=2)
    vars(shard)["base_dataloader"] = inner
    inner.collate_fn = list  # type: ignore[attr-defined]
    describe(shard).follow(lambda _: print)
    assert inner.collate_fn is print  # type: ignore[attr-defined]


class DatasetV2(Sized):
    def cardinality(self) -> object:
        return self.length

    def options(self) -> object:
        threading = SimpleNamespace(private_threadpool_size=None)
        autotune = SimpleNamespace(enabled=None)
        return SimpleNamespace(threading=threading, autotune=autotune, deterministic=True)


@pytest.mark.parametrize(("cardinality", "batches"), [(7, 7), (1, 1), (-1, None), (-2, None)])
def test_a_tf_pipeline_tells_its_cardinality(
    fake: Callable[..., ModuleType], cardinality: int, batches: int | None
) -> None:
    fake("tensorflow.python.data.ops.dataset_ops", DatasetV2=DatasetV2)
    known = describe(DatasetV2(cardinality))
    assert (known.kind, known.workers, known.epoch_batches) == ("tf.data", 0, batches)
    assert known.endless is (cardinality == -1)
    assert known.prefetch > 0
    assert known.samples_per_epoch is None


def pipeline(*names: str) -> DatasetV2:
    """A pipeline of datasets with these names, from its source to its end."""
    dataset: object = None
    for name in names:
        dataset, before = type(name, (DatasetV2,), {})(3), dataset
        vars(dataset)["_input_dataset"] = before
    assert isinstance(dataset, DatasetV2)
    return dataset


ROW, BATCH = (np.zeros((28, 28)), 3), (np.zeros((8, 28)), np.zeros(8), 3)


@pytest.mark.parametrize(
    ("names", "item", "samples"),
    [
        (("_TensorSliceDataset",), ROW, 1),
        (("_TensorSliceDataset", "_MapDataset", "_ShuffleDataset"), ROW, 1),
        (("_TensorSliceDataset", "_BatchDataset", "_UnbatchDataset"), ROW, 1),
        (("_TensorSliceDataset", "_MapDataset"), BATCH, 1),
        (("_RangeDataset", "_FlatMapDataset"), ROW, 1),
        (("_RangeDataset", "_FlatMapDataset"), BATCH, 8),
        (("_TensorSliceDataset", "_GroupByWindowDataset"), BATCH, 8),
        (("OneOfTheProject",), BATCH, 8),
        (("_TensorSliceDataset",), BATCH[0], 8),
    ],
)
def test_a_row_of_a_tf_pipeline_is_a_sample_where_its_label_shows_that(
    fake: Callable[..., ModuleType], names: tuple[str, ...], item: object, samples: int
) -> None:
    fake("tensorflow.python.data.ops.dataset_ops", DatasetV2=DatasetV2)
    count = describe(pipeline(*names)).count
    assert count is not None
    assert count(item) == samples


@pytest.mark.parametrize("last", ["_BatchDataset", "_ParallelBatchDataset", "_PaddedBatchDataset"])
def test_batches_of_a_tf_pipeline_are_counted_by_their_arrays(
    fake: Callable[..., ModuleType], last: str
) -> None:
    fake("tensorflow.python.data.ops.dataset_ops", DatasetV2=DatasetV2)
    assert describe(pipeline("_TensorSliceDataset", last, "_MapDataset")).count is None


@pytest.mark.parametrize("loader", [DataLoader(), DatasetV2(3)])
def test_without_its_framework_a_loader_is_any_iterable(
    monkeypatch: pytest.MonkeyPatch, loader: object
) -> None:
    for module in ("torch.utils.data", "tensorflow.python.data.ops.dataset_ops"):
        monkeypatch.setitem(sys.modules, module, None)  # as where its import is blocked
    assert describe(loader).kind == "iterable"


# --- the real frameworks ------------------------------------------------------------------------


def in_subprocess(code: str) -> Any:
    """What code that begins with these helpers prints as JSON."""
    prelude = """
        import json
        from pytest_loaderperf.arm.forking import hazard
        from pytest_loaderperf.loaders.recognise import describe

        def told(loader):
            known = describe(loader)
            return [known.kind, known.workers, known.prefetch,
                    known.epoch_batches, known.samples_per_epoch]
    """
    finished = subprocess.run(
        [sys.executable, "-c", dedent(prelude) + dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_the_real_torch_loader() -> None:
    answers = in_subprocess("""
        from torch.utils.data import DataLoader, IterableDataset

        class Endless(IterableDataset):
            def __iter__(self):
                return iter(range(10))

        samples = list(range(105))
        print(json.dumps({
            "plain": told(DataLoader(samples, batch_size=10)),
            "workers": told(DataLoader(samples, batch_size=10, num_workers=2)),
            "prefetch": told(DataLoader(samples, batch_size=10, num_workers=2, prefetch_factor=5)),
            "drop_last": told(DataLoader(samples, batch_size=10, drop_last=True)),
            "unbatched": told(DataLoader(samples, batch_size=None)),
            "iterable": told(DataLoader(Endless(), batch_size=10)),
            "first": [len(batch) for batch in describe(DataLoader(samples, batch_size=60)).start()],
            "hazard": hazard(),
        }))
    """)
    kind = "torch DataLoader"
    assert answers == {
        "plain": [kind, 0, 0, 11, 105],
        "workers": [kind, 2, 2, 11, 105],
        "prefetch": [kind, 2, 5, 11, 105],
        "drop_last": [kind, 0, 0, 10, 100],
        "unbatched": [kind, 0, 0, 105, None],
        "iterable": [kind, 0, 0, None, None],
        "first": [60, 45],
        "hazard": "",
    }


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_a_timeout_of_torch_does_not_run_while_its_trial_is_frozen() -> None:
    # A freeze makes one wait longer: of many short ones, the others are still to come.
    answers = in_subprocess("""
        import time
        from torch.utils.data import DataLoader
        from pytest_loaderperf.loaders.kinds import torch as adapter

        now = 0.0
        adapter.time = type(time)("time")
        adapter.time.monotonic = lambda: now

        def waits(comes_at, frozen=0.0, of=1):
            iterator = describe(DataLoader([1, 2], num_workers=1, timeout=30)).start()
            list(iterator)
            asked = []

            def wait(timeout):
                global now
                asked.append(timeout)
                now += timeout + frozen * (len(asked) % of == 0)  # in each of so many
                return len(asked) == comes_at, "a batch"

            iterator._try_get_data = type(iterator._try_get_data)(
                iterator._try_get_data.func, wait
            )
            try:
                found = iterator._get_data()
            except RuntimeError as error:
                found = str(error)
            return [found, len(asked), round(sum(asked), 6), max(asked) < 1]

        print(json.dumps({
            "late": waits(7)[:2],
            "never": waits(10**9),
            "frozen now and then": waits(10**9, frozen=0.1, of=3)[:2],
            "frozen all the time": waits(10_000, frozen=0.1)[:2],
        }))
    """)
    assert answers == {
        "late": ["a batch", 7],
        "never": ["DataLoader timed out after 30 seconds", 1500, 30.0, True],
        "frozen now and then": ["DataLoader timed out after 30 seconds", 2249],
        "frozen all the time": ["a batch", 10_000],
    }


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_workers_of_torch_are_followed(method: str) -> None:
    answers = in_subprocess(f"""
        import multiprocessing
        from torch.utils.data import DataLoader
        from pytest_loaderperf.arm.batch_marks import Workers

        multiprocessing.set_forkserver_preload(["torch"])  # once, not in each worker

        def loader(**options):
            if options.get("num_workers"):
                options["multiprocessing_context"] = {method!r}
            return DataLoader(range(12), batch_size=2, **options)

        def marks(given, epochs=2):
            workers, known = Workers(), describe(given)
            known.follow(workers.marking)
            batches = sum(len(list(known.start())) for _ in range(epochs))
            found = workers.new_marks()
            return [batches, len(found), len({{pid for pid, _ in found}})]

        kept = loader(num_workers=3, persistent_workers=True)
        print(json.dumps({{
            "workers": marks(loader(num_workers=3), epochs=1),
            "epochs": marks(loader(num_workers=2)),
            "persistent": marks(kept),
            "factory": marks(lambda: loader(num_workers=2)),
            "same": marks(lambda: kept, epochs=1)[:1],
            "out of order": marks(loader(num_workers=2, in_order=False)),
            "none": marks(loader(num_workers=0)),
        }}))
    """)
    assert answers == {
        "workers": [6, 6, 3],
        "epochs": [12, 12, 4],
        "persistent": [12, 12, 3],
        "factory": [12, 12, 4],
        "same": [6],
        "out of order": [12, 12, 4],
        "none": [12, 0, 0],
    }


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed"
)
def test_the_real_tf_pipeline() -> None:
    answers = in_subprocess("""
        import tensorflow as tf
        imported = hazard()
        samples = tf.data.Dataset.range(105).batch(10)
        print(json.dumps({
            "finite": told(samples),
            "infinite": told(samples.repeat()),
            "unknown": told(samples.filter(lambda batch: True)),
            "lengths": [len(batch) for batch in describe(samples).start()],
            "imported": imported,
            "used": hazard(),
        }))
    """)
    assert [answers[name][0] for name in ("finite", "infinite", "unknown")] == ["tf.data"] * 3
    assert [answers[name][3] for name in ("finite", "infinite", "unknown")] == [11, None, None]
    assert answers["lengths"] == [10] * 10 + [5]
    assert answers["imported"] == ""
    assert "TensorFlow" in answers["used"]


# --- the table of kinds -------------------------------------------------------------------------


@pytest.mark.parametrize("home", HOMES)
def test_the_table_has_the_packages_of_every_kind(home: str) -> None:
    module = importlib.import_module(f"pytest_loaderperf.loaders.kinds.{home}")
    assert {kind.module.partition(".")[0] for kind in module.KINDS} == set(HOMES[home])


def test_the_table_has_every_module_of_the_folder() -> None:
    folder = Path(kinds_of.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(HOMES)
