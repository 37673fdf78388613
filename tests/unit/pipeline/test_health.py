"""The heartbeats of an earlier process do not count for the process that runs now."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError

from rtlib.config import Settings
from rtlib.errors import CheckpointTorn, ServiceError
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.monitoring.probes import broker
from rtlib.records import Heartbeat, Status
from rtlib.services.supervisor import PartState
from rtlib.streaming.job import TORN


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def broker_holds(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a broker hold these heartbeats, beside processes started at that time."""

    def hold(*sent: Heartbeat, started_at: datetime) -> None:
        reader = SimpleNamespace(heartbeats={heartbeat.part: heartbeat for heartbeat in sent})
        running = {name: PartState(name, "RUNNING", 1, started_at.timestamp(), "") for name in ("stream", "loader")}
        monkeypatch.setattr(health, "read_progress", lambda settings, *, tail: reader)
        monkeypatch.setattr(health.supervisor, "states", lambda settings: running)

    return hold


def beat(part: str, *, active: bool = True, message: str = "it runs", **numbers: float) -> Heartbeat:
    return Heartbeat(part, active, message, now() - timedelta(seconds=2), numbers)


def test_a_heartbeat_of_an_earlier_process_does_not_count(broker_holds: Any) -> None:
    broker_holds(beat("kpis"), beat("archive"), beat("loader"), started_at=now() - timedelta(seconds=1))
    for part in ("stream", "loader"):
        with pytest.raises(ServiceError, match="has not started yet"):
            health.checks()[part](Settings())
    broker_holds(beat("kpis"), beat("archive"), beat("loader"), started_at=now() - timedelta(seconds=60))
    assert health.stream(Settings()) == "both queries run"


def test_an_inactive_query_is_not_healthy_and_gives_the_reason(broker_holds: Any) -> None:
    reason = "failed 3 times in the last 2 minutes: no such topic"
    broker_holds(beat("kpis", active=False, message=reason), beat("archive"), started_at=now() - timedelta(seconds=60))
    with pytest.raises(ServiceError, match=f"the kpis query does not run: {reason}"):
        health.stream(Settings())


def test_a_query_with_a_damaged_checkpoint_is_reported_with_the_cure(broker_holds: Any) -> None:
    stopped = beat("kpis", active=False, message="the checkpoint is damaged", **{TORN: 1.0})
    broker_holds(stopped, beat("archive"), started_at=now() - timedelta(seconds=60))
    with pytest.raises(CheckpointTorn, match="rtlib rebuild checkpoint kpis"):
        health.stream(Settings())
    seen = broker._by_heartbeat(stopped, now(), ())
    assert (seen.status, seen.reason) == (
        Status.STOPPED,
        "the checkpoint is damaged; cure: rtlib rebuild checkpoint kpis",
    )


def test_the_checks_of_a_start_keep_their_connection_until_an_error_and_close_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened, closed = list[str](), list[str]()
    fails = [False]

    def catch_up() -> None:
        if fails[0]:
            raise KafkaConnectionError("the broker restarts")

    def reader(settings: Settings, *, tail: int) -> SimpleNamespace:
        opened.append("reader")
        return SimpleNamespace(heartbeats={}, catch_up=catch_up, close=lambda: closed.append("reader"))

    monkeypatch.setattr(health, "ProgressReader", reader)
    settings = Settings(kafka_bootstrap_servers="broker:9092")
    with closing(health._ProgressTail()) as tail:
        assert tail.newest(settings) == tail.newest(settings) == {}
        assert (len(opened), len(closed)) == (1, 0)
        fails[0] = True
        with pytest.raises(ServiceError):
            tail.newest(settings)
        fails[0] = False
        tail.newest(settings)
    assert (len(opened), len(closed)) == (2, 2)
