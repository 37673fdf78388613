"""The archive sink loads a batch once, and does not finish it before Kafka has accepted its misfits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pytest

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline.workers import archive_sink
from rtlib.pipeline.workers.archive_sink import ArchiveSink
from rtlib.records import Rejected
from rtlib.streaming.queries import ArchiveBatch

MISFIT = {
    "payload": b"?", "payload_bytes": 1, "reason": "not a JSON object", "field": None,
    "topic": "rtlib.iot.events", "kafka_partition": 2, "kafka_offset": 41, "received_at": "",
}  # fmt: skip


class Warehouse:
    """Counts the batches loaded."""

    def __init__(self, settings: Settings) -> None:
        self.loaded = 0

    def run(self, work: Callable[..., Any], *args: Any) -> None:
        self.loaded += 1

    def close(self) -> None: ...


class Fetch:
    """No record is large enough to be fetched."""

    def __init__(self, settings: Settings, topic: str) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Publisher:
    """Fails a number of times, then records what is published."""

    failures = 0

    def __init__(self, settings: Settings) -> None:
        self.published: list[Rejected] = []

    def publish(self, records: Iterable[Rejected]) -> None:
        if Publisher.failures:
            Publisher.failures -= 1
            raise ServiceError("the broker did not accept a record")
        self.published.extend(records)

    def close(self) -> None: ...


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def sink(tmp_path: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> ArchiveSink:
    monkeypatch.setattr(archive_sink, "Warehouse", Warehouse)
    monkeypatch.setattr(archive_sink, "RecordFetch", Fetch)
    monkeypatch.setattr(archive_sink, "RejectedPublisher", Publisher)
    return ArchiveSink(Settings(home=tmp_path, domain="iot"), stop=stop)


def batch(number: int) -> ArchiveBatch:
    return ArchiveBatch(
        number, events=pd.DataFrame(), rejected=pd.DataFrame([MISFIT]), offsets_from={"0": 0}, offsets_to={"0": 9}
    )


def published(sink: Any) -> list[tuple[int, int]]:
    return [(record.partition, record.offset) for record in sink._publisher.published]


def test_a_failed_publication_is_repeated_until_kafka_accepts_the_misfits(
    sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Publisher, "failures", 2)
    sink.apply(batch(1))
    assert published(sink) == [(2, 41)]


def test_a_failed_publication_is_an_error_while_the_application_stops(
    sink: Any, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Publisher, "failures", 1)
    stop.set()
    with pytest.raises(ServiceError, match="did not accept"):
        sink.apply(batch(1))
    sink.apply(batch(1))  # the batch did not count as applied
    assert published(sink) == [(2, 41)]


def test_a_batch_that_the_query_repeats_is_loaded_and_published_once(sink: Any) -> None:
    for number in (1, 1, 2):
        sink.apply(batch(number))
    assert sink._warehouse.loaded == 2
    assert published(sink) == [(2, 41), (2, 41)]
