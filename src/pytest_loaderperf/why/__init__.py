"""Where a loss comes from: both versions once more, in trials that give no verdict.

``reasons`` says what is looked for. Of time, ``sampling`` takes a pair, and ``stacks`` reads what
its processes have written; of memory, ``memory`` does both. ``calls`` adds it up by function and
line, and ``lines`` tells which of them explain the difference.
"""
