"""What is known of loaders and batches of any kind, without importing a framework.

Read ``recognise`` and ``adapter``; ``kinds`` has a module for each framework.
"""
