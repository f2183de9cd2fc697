"""Found by every Python that a run starts: its folder comes first on ``PYTHONPATH``.

The interpreter imports it when it has set up its path. It has ``loaderperf_sources`` take effect,
and then lets the ``sitecustomize`` that would have been found without it do its work.
"""

import sys


def _start() -> None:
    here = __file__.rpartition("/")[0]
    from importlib.machinery import PathFinder  # noqa: PLC0415
    from importlib.util import module_from_spec  # noqa: PLC0415

    import loaderperf_sources  # noqa: PLC0415

    while here in sys.path:  # nothing else is to be found there; what is started has PYTHONPATH
        sys.path.remove(here)
    loaderperf_sources.start()
    spec = PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


_start()
