"""The start of an arm: ``python -m pytest_loaderperf.arm DESCRIPTOR``, of a socket it inherits."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import traceback

import pytest

from .. import __version__
from ..errors import LoaderPerfError
from ..items import ARM
from ..protocol.channel import Channel, ChannelClosed
from ..protocol.messages import Hello, Setup
from ..system import signals
from .diagnostics import register
from .plugin import ArmPlugin, failed


def main() -> None:
    """Serve one coordinator until it closes the channel."""
    os.set_inheritable(int(sys.argv[1]), False)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    register(os.dup(2))
    channel.send(Hello(plugin=__version__))
    setup = channel.receive(Setup)
    if setup.fresh:
        # It may be suspended when the coordinator dies. An arm that forks never is: it lives on for
        # a moment, to end its trials.
        signals.die_with_parent()
    kept = sys.path[1:] if setup.keeps_path else sys.path[-1:]  # last is what stands in each Python
    sys.path[:] = [*setup.sys_path, *kept]
    try:
        config = pytest.Config.fromdictargs(setup.options, setup.args)
        # In front they would hide modules of the standard library while plugins are imported.
        sys.path[-1:-1] = [each for each in setup.more_path if each not in sys.path]
        given = [each for texts in setup.typed.values() for each in texts]
        converted = vars(config._parser.parse_known_args(given))
        vars(config.option).update({k: v for k, v in converted.items() if k in setup.typed})
        config.pluginmanager.register(ArmPlugin(channel, setup), ARM)
        config.hook.pytest_cmdline_main(config=config)
    except (Exception, pytest.UsageError) as error:  # noqa: BLE001  (whatever a conftest raises)
        cause = getattr(error, "cause", error)  # pytest wraps what a conftest raised
        lines = traceback.format_exception(cause)
        with contextlib.suppress(ChannelClosed):
            channel.send(failed("".join(lines), usage=isinstance(error, pytest.UsageError)))


if __name__ == "__main__":
    try:
        main()
    except LoaderPerfError as problem:
        sys.exit(str(problem))
