"""What is read of the files that processes write of where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_loaderperf.child.loaderperf_stacks import MAIN
from pytest_loaderperf.why.calls import MAIN_PROCESS, PARTS, WORKERS, Files, Function, Node, fold
from pytest_loaderperf.why.stacks import Call, Sample, read

DRIVER: Any = [
    "/env/lib/python3.11/site-packages/pytest_loaderperf/arm/driver.py",
    "Stream._pass",
    300,
]
OWN: Any = ["/project/loaders.py", "load", 7]
PYTEST: Any = ["/env/lib/python3.11/site-packages/_pytest/runner.py", "run", 1]
QUEUE: Any = ["/usr/lib/python3.11/queue.py", "Queue.get", 170]
THREADING: Any = ["/usr/lib/python3.11/threading.py", "Condition.wait", 320]
SELECT: Any = ["/usr/lib/python3.11/selectors.py", "PollSelector.select", 416]
ACCEPT: Any = ["/usr/lib/python3.11/socket.py", "socket.accept", 294]
LISTENER: Any = [
    "/usr/lib/python3.11/multiprocessing/connection.py",
    "SocketListener.accept",
    627,
]
SHARER: Any = [
    "/usr/lib/python3.11/multiprocessing/resource_sharer.py",
    "_ResourceSharer._serve",
    1,
]
PROGRAM: Any = ["/usr/lib/python3.11/subprocess.py", "Popen.communicate", 1200]


TIMED = [(10.0, 20.0)]


def write(folder: Path, name: str, *lines: object) -> None:
    (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_calls_within_the_loader_are_read_with_their_times(tmp_path: Path) -> None:
    stack = [0, [PYTEST, DRIVER, OWN]]
    write(tmp_path, MAIN, stack, [11.0, 1, 0.0, 0], [11.5, 1, 0.4, 0], [12.0, 1, 0.1, 0])
    first, second = read(tmp_path, TIMED)
    assert first.calls == (Call(file=OWN[0], function=OWN[1], line=OWN[2]),)
    assert (first.gone, first.seconds, first.cpu_seconds) == (0.15, 0.5, 0.4)
    assert (second.seconds, second.cpu_seconds) == (0.5, 0.1)
    assert not first.in_worker


def test_what_was_not_timed_is_left_out(tmp_path: Path) -> None:
    stacks = [[0, [DRIVER, OWN]], [1, [PYTEST]], [2, [PYTEST, [DRIVER[0], "wait", 1]]]]
    times = [[9.0, 1, 0.0, 0], [9.5, 1, 0.4, 0], [12.0, 1, 0.1, 0], [21.0, 1, 0.1, 0]]
    write(tmp_path, MAIN, *stacks, *times)
    assert [each.gone for each in read(tmp_path, TIMED)] == [0.2]


def test_a_trial_does_not_see_the_time_for_which_it_is_suspended(tmp_path: Path) -> None:
    write(tmp_path, MAIN, [0, [DRIVER, OWN]], [11.0, 1, 0.0, 0], [15.0, 1, 0.4, 0])
    (sample,) = read(tmp_path, TIMED, ((11.5, 14.5),))
    assert (sample.gone, sample.seconds) == (0.2, 1.0)


def test_threads_are_told_from_one_another_and_workers_from_the_main_process(
    tmp_path: Path,
) -> None:
    write(tmp_path, MAIN, [0, [DRIVER, OWN]], [11.0, 1, 0.0, 0], [11.2, 2, 0, 0], [11.4, 1, 0.4, 0])
    write(tmp_path, "8", [0, [OWN]], [11.0, 1, 0.0, -1], [11.5, 1, 0.5, 0])
    samples = read(tmp_path, TIMED)
    assert sorted((each.in_worker, round(each.seconds, 3)) for each in samples) == [
        (False, 0.4),
        (True, 0.5),
    ]


def test_a_file_whose_last_line_was_cut_short_is_read_up_to_that(tmp_path: Path) -> None:
    write(tmp_path, MAIN, [0, [DRIVER, OWN]], [11.0, 1, 0.0, 0], [11.5, 1, 0.4, 0])
    with (tmp_path / MAIN).open("a") as file:
        file.write("[12.0, 1, 0.")
    assert len(read(tmp_path, TIMED)) == 1


@pytest.mark.parametrize(
    ("inner", "cpu", "idle"),
    [
        # Each worker of torch's listens for who wants its files.
        ([SHARER, LISTENER, ACCEPT], 0.0, True),
        ([SHARER, LISTENER, ACCEPT], 0.9, False),
        ([OWN, ACCEPT], 0.0, False),
        ([QUEUE, THREADING], 0.0, True),
        ([SELECT], 0.1, True),
        ([QUEUE, THREADING], 0.9, False),  # it works there
        ([PROGRAM, SELECT], 0.0, False),  # it waits for another program
        ([OWN], 0.0, False),  # it sleeps, or reads
        ([], 0.0, False),
    ],
)
def test_idle_is_who_waits_for_threads_and_processes_of_its_own(
    inner: list[Any], cpu: float, idle: bool
) -> None:
    calls = tuple(
        Call(file=f, function=n, line=a) for f, n, a in [OWN, *inner][: None if inner else 0]
    )
    sample = Sample(gone=0.1, seconds=1.0, cpu_seconds=cpu, in_worker=False, calls=calls)
    assert sample.idle is idle


def test_samples_add_up_to_milliseconds_of_a_sample() -> None:
    own = Call(file="/project/loaders.py", function="load", line=7)
    other = Call(file="/env/lib/python3.11/site-packages/PIL/Image.py", function="resize", line=9)
    samples = [
        Sample(gone=n / 100, seconds=0.1, cpu_seconds=0.06, in_worker=bool(n % 2), calls=calls)
        for n in range(1, 101)
        for calls in [(own, other) if n % 4 == 0 else (own,)]
    ]
    root = Node()
    for parts in (range(4), range(4, PARTS)):  # two trials
        fold(samples, 1000.0, Files(top="/project"), root, parts)
    assert root.took == pytest.approx([10.0] * PARTS, rel=0.05)
    assert sum(root.took) / PARTS == pytest.approx(10.0)  # ms: 10 s for 1000 samples
    assert sum(root.waited) / PARTS == pytest.approx(4.0)
    halves = [root.children[Function(file="", name=name)] for name in (MAIN_PROCESS, WORKERS)]
    assert [sum(each.took) / PARTS for each in halves] == pytest.approx([5.0, 5.0])
    load = halves[0].children[Function(file="loaders.py", name="load", ours=True)]
    assert list(load.lines) == [7]
    (resize,) = load.children
    assert resize == Function(file="PIL/Image.py", name="resize")
    assert sum(load.children[resize].took) / PARTS == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("path", "file", "ours"),
    [
        ("/project/src/loaders.py", "src/loaders.py", True),
        ("/project/.venv/lib/python3.11/site-packages/torch/x.py", "torch/x.py", False),
        ("/usr/lib/python3.12/queue.py", "queue.py", False),
        ("/elsewhere/loaders.py", "/elsewhere/loaders.py", False),
    ],
)
def test_files_have_one_name_wherever_a_version_lies(path: str, file: str, ours: bool) -> None:
    call = Call(file=path, function="f", line=1)
    assert Files(top="/project").function(call) == Function(file=file, name="f", ours=ours)


def test_each_rank_has_stacks_of_its_own(tmp_path: Path) -> None:
    # Both have numbered them from 0.
    for pid, name in ((11, "load"), (12, "decode")):
        stack = [0, [PYTEST, DRIVER, [OWN[0], name, 7]]]
        write(tmp_path, f"{MAIN}-{pid}", stack, [11.0, 1, 0.0, 0], [12.0, 1, 0.5, 0])
    samples = read(tmp_path, TIMED)
    assert sorted(each.calls[0].function for each in samples) == ["decode", "load"]
    assert not any(each.in_worker for each in samples)


def test_time_between_stretches_is_not_timed(tmp_path: Path) -> None:
    stretches = [(10.0, 12.0), (14.0, 20.0)]
    write(tmp_path, MAIN, [0, [DRIVER, OWN]], *([at, 1, 0.0, 0] for at in (10.5, 11.0, 13.0, 16.0)))
    assert [each.gone for each in read(tmp_path, stretches)] == [1 / 8, 4 / 8]


def test_a_trial_that_waits_for_the_coordinator_does_nothing_of_its_loader(tmp_path: Path) -> None:
    channel = [DRIVER[0].replace("arm/driver", "protocol/channel"), "Channel.next", 60]
    stacks = [[0, [PYTEST, channel]], [1, [PYTEST, DRIVER, OWN]]]
    write(tmp_path, MAIN, *stacks, [11.0, 1, 0.0, 0], [12.0, 1, 0.1, 0], [13.0, 1, 0.1, 1])
    assert [each.gone for each in read(tmp_path, TIMED)] == [0.3]
