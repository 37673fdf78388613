"""Log: a cluster in this process with the interface of kafka-python, for situations that a real broker rarely has.

It keeps partitions, committed offsets and transactions, and can lose what is not replicated or the answer to a send.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

PARTITIONS = 4


class Crash(BaseException):
    """The process of the consumer ends. Not an Exception, so that an answer cannot catch it by accident."""


@dataclass(frozen=True, slots=True)
class Place:
    """A partition of a topic, as kafka-python's ``TopicPartition``."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record, as kafka-python's ``ConsumerRecord``; also the metadata that a send returns."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    transaction: str = ""


@dataclass(slots=True)
class Cluster:
    """The state of all brokers.

    Attributes:
        topics: Partitions of records by topic.
        committed: The committed offset by group and partition.
        aborted: Transactions that were aborted.
        open: Transactions that were neither committed nor aborted.
        transactions: The number of all.
    """

    topics: dict[str, list[list[LogRecord]]] = field(default_factory=dict)
    committed: dict[tuple[str, Place], int] = field(default_factory=dict)
    aborted: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    transactions: int = 0

    def append(self, topic: str, key: bytes | None, value: bytes | None, *, transaction: str = "") -> LogRecord:
        """Write a record to the partition of its key; without a key, to each in turn."""
        partitions = self.topics.setdefault(topic, [[] for _ in range(PARTITIONS)])
        number = sum(map(len, partitions)) if key is None else crc32(key)
        number %= len(partitions)
        record = LogRecord(topic, number, len(partitions[number]), key, value, transaction)
        partitions[number].append(record)
        return record

    def records(self, topic: str) -> list[LogRecord]:
        """All records of a topic, partition by partition."""
        return [record for partition in self.topics.get(topic, []) for record in partition]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a send returns, as kafka-python's future."""

    record: LogRecord

    def get(self, timeout: float | None = None) -> LogRecord:
        """Where the record is."""
        return self.record


class Producer:
    """As ``KafkaProducer``: the parts that the exercises need."""

    def __init__(self, cluster: Cluster, **options: Any) -> None:
        self.cluster, self.options = cluster, options
        self._transaction = ""

    def send(self, topic: str, value: bytes | None = None, key: bytes | None = None, **_: Any) -> Sent:
        """Write a record."""
        for name, content in (("key", key), ("value", value)):
            if content is not None and not isinstance(content, bytes | bytearray):
                raise TypeError(f"the {name} of a record must be bytes, not {type(content).__name__}")
        return Sent(self.cluster.append(topic, key, value, transaction=self._transaction))

    def begin_transaction(self) -> None:
        """Begin a transaction."""
        self.cluster.transactions += 1
        self._transaction = f"transaction {self.cluster.transactions}"
        self.cluster.open.add(self._transaction)

    def commit_transaction(self) -> None:
        """Commit it."""
        self.cluster.open.discard(self._transaction)
        self._transaction = ""

    def abort_transaction(self) -> None:
        """Abort it."""
        self.cluster.open.discard(self._transaction)
        self.cluster.aborted.add(self._transaction)
        self._transaction = ""

    def flush(self, timeout: float | None = None) -> None:
        """Nothing is buffered."""

    def close(self, timeout: float | None = None) -> None:
        """Nothing is left open."""


class Consumer:
    """As ``KafkaConsumer``: it ends when there are no more records, like one with ``consumer_timeout_ms``."""

    def __init__(self, *topics: str, cluster: Cluster, **options: Any) -> None:
        self._cluster, self._topics, self._options = cluster, topics, options
        self._positions: dict[Place, int] = {}
        self.auto_committed = False
        for topic in topics:
            self._take([Place(topic, number) for number in range(PARTITIONS)])

    @property
    def _group(self) -> str | None:
        return self._options.get("group_id")

    def assign(self, places: list[Place]) -> None:
        """Read these partitions."""
        self._positions = {}
        self._take([Place(place.topic, place.partition) for place in places])

    def _take(self, places: list[Place]) -> None:
        for place in places:
            reset = 0 if self._options.get("auto_offset_reset") == "earliest" else len(self._log(place))
            stored = self._cluster.committed.get((self._group, place)) if self._group is not None else None
            self._positions[place] = reset if stored is None else stored

    def _log(self, place: Place) -> list[LogRecord]:
        partitions = self._cluster.topics.get(place.topic, [])
        return partitions[place.partition] if place.partition < len(partitions) else []

    def _visible(self, record: LogRecord) -> bool:
        hidden = self._cluster.aborted | self._cluster.open
        return self._options.get("isolation_level") != "read_committed" or record.transaction not in hidden

    def __iter__(self) -> Iterator[LogRecord]:
        for place in list(self._positions):
            while self._positions[place] < len(self._log(place)):
                record = self._log(place)[self._positions[place]]
                self._positions[place] += 1
                if self._options.get("enable_auto_commit", True) and self._group is not None:
                    self.commit()  # the real one commits after some seconds, whether the work is done or not
                if self._visible(record):
                    yield record
        self.close()

    def poll(self, timeout_ms: int = 0, max_records: int | None = None, **_: Any) -> Mapping[Place, list[LogRecord]]:
        """The next records by partition, up to ``max_records``."""
        batches: dict[Place, list[LogRecord]] = {}
        left = max_records or 500
        for place, position in self._positions.items():
            taken = self._log(place)[position : position + left]
            if taken:
                batches[place] = [record for record in taken if self._visible(record)]
                self._positions[place] += len(taken)
                left -= len(taken)
        return batches

    def commit(self, offsets: Mapping[Any, Any] | None = None) -> None:
        """Store the positions, or these offsets, for the group."""
        if self._group is None:
            raise AssertionError("a consumer without a group_id cannot commit")
        if offsets is None:
            chosen = dict(self._positions)
        else:
            chosen = {Place(place.topic, place.partition): getattr(at, "offset", at) for place, at in offsets.items()}
        self._cluster.committed.update({(self._group, place): offset for place, offset in chosen.items()})

    def seek(self, place: Any, offset: int) -> None:
        """Go on reading there."""
        self._positions[Place(place.topic, place.partition)] = offset

    def seek_to_beginning(self, *_: Any) -> None:
        """Read everything again."""
        self._positions = dict.fromkeys(self._positions, 0)

    def assignment(self) -> set[Place]:
        """The partitions that are read."""
        return set(self._positions)

    def partitions_for_topic(self, topic: str) -> set[int]:
        """The numbers of the partitions."""
        return set(range(PARTITIONS))

    def close(self) -> None:
        """Nothing is left open."""
