"""Rate: the growth of a count per second."""

from __future__ import annotations

import time
from collections import deque

RATE_SECONDS = 5.0  # the period over which a rate is averaged


class Rate:
    """Turns a growing count into a rate per second, averaged over the last few seconds."""

    def __init__(self, seconds: float = RATE_SECONDS) -> None:
        self._seconds = seconds
        self._points: deque[tuple[float, float]] = deque()

    def add(self, count: float) -> float | None:
        """Add the present count; returns the rate, or None until there are two points."""
        now = time.monotonic()
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[0][0] > self._seconds:
            self._points.popleft()
        (t0, c0), (t1, c1) = self._points[0], self._points[-1]
        return (c1 - c0) / (t1 - t0) if t1 > t0 else None
