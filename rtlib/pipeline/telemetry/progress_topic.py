"""Progress topic: heartbeats of the parts and progress of the queries, published and read."""

from __future__ import annotations

import logging
from contextlib import closing
from types import TracebackType
from typing import Self

from rtlib.broker.consumer import consumer
from rtlib.broker.errors import broker_errors
from rtlib.broker.plain_producer import plain_producer
from rtlib.broker.serde import (
    HEARTBEAT_PREFIX,
    heartbeat_from_record,
    heartbeat_to_json,
    progress_from_record,
    progress_to_json,
)
from rtlib.config import Settings
from rtlib.errors import EventRefused
from rtlib.records import BatchJob, Heartbeat, QueryProgress
from rtlib.services.parts import HEARTBEATS
from rtlib.streaming.queries import QUERIES

log = logging.getLogger(__name__)
# kafka-python drops a record that Kafka has not accepted within two minutes, and an idempotent producer sends nothing
# more after that. Progress may be repeated, so idempotence is off; a single request at a time keeps the order.
PROGRESS_OPTIONS = {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1}
MAX_BATCHES = 120  # kept of each query
TAIL_RECORDS = 400  # enough for a heartbeat of each part and some batches
# Accepted names: any client may write to the topic, under any name.
SOURCES = frozenset((*HEARTBEATS, *(job.heartbeat for job in BatchJob)))


class ProgressWriter:
    """Publishes to ``rtlib.<domain>.progress``: a query's progress and a part's heartbeat.

    A lost record is no reason to stop: the next record replaces it. It is logged, and counted in ``lost``.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic("progress")
        self._producer = plain_producer(settings, **PROGRESS_OPTIONS)
        self._failing = False
        self.lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Send the records still in the buffer, and disconnect."""
        self._producer.close(timeout=5)

    def progress(self, progress: QueryProgress) -> None:
        """Publish the progress of a batch."""
        self._send(progress.query, progress_to_json(progress))

    def heartbeat(self, beat: Heartbeat) -> None:
        """Publish a heartbeat."""
        self._send(f"{HEARTBEAT_PREFIX}{beat.part}", heartbeat_to_json(beat))

    def _send(self, key: str, value: bytes) -> None:
        future = self._producer.send(self._topic, key=key.encode(), value=value)
        future.add_callback(self._on_ack)
        future.add_errback(self._on_failure)

    # The two below run in the producer's own thread.
    def _on_ack(self, _: object) -> None:
        if self._failing:
            log.info("Kafka accepts records of %s again; %d were lost", self._topic, self.lost)
        self._failing = False

    def _on_failure(self, error: Exception) -> None:
        self.lost += 1
        if not self._failing:  # a single line for an outage, however long
            log.warning("Kafka did not accept a record of %s: %s", self._topic, error)
        self._failing = True


class ProgressReader:
    """Reads the progress topic from near its end: the newest heartbeat of each part, and new progress.

    Attributes:
        heartbeats: The newest heartbeat by part.
        progress: The newest batches by query, in the order of time; at most ``MAX_BATCHES`` of each.

    Args:
        settings: Which domain.
        tail: How many records before the end to begin.
    """

    def __init__(self, settings: Settings, *, tail: int = TAIL_RECORDS) -> None:
        from kafka import TopicPartition

        self._partition = TopicPartition(settings.topic("progress"), 0)
        self._reader = consumer(settings)
        self._reader.assign([self._partition])
        self._reader.seek(self._partition, max(0, self._end() - tail))
        self.heartbeats: dict[str, Heartbeat] = {}
        self.progress: dict[str, list[QueryProgress]] = {}

    def catch_up(self) -> None:
        """Read the records published since the last call."""
        end = self._end()
        while self._reader.position(self._partition) < end:
            for record in self._reader.poll(timeout_ms=500).get(self._partition, []):
                self._add((record.key or b"").decode(errors="replace"), record.value)

    def close(self) -> None:
        """Disconnect from the broker."""
        self._reader.close()

    def _end(self) -> int:
        return int(self._reader.end_offsets([self._partition])[self._partition])

    def _add(self, key: str, value: bytes | None) -> None:
        """Add a record; records that no part of this stack writes are ignored."""
        try:
            if key.startswith(HEARTBEAT_PREFIX):
                beat = heartbeat_from_record(value)
                if beat.part in SOURCES:
                    self.heartbeats[beat.part] = beat
            elif key in QUERIES:
                batches = [*self.progress.get(key, []), progress_from_record(value)]
                self.progress[key] = batches[-MAX_BATCHES:]
        except EventRefused:
            return


def read_progress(settings: Settings, *, tail: int = TAIL_RECORDS) -> ProgressReader:
    """What the end of the topic holds now: a reader that has caught up and is closed.

    Raises:
        ServiceError: The broker does not answer.
    """
    with broker_errors(settings), closing(ProgressReader(settings, tail=tail)) as reader:
        reader.catch_up()
    return reader


def newest_progress(settings: Settings, query: str) -> QueryProgress | None:
    """The progress of a query's newest batch; None before the first batch.

    Raises:
        ServiceError: The broker does not answer.
    """
    batches = read_progress(settings).progress.get(query)
    return batches[-1] if batches else None
