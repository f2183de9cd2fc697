"""One run as several: who does what, what each of them writes down, and one run again.

``balance`` comes first, then ``records``, then ``merging``.
"""
