"""Notify: the callback that long operations call with a line about their progress."""

from collections.abc import Callable

Notify = Callable[[str], None]
