"""Results as the services show them that run a project's jobs. Read ``markdown`` first.

Names of tests and messages may be hostile here: a pull request of anybody brings its own.
"""
