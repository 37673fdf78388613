"""Reader: a topic for parts that must take every record of it, by librdkafka.

Real-time mode writes a KPI record for every event, and two parts read them all. kafka-python's consumer costs them
about 18 µs a record, librdkafka's 2 to 4: under load that is a tenth of everything that the machine does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from rtlib.broker.client import librdkafka_options
from rtlib.broker.errors import librdkafka_errors
from rtlib.config import Settings

if TYPE_CHECKING:
    from confluent_kafka import Message, TopicPartition

log = logging.getLogger(__name__)
Partition = tuple[str, int]  # topic and number
ANSWER_SECONDS = 10.0  # how long the broker may take to say where a partition ends, or a group is
HELD_KB = 16 * 1024  # between what was fetched and what was read, at the most


class Reader:
    """Reads partitions that are assigned by hand, without records of aborted transactions.

    Args:
        settings: Where the broker is.
        starts: The partitions, and the offset at which to begin; None where the group has committed, or at the oldest.
        group: Whose offsets ``commit`` writes.
        together_bytes: The broker answers once it has so many bytes,
        together_ms: or after so long: an answer costs it more than what is in it.

    Raises:
        ServiceError: The broker does not answer, or refused.
    """

    def __init__(
        self,
        settings: Settings,
        starts: Mapping[Partition, int | None],
        *,
        group: str,
        together_bytes: int,
        together_ms: int,
    ) -> None:
        from confluent_kafka import Consumer

        self._settings = settings
        options = {
            **librdkafka_options(settings),
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,  # or what was read would end before a transaction's last mark
            "fetch.min.bytes": together_bytes,
            "fetch.wait.max.ms": together_ms,
            "queued.max.messages.kbytes": HELD_KB,
        }
        with librdkafka_errors(self._settings):
            self._consumer = Consumer(options, logger=log)
            self._positions = {one: self._begin(one) if at is None else at for one, at in starts.items()}
            self._consumer.assign([_place(one, at) for one, at in self._positions.items()])

    def poll(self, *, seconds: float, most: int) -> list[Message]:
        """The records that have come, at the most so many; waits so long for the first.

        Raises:
            ServiceError: The broker refused.
        """
        with librdkafka_errors(self._settings):
            first = self._consumer.poll(seconds)
            if first is None:
                return []
            found = [first, *self._consumer.consume(most - 1, 0)]
            self._note(found)
            return [one for one in found if one.error() is None]

    def commit(self) -> None:
        """Commit what was read, and wait for the broker's word.

        Raises:
            ServiceError: The broker does not take it.
        """
        with librdkafka_errors(self._settings):
            places = [_place(one, at) for one, at in self._positions.items()]
            self._consumer.commit(offsets=places, asynchronous=False)

    def ends(self) -> dict[Partition, int]:
        """The offset after the newest record of each partition.

        Raises:
            ServiceError: The broker does not answer.
        """
        with librdkafka_errors(self._settings):
            return {one: self._limits(one)[1] for one in self._positions}

    def has_reached(self, ends: Mapping[Partition, int]) -> bool:
        """True when everything before these ends was read."""
        return all(self._positions[one] >= end for one, end in ends.items())

    def behind(self, topic: str) -> int:
        """How many offsets of a topic are still to be read.

        Raises:
            ServiceError: The broker does not answer.
        """
        with librdkafka_errors(self._settings):
            read = [(one, at) for one, at in self._positions.items() if one[0] == topic]
            return sum(max(0, self._limits(one)[1] - at) for one, at in read)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _begin(self, one: Partition) -> int:
        patiently = Retrying(
            retry=retry_if_exception(_has_no_coordinator_yet),
            wait=wait_fixed(0.2),
            stop=stop_after_delay(ANSWER_SECONDS),
            reraise=True,
        )
        committed = patiently(self._consumer.committed, [_place(one)], timeout=ANSWER_SECONDS)[0].offset
        return int(committed) if committed >= 0 else self._limits(one)[0]

    def _limits(self, one: Partition) -> tuple[int, int]:
        oldest, end = self._consumer.get_watermark_offsets(_place(one), timeout=ANSWER_SECONDS)
        return int(oldest), int(end)

    def _note(self, found: Sequence[Message]) -> None:
        """Note how far each partition was read: to its last record of these, or to the news that it ends."""
        from confluent_kafka import KafkaError, KafkaException

        reached: dict[Partition, int] = {}
        for one in reversed(found):
            if error := one.error():
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                reached.setdefault(_partition(one), one.offset() or 0)
            elif len(reached) < len(self._positions):
                reached.setdefault(_partition(one), (one.offset() or 0) + 1)
        self._positions |= reached


def _has_no_coordinator_yet(error: BaseException) -> bool:
    """A broker whose first group this is still makes the topic of the groups' offsets."""
    from confluent_kafka import KafkaError, KafkaException

    none = (
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    )
    return isinstance(error, KafkaException) and error.args[0].code() in none


def _partition(message: Message) -> Partition:
    return str(message.topic()), message.partition() or 0


def _place(one: Partition, offset: int | None = None) -> TopicPartition:
    from confluent_kafka import TopicPartition

    return TopicPartition(*one) if offset is None else TopicPartition(*one, offset)
