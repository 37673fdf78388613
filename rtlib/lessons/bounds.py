"""Bounds: limits for an answer that must run in the notebook's own process, because its Spark lives there."""

from __future__ import annotations

import ctypes
import io
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TypeVar

from rtlib.lessons.sandbox_worker import MAX_KEPT_OUTPUT, bound_memory

Result = TypeVar("Result")
INTERRUPTIONS = 10  # an answer that catches the interruption is interrupted again
INTERRUPTION_SECONDS = 0.1


class TookTooLong(Exception):
    """The answer has used up its time.

    Args:
        seconds: The limit.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"stopped after {seconds:g} seconds")


class _Interrupted(BaseException):
    """Ends the thread of an answer. Not an Exception, so that ``except Exception`` in an answer does not catch it."""


def within(seconds: float, work: Callable[[], Result], *, release: Callable[[], None] = lambda: None) -> Result:
    """Run this in a thread, and give up after some time.

    A thread has its own connection to Spark's Java. To interrupt the notebook's own one would leave it out of step:
    the next call would get the reply of the interrupted one.

    Args:
        seconds: The limit.
        work: What to run.
        release: Ends what the thread may wait for, such as a query; called when time is up.

    Raises:
        TookTooLong: The time is over. A thread that sleeps is left behind, and ends when it wakes.
        BaseException: What the work raised.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        release()
        _interrupt(thread)
        raise TookTooLong(seconds)
    if errors:
        raise errors[0]
    return results[0]


def _interrupt(thread: threading.Thread) -> None:
    for _ in range(INTERRUPTIONS):
        if thread.ident is None or not thread.is_alive():
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Interrupted))
        thread.join(INTERRUPTION_SECONDS)


class BoundedText(io.TextIOBase):
    """Keeps the beginning of what is printed, and counts the rest."""

    def __init__(self, limit: int = MAX_KEPT_OUTPUT) -> None:
        self.kept, self.printed, self._limit = "", 0, limit

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """Keep what fits."""
        self.printed += len(text)
        self.kept += text[: max(0, self._limit - len(self.kept))]
        return len(text)


@contextmanager
def memory_limit(megabytes: int) -> Iterator[None]:
    """Let this process allocate so much more and no more; larger requests raise MemoryError."""
    before: Any = resource.getrlimit(resource.RLIMIT_AS)
    bound_memory(megabytes)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def captured() -> Iterator[BoundedText]:
    """Keep what the block prints away from the notebook."""
    text = BoundedText()
    with redirect_stdout(text), redirect_stderr(text):
        yield text
