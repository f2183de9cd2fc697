"""The packages of a baseline: which ones a file asks for, and environments that have them.

Read ``requirements``, ``contents`` and ``making``; ``locks`` reads each kind of lock file.
"""
