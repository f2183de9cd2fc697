"""A regression guard for the speed and memory of data loaders, as a pytest plugin."""

__version__ = "0.1.0"
