"""Clients: kafka-python against confluent-kafka, and the bare way through Kafka that no pipeline can undercut."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

from rtlib.broker.consumer import consumer
from rtlib.broker.producer import OPTIONS
from rtlib.broker.topics import TopicSpec, create, delete_topics, end_offsets
from rtlib.config import Settings
from rtlib.errors import ServiceError

BARE_RATE = 100.0


def kafka_python_rate(settings: Settings, records: Sequence[bytes]) -> float:
    """Records per second by kafka-python: handed over and acknowledged, idempotent, acks=all."""
    from kafka import KafkaProducer

    with _topic(settings, "kafka-python") as topic:
        producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, **OPTIONS)
        producer.send(topic, records[0]).get(30)  # the connection is there before the clock starts
        began = time.perf_counter()
        for number, record in enumerate(records):
            producer.send(topic, record)
            if number % 20_000 == 19_999:  # its buffer has no bound of its own
                producer.flush()
        producer.flush()
        seconds = time.perf_counter() - began
        producer.close()
        _must_hold(settings, topic, len(records) + 1)
    return len(records) / seconds


def confluent_rate(settings: Settings, records: Sequence[bytes]) -> float:
    """Records per second by confluent-kafka, with the same promises."""
    from confluent_kafka import Producer

    with _topic(settings, "confluent") as topic:
        options = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "queue.buffering.max.messages": 2_000_000}
        producer = Producer({"bootstrap.servers": settings.bootstrap_servers, **options})
        producer.produce(topic, records[0])
        producer.flush(30)
        began = time.perf_counter()
        for record in records:
            producer.produce(topic, record)
        producer.flush(60)
        seconds = time.perf_counter() - began
        _must_hold(settings, topic, len(records) + 1)
    return len(records) / seconds


def bare_loop_ms(settings: Settings, record: bytes, *, count: int) -> list[float]:
    """Milliseconds from sending a record to reading it again, one every 10 ms, by kafka-python and nothing else."""
    from kafka import KafkaProducer

    waits: list[float] = []
    with _topic(settings, "bare") as topic:
        reader = consumer(settings, topic)
        ready, done = threading.Event(), threading.Event()

        def read() -> None:
            reader.poll(timeout_ms=2_000)
            ready.set()
            while len(waits) < count and not done.is_set():
                for batch in reader.poll(timeout_ms=200).values():
                    now = time.time()
                    waits.extend((now - float(one.key)) * 1000 for one in batch)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        ready.wait(10)
        producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, **OPTIONS)
        for _ in range(count):
            producer.send(topic, value=record, key=str(time.time()).encode())
            time.sleep(1 / BARE_RATE)
        producer.flush()
        thread.join(timeout=10)
        done.set()
        producer.close()
        reader.close()
    return waits


def _must_hold(settings: Settings, topic: str, count: int) -> None:
    """A client whose records were refused is quick."""
    held = sum(end_offsets(settings, topic).values())
    if held != count:
        raise ServiceError(f"the topic {topic} holds {held:,} of {count:,} records", cure="rtlib logs broker")


@contextmanager
def _topic(settings: Settings, name: str) -> Iterator[str]:
    full = f"rtlib.bench.{name}.{uuid4().hex[:8]}"  # a name of its own: the broker deletes in its own time
    create(settings, TopicSpec(full, 1))
    try:
        yield full
    finally:
        delete_topics(settings, full)
