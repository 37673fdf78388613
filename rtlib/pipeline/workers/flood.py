"""Flood: large records that are not events, at a steady rate, as from a faulty client."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from rtlib.broker.client import librdkafka_options
from rtlib.broker.errors import librdkafka_errors
from rtlib.broker.framing import frame
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.audit.tallies import Run, write_run
from rtlib.records import Tally
from rtlib.simulator import Simulator

if TYPE_CHECKING:
    from confluent_kafka import Producer

QUEUE_KB = 16 * 1024  # waiting for the broker: the flood itself must not fill the memory
DELIVERY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Flooded:
    """The result of a flood: records that the broker accepted, records that it did not, and the bytes accepted."""

    taken: int
    failed: int
    bytes: int


def flood(settings: Settings, *, record_bytes: int, rate: float, seconds: float, stop: threading.Event) -> Flooded:
    """Send large records to the events topic, half of them JSON with a padded attribute, half not JSON.

    If the broker accepts them more slowly than ``rate``, the overdue records are skipped.

    Args:
        settings: Where the broker is, and which domain.
        record_bytes: The size of a record, in bytes.
        rate: Records per second.
        seconds: The duration.
        stop: Ends the flood early.

    Raises:
        ServiceError: The broker does not answer.
    """
    from confluent_kafka import Producer

    results = {True: 0, False: 0}

    def count(error: object, _: object) -> None:
        results[error is None] += 1

    with librdkafka_errors(settings):
        producer = Producer(_options(settings, record_bytes))
        send = partial(producer.produce, settings.topic("events"), on_delivery=count)
        _send_steadily(producer, send, cycle(_records(record_bytes)), rate=rate, seconds=seconds, stop=stop)
        producer.flush(DELIVERY_SECONDS)
    _write_tally(settings, results[True])
    return Flooded(results[True], results[False], results[True] * record_bytes)


def _options(settings: Settings, record_bytes: int) -> dict[str, object]:
    return {
        **librdkafka_options(settings),
        "enable.idempotence": True,  # a retry does not duplicate a record
        "queue.buffering.max.kbytes": QUEUE_KB,
        "message.max.bytes": record_bytes + 10_000,
        "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
    }


def _send_steadily(
    producer: Producer,
    send: Callable[..., None],
    values: Iterator[bytes],
    *,
    rate: float,
    seconds: float,
    stop: threading.Event,
) -> None:
    """Send ``rate`` records per second; while the queue is full, wait."""
    began, number = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds and not stop.is_set():
        due = int(now * rate)
        if number >= due:
            producer.poll(1 / rate)
            continue
        number = max(number, due - round(rate))  # make up for at most a second
        try:
            send(next(values), key=str(number))
            number += 1
        except BufferError:
            producer.poll(0.1)


def _write_tally(settings: Settings, accepted: int) -> None:
    """Write a tally of these records, as records that fit no schema."""
    now = datetime.now(UTC)
    world = Simulator(load_domain(settings.domain), seed=1, start=now, rate=1, run=f"flood-{now.timestamp():.6f}")
    write_run(settings, Run(world, Tally(malformed=accepted), closed=True))


def _records(size: int) -> Iterator[bytes]:
    record = frame(1, json.dumps({"kind": "padded", "attributes": {"padding": ""}}).encode())
    yield record.replace(b'"padding": "', b'"padding": "' + b"x" * (size - len(record)))
    yield frame(1, b"no JSON ".ljust(size - 5, b"\xfe"))
