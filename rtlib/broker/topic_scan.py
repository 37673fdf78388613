"""Topic scan: every record of a topic, read once from the first record to the present end."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from rtlib.broker.consumer import consumer
from rtlib.broker.errors import broker_errors
from rtlib.config import Settings

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord

POLL_RECORDS = 5_000


def contents(
    settings: Settings, topic: str, *, read_committed: bool = True, since: Mapping[int, int] | None = None
) -> Generator[ConsumerRecord]:
    """All records that the topic holds now; records that arrive during the scan are skipped.

    Args:
        settings: Where the broker is.
        topic: The topic to read.
        read_committed: Skip records of aborted transactions.
        since: Partition to the offset to begin at; None begins with the first record.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    from kafka import TopicPartition

    from rtlib.broker.topics import end_offsets

    ends = {TopicPartition(topic, number): end for number, end in end_offsets(settings, topic).items()}
    reader = consumer(settings, read_committed=read_committed, max_partition_fetch_bytes=4 * 1024 * 1024)
    with broker_errors(settings):
        try:
            reader.assign(list(ends))
            if since is None:
                reader.seek_to_beginning(*ends)
            else:
                for partition in ends:
                    reader.seek(partition, since.get(partition.partition, 0))
            while any(reader.position(partition) < end for partition, end in ends.items()):
                for partition, batch in reader.poll(timeout_ms=500, max_records=POLL_RECORDS).items():
                    yield from (record for record in batch if record.offset < ends[partition])
        finally:
            reader.close()
