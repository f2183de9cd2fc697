"""What is accepted: the files of numbers, and the commits that hold them.

Read ``store``, then ``reference``.
"""
