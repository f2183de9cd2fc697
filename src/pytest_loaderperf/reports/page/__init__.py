"""What the HTML page is made of: its first screen, then what it tells of each check.

To be read in this order: ``forest``, ``first_screen``, ``details``, ``charts``.
"""
