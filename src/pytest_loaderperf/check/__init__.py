"""One check, from top to bottom. Read ``runner`` first."""
