"""What a part said before it ended says nothing of the process that runs now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

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
def said(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a broker hold these heartbeats, beside a process of that age."""

    def hold(*beats: Heartbeat, started_at: datetime) -> None:
        class Reader:
            heartbeats = {one.part: one for one in beats}

            def __init__(self, settings: Settings, *, tail: int) -> None: ...

            def catch_up(self) -> None: ...

            def close(self) -> None: ...

        running = {name: PartState(name, "RUNNING", 1, started_at.timestamp(), "") for name in ("stream", "loader")}
        monkeypatch.setattr(health, "ProgressReader", Reader)
        monkeypatch.setattr(health.supervisor, "states", lambda settings: running)

    return hold


def beat(part: str, *, active: bool = True, words: str = "it runs", **numbers: float) -> Heartbeat:
    return Heartbeat(part, active, words, now() - timedelta(seconds=2), numbers)


def test_a_sign_of_life_of_the_process_before_does_not_count(said: Any) -> None:
    said(beat("kpis"), beat("archive"), beat("loader"), started_at=now() - timedelta(seconds=1))
    for part in ("stream", "loader"):
        with pytest.raises(ServiceError, match="has not started yet"):
            health.checks()[part](Settings())
    said(beat("kpis"), beat("archive"), beat("loader"), started_at=now() - timedelta(seconds=60))
    assert health.stream(Settings()) == "both queries run"


def test_a_query_that_is_not_active_is_not_well_and_says_why(said: Any) -> None:
    why = "failed 3 times in the last 2 minutes: no such topic"
    said(beat("kpis", active=False, words=why), beat("archive"), started_at=now() - timedelta(seconds=60))
    with pytest.raises(ServiceError, match=f"the kpis query does not run: {why}"):
        health.stream(Settings())


def test_a_query_with_a_damaged_checkpoint_is_named_with_its_cure(said: Any) -> None:
    stopped = beat("kpis", active=False, words="the checkpoint is damaged", **{TORN: 1.0})
    said(stopped, beat("archive"), started_at=now() - timedelta(seconds=60))
    with pytest.raises(CheckpointTorn, match="rtlib rebuild checkpoint kpis"):
        health.stream(Settings())
    seen = broker._by_heartbeat(stopped, now(), ())
    assert (seen.status, seen.reason) == (
        Status.STOPPED,
        "the checkpoint is damaged; cure: rtlib rebuild checkpoint kpis",
    )
