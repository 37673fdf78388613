"""Clients: kafka-python compared with confluent-kafka, and a bare round trip, the lower bound of any pipeline."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from rtlib.bench.client_profile import Clock, HotSpot, Speed, hottest
from rtlib.broker.client import client_options, librdkafka_options
from rtlib.broker.consumer import consumer
from rtlib.broker.producer import OPTIONS
from rtlib.broker.topic_specs import TopicSpec
from rtlib.broker.topics import create, delete_topics, end_offsets
from rtlib.config import Settings
from rtlib.errors import ServiceError

if TYPE_CHECKING:
    from kafka import KafkaProducer

BARE_RATE = 100.0


def kafka_python(settings: Settings, records: Sequence[bytes]) -> Speed:
    """Speed of kafka-python until all records are acknowledged; idempotent, ``acks=all``."""
    with _topic(settings, "kafka-python") as topic, _kafka_python(settings, topic, records[0]) as producer:
        clock = Clock()
        _send_all(producer, topic, records)
        speed = clock.speed(len(records))
        _must_hold(settings, topic, len(records) + 1)
    return speed


def hot_spots(settings: Settings, records: Sequence[bytes]) -> list[HotSpot]:
    """The hottest functions of kafka-python in the calling thread."""
    import cProfile

    profile = cProfile.Profile(time.thread_time)  # processor time: waiting for another thread does not count
    with _topic(settings, "profile") as topic, _kafka_python(settings, topic, records[0]) as producer:
        profile.runcall(_send_all, producer, topic, records)
    return hottest(profile)


@contextmanager
def _kafka_python(settings: Settings, topic: str, record: bytes) -> Iterator[KafkaProducer]:
    from kafka import KafkaProducer

    producer = KafkaProducer(**client_options(settings), **OPTIONS)
    try:
        producer.send(topic, record).get(30)  # connected before the clock starts
        yield producer
    finally:
        producer.close()


def _send_all(producer: KafkaProducer, topic: str, records: Sequence[bytes]) -> None:
    for number, record in enumerate(records):
        producer.send(topic, record)
        if number % 20_000 == 19_999:  # its buffer is not bounded
            producer.flush()
    producer.flush()


def confluent(settings: Settings, records: Sequence[bytes]) -> Speed:
    """Speed of confluent-kafka with the same guarantees."""
    from confluent_kafka import Producer

    with _topic(settings, "confluent") as topic:
        options = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "queue.buffering.max.messages": 2_000_000}
        producer = Producer({**librdkafka_options(settings), **options})
        producer.produce(topic, records[0])
        producer.flush(30)
        clock = Clock()
        for record in records:
            producer.produce(topic, record)
        producer.flush(60)
        speed = clock.speed(len(records))
        _must_hold(settings, topic, len(records) + 1)
    return speed


def bare_loop_ms(settings: Settings, record: bytes, *, count: int) -> list[float]:
    """Round trips of single records through Kafka by kafka-python, in milliseconds; a record every 10 ms."""
    from kafka import KafkaProducer, TopicPartition

    round_trips: list[float] = []
    with _topic(settings, "bare") as topic:
        reader, partition, done = consumer(settings), TopicPartition(topic, 0), threading.Event()
        reader.assign([partition])
        reader.position(partition)  # resolves the offset before the first record is sent

        def read() -> None:
            while len(round_trips) < count and not done.is_set():
                for batch in reader.poll(timeout_ms=200).values():
                    now = time.time()
                    round_trips.extend((now - float(record.key)) * 1000 for record in batch)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        producer = KafkaProducer(**client_options(settings), **OPTIONS)
        for _ in range(count):
            producer.send(topic, value=record, key=str(time.time()).encode())
            time.sleep(1 / BARE_RATE)
        producer.flush()
        thread.join(timeout=10)
        done.set()
        producer.close()
        reader.close()
    return round_trips


def _must_hold(settings: Settings, topic: str, count: int) -> None:
    """Fail if records are missing: a client whose records are refused looks fast."""
    held = sum(end_offsets(settings, topic).values())
    if held != count:
        raise ServiceError(f"the topic {topic} holds {held:,} of {count:,} records", cure="rtlib logs broker")


@contextmanager
def _topic(settings: Settings, name: str) -> Iterator[str]:
    topic = f"rtlib.bench.{name}.{uuid4().hex[:8]}"  # unique, because the broker deletes topics asynchronously
    create(settings, TopicSpec(topic, 1))
    try:
        yield topic
    finally:
        delete_topics(settings, topic)
