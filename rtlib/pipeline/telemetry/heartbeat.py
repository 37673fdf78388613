"""Beats: a part's own sign of life, and what it waits for before it begins."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import RtlibError
from rtlib.formatting import format_quantity
from rtlib.records import Heartbeat

FRESH_SECONDS = 10.0  # an older heartbeat no longer counts; a busy machine may delay several


class HeartbeatEmitter:
    """A part's own heartbeat, told at most once a second."""

    def __init__(self, part: str, settings: Settings) -> None:
        from rtlib.pipeline.telemetry.progress_topic import ProgressWriter

        self._part = part
        self._writer = ProgressWriter(settings)
        self._told = 0.0

    def due(self) -> bool:
        """True when the last sign is a second old."""
        return time.monotonic() - self._told >= 1.0

    def emit(self, said: str, numbers: Mapping[str, float]) -> None:
        """Say that the part works, unless it was said less than a second ago."""
        if self.due():
            self._told = time.monotonic()
            self._writer.heartbeat(Heartbeat(self._part, True, said, datetime.now(UTC), numbers))

    def close(self) -> None:
        """Send what is still to be sent."""
        self._writer.close()


class Skipped:
    """Counts the records that a part refuses: read again they would be no better."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._last = ""
        self.count = 0

    def add(self, refused: Sequence[object]) -> None:
        """Count records, by why each was refused; the part's log has the last of them."""
        if refused:
            self.count += len(refused)
            self._last = f"{refused[-1]!s:.300}"
            self._log.warning("records refused: %d, the last: %s", len(refused), self._last)

    @property
    def said(self) -> str:
        """The end of what a heartbeat says; nothing where there was none."""
        return f", {format_quantity(self.count, 'records')} refused, the last: {self._last:.120}" if self.count else ""


def wait_for_topics(settings: Settings) -> None:
    """Wait until the broker answers and the domain's topics are there.

    Raises:
        RtlibError: They were not there in time.
    """
    from rtlib.broker.topics import end_offsets

    @retry(retry=retry_if_exception_type(RtlibError), wait=wait_fixed(0.3), stop=stop_after_delay(120), reraise=True)
    def ask() -> None:
        for name in ("events", "kpis", "rejected", "progress"):
            end_offsets(settings, settings.topic(name))

    ask()
