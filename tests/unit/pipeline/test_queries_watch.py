"""The batch part begins when both queries have reported that they run."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from rtlib.config import Settings
from rtlib.pipeline.telemetry import queries_watch
from rtlib.pipeline.telemetry.queries_watch import QueriesWatch
from rtlib.pipeline.workers import batch
from rtlib.records import Heartbeat


@pytest.fixture
def heartbeats(monkeypatch: pytest.MonkeyPatch) -> dict[str, Heartbeat]:
    """The heartbeats on the topic."""
    beats: dict[str, Heartbeat] = {}
    reader = SimpleNamespace(heartbeats=beats, catch_up=lambda: None, close=lambda: None)
    monkeypatch.setattr(queries_watch, "ProgressReader", lambda settings, tail: reader)
    return beats


def beat(query: str, *, active: bool = True, age: float = 0.0) -> Heartbeat:
    return Heartbeat(query, active, "runs", datetime.now(UTC) - timedelta(seconds=age))


def test_both_queries_have_to_run(heartbeats: dict[str, Heartbeat]) -> None:
    watch = QueriesWatch(Settings())
    heartbeats["kpis"] = beat("kpis")
    assert not watch.run()
    heartbeats["archive"] = beat("archive", active=False)
    assert not watch.run()
    heartbeats["archive"] = beat("archive")
    assert watch.run()


def test_a_report_of_an_earlier_start_does_not_count(heartbeats: dict[str, Heartbeat]) -> None:
    watch = QueriesWatch(Settings())
    heartbeats |= {name: beat(name, age=60) for name in ("kpis", "archive")}
    assert not watch.run()


def test_the_batch_part_reports_while_it_waits_and_ends_when_it_has_to_stop(heartbeats: dict[str, Heartbeat]) -> None:
    stop, reported = threading.Event(), list[str]()

    def emit(message: str, numbers: object) -> None:
        reported.append(message)
        stop.set()

    assert not batch._wait_for_queries(Settings(), stop, SimpleNamespace(emit=emit))  # type: ignore[arg-type]
    assert reported == ["waits until the queries run"]


def test_the_jobs_do_not_wait_forever_for_queries_that_fail(
    heartbeats: dict[str, Heartbeat], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "QUERIES_SECONDS", 0.0)
    silent = SimpleNamespace(emit=lambda message, numbers: None)
    assert not batch._wait_for_queries(Settings(), threading.Event(), silent)  # type: ignore[arg-type]
    heartbeats |= {name: beat(name, age=-5) for name in ("kpis", "archive")}
    assert batch._wait_for_queries(Settings(), threading.Event(), silent)  # type: ignore[arg-type]
