"""Found by every Python that a run starts: its folder comes first on ``PYTHONPATH``.

The interpreter imports it when it has set up its path. It has ``loaderperf_sources`` take effect,
and then lets the ``sitecustomize`` that would have been found without it do its work.
"""

import os
import sys


def _start() -> None:
    here = __file__.rpartition("/")[0]
    from importlib.machinery import PathFinder  # noqa: PLC0415
    from importlib.util import module_from_spec  # noqa: PLC0415

    import loaderperf_sources  # noqa: PLC0415

    others = [each for each in sys.path if each != here]
    sys.path[:] = [*others, here]  # last: some make a PYTHONPATH of it for what they start
    loaderperf_sources.start()
    if "LOADERPERF_STACKS" in os.environ:
        import loaderperf_stacks  # noqa: PLC0415

        loaderperf_stacks.start()
    if "LOADERPERF_ALLOCATIONS" in os.environ:
        import loaderperf_allocations  # noqa: PLC0415

        loaderperf_allocations.start_later()
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


_start()
