"""Records that the loader and the alerting service refuse; a list of records replaces Kafka."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from confluent_kafka import Message
from snowflake.connector import SnowflakeConnection

from rtlib.broker.kpi_records import RefusedKpi
from rtlib.broker.librdkafka_reader import Partition
from rtlib.broker.serde import progress_to_json
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.workers import alerting, loader
from rtlib.records import QueryProgress
from rtlib.warehouse.connection import query
from support.warehouse_server import WarehouseServer

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
EMITTED: list[tuple[str, Mapping[str, float]]] = []


@dataclass
class Log:
    """A reader that returns its records once, and then stops the worker."""

    records: list[Message]
    stop: threading.Event
    committed: int = 0
    read: int = 0

    def poll(self, **_: Any) -> list[Message]:
        if self.read:
            self.stop.set()
            return []
        self.read = len(self.records)
        return self.records

    def ends(self) -> dict[Partition, int]:
        return {("any", 0): len(self.records)}

    def has_reached(self, ends: Mapping[Partition, int]) -> bool:
        return all(self.read >= end for end in ends.values())

    def lag(self, topic: str) -> int:
        return sum(record.topic() == topic for record in self.records[self.read :])

    def commit(self) -> None:
        self.committed = self.read

    def close(self) -> None:
        pass


def record(topic: str, key: bytes, value: bytes | None) -> Message:
    return Message(topic=topic, key=key, value=value, timestamp=(1, round(NOW.timestamp() * 1000)))


class Beat:
    """A heartbeat emitter that only records its arguments."""

    def __init__(self, part: str, settings: Settings) -> None:
        EMITTED.clear()

    def due(self) -> bool:
        return True

    def emit(self, message: str, numbers: Mapping[str, float]) -> None:
        EMITTED.append((message, numbers))

    def close(self) -> None:
        pass


class Published:
    """A publisher of refused records that only records them."""

    records: ClassVar[list[tuple[str, str]]] = []
    unpublished = 7

    def __init__(self, settings: Settings) -> None:
        self.records.clear()

    def publish(self, refused: Sequence[RefusedKpi]) -> None:
        self.records.extend((record.field, record.reason) for record in refused)

    def close(self) -> None:
        pass


def kpi(settings: Settings, minute: int, **changes: Any) -> Message:
    begin = NOW - timedelta(minutes=10 - minute)
    domain = load_domain(settings.domain)
    site, measures = domain.sites[0].id, {kpi.name: None for kpi in domain.kpis}
    content = {
        "domain": settings.domain, "site": site, "window_start": begin.isoformat(),
        "window_end": (begin + timedelta(minutes=1)).isoformat(), "measures": measures, "events": 3, "late": 0,
        "first_event_at": begin.isoformat(), "last_event_at": (begin + timedelta(seconds=59)).isoformat(),
        **changes,
    }  # fmt: skip
    return record(settings.topic("kpis"), f"{begin:%Y-%m-%dT%H:%M:%SZ}|{site}".encode(), json.dumps(content).encode())


@pytest.fixture
def settings(tmp_path: Path, warehouse_server: WarehouseServer, warehouse: SnowflakeConnection) -> Settings:
    warehouse_server.share_with(tmp_path)
    return Settings(home=tmp_path, part="loader", domain="iot")


@pytest.fixture
def reading(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Log]:
    """Replaces the reader of both workers by a log of these records."""

    def log_of(*records: Message) -> Log:
        log = Log(list(records), threading.Event())
        for module in (loader, alerting):
            monkeypatch.setattr(module, "HeartbeatEmitter", Beat)
            monkeypatch.setattr(module, "wait_for_topics", lambda settings: None)
            monkeypatch.setattr(module, "_reader", lambda settings, *_: log)
        monkeypatch.setattr(loader, "RefusalPublisher", Published)
        return log

    return log_of


def misfits(settings: Settings) -> list[Message]:
    kpis = settings.topic("kpis")
    return [record(kpis, b"a tombstone", None), record(kpis, b"broken", b"{"), record(kpis, b"text", b'"hello"')]


def test_the_loader_refuses_and_counts_bad_records_and_loads_the_others(
    settings: Settings, warehouse: SnowflakeConnection, reading: Callable[..., Log], caplog: pytest.LogCaptureFixture
) -> None:
    unknown = record(settings.topic("progress"), b"kpis", b"{}")
    log = reading(kpi(settings, 1), *misfits(settings), unknown, kpi(settings, 2))
    loader.run_loader(settings, log.stop)
    assert query(warehouse, "select count(*) as n from SPEED.KPIS") == [{"n": 2}]
    assert log.committed == len(log.records)  # otherwise it would read them again forever
    message, numbers = EMITTED[-1]
    assert message.startswith("0 KPI records behind, 4 records refused, the last: not a progress record")
    assert numbers == {"lag": 0, "merged": 2, "skipped": 4, "unpublished": 7}
    assert "records refused: 4" in caplog.text
    assert len(Published.records) == 3  # those of the KPI topic


IMPOSSIBLE = {"events": 9_000_000_000}


def test_the_loader_refuses_an_impossible_record_and_loads_the_record_before_it(
    settings: Settings, warehouse: SnowflakeConnection, reading: Callable[..., Log]
) -> None:
    log = reading(kpi(settings, 1), kpi(settings, 1, **IMPOSSIBLE))
    loader.run_loader(settings, log.stop)
    assert query(warehouse, "select events as n from SPEED.KPIS") == [{"n": 3}]
    assert Published.records == [("events", "not a number of events that a window can have")]
    assert "1 record refused, the last: events: not a number of events" in EMITTED[-1][0]


def test_the_alerting_service_refuses_an_impossible_record_without_publishing_it(
    settings: Settings, reading: Callable[..., Log]
) -> None:
    reading(kpi(settings, 1), kpi(settings, 1, **IMPOSSIBLE), kpi(settings, 2))
    Published.records.clear()
    service = alerting.AlertService(settings, threading.Event())
    try:
        service.step()
        assert service.numbers()["skipped"] == 1
        assert "events: not a number of events" in service.summary
        assert Published.records == []
    finally:
        service.close()


def test_the_offsets_of_refused_records_are_committed(settings: Settings, reading: Callable[..., Log]) -> None:
    log = reading(*misfits(settings))
    loader.run_loader(settings, log.stop)
    assert log.committed == 3


def test_without_refused_records_the_loaders_heartbeat_mentions_none(
    settings: Settings, reading: Callable[..., Log]
) -> None:
    log = reading(kpi(settings, 1))
    loader.run_loader(settings, log.stop)
    assert EMITTED[-1][0] == "0 KPI records behind"


def test_the_alerting_service_refuses_and_counts_bad_records_and_evaluates_the_others(
    settings: Settings, reading: Callable[..., Log]
) -> None:
    reading(kpi(settings, 1), *misfits(settings), kpi(settings, 2))
    service = alerting.AlertService(settings, threading.Event())
    try:
        service.step()
        assert service.state.until == NOW - timedelta(minutes=8)
        assert service.numbers()["skipped"] == 3
        assert " UTC, 3 records refused, the last: not a KPI record" in service.summary
    finally:
        service.close()


class TwoTopics(Log):
    """A reader whose polls return one record each, and whose end is the last KPI record."""

    def poll(self, **_: Any) -> list[Message]:
        if self.read == len(self.records):
            self.stop.set()
            return []
        self.read += 1
        return [self.records[self.read - 1]]

    def ends(self) -> dict[Partition, int]:
        return {(record.topic() or "", 0): number + 1 for number, record in enumerate(self.records)}


def batch_of_the_kpi_query(settings: Settings) -> Message:
    batch = QueryProgress("kpis", 1, NOW, 1, 1.0, 1.0, 0, 0, NOW, {"0": 0}, {"0": 3})
    return record(settings.topic("progress"), b"kpis", progress_to_json(batch))


def test_a_batch_of_the_kpi_query_is_noted_only_after_its_kpis_are_merged_whichever_is_read_first(
    settings: Settings, warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch, reading: Callable[..., Log]
) -> None:
    reading()
    log = TwoTopics([batch_of_the_kpi_query(settings), kpi(settings, 1), kpi(settings, 2)], threading.Event())
    monkeypatch.setattr(loader, "_reader", lambda settings, *_: log)
    worker = loader.Loader(settings)
    seen = []
    for _ in log.records:
        worker.step()
        sql = "select (select count(*) from SPEED.KPIS) as kpis, (select count(*) from SPEED.BATCHES) as batches"
        seen.append((*query(warehouse, sql)[0].values(), log.committed))
    worker.close()
    assert seen == [(0, 0, 0), (1, 0, 0), (2, 1, 3)]  # offsets are committed with the batch
