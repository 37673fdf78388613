"""Refused KPI records go to the rejected topic with their reason, at a rate that cannot fill the disk."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message
from kafka.errors import MessageSizeTooLargeError

from rtlib.broker.kpi_records import RefusedKpi
from rtlib.broker.rejected import from_record
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline.monitoring.probes.broker import _alerts
from rtlib.pipeline.workers.refusals import Allowance, RefusalPublisher
from rtlib.records import Heartbeat


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Answer(Future[None]):
    """The future of a record, with kafka-python's method ``get``."""

    def get(self, timeout: float) -> None:
        self.result(timeout)


class Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, Any]] = []
        self.flushed = 0
        self.refuses = False

    def send(self, topic: str, *, value: bytes, headers: Any) -> Answer:
        self.sent.append((topic, value, headers))
        answer = Answer()
        answer.set_exception(MessageSizeTooLargeError("no")) if self.refuses else answer.set_result(None)
        return answer

    def flush(self, timeout: float) -> None:
        self.flushed += 1


def refused(value: bytes) -> RefusedKpi:
    return RefusedKpi("not a site of the domain", "site", Message(topic="rtlib.iot.kpis", key=b"k", value=value))


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[RefusalPublisher, Producer, Clock]:
    clock, producer = Clock(), Producer()
    publisher = RefusalPublisher(
        Settings(home=tmp_path, domain="iot"), Allowance(per_second=500, limit=1_000, clock=clock)
    )
    monkeypatch.setattr(publisher._publisher, "_producer", producer)
    return publisher, producer, clock


def test_a_record_that_kafka_does_not_accept_is_an_error(
    publisher: tuple[RefusalPublisher, Producer, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals, producer, _ = publisher
    producer.refuses = True
    monkeypatch.setattr(Settings, "bootstrap_servers", "127.0.0.1:9")
    with pytest.raises(ServiceError, match="no"):
        refusals.publish([refused(b"{}")])


def test_a_refused_record_is_published_complete_with_reason_field_and_source(
    publisher: tuple[RefusalPublisher, Producer, Clock],
) -> None:
    refusals, producer, _ = publisher
    refusals.publish([refused(b"{}")])
    (topic, value, headers) = producer.sent[0]
    rejected = from_record(value, headers)
    assert topic == "rtlib.iot.rejected"
    assert (rejected.payload, rejected.reason, rejected.field, rejected.topic) == (
        b"{}", "not a site of the domain", "site", "rtlib.iot.kpis",
    )  # fmt: skip
    assert producer.flushed == 1


def test_a_flood_is_only_counted_until_the_allowance_refills(
    publisher: tuple[RefusalPublisher, Producer, Clock],
) -> None:
    refusals, producer, clock = publisher
    refusals.publish([refused(b"x")] * 10_000)
    sent = len(producer.sent)
    assert sent == 4
    assert refusals.unpublished == 10_000 - sent
    clock.now = 1.0
    refusals.publish([refused(b"x")] * 10_000)
    assert len(producer.sent) - sent == 2  # the allowance is in bytes


def test_a_record_larger_than_the_allowance_is_only_counted(
    publisher: tuple[RefusalPublisher, Producer, Clock],
) -> None:
    refusals, producer, _ = publisher
    refusals.publish([refused(b"x" * 2_000), refused(b"x")])
    assert [len(value) for _, value, _ in producer.sent] == [1]
    assert refusals.unpublished == 1


def test_without_refused_records_no_producer_is_created(tmp_path: Path) -> None:
    publisher = RefusalPublisher(Settings(home=tmp_path, domain="iot"))
    publisher.publish([])
    publisher.close()


@pytest.mark.parametrize(("skipped", "place"), [(0, None), (3, 1)])
def test_the_node_of_the_alerts_shows_refused_records_among_its_first_numbers(skipped: int, place: int | None) -> None:
    now = datetime.now(UTC)
    beat = Heartbeat("alerts", True, "judged until noon, 3 records refused, the last: site", now, {"skipped": skipped})
    observation = _alerts(beat, now)
    names = [reading.name for reading in observation.readings]
    assert (names.index("refused") if "refused" in names else None) == place
    assert "refused, the last: site" in observation.reason
