"""Inside a measured process: an arm, which is a run of pytest, and the trials that it forks.

Read ``__main__``, ``plugin``, ``fixture``, ``driver``.

PYTEST_DONT_REWRITE: it is imported before pytest is configured.
"""
