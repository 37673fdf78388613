"""Gap: offsets of a topic that hold no record for readers."""

from __future__ import annotations

from collections.abc import Mapping

from rtlib.broker.client import librdkafka_options
from rtlib.broker.errors import librdkafka_errors
from rtlib.config import Settings

TIMEOUT_SECONDS = 60.0
MAX_BUFFERED = 10_000  # records in the producer's buffer


def take_offsets(settings: Settings, topic: str, counts: Mapping[int, int]) -> None:
    """Take at least this many of the next offsets of each partition, by records of a transaction that is aborted.

    Kafka assigns an offset only once while it keeps the log, and readers of committed records skip these.

    Args:
        settings: Where the broker is.
        topic: The topic.
        counts: Partition to the number of offsets.

    Raises:
        ServiceError: The broker does not answer, or refuses.
    """
    from confluent_kafka import Producer

    options = {**librdkafka_options(settings), "transactional.id": f"{topic}.gap"}
    with librdkafka_errors(settings):
        producer = Producer(options)
        producer.init_transactions(TIMEOUT_SECONDS)
        producer.begin_transaction()
        for partition, count in counts.items():
            for number in range(count):
                producer.produce(topic, value=b"", partition=partition)
                if number % MAX_BUFFERED == MAX_BUFFERED - 1:
                    producer.flush(TIMEOUT_SECONDS)
        producer.flush(TIMEOUT_SECONDS)
        producer.abort_transaction(TIMEOUT_SECONDS)
