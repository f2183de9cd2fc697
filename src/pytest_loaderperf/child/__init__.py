"""What every Python that a run starts gets, whether or not this package is installed for it.

``sitecustomize`` is found by the interpreter, ``loaderperf_sources`` does the work. Read that.
"""
