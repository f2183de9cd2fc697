"""Handles on processes, for the coordinator: start them, talk to them, end them.

Read ``launch``, ``arm``, ``trial``; then what watches over them: ``memory_limit``, ``diagnostics``,
``cleanup``.
"""
