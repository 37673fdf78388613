"""Wait: polling until a condition holds or time runs out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], *, seconds: float, interval: float, holds: Callable[[T], object] = bool
) -> T:
    """Poll a condition until it holds.

    Args:
        condition: Called at once and after each pause; what it raises ends the wait.
        seconds: The time limit. The condition is checked at least once.
        interval: The pause between two checks, in seconds.
        holds: Decides by the returned value whether the condition holds; by default its truth.

    Returns:
        The last value of the condition; it does not hold if the time ran out.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if holds(value) or time.monotonic() >= deadline:
            return value
        time.sleep(interval)
