"""Signs of life: the streaming queries' progress and heartbeats, by the progress topic."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rtlib.broker.client import client_options
from rtlib.broker.consumer import progress_to_json
from rtlib.config import Settings
from rtlib.records import QueryProgress
from rtlib.streaming.job import Heartbeat

if TYPE_CHECKING:
    from kafka import KafkaProducer

HEARTBEAT_PREFIX = "heartbeat|"


class ProgressWriter:
    """Writes to ``rtlib.<domain>.progress``: key ``<query>`` for a batch, ``heartbeat|<query>`` for a sign of life."""

    def __init__(self, settings: Settings) -> None:
        from kafka import KafkaProducer

        self._topic = settings.topic("progress")
        self._producer: KafkaProducer = KafkaProducer(**client_options(settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.close(timeout=5)

    def progress(self, progress: QueryProgress) -> None:
        """Publish what one batch did."""
        self._send(progress.query, progress_to_json(progress))

    def heartbeat(self, beat: Heartbeat) -> None:
        """Publish that a query runs, and what it is doing."""
        now = datetime.now(UTC).isoformat()
        body = {"query": beat.query, "active": beat.active, "said": beat.said, "at": now}
        self._send(f"{HEARTBEAT_PREFIX}{beat.query}", json.dumps(body).encode())

    def _send(self, key: str, value: bytes) -> None:
        self._producer.send(self._topic, key=key.encode(), value=value)
