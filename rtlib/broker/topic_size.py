"""Topic size: the growth of a topic in records and bytes, sampled on a connection that stays open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtlib.broker.client import client_options
from rtlib.broker.errors import broker_errors
from rtlib.broker.topics import partitions_of
from rtlib.config import Settings

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

ANSWER_MS = 5_000  # limit for an answer; the next sample comes soon


class TopicSize:
    """Samples the offsets and the size of an existing topic.

    Args:
        settings: Where the broker is.
        topic: The topic to sample.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._client: KafkaAdminClient | None = None
        self._partitions: list[int] = []

    def begin(self) -> int:
        """The sum of the partitions' first offsets.

        Raises:
            ServiceError: The broker does not answer.
        """
        from kafka import OffsetSpec

        return self._sum(OffsetSpec.EARLIEST)

    def end(self) -> int:
        """The sum of the offsets after the partitions' last records.

        Raises:
            ServiceError: The broker does not answer.
        """
        from kafka import OffsetSpec

        return self._sum(OffsetSpec.LATEST)

    def size(self) -> int:
        """The size of the partitions' files in bytes, counting a single replica of each.

        Raises:
            ServiceError: The broker does not answer, or does not report sizes.
        """
        with broker_errors(self._settings):
            brokers = self._admin().describe_log_dirs([self._topic])
        sizes: dict[int, int] = {}
        for folder in (folder for broker in brokers for folder in broker["log_dirs"]):
            for partition in (partition for topic in folder["topics"] for partition in topic["partitions"]):
                number = partition["partition_index"]
                sizes[number] = max(sizes.get(number, 0), partition["partition_size"])
        return sum(sizes.values())

    def close(self) -> None:
        """Disconnect from the broker."""
        if self._client is not None:
            self._client.close()

    def _sum(self, which: int) -> int:
        from kafka import TopicPartition

        with broker_errors(self._settings):
            admin = self._admin()
            request = {TopicPartition(self._topic, partition): which for partition in self._partitions}
            return sum(int(result.offset) for result in admin.list_partition_offsets(request).values())

    def _admin(self) -> KafkaAdminClient:
        from kafka import KafkaAdminClient

        if self._client is None:
            options = {**client_options(self._settings), "request_timeout_ms": ANSWER_MS}
            self._client = KafkaAdminClient(**options)
        if not self._partitions:
            self._partitions = partitions_of(self._client, self._topic)
        return self._client
