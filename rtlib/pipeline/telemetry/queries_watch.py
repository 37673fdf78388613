"""Queries watch: whether the streaming application works, by the heartbeats of its queries."""

from __future__ import annotations

from datetime import UTC, datetime

from rtlib.broker.errors import broker_errors
from rtlib.config import Settings
from rtlib.pipeline.telemetry.progress_topic import ProgressReader
from rtlib.streaming.queries import QUERIES


class QueriesWatch:
    """Whether both queries have reported that they run, since this watch began.

    Args:
        settings: Which domain.

    Raises:
        ServiceError: The broker does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._since = settings, datetime.now(UTC)
        with broker_errors(settings):
            self._reader = ProgressReader(settings, tail=0)

    def run(self) -> bool:
        """True when they run.

        Raises:
            ServiceError: The broker does not answer.
        """
        with broker_errors(self._settings):
            self._reader.catch_up()
        beats = [beat for name in QUERIES if (beat := self._reader.heartbeats.get(name))]
        return len(beats) == len(QUERIES) and all(beat.active and beat.at >= self._since for beat in beats)

    def close(self) -> None:
        """Disconnect from the broker."""
        self._reader.close()
