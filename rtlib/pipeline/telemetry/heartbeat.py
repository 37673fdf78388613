"""Heartbeat: a worker's own report, once a second, that it works and what it is doing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.pipeline.telemetry.progress_topic import ProgressWriter
from rtlib.records import Heartbeat

INTERVAL_SECONDS = 1.0
FRESH_SECONDS = 10.0  # an older heartbeat no longer counts; a busy machine may delay several


class HeartbeatEmitter:
    """Publishes the heartbeat of a worker, at most once a second."""

    def __init__(self, part: str, settings: Settings) -> None:
        self._part = part
        self._writer = ProgressWriter(settings)
        self._emitted = 0.0

    def due(self) -> bool:
        """Whether the last heartbeat is a second old."""
        return time.monotonic() - self._emitted >= INTERVAL_SECONDS

    def emit(self, message: str, numbers: Mapping[str, float]) -> None:
        """Publish a heartbeat if one is due; ``numbers`` are the worker's own figures."""
        if self.due():
            self._emitted = time.monotonic()
            self._writer.heartbeat(Heartbeat(self._part, True, message, datetime.now(UTC), numbers))

    def finish(self, message: str) -> None:
        """Publish that the worker has ended its work."""
        self._writer.heartbeat(Heartbeat(self._part, False, message, datetime.now(UTC)))

    def close(self) -> None:
        """Send the heartbeats still in the buffer, and disconnect."""
        self._writer.close()
