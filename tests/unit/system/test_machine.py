"""The machine class: what stays the same from run to run, and nothing else."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

from pytest_loaderperf.system.machine import machine, machine_class, runs_the_same

# --- the class ----------------------------------------------------------------------------------


def test_major_versions_of_the_frameworks_make_a_class() -> None:
    plain = machine_class({})
    assert machine_class({"numpy": "2.4.6", "pillow": "11.0"}) == plain
    assert machine_class({"torch": "2.4.0"}) == machine_class({"torch": "2.14.1+cpu"})
    assert len({plain, *(machine_class({"torch": f"{n}.0"}) for n in (1, 2))}) == 3
    both = {"torch": "2.4.0", "tensorflow": "2.16.1"}
    assert machine_class(both) == machine_class(dict(reversed(both.items())))
    assert machine_class(both) == f"{plain}, torch 2, tensorflow 2"


@pytest.mark.parametrize("packages", [{}, {"torch": "2.4.0"}])
def test_another_cpu_runs_the_same_and_another_python_does_not(packages: dict[str, str]) -> None:
    here = machine_class(packages)
    assert runs_the_same(here, packages)
    assert runs_the_same(here.replace(f"{machine()['cpu']} x", "Another, fast one x1"), packages)
    assert not runs_the_same(here.replace("Python 3", "Python 2"), packages)
    assert not runs_the_same(here.replace(f"{machine()['os']} ", "Other "), packages)
    assert not runs_the_same(here, {**packages, "tensorflow": "2.16.1"})
    assert not runs_the_same(f"{here}, tensorflow 2", packages)


def test_the_class_names_processor_cores_system_and_python() -> None:
    known, name = machine(), machine_class({})
    assert all(str(known[key]) in name for key in ("cpu", "cores", "architecture", "os", "python"))
    assert known["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert known["architecture"] == platform.machine()


def test_neither_host_name_nor_load_nor_release_makes_a_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = machine_class({}), machine()
    monkeypatch.setattr(platform, "node", lambda: "another-host")
    monkeypatch.setattr(platform, "release", lambda: "99.0-another")
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 99.0, 99.0))
    assert (machine_class({}), machine()) == before


def test_facts_go_into_json() -> None:
    assert json.loads(json.dumps(machine())) == machine()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="has no affinity")
def test_cores_are_those_that_may_be_used() -> None:
    code = """
import os
from pytest_loaderperf.system.machine import machine
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
print(machine()["cores"])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(run.stdout) == 1


def test_a_class_is_the_same_in_another_process() -> None:
    code = "from pytest_loaderperf.system.machine import machine_class; print(machine_class({}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.rstrip("\n") == machine_class({})
