"""Record fetch: the values of records at known offsets, a few megabytes at a time, by librdkafka.

A large record that fits no schema would pass through Spark's driver only to be written elsewhere, and a thousand of
them would fill its memory. The driver receives only the offset; the value is read here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rtlib.broker.client import librdkafka_options
from rtlib.broker.errors import librdkafka_errors
from rtlib.config import Settings
from rtlib.errors import ServiceError, StreamError

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

log = logging.getLogger(__name__)
ANSWER_SECONDS = 15.0  # the broker may be restarting
MAX_GAP = 32  # offsets to read and skip; a wider gap is cheaper by a new seek
QUEUE_KB = 4 * 1024  # fetched, but not yet read
NOWHERE = (-1, -1)


class RecordFetch:
    """Reads single records of a topic by partition and offset; use it in a ``with``.

    Args:
        settings: Where the broker is.
        topic: The topic to read from.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._consumer: Consumer | None = None
        self._next = NOWHERE  # partition and offset of the consumer's next record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._consumer is not None:
            self._consumer.close()

    def values(self, places: Iterable[tuple[int, int]]) -> list[bytes]:
        """The values of the records at these partitions and offsets; fastest in the order of the offsets.

        Raises:
            ServiceError: The broker does not answer.
            StreamError: A record has been deleted.
        """
        with librdkafka_errors(self._settings):
            return [self._value(partition, offset) for partition, offset in places]

    def _value(self, partition: int, offset: int) -> bytes:
        if not (self._next[0] == partition and 0 <= offset - self._next[1] <= MAX_GAP):
            self._seek(partition, offset)
        while True:
            message = self._poll(partition, offset)
            position = message.offset() or 0
            self._next = (partition, position + 1)
            if position == offset:
                return message.value() or b""
            if position > offset:
                raise self._deleted(partition, offset)

    def _seek(self, partition: int, offset: int) -> None:
        from confluent_kafka import Consumer, TopicPartition

        if self._consumer is None:
            options = {
                **librdkafka_options(self._settings),
                "group.id": f"{self._topic}.fetch",  # librdkafka requires a group; nothing is committed under it
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "queued.max.messages.kbytes": QUEUE_KB,
                "fetch.max.bytes": QUEUE_KB * 1024,
            }
            self._consumer = Consumer(options, logger=log)
        self._consumer.assign([TopicPartition(self._topic, partition, offset)])
        self._next = (partition, offset)

    def _poll(self, partition: int, offset: int) -> Message:
        from confluent_kafka import KafkaError, KafkaException

        assert self._consumer
        message = self._consumer.poll(ANSWER_SECONDS)
        if message is None:
            self._next = NOWHERE
            raise ServiceError(
                f"the broker at {self._settings.bootstrap_servers} did not send record {offset} of partition "
                f"{partition} of {self._topic} within {ANSWER_SECONDS:.0f} s",
                cure="rtlib status",
            )
        error = message.error()
        if error is None:
            return message
        self._next = NOWHERE
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise self._deleted(partition, offset)
        raise KafkaException(error)

    def _deleted(self, partition: int, offset: int) -> StreamError:
        return StreamError(
            f"record {offset} of partition {partition} of {self._topic} was deleted before it was archived",
            cure="increase Kafka's retention (retention.ms, retention.bytes of the topic), then rtlib reset",
        )
