"""Background: work in a thread for the duration of a block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

JOIN_SECONDS = 30.0


@contextmanager
def background(
    work: Callable[[threading.Event], None], *, name: str, join_seconds: float = JOIN_SECONDS
) -> Iterator[None]:
    """Run ``work`` in a thread while the block runs.

    Args:
        work: Receives an event that is set at the end of the block; has to return soon afterwards.
        name: The thread's name.
        join_seconds: How long to wait for it at the end of the block.
    """
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=join_seconds)
