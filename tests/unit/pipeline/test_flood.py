"""A flood of large records: its size, its rate and its tally."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest

from rtlib.config import Settings
from rtlib.pipeline.audit.tallies import runs
from rtlib.pipeline.workers.flood import Flooded, flood

SIZE = 20_000


class Producer:
    """A producer that refuses every third record; its queue is full at every fifth attempt."""

    def __init__(self, options: dict[str, object]) -> None:
        self.attempts, self.sent = 0, list[bytes]()
        Producer.newest = self

    newest: Any = None

    def produce(self, topic: str, value: bytes, *, key: str, on_delivery: Callable[[object, object], None]) -> None:
        self.attempts += 1
        if self.attempts % 5 == 0:
            raise BufferError("the queue is full")
        self.sent.append(value)
        on_delivery("refused" if len(self.sent) % 3 == 0 else None, None)

    def poll(self, seconds: float) -> None: ...

    def flush(self, seconds: float) -> None: ...


def test_a_flood_counts_the_records_that_the_broker_accepts_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confluent_kafka, "Producer", Producer)
    settings = Settings(home=tmp_path, domain="iot", kafka_bootstrap_servers="broker:9092")
    result = flood(settings, record_bytes=SIZE, rate=200, seconds=0.3, stop=threading.Event())
    sent = Producer.newest.sent
    failed = len(sent) // 3
    assert {len(value) for value in sent} == {SIZE}
    assert 3 <= len(sent) <= 60
    assert result == Flooded(len(sent) - failed, failed, (len(sent) - failed) * SIZE)
    (run,) = runs(settings)
    assert (run.closed, run.tally.malformed) == (True, len(sent) - failed)
