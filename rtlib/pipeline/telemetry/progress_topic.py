"""Signs of life: every part's heartbeat and the queries' progress, by the progress topic."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rtlib.broker.client import client_options
from rtlib.broker.consumer import UNREADABLE, consumer, progress_from_record, progress_to_json
from rtlib.config import Settings
from rtlib.errors import EventRefused
from rtlib.records import Heartbeat, QueryProgress
from rtlib.services.parts import HEARTBEATS
from rtlib.streaming.queries import QUERIES

if TYPE_CHECKING:
    from kafka import KafkaProducer

HEARTBEAT_PREFIX = "heartbeat|"
# A sign that nobody took within two minutes is given up, and an idempotent producer of kafka-python sends nothing any
# more after that. A sign that comes twice does no harm; one request at a time keeps them in order.
SIGN_OPTIONS = {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1}
KEPT = 120  # progress records kept of each query
KNOWN = frozenset(HEARTBEATS)  # anybody may write to the topic, under any name; only these are kept


class ProgressWriter:
    """Writes to ``rtlib.<domain>.progress``: key ``<query>`` for a batch, ``heartbeat|<query>`` for a sign of life."""

    def __init__(self, settings: Settings) -> None:
        from kafka import KafkaProducer

        self._topic = settings.topic("progress")
        self._producer: KafkaProducer = KafkaProducer(**client_options(settings), **SIGN_OPTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Send what is still to be sent, and leave the broker."""
        self._producer.close(timeout=5)

    def progress(self, progress: QueryProgress) -> None:
        """Publish what one batch did."""
        self._send(progress.query, progress_to_json(progress))

    def heartbeat(self, beat: Heartbeat) -> None:
        """Publish that a part works, and what it is doing."""
        body = {**asdict(beat), "at": beat.at.isoformat(), "numbers": dict(beat.numbers)}
        self._send(f"{HEARTBEAT_PREFIX}{beat.part}", json.dumps(body).encode())

    def _send(self, key: str, value: bytes) -> None:
        self._producer.send(self._topic, key=key.encode(), value=value)


class ProgressReader:
    """Reads the progress topic from near its end: the newest heartbeat of each part, and progress as it comes.

    Args:
        settings: Which domain.
        tail: How many records before the end to begin with; enough for a sign of each part and some history.
    """

    def __init__(self, settings: Settings, *, tail: int = 400) -> None:
        from kafka import TopicPartition

        self._partition = TopicPartition(settings.topic("progress"), 0)
        self._reader = consumer(settings)
        self._reader.assign([self._partition])
        self._reader.seek(self._partition, max(0, self._end() - tail))
        self.heartbeats: dict[str, Heartbeat] = {}
        self.progress: dict[str, list[QueryProgress]] = {}

    def catch_up(self) -> None:
        """Read what has come since the last call."""
        end = self._end()
        while self._reader.position(self._partition) < end:
            for record in self._reader.poll(timeout_ms=500).get(self._partition, []):
                self._take((record.key or b"").decode(errors="replace"), record.value)

    def close(self) -> None:
        """Leave the broker."""
        self._reader.close()

    def _end(self) -> int:
        return int(self._reader.end_offsets([self._partition])[self._partition])

    def _take(self, key: str, value: bytes | None) -> None:
        """Note a sign; one that nobody here could have written is passed over."""
        try:
            if key.startswith(HEARTBEAT_PREFIX):
                beat = _heartbeat(value)
                if beat.part in KNOWN:
                    self.heartbeats[beat.part] = beat
            elif key in QUERIES:
                kept = [*self.progress.get(key, []), progress_from_record(value)]
                self.progress[key] = kept[-KEPT:]
        except (*UNREADABLE, EventRefused):
            return


def _heartbeat(value: bytes | None) -> Heartbeat:
    told = json.loads(value or b"")
    beat = Heartbeat(**{**told, "at": datetime.fromisoformat(told["at"])})
    numbers = {str(name): float(number) for name, number in dict(beat.numbers).items()}
    if beat.at.tzinfo is None or not isinstance(beat.active, bool) or not isinstance(beat.said, str):
        raise ValueError("not a heartbeat")
    return replace(beat, numbers=numbers)


def newest_progress(settings: Settings, query: str) -> QueryProgress | None:
    """What a query told of its newest batch; None before the first.

    Raises:
        KafkaError: The broker does not answer.
    """
    reader = ProgressReader(settings)
    try:
        reader.catch_up()
    finally:
        reader.close()
    told = reader.progress.get(query)
    return told[-1] if told else None
