"""Notify: the callback for progress; long operations call it with a line of text."""

from collections.abc import Callable

Notify = Callable[[str], None]
