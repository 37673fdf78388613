"""The streaming application restarts exactly the queries that a change concerns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.pipeline.workers import stream
from rtlib.records import Heartbeat


class Watch:
    """A watch that reports prepared changes."""

    def __init__(self, *changes: bool) -> None:
        self.changes = list(changes)
        self.numbers = {"real_time": 1.0}

    def changed(self) -> bool:
        return self.changes.pop(0) if self.changes else False


class Writer:
    """Records published heartbeats."""

    def __init__(self) -> None:
        self.beats: list[Heartbeat] = []

    def heartbeat(self, beat: Heartbeat) -> None:
        self.beats.append(beat)


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(stream, "SchemaIds", lambda settings: Watch())
    monkeypatch.setattr(stream, "TriggerWatch", lambda settings: Watch())
    monkeypatch.setattr(stream, "spark_options", lambda settings: {})
    nothing: Any = None
    size: Any = Watch()
    writer: Any = Writer()
    return stream.Application(Settings(), nothing, size=size, sink=nothing, writer=writer)


@pytest.mark.parametrize(
    ("trigger", "size", "schemas", "restarted"),
    [
        (False, False, False, []),
        (True, False, False, ["kpis"]),
        (False, True, False, ["archive"]),
        (False, False, True, ["kpis", "archive"]),
    ],
)
def test_a_change_restarts_the_queries_it_concerns(
    application: Any, trigger: bool, size: bool, schemas: bool, restarted: list[str]
) -> None:
    application._trigger.changes, application._size.changes = [trigger], [size]
    application._schemas.changes = [schemas]
    assert application._outdated() == restarted
    assert application._outdated() == []


def test_only_the_heartbeat_of_the_kpis_query_carries_the_trigger(application: Any) -> None:
    for name in ("kpis", "archive"):
        application._publish(Heartbeat(name, True, "it runs", datetime.now(UTC), {"failures": 0.0}))
    assert [beat.numbers for beat in application._writer.beats] == [
        {"failures": 0.0, "real_time": 1.0},
        {"failures": 0.0},
    ]
