"""The first check of a project, in the order of its making. No code of the project is run for it.

``seen`` reads what its sources import, ``examples`` has a check for each framework, ``maker`` finds
the function that makes a loader, ``first_check`` writes a test of it, and ``guide`` says it all.
"""
