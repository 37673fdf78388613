"""Signs of life: what is kept of them, whoever writes to the topic."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import TopicPartition

from rtlib.broker.serde import progress_to_json
from rtlib.config import Settings
from rtlib.pipeline.telemetry import progress_topic
from rtlib.pipeline.telemetry.progress_topic import KEPT, ProgressReader
from rtlib.records import QueryProgress

PLACE = TopicPartition("rtlib.curbside.progress", 0)


class Record:
    """A record of the progress topic."""

    def __init__(self, key: bytes | None, value: bytes | None) -> None:
        self.key, self.value = key, value


class Topic:
    """A consumer of the progress topic that holds these records."""

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
    told = {"part": part, "active": True, "said": "it runs", "at": datetime.now(UTC).isoformat(), "numbers": {}}
    return Record(f"heartbeat|{part}".encode(), json.dumps(told).encode())


def batch(query: str, number: int) -> Record:
    told = QueryProgress(query, number, datetime.now(UTC), 1, 1.0, 1.0, 0, 0, None, {}, {})
    return Record(query.encode(), progress_to_json(told))


def read(monkeypatch: pytest.MonkeyPatch, *records: Record) -> ProgressReader:
    monkeypatch.setattr(progress_topic, "consumer", lambda settings: Topic(list(records)))
    reader = ProgressReader(Settings())
    reader.catch_up()
    return reader


def test_signs_under_names_that_no_part_has_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    strangers = [one for number in range(500) for one in (beat(f"part-{number}"), batch(f"query-{number}", 1))]
    reader = read(monkeypatch, beat("loader"), *strangers, batch("kpis", 1))
    assert set(reader.heartbeats) == {"loader"}
    assert set(reader.progress) == {"kpis"}


def test_of_each_query_the_newest_batches_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = read(monkeypatch, *(batch("kpis", number) for number in range(KEPT + 30)))
    assert [one.batch_id for one in reader.progress["kpis"]] == list(range(30, KEPT + 30))


def told(**changes: Any) -> bytes:
    """A heartbeat of the loader with something that no part would say."""
    return json.dumps({**json.loads(beat("loader").value or b""), **changes}).encode()


@pytest.mark.parametrize(
    "value",
    [
        *(None, b"", b"\xff", b"[]", b'{"part": "loader"}', b'{"part": ["loader"], "at": 7}'),
        *(
            told(at="2030-01-01T00:00:00"),
            told(numbers="x"),
            told(numbers={"lag": "x"}),
            told(active="no"),
            told(said=7),
        ),
    ],
)
@pytest.mark.parametrize("key", [None, b"\xff", b"heartbeat|loader", b"kpis"])
def test_a_record_that_is_no_sign_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, key: bytes | None, value: bytes | None
) -> None:
    reader = read(monkeypatch, Record(key, value), beat("alerts"))
    assert set(reader.heartbeats) == {"alerts"}
    assert reader.progress == {}
