"""Flood: large records that are no events, at a steady rate, as a client that went wrong would send them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle

from rtlib.broker.client import librdkafka_options
from rtlib.broker.errors import librdkafka_errors
from rtlib.broker.framing import frame
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.audit.tallies import Run, write_run
from rtlib.records import Tally
from rtlib.simulator import Simulator

HELD_KB = 16 * 1024  # waiting for the broker: the flood must not be what fills the memory
DELIVERY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Flooded:
    """What was sent: records that the broker took, and those that it did not."""

    taken: int
    failed: int
    bytes: int


def flood(settings: Settings, *, record_bytes: int, rate: float, seconds: float, stop: threading.Event) -> Flooded:
    """Send large records to the events topic, half of them JSON with a padded attribute, half no JSON at all.

    A broker that takes them more slowly than ``rate`` is waited for; those that are late are left out.

    Args:
        settings: Where the broker is, and which domain.
        record_bytes: Size of a record, in bytes.
        rate: Records per second.
        seconds: For how long.
        stop: Ends it early.

    Raises:
        ServiceError: The broker does not answer.
    """
    from confluent_kafka import Producer

    answers = {True: 0, False: 0}

    def answered(error: object, _: object) -> None:
        answers[error is None] += 1

    options = {
        **librdkafka_options(settings),
        "enable.idempotence": True,  # a record that is sent again is not there twice
        "queue.buffering.max.kbytes": HELD_KB,
        "message.max.bytes": record_bytes + 10_000,
        "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
    }
    with librdkafka_errors(settings):
        producer = Producer(options)
        values = cycle(_records(record_bytes))
        began = time.monotonic()
        number = 0
        while (now := time.monotonic() - began) < seconds and not stop.is_set():
            due = int(now * rate)
            if number >= due:
                producer.poll(1 / rate)
                continue
            number = max(number, due - round(rate))  # at most a second of them is made up for
            try:
                producer.produce(settings.topic("events"), next(values), key=str(number), on_delivery=answered)
                number += 1
            except BufferError:
                producer.poll(0.1)
        producer.flush(DELIVERY_SECONDS)
    _account(settings, answers[True])
    return Flooded(answers[True], answers[False], answers[True] * record_bytes)


def _account(settings: Settings, taken: int) -> None:
    """Enter them in the account of what was sent, as records that fit no schema."""
    now = datetime.now(UTC)
    world = Simulator(load_domain(settings.domain), seed=1, start=now, rate=1, run=f"flood-{now.timestamp():.6f}")
    write_run(settings, Run(world, Tally(malformed=taken), closed=True))


def _records(size: int) -> Iterator[bytes]:
    told = frame(1, json.dumps({"kind": "padded", "attributes": {"padding": ""}}).encode())
    yield told.replace(b'"padding": "', b'"padding": "' + b"x" * (size - len(told)))
    yield frame(1, b"no JSON ".ljust(size - 5, b"\xfe"))
