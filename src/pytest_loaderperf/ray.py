"""Measure on the machines of a Ray cluster: ``python -m pytest_loaderperf.ray --nodes 4 -- ARGS``.

Each machine measures a shard of the checks, and has itself to itself: all of its CPUs are reserved
meanwhile. The project is sent as it is here: its history, and what differs from the last commit.
The packages are those that the machines have, this one among them. The shards are put together as
``python -m pytest_loaderperf.merge`` does it, and that says how it ends. A shard whose machine was
lost is measured again on another one.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import merge
from .cluster import bundles, node
from .cluster.dispatch import Dispatch
from .errors import LoaderPerfError
from .model.shards import Shard
from .model.units import format_size
from .reports.console.screen import show_all_characters

_TRIES = 3  # of a shard
_LOOK_SECONDS = 5.0  # between looks for machines that were lost, or have joined
_FETCH_SECONDS = 300.0  # that results may take to come here
_KNOCK_SECONDS = 10.0
_OURS = (
    "--loaderperf-shard", "--loaderperf-json", "--loaderperf-html", "--loaderperf-summary",
    "--junitxml", "--junit-xml",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine of the cluster, by the ``name`` that Ray has for it; this one is ``here``."""

    name: str
    address: str
    here: bool
    resources: Mapping[str, float]  # all that it has of CPUs and GPUs

    def __str__(self) -> str:
        here = ", this machine" if self.here else ""
        return f"{self.address} ({self.name[:8]}, {self.resources['CPU']:.0f} CPUs{here})"


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A reserved machine: a bundle of a placement group."""

    group: Any
    index: int


class Cluster:
    """The machines of a Ray cluster, and what they measure.

    ``wait`` is for how long, in seconds, machines may stay busy that are to be reserved.
    """

    def __init__(self, ray: Any, wait: float) -> None:
        self._ray = ray
        self._wait = wait
        self._places: dict[str, _Place] = {}
        self._machines: dict[str, Machine] = {}
        self._measure = ray.remote(max_retries=0)(node.measure)

    def machines(self) -> list[Machine]:
        """Those that are there, the largest first."""
        here = self._ray.get_runtime_context().get_node_id()
        found = [
            Machine(
                name=each["NodeID"],
                address=each["NodeManagerAddress"],
                here=each["NodeID"] == here,
                resources={
                    kind: each["Resources"][kind]
                    for kind in ("CPU", "GPU")
                    if each["Resources"].get(kind)
                },
            )
            for each in self._ray.nodes()
            if each["Alive"] and each["Resources"].get("CPU")
        ]
        return sorted(found, key=lambda each: (-each.resources["CPU"], each.name))

    def reserve(self, machines: Sequence[Machine], wait: float | None = None) -> None:
        """Have machines for this run alone. LoaderPerfError if they stay busy."""
        wait = self._wait if wait is None else wait
        from ray.util import placement_group, remove_placement_group  # noqa: PLC0415

        group = placement_group(
            [dict(each.resources) for each in machines],
            strategy="STRICT_SPREAD",
            bundle_label_selector=[{"ray.io/node-id": each.name} for each in machines],
        )
        if not group.wait(wait):
            remove_placement_group(group)
            raise LoaderPerfError(
                f"the machines {', '.join(map(str, machines))} were not free within "
                f"{wait:.0f} s: wait until other jobs have ended (`ray status`), or give "
                "more --wait"
            )
        for index, each in enumerate(machines):
            self._places[each.name] = _Place(group=group, index=index)
            self._machines[each.name] = each

    def release(self) -> None:
        """Give back what is reserved; ends what is measured there."""
        from ray.util import remove_placement_group  # noqa: PLC0415

        for group in {id(place.group): place.group for place in self._places.values()}.values():
            remove_placement_group(group)

    def start(self, name: str, bundle: Any, shard: Shard, arguments: Sequence[str]) -> Any:
        """Begin to measure a shard on a machine; returns what Ray has for the answer."""
        from ray.util.scheduling_strategies import (  # noqa: PLC0415
            PlacementGroupSchedulingStrategy,
        )

        place, needs = self._places[name], self._machines[name].resources
        strategy = PlacementGroupSchedulingStrategy(
            placement_group=place.group, placement_group_bundle_index=place.index
        )
        remote = self._measure.options(
            num_cpus=needs["CPU"], num_gpus=needs.get("GPU", 0), scheduling_strategy=strategy
        )
        return remote.remote(bundle, shard, list(arguments))

    def named(self, name: str) -> Machine:
        """A machine that was reserved."""
        return self._machines[name]

    def one_more(self, wait: float) -> Machine | None:
        """Reserve a machine that was not asked for. None if there is none, or all stay busy."""
        spare = [each for each in self.machines() if each.name not in self._places]
        for machine in spare:
            with suppress(LoaderPerfError):
                self.reserve([machine], wait / len(spare))
                return machine
        return None

    def measure(
        self, bundle: bundles.Bundle, shards: int, arguments: Sequence[str]
    ) -> Iterator[tuple[Shard, node.ShardRun]]:
        """Measure all shards, as they end; one that stays lost is left out."""
        sent = self._ray.put(bundle)
        dispatch = Dispatch(shards, list(self._places), _TRIES)
        running: dict[Any, str] = {}
        while True:
            for number, name in dispatch.starts():
                shard = Shard(number=number, of=shards)
                say(f"shard {shard}: begins on {self.named(name)}")
                running[self.start(name, sent, shard, arguments)] = name
            if not running:
                for number in dispatch.waiting:
                    say(f"shard {number}/{shards}: there is no machine left to measure it")
                return
            done, _ = self._ray.wait(list(running), timeout=_LOOK_SECONDS)
            alive = {each.name for each in self.machines()}
            gone = [answer for answer, name in running.items() if name not in alive]
            for answer in dict.fromkeys([*done, *gone]):
                name = running.pop(answer)
                patience = _LOOK_SECONDS if answer in gone else _FETCH_SECONDS
                try:
                    measured = self._ray.get(answer, timeout=patience)
                except self._ray.exceptions.RayTaskError as error:
                    why = (
                        f"could not measure it ({error.cause}). Machines need the same packages as "
                        "this one, pytest-loaderperf among them, and git"
                    )
                except (self._ray.exceptions.RayError, TimeoutError) as error:
                    why = f"was lost ({str(error).partition(chr(10))[0]})"
                else:
                    yield Shard(number=dispatch.ended(name), of=shards), measured
                    continue
                number, again = dispatch.lost(name)
                then = "it is measured again" if again else f"it was tried {_TRIES} times"
                say(f"shard {number}/{shards}: {self.named(name)} {why}: {then}")
            if dispatch.waiting and not dispatch.idle:
                patience = _LOOK_SECONDS if running else self._wait
                if (machine := self.one_more(patience)) is not None:
                    dispatch.joined(machine.name)


def say(line: str) -> None:
    """Tell what goes on."""
    print(f"loaderperf: {line}", flush=True)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster. LoaderPerfError where there is none."""
    try:
        import ray  # noqa: PLC0415
    except ImportError as error:
        raise LoaderPerfError(
            f"Ray is not installed here ({error}): pip install 'pytest-loaderperf[ray]'"
        ) from error
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise LoaderPerfError(
            f"there is no Ray cluster at {address!r}: {error}. Start one (`ray start --head`), or "
            "name its address: --address HOST:PORT"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """OSError where nobody answers: Ray would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure on a cluster, and merge; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    show_all_characters()
    own, tests = _divided(given)
    parser = _parser()
    options = parser.parse_args(own)
    for each in tests:
        name = each.partition("=")[0]
        if name in _OURS:
            parser.error(f"{name} is not for pytest here: each shard gets its own; see --help")
    try:
        bundle = bundles.pack(Path.cwd())
        with connected(options.address) as ray, tempfile.TemporaryDirectory() as scratch:
            cluster = Cluster(ray, options.wait)
            machines = cluster.machines()
            if options.nodes > len(machines):
                raise LoaderPerfError(
                    f"--nodes {options.nodes}: the cluster has {len(machines)} machines with CPUs"
                )
            try:
                cluster.reserve(machines[: options.nodes])
                size = format_size(bundle.size)
                say(f"{size} of commit {bundle.commit[:12]} go to {options.nodes} machines")
                files = _collect(cluster.measure(bundle, options.nodes, tests), Path(scratch))
            finally:
                cluster.release()
            if not files:
                raise LoaderPerfError("no shard has results: see what the machines said above")
            asked = {name: getattr(options, name) for name in _REPORTS}
            reports = [f"--{name}={file}" for name, file in asked.items() if file]
            return merge.main([*reports, *map(str, files)])
    except LoaderPerfError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing goes on", file=sys.stderr)
        return 130


def _collect(answers: Iterator[tuple[Shard, node.ShardRun]], folder: Path) -> list[Path]:
    """Write down what shards have measured, and show what they printed."""
    files = []
    for shard, measured in answers:
        say(f"shard {shard}: pytest ended with {measured.status}")
        print(measured.output.rstrip(), flush=True)
        if measured.results is None:
            continue
        file = folder / f"shard-{shard.number}.json"
        file.write_bytes(measured.results)
        if measured.patch:
            file.with_suffix(".patch").write_bytes(measured.patch)
        files.append(file)
    return files


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: give a number of machines, such as 2")


def _divided(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments before and after ``--``."""
    place = given.index("--") if "--" in given else len(given)
    return list(given[:place]), list(given[place + 1 :])


_REPORTS = {
    "json": "write the results",
    "html": "write a report with charts",
    "summary": "append the results as Markdown",
    "junitxml": "write them as JUnit XML",
    "patch": "write the changes of all baselines, after --loaderperf-update",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_loaderperf.ray",
        usage="%(prog)s [options] --nodes N [-- PYTEST ARGUMENTS]",
        description="Measure on the machines of a Ray cluster, each of them a shard of the checks.",
    )
    parser.add_argument("--nodes", type=_count, required=True, metavar="N", help="so many machines")
    parser.add_argument(
        "--address",
        default="auto",
        help="of the cluster; by default RAY_ADDRESS, or this machine's",
    )
    parser.add_argument(
        "--wait", type=float, default=600.0, metavar="S", help="for machines to be free (600 s)"
    )
    for name, what in _REPORTS.items():
        parser.add_argument(f"--{name}", default="", metavar="FILE", help=what)
    return parser


if __name__ == "__main__":
    sys.exit(main())
