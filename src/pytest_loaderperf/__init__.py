"""A regression guard for the speed and memory of data loaders, as a pytest plugin.

PYTEST_DONT_REWRITE: a process that measures imports this package before pytest is configured.
"""

__version__ = "0.1.0"
