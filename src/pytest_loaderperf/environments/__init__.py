"""The packages of a baseline: which ones a file asks for, and environments that have them.

Read ``requirements`` and ``making``; ``locks`` has a reader for each kind of lock file.
"""
