"""What the loader and the alerting service do with records that are none: a log in the place of Kafka's."""

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

from rtlib.broker import librdkafka_reader, topics
from rtlib.broker.kpi_records import RefusedKpi
from rtlib.broker.librdkafka_reader import Partition
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.workers import alerting, refusals, run
from rtlib.warehouse.connection import query
from support.warehouse_server import WarehouseServer

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
SAID: list[tuple[str, Mapping[str, float]]] = []


@dataclass
class Log:
    """A reader that reads its records once, and then tells the part to stop."""

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

    def behind(self, topic: str) -> int:
        return sum(one.topic() == topic for one in self.records[self.read :])

    def commit(self) -> None:
        self.committed = self.read

    def close(self) -> None:
        pass


def record(topic: str, key: bytes, value: bytes | None) -> Message:
    return Message(topic=topic, key=key, value=value, timestamp=(1, round(NOW.timestamp() * 1000)))


class Beat:
    """A heartbeat that only remembers what was said."""

    def __init__(self, part: str, settings: Settings) -> None:
        SAID.clear()

    def due(self) -> bool:
        return True

    def emit(self, said: str, numbers: Mapping[str, float]) -> None:
        SAID.append((said, numbers))

    def close(self) -> None:
        pass


class Published:
    """Refused records that only are remembered."""

    records: ClassVar[list[tuple[str, str]]] = []
    unpublished = 7

    def __init__(self, settings: Settings) -> None:
        self.records.clear()

    def publish(self, refused: Sequence[RefusedKpi]) -> None:
        self.records.extend((one.field, one.reason) for one in refused)

    def close(self) -> None:
        pass


def kpi(settings: Settings, minute: int, **changes: Any) -> Message:
    begin = NOW - timedelta(minutes=10 - minute)
    domain = load_domain(settings.domain)
    site, measures = domain.sites[0].id, {one.name: None for one in domain.kpis}
    told = {
        "domain": settings.domain, "site": site, "window_start": begin.isoformat(),
        "window_end": (begin + timedelta(minutes=1)).isoformat(), "measures": measures, "events": 3, "late": 0,
        "first_event_at": begin.isoformat(), "last_event_at": (begin + timedelta(seconds=59)).isoformat(),
        **changes,
    }  # fmt: skip
    return record(settings.topic("kpis"), f"{begin:%Y-%m-%dT%H:%M:%SZ}|{site}".encode(), json.dumps(told).encode())


@pytest.fixture
def settings(tmp_path: Path, warehouse_server: WarehouseServer, warehouse: SnowflakeConnection) -> Settings:
    warehouse_server.share_with(tmp_path)
    return Settings(home=tmp_path, part="loader", domain="iot")


@pytest.fixture
def reading(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Log]:
    """A log of these records, for whichever part reads it."""

    def log_of(*records: Message) -> Log:
        log = Log(list(records), threading.Event())
        for module in (run, alerting):
            monkeypatch.setattr(module, "HeartbeatEmitter", Beat)
            monkeypatch.setattr(module, "wait_for_topics", lambda settings: None)
        monkeypatch.setattr(refusals, "Refusals", Published)
        monkeypatch.setattr(topics, "end_offsets", lambda settings, topic: {0: len(records)})
        monkeypatch.setattr(librdkafka_reader, "Reader", lambda settings, starts, **_: log)
        return log

    return log_of


def misfits(settings: Settings) -> list[Message]:
    kpis = settings.topic("kpis")
    return [record(kpis, b"a tombstone", None), record(kpis, b"broken", b"{"), record(kpis, b"text", b'"hello"')]


def test_the_loader_refuses_bad_records_counts_them_and_loads_the_others(
    settings: Settings, warehouse: SnowflakeConnection, reading: Callable[..., Log], caplog: pytest.LogCaptureFixture
) -> None:
    unknown = record(settings.topic("progress"), b"kpis", b"{}")
    log = reading(kpi(settings, 1), *misfits(settings), unknown, kpi(settings, 2))
    run.run_loader(settings, log.stop)
    assert query(warehouse, "select count(*) as n from SPEED.KPIS") == [{"n": 2}]
    assert log.committed == len(log.records)  # or it would read them again and again
    said, numbers = SAID[-1]
    assert said.startswith("0 KPI records behind, 4 records refused, the last: not a progress record")
    assert numbers == {"lag": 0, "merged": 2, "skipped": 4, "unpublished": 7}
    assert "records refused: 4" in caplog.text
    assert len(Published.records) == 3  # those of the KPI topic


IMPOSSIBLE = {"events": 9_000_000_000}


def test_the_loader_refuses_what_no_domain_could_have_produced_and_loads_the_one_before_it(
    settings: Settings, warehouse: SnowflakeConnection, reading: Callable[..., Log]
) -> None:
    log = reading(kpi(settings, 1), kpi(settings, 1, **IMPOSSIBLE))
    run.run_loader(settings, log.stop)
    assert query(warehouse, "select events as n from SPEED.KPIS") == [{"n": 3}]
    assert Published.records == [("events", "not a number of events that a window can have")]
    assert "1 record refused, the last: events: not a number of events" in SAID[-1][0]


def test_the_alerting_service_refuses_the_same_and_publishes_nothing(
    settings: Settings, reading: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = reading(kpi(settings, 1), kpi(settings, 1, **IMPOSSIBLE), kpi(settings, 2))
    monkeypatch.setattr(alerting, "_reader", lambda settings, until: log)
    Published.records.clear()
    watch = alerting.AlertService(settings, threading.Event())
    try:
        watch.step()
        assert watch.numbers()["skipped"] == 1
        assert "events: not a number of events" in watch.said
        assert Published.records == []
    finally:
        watch.close()


def test_a_bad_record_alone_is_refused_for_good(settings: Settings, reading: Callable[..., Log]) -> None:
    log = reading(*misfits(settings))
    run.run_loader(settings, log.stop)
    assert log.committed == 3


def test_the_loader_says_nothing_of_refused_records_where_there_are_none(
    settings: Settings, reading: Callable[..., Log]
) -> None:
    log = reading(kpi(settings, 1))
    run.run_loader(settings, log.stop)
    assert SAID[-1][0] == "0 KPI records behind"


def test_the_alerting_service_refuses_bad_records_counts_them_and_judges_the_others(
    settings: Settings, reading: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = reading(kpi(settings, 1), *misfits(settings), kpi(settings, 2))
    monkeypatch.setattr(alerting, "_reader", lambda settings, until: log)
    watch = alerting.AlertService(settings, threading.Event())
    try:
        watch.step()
        assert watch.memory.until == NOW - timedelta(minutes=8)
        assert watch.numbers()["skipped"] == 3
        assert " UTC, 3 records refused, the last: not a KPI record" in watch.said
    finally:
        watch.close()
