"""A Kafka client of another make on the real stack, before other tests send what no schema can refuse."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

from rtlib.broker.client import librdkafka_options
from rtlib.broker.registry import registry_options
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from support.stack import ask, until

pytestmark = pytest.mark.integration
Place = tuple[int, int]  # partition and offset
NEWEST = 300  # records of each partition


def test_a_client_of_another_make_reads_every_event_that_was_not_broken(settings: Settings) -> None:
    topic = settings.topic("events")
    ends = until(lambda: (found := end_offsets(settings, topic)) and sum(found.values()) >= 900 and found, seconds=90)
    begins = {partition: max(0, end - NEWEST) for partition, end in ends.items()}
    good, misfits = read_by_another_make(settings, topic, begins, dict(ends))
    assert good + len(misfits) == sum(ends.values()) - sum(begins.values())
    assert good >= 500

    def archived() -> bool:
        reached = {row["p"]: row["o"] for row in ask(settings, ARCHIVED)}
        return all(reached.get(partition, 0) >= end for partition, end in ends.items() if end)

    until(archived, seconds=60)
    rows = ask(settings, "select kafka_partition as p, kafka_offset as o from RAW.REJECTED")
    refused = {(int(row["p"]), int(row["o"])) for row in rows}
    assert misfits == {
        (partition, offset) for partition, offset in refused if begins[partition] <= offset < ends[partition]
    }


ARCHIVED = """
select kafka_partition as p, max(kafka_offset) + 1 as o from (
    select kafka_partition, kafka_offset from RAW.EVENTS
    union all select kafka_partition, kafka_offset from RAW.REJECTED
) group by kafka_partition
"""


def read_by_another_make(
    settings: Settings, topic: str, begins: dict[int, int], ends: dict[int, int]
) -> tuple[int, set[Place]]:
    """Read these offsets with Confluent's client: how many records validate, and where those are that do not."""
    registry = SchemaRegistryClient(registry_options(settings))
    deserialize = JSONDeserializer(schema_str=None, schema_registry_client=registry)
    reader = Consumer({**librdkafka_options(settings), "group.id": uuid.uuid4().hex})
    reader.assign([TopicPartition(topic, partition, begins[partition]) for partition, end in ends.items() if end])
    good, misfits = 0, set()
    left = sum(ends.values()) - sum(begins.values())
    while left:
        message = reader.poll(30)
        assert message is not None and message.error() is None
        if message.offset() >= ends[message.partition()]:
            continue
        left -= 1
        try:
            event = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
            assert message.key().decode() == event["site"]
            good += 1
        except (SerializationError, ValueError):
            misfits.add((message.partition(), message.offset()))
    reader.close()
    return good, misfits
