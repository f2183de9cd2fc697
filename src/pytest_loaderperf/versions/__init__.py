"""The versions of the project: their files, their worktrees, and the proof of what they ran.

Read ``sources`` and ``proof``; ``repository`` and ``worktree`` are what git has to do with it.
``footprint`` is what a check may use.
"""
