"""rtlib: the parts of a real-time data stack, each behind a small module, and the graph that shows them."""

__version__ = "0.1.0"
