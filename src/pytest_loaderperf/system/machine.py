"""What kind of machine this is: only what stays the same from run to run."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from pathlib import Path

from .cpus import usable_cpus

# Of packages, their major version belongs to the class.
_FRAMEWORKS = ("torch", "tensorflow")


def machine_class(packages: Mapping[str, str]) -> str:
    """The class of this machine, for a check that uses these packages.

    Numbers of one class may be compared; no field of it moves with frequency, load or host name.
    """
    facts = machine()
    return f"{facts['cpu']} x{facts['cores']}, {_software(packages)}"


def runs_the_same(machine: str, packages: Mapping[str, str]) -> bool:
    """Whether a class of machines has the system, the architecture and the Python of this one.

    Its CPU may be another one.
    """
    return machine.endswith(f", {_software(packages)}")


def _software(packages: Mapping[str, str]) -> str:
    facts = machine()
    majors = [f"{name} {packages[name].split('.')[0]}" for name in _FRAMEWORKS if name in packages]
    system = f"{facts['os']} {facts['architecture']}"
    return ", ".join([system, f"Python {facts['python']}", *majors])


def machine() -> dict[str, str | int]:
    """The stable facts about this machine."""
    return {
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "cores": len(usable_cpus()),
        "os": platform.system(),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def _cpu_model() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or "unknown CPU"
