"""A run as a terminal shows it, as pure functions of its width and its characters.

``screen`` says what fits, ``bar`` draws a ratio, ``table`` has the row of a check and the table of
all, ``todo`` what to type next.
"""
