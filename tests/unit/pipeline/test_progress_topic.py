"""Progress topic: the records that a reader keeps, and those that a writer loses."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import kafka
import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.future import Future

from rtlib.broker.serde import progress_to_json
from rtlib.config import Settings
from rtlib.pipeline.telemetry import progress_topic
from rtlib.pipeline.telemetry.progress_topic import MAX_BATCHES, ProgressReader, ProgressWriter
from rtlib.records import QueryProgress

PLACE = TopicPartition("rtlib.curbside.progress", 0)


class Record:
    """A record of the progress topic."""

    def __init__(self, key: bytes | None, value: bytes | None) -> None:
        self.key, self.value = key, value


class Topic:
    """A consumer of a progress topic with these records."""

    def __init__(self, records: list[Record]) -> None:
        self._records, self._at = records, 0

    def assign(self, partitions: list[Any]) -> None: ...

    def seek(self, partition: Any, offset: int) -> None: ...

    def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return {PLACE: len(self._records)}

    def position(self, partition: Any) -> int:
        return self._at

    def poll(self, timeout_ms: int) -> dict[Any, list[Record]]:
        self._at = len(self._records)
        return {PLACE: self._records}


def beat(part: str) -> Record:
    content = {"part": part, "active": True, "said": "it runs", "at": datetime.now(UTC).isoformat(), "numbers": {}}
    return Record(f"heartbeat|{part}".encode(), json.dumps(content).encode())


def batch(query: str, number: int) -> Record:
    progress = QueryProgress(query, number, datetime.now(UTC), 1, 1.0, 1.0, 0, 0, None, {}, {})
    return Record(query.encode(), progress_to_json(progress))


def read(monkeypatch: pytest.MonkeyPatch, *records: Record) -> ProgressReader:
    monkeypatch.setattr(progress_topic, "consumer", lambda settings: Topic(list(records)))
    reader = ProgressReader(Settings())
    reader.catch_up()
    return reader


def test_records_under_unknown_names_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    strangers = [record for number in range(500) for record in (beat(f"part-{number}"), batch(f"query-{number}", 1))]
    reader = read(monkeypatch, beat("loader"), *strangers, batch("kpis", 1))
    assert set(reader.heartbeats) == {"loader"}
    assert set(reader.progress) == {"kpis"}


def test_the_newest_batches_of_each_query_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = read(monkeypatch, *(batch("kpis", number) for number in range(MAX_BATCHES + 30)))
    assert [progress.batch_id for progress in reader.progress["kpis"]] == list(range(30, MAX_BATCHES + 30))


def heartbeat(**changes: Any) -> bytes:
    """A heartbeat of the loader with an invalid field."""
    return json.dumps({**json.loads(beat("loader").value or b""), **changes}).encode()


@pytest.mark.parametrize(
    "value",
    [
        *(None, b"", b"\xff", b"[]", b'{"part": "loader"}', b'{"part": ["loader"], "at": 7}'),
        *(
            heartbeat(at="2030-01-01T00:00:00"),
            heartbeat(numbers="x"),
            heartbeat(numbers={"lag": "x"}),
            heartbeat(active="no"),
            heartbeat(said=7),
        ),
    ],
)
@pytest.mark.parametrize("key", [None, b"\xff", b"heartbeat|loader", b"kpis"])
def test_a_record_that_is_neither_heartbeat_nor_progress_is_ignored(
    monkeypatch: pytest.MonkeyPatch, key: bytes | None, value: bytes | None
) -> None:
    reader = read(monkeypatch, Record(key, value), beat("alerts"))
    assert set(reader.heartbeats) == {"alerts"}
    assert reader.progress == {}


class Producer:
    """A producer whose records wait for the test's answer."""

    def __init__(self, **_: Any) -> None:
        self.futures: list[Future] = []

    def send(self, topic: str, *, key: bytes, value: bytes) -> Future:
        self.futures.append(Future())
        return self.futures[-1]


def test_a_record_that_kafka_does_not_accept_is_counted_and_an_outage_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kafka, "KafkaProducer", Producer)
    writer = ProgressWriter(Settings(kafka_bootstrap_servers="broker:9092"))
    for number in range(4):
        writer.progress(QueryProgress("kpis", number, datetime.now(UTC), 1, 1.0, 1.0, 0, 0, None, {}, {}))
    producer: Any = writer._producer
    with caplog.at_level(logging.INFO):
        for future in producer.futures[:3]:
            future.failure(KafkaTimeoutError("two minutes"))
        producer.futures[3].success(None)
    assert writer.lost == 3
    lost, again = (record.getMessage() for record in caplog.records)
    assert "did not accept a record of rtlib.curbside.progress: KafkaTimeoutError: two minutes" in lost
    assert "again; 3 were lost" in again
