"""Where a loss comes from: both versions once more, in trials that give no verdict.

``sampling`` takes such a pair, ``stacks`` reads what its processes have written, ``calls`` adds it
up by function and line, and ``lines`` tells which of them explain the difference.
"""
