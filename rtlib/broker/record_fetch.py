"""Record fetch: the values of records whose places are known, a few megabytes at a time, by librdkafka.

A large record that fits no schema would travel through Spark's driver only to be written down elsewhere, and a
thousand of them would fill its memory. The driver learns its place instead, and its value is read from here.
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
ANSWER_SECONDS = 15.0  # the broker may be coming back
NEAR = 32  # offsets that are read and passed over; for a wider gap the reading begins anew
HELD_KB = 4 * 1024  # between what was fetched and what was read


class RecordFetch:
    """Reads single records of a topic by partition and offset; use it in a ``with``.

    Args:
        settings: Where the broker is.
        topic: Whose records.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._consumer: Consumer | None = None
        self._next = (-1, -1)  # partition and offset of what the consumer reads next

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._consumer is not None:
            self._consumer.close()

    def values(self, places: Iterable[tuple[int, int]]) -> list[bytes]:
        """The value of the record at each partition and offset; quickest in the order of the offsets.

        Raises:
            ServiceError: The broker does not answer.
            StreamError: A record is no longer there.
        """
        with librdkafka_errors(self._settings):
            return [self._value(partition, offset) for partition, offset in places]

    def _value(self, partition: int, offset: int) -> bytes:
        if not (self._next[0] == partition and 0 <= offset - self._next[1] <= NEAR):
            self._begin(partition, offset)
        while True:
            message = self._poll(partition, offset)
            at = message.offset() or 0
            self._next = (partition, at + 1)
            if at == offset:
                return message.value() or b""
            if at > offset:
                raise self._gone(partition, offset)

    def _begin(self, partition: int, offset: int) -> None:
        from confluent_kafka import Consumer, TopicPartition

        if self._consumer is None:
            options = {
                **librdkafka_options(self._settings),
                "group.id": f"{self._topic}.fetch",  # a name is asked for; nothing is committed under it
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "queued.max.messages.kbytes": HELD_KB,
                "fetch.max.bytes": HELD_KB * 1024,
            }
            self._consumer = Consumer(options, logger=log)
        self._consumer.assign([TopicPartition(self._topic, partition, offset)])
        self._next = (partition, offset)

    def _poll(self, partition: int, offset: int) -> Message:
        from confluent_kafka import KafkaError, KafkaException

        assert self._consumer
        message = self._consumer.poll(ANSWER_SECONDS)
        if message is None:
            self._next = (-1, -1)
            raise ServiceError(
                f"the broker at {self._settings.bootstrap_servers} has not sent record {offset} of partition "
                f"{partition} of {self._topic} within {ANSWER_SECONDS:.0f} s",
                cure="rtlib status",
            )
        error = message.error()
        if error is None:
            return message
        self._next = (-1, -1)
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise self._gone(partition, offset)
        raise KafkaException(error)

    def _gone(self, partition: int, offset: int) -> StreamError:
        return StreamError(
            f"record {offset} of partition {partition} of {self._topic} was deleted before it was archived",
            cure="let Kafka keep records for longer (retention.ms, retention.bytes of the topic), then rtlib reset",
        )
