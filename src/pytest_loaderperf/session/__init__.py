"""Pytest's side of the coordinator: options, collection, reports, files. Read ``run`` first."""
