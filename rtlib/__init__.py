"""rtlib: a real-time data stack for learning, in small modules, and the live graph that shows it."""

__version__ = "0.1.0"
